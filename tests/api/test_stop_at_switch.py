"""A search asks once whether the neuron switches between two formulas, and ends if it does."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from keras_symgrad.api.stop_at_switch import StopAtSwitch
from keras_symgrad.results.assessment import Assessment
from keras_symgrad.results.regions import Division


def stops(*, answer: bool, stages: int, generation: int = 0, limit: float | None = 60.0):
    """The questions to the division, and what stopped the search after some stages."""
    division = Mock(spec=Division)
    division.has_switch.return_value = answer
    callback = StopAtSwitch(division, limit)
    search = SimpleNamespace(assessment=Mock(spec=Assessment), stop=Mock())
    callback.set_search(search)
    for _ in range(stages):
        callback.on_generation_end(generation, {"seconds": 2.0})
    return division.has_switch.call_count, [call.args[0] for call in search.stop.call_args_list]


@pytest.mark.parametrize(
    ("answer", "stages", "expected"),
    [(True, 2, (0, [])), (True, 5, (1, ["switch"])), (False, 5, (1, []))],
)
def test_a_switch_is_asked_for_once_after_the_first_stages(answer, stages, expected):
    assert stops(answer=answer, stages=stages) == expected


def test_no_attempt_is_made_in_a_short_search_or_among_generations():
    assert stops(answer=True, stages=5, limit=5.0) == (0, [])
    assert stops(answer=True, stages=5, generation=3) == (0, [])
    assert stops(answer=True, stages=5, limit=None) == (1, ["switch"])
