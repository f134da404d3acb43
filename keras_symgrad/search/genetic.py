"""Genetic search: demes of trees bred towards the directions of a gradient field.

Every generation each deme breeds offspring by tournament, mutation and crossover, and they
replace its oldest members. Two halves of the demes take turns: while one half is evaluated in
compiled code, which needs no Python, the other half breeds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count, islice

import numpy as np
from deap import gp

from keras_symgrad.engine.evaluation import Engine
from keras_symgrad.engine.refinement import refine
from keras_symgrad.expressions.complexity import Complexity, is_small_integer
from keras_symgrad.expressions.fingerprint import Fingerprint
from keras_symgrad.expressions.trees import CONSTANT_CODE, Alphabet
from keras_symgrad.search.archive import Archive, Individual
from keras_symgrad.search.selection import scores
from keras_symgrad.search.settling import Settling
from keras_symgrad.search.stopping import Progress, Stopping
from keras_symgrad.search.variation import Variation


@dataclass(frozen=True)
class GeneticSettings:
    """How the genetic search breeds.

    Args:
        demes: separate populations; an even number, at least 2.
        population: individuals in a deme.
        offspring: bred by a deme in a generation; they replace its oldest.
        tournament: individuals that compete to be a parent.
        crossover: share of offspring with two parents.
        parsimony: how strongly crowded complexities are handicapped in tournaments, which
            keeps a spread of complexities alive.
        migrants: members of each deme that are replaced by the archive's, ...
        migration: ... every so many generations.
        patience: generations without a better choice after which a deme starts anew.
        known: largest number of known forms, as a share of the offspring, that are bred again and
            join the deme with the loss they are known to have.
        max_complexity: more complex trees are not bred.
        max_nodes: nor trees with more nodes.
        refined: largest share of evaluated offspring whose constants are refined.
        rounds: of constant refinement.
    """

    demes: int = 8
    population: int = 128
    offspring: int = 128
    tournament: int = 8
    crossover: float = 0.25
    parsimony: float = 20.0
    migrants: int = 6
    migration: int = 10
    patience: int = 30
    known: float = 0.5
    max_complexity: float = 30
    max_nodes: int = 40
    refined: float = 0.08
    rounds: int = 4


class GeneticSearch:
    """Evolves trees on an engine and keeps the best at each complexity.

    Args:
        engine: evaluates trees.
        alphabet: operators and variables of the trees.
        complexity: of trees.
        settings: how to breed.
        guesses: trees to start from, beside random ones.
        seed: decides every random choice. Limits by generations or evaluations then give the
            same front on the same machine; a limit on time ends where the clock says.
        blocks: subtrees that new leaves are drawn from as well, beside variables.
        archive: where to keep the best; shared with other searches.

    Example:

    >>> points = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    >>> directions = points / np.linalg.norm(points, axis=1, keepdims=True)
    >>> from keras_symgrad.operators import OperatorSet
    >>> alphabet = Alphabet(OperatorSet("arithmetic"), ["x1", "x2"])
    >>> with Engine(alphabet.operators, points, directions) as engine:
    ...     search = GeneticSearch(engine, alphabet, seed=1)
    ...     archive = search.run(Stopping(generations=20))
    >>> archive.front()[-1].loss < 1e-6
    True
    """

    def __init__(
        self,
        engine: Engine,
        alphabet: Alphabet,
        complexity: Complexity | None = None,
        settings: GeneticSettings = GeneticSettings(),
        guesses: Sequence[gp.PrimitiveTree] = (),
        seed: int = 0,
        *,
        blocks: Sequence[gp.PrimitiveTree] = (),
        archive: Archive | None = None,
    ):
        self.engine, self.alphabet, self.settings = engine, alphabet, settings
        self.complexity = (complexity or Complexity()).over(alphabet.operators)
        self.fingerprint = Fingerprint(alphabet.operators, signed=engine.signed)
        self.archive = Archive() if archive is None else archive
        self.evaluations = 0
        self.stopped: str | None = None
        self._guesses = guesses
        self._variation = Variation(alphabet, seed, settings.max_nodes, blocks)
        self._numbers = np.random.default_rng(seed)
        # Complexity and loss by fingerprint; the loss is infinite until it is evaluated.
        self._known: dict[int, tuple[float, float]] = {}
        self._crowd: dict[float, float] = {}
        self._demes: list[list[Individual]] = [[] for _ in range(settings.demes)]
        # When each deme's choice last got better, and its score.
        self._records = [(0, np.inf)] * settings.demes
        self._settling = Settling()

    def run(
        self,
        stopping: Stopping = Stopping(),
        on_generation: Callable[[Progress], None] | None = None,
    ) -> Archive:
        """Searches until a limit is reached or Ctrl-C is pressed.

        Args:
            stopping: the limits.
            on_generation: called with the progress after every generation.

        Returns:
            The archive, whatever ended the search; `stopped` tells which limit it was.
        """
        self.stopped = stopping.drive(self.generations(), on_generation)
        return self.archive

    def generations(self) -> Generator[Progress, None, None]:
        """One generation after the other, for ever.

        While the caller looks at the progress, the last offspring are being evaluated. They are
        taken in when the iterator is closed.

        Yields:
            The progress after each generation.
        """
        start = time.perf_counter()
        halves = [range(0, self.settings.demes, 2), range(1, self.settings.demes, 2)]
        with ThreadPoolExecutor(1) as evaluator:
            pending: list[tuple[Sequence[int], list, Future]] = []
            try:
                for generation in count():
                    for half in halves:
                        bred = [self._breed(deme) for deme in half]
                        if pending:
                            self._replace(*pending.pop(), generation)
                        trees = [child for brood in bred for child in brood]
                        job = evaluator.submit(self._evaluate, trees, self._bounds(), generation)
                        pending.append((half, bred, job))
                    seconds = time.perf_counter() - start
                    yield self._settling.progress(
                        self.archive, generation + 1, self.evaluations, seconds
                    )
            except GeneratorExit:
                self._replace(*pending.pop(), generation + 1)

    def _breed(self, number: int) -> list[Individual]:
        """New individuals, not yet evaluated; known ones join the deme at once."""
        deme, settings = self._demes[number], self.settings
        if not deme:
            bred, _ = self._sorted(self._first_trees(), settings.population, 0)
            return bred
        bred, known = self._sorted(
            self._children(deme), settings.offspring, int(settings.known * settings.offspring)
        )
        deme += known
        return bred

    def _first_trees(self) -> Iterator[gp.PrimitiveTree]:
        # Only the first deme to breed collects the guesses: afterwards they are known.
        yield from self._guesses
        while True:
            yield self._variation.random_tree(self._variation.random.randint(2, 10))

    def _children(self, deme: list[Individual]) -> Iterator[gp.PrimitiveTree | None]:
        settings, handicapped = self.settings, self._scores(deme)
        entrants = self._numbers.integers(
            len(deme), size=(4 * settings.offspring, settings.tournament)
        )
        winners = iter(
            entrants[np.arange(len(entrants)), handicapped[entrants].argmin(axis=1)].tolist()
        )
        for first, second in zip(winners, winners):
            if self._variation.random.random() < settings.crossover:
                yield self._variation.cross(deme[first].tree, deme[second].tree)
            else:
                yield self._variation.mutate(deme[first].tree)

    def _sorted(
        self, trees: Iterator[gp.PrimitiveTree | None], wanted: int, most_known: int
    ) -> tuple[list[Individual], list[Individual]]:
        """Individuals of the trees: those to evaluate, and those whose loss is known."""
        bred: list[Individual] = []
        known: list[Individual] = []
        for tree in islice(trees, 8 * wanted + len(self._guesses)):
            if len(bred) == wanted:
                break
            if tree is None or len(tree) > self.settings.max_nodes:
                continue
            complexity = self.complexity(tree)
            if complexity > self.settings.max_complexity:
                continue
            key = self.fingerprint(tree)
            if key == 0:  # a constant
                continue
            least, loss = self._known.get(key, (np.inf, np.inf))
            if complexity < least:
                self._known[key] = complexity, np.inf
                bred.append(Individual(tree, complexity, key, np.inf))
            elif loss < np.inf and len(known) < most_known:
                known.append(Individual(tree, complexity, key, loss))
        return bred, known

    def _bounds(self) -> Callable[[float], float]:
        """Loss that counts as promising at a complexity, as known now."""
        front = self.archive.front()
        complexities = np.array([i.complexity for i in front])
        losses = np.array([i.loss for i in front])

        def bound(complexity: float) -> float:
            at = np.searchsorted(complexities, complexity, side="right") - 1
            return losses[at] if at >= 0 else np.inf

        return bound

    def _evaluate(
        self, bred: list[Individual], bound: Callable[[float], float], generation: int
    ) -> list[tuple[gp.PrimitiveTree, float]]:
        """Trees and losses, the constants of the most promising refined."""
        trees = [individual.tree for individual in bred]
        losses = self.engine.losses(trees)
        evaluated = list(zip(trees, losses.tolist()))
        promise = [
            (losses[k] / max(bound(bred[k].complexity), 1e-12), k)
            for k, tree in enumerate(trees)
            if np.isfinite(losses[k]) and any(map(_is_open, tree))
        ]
        best = [k for _, k in sorted(promise)[: int(self.settings.refined * len(trees)) + 1]]
        refined, refined_losses = refine(
            self.engine,
            [trees[k] for k in best],
            rounds=self.settings.rounds,
            skip=generation * self.engine.lanes,
        )
        for k, tree, loss in zip(best, refined, refined_losses.tolist()):
            evaluated[k] = (tree, loss)
        return evaluated

    def _replace(
        self, half: Sequence[int], bred: list[list[Individual]], job: Future, generation: int
    ) -> None:
        """Puts evaluated offspring in the place of the oldest members."""
        evaluated = iter(job.result())
        self.evaluations += sum(map(len, bred))
        for number, brood in zip(half, bred):
            born = [self._born(individual, *next(evaluated)) for individual in brood]
            born = [child for child in born if child is not None]
            deme = (self._demes[number] + born)[-self.settings.population :]
            self._demes[number] = self._renewed(number, deme, generation)
            for child in born:
                self._crowd[child.complexity] = self._crowd.get(child.complexity, 0) + 1
        if sum(self._crowd.values()) > 20 * self.settings.population:
            self._crowd = {c: n / 2 for c, n in self._crowd.items()}

    def _born(
        self, individual: Individual, tree: gp.PrimitiveTree, loss: float
    ) -> Individual | None:
        """The evaluated individual, its constants perhaps refined; `None` without a loss."""
        if not np.isfinite(loss):
            # Another tree of this form may be defined where this one was not: log(f) and f.
            if self._is_simplest(individual):
                self._known.pop(individual.fingerprint, None)
            return None
        child = replace(individual, loss=loss)
        if tree is not individual.tree:
            # Refinement moves whole numbers too, and they are cheap only as long as they are whole.
            child = Individual(tree, self.complexity(tree), self.fingerprint(tree), loss)
        if self._is_simplest(child):
            self._known[child.fingerprint] = child.complexity, loss
        self.archive.add(child)
        return child

    def _is_simplest(self, individual: Individual) -> bool:
        """Whether no simpler tree of the form has been bred while this one was evaluated."""
        least, _ = self._known.get(individual.fingerprint, (np.inf, np.inf))
        return individual.complexity <= least

    def _renewed(self, number: int, deme: list[Individual], generation: int) -> list[Individual]:
        """The deme with migrants from the archive; an empty one, to start anew, if it is stuck."""
        if not deme:
            return deme
        best = float(scores([i.complexity for i in deme], [i.loss for i in deme]).min())
        since, record = self._records[number]
        if best < record - 0.05:
            self._records[number] = generation, best
        elif generation - since >= self.settings.patience:
            self._records[number] = generation, np.inf
            return []
        if generation % self.settings.migration == 0:
            front, random = self.archive.front(), self._variation.random
            for _ in range(self.settings.migrants):
                deme[random.randrange(len(deme))] = front[random.randrange(len(front))]
        return deme

    def _scores(self, deme: list[Individual]) -> np.ndarray:
        """What tournaments compare: log-loss, and a handicap for crowded complexities."""
        total = max(sum(self._crowd.values()), 1)
        crowd = [self._crowd.get(individual.complexity, 0) for individual in deme]
        losses = np.array([individual.loss for individual in deme])
        return np.log(losses + 1e-12) + self.settings.parsimony / total * np.array(crowd)


def _is_open(node: gp.Primitive | gp.Terminal) -> bool:
    """Whether a node is a constant that refinement may move: one that is not whole already."""
    return node.code == CONSTANT_CODE and not is_small_integer(node.value)
