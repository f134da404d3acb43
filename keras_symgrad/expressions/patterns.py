"""Match the form of an operator in an expression.

Unification finds the arguments with which a form equals an expression.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import sympy

from keras_symgrad.expressions.operators import SYMBOLS, Operator

_A = SYMBOLS[0]


def match(operator: Operator, expression: sympy.Expr) -> list[sympy.Expr] | None:
    """Find arguments that make an operator equal to an expression.

    Args:
        operator: the operator.
        expression: a SymPy expression.

    Returns:
        Expressions, each simpler than the whole, with `operator(*arguments) == expression`; None if
        there are none.

    Example:

    >>> from keras_symgrad.expressions.operators import shipped
    >>> x = sympy.Symbol("x", real=True)
    >>> match(shipped("gauss"), sympy.exp(-4 * x**2))
    [2*x]
    """
    form = operator.expression
    if form.func != expression.func or not _functions(form) <= _functions(expression):
        return None
    if sum(1 for node in sympy.preorder_traversal(form) if node == _A) == operator.arity == 1:
        solution = _solution(form, expression)
        arguments = [] if solution is None or solution.has(sympy.I) else [solution]
    else:
        wilds = [sympy.Wild(argument.name) for argument in operator.arguments]
        pattern = form.subs(dict(zip(operator.arguments, wilds)), simultaneous=True)
        found = expression.match(pattern) or {}
        arguments = [found[wild] for wild in wilds if wild in found]
        if len(arguments) != len(wilds) or operator(*arguments) != expression:
            return None
    # A match may be correct and useless: log(1 + x) is softplus(log(x)) where x is positive.
    size, functions = _size(expression), _functions(expression)
    for argument in arguments:
        if _size(argument) >= size or not _functions(argument) <= functions:
            return None
    return arguments or None


@cache
def affine_form(operator: Operator) -> tuple[Any, ...] | None:
    """Decompose an operator of the form p F(q a + r) + s.

    Args:
        operator: the operator.

    Returns:
        The function F and the numbers p, q, r, s; None if the operator is not of this form.

    Example:

    >>> from keras_symgrad.expressions.operators import shipped
    >>> affine_form(shipped("sigmoid"))
    (tanh, 1/2, 1/2, 0, 1/2)
    """
    functions = operator.expression.atoms(sympy.Function)
    if operator.arity != 1 or len(functions) != 1:
        return None
    (function,) = functions
    value = sympy.Dummy()
    outer = operator.expression.subs(function, value)
    if outer.free_symbols != {value} or len(function.args) != 1:
        return None
    if not (outer.is_polynomial(value) and function.args[0].is_polynomial(_A)):
        return None
    outer, inner = sympy.Poly(outer, value), sympy.Poly(function.args[0], _A)
    if outer.degree() != 1 or inner.degree() != 1:
        return None
    p, s = outer.all_coeffs()
    q, r = inner.all_coeffs()
    return (function.func, p, q, r, s)


def without_signs(expression: sympy.Expr) -> sympy.Expr:
    """A product with |u| replaced by u among its factors.

    Args:
        expression: a SymPy expression.

    Returns:
        An expression with the same absolute value.

    Example:

    >>> x, y = sympy.symbols("x y", real=True)
    >>> without_signs(2 * sympy.Abs(x * y))
    2*x*y
    """
    factors = sympy.Mul.make_args(expression)
    return sympy.Mul(*(f.args[0] if isinstance(f, sympy.Abs) else f for f in factors))


def _solution(form: sympy.Expr, expression: sympy.Expr) -> sympy.Expr | None:
    """The a that solves form(a) = expression, where `a` occurs once in the form; or None."""
    while form != _A:
        if form.is_Add:
            constant, form = form.as_independent(_A, as_Add=True)
            expression = expression - constant
        elif form.is_Mul:
            constant, form = form.as_independent(_A, as_Add=False)
            expression = expression / constant
        elif form.is_Pow and form.exp.is_Rational:
            # Under an even power either root is correct, so |u| is equivalent to u.
            root = expression ** (1 / form.exp)
            form, expression = form.base, without_signs(sympy.powdenest(root))
        elif form.func == expression.func and len(form.args) == 1:
            form, expression = form.args[0], expression.args[0]
        elif form.func == expression.func and form.func in (sympy.Max, sympy.Min):
            constants = {part for part in form.args if not part.has(_A)}
            if not constants < set(expression.args):
                return None
            (form,) = set(form.args) - constants
            expression = expression.func(*set(expression.args) - constants)
        else:
            return None
    return expression


def _functions(expression: sympy.Expr) -> set[Any]:
    """Functions and roots in an expression."""
    powers = [power for power in expression.atoms(sympy.Pow) if power.free_symbols]
    roots = {"root" for power in powers if not power.exp.is_Integer}
    return {function.func for function in expression.atoms(sympy.Function)} | roots


def _size(expression: sympy.Expr) -> int:
    return sum(1 for _ in sympy.preorder_traversal(expression))


# Free places, each with the symbols that it may hold.
Free = Mapping[sympy.Symbol, frozenset[sympy.Symbol]]
Found = dict[sympy.Symbol, sympy.Expr]


def unify(form: sympy.Expr, expression: sympy.Expr, free: Free) -> Found | None:
    """Fill the free places of a form so that it becomes an expression.

    The match holds up to a factor and an added constant of the whole, which do not change the
    direction of the gradient. If several places could take a term, the one with the fewest symbols
    gets it.

    Args:
        form: an expression with free places, each of them once.
        expression: the expression to match.
        free: the symbols that stand for free places, each with those that it may hold.

    Returns:
        Expressions by free place; `None` if there is no match.

    Example:

    >>> f, g, x, y = sympy.symbols("f g x y", real=True)
    >>> free = {f: frozenset([x]), g: frozenset([x, y])}
    >>> unify(f * sympy.exp(g), 3 * x**2 * sympy.exp(x / y) - 1, free)
    {g: x/y, f: x**2}
    >>> unify(f + sympy.sin(g), x + y, free)
    """
    for way in dict.fromkeys(_ways(form, expression, free)):
        for found in _solutions(form, way, free):
            return found
    return None


def _ways(form: sympy.Expr, expression: sympy.Expr, free: Free) -> Iterator[sympy.Expr]:
    """Equivalent expressions, each with a factor that may make it the form."""
    patterns = [term.as_coeff_Mul() for term in sympy.Add.make_args(form) if term not in free]
    rewritings = (sympy.expand, sympy.powsimp, sympy.factor_terms)
    for way in dict.fromkeys((expression, *(rewrite(expression) for rewrite in rewritings))):
        terms = way.as_coeff_Add()[1].as_coefficients_dict()
        for wanted, pattern in patterns:
            for one, given in terms.items():
                if pattern.func == one.func or pattern.is_Mul:
                    # Exact equality is required: 0.3/0.3 is a float and not the integer 1.
                    yield sympy.Add(
                        *(
                            (wanted if term is one else number * wanted / given) * term
                            for term, number in terms.items()
                        )
                    )
        yield sympy.Add(*(number * term for term, number in terms.items()))


def _solutions(form: sympy.Expr, expression: sympy.Expr, free: Free) -> Iterator[Found]:
    """All ways to fill a form so that it is exactly the expression."""
    if form in free:
        if expression.free_symbols <= free[form]:
            yield {form: expression}
    elif not form.free_symbols & free.keys():
        # A number that is not whole is a constant, which may be replaced by another.
        if form == expression or (form.is_Float and expression.is_number):
            yield {}
    elif form.is_Pow and form.exp == -1:
        yield from _solutions(form.base, 1 / expression, free)
    elif form.is_Add or form.is_Mul:
        yield from _of_parts(form, expression, free)
    elif form.func == expression.func and len(form.args) == len(expression.args):
        yield from _of_arguments(form.args, expression.args, free)


def _of_arguments(
    forms: tuple[sympy.Expr, ...], arguments: tuple[sympy.Expr, ...], free: Free
) -> Iterator[Found]:
    if not forms:
        yield {}
        return
    for first in _solutions(forms[0], arguments[0], free):
        for others in _of_arguments(forms[1:], arguments[1:], free):
            yield first | others


def _of_parts(form: sympy.Expr, expression: sympy.Expr, free: Free) -> Iterator[Found]:
    """Match a sum or a product, whose parts may stand in any order."""
    kind = form.func
    if form.is_Mul:
        expression = sympy.expand_power_base(expression)
    forms = kind.make_args(form)
    fixed = [part for part in forms if part not in free]
    places = sorted((part for part in forms if part in free), key=lambda p: (len(free[p]), p.name))
    for found, left in _fixed(fixed, list(kind.make_args(expression)), kind, free):
        taken: dict[sympy.Symbol, list[sympy.Expr]] = {place: [] for place in places}
        for part in left:
            place = next((p for p in places if part.free_symbols <= free[p]), None)
            if place is None:
                break
            taken[place].append(part)
        else:
            yield found | {place: kind(*parts) for place, parts in taken.items()}


def _fixed(
    forms: list[sympy.Expr], parts: list[sympy.Expr], kind: type[sympy.Expr], free: Free
) -> Iterator[tuple[Found, list[sympy.Expr]]]:
    """All ways to find the fixed parts of a form, with the parts that are left over."""
    if not forms:
        yield {}, [part for part in parts if part != kind.identity]
        return
    first, *others = forms
    # A factor of 1 is not written.
    candidates = [*parts, sympy.S.One] if first.is_Float and kind is sympy.Mul else parts
    for k, part in enumerate(candidates):
        for found in _solutions(first, part, free):
            for more, left in _fixed(others, parts[:k] + parts[k + 1 :], kind, free):
                yield found | more, left
