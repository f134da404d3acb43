"""Prior knowledge as one value, checked when it is made where that needs no data."""

from __future__ import annotations

import pytest

import keras_symgrad as ks


@pytest.mark.parametrize("symmetries", [["even"], "even", [ks.Even], 3], ids=repr)
def test_what_is_no_symmetry_is_refused(symmetries):
    with pytest.raises(ValueError, match="`symmetries` are a list of"):
        ks.Priors(symmetries=symmetries)


def test_one_symmetry_is_a_list_of_one():
    assert tuple(ks.Priors(symmetries=ks.Even("x1")).symmetries) == (ks.Even("x1"),)


def test_without_fields_nothing_is_known():
    nothing = ks.Priors()
    assert not nothing.symmetries and not nothing.guesses
    assert (nothing.constraints, nothing.dimensions, nothing.template) == (None, None, None)
