"""Known symmetries, checked: on functions that have them and on others."""

import warnings

import numpy as np
import pytest
import tensorflow as tf
from symmetric_functions import KEPT, NAMES, POINTS, A, B

from keras_symgrad.gradients.field import GradientField
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.priors.symmetries import Even, Exchange, Odd, Rotation, Scaling, Translation
from keras_symgrad.results.assessment.symmetry_checks import (
    SymmetryCheck,
    broken,
    check_symmetry_errors,
    warn_of_broken_symmetries,
)

BROKEN = {
    Exchange("a", "b"): A + 2 * B,
    Even("a"): A + A**2,
    Odd("a"): A + A**2,
    Rotation("a", "b"): A**2 + 2 * B**2,
    Translation("a", "b"): A * B,
    Scaling("a", "b"): A + B,
}


@pytest.mark.parametrize("symmetry", KEPT, ids=repr)
def test_a_function_with_a_symmetry_has_it_in_its_gradients(symmetry):
    assert broken(symmetry, NAMES, KEPT[symmetry], POINTS) < 1e-12


@pytest.mark.parametrize("symmetry", BROKEN, ids=repr)
def test_a_function_without_it_shows_by_how_much(symmetry):
    assert broken(symmetry, NAMES, BROKEN[symmetry], POINTS) > 1e-2


def test_odd_is_the_opposite_of_even():
    assert broken(Even("a"), ["a"], A, POINTS[:, :1]) == pytest.approx(2)
    assert broken(Odd("a"), ["a"], A, POINTS[:, :1]) == pytest.approx(0)


def test_checks_tell_of_the_network_and_of_the_formula():
    x = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    near = Neuron("near", lambda x: tf.reduce_sum(x**2, axis=1) + 0.05 * x[:, 0], inputs=2)
    field = GradientField.from_neuron(near, x, names=["a", "b"])
    symmetries = [Even("a"), Rotation("a", "b"), Exchange("a", "b")]
    checks = check_symmetry_errors(symmetries, field, near, x, A**2 + B**2)
    assert [check.symmetry for check in checks] == list(map(str, symmetries))
    assert all(1e-5 < check.network < 0.05 for check in checks)
    assert all(check.formula < 1e-9 for check in checks)
    assert check_symmetry_errors([Even("a")], field, near, x, A + B)[0].formula > 0.5
    # For the field alone the continuous part is known.
    even, rotation, _ = check_symmetry_errors(symmetries, field, None, None, A**2 + B**2)
    assert even.network is None
    assert rotation.network > 1e-5


def test_a_network_that_plainly_has_not_the_symmetry_is_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_broken_symmetries([SymmetryCheck("even in a", 0.02, 0.0)], "net")
        warn_of_broken_symmetries([SymmetryCheck("even in a", None, 0.0)], "net")
    with pytest.warns(UserWarning, match="'net' does not have.*even in a.* 37 degrees"):
        warn_of_broken_symmetries([SymmetryCheck("even in a", 0.2, 0.0)], "net")
