"""Several neurons at once, on a bottleneck that carries two concepts in mixed coordinates."""

from __future__ import annotations

import json
import signal
from importlib import import_module

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_symgrad import Sampling, Search
from keras_symgrad.api.interpret import interpret
from keras_symgrad.api.interpret_jointly import interpret_jointly
from keras_symgrad.engine.directions import orthonormal_span, unit
from keras_symgrad.engine.reference import gradient
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.search.core.stopping import Stopping

pytestmark = pytest.mark.slow

NAMES = ("x", "y", "vx", "vy")
QUICK = {
    "operators": "polynomial",
    "search": Search(methods="dictionary", stopping=Stopping(None, generations=1)),
    "verbose": False,
}


@pytest.fixture(scope="module")
def model(project):
    return keras.models.load_model(project / "examples" / "models" / "oscillator.keras")


@pytest.fixture(scope="module")
def found(model, project):
    x = project / "examples" / "models" / "oscillator.csv"
    return interpret_jointly(model, x, "bottleneck", **QUICK)


def true_span(x):
    """Unit gradients of energy and angular momentum, made orthonormal."""
    momentum = np.stack([x[:, 3], -x[:, 2], -x[:, 1], x[:, 0]], axis=1)
    return orthonormal_span(np.stack([unit(x), unit(momentum)], axis=1))[1]


def test_the_concepts_are_functions_of_energy_and_angular_momentum(found):
    x = np.random.default_rng(1).uniform(-1.5, 1.5, (5000, 4))
    assert found.independent == len(found.concepts) == 2
    directions = [unit(gradient(f.expression, NAMES, x)) for f in found.best]
    for direction in directions:
        inside = np.linalg.norm(np.einsum("rka,ra->rk", true_span(x), direction), axis=1)
        assert np.mean(1 - inside) < 2e-3
    # And not of the same function of them.
    assert np.mean(np.abs(np.sum(directions[0] * directions[1], axis=1))) < 0.9


def test_no_unit_alone_passes_for_either(model):
    x = np.random.default_rng(1).uniform(-1.5, 1.5, (2000, 4))
    momentum = np.stack([x[:, 3], -x[:, 2], -x[:, 1], x[:, 0]], axis=1)
    for k in range(3):
        direction = unit(Neuron.of(model, "bottleneck", k).values_and_gradients(x)[1])
        for concept in (x, momentum):
            assert np.mean(1 - np.abs((direction * unit(concept)).sum(axis=1))) > 2e-3


def test_the_spectrum_tells_two_directions_of_weight(found):
    assert found.spectrum[0] == 1
    assert found.spectrum[1] > 0.4 > 0.2 > found.spectrum[2]
    assert "3 neurons carry 2 independent concepts" in str(found)


def test_the_result_is_plain_data(found, tmp_path):
    saved = json.loads(found.save(tmp_path / "both.json").read_text())
    assert saved["independent"] == 2
    assert len(saved["concepts"]) == 2
    assert max(saved["errors"]) < 2e-3


def test_one_concept_in_two_units_is_one():
    pair = [
        Neuron("cube", lambda x: (x[:, 0] * x[:, 1]) ** 3, inputs=2),
        Neuron("negative", lambda x: 5 - 2 * x[:, 0] * x[:, 1], inputs=2),
    ]
    x = np.random.default_rng(0).uniform(1, 2, (500, 2))
    found = interpret_jointly(pair, x, operators="polynomial", verbose=False)
    assert found.independent == 1
    assert [str(formula.expression) for formula in found.best] == ["x1*x2"]


def test_a_span_is_saved_and_loaded(tmp_path):
    pair = [Neuron(f"x{k}", lambda x, k=k: x[:, k] ** 3, inputs=3) for k in (0, 1)]
    field = GradientField.from_units(pair, np.random.default_rng(0).uniform(1, 2, (50, 3)))
    again = GradientField.load(field.save(tmp_path / "span.npz"))
    np.testing.assert_array_equal(again.directions, field.directions)
    assert again.spectrum == field.spectrum
    assert field.span == 2


def test_along_level_sets_a_function_of_what_was_found_says_nothing():
    triple = [Neuron(f"x{k}", lambda x, k=k: x[:, k], inputs=3) for k in (0, 1, 2)]
    x = np.random.default_rng(0).uniform(1, 2, (50, 3))
    field = GradientField.from_units(triple[:2], x)
    ones = np.ones_like(x)
    rest = field.on_level_sets(ones * [1, 1, 0])
    assert rest.axes == 2 and rest.span == 1
    # Along x1 + x2 = c, x1 and x2 are one concept, and x3 is none of the neurons'.
    own, other = (rest.directions_of(ones * v)[:, None] for v in ([1, 0, 0], [0, 1, 0]))
    np.testing.assert_allclose(np.abs((own * rest.directions).sum(axis=2)), 1)
    np.testing.assert_allclose(np.abs((other * rest.directions).sum(axis=2)), 1)
    apart = rest.directions_of(ones * [0, 0, 1])[:, None]
    np.testing.assert_allclose((apart * rest.directions).sum(axis=2), 0, atol=1e-12)
    with pytest.raises(ValueError, match="span of one direction"):
        rest.on_level_sets(ones)


def test_a_span_has_no_sign():
    pair = [Neuron(f"x{k}", lambda x, k=k: x[:, k], inputs=3) for k in (0, 1)]
    field = GradientField.from_units(pair, np.random.default_rng(0).normal(size=(50, 3)))
    with pytest.raises(ValueError, match="no sign to agree with"):
        interpret(field, search=Search(signed=True))


def test_a_later_concept_speaks_of_those_before_it_and_not_of_the_data(found):
    first, second = (dict(concept.remarks) for concept in found.concepts)
    assert "looked for" not in first
    assert second["looked for"].startswith(f"where {found.best[0].to_pretty()} is constant")
    # The data fill their space, whatever the gradients are compared along.
    assert "surface" not in first and "surface" not in second
    assert found.concepts[1].given == found.best[:1]


def test_a_surface_of_the_data_is_told_beside_the_concepts_before():
    pair = [
        Neuron("mixed", lambda x: x[:, 0] ** 2 + x[:, 1], inputs=4, dtype="float64"),
        Neuron("other", lambda x: x[:, 0] ** 2 - x[:, 1], inputs=4, dtype="float64"),
    ]
    x = np.random.default_rng(0).uniform(1, 2, (500, 4))
    x[:, 3] = 4 - x[:, 2]
    first, second = interpret_jointly(pair, x, **QUICK).concepts
    for concept in (first, second):
        assert "3 directions in 4 variables" in dict(concept.remarks)["surface"]
    assert "looked for" in dict(second.remarks)


def bent(x: tf.Tensor) -> tf.Tensor:
    """x^2 between -2 and 2, linear in pieces as a ReLU network makes it."""
    knots = tf.linspace(tf.constant(-2, x.dtype), 2, 9)
    return -4.5 * x + tf.reduce_sum(tf.nn.relu(x[:, None] - knots), axis=1)


@pytest.fixture(scope="module")
def kinked():
    return [
        Neuron("sum", lambda x: bent(x[:, 0]) + bent(x[:, 1]) + x[:, 2], 3, False, "float64"),
        Neuron(
            "difference", lambda x: bent(x[:, 0]) + bent(x[:, 1]) - x[:, 2], 3, False, "float64"
        ),
    ]


def test_gradients_that_jump_are_averaged(kinked):
    x = np.random.default_rng(0).uniform(-1.5, 1.5, (1500, 3))
    averaged = interpret_jointly(kinked, x, **QUICK)
    with pytest.warns(UserWarning, match="gradient of 'sum' jumps"):
        raw = interpret_jointly(kinked, x, sampling=Sampling(smoothing=None), **QUICK)
    assert max(averaged.errors) < 0.3 * max(raw.errors)
    assert {str(f.expression) for f in averaged.best} == {"x3", "x1**2 + x2**2"}


def test_columns_are_matched_by_name():
    a, b = keras.Input((1,), name="a"), keras.Input((2,), name="b")
    features = keras.layers.Concatenate()([a + b[:, :1] * b[:, 1:], a - b[:, :1] * b[:, 1:]])
    model = keras.Model({"a": a, "b": b}, features)
    rng = np.random.default_rng(0)
    points = {"b": rng.uniform(1, 2, (600, 2)), "a": rng.uniform(1, 2, 600)}
    found = interpret_jointly(model, points, **QUICK)
    assert {str(formula.expression) for formula in found.best} == {"a", "b_1*b_2"}


@pytest.mark.parametrize(
    ("neurons", "arguments", "message"),
    [
        ([], {}, "one neuron at least"),
        ([None], {"layer": "hidden"}, "`Neuron`s are some already"),
        ([None], {"sampling": Sampling(in_terms_of="hidden")}, "does not know its model"),
        ([None], {"sampling": Sampling(draw=False)}, "Leave out `draw` of `sampling`"),
        ([None], {"names": ["a", "a"]}, "Every name may occur once"),
    ],
)
def test_a_wrong_question_is_answered_before_anything_is_read(neurons, arguments, message):
    with pytest.raises(ValueError, match=message):
        interpret_jointly(neurons, np.ones((5, 2)), **arguments)


def test_ctrl_c_before_the_second_concept_costs_nothing_of_the_first(monkeypatch):
    neurons = [
        Neuron("sum", lambda x: x[:, 0] * x[:, 1] + x[:, 2], inputs=3),
        Neuron("difference", lambda x: x[:, 0] * x[:, 1] - x[:, 2], inputs=3),
    ]
    found = []

    def interrupted_in_the_second(*arguments, **options):
        if found:
            signal.raise_signal(signal.SIGINT)
            raise KeyboardInterrupt
        found.append(interpret(*arguments, **options))
        return found[0]

    module = import_module("keras_symgrad.api.interpret_jointly")
    monkeypatch.setattr(module, "interpret", interrupted_in_the_second)
    x = np.random.default_rng(0).uniform(1, 2, (200, 3))
    with pytest.warns(UserWarning, match="after 1 of 2 concepts"):
        result = interpret_jointly(neurons, x, **QUICK)
    assert result.independent == 2
    assert [concept.best for concept in result.concepts] == [found[0].best]
