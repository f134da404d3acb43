"""Effects of a robust loss and known symmetries on networks that were really trained."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import keras_symgrad as ks
from keras_symgrad.engine.directions import direction_error

pytestmark = pytest.mark.slow

QUICK = {
    "operators": "add, sub, mul, square",
    "search": ks.Search(methods="dictionary", stopping=ks.Stopping(None, generations=1)),
    "sampling": ks.Sampling(rows=400),
    "verbose": False,
}
BRIEF = {
    **QUICK,
    "sampling": ks.Sampling(rows=60),
    "search": ks.Search(methods="dictionary"),
    "time_limit": 0.1,
}
WITHOUT_SAMPLING = {name: option for name, option in QUICK.items() if name != "sampling"}


def gradients_of(files) -> ks.GradientField:
    """The gradients alone: without a network there are no values to be approximated."""
    model, data = files
    neuron = ks.Neuron.of(model)
    return ks.GradientField.from_neuron(neuron, data, rows=QUICK["sampling"].rows)


def error_of(concept: ks.Interpretation, x: np.ndarray, truth: np.ndarray) -> float:
    """Mean of 1 - |cos| between the formula's gradients and the true ones."""
    return direction_error(np.asarray(concept.best.to_layer().symbolic_gradient(x)), truth)


@pytest.fixture(scope="module")
def springs(models):
    """A network of 100 poor measurements of two equal masses on a spring."""
    return models / "springs.keras", models / "springs.csv"


@pytest.fixture(scope="module")
def symmetries():
    return [
        ks.Exchange(("x1", "v1"), ("x2", "v2")),
        ks.Translation("x1", "x2"),
        ks.Even("v1"),
        ks.Even("v2"),
    ]


@pytest.fixture(scope="module")
def symmetric(springs, symmetries):
    return ks.interpret(*springs, priors=ks.Priors(symmetries=symmetries), **QUICK)


def energy_of_springs(x: np.ndarray) -> np.ndarray:
    step = 3 * (x[:, 0] - x[:, 2])
    return np.stack([step, x[:, 1], -step, x[:, 3]], axis=1)


def test_symmetries_bring_a_formula_nearer_to_the_truth(springs, symmetric):
    x = np.random.default_rng(5).uniform(-1, 1, (5000, 4))
    plain = ks.interpret(gradients_of(springs), **WITHOUT_SAMPLING)
    truth = energy_of_springs(x)
    assert error_of(symmetric, x, truth) < 5e-4
    assert error_of(symmetric, x, truth) < error_of(plain, x, truth)
    x1, v1, x2, v2 = sympy.symbols("x1 v1 x2 v2", real=True)
    found = sympy.expand(symmetric.best.expression)
    assert sympy.expand(found.subs({x1: x2, v1: v2, x2: x1, v2: v1}, simultaneous=True)) == found


def test_the_result_says_how_well_network_and_formula_keep_each_symmetry(symmetric, symmetries):
    assert [check.symmetry for check in symmetric.symmetries] == list(map(str, symmetries))
    for check in symmetric.symmetries:
        assert 1e-4 < check.network < 0.1
        assert check.formula < 1e-9
    assert "exchange of (x1, v1), (x2, v2) (network " in str(symmetric)
    assert "kept by the formula" in str(symmetric)


def test_checks_are_kept_in_the_file_of_a_result(symmetric, tmp_path):
    again = ks.load_interpretation(symmetric.save(tmp_path / "result.json"))
    assert again.symmetries == symmetric.symmetries
    assert again.settings["symmetries"][1] == "Translation('x1', 'x2')"


def test_a_symmetry_that_the_network_has_not_is_warned_of(springs):
    with pytest.warns(UserWarning, match="does not have the symmetry.*rotation of"):
        ks.interpret(*springs, priors=ks.Priors(symmetries=ks.Rotation("x1", "v1")), **BRIEF)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"priors": ks.Priors(symmetries=[ks.Even("x9")])},
            "x9. The variables are: x1, v1, x2, v2",
        ),
        ({"loss": "mse"}, "`loss` is one of 'auto', 'squared', 'angle', 'huber'"),
    ],
    ids=("no variable", "no loss"),
)
def test_what_is_wrong_is_said_before_the_search(springs, options, message):
    with pytest.raises(ValueError, match=message):
        ks.interpret(*springs, **{**QUICK, **options})


@pytest.fixture(scope="module")
def stuck(models):
    """A network of a falling kilogram, taught by a speedometer that sticks in 14 % of the rows."""
    return models / "stuck.keras", models / "stuck.csv"


def test_rows_that_are_far_off_decide_by_squares_and_not_by_other_losses(stuck):
    x = np.random.default_rng(5).uniform([0, 0], [5, 10], (5000, 2))
    truth = np.stack([np.full(len(x), 9.81), x[:, 1]], axis=1)
    d2 = sympy.Symbol("d2")
    bounded = ks.Loss("bounded", d2 / (d2 + 0.01))
    field = gradients_of(stuck)
    errors = {
        str(loss): error_of(ks.interpret(field, loss=loss, **WITHOUT_SAMPLING), x, truth)
        for loss in ("squared", "huber", bounded)
    }
    assert errors["squared"] > 3 * errors["huber"] > 3 * errors["bounded"]
    assert errors["huber"] < 1e-3
    assert errors["bounded"] < 5e-4
