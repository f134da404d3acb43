"""`Assessor`: assess the formulas that a search has found so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from keras_symgrad.expressions import Complexity
from keras_symgrad.gradients import OwnUnits, Reading
from keras_symgrad.priors import Symmetry
from keras_symgrad.results.approximation import MAX_COMPLEXITY, Approximation, approximate
from keras_symgrad.results.assessment import (
    Assessment,
    FormulaRefiner,
    Graph,
    HeldOutRows,
    Match,
    assess,
    assess_one_variable,
)
from keras_symgrad.results.sample import Sample
from keras_symgrad.results.users_units import in_users
from keras_symgrad.search.core import Archive, Individual


class Assessor:
    """Assess the archive of a search; an unchanged front is not assessed again.

    Args:
        reading: what was read of the network, in the user's units.
        finisher: makes formulas of trees and measures them.
        graph: of a neuron of one variable; `None` for others.
        complexity: of formulas.
        symmetries: that the concept is known to have.
        sampler: draws points that the rule is tested on; else they come from the data's domain.
        draw: whether any are drawn.
        seed: of all random choices.
        units: of the variables' own that the search is in; `None` where they are the user's.
        max_complexity: of approximations, which are made where there is neither a concept nor a
            boundary.
    """

    def __init__(
        self,
        reading: Reading,
        finisher: FormulaRefiner,
        graph: Graph | None = None,
        complexity: Complexity | None = None,
        *,
        symmetries: Sequence[Symmetry] = (),
        sampler: Callable[..., Any] | None = None,
        draw: bool = True,
        seed: int = 0,
        units: OwnUnits | None = None,
        max_complexity: float = MAX_COMPLEXITY,
    ):
        self._reading, self._finisher, self._graph = reading, finisher, graph
        self._units = units
        self._searched = reading if units is None else reading.in_units(units)
        self._complexity = complexity or Complexity()
        self._symmetries, self._max_complexity = symmetries, max_complexity
        self._sampler, self._draw, self._seed = sampler, draw, seed
        # By whether it is provisional: the front and its assessment.
        self._last: dict[bool, tuple[list[Individual], Assessment]] = {}
        # The same of the provisional one, in the units of the search.
        self._own: tuple[list[Individual], Assessment] | None = None

    def __call__(self, archive: Archive) -> Assessment:
        """The assessment of the present front, in the user's units.

        Args:
            archive: what the search has found.

        Raises:
            ValueError: no formula is finite on all rows.
        """
        return self._of_front(archive, provisional=False)

    def provisional(self, archive: Archive) -> Assessment:
        """The same without details where the answer is not settled: see `assess`."""
        return self._of_front(archive, provisional=True)

    def _of_front(self, archive: Archive, *, provisional: bool) -> Assessment:
        front = archive.front()
        if provisional not in self._last or self._last[provisional][0] != front:
            found = self._in_users(self._made(archive, provisional))
            if found.is_settled and found.matches == Match.CONCEPT:
                # It lacks nothing.
                self._last[False] = front, found
            self._last[provisional] = front, found
        return self._last[provisional][1]

    def _made(self, archive: Archive, provisional: bool) -> Assessment:
        if self._graph is not None:
            return assess_one_variable(
                self._graph,
                self._searched,
                self._finisher,
                archive,
                self._complexity,
                sampler=self._sampler,
                draw=self._draw,
                seed=self._seed,
            )
        # Where another account is chosen, the details of the search's own choice are not shown.
        found = self._provisional(archive)
        if provisional:
            return found
        account = self._account(found)
        if account is not None and account.best.expression != found.front.best.expression:
            return replace(found, **vars(account))
        found = self._assessed(archive, provisional=False)
        return found if account is None else replace(found, front=account.front)

    def _provisional(self, archive: Archive) -> Assessment:
        front = archive.front()
        if self._own is None or self._own[0] != front:
            self._own = front, self._assessed(archive, provisional=True)
        return self._own[1]

    def _assessed(self, archive: Archive, *, provisional: bool) -> Assessment:
        return assess(
            self._searched,
            self._finisher,
            archive,
            sampler=self._sampler,
            draw=self._draw,
            symmetries=self._symmetries,
            seed=self._seed,
            provisional=provisional,
            counted=self._counted,
        )

    @property
    def sample(self) -> Sample:
        """The rows on which another formula of the front can be assessed, in the user's units."""
        counted, units = self._counted, self._units
        if self._graph is not None:
            # Its rows are in the plane of the values.
            halves = self._reading.field.split(seed=self._seed)
            counted, units = HeldOutRows.of(self._reading, *halves, self._seed), None
        return Sample.of(self._reading, counted, units, self._finisher.signed)

    @cached_property
    def _counted(self) -> HeldOutRows | None:
        finisher = self._finisher
        if self._searched.field.values is None:
            return None
        return HeldOutRows.of(self._searched, finisher.train, finisher.held_out, self._seed)

    def _account(self, found: Assessment) -> Approximation | None:
        """Faithful accounts, where there is neither concept nor boundary."""
        knowledge = self._finisher.knowledge
        has_rules = bool(self._symmetries) or (knowledge is not None and knowledge.has_rules)
        if found.matches.is_exact or has_rules or self._counted is None:
            return None
        return approximate(
            self._searched,
            self._finisher,
            found.front,
            self._counted,
            max_complexity=self._max_complexity,
            seed=self._seed,
        )

    def _in_users(self, assessment: Assessment) -> Assessment:
        if self._units is None:
            return assessment
        return in_users(assessment, self._units, self._reading, self._finisher)
