"""Islands: populations on threads, processes or clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.search.islands.background import BackgroundTask
    from keras_symgrad.search.islands.collector import Collector
    from keras_symgrad.search.islands.evaluators import Evaluators
    from keras_symgrad.search.islands.executors import (
        ONE_THREAD,
        PROCESSES,
        Workers,
        check_executor,
        ended_jobs,
    )
    from keras_symgrad.search.islands.initial_guesses import initial_trees
    from keras_symgrad.search.islands.island import Island
    from keras_symgrad.search.islands.ring import Epoch, IslandRing, WorkersLostError
    from keras_symgrad.search.islands.strategy import (
        Evolution,
        EvolvedStrategy,
        StagedSearch,
        StagedStrategy,
        Strategy,
    )
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "BackgroundTask",
    "Collector",
    "Epoch",
    "Evaluators",
    "Evolution",
    "EvolvedStrategy",
    "Island",
    "IslandRing",
    "ONE_THREAD",
    "PROCESSES",
    "StagedSearch",
    "StagedStrategy",
    "Strategy",
    "Workers",
    "WorkersLostError",
    "check_executor",
    "ended_jobs",
    "initial_trees",
]
