"""Evaluators of a problem: the engine and caches that each process makes for itself."""

from __future__ import annotations

from functools import cached_property

from keras_symgrad.engine import Engine
from keras_symgrad.expressions import Fingerprint
from keras_symgrad.search.core import Problem
from keras_symgrad.search.islands.strategy import StagedSearch, StagedStrategy
from keras_symgrad.search.spectral import FeatureMaker, SpectralSearch, TreeLoss


class Evaluators:
    """Engine, loss of single trees, features and fingerprints for one problem.

    Args:
        problem: alphabet, rows and search settings.
        workers: threads of the engine.

    Attributes:
        measure: loss of single trees, on all rows.
        spectral: fits of sums of features, on some of the rows.
        fingerprint: equal for trees that evidently carry the same concept.
    """

    def __init__(self, problem: Problem, workers: int = 1):
        self.problem, self.workers = problem, workers
        alphabet, signed = problem.alphabet, problem.signed
        self.measure = TreeLoss(FeatureMaker(alphabet), problem.gradients, signed=signed)
        self.spectral = SpectralSearch(
            alphabet,
            problem.spectral,
            measure=self.measure,
            signed=signed,
            knowledge=problem.knowledge,
        )
        self.fingerprint = Fingerprint(alphabet.operators, signed=signed)

    def __enter__(self) -> Evaluators:
        return self

    def __exit__(self, *_: object) -> None:
        if "engine" in self.__dict__:
            self.engine.close()

    @cached_property
    def staged(self) -> list[StagedSearch]:
        """The searches in stages, in the order of the problem's strategies."""
        strategies = self.problem.strategies
        return [one.search(self) for one in strategies if isinstance(one, StagedStrategy)]

    @cached_property
    def engine(self) -> Engine:
        """Engine that evaluates populations, on all rows."""
        gradients = self.problem.gradients
        return Engine(
            self.problem.alphabet.operators,
            gradients.points,
            gradients.directions,
            gradients.weights,
            frame=gradients.frame,
            signed=self.problem.signed,
            loss=gradients.loss,
            workers=self.workers,
        )
