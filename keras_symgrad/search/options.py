"""`Search`: how a formula is searched for, how long, and by whom."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_symgrad.expressions import Complexity
from keras_symgrad.search.core import Effort, GeneticSettings, Stopping, check_effort
from keras_symgrad.search.islands import Strategy, check_executor
from keras_symgrad.search.strategies import METHODS, check_methods, strategies_of

if TYPE_CHECKING:
    import keras

# The default of `workers`: as many threads as the machine has cores.
ALL_CORES = None
# Smallest whole numbers that the options take.
_SMALLEST = {"population": 16, "workers": 1, "islands": 1}


@dataclass(frozen=True)
class Search:
    """Options of `interpret` for the search.

    Args:
        methods: strategies: "dictionary" (sums of short features), "features" (evolved ones) and
            "trees" (evolved formulas), or objects derived from `StagedStrategy` or
            `EvolvedStrategy`; all three by default.
        effort: "quick" searches the dictionary alone; "normal" ends as soon as a formula is
            settled: on rows kept apart it is a "concept" by a wide margin, or a "boundary" that
            only rewritings of its own level set follow as well; "thorough" searches until a limit
            of `stopping` is reached.
        max_complexity: of formulas.
        complexity: how formulas are weighed: a `Complexity`, or weights by operator name.
        signed: whether a formula must grow where the neuron grows.
        population: trees that evolve at a time, on each island; at least 16.
        stopping: all limits of the search. A `time_limit` beside it needs one without.
        resume: file of a `Checkpoint`, to continue from there. All other arguments must be
            unchanged. Limits include the work already done.
        workers: threads that evaluate formulas, by default one for each core of the machine; with
            an `executor`, the number of islands that evolve at a time.
        executor: where island populations are evolved: "processes" for `workers` processes of
            this machine, or any `concurrent.futures.Executor`, such as Dask's
            `client.get_executor()` or `mpi4py.futures.MPIPoolExecutor()`.
        optimizer: any Keras optimizer, or its name, that refines constants during the search, in
            the place of Levenberg-Marquardt; the loss's gradient is its only information.
        islands: number of populations that exchange their best; one without an executor, as many
            as `workers` with one. The seed and the number of islands determine the result, the
            number of workers does not.

    Raises:
        ValueError: an option is out of its range.

    Example:

    >>> Search(methods="dictionary", max_complexity=12).methods
    ('dictionary',)
    """

    methods: str | Strategy | Sequence[str | Strategy] = METHODS
    effort: Effort = "normal"
    max_complexity: float = 30
    complexity: Complexity | Mapping[str, float] | None = None
    signed: bool = False
    population: int = 1024
    stopping: Stopping | None = None
    resume: str | os.PathLike[str] | None = None
    workers: int | None = ALL_CORES
    executor: Executor | str | None = None
    islands: int | None = None
    optimizer: str | keras.optimizers.Optimizer | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "methods", check_methods(self.methods))
        check_effort(self.effort, strategies_of(self.methods))
        _check_complexity(self.complexity)
        check_executor(self.executor)
        if self.stopping is not None and not isinstance(self.stopping, Stopping):
            raise ValueError(
                "`stopping` is a `Stopping`, such as ks.Stopping(time_limit=30, generations=50). "
                f"Received: stopping={self.stopping!r}"
            )
        for name, smallest in _SMALLEST.items():
            object.__setattr__(self, name, _whole(name, getattr(self, name), smallest))
        number = isinstance(self.max_complexity, (int, float, np.number))
        if not (number and self.max_complexity >= 1):
            raise ValueError(
                "`max_complexity` must be a number of at least 1, the complexity of a variable. "
                f"Received: max_complexity={self.max_complexity!r}"
            )
        if self.optimizer is not None:
            _ = self.settings  # a name that Keras does not know is refused here

    @property
    def weights(self) -> Complexity:
        """How formulas are weighed, as a `Complexity`."""
        given = self.complexity
        return given if isinstance(given, Complexity) else Complexity(operators=given)

    @property
    def threads(self) -> int:
        """Number of workers."""
        return os.cpu_count() or 1 if self.workers is None else self.workers

    @property
    def settings(self) -> GeneticSettings:
        """Settings of the genetic search with this population and complexity."""
        optimizer = self.optimizer
        if optimizer is not None:
            import keras

            optimizer = keras.optimizers.serialize(keras.optimizers.get(optimizer))
        return GeneticSettings.of_population(
            self.population, max_complexity=self.max_complexity, optimizer=optimizer
        )


def _check_complexity(complexity: Any) -> None:
    """Raise for a complexity that is neither a `Complexity` nor weights by operator name."""
    if complexity is not None and not isinstance(complexity, (Complexity, Mapping)):
        raise ValueError(
            "`complexity` is a `ks.Complexity`, or weights by operator name, such as {'sin': 3}. "
            "The largest complexity of a formula is `search=ks.Search(max_complexity=20)`. "
            f"Received: complexity={complexity!r}"
        )


def _whole(name: str, value: int | None, smallest: int) -> int | None:
    if name != "population" and value is None:
        return None
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < smallest:
        raise ValueError(
            f"`{name}` must be a whole number of at least {smallest}. Received: {name}={value!r}"
        )
    return int(value)
