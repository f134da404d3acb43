"""Spell products and powers in forms other than SymPy's expansion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import sympy

from keras_symgrad.expressions.spelling.chains import MOST_FLIPPED, Chains, Spelling
from keras_symgrad.expressions.spelling.coefficients import (
    common_coefficient,
    divided_by,
    exact,
    exact_root,
    nearest_simple,
    reciprocal_number,
    scaled,
)

# Higher powers are not decomposed.
LARGEST_POWER = 64
# Powers up to this are decomposed in every way, higher ones by halves.
LARGEST_POWER_OF_EVERY_SPLIT = 12
# Up to this number, 2*x may be written as a sum of x's, and x**2 as a product.
MOST_REPEATED = 4

_ODD = (
    sympy.sin,
    sympy.tan,
    sympy.asin,
    sympy.atan,
    sympy.sinh,
    sympy.tanh,
    sympy.asinh,
    sympy.atanh,
    sympy.erf,
)


class Products(Chains):
    """The ways to write products and powers over an operator set."""

    def _product(self, expression: sympy.Mul) -> Iterator[Spelling]:
        number, rest = expression.as_coeff_Mul()
        factors = list(sympy.Mul.make_args(rest))
        for k, factor in enumerate(factors):
            if factor.is_Add and (common := common_coefficient(factor)) != 1:
                divided = sympy.Add(*(divided_by(term, common) for term in factor.args))
                others = [*factors[:k], divided, *factors[k + 1 :]]
                yield from self._scaled_product(exact(number * common), others)
        if number == 1:
            yield from self._product_of(expression)
            return
        if number.is_negative:
            yield from self._negated(scaled(-number, rest))
            for k, factor in enumerate(factors):
                for turned in self._turned(factor):
                    others = [*factors[:k], turned, *factors[k + 1 :]]
                    yield from self._scaled_product(-number, others)
        yield from self._scaled_product(number, [rest])
        if number.is_Integer and 1 < number <= MOST_REPEATED:
            yield from self._chain("add", [rest] * int(number))

    def _turned(self, factor: sympy.Expr) -> Iterator[sympy.Expr]:
        """The negative of a factor, where it is as light as the factor itself."""
        if factor.is_Add:
            yield -factor
        elif factor.is_Pow and factor.base.is_Add and factor.exp.is_Integer and factor.exp % 2:
            yield (-factor.base) ** factor.exp
        elif isinstance(factor, _ODD) and factor.func in self._plain:
            # SymPy writes sin(y - x) as -sin(x - y).
            value = sympy.Dummy(real=True)
            self.bound[value] = (self._plain[factor.func], -factor.args[0])
            yield value

    def _scaled_product(self, number: sympy.Expr, rest: list[sympy.Expr]) -> Iterator[Spelling]:
        """A product with a number, in the numerator, in the denominator or on both sides."""
        whole = sympy.Mul(*rest) if len(rest) > 1 else rest[0]
        if number == 1:
            yield from self._product_of(whole)
            return
        ups, downs = _sides(whole)
        reciprocal = reciprocal_number(number)
        for over, under in (
            ([number], []),
            ([], [reciprocal] if reciprocal is not None else None),
            ([number.p], [number.q]) if number.is_Rational and number.p != 1 else ([], None),
        ):
            if under is not None and not (over and over[0] == 1):
                over, under = map(sympy.sympify, over), map(sympy.sympify, under)
                yield from self._product_of_sides([*over, *ups], [*under, *downs])
        yield from self._powers_of_products(number, whole)
        yield from self._repeated_factors(number, ups, downs)
        yield from self._shifted_exponentials(number, ups, downs)

    def _shifted_exponentials(
        self, number: sympy.Expr, ups: Sequence[sympy.Expr], downs: Sequence[sympy.Expr]
    ) -> Iterator[Spelling]:
        """2.72*exp(a) as exp(a + 1)."""
        if not number.is_positive:
            return
        for k, factor in enumerate(ups):
            if isinstance(factor, sympy.exp):
                moved = _shifted(factor, sympy.log(number))
                yield from self._product_of_sides([*ups[:k], moved, *ups[k + 1 :]], downs)
        for k, factor in enumerate(downs):
            if isinstance(factor, sympy.exp):
                others = [*downs[:k], *downs[k + 1 :]]
                above = _shifted(1 / factor, sympy.log(number))
                yield from self._product_of_sides([*ups, above], others)
                below = _shifted(factor, -sympy.log(number))
                yield from self._product_of_sides(ups, [below, *others])

    def _repeated_factors(
        self, number: sympy.Expr, ups: Sequence[sympy.Expr], downs: Sequence[sympy.Expr]
    ) -> Iterator[Spelling]:
        """2*a*b as (a + a)*b, where a sum is lighter than a product."""
        if not (number.is_Integer and 1 < number <= MOST_REPEATED):
            return
        if self._weight("add") >= self._weight("mul"):
            return
        for k, factor in enumerate(ups):
            base, exponent = factor.as_base_exp()
            left = [base ** (exponent - 1)] if exponent.is_Integer and exponent > 1 else []
            one = base if left else factor
            others = [*ups[:k], *left, *ups[k + 1 :]]
            yield from self._product_of_sides([scaled(number, one), *others], downs)

    def _product_of(self, expression: sympy.Expr) -> Iterator[Spelling]:
        """A product without a number."""
        ups, downs = _sides(expression)
        if len(ups) + len(downs) < 2:
            # A single factor needs no product.
            yield from ([(expression,)] if ups else self._reciprocals(downs[0]))
            return
        yield from self._product_of_sides(ups, downs)
        yield from self._powers_of_products(sympy.Integer(1), expression)
        sizes = [factor for factor in ups if isinstance(factor, sympy.Abs)]
        if len(sizes) > 1:
            size = sympy.Abs(sympy.Mul(*(f.args[0] for f in sizes)), evaluate=False)
            others = [factor for factor in ups if factor not in sizes]
            yield from self._product_of_sides([size, *others], downs)

    def _product_of_sides(
        self, ups: Sequence[sympy.Expr], downs: Sequence[sympy.Expr]
    ) -> Iterator[Spelling]:
        if not downs and len(ups) == 1:
            yield (ups[0],)
            return
        yield from self._joined("mul", "div", ups, downs, reciprocal, sympy.Mul)
        if self._weight("div") < self._weight("mul"):
            # a**2/b as a/(b/a)
            above, below = [*_repeated(ups)], [*_repeated(downs)]
            if (above, below) != ([*ups], [*downs]):
                yield from self._joined("mul", "div", above, below, reciprocal, sympy.Mul)
        # A bell is exp(-a**2), which needs no operator for exp(a**2).
        few = len(downs) if len(downs) <= MOST_FLIPPED else 0
        for count in range(1, few):
            for flipped in combinations(downs, count):
                above = [*ups, *map(reciprocal, flipped)]
                below = [factor for factor in downs if factor not in flipped]
                yield from self._joined("mul", "div", above, below, reciprocal, sympy.Mul)
        for factor in ups:
            if isinstance(factor, sympy.exp) and len(ups) > 1:
                above = [other for other in ups if other is not factor]
                below = [*downs, reciprocal(factor)]
                yield from self._joined("mul", "div", above, below, reciprocal, sympy.Mul)

    def _powers_of_products(self, number: sympy.Expr, expression: sympy.Expr) -> Iterator[Spelling]:
        """4*a**2*b**2*c as (2*a*b)**2 * c, and 1.41*sqrt(a) as sqrt(2*a)."""
        powers = [_as_power(factor) for factor in sympy.Mul.make_args(expression)]
        for power in self._powers:
            if power <= 0 or (power.q > 1 and number == 1):
                continue
            for inside, outside in _taken_out(powers, power):
                for root in dict.fromkeys((sympy.Integer(1), exact_root(number, power))):
                    if root is None or (root == 1 and len(inside) == 1):
                        continue
                    base = scaled(root, sympy.Mul(*(b**e for b, e in inside)))
                    left = number if root == 1 else sympy.Integer(1)
                    if not outside and left == 1:
                        yield (self._powers[power], base)
                    else:
                        whole = sympy.Pow(base, power, evaluate=False)
                        ups, downs = _sides(sympy.Mul(*(b**e for b, e in outside)))
                        ups = [*([left] if left != 1 else []), whole, *ups]
                        yield from self._joined("mul", "div", ups, downs, reciprocal, sympy.Mul)

    def _power(self, expression: sympy.Pow) -> Iterator[Spelling]:
        base, exponent = expression.args
        if exponent.is_Rational and abs(exponent.p) <= LARGEST_POWER >= exponent.q:
            yield from self._rational_power(base, exponent)
            if base.is_Add and exponent.is_Integer and exponent % 2 == 0:
                yield from self._rational_power(-base, exponent)
        if base.is_number and base.is_positive:
            yield from self._call("exp", scaled(sympy.Float(float(sympy.log(base))), exponent))
        elif not exponent.is_Integer:
            yield from self._by_logarithm(base, exponent)
        yield from self._call("pow", base, exponent)
        number, _ = exponent.as_coeff_Mul()
        for power in () if exponent.is_number or not number.is_Integer else self._powers:
            if power.is_Integer and power > 1 and number % power == 0:
                yield (self._powers[power], base ** (exponent / power))

    def _by_logarithm(self, base: sympy.Expr, exponent: sympy.Expr) -> list[Spelling]:
        if not {"exp", "log"} <= self._arithmetic.keys():
            return []
        logarithm = sympy.Dummy(real=True)
        (self.bound[logarithm],) = self._call("log", base)
        return self._call("exp", exponent * logarithm)

    def _rational_power(self, base: sympy.Expr, exponent: sympy.Rational) -> Iterator[Spelling]:
        if exponent in self._powers:
            yield (self._powers[exponent], base)
        if exponent in self._roots and base.is_nonnegative:
            yield (self._roots[exponent], base)
        if exponent < 0:
            yield from self._reciprocals(_raised(base, -exponent))
        elif exponent.q > 1:
            # The root first: sqrt(a)**3, because sqrt(a**2) is |a| and not a.
            for power in self._powers:
                if power.is_Integer and power > 1 and exponent.p % power == 0:
                    yield (self._powers[power], base ** (exponent / power))
            for power in self._powers:
                if power.p == 1 < power.q < exponent.q and exponent.q % power.q == 0:
                    yield (self._powers[power], base ** (exponent / power))
            if exponent > 1:
                whole = sympy.Integer(int(exponent))
                yield from self._multiplied(_raised(base, whole), base ** (exponent - whole))
            above = sympy.Integer(int(exponent) + 1)
            yield from self._call("div", _raised(base, above), base ** (above - exponent))
        else:
            for power in self._powers:
                if power.is_Integer and power > 1 and exponent % power == 0 and exponent != power:
                    yield (self._powers[power], _raised(base, exponent / power))
            for part in _parts(int(exponent)):
                yield from self._multiplied(*(_raised(base, p) for p in (part, exponent - part)))

    def _multiplied(self, *factors: sympy.Expr) -> Iterator[Spelling]:
        yield from self._joined("mul", "div", factors, [], reciprocal, sympy.Mul)


def _raised(base: sympy.Expr, exponent: sympy.Expr) -> sympy.Expr:
    """A power of an expression that is not a product."""
    if exponent == 1:
        return base
    return sympy.Pow(base, exponent, evaluate=not base.is_Mul)


def _shifted(exponential: sympy.exp, number: sympy.Expr) -> sympy.Expr:
    """A factor of an exponential as a term in its argument."""
    if not number.is_Rational:
        value = float(number)
        number = nearest_simple(value) or sympy.Float(value)
    return sympy.exp(exponential.args[0] + number, evaluate=False)


def reciprocal(expression: sympy.Expr) -> sympy.Expr:
    """1/expression."""
    return 1 / expression


def _sides(expression: sympy.Expr) -> tuple[list[sympy.Expr], list[sympy.Expr]]:
    """Factors and divisors."""
    above, below = (
        [factor for factor in side.as_ordered_factors() if factor != 1]
        for side in sympy.fraction(expression)
    )
    return above, below


def _repeated(factors: Sequence[sympy.Expr]) -> Iterator[sympy.Expr]:
    """Factors with low powers, repeated as often as the power says."""
    for factor in factors:
        base, exponent = factor.as_base_exp()
        few = exponent.is_Integer and 1 < exponent <= MOST_REPEATED
        yield from [base] * int(exponent) if few else [factor]


def _as_power(factor: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
    if isinstance(factor, sympy.exp):
        number, _ = factor.args[0].as_coeff_Mul()
        if number.is_Integer:
            return sympy.exp(factor.args[0] / number), number
        return factor, sympy.Integer(1)
    return factor.as_base_exp()


def _taken_out(
    powers: Sequence[tuple[Any, ...]], power: sympy.Rational
) -> Iterator[tuple[list[Any], list[Any]]]:
    """Bases and exponents inside a power of a product, and factors that stay outside."""
    # A root belongs to a factor that has that root: sqrt(a**2) is |a| and not a.
    known = [(b, e) for b, e in powers if e.is_Rational and e.q % power.q == 0]
    others = [(b, e) for b, e in powers if (b, e) not in known]
    whole = [(b, e / power) for b, e in known if power.q > 1 or (e / power).is_Integer]
    if whole:
        bases = [b for b, _ in whole]
        yield whole, [*((b, e) for b, e in known if b not in bases), *others]
    if power.is_Integer:
        parts = [(b, sympy.Integer(e // power)) for b, e in known if e >= power]
        if any(e * power != dict(known)[b] for b, e in parts):
            left = [(b, e - power * dict(parts).get(b, 0)) for b, e in known]
            yield parts, [*((b, e) for b, e in left if e != 0), *others]


def _parts(exponent: int) -> Iterator[sympy.Integer]:
    """Exponents of the first of two factors."""
    if exponent <= LARGEST_POWER_OF_EVERY_SPLIT:
        parts = range(exponent // 2, 0, -1)
    else:
        parts = (exponent // 2, 1)
    yield from map(sympy.Integer, parts)
