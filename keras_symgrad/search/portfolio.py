"""The portfolio: dictionary, evolution of features and evolution of trees, with one archive.

Each way of searching finds what the others do not: a dictionary the sums of short features, in a
second; evolved features longer ones; evolved trees what is no sum under any phi. They share the
archive and the limits. While the engine's programs are compiled, which takes XLA some seconds and
Python none, the dictionary is searched; afterwards features are evolved while trees are evaluated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import count

import sympy
from deap import gp

from keras_symgrad.engine.evaluation import Engine
from keras_symgrad.expressions.complexity import Complexity, is_small_integer
from keras_symgrad.expressions.conversion import from_sympy
from keras_symgrad.expressions.fingerprint import Fingerprint
from keras_symgrad.expressions.shortening import shortest, with_whole_numbers
from keras_symgrad.expressions.time_limit import within
from keras_symgrad.expressions.trees import CONSTANT_CODE, Alphabet, to_sympy
from keras_symgrad.gradients import GradientField
from keras_symgrad.search.archive import Archive, Individual
from keras_symgrad.search.combination import Candidate
from keras_symgrad.search.evolution import FeatureEvolution
from keras_symgrad.search.features import FeatureMaker
from keras_symgrad.search.genetic import GeneticSearch, GeneticSettings
from keras_symgrad.search.measure import TreeMeasure
from keras_symgrad.search.rounding import rounded_variants
from keras_symgrad.search.settling import Settling
from keras_symgrad.search.spectral import SpectralSearch
from keras_symgrad.search.stopping import Progress, Stopping
from keras_symgrad.search.structure import Structure

METHODS = ("dictionary", "features", "trees")
# Rows of the field that sums of features are fitted on; trees take them all.
SPECTRAL_ROWS = 256
# After so many steps without a formula worth keeping, features are evolved in every so-many-th
# generation only.
MOST_IDLE, RESTING = 5, 4
# A sum is written with whole numbers if its loss grows by no more than this factor.
WORTH_SHORTENING = 2.5
# Longer trees take SymPy tenths of a second, and nobody wants them.
MOST_NODES_SHORTENED = 25


class PortfolioSearch:
    """Searches a gradient field for formulas in several ways at once.

    Args:
        alphabet: operators and variables of the formulas.
        field: the rows to search on.
        complexity: of trees.
        settings: how trees are bred.
        methods: which ways to search: "dictionary", "features" and "trees".
        signed: whether the opposite direction counts as different.
        seed: of all random choices.
        workers: threads that evaluate trees.

    Attributes:
        archive: the best tree found at each complexity.
        evaluations: candidates evaluated.
        stopped: the limit that ended the search.

    Raises:
        ValueError: a method is unknown, or there is none.

    Example:

    >>> import numpy as np
    >>> from keras_symgrad.operators import OperatorSet
    >>> x = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    >>> field = GradientField.from_gradients(x, 2 * x * [1, 3])
    >>> search = PortfolioSearch(Alphabet(OperatorSet("polynomial"), field.names), field)
    >>> search.run(Stopping(time_limit=60)).choice().loss < 1e-9, search.stopped
    (True, 'target_loss')
    """

    def __init__(
        self,
        alphabet: Alphabet,
        field: GradientField,
        complexity: Complexity | None = None,
        settings: GeneticSettings = GeneticSettings(),
        *,
        methods: Sequence[str] = METHODS,
        signed: bool = False,
        seed: int = 0,
        workers: int = 2,
    ):
        self.methods = check_methods(methods)
        self.alphabet, self.field, self.settings = alphabet, field, settings
        self.complexity = (complexity or Complexity()).over(alphabet.operators)
        self.signed, self.seed, self.workers = signed, seed, workers
        self.archive = Archive()
        self.evaluations = 0
        self.stopped: str | None = None
        self._settling = Settling()
        self._start = 0.0
        self._measure = TreeMeasure(FeatureMaker(alphabet), field, signed=signed)
        self._spectral = SpectralSearch(
            alphabet, field.subset(SPECTRAL_ROWS, seed), measure=self._measure, signed=signed
        )
        self._rounded: set[tuple[float, float]] = set()
        self._fingerprint = Fingerprint(alphabet.operators, signed=signed)

    @property
    def structure(self) -> Structure:
        """What the gradients show without a search: ignored variables and groups."""
        return self._spectral.structure

    def run(
        self,
        stopping: Stopping = Stopping(),
        on_generation: Callable[[Progress], None] | None = None,
    ) -> Archive:
        """Searches until a limit is reached or Ctrl-C is pressed.

        Args:
            stopping: the limits.
            on_generation: called with the progress after every stage and generation.

        Returns:
            The archive.
        """
        self._start = time.perf_counter()
        field = self.field
        with (
            Engine(
                self.alphabet.operators,
                field.points,
                field.directions,
                field.weights,
                frame=field.frame,
                signed=self.signed,
                workers=self.workers,
            ) as engine,
            _Aside(engine.compile) as compilation,
        ):
            self.stopped = stopping.drive(self._progress(engine, compilation), on_generation)
        return self.archive

    def _progress(self, engine: Engine, compilation: _Aside) -> Generator[Progress, None, None]:
        """Stages of the dictionary, then generations."""
        spectral = self._spectral
        if "dictionary" in self.methods:
            for stage in spectral.quick_stages():
                self._keep(stage)
                yield self._now(0)
            # Where the quick stages find a perfect match, nothing is compiled.
            if self.methods != ("dictionary",):
                compilation.start()
            for stage in spectral.thorough_stages():
                self._keep(stage)
                yield self._now(0)
            self._shorten(spectral.found)
            yield self._now(0)
        if self.methods == ("dictionary",):
            return
        compilation.result()
        evolution = None
        if "features" in self.methods:
            evolution = FeatureEvolution(
                spectral, self.complexity, self.settings.max_complexity, seed=self.seed
            )
        idle = 0
        for generation in self._generations(engine, spectral.found):
            # Where trees alone find something, evolved features take little of their time.
            if evolution is not None and (idle < MOST_IDLE or generation % RESTING == 0):
                idle = 0 if self._keep(evolution.step(engine)) else idle + 1
            yield self._now(generation)

    def _generations(self, engine: Engine, found: Sequence[Candidate]) -> Iterator[int]:
        """Numbers of generations; trees are bred and evaluated in between."""
        if "trees" not in self.methods:
            yield from count(1) if "features" in self.methods else ()
            return
        guesses = [one.tree for one in sorted(found, key=lambda one: one.loss)]
        units = self.structure.units if "dictionary" in self.methods else ()
        genetic = GeneticSearch(
            engine,
            self.alphabet,
            self.complexity,
            self.settings,
            guesses,
            self.seed,
            blocks=[unit.feature.tree for unit in units],
            archive=self.archive,
        )
        before = 0
        with closing(genetic.generations()) as generations:
            for progress in generations:
                self.evaluations += genetic.evaluations - before
                before = genetic.evaluations
                yield progress.generation

    def _keep(self, found: Sequence[Candidate]) -> bool:
        """Adds candidates to the archive, and tells whether one is the best of its complexity."""
        self.evaluations += len(found)
        return sum(self._add(candidate.tree, candidate.loss) for candidate in found) > 0

    def _shorten(self, found: Sequence[Candidate]) -> None:
        """Adds the shortest writing of sums: those of the front, and those of whole numbers.

        A sum with whole numbers may be much shorter when it is factored, and yet be hidden
        behind sums that fit a little better with their many digits.
        """
        if "mul" not in self.alphabet.primitives:
            return  # nothing to put before brackets
        trees = [individual.tree for individual in self.archive.front()]
        for candidate in found:
            whole = next(rounded_variants(candidate.tree), candidate.tree)
            if all(is_small_integer(n.value) for n in whole if n.code == CONSTANT_CODE):
                if self._measure(whole) <= WORTH_SHORTENING * candidate.loss + 1e-9:
                    trees.append(whole)
        different = {self._fingerprint(t): t for t in trees if len(t) <= MOST_NODES_SHORTENED}
        for tree in different.values():
            expression = with_whole_numbers(to_sympy(tree, self.alphabet.operators))
            with suppress(TimeoutError, ValueError):
                short = within(1.0, lambda e=expression: self._shortest_tree(e))
                self._add(short, self._measure(short))

    def _shortest_tree(self, expression: sympy.Expr) -> gp.PrimitiveTree:
        return from_sympy(shortest(expression, self.alphabet, self.complexity), self.alphabet)

    def _add(self, tree: gp.PrimitiveTree, loss: float) -> bool:
        complexity = self.complexity(tree)
        key = self._fingerprint(tree) if complexity <= self.settings.max_complexity else 0
        return bool(key) and self.archive.add(Individual(tree, complexity, key, loss))

    def _now(self, generation: int) -> Progress:
        """The progress, after new formulas of the front were tried with whole numbers."""
        for individual in self.archive.front():
            if (key := (individual.complexity, individual.loss)) not in self._rounded:
                self._rounded.add(key)
                for tree in rounded_variants(individual.tree):
                    self._add(tree, self._measure(tree))
        seconds = time.perf_counter() - self._start
        return self._settling.progress(self.archive, generation, self.evaluations, seconds)


class _Aside:
    """Work that is done in a thread of its own as soon as it is started."""

    def __init__(self, work: Callable[[], None]):
        self._work, self._thread = work, ThreadPoolExecutor(1)
        self._job: Future | None = None

    def __enter__(self) -> _Aside:
        return self

    def __exit__(self, *_: object) -> None:
        # Nobody waits for work that is not needed any more.
        self._thread.shutdown(wait=False)

    def start(self) -> None:
        """Starts the work, once."""
        self._job = self._job or self._thread.submit(self._work)

    def result(self) -> None:
        """Waits for the work, started now if it was not before."""
        self.start()
        self._job.result()


def check_methods(methods: str | Sequence[str]) -> tuple[str, ...]:
    """Ways to search, checked.

    Args:
        methods: one name or several.

    Returns:
        The names.

    Raises:
        ValueError: a name is unknown, or there is none.
    """
    names = (methods,) if isinstance(methods, str) else tuple(methods)
    if not names or not set(names) <= set(METHODS):
        raise ValueError(
            f"`methods` are ways to search: one or more of {', '.join(map(repr, METHODS))}. "
            f"Received: methods={methods!r}"
        )
    return names
