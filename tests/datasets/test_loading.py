"""Published systems are loaded by name from the public package, as `keras.datasets` are."""

from __future__ import annotations

import pytest

import keras_symgrad as ks


@pytest.mark.parametrize(
    ("family", "name"),
    [
        *[(ks.datasets.classifiers, name) for name in ["A1", "A", "B", "C", "D", "E", "F", "G"]],
        *[(ks.datasets.latent, f"{number:03}") for number in range(1, 13)],
        *[(ks.datasets.feynman, name) for name in ["I.6.2", "I.15.3x", "III.21.20", "B20"]],
    ],
    ids=lambda value: getattr(value, "__name__", str(value)).rpartition(".")[2],
)
def test_each_published_system_is_there_by_its_name(family, name):
    assert family.load(name).id == str(name)


@pytest.mark.parametrize(
    "family", [ks.datasets.classifiers, ks.datasets.latent, ks.datasets.feynman]
)
def test_a_name_that_is_not_there_is_refused_with_those_that_are(family):
    with pytest.raises(ValueError, match="Received: .*'Z'"):
        family.load("Z")
