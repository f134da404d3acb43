"""Options of the readings of gradients, checked before any work, and the rows they give."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_symgrad as ks
from keras_symgrad.expressions.trees import symbol
from keras_symgrad.files.columns import Points
from keras_symgrad.gradients.reading import Reading

X = np.random.default_rng(0).uniform(-1, 1, (400, 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 1}, "`rows` must be a whole number of at least 2. Received: rows=1"),
        ({"rows": 100.0}, "`rows` .*100.0"),
        ({"rows": None}, "`rows` .*None"),
        ({"delta": 0.5}, "`delta` .*between 0 and 0.5.*Received: delta=0.5"),
        ({"delta": 0}, "`delta` .*delta=0"),
        ({"delta": "0.1"}, "`delta` .*'0.1'"),
        ({"metric": "euclid"}, "`metric` .*'euclid'"),
        ({"metric": np.ones((2, 3))}, "`metric` .*shape"),
        ({"metric": -np.eye(2)}, "`metric` .*no covariance matrix"),
        ({"tangent": "global"}, "`tangent` .*'global'"),
        ({"smoothing": 0}, "`smoothing` .*smoothing=0"),
        ({"smoothing": "wide"}, "`smoothing` .*'wide'"),
    ],
    ids=str,
)
def test_an_option_out_of_its_range_is_refused_by_its_name(options, message):
    with pytest.raises(ValueError, match=message):
        ks.Sampling(**options)


def test_points_are_drawn_unless_the_data_alone_know_their_surface():
    assert ks.Sampling().draws_points
    assert not ks.Sampling(draw=False).draws_points
    assert not ks.Sampling(tangent="local").draws_points
    own = ks.Sampling(tangent="local", sampler=lambda n, rng: rng.uniform(size=(n, 2)))
    assert own.draws_points


def test_the_reading_has_the_rows_and_the_points_that_were_asked_for():
    ring = ks.Neuron("ring", lambda x: 9 * tf.reduce_sum(x**2, 1) - 4, 2, is_classifier=True)
    drawn = ks.Sampling(rows=150, delta=0.1)
    data_only = ks.Sampling(rows=150, delta=0.1, draw=False, move=False)
    fields = [
        Reading.of_networks([ring], Points(X, ("a", "b")), sampling).field
        for sampling in (drawn, data_only)
    ]
    assert fields[0].rows == 150
    for field in fields:
        probability = 1 / (1 + np.exp(4 - 9 * (field.points**2).sum(axis=1)))
        assert (np.abs(probability - 0.5) <= 0.4 + 1e-6).all()
    given = {tuple(row) for row in X.round(5)}
    assert {tuple(row) for row in fields[1].points.round(5)} <= given
    assert not {tuple(row) for row in fields[0].points.round(5)} <= given


FIELD = ks.GradientField.from_gradients(X, X * [2, 4])


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"names": ["a", "b"]}, "names=.'a', 'b'.*sampling=default"),
        ({"sampling": ks.Sampling(rows=500)}, "sampling=rows"),
        ({"sampling": ks.Sampling(metric=np.eye(2))}, "sampling=metric"),
        ({"sampling": ks.Sampling(delta=None, tangent=None)}, "sampling=delta, tangent"),
    ],
    ids=("names", "rows", "metric", "two"),
)
def test_a_field_that_was_read_before_refuses_names_and_sampling(options, received):
    with pytest.raises(ValueError, match=f"Leave out `names` and `sampling`.*{received}"):
        ks.interpret(FIELD, verbose=False, **options)


@pytest.mark.slow
def test_a_field_takes_a_sampling_whose_fields_are_the_defaults():
    defaults = ks.Sampling()
    same = ks.Sampling(rows=int("2000"), delta=float("1e-2"), metric=defaults.metric)
    found = ks.interpret(
        FIELD, sampling=same, search=ks.Search(methods="dictionary"), verbose=False
    )
    assert str(found.best) == "x1**2 + 2*x2**2"


@pytest.mark.slow
def test_a_layer_gives_the_variables_of_a_neuron_that_was_made_before():
    x = keras.Input((2,))
    parts = keras.layers.Concatenate(name="parts")([x[:, :1] * x[:, 1:], x[:, :1] ** 2])
    model = keras.Model(x, parts[:, :1] - 3 * parts[:, 1:], name="net")
    neuron = ks.Neuron.of(model, kind="value")
    found = ks.interpret(
        neuron,
        X,
        sampling=ks.Sampling(in_terms_of="parts"),
        operators="polynomial",
        search=ks.Search(methods="dictionary"),
        time_limit=2,
        verbose=False,
    )
    first, second = (found.best.expression.diff(symbol(name)) for name in found.names)
    assert float(second / first) == pytest.approx(-3, rel=1e-3)
    assert found.settings["in_terms_of"] == "parts"
    assert (found.settings["kind"], found.settings["layer"]) == ("value", None)
    assert 'sampling=ks.Sampling(in_terms_of="parts")' in found.call
    assert 'ks.Neuron.of(model, kind="value")' in found.call

    own = ks.Neuron("own", lambda x: x[:, 0], inputs=2)
    with pytest.raises(ValueError, match="made of a function.*in_terms_of='parts'"):
        ks.interpret(own, X, sampling=ks.Sampling(in_terms_of="parts"))


@pytest.mark.parametrize("name", ["sampling", "priors", "search"])
def test_options_that_are_no_values_of_their_class_are_refused(name):
    message = f"`{name}` is a `{name.capitalize()}`, such as ks.*Received: {name}={{}}"
    with pytest.raises(ValueError, match=message):
        ks.interpret("none.keras", X, **{name: {}})


def test_a_sampling_that_is_none_is_refused_by_classes_and_jointly_as_well():
    for question in (ks.interpret_classes, ks.interpret_jointly):
        with pytest.raises(ValueError, match="`sampling` is a `Sampling`.*sampling={}"):
            question("none.keras", X, sampling={})
