"""Genetic search: demes of trees evolve towards the directions of a gradient field.

In every generation each deme breeds offspring by tournament, mutation and crossover, and they
replace its oldest members. Two halves of the demes alternate: while one half is evaluated in
compiled code, which does not hold Python's lock, the other half breeds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from deap import gp

from keras_symgrad.engine import Engine, refine
from keras_symgrad.expressions import (
    CONSTANT_CODE,
    Alphabet,
    Complexity,
    Fingerprint,
    is_small_integer,
)
from keras_symgrad.search.core import (
    Archive,
    GeneticSettings,
    Individual,
    Plain,
    Progress,
    Replacements,
    StagnationCounter,
    Stopping,
    Variation,
    individual_from_plain,
    individual_to_plain,
    number,
    number_from_plain,
    number_to_plain,
    numbers_to_plain,
    random_to_plain,
    restore_numbers,
    restore_random,
    scores,
    tree_from_plain,
    tree_to_plain,
    whole,
)
from keras_symgrad.search.genetic.loss_cache import LossCache
from keras_symgrad.search.genetic.pending_generation import PendingGeneration

if TYPE_CHECKING:
    from keras_symgrad.search.core import PriorKnowledge


class GeneticSearch:
    """Evolution of trees on an engine, with an archive of the best at each complexity.

    Args:
        engine: evaluates trees.
        alphabet: operators and variables of the trees.
        complexity: of trees.
        settings: settings of breeding.
        guesses: trees to start from, beside random ones.
        seed: determines every random choice. Limits by generations or evaluations then give the
            same front on the same machine; a limit on time does not.
        blocks: subtrees from which new leaves are drawn as well, beside variables.
        archive: archive of the best; may be shared with other searches.
        knowledge: rules of the trees; none by default.

    Example:

    >>> points = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    >>> directions = points / np.linalg.norm(points, axis=1, keepdims=True)
    >>> from keras_symgrad import OperatorSet
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
        knowledge: PriorKnowledge | None = None,
    ):
        self.engine, self.alphabet, self.settings = engine, alphabet, settings
        self.complexity = (complexity or Complexity()).over(alphabet.operators)
        self._replacements = Replacements(alphabet, self.complexity)
        self.fingerprint = Fingerprint(alphabet.operators, signed=engine.signed)
        self.archive = Archive() if archive is None else archive
        self.evaluations = 0
        self.stopped = ""
        self._guesses = guesses
        self._knowledge = knowledge if knowledge and knowledge.restricts else None
        vary = knowledge.variation if knowledge else partial(Variation, alphabet)
        self._variation = vary(seed, settings.max_nodes, blocks)
        self._numbers = np.random.default_rng(seed)
        # The loss of a form is infinite until it is evaluated.
        self._known = LossCache(settings.memory // 2)
        self._crowd: dict[float, float] = {}
        self._demes: list[list[Individual]] = [[] for _ in range(settings.demes)]
        # Generation of each deme's last improvement of the choice, and its score.
        self._records = [(0, np.inf)] * settings.demes
        self._settling = StagnationCounter()
        self._pending: PendingGeneration | None = None
        # Number of generations done.
        self.generation = 0

    def run(
        self,
        stopping: Stopping = Stopping(),
        on_generation: Callable[[Progress], str | None] | None = None,
    ) -> Archive:
        """Search until a limit is reached or Ctrl-C is pressed.

        Args:
            stopping: the limits.
            on_generation: called with the progress after every generation; may return a reason
                to end.

        Returns:
            The archive, whatever ended the search; `stopped` is the limit.
        """
        with closing(self.generations()) as generations:
            self.stopped = stopping.drive(generations, on_generation)
        return self.archive

    def generations(self) -> Generator[Progress, None, None]:
        """Run generations, without end.

        While the caller uses the progress, the last offspring are being evaluated. They join when
        the iterator is closed.

        Yields:
            The progress after each generation.
        """
        start = time.perf_counter()
        halves = [range(0, self.settings.demes, 2), range(1, self.settings.demes, 2)]
        with ThreadPoolExecutor(1) as evaluator:
            try:
                while True:
                    generation = self.generation
                    for half in halves:
                        bred = [self._breed(deme) for deme in half]
                        self.take_in()
                        trees = [child for brood in bred for child in brood]
                        job = evaluator.submit(self._evaluate, trees, self._bounds(), generation)
                        self._pending = PendingGeneration(half, bred, job)
                    self.generation += 1
                    seconds = time.perf_counter() - start
                    yield self._settling.progress(
                        self.archive, self.generation, self.evaluations, seconds
                    )
            except GeneratorExit:
                self.take_in()

    def take_in(self) -> None:
        """Replace the oldest members by evaluated offspring."""
        if self._pending is None:
            return
        half, bred, job = self._pending.half, self._pending.bred, self._pending.job
        self._pending = None
        evaluated = iter(job.result())
        self.evaluations += sum(map(len, bred))
        for index, brood in zip(half, bred):
            born = [self._born(individual, *next(evaluated)) for individual in brood]
            born = [child for child in born if child is not None]
            deme = (self._demes[index] + born)[-self.settings.population :]
            self._demes[index] = self._renewed(index, deme, self.generation)
            for child in born:
                self._crowd[child.complexity] = self._crowd.get(child.complexity, 0) + 1
        if sum(self._crowd.values()) > 20 * self.settings.population:
            self._crowd = {c: n / 2 for c, n in self._crowd.items()}

    def state(self) -> Plain:
        """State on which the next generations depend, as plain data, pending offspring included."""
        return {
            "generation": self.generation,
            "evaluations": self.evaluations,
            "guesses": [tree_to_plain(tree) for tree in self._guesses],
            "variation": random_to_plain(self._variation.random),
            "numbers": numbers_to_plain(self._numbers),
            "known": self._known.state(),
            "crowd": [[complexity, n] for complexity, n in self._crowd.items()],
            "demes": [[individual_to_plain(one) for one in deme] for deme in self._demes],
            "records": [[since, number_to_plain(score)] for since, score in self._records],
            "pending": self._pending and self._pending.state(),
        }

    def restore(self, state: Plain) -> None:
        """Restore a `state`: the next generations are those that would have followed it.

        Args:
            state: of a search with the same alphabet and settings.

        Raises:
            ValueError: a tree in it does not belong to this alphabet.
        """
        alphabet = self.alphabet
        self.generation = whole(state["generation"])
        self.evaluations = whole(state["evaluations"])
        self._guesses = [tree_from_plain(tree, alphabet) for tree in state["guesses"]]
        restore_random(self._variation.random, state["variation"])
        restore_numbers(self._numbers, state["numbers"])
        self._known.restore(state["known"])
        self._crowd = {number(complexity): number(n) for complexity, n in state["crowd"]}
        self._demes = [[individual_from_plain(i, alphabet) for i in d] for d in state["demes"]]
        self._records = [(whole(t), number_from_plain(score)) for t, score in state["records"]]
        if not len(self._demes) == len(self._records) == self.settings.demes:
            raise ValueError(
                f"{self.settings.demes} demes were expected. Received: {len(self._demes)}"
            )
        pending = state["pending"]
        self._pending = pending and PendingGeneration.restored(
            pending, alphabet, self.settings.demes
        )

    def _breed(self, index: int) -> list[Individual]:
        """New individuals, not yet evaluated; those with a cached loss join the deme at once."""
        deme, settings = self._demes[index], self.settings
        if not deme:
            bred, _ = self._sorted(self._first_trees(), settings.population, 0)
            return bred
        bred, known = self._sorted(
            self._children(deme), settings.offspring, int(settings.known * settings.offspring)
        )
        deme += known
        return bred

    def _first_trees(self) -> Iterator[gp.PrimitiveTree]:
        # Only the first deme to breed receives the guesses: afterwards they are in the cache.
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
        """Individuals of the trees: those to evaluate, and those with a cached loss."""
        bred: list[Individual] = []
        known: list[Individual] = []
        for tree in islice(trees, 8 * wanted + len(self._guesses)):
            if len(bred) == wanted:
                break
            if tree is None or len(tree) > self.settings.max_nodes:
                continue
            lighter = self._replacements.lightened(tree)
            if lighter is not tree and len(lighter) <= self.settings.max_nodes:
                if self._knowledge is None or self._knowledge.satisfies(lighter):
                    tree = lighter
            complexity = self.complexity(tree)
            if complexity > self.settings.max_complexity:
                continue
            if self._knowledge is not None and not self._knowledge.satisfies(tree):
                continue
            key = self.fingerprint(tree)
            if key == 0:  # a constant
                continue
            least, loss = self._known[key]
            if complexity < least:
                self._known[key] = complexity, np.inf
                bred.append(Individual(tree, complexity, key, np.inf))
            elif loss < np.inf and len(known) < most_known:
                known.append(Individual(tree, complexity, key, loss))
        return bred, known

    def _bounds(self) -> Callable[[float], float]:
        """Loss that counts as promising at a complexity, by the present archive."""
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
        """Trees and losses, with refined constants in the most promising ones."""
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
            optimizer=self.settings.optimizer,
        )
        if self._knowledge is not None:
            return self._refined_by_the_rules(self._knowledge, evaluated, best, refined)
        for k, tree, loss in zip(best, refined, refined_losses.tolist()):
            evaluated[k] = (tree, loss)
        return evaluated

    def _refined_by_the_rules(
        self,
        knowledge: PriorKnowledge,
        evaluated: list[tuple[gp.PrimitiveTree, float]],
        places: list[int],
        refined: list[gp.PrimitiveTree],
    ) -> list[tuple[gp.PrimitiveTree, float]]:
        """Trees and losses, with the refined ones where they keep the rules and are better.

        Refinement changes every number: those fixed by a template are restored, and an exponent
        that has changed may have changed a dimension.
        """
        refined = [knowledge.with_fixed_numbers(tree) for tree in refined]
        for k, tree, loss in zip(places, refined, self.engine.losses(refined).tolist()):
            if loss < evaluated[k][1] and knowledge.satisfies(tree):
                evaluated[k] = (tree, loss)
        return evaluated

    def _born(
        self, individual: Individual, tree: gp.PrimitiveTree, loss: float
    ) -> Individual | None:
        """The evaluated individual, its constants perhaps refined; `None` without a loss."""
        if not np.isfinite(loss):
            # Another tree of this form may be defined where this one is not: log(f) and f.
            if self._is_simplest(individual):
                self._known.forget(individual.fingerprint)
            return None
        child = replace(individual, loss=loss)
        if tree is not individual.tree:
            # Refinement changes whole numbers too, which are cheap only as long as they are whole.
            child = Individual(tree, self.complexity(tree), self.fingerprint(tree), loss)
        if self._is_simplest(child):
            self._known[child.fingerprint] = child.complexity, loss
        self.archive.add(child)
        return child

    def _is_simplest(self, individual: Individual) -> bool:
        """Return whether no simpler tree of the form was bred during its evaluation."""
        least, _ = self._known[individual.fingerprint]
        return individual.complexity <= least

    def _renewed(self, index: int, deme: list[Individual], generation: int) -> list[Individual]:
        """The deme with migrants from the archive; an empty deme, to restart, if it stagnates."""
        if not deme:
            return deme
        best = float(scores([i.complexity for i in deme], [i.loss for i in deme]).min())
        since, record = self._records[index]
        if best < record - 0.05:
            self._records[index] = generation, best
        elif generation - since >= self.settings.patience:
            self._records[index] = generation, np.inf
            return []
        if generation % self.settings.migration == 0:
            front, random = self.archive.front(), self._variation.random
            for _ in range(self.settings.migrants):
                deme[random.randrange(len(deme))] = front[random.randrange(len(front))]
        return deme

    def _scores(self, deme: list[Individual]) -> np.ndarray:
        """Values compared in tournaments: log-loss, and a penalty for frequent complexities."""
        total = max(sum(self._crowd.values()), 1)
        crowd = [self._crowd.get(individual.complexity, 0) for individual in deme]
        losses = np.array([individual.loss for individual in deme])
        return np.log(losses + 1e-12) + self.settings.parsimony / total * np.array(crowd)


def _is_open(node: gp.Primitive | gp.Terminal) -> bool:
    """Return whether a node is a constant that is not whole, which refinement may change."""
    return node.code == CONSTANT_CODE and not is_small_integer(node.value)
