"""Divide a neuron's data into regions of one formula each, where no single formula fits.

Sets of rows are grown on the rows of the fit, named by conditions, and each is searched and
assessed like a neuron of its own. Held-out rows decide how many regions there are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import sympy

from keras_symgrad.formulas import Formula
from keras_symgrad.gradients import GradientField, OwnUnits, Reading, errors, few_values
from keras_symgrad.results.assessment import (
    Assessment,
    FormulaRefiner,
    Match,
    angle_of,
    assess,
    finite_points,
)
from keras_symgrad.results.regions.conditions import Comparison, Condition
from keras_symgrad.results.regions.growth import EXPLAINED_ERROR, RowSet, grown_sets
from keras_symgrad.results.regions.partition import partition
from keras_symgrad.results.regions.parts import Part, Sketch, cosines_of, without
from keras_symgrad.results.regions.regions import Region, Regions
from keras_symgrad.results.regions.switch import is_switch
from keras_symgrad.results.users_units import in_users
from keras_symgrad.search.core import Archive, Individual
from keras_symgrad.search.spectral import SpectralSearch

# Regions are looked for where a single formula leaves this share of the rows unexplained, and kept
# where they explain as many more.
UNEXPLAINED = 0.1
# A switch is looked for before the search is over where this share is unexplained.
FAR_UNEXPLAINED = 0.3
# Rows that sets are grown on, and that a region is searched on.
MAX_GROWN_ROWS = 1000
MAX_SEARCHED_ROWS = 256
# 1 - |cos| of a formula for which no further stage of a search is needed: 5 degrees.
NEAR_ERROR = 4e-3
# Data of more variables are not divided: growing sets would take minutes.
MAX_VARIABLES = 12
# Fewest rows of a region, to fit a formula on and to confirm it.
MIN_FIT_ROWS = 60
MIN_HELD_OUT_ROWS = 15
# Share of the held-out rows of a region's core that its formula must explain, and by how much more
# of them than the formula of any other region.
MIN_EXPLAINED = 0.6
MIN_ADVANTAGE = 0.2
# The simplest formula of a region is taken in the place of a longer approximation if its fidelity,
# and the share of held-out rows that it explains, are lower by no more than these.
LESS_FIDELITY = 0.005
LESS_EXPLAINED = 0.1
# Share of a region's data rows that must be in its core. Rows near the switch are no evidence
# against a formula: a network passes from one to the other there, and a part of a classifier's
# boundary runs along the switch itself.
MIN_CORE_SHARE = 0.5
# Distances from a switch, in standard deviations, beyond which a region's formula is assessed: the
# least one with nearly the largest share of rows that the formula explains.
MARGINS = (0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4)
CORE_LOSS = 0.01
# Places that a threshold is tried at, and how far they are from the first, in standard deviations.
PLACES = 41
FARTHEST = 0.5
# Standard deviation along a direction, in ranges of its columns, below which points never move.
STILL = 1e-9
# Data rows whose decisions say where a classifier switches.
MAX_DECIDED_ROWS = 10_000


@dataclass(eq=False)
class Division:
    """Search for the regions of a neuron.

    Attributes:
        reading: of the network, in the user's units.
        train: rows of its field that formulas are fitted to, in the user's units.
        held_out: the other rows.
        refiner: with the same rows, in the units of the search.
        units: of the search; `None` where they are the user's.
        seed: of all random choices.
    """

    reading: Reading
    train: GradientField
    held_out: GradientField
    refiner: FormulaRefiner
    units: OwnUnits | None
    seed: int
    _deadline: _Deadline = field(default_factory=lambda: _Deadline(), init=False, repr=False)
    # What came of dividing by as many sets, without the comparison with a single formula.
    _tried: dict[int, list[Part] | None] = field(default_factory=dict, init=False, repr=False)
    # The regions of a switch that ended the search.
    _switch: Regions | None = field(default=None, init=False, repr=False)

    def regions(
        self, whole: Assessment, *, divided: bool = True, seconds: float = math.inf
    ) -> Regions:
        """The regions of the neuron.

        Args:
            whole: assessment of a single formula for all rows, in the user's units.
            divided: whether there may be several; formulas of regions keep no rules.
            seconds: after which no further attempt at regions begins.

        Returns:
            One region for a network that has one concept, that a single formula explains on nine
            tenths of the rows, or whose held-out rows do not confirm several; and where the time
            was over before that was known. Those of a switch, if `has_switch` has found one.
        """
        alone = self._single(whole)
        is_exact = whole.matches in (Match.CONCEPT, Match.BOUNDARY)
        if is_exact or not divided:
            return alone
        if not self._can_be_divided:
            return replace(alone, complete=alone.unexplained_by_one < UNEXPLAINED)
        if (found := self._switch) is not None:
            regions, unexplained = found.regions, found.unexplained
            return replace(alone, regions=regions, unexplained=unexplained, fidelity=None)
        if alone.unexplained_by_one < UNEXPLAINED:
            return alone
        self._deadline.begin(seconds)
        try:
            return self._several(alone) or alone
        except _TimeIsOver:
            return replace(alone, complete=False)

    def has_switch(self, whole: Assessment, *, seconds: float = math.inf) -> bool:
        """Return whether the neuron evidently switches from one formula to another.

        Then a longer search for a single formula is not expected to find one.

        Args:
            whole: assessment of the best single formula so far, in the user's units.
            seconds: after which the answer is no.
        """
        reading = self.reading
        if reading.neuron is None or reading.is_classifier or reading.in_terms_of is not None:
            return False
        if whole.matches.is_exact or not self._can_be_divided:
            return False
        alone = self._single(whole)
        if alone.unexplained_by_one < FAR_UNEXPLAINED:
            return False
        self._deadline.begin(seconds)
        try:
            if len(self._sets) != 2:
                return False
            parts = self._parts(2, alone)
        except _TimeIsOver:
            return False
        found = None if parts is None else self._confirmed(parts, alone)
        if parts is None or found is None:
            return False
        if not is_switch(parts, self.train, without(self.held_out, self._levels)):
            return False
        self._switch = found
        return True

    def _several(self, alone: Regions) -> Regions | None:
        """Regions that explain more rows than one formula, if there are any."""
        for count in range(len(self._sets), 1, -1):
            self._deadline.check()
            parts = self._parts(count, alone)
            found = None if parts is None else self._confirmed(parts, alone)
            if found is not None:
                return found
        return None

    @cached_property
    def _sets(self) -> list[RowSet]:
        """Sets of rows that one short formula each explains, the largest first."""
        rows = self.refiner.train.take(slice(0, MAX_GROWN_ROWS))
        # From level to level of a column a network may rise and fall at will.
        return grown_sets(
            without(rows, self._levels),
            self.refiner.alphabet,
            self.seed,
            without=self._few,
            check_time=self._deadline.check,
        )

    @cached_property
    def _few(self) -> list[int]:
        """Columns of few values."""
        return list(few_values(self.train.points))

    @property
    def _levels(self) -> np.ndarray:
        """The directions of columns of few values, `(directions, variables)`."""
        return np.eye(self.train.variables)[self._few]

    @property
    def _can_be_divided(self) -> bool:
        return (
            1 < self.train.variables <= MAX_VARIABLES
            and self.train.rows >= 2 * MIN_FIT_ROWS
            and self.held_out.rows >= 2 * MIN_HELD_OUT_ROWS
        )

    def _single(self, whole: Assessment) -> Regions:
        """One region for all data, with the formula that was chosen for them."""
        everywhere, best = Condition.everywhere(), whole.best
        by_best = self._unexplained(best)
        by_one = min([by_best, *map(self._unexplained, whole.front)])
        value = whole.value.value if whole.value is not None else None
        region = Region(
            everywhere,
            best,
            value,
            whole.matches,
            everywhere,
            1.0,
            1 - by_best,
            float(angle_of(whole.cosine_error)),
            whole.fidelity,
        )
        widths = self.train.points.std(axis=0)
        rows, fidelity = self.held_out.rows, whole.fidelity
        return Regions((region,), by_best, by_one, rows, widths, fidelity=fidelity)

    def _unexplained(self, formula: Formula) -> float:
        cosines = cosines_of(formula, self.held_out)
        sign = 1 if np.nansum(cosines) >= 0 else -1
        return 1 - float(np.mean(1 - sign * cosines <= EXPLAINED_ERROR))

    def _parts(self, count: int, alone: Regions) -> list[Part] | None:
        """The parts that the first sets show, if there is a formula for each."""
        if count not in self._tried:
            self._tried[count] = self._divided(self._sets[:count], alone)
        return self._tried[count]

    def _divided(self, sets: Sequence[RowSet], alone: Regions) -> list[Part] | None:
        points = self.train.points[:MAX_GROWN_ROWS]
        off = np.stack([one.errors for one in sets])
        explained = off.min(axis=0) <= EXPLAINED_ERROR
        names = self.train.names
        conditions = partition(
            points[explained], names, off.argmin(axis=0)[explained], seed=self.seed
        )
        if len(conditions) < len(sets):
            return None
        sketches = []
        for number, where in conditions.items():
            core = self._core(where, points, off[number])
            sketch = self._sketch(core)
            if sketch is None:
                return None
            sketches.append((where, sketch))
        # An assessment takes a second or more.
        if not self._may_be_confirmed([sketch for _, sketch in sketches], alone):
            return None
        found: dict[int, Part] = {}
        # A strip along a switch looks like a region. What is explained worst is refused first,
        # before time is spent on the others.
        for number in sorted(range(len(sketches)), key=lambda k: sketches[k][1].explained):
            where, sketch = sketches[number]
            assessment = self._assessed(sketch)
            if assessment is None or assessment.matches == Match.NOTHING:
                return None
            found[number] = Part(where, sketch.core, assessment)
        parts = [found[number] for number in range(len(sketches))]
        return self._with_better_thresholds(parts)

    def _confirmed(self, parts: Sequence[Part], alone: Regions) -> Regions | None:
        """The regions of some parts, if held-out rows bear them out."""
        names = self.train.names
        held_out = without(self.held_out, self._levels)
        cosines = np.stack([part.cosines(held_out) for part in parts])
        near = 1 - cosines <= EXPLAINED_ERROR
        inside = np.stack([part.where.holds(self.held_out.points, names) for part in parts])
        for number, part in enumerate(parts):
            rows = part.core.holds(self.held_out.points, names)
            if min(rows.sum(), inside[number].sum()) < MIN_HELD_OUT_ROWS or self._is_thin(part):
                return None
            shares = near[:, rows].mean(axis=1)
            most = np.delete(shares, number).max()
            if shares[number] < max(MIN_EXPLAINED, most + MIN_ADVANTAGE):
                return None
        unexplained = 1 - float(np.mean((near & inside).any(axis=0)))
        if unexplained > alone.unexplained_by_one - UNEXPLAINED:
            return None
        regions = [
            part.region(float(rows.mean()), float(own[rows].mean()))
            for part, own, rows in zip(parts, near, inside)
        ]
        # The largest first.
        regions.sort(key=lambda region: -region.share)
        return replace(alone, regions=tuple(regions), unexplained=unexplained, fidelity=None)

    def _is_thin(self, part: Part) -> bool:
        """Return whether most of a part's data rows are outside of its core."""
        reading, names = self.reading, self.train.names
        has_data = reading.neuron is not None
        points = reading.in_variables(reading.test_points) if has_data else self.held_out.points
        core, where = (one.holds(points, names).sum() for one in (part.core, part.where))
        return bool(core < MIN_CORE_SHARE * where)

    def _core(self, where: Condition, points: np.ndarray, off: np.ndarray) -> Condition:
        """The part of a condition's rows beyond which being further from a switch gains nothing."""
        names = self.train.names
        cores, shares = [], []
        for margin in MARGINS:
            core = Condition(
                tuple(
                    tuple(_narrowed(one, margin, points, names) for one in comparisons)
                    for comparisons in where.alternatives
                )
            )
            inside = core.holds(points, names)
            if inside.sum() < MIN_FIT_ROWS:
                break
            cores.append(core)
            shares.append(float(np.mean(off[inside] <= EXPLAINED_ERROR)))
        good = [core for core, share in zip(cores, shares) if share >= max(shares) - CORE_LOSS]
        return good[0] if good else where

    def _sketch(self, core: Condition) -> Sketch | None:
        """A search on the rows that satisfy a condition; `None` if they are too few."""
        names = self.train.names
        train, held_out = (
            np.flatnonzero(core.holds(field.points, names)) for field in (self.train, self.held_out)
        )
        reading = self._part(core)
        tested = MIN_HELD_OUT_ROWS if reading.neuron is None else len(reading.test_points)
        if len(train) < MIN_FIT_ROWS or min(len(held_out), tested) < MIN_HELD_OUT_ROWS:
            return None
        fitted = self.refiner.train.take(train)
        fixed = self._fixed(fitted.points)
        refiner = FormulaRefiner(
            self.refiner.alphabet,
            self.refiner.complexity,
            without(fitted, fixed),
            without(self.refiner.held_out.take(held_out), fixed),
            signed=self.refiner.signed,
            units=self.units,
        )
        return Sketch(core, reading, refiner, _searched(refiner, self.seed))

    def _may_be_confirmed(self, sketches: Sequence[Sketch], alone: Regions) -> bool:
        """Return whether held-out rows could bear out some regions.

        Rows outside of all cores count as explained: what is refused here would be refused later.
        """
        shares = [sketch.explained for sketch in sketches]
        missed = sum(
            (1 - share) * sketch.refiner.held_out.rows for share, sketch in zip(shares, sketches)
        )
        unexplained = missed / self.held_out.rows
        return (
            min(shares) >= MIN_EXPLAINED and unexplained <= alone.unexplained_by_one - UNEXPLAINED
        )

    def _assessed(self, sketch: Sketch) -> Assessment | None:
        """The assessment of a region; `None` without a formula that is finite on all its rows."""
        reading, refiner, units = sketch.reading, sketch.refiner, self.units
        searched = reading if units is None else reading.in_units(units)

        def of(archive: Archive) -> Assessment:
            return assess(searched, refiner, archive, draw=False, seed=self.seed)

        try:
            found = of(sketch.archive)
            if (plainer := _plainer(found, sketch)) is not None:
                found = of(plainer)
        except ValueError:
            return None
        return found if units is None else in_users(found, units, reading, refiner)

    def _fixed(self, points: np.ndarray) -> np.ndarray:
        """Orthonormal directions of columns of few values along which points never move.

        Such a column that is constant in a region is one, and the sum of the columns that the
        region's levels of a category have.
        """
        few = self._few
        if not few or not len(points):
            return self._levels
        moves = points[:, few] - points[:, few].mean(axis=0)
        widths = np.where(np.ptp(points[:, few], axis=0) > 0, np.ptp(points[:, few], axis=0), 1.0)
        _, sizes, axes = np.linalg.svd(moves / widths, full_matrices=False)
        still = axes[sizes <= STILL * np.sqrt(len(points))] / widths
        normals = np.zeros((len(still), self.train.variables))
        normals[:, few] = np.linalg.qr(still.T)[0].T
        return normals

    def _part(self, core: Condition) -> Reading:
        reading, names = self.reading, self.train.names
        field = reading.field
        field = field.take(np.flatnonzero(core.holds(field.points, names)))
        inside = self.train.points[core.holds(self.train.points, names)]
        field = without(field, self._fixed(inside))
        if reading.neuron is None:
            return replace(reading, field=field)
        shown, test_points = (
            x[core.holds(reading.in_variables(x), names)]
            for x in (reading.shown, reading.test_points)
        )
        return replace(reading, field=field, shown=shown, test_points=test_points)

    def _with_better_thresholds(self, parts: list[Part]) -> list[Part]:
        """The parts with the thresholds moved to where the values change from one to the other.

        Rows near a switch are explained by neither formula, and do not show where it is; the values
        of the network do, or its decisions.
        """
        reading = self.reading
        if reading.neuron is None or reading.in_terms_of is not None:
            return parts
        if any(part.value is None for part in parts):
            return parts
        if reading.is_classifier:
            # The rows of the field are at the boundary, where decisions say nothing.
            points = finite_points(reading.in_variables(reading.shown))[:MAX_DECIDED_ROWS]
            yes = np.asarray(reading.neuron.values(points)) > 0
            values = np.stack([part.value(points) for part in parts if part.value is not None])
            off = ((values > 0) != yes).astype(float)
        else:
            points, network = self.train.points, self.train.known_values
            values = np.stack([part.value(points) for part in parts if part.value is not None])
            off = np.nan_to_num((values - network) ** 2, nan=np.inf)
            # A few rows with poles must not decide.
            off = np.minimum(off, np.var(network))
        names = self.train.names
        few = {names[k] for k in self._few}

        def cost(way: list[Part]) -> float:
            inside = np.stack([part.where.holds(points, names) for part in way])
            return float(np.mean((off * inside).sum(axis=0)))

        best, least = parts, cost(parts)
        for quantity, cut in _cuts(parts):
            if {s.name for s in quantity.free_symbols} <= few:
                continue
            width = float(Comparison(quantity).values(points, names).std())
            reached = cut
            for place in cut + width * np.linspace(-FARTHEST, FARTHEST, PLACES):
                place = float(f"{place:.3g}")
                way = [part.moved(quantity, reached, place) for part in best]
                found = cost(way)
                if found < least * (1 - 1e-6):
                    best, least, reached = way, found, place
        return best


class _TimeIsOver(Exception):
    """Regions were looked for as long as was allowed."""


class _Deadline:
    """The time at which an attempt at regions ends."""

    def __init__(self) -> None:
        self._end = math.inf

    def begin(self, seconds: float) -> None:
        """Allow some seconds from now on."""
        self._end = time.perf_counter() + seconds

    def check(self) -> None:
        if time.perf_counter() > self._end:
            raise _TimeIsOver


def _plainer(found: Assessment, sketch: Sketch) -> Archive | None:
    """The formulas up to the simplest that is as faithful as an approximation, if it is shorter.

    Near a switch gradients bend, and a longer formula follows them without being more faithful.
    """
    if found.matches != Match.APPROXIMATION or found.fidelity is None:
        return None

    def explained(row: Formula) -> float:
        return float(np.mean(errors(row.expression, sketch.refiner.held_out) <= EXPLAINED_ERROR))

    least, most = found.fidelity.formula - LESS_FIDELITY, explained(found.best)
    archive = Archive()
    for one in sketch.archive.front():
        archive.add(one)
        front = sketch.refiner.front(archive)
        row = next((r for r in found.front if r.expression == front[-1].expression), None)
        if row is None or row.fidelity is None or row.complexity >= found.best.complexity:
            continue
        if row.fidelity.formula >= least and explained(row) > most - LESS_EXPLAINED - 1e-9:
            return archive
    return None


def _searched(refiner: FormulaRefiner, seed: int) -> Archive:
    """The formulas of the quick stages of a spectral search, up to one that is near enough."""
    alphabet, complexity = refiner.alphabet, refiner.complexity.over(refiner.alphabet.operators)
    search = SpectralSearch(
        alphabet, refiner.train.subset(MAX_SEARCHED_ROWS, seed), signed=refiner.signed
    )
    near = 2 * NEAR_ERROR / refiner.train.axes
    for stage in search.quick_stages():
        if stage is not None and min((one.loss for one in search.found), default=1.0) <= near:
            break
    archive = Archive()
    for one in search.found:
        archive.add(Individual(one.tree, complexity(one.tree), 0, one.loss))
    return archive


def _narrowed(
    one: Comparison, margin: float, points: np.ndarray, names: tuple[str, ...]
) -> Comparison:
    """A comparison away from its thresholds; between the levels of a column there is nothing."""
    if one.levels or not margin:
        return one
    far = margin * float(one.values(points, names).std())
    low, high = (
        end if np.isinf(end) else float(f"{end + side * far:.2g}")
        for side, end in ((1, one.low), (-1, one.high))
    )
    return replace(one, low=low, high=high)


def _cuts(parts: Sequence[Part]) -> list[tuple[sympy.Expr, float]]:
    """Each threshold of the conditions once."""
    found = {}
    for part in parts:
        for comparisons in part.where.alternatives:
            for one in comparisons:
                for end in (one.low, one.high):
                    if np.isfinite(end):
                        found[one.quantity, end] = None
    return list(found)
