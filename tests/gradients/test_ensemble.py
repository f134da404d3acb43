"""Several networks together: their mean is better than each, and says by itself how good it is."""

from __future__ import annotations

import numpy as np
import pytest

from keras_symgrad.engine.directions import unit
from keras_symgrad.gradients.ensemble import mean_directions, mean_neuron
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.neurons.neuron import Neuron

RNG = np.random.default_rng(0)


def networks(count: int, noise: float, rows: int = 4000, variables: int = 3):
    """A true field and noisy copies of it with independent errors, every other one upside down."""
    truth = unit(RNG.normal(size=(rows, variables)))
    copies = [unit(truth + RNG.normal(0, noise, truth.shape)) for _ in range(count)]
    return truth, np.stack([(-1) ** k * copy for k, copy in enumerate(copies)])


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("noise", [1e-3, 1e-1])
def test_the_disagreement_predicts_the_loss_of_the_mean(count, noise):
    truth, copies = networks(count, noise)
    mean, weights, predicted = mean_directions(copies)
    actual = np.mean(weights[:, None] * (mean - truth) ** 2)
    # Where few networks agree by chance they weigh more than they deserve.
    assert actual / 2 < predicted < 1.2 * actual
    single = np.mean((copies[0] - truth) ** 2)
    assert actual < 1.2 * single / count


def test_rows_that_nobody_agrees_on_count_for_little():
    truth, copies = networks(4, 0.01)
    copies[:, :100] = unit(RNG.normal(size=copies[:, :100].shape))
    _, weights, _ = mean_directions(copies)
    assert weights[:100].max() < 0.5 * weights[100:].min()
    assert weights.mean() == pytest.approx(1)


def test_networks_that_agree_have_no_noise():
    _, copies = networks(2, 0.0)
    mean, weights, noise = mean_directions(copies)
    np.testing.assert_allclose(mean, copies[0], atol=1e-15)
    assert noise < 1e-30
    assert np.ptp(weights) < 1e-12


def saddle(name: str, tilt: float, sign: float = 1.0, **options) -> Neuron:
    return Neuron(
        name, lambda x: sign * (9 * x[:, 0] * x[:, 1] + tilt * x[:, 0]), inputs=2, **options
    )


@pytest.mark.slow
def test_a_field_of_several_networks_is_their_mean_field(tmp_path):
    x = RNG.uniform(-1, 1, size=(500, 2))
    pair = [saddle("one", 0.5), saddle("other", -0.5, sign=-2.0)]
    field = GradientField.from_neurons(pair, x, rows=300, names=["a", "b"])

    assert field.names == ("a", "b")
    assert (field.rows, len(field.weights)) == (300, 300)
    middle = unit(field.points[:, ::-1])
    assert np.mean((field.directions - middle) ** 2) < 1e-2
    assert 0 < field.noise < 0.05
    again = GradientField.load(field.save(tmp_path / "field"))
    assert again.noise == field.noise
    assert field.take(np.arange(10)).noise == field.noise
    # Files of fields that know of no noise are read as well.
    single = GradientField.from_neuron(pair[0], x)
    assert GradientField.load(single.save(tmp_path / "single")).noise is None


@pytest.mark.slow
def test_classifiers_are_read_on_the_slab_of_their_mean():
    x = RNG.uniform(-1, 1, size=(2000, 2))
    pair = [saddle(n, t, is_classifier=True) for n, t in (("one", 0.2), ("other", -0.2))]
    field = GradientField.from_neurons(pair, x, rows=400, delta=0.1)
    assert np.abs(field.values).max() <= np.log(9) + 1e-5
    np.testing.assert_allclose(field.values, 9 * field.points.prod(axis=1), atol=1e-4)


@pytest.mark.parametrize(
    ("neurons", "message"),
    [
        ([saddle("one", 0.0)], "two networks at least"),
        ([saddle("one", 0.0), saddle("two", 0.0, is_classifier=True)], "all classifiers or none"),
        (
            [saddle("one", 0.0), Neuron("wide", lambda x: x[:, 0], inputs=3)],
            "one of 2 inputs, wide of 3 inputs",
        ),
    ],
)
def test_networks_that_do_not_belong_together_are_refused(neurons, message):
    with pytest.raises(ValueError, match=message):
        GradientField.from_neurons(neurons, np.ones((5, 2)))


def test_a_mean_of_no_neurons_is_refused():
    with pytest.raises(ValueError, match="no model"):
        mean_neuron([], np.ones((5, 2)))
