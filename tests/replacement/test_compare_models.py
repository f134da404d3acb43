"""Two models side by side: whether they agree, and what each costs."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

import keras_symgrad as ks

X = np.random.default_rng(0).normal(size=(1000, 2))


def dense(kernel, bias, activation=None) -> keras.Sequential:
    layer = keras.layers.Dense(len(bias), activation=activation)
    model = keras.Sequential([keras.Input((2,)), layer])
    layer.set_weights([np.array(kernel, float).reshape(2, -1), np.array(bias, float)])
    return model


def test_deciders_agree_on_the_share_of_rows_between_their_boundaries():
    first, second = dense([1, 0], [0], "sigmoid"), dense([1, 0], [0.5], "sigmoid")
    labels = X[:, 0] > 0
    found = ks.compare_models(first, second, X, labels, repeats=3)
    between = np.mean((X[:, 0] > -0.5) & (X[:, 0] <= 0))
    assert found.decides
    assert found.agreement == pytest.approx(1 - between)
    assert (found.before.score, found.after.score) == (1.0, pytest.approx(1 - between))
    assert f"agree on {1 - between:.2%}" in str(found)


def test_a_logit_is_told_by_the_loss():
    first, second = dense([1, 0], [0]), dense([3, 0], [0])
    assert not ks.compare_models(first, second, X, repeats=3).decides
    first.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    found = ks.compare_models(first, second, X, repeats=3)
    assert (found.decides, found.agreement) == (True, 1.0)


def test_classes_agree_where_the_same_one_is_the_largest():
    kernel = np.random.default_rng(1).normal(size=(2, 3))
    first, second = dense(kernel, [0, 0, 0], "softmax"), dense(kernel, [0, 0, 0.5], "softmax")
    found = ks.compare_models(first, second, X, np.eye(3)[(X @ kernel).argmax(1)], repeats=3)
    expected = np.mean((X @ kernel).argmax(1) == (X @ kernel + [0, 0, 0.5]).argmax(1))
    assert found.agreement == pytest.approx(expected, abs=2e-3)
    assert found.before.score == pytest.approx(1, abs=2e-3)


def test_numbers_agree_by_the_share_of_variance_that_is_explained():
    first, second = dense([1, 1], [0]), dense([1, 0], [0])
    found = ks.compare_models(first, second, X, X.sum(axis=1), repeats=3)
    assert found.agreement == pytest.approx(
        1 - np.mean(X[:, 1] ** 2) / np.var(X.sum(axis=1)), abs=1e-4
    )
    assert found.before.score == pytest.approx(0, abs=1e-5)
    assert found.difference == pytest.approx(np.sqrt(np.mean(X[:, 1] ** 2)), rel=1e-4)
    assert found.before.parameters == 3


def test_a_share_between_0_and_1_is_no_decision():
    share = dense([0.01, 0], [0.5])
    assert np.all((np.asarray(share(X)) > 0) & (np.asarray(share(X)) < 1))
    found = ks.compare_models(share, dense([0.01, 0], [0.6]), X, repeats=3)
    assert not found.decides
    assert found.agreement < 0


def test_rows_without_a_value_do_not_agree():
    first = dense([1, 0], [0], "sigmoid")
    logarithm = ks.SymbolicLayer("log(x1)", names=["x1", "x2"])
    second = keras.Sequential(
        [
            keras.Input((2,)),
            logarithm,
            keras.layers.Rescaling(0.0, 1.0),
            keras.layers.Dense(1),
        ]
    )
    found = ks.compare_models(first, second, X, repeats=3)
    assert found.undefined == pytest.approx(np.mean(X[:, 0] < 0))
    assert found.agreement <= 1 - found.undefined


def test_what_cannot_be_compared_is_refused():
    one, two = dense([1, 1], [0]), dense(np.ones((2, 2)), [0, 0])
    with pytest.raises(ValueError, match="outputs of one shape"):
        ks.compare_models(one, two, X, repeats=3)
    with pytest.raises(ValueError, match="label for each of the 1000 rows"):
        ks.compare_models(one, one, X, X[:5, 0], repeats=3)
    with pytest.raises(ValueError, match=r"shape \(1000, 1\)"):
        ks.compare_models(one, one, X, X, repeats=3)
    with pytest.raises(ValueError, match="repeats=0"):
        ks.compare_models(one, one, X, repeats=0)


def test_a_comparison_is_read_from_json_as_it_was_written():
    one = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="one")
    x = np.random.default_rng(0).normal(size=(50, 2))
    for y in (None, np.zeros(50)):
        found = ks.compare_models(one, one, x, y, repeats=1)
        assert found.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    with pytest.raises(ValueError, match="before.parameters"):
        before = {**found.to_dict()["before"], "parameters": -1}
        found.from_dict({**found.to_dict(), "before": before})
