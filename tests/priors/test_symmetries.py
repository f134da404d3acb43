"""Known symmetries: the maps that they are."""

import pytest
from symmetric_functions import NAMES

from keras_symgrad.priors.symmetries import Even, Exchange, Rotation, symmetry_group


def test_the_group_holds_all_that_comes_of_its_maps():
    assert len(symmetry_group([Exchange("a", "b"), Even("a")], NAMES)) == 8
    assert len(symmetry_group([Rotation("a", "b", "c")], NAMES)) == 24
    assert len(symmetry_group([Even(n) for n in NAMES], NAMES)) == 16
    assert len(symmetry_group([Exchange(*NAMES), Even("a")], NAMES)) == 64


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Even(), "takes names of different variables.*nothing"),
        (lambda: Even("a", "a"), "different variables"),
        (lambda: Even(3), "takes names"),
        (lambda: Exchange("a"), "takes 2 variables at least"),
        (lambda: Exchange(("a", "b"), "c"), "tuples of equal length"),
        (lambda: Rotation("a"), "two components"),
        (lambda: Rotation(("a", "b"), ("c",)), "equal length"),
        (lambda: Even("z").elements(NAMES), "do not exist: z. The variables are: a, b, c, d"),
    ],
    ids=range(8),
)
def test_a_symmetry_that_cannot_be_is_an_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()
