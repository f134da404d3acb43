"""Unification: a filled form equals the expression, up to a factor and a constant."""

from __future__ import annotations

import pytest
import sympy

from keras_symgrad.expressions.patterns import unify

x, y, z = sympy.symbols("x y z", real=True)
f, g, h = sympy.symbols("f g h", real=True)
FREE = {f: frozenset([x, y]), g: frozenset([z]), h: frozenset([x, y, z])}


def is_the_same_concept(one: sympy.Expr, other: sympy.Expr) -> bool:
    """Return whether one is a multiple of the other, plus a constant."""
    slopes = [[e.diff(v) for v in (x, y, z)] for e in (one, other)]
    minors = [
        sympy.simplify(slopes[0][i] * slopes[1][j] - slopes[0][j] * slopes[1][i])
        for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    return all(abs(minor.subs({x: 0.7, y: 1.3, z: 0.4})) < 1e-12 for minor in minors)


@pytest.mark.parametrize(
    ("form", "expression"),
    [
        (f + sympy.sin(g), x * y + sympy.sin(z)),
        (f + sympy.sin(g), 0.3 * sympy.sin(2 * z) - x / y + 7),
        (f + sympy.sin(g), -x - y - sympy.sin(z)),
        (f + sympy.sin(g), 2 * (x + 3 * sympy.sin(z**2))),
        (f + g, x**2 + y * x + 2.5 * z - 1),
        (f * g, 3 * x**2 * y / z),
        (f * g, (x * z) ** 2),
        (f * sympy.exp(g), sympy.exp(z + sympy.log(x))),
        (f / g, x / z + y / z),
        (f / g, x / z**2),
        (sympy.sqrt(f + g), 2 * sympy.sqrt(x + z)),
        (z * f + 2.5 * sympy.cos(g), z * x**2 + 3.7 * sympy.cos(z)),
        (sympy.sin(f) + sympy.sin(g), sympy.sin(z) + sympy.sin(x * y)),
        (sympy.Max(f, g), sympy.Max(x, z)),
        (h, x + y * z),
    ],
    ids=str,
)
def test_a_form_filled_with_what_was_found_carries_the_concept(form, expression):
    found = unify(form, expression, FREE)
    assert found is not None
    assert set(found) == form.free_symbols & set(FREE)
    assert all(part.free_symbols <= FREE[place] for place, part in found.items())
    assert is_the_same_concept(form.xreplace(found), expression)


@pytest.mark.parametrize(
    ("form", "expression"),
    [
        (f + sympy.sin(g), x + z),
        (f + sympy.sin(g), sympy.cos(z) + x),
        (f + sympy.sin(g), x * sympy.sin(z)),
        (f + g, x * z),
        (f * g, x + z),
        (f / g + 1, x * sympy.sin(y + z)),
        (sympy.sqrt(f + g), sympy.sqrt(x * z)),
        (f + 2 * sympy.sin(g) + 3 * sympy.sin(h), x + sympy.sin(z)),
        (sympy.sin(f) + sympy.cos(g), sympy.sin(z) + sympy.cos(x)),
        (f**2 + g, x**3 + z),
    ],
    ids=str,
)
def test_what_does_not_have_the_form_is_not_forced_into_it(form, expression):
    assert unify(form, expression, FREE) is None


def test_relative_weights_stay_and_the_factor_of_the_whole_goes():
    found = unify(f + sympy.sin(g), 5 * x + 10 * sympy.sin(z) - 3, FREE)
    assert found == {f: x / 2, g: z}


def test_a_term_that_two_places_could_hold_goes_to_the_narrower_one():
    assert unify(h + g, x * z + z**2, FREE) == {h: x * z, g: z**2}
