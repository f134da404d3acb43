"""`StopAtSwitch`: end a search for one formula where a neuron evidently has two."""

from __future__ import annotations

import math

from keras_symgrad.results.assessment import Assessment
from keras_symgrad.results.regions import Division
from keras_symgrad.search.callbacks import Callback, Logs
from keras_symgrad.search.core import Ending

# Assessment after which a switch is looked for, once: of the quick dictionary and of polynomials.
# Most networks of one short formula are settled before it.
ATTEMPT_AT = 3
# Seconds that must be left: an attempt takes two or three, which a short search needs itself.
LEAST_SECONDS = 10.0


class StopAtSwitch(Callback):
    """Look for a switch between two formulas after the first stages of a search.

    Args:
        division: of the neuron; what it finds here it does not compute again.
        time_limit: seconds of the search, or `None`.
    """

    def __init__(self, division: Division, time_limit: float | None):
        self._division = division
        self._time_limit = math.inf if time_limit is None else time_limit
        self._assessed = 0

    def on_generation_end(self, generation: int, logs: Logs) -> None:
        """End the search if there is a switch; see `Division.has_switch`."""
        found = self.search.assessment
        if generation > 0 or not isinstance(found, Assessment):
            return
        self._assessed += 1
        left = self._time_limit - logs["seconds"]
        if self._assessed != ATTEMPT_AT or left < LEAST_SECONDS:
            return
        if self._division.has_switch(found, seconds=left):
            self.search.stop(Ending.SWITCH)
