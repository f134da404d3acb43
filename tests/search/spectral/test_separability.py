"""Structure: what the gradients of a concept say of its variables before any search."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.engine.reference import evaluate, gradient
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.expressions.trees import Alphabet, symbol, to_sympy
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.search.spectral.features import FeatureMaker
from keras_symgrad.search.spectral.separability import Separability, find_separability

x1, x2, x3, x4, x5, x6 = x = [symbol(f"x{k}") for k in range(1, 7)]


def field_of(truth, box=(0.3, 2), columns=6, noise=0.0, rows=256) -> GradientField:
    names = [f"x{k + 1}" for k in range(columns)]
    rng = np.random.default_rng(0)
    points = rng.uniform(*box, size=(rows, columns))
    exact = GradientField.from_gradients(points, gradient(truth, names, points), names=names)
    blurred = exact.directions + noise * rng.normal(size=points.shape)
    return GradientField.from_gradients(points, blurred, names=names)


def structure_of(field: GradientField, operators="default") -> Separability:
    maker = FeatureMaker(Alphabet(OperatorSet(operators), field.names))
    rows = np.full(field.rows, 1 / field.rows)
    return find_separability(maker, field, maker.variables(field.points), rows)


def units_of(field: GradientField) -> dict[frozenset, sympy.Expr]:
    operators = OperatorSet("default")
    return {u.columns: to_sympy(u.feature.tree, operators) for u in structure_of(field).units}


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize(
    ("pair", "phi"),
    [
        (x1 + x2, lambda g: sympy.sqrt(g)),
        (x1 - x2, lambda g: g**2),
        (x1 * x2, lambda g: sympy.exp(g)),
        (x1 / x2, lambda g: sympy.sin(g)),
        (x1**2 + 2 * x2**2, lambda g: sympy.log(1 + g)),
    ],
)
def test_a_pair_that_enters_through_one_function_is_one_coordinate_whatever_is_around(
    pair, phi, noise
):
    truth = phi(pair) + x3 * x4
    field = field_of(truth, columns=4, noise=noise)
    units = units_of(field)
    assert frozenset([0, 1]) in units
    # The same function, up to one of it: gradients in the pair are parallel.
    names, points = field.names, field.points
    found, true = (gradient(e, names, points)[:, :2] for e in (units[frozenset([0, 1])], pair))
    cosines = (found * true).sum(axis=1) / np.linalg.norm(found, axis=1)
    cosines /= np.linalg.norm(true, axis=1)
    assert np.mean(1 - np.abs(cosines)) < 1e-3 + noise**2


@pytest.mark.slow
def test_groups_of_groups_come_together_level_by_level():
    truth = x1 * x2 / ((x3 - x4) ** 2 + (x5 - x6) ** 2)
    structure = structure_of(field_of(truth, (0, 2)))
    sizes = [len(level) for level in structure.levels]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 6
    assert sizes[-1] == 2
    assert {u.columns for u in structure.levels[-1]} == {
        frozenset([0, 1]),
        frozenset([2, 3, 4, 5]),
    }


def test_a_variable_that_changes_nothing_is_ignored_and_no_other():
    structure = structure_of(field_of(x1 * x2 + 0.3 * x4, columns=5))
    assert structure.ignored == (2, 4)


def test_what_does_not_separate_is_left_apart():
    # Every pair of these three sees the third.
    field = field_of(x1 * x2 + sympy.sin(3 * x2 * x3) + x1 * x3**2, columns=3)
    for unit in structure_of(field).units:
        assert unit.error > 1e-5


def test_the_feature_of_a_unit_is_its_tree():
    field = field_of((x1 - x2) ** 2 + sympy.exp(x3) * x4, columns=4)
    operators = OperatorSet("default")
    for unit in structure_of(field).units:
        expression = to_sympy(unit.feature.tree, operators)
        np.testing.assert_allclose(
            unit.feature.values, evaluate([expression], field.names, field.points)[0], rtol=1e-9
        )
        assert {f"x{k + 1}" for k in unit.columns} == {s.name for s in expression.free_symbols}


def test_groups_are_told_by_name_with_their_evidence():
    field = field_of((x1 - x2) ** 2 + sympy.exp(x3) * x4, columns=4)
    groups = structure_of(field).groups(Alphabet(OperatorSet("default"), field.names))
    found = {group.variables: group for group in groups}
    assert found["x1", "x2"].expression in (x1 - x2, x2 - x1)
    assert found["x1", "x2"].error < 1e-9
    assert set(found["x1", "x2"].to_dict()) == {"variables", "expression", "error"}
    assert "x1 - x2" in str(found["x1", "x2"])


def test_of_many_variables_those_that_matter_are_blocks_to_build_with():
    one_of_many = structure_of(field_of(x1 * x2 + 0.3 * x4, columns=5))
    assert {str(tree) for tree in one_of_many.blocks} >= {"x1", "x2", "x4"}
    assert not {str(tree) for tree in one_of_many.blocks} & {"x3", "x5"}
    none_ignored = structure_of(field_of(x1 * x2 + 0.3 * x3, columns=3))
    assert none_ignored.blocks == [unit.feature.tree for unit in none_ignored.units]


@pytest.mark.slow
def test_of_twenty_variables_all_but_the_one_without_effect_are_searched_with():
    names = [f"x{k}" for k in range(20)]
    points = np.random.default_rng(0).uniform(-1, 1, (256, 20))
    # No two variables make a group where gradients differ from row to row in every variable.
    rough = np.random.default_rng(1).uniform(0.5, 1.5, points.shape)
    rough[:, 5] = 0
    structure = structure_of(GradientField.from_gradients(points, rough, names=names), "add, mul")
    assert structure.ignored == (5,)
    others = frozenset().union(*(unit.columns for unit in structure.others))
    assert len(structure.looked_at) == 12
    assert structure.looked_at | others == set(range(20)) - {5}
    assert {str(tree) for tree in structure.blocks} >= set(names) - {"x5"}
