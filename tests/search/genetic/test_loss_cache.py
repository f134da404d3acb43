"""The loss cache takes bounded memory."""

from __future__ import annotations

import json

import numpy as np
import pytest

from keras_symgrad.search.genetic.loss_cache import LossCache


def test_the_last_forms_are_remembered_and_memory_is_bounded():
    known = LossCache(capacity=100)
    for form in range(10_000):
        known[form] = 3, 1 / (form + 1)
    assert all(known[form] == (3, 1 / (form + 1)) for form in range(9_900, 10_000))
    assert known[0] == (np.inf, np.inf)
    assert sum(known[form][0] == 3 for form in range(10_000)) <= 200


def test_a_form_that_is_measured_again_is_young_again():
    known = LossCache(capacity=2)
    for form in (1, 2, 3, 1, 4, 5):
        known[form] = form, np.inf
    assert known[1] == (1, np.inf)
    known.forget(1)
    assert known[1] == (np.inf, np.inf)


def test_its_state_is_plain_data_and_goes_on_alike():
    known, again = LossCache(3), LossCache(3)
    for form in range(8):
        known[form] = 5, np.inf if form % 2 else 0.25
    again.restore(json.loads(json.dumps(known.state())))
    for form in range(8, 20):
        known[form] = again[form] = 1, 0.1
        assert again.state() == known.state()


@pytest.mark.parametrize(
    "state", [["", "", ""], [["AAAA", "", ""]] * 2, [["??", "", ""]] * 2, [[1, 2, 3]] * 2, "ab"]
)
def test_what_is_no_state_is_refused(state):
    with pytest.raises((ValueError, TypeError)):
        LossCache(3).restore(state)
