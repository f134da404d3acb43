"""Formulas in z = x - offset: completed squares, unit slopes and zeros.

An offset is only a round number near the data. These functions rewrite a formula in z so that it
shows the vertex of a parabola, or x itself where that was meant: z**2 - 10 z and z + 2000.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sympy

# A factor z + k of a sum may be x itself where k is this near to the offset, as a share of it.
NEAR_ZERO = 0.3


def completed_squares(
    expression: sympy.Expr, variables: Sequence[sympy.Symbol]
) -> sympy.Expr | None:
    """Complete squares of a sum: (z - h)**2 for z**2 and z, up to an added constant.

        a z**2 + b z  ->  a (z + b/(2 a))**2

    Args:
        expression: any.
        variables: variables whose squares are completed.

    Returns:
        The sum, or `None` if there is no square to complete.

    Example:

    >>> x, y = sympy.symbols("x y", real=True)
    >>> completed_squares(2 * x**2 - 12.0 * x + sympy.sin(y), [x])
    2*(x - 3.0)**2 + sin(y)
    """
    if not expression.is_Add:
        return None
    terms, changed = list(expression.args), False
    for variable in variables:
        inside = [term for term in terms if variable in term.free_symbols]
        weights = {
            power: term.coeff(variable, power)
            for term in inside
            for power in (1, 2)
            if term == term.coeff(variable, power) * variable**power
        }
        if len(inside) == 2 == len(weights) and all(w.is_number for w in weights.values()):
            half = weights[1] / (2 * weights[2])
            terms = [term for term in terms if term not in inside]
            terms.append(weights[2] * (variable + half) ** 2)
            changed = True
    return sympy.Add(*terms) if changed else None


def with_unit_slopes(expression: sympy.Expr, variables: Sequence[sympy.Symbol]) -> sympy.Expr:
    """A formula with a (z + b/a) for a z + b, wherever a sum consists of these two terms.

    Args:
        expression: any.
        variables: candidates for z.

    Example:

    >>> x, y = sympy.symbols("x y", real=True)
    >>> with_unit_slopes(y * (0.5 * x + 3.0), [x])
    0.5*y*(x + 6.0)
    """
    found = {}
    for part in expression.atoms(sympy.Add):
        number, rest = part.as_coeff_Add()
        slope, variable = rest.as_coeff_Mul()
        if number != 0 and slope != 1 and variable in variables:
            found[part] = sympy.Mul(slope, variable + number / slope, evaluate=False)
    return expression.xreplace(found)


def with_zeros(
    expression: sympy.Expr, zeros: Mapping[sympy.Symbol, sympy.Number]
) -> Iterator[sympy.Expr]:
    """A sum in which z stands for x - k, with x itself where the sum nearly equals it.

        a m z + b m  ->  a m (z + k)        where b/a is near k

    Args:
        expression: any.
        zeros: k by the variable.

    Yields:
        Sums for each variable, in which two terms became one.

    Example:

    >>> z, y = sympy.symbols("z y", real=True)
    >>> next(with_zeros(y * (2 * z + 3990.0), {z: sympy.Integer(2000)}))
    2*y*(z + 2000)
    """
    terms = sympy.expand(expression).as_coefficients_dict()
    for variable, zero in zeros.items():
        merged = dict(terms)
        for term, weight in terms.items():
            other = term / variable
            if variable in other.free_symbols or other not in terms or not other.free_symbols:
                continue
            if abs(terms[other] / weight - zero) <= NEAR_ZERO * abs(zero):
                del merged[other]
                merged[term] = weight
                merged = {
                    other * (variable + zero) if part == term else part: number
                    for part, number in merged.items()
                }
        if len(merged) < len(terms):
            yield sympy.Add(*(number * part for part, number in merged.items()))


def folded(
    expression: sympy.Expr, units: Mapping[str, tuple[float, float]]
) -> tuple[sympy.Expr, dict[str, tuple[float, float]]]:
    """A formula in z = (x - offset)/scale with its own shifts of z merged into the offset.

    Args:
        expression: in z.
        units: offset and scale by the name of a variable.

    Returns:
        The expression with z for z + number, and the resulting units.

    Example:

    >>> z = sympy.Symbol("z", real=True)
    >>> folded((z - 5) ** 2, {"z": (2000.0, 1.0)})
    (z**2, {'z': (2005.0, 1.0)})
    """
    units = dict(units)
    for name, (offset, scale) in units.items():
        if not offset:
            continue
        variable = sympy.Symbol(name, real=True)
        number = own_shift(expression, variable)
        if number is not None:
            expression = without_shift(expression, variable, number)
            units[name] = (float(f"{offset - float(number) * scale:.15g}"), scale)
    return expression, units


def own_shift(expression: sympy.Expr, variable: sympy.Symbol) -> sympy.Number | None:
    """The number that is added to a variable wherever it stands; `None` without one."""
    parts = list(sympy.preorder_traversal(expression))
    sums = [part for part in parts if part.is_Add and variable in part.args]
    numbers = {part.as_coeff_Add()[0] for part in sums}
    if len(numbers) != 1 or parts.count(variable) != len(sums):
        return None
    number = numbers.pop()
    return number if number != 0 else None


def without_shift(
    expression: sympy.Expr, variable: sympy.Symbol, number: sympy.Number
) -> sympy.Expr:
    """An expression without the number that is added to a variable wherever it stands."""
    sums = [part for part in expression.atoms(sympy.Add) if variable in part.args]
    return expression.xreplace({part: part - number for part in sums})
