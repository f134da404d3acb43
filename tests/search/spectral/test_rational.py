"""Quotients of sums and polynomials in bent coordinates, from eigenproblems alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy

from keras_symgrad.engine.directions import direction_error, orthonormal_span, split
from keras_symgrad.engine.reference import gradient
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, symbol
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.search.spectral.features import FeatureMaker
from keras_symgrad.search.spectral.polynomials import PolynomialSearch
from keras_symgrad.search.spectral.rational import RationalFit, in_axes_of

a, b, c, d = (symbol(name) for name in "abcd")
OPERATORS = OperatorSet("default")


def field_of(truth, noise=0.0, names="abc", box=(0.5, 2)) -> GradientField:
    points = np.random.default_rng(0).uniform(*box, size=(256, len(names)))
    exact = GradientField.from_gradients(points, gradient(truth, names, points), names=list(names))
    blurred = exact.directions + noise * np.random.default_rng(1).normal(size=points.shape)
    return GradientField.from_gradients(points, blurred, names=list(names))


def search_of(field) -> tuple[PolynomialSearch, list]:
    maker = FeatureMaker(Alphabet(OPERATORS, field.names))
    rows = np.full(field.rows, 1 / field.rows)
    return PolynomialSearch(maker, field.directions, rows), maker.variables(field.points)


def error(tree, search: PolynomialSearch, field: GradientField) -> float:
    feature = search.maker.of_tree(tree, search.maker.variables(field.points))
    return direction_error(feature.gradients, field.directions)


@pytest.mark.slow
@pytest.mark.parametrize(
    "truth",
    [
        (a * b + c) / (a + 2 * c),
        (a + b) / (1 + a * b / c**2),
        a / (1 - 0.1 * b**2) + 0 * c,
        a * b / (a + b + 3 * c),
        1 / (1 / a + b / c),
    ],
)
def test_rational_functions_are_found_exactly(truth):
    field = field_of(truth)
    search, atoms = search_of(field)
    assert min(error(tree, search, field) for tree in filter(None, search.quotients(atoms))) < 1e-10


@pytest.mark.slow
def test_noise_does_not_hide_them():
    truth = (a * b + c) / (a + 2 * c)
    field, exact = field_of(truth, noise=0.01), field_of(truth)
    search, atoms = search_of(field)
    short = [tree for tree in filter(None, search.quotients(atoms)) if len(tree) <= 16]
    assert min(error(tree, search, exact) for tree in short) < 1e-4


def test_of_all_pairs_of_a_plane_the_one_of_fewest_words_is_taken():
    field = field_of((a * b + c) / (a + 2 * c))
    search, atoms = search_of(field)
    words = search.maker.monomials(atoms, 2)
    fit = RationalFit(words, field.directions, search.rows)
    sparse = min(
        (q for q in fit.quotients(pairs=True) if q.error < 1e-9),
        key=lambda q: (q.over != 0).sum() + (q.under != 0).sum(),
    )
    assert sorted([(sparse.over != 0).sum(), (sparse.under != 0).sum()]) == [2, 2]


@pytest.mark.slow
def test_sums_whose_terms_say_nothing_in_pairs_are_found():
    truth = a + b + 2 * sympy.sqrt(a * b) * sympy.cos(c)
    field = field_of(truth, box=(1, 5))
    search, atoms = search_of(field)
    found = list(filter(None, search.polynomials(atoms, 4)))
    best = min(found, key=lambda combination: combination.loss)
    assert best.loss < 1e-9
    three = [one for one in found if len(one.features) == 3]
    assert min(one.loss for one in three) < 1e-9


@pytest.mark.slow
def test_exponentials_of_a_coordinate_make_a_quotient():
    truth = a / (sympy.exp(b) + sympy.exp(-b))
    field = field_of(truth, names="ab")
    search, atoms = search_of(field)
    assert min(error(tree, search, field) for tree in filter(None, search.quotients(atoms))) < 1e-9


def test_many_coordinates_are_left_alone():
    field = field_of(a * b + c * d, names="abcdefgh")
    search, atoms = search_of(field)
    assert list(search.polynomials(atoms, 4)) == []
    assert list(search.quotients(atoms)) == []


@pytest.mark.parametrize("count", [1, 2])
def test_axes_of_a_span_hold_the_parts_along_and_across_it(count):
    rng = np.random.default_rng(0)
    spans = orthonormal_span(rng.normal(size=(40, count, 3)))[1]
    # Some rows have fewer directions, or none.
    spans[:5, -1], spans[5:8] = 0, 0
    gradients = rng.normal(size=(6, 40, 3))
    along, across = split(gradients, spans)
    turned = in_axes_of(spans, gradients)
    np.testing.assert_allclose(
        np.abs(turned[:, :count]), np.abs(along.transpose(0, 2, 1)), atol=1e-12
    )
    # Products of two gradients are kept part by part.
    products = np.einsum("far,gar->fgr", turned[:, count:], turned[:, count:])
    np.testing.assert_allclose(products, np.einsum("fra,gra->fgr", across, across), atol=1e-12)


def test_a_product_without_gradient_is_no_obstacle():
    """Of two levels of a category one is 0 wherever the other is 1."""
    points = np.random.default_rng(0).uniform(0.5, 2, size=(256, 4))
    points[:, 2:] = np.eye(3)[np.arange(256) % 3][:, :2]
    slopes = gradient(a / (b + c + 2), "abcd", points)
    # On the data the levels never move.
    slopes[:, 2:] = 0
    frame = np.diag([1.0, 1.0, 0.0, 0.0])
    field = GradientField.from_gradients(points, slopes, names=list("abcd"))
    search, atoms = search_of(replace(field, frame=frame))
    found = list(filter(None, search.quotients(atoms)))
    assert found
