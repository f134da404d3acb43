"""Canonical form of a concept: an expression without its outer invertible functions."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, reduce

import sympy

from keras_symgrad.expressions.operators import Operator, OperatorSet

# Strictly monotone wherever they are defined, so they keep the direction of the gradient.
MONOTONE_FUNCTIONS = (
    sympy.exp,
    sympy.log,
    sympy.sinh,
    sympy.tanh,
    sympy.asinh,
    sympy.atanh,
    sympy.asin,
    sympy.acos,
    sympy.atan,
    sympy.tan,
    sympy.erf,
)


def canonicalize(expression: sympy.Expr, operators: OperatorSet | None = None) -> sympy.Expr:
    """Reduce a formula to its concept: remove everything that keeps the gradient's direction.

    Around the whole formula these are removed repeatedly: added constants, factors,
    reciprocals, odd powers and roots, strictly monotone functions, and other fractional linear
    functions such as g/(1 + g). Then the coefficients are divided by the smallest of them.
    The gradient keeps its direction everywhere, up to one sign.

        phi(g) -> g,   phi strictly monotone

    Args:
        expression: a SymPy expression in real symbols.
        operators: a set whose strictly monotone operators are removed too.

    Returns:
        An expression that carries the same concept; a constant for a constant.

    Example:

    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> canonicalize(sympy.exp(3.1 * x1**2 + 6.2 * x2**2) - 4)
    x1**2 + 2.0*x2**2
    >>> canonicalize(5 / (x1 * x2) ** 3)
    x1*x2
    >>> canonicalize((x1 + x2) * (-0.5 * x1 - x2))
    (x1 + x2)*(x1 + 2.0*x2)

    Reference: Wetzel, arXiv 2401.04978, section 3.
    """
    own = [o for o in operators or () if _is_a_layer_of_its_own(o)]
    while True:
        peeled = _peeled(expression)
        if peeled == expression and own:
            peeled = _within_operator(expression, own)
        if peeled == expression:
            return _normalized(expression)
        expression = peeled


def _peeled(expression: sympy.Expr) -> sympy.Expr:
    """The expression without its outermost layer, or unchanged."""
    if not expression.free_symbols:
        return expression
    if expression.is_Add:
        return expression.as_independent(*expression.free_symbols, as_Add=True)[1]
    if isinstance(expression, MONOTONE_FUNCTIONS):
        return expression.args[0]
    if expression.is_Pow and not expression.base.free_symbols and expression.base.is_positive:
        return expression.exp
    if expression.is_Mul:
        varying = expression.as_independent(*expression.free_symbols, as_Add=False)[1]
        if varying != expression:
            return varying
    if expression.is_Pow or expression.is_Mul:
        return _peeled_product(expression)
    return expression


@cache
def _is_a_layer_of_its_own(operator: Operator) -> bool:
    """Return whether a monotone operator is not a composition of layers removed without it."""
    return operator.monotone and canonicalize(operator.expression) != operator.arguments[0]


def _within_operator(expression: sympy.Expr, operators: list[Operator]) -> sympy.Expr:
    """The u of op(u), up to layers already removed by `_peeled`."""
    whole = _normalized(expression)
    for operator in operators:
        form = _peeled(_peeled(operator.expression))
        for part in sympy.preorder_traversal(whole):
            if part.free_symbols and part != whole:
                if _normalized(form.subs(operator.arguments[0], part)) == whole:
                    return part
    return expression


def _peeled_product(expression: sympy.Expr) -> sympy.Expr:
    factors = sympy.Mul.make_args(expression)
    if all(isinstance(factor, sympy.exp) for factor in factors):
        return sympy.Add(*(factor.args[0] for factor in factors))
    odd_root = _within_odd_root(factors)
    if odd_root is not None:
        return odd_root
    powers = [_as_power(factor) for factor in factors]
    exponents = [exponent for _, exponent in powers]
    if all(exponent.is_Rational for exponent in exponents):
        common = abs(reduce(sympy.gcd, exponents))
        if _prefers_reciprocal(powers):
            common = -common
        divisor = next((d for d in (common, common / 2) if _signs_agree(powers, d)), 1)
        inner = sympy.Mul(*(base ** (exponent / divisor) for base, exponent in powers))
        if inner != expression:
            return inner
    elif len(powers) == 1 and exponents[0].is_Float:
        return powers[0][0]
    return _within_fraction(expression)


def _as_power(factor: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
    if isinstance(factor, sympy.exp):
        return factor, sympy.Integer(1)
    base, exponent = factor.as_base_exp()
    if exponent.is_Float and float(exponent).is_integer():
        exponent = sympy.Integer(int(exponent))
    return (base, exponent) if exponent.is_number else (factor, sympy.Integer(1))


def _signs_agree(powers: list[tuple[sympy.Expr, sympy.Expr]], divisor: sympy.Rational) -> bool:
    """Return whether prod b**p is an odd, monotone function of prod b**(p / divisor).

    The absolute values agree in any case; where a base may be negative, p and p / divisor must be
    both even or both odd. A base under a root is never negative.
    """
    return all(
        base.is_nonnegative or not exponent.is_Integer or (exponent - exponent / divisor) % 2 == 0
        for base, exponent in powers
    )


def _prefers_reciprocal(powers: list[tuple[sympy.Expr, sympy.Expr]]) -> bool:
    """Return whether the denominator is longer than the numerator, or equally long and earlier."""
    negative = [exponent.is_negative for _, exponent in powers]
    if 2 * sum(negative) != len(negative):
        return 2 * sum(negative) > len(negative)
    return min(powers, key=lambda power: sympy.default_sort_key(power[0]))[1].is_negative


def _within_odd_root(factors: tuple[sympy.Expr, ...]) -> sympy.Expr | None:
    """The u of sign(u) |u|**p."""
    if len(factors) == 2:
        for sign, power in (factors, factors[::-1]):
            base, exponent = power.as_base_exp()
            if sign.func is sympy.sign and base == abs(sign.args[0]) and exponent.is_positive:
                return sign.args[0]
    return None


def _within_fraction(expression: sympy.Expr) -> sympy.Expr:
    """The d of n/d when n is p d + q with numbers p and q."""
    above, below = sympy.fraction(expression)
    if not (above.free_symbols and below.is_Add) or expression.count_ops() > 200:
        return expression
    terms = sympy.expand(below).as_coefficients_dict()
    above_terms = sympy.expand(above).as_coefficients_dict()
    shared = [term for term in terms if term.free_symbols and term in above_terms]
    if shared:
        ratio = above_terms[shared[0]] / terms[shared[0]]
        if not sympy.expand(above - ratio * below).free_symbols:
            return below
    return expression


def _normalized(expression: sympy.Expr) -> sympy.Expr:
    """Sums divided so that their smallest coefficient is 1 and most coefficients are positive.

    That is the whole sum, or every sum that is a factor, or in a whole power, of a product.
    """
    if expression.is_Mul:
        return sympy.Mul(*map(_normalized_factor, expression.args))
    terms = expression.as_ordered_terms()
    if len(terms) == 1 or not expression.free_symbols:
        return expression
    split = [term.as_coeff_Mul() for term in terms]
    coefficients = [coefficient for coefficient, _ in split]
    if not all(coefficient.is_finite for coefficient in coefficients):
        return expression
    divisor = _divisor(coefficients)
    negative = sum(coefficient.is_negative for coefficient in coefficients)
    if 2 * negative > len(terms) or (2 * negative == len(terms) and coefficients[0].is_negative):
        divisor = -divisor
    return sympy.Add(*(_divided(coefficient, divisor) * rest for coefficient, rest in split))


def _normalized_factor(factor: sympy.Expr) -> sympy.Expr:
    base, exponent = factor.as_base_exp()
    return _normalized(base) ** exponent if base.is_Add and exponent.is_Integer else factor


def _divisor(coefficients: Iterable[sympy.Number]) -> sympy.Number:
    if all(coefficient.is_Rational for coefficient in coefficients):
        return reduce(sympy.gcd, coefficients)
    sizes = [abs(coefficient) for coefficient in coefficients]
    # A negligible term is not used for scaling, and of near ties the first one is taken.
    smallest = min(size for size in sizes if size * 100 >= max(sizes))
    return next(size for size in sizes if smallest <= size <= smallest * 1.01)


def _divided(coefficient: sympy.Number, divisor: sympy.Number) -> sympy.Number:
    quotient = coefficient / divisor
    return sympy.Integer(int(quotient)) if abs(float(quotient)) == 1 else quotient
