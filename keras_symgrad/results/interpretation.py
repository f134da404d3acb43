"""`Interpretation`: the result of `interpret`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_symgrad.files import heading, printable
from keras_symgrad.formulas import Fidelity, Formula, MonotoneFit, ParetoFront, PhiFormula, Rule
from keras_symgrad.formulas.constants import Constant
from keras_symgrad.results.assessment import (
    SAME_CLASS,
    Alternative,
    Influence,
    Interaction,
    Match,
    SymmetryCheck,
    angle_of,
    described,
    described_interactions,
    few_valued,
    not_looked_at,
)
from keras_symgrad.results.base import Result
from keras_symgrad.results.surface import Surface
from keras_symgrad.search.core import Ending
from keras_symgrad.search.spectral import Group

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from keras_symgrad.gradients import GradientField
    from keras_symgrad.neurons import Neuron
    from keras_symgrad.results.neighbourhood import Neighbourhood
    from keras_symgrad.results.regions import Holds, Regions
    from keras_symgrad.results.sample import Sample

# A share of the gradient that counts as all of it, given float32 and noise.
EXPLAINED = 0.99
# Largest ratio of a listed formula's length to that of the best one.
MAX_RELATIVE_LENGTH_SHOWN = 1.5
ONE_VARIABLE = (
    "in one dimension a direction is a sign: values were fitted, up to a factor and an offset"
)


@dataclass(frozen=True, eq=False, repr=False)
class Interpretation(Result):
    """Formulas that explain a neuron, with their evidence.

    Attributes:
        neuron: name of the neuron.
        names: of the variables.
        front: Pareto front of formulas by complexity and loss on held-out rows.
        best: the front's best row, with simple constants where the loss hardly changes.
        phi: the monotone function around it, value = phi(best); `None` for a gradient field without
            values.
        value: the neuron's value as a formula, phi in closed form, with its R2 on held-out rows;
            `None` for a classifier, whose values have little meaning.
        rule: the decision rule; `None` for a neuron that is not a classifier.
        cosine_error: mean of 1 - |cos| between the gradients of `best` and of the neuron, on
            held-out rows.
        boundary_error: the same on the fifth of all rows that is nearest to the decision boundary;
            `None` for a neuron that is not a classifier.
        matches: relation of `best` to the network: "concept", "boundary", "approximation" or
            "nothing"; see `Match`.
        rivals: formulas with the same decision boundary and other gradients off it; those that the
            network distinguishes least come first.
        alternatives: other formulas that held-out rows do not show to be worse than `best`.
        noise_floor: losses below it are indistinguishable, by held-out rows of one network or by
            the disagreement of several.
        constants: of `best`, each with its fitted value, the 95 % interval and the number shown for
            it.
        ignored: variables that change the neuron by less than 3 % of the strongest one's change,
            and are not in the formula.
        groups: variables that enter only through one short function of theirs, as the gradients
            show before any search, each with its evidence on held-out rows.
        rows: numbers of rows by use and origin; `dropped` ones held NaN, `flat` ones had no
            gradient, and `plateau` ones were far from the boundary of a classifier that is
            undecided there.
        evaluations: candidates that the search evaluated.
        stopped: the limit that ended the search.
        seed: of all random choices.
        versions: of the packages.
        timings: seconds spent in each part.
        settings: the arguments of `interpret`, as plain data.
        box: lowest and highest value of each variable in the data, `(2, variables)`.
        gradients: the field that was explained. The file of a result has a part of its rows.
        network: the neuron as a function of the variables; `None` for gradients from elsewhere and
            for a formula in terms of quantities.
        given: formulas found before; this one was searched for along their level sets.
        symmetries: known ones, with the errors of network and `best`.
        surface: the surface of the data, and the directions of gradients across it.
        fidelity: how well phi(best) reproduces the neuron's values, or the rule its decisions, on
            held-out data rows; `None` for a gradient field without values.
        influence: influence of each input on the neuron, the strongest first; empty for the file of
            an earlier version.
        interactions: pairs of inputs that bend each other's effect, the strongest first; empty
            where inputs act separately, without a network, and for the file of an earlier version.
        holds: conditions under which `best` is near the network, with the share of held-out rows;
            `None` where the rows are too few, for a row chosen by hand, and for the file of an
            earlier version.
        regions: the formula in each part of the data: one, or several where no single formula
            explains nine tenths of the rows; `None` for a neuron of one variable, for several
            neurons together, for a row chosen by hand, and for the file of an earlier version.
        near: the row that the formula was looked for around, with the radius to which it holds and
            the nearest point of the decision boundary; `None` for a formula of all the data. Then
            all else is of the points around that row.
        call: Python code that repeats the call of `interpret`.
        sample: data rows on which other rows of the front are assessed; `None` for a file that has
            none.
    """

    neuron: str
    names: tuple[str, ...]
    front: ParetoFront
    best: Formula
    phi: MonotoneFit | None
    value: PhiFormula | None
    rule: Rule | None
    cosine_error: float
    boundary_error: float | None
    matches: Match
    rivals: tuple[Alternative, ...]
    alternatives: tuple[Alternative, ...]
    noise_floor: float
    constants: tuple[Constant, ...]
    ignored: tuple[str, ...]
    groups: tuple[Group, ...]
    rows: dict[str, int]
    evaluations: int
    stopped: Ending | str
    seed: int
    versions: dict[str, str] = field(repr=False)
    timings: dict[str, float] = field(repr=False)
    settings: dict[str, Any] = field(repr=False)
    box: np.ndarray = field(repr=False)
    gradients: GradientField = field(repr=False)
    network: Neuron | None = field(repr=False)
    surface: Surface = field(repr=False)
    given: tuple[Formula, ...] = ()
    symmetries: tuple[SymmetryCheck, ...] = ()
    fidelity: Fidelity | None = None
    influence: tuple[Influence, ...] = ()
    interactions: tuple[Interaction, ...] = ()
    holds: Holds | None = None
    regions: Regions | None = None
    near: Neighbourhood | None = None
    call: str = field(default="", repr=False)
    sample: Sample | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "matches", Match(self.matches))

    def __getstate__(self) -> dict[str, Any]:
        # A network is a function in memory; all else of a result is data.
        return {**self.__dict__, "network": None}

    def __deepcopy__(self, memo: dict[int, Any]) -> Interpretation:
        parts = {
            one.name: copy.deepcopy(getattr(self, one.name), memo)
            for one in fields(self)
            if one.name != "network"
        }
        return Interpretation(**parts, network=self.network)

    def predict(self, x: Any) -> np.ndarray:
        """What the formula says of the neuron's value: phi(best(x)).

        Args:
            x: points of shape `(rows, variables)` or one point; a DataFrame or a dict by names.

        Returns:
            Values `(rows,)` in the neuron's unit: for a classifier the logit of its probability.

        Raises:
            ValueError: there is no phi, since the gradients came without values.
        """
        if self.phi is None:
            raise ValueError(
                "The gradients came without values, so that only the direction is known. "
                "`concept.best(x)` has the formula's own values."
            )
        return self.phi(self.best(x))

    def decide(self, x: Any) -> np.ndarray:
        """Whether the rule says yes.

        Args:
            x: points, as in `predict`.

        Returns:
            Booleans `(rows,)`.

        Raises:
            ValueError: the neuron decides nothing.
        """
        if self.rule is None:
            raise ValueError(
                f"'{self.neuron}' decides nothing: there is no rule. `concept.predict(x)` has "
                "values."
            )
        return self.rule.decides(x)

    def choose(self, row: int | Formula) -> Interpretation:
        """Take another row of the front for the best formula.

        The rule, phi, the value in closed form, constants, fidelity, angles, rivals and the class
        are made anew for it, on the rows that this result has: of a reopened file a few hundred,
        so that the class may promise less than it did. Constants stay as the front shows them. A
        row that the search did not trust is an approximation at best.

        Args:
            row: its number, from 0, or the formula: `concept.front[2]`.

        Returns:
            A new result; this one stays as it is.

        Raises:
            ValueError: it is not a row of the front, it is constant on the rows, or the file of
                this result has no rows to assess it on.

        Example:

        >>> import keras_symgrad as ks
        >>> x = np.random.default_rng(0).uniform(0.5, 2, (500, 2))
        >>> field = ks.GradientField.from_gradients(x, x[:, ::-1], values=x[:, 0] * x[:, 1])
        >>> concept = ks.interpret(field, operators="polynomial", verbose=False)
        >>> again = concept.choose(concept.front.best)
        >>> print(again.best, again.matches, "picked" in dict(again.remarks))
        x1*x2 concept True
        """
        from keras_symgrad.results.choice import choose

        return choose(self, row)

    def __repr__(self) -> str:
        rule = None if self.matches == "nothing" else self.rule
        text = self.best.to_pretty() if rule is None else rule.text
        return f"Interpretation({self.neuron!r}: {text}, {self.matches})"

    def __str__(self) -> str:
        lines = [
            f"{self.neuron}: {self.headline}",
            *(
                []
                if self.is_of_one_variable
                else [
                    f"1 - |cos| = {self.cosine_error:.1e} on "
                    f"{self.rows['held_out']:,} held-out rows"
                ]
            ),
            *([f"rule: {self.rule}"] if self.rule and self.matches != "nothing" else []),
            *(f"{name}: {text}" for name, text in self.remarks),
            "",
            str(self.front),
        ]
        return printable("\n".join(lines))

    @property
    def is_divided(self) -> bool:
        """True if different formulas hold in different regions of the data."""
        return self.regions is not None and len(self.regions) > 1

    @property
    def headline(self) -> str:
        """The best formula, with a note if it is not what the network computes.

        Where different formulas hold in different regions, all of them.
        """
        if self.regions is not None and self.is_divided:
            parts = [f"{region.written} where {region.where}" for region in self.regions]
            return f"{len(parts)} regions: {'; '.join(parts)}"
        return self._of_all

    @property
    def _of_all(self) -> str:
        formula = self.best.to_pretty()
        off = f"gradients {self.angle:.0f} degrees off"
        if self.is_of_one_variable:
            off = str(self.fidelity)
        if self.matches == Match.NOTHING:
            return f"no simple formula fits; the closest found is {formula} ({off})"
        if self.matches == Match.APPROXIMATION:
            return f"{formula} (an approximation, {off})"
        return formula

    @property
    def is_of_one_variable(self) -> bool:
        """True if one variable varies in the data: then formulas are fitted to values."""
        return int(np.sum(np.ptp(self.box, axis=0) > 0)) == 1 and not self.surface.joint

    @property
    def radius(self) -> float | None:
        """Distance from the row `near` to which the formula holds, in widths of the data.

        0 where it holds within no radius that was tried; `None` for a formula of all the data.
        """
        return None if self.near is None else self.near.radius

    @property
    def angle(self) -> float:
        """Angle in degrees between the gradients of `best` and of the neuron, on held-out rows.

        It is the angle whose 1 - cos is `cosine_error`, the mean over the rows.
        """
        return float(angle_of(self.cosine_error))

    @property
    def ending(self) -> str:
        """Duration and end of the search, for people."""
        return (
            self.stopped.text
            if isinstance(self.stopped, Ending)
            else f"until a callback ended it: {self.stopped}"
        )

    @property
    def remarks(self) -> Iterator[tuple[str, str]]:
        """Statements about the formula and their limits, as names and texts for people."""
        if self.influence:
            yield "influence", described(self.influence)
        if self.interactions:
            yield "interactions", described_interactions(self.interactions)
        if self.near is not None:
            yield from self.near.remarks
        yield "matches", f"{self.matches} ({self._reason})"
        if self.fidelity is not None:
            yield "fidelity", str(self.fidelity)
        if self.holds is not None and not self.holds.is_everywhere:
            yield "holds", str(self.holds)
        if self.regions is not None and self.is_divided:
            for number, region in enumerate(self.regions, 1):
                yield f"region {number}", str(region)
            yield "no region", self.regions.remainder
            yield "single formula", self._of_all
        if self.front.picked is not None:
            number = self.front.picked
            of_itself = self.near is not None and self.near.farthest == number
            why = "which holds farther around the row" if of_itself else "by hand"
            yield "picked", f"row {number} of the front, {why}"
        if self.stopped == Ending.TIME_LIMIT:
            yield "unfinished", "the time limit ended the search; a longer one may find better"
        if self.constants and self.matches != "nothing":
            yield "constants", "; ".join(map(str, self.constants))
        if self.rule and self.rule.level.is_fixed and self.matches != "nothing":
            yield "threshold", str(self.rule.level)
        if self.value is not None and self.matches != "nothing":
            yield "value", f"{self.value.value.to_pretty()}   (R2 = {self.value.r2:.5f})"
        if self.settings.get("preprocessing") is not None:
            yield "units", "those of the table; the network receives (x - mean)/width"
        if plateau := self.rows.get("plateau"):
            yield (
                "plateau",
                f"{plateau:,} data rows were left out, where the network is undecided far from its "
                "decision boundary",
            )
        if self.ignored:
            yield "ignored", ", ".join(self.ignored)
        if test_points := not_looked_at(self.influence):
            yield "not looked at", f"groups were not looked for among {', '.join(test_points)}"
        if columns := few_valued(self.influence):
            yield "columns of few values", columns
        if self.symmetries:
            yield "symmetries", "; ".join(map(str, self.symmetries))
        yield from self._surface
        if self.groups:
            yield "enter only as", ", ".join(map(str, self.groups))
        # A much longer formula fits the network's errors and is not listed.
        longest = MAX_RELATIVE_LENGTH_SHOWN * self.best.complexity
        others = [
            other
            for other in self.alternatives
            if other.class_distance > SAME_CLASS and other.formula.complexity <= longest
        ]
        if others and self.matches != "nothing":
            more = f"; {len(others) - 1} more" if len(others) > 1 else ""
            yield "also fits", f"{others[0]}{more}"

    @property
    def _surface(self) -> Iterator[tuple[str, str]]:
        """Note on directions that the gradients could not show, because the data lack them."""
        surface = self.surface
        if surface.explained < EXPLAINED:
            yield "explained", f"{surface.explained:.1%} of the gradient is due to these"
        # Each previous concept removes one direction, and the data the others.
        variables, axes = len(self.names), surface.axes + len(self.given)
        if self.given:
            found = " and ".join(formula.to_pretty() for formula in self.given)
            verb, them = ("is", "it") if len(self.given) == 1 else ("are", "them")
            yield (
                "looked for",
                f"where {found} {verb} constant; any function of this and {them} does as well",
            )
        if axes == variables:
            return
        yield (
            "surface",
            f"the data have {axes} directions in {variables} variables; formulas that agree along "
            "them are one concept",
        )
        if planes := surface.never_left(self.names):
            yield "never left", "; ".join(planes)

    @property
    def _reason(self) -> str:
        off = f"gradients {_degrees(self.angle)} off"
        if self.is_of_one_variable:
            return ONE_VARIABLE
        if self.matches == Match.NOTHING:
            return off
        if self.matches == Match.APPROXIMATION:
            return f"{off}, or values off, by more than a network's own error or noise"
        if self.surface.joint:
            return f"{off}, its gradient lies in the span of the neurons' over all the data"
        if self.boundary_error is None:
            # Directions that were given may be noisy; those of a network are not.
            noise = "" if "drawn" in self.rows else ", noise included"
            where = "over all the data" if self.near is None else "over the points around the row"
            return f"{off}{noise}, parallel {where}"
        if not self.rivals:
            return f"{off}, no other formula shares its boundary"
        rival = self.rivals[0]
        # Gradients are unbounded on some rows: the medians are compared.
        apart = f"with {rival.error_ratio:#.2g} times the error"
        if rival.longer > 0:
            apart += f" in {rival.longer} more word{'s' if rival.longer > 1 else ''}"
        if self.matches == Match.CONCEPT:
            return f"{off}, the nearest rival, {rival.formula.to_pretty()}, fits {apart}"
        return f"{off}, {rival.formula.to_pretty()} has the same boundary and fits {apart}"

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, as `save` writes it and `load_interpretation` reads it."""
        return {
            **heading("neuron"),
            "neuron": self.neuron,
            "variables": list(self.names),
            "best": self.best.to_dict(),
            "front": [row.to_dict() for row in self.front],
            "trusted": [
                k for k, row in enumerate(self.front) if self.front.agrees_with_network(row)
            ],
            "chosen": self.front.chosen,
            "picked": self.front.picked,
            "rule": self.rule.to_dict() if self.rule else None,
            "phi": self.phi
            and {
                "knots": self.phi.knots.tolist(),
                "values": self.phi.values.tolist(),
                "r2": self.phi.r2,
            },
            "value": self.value.to_dict() if self.value else None,
            "cosine_error": self.cosine_error,
            "boundary_error": self.boundary_error,
            "matches": str(self.matches),
            "fidelity": self.fidelity.to_dict() if self.fidelity else None,
            "rivals": [rival.to_dict() for rival in self.rivals],
            "alternatives": [other.to_dict() for other in self.alternatives],
            "noise_floor": self.noise_floor,
            "constants": [constant.to_dict() for constant in self.constants],
            "influence": [one.to_dict() for one in self.influence],
            "interactions": [one.to_dict() for one in self.interactions],
            "holds": self.holds.to_dict(self.names) if self.holds else None,
            "regions": self.regions.to_dict() if self.regions else None,
            "near": self.near.to_dict() if self.near else None,
            "ignored": list(self.ignored),
            "groups": [group.to_dict() for group in self.groups],
            "rows": self.rows,
            "evaluations": self.evaluations,
            "stopped": self.stopped,
            "seed": self.seed,
            "versions": self.versions,
            "timings": self.timings,
            "settings": self.settings,
            "box": self.box.tolist(),
            "given": [formula.to_dict() for formula in self.given],
            "symmetries": [check.to_dict() for check in self.symmetries],
            "surface": self.surface.to_dict(),
            "sample": self.sample and self.sample.to_dict(self.gradients, self.seed),
        }

    def plot(self) -> Figure:
        """Draw the result in one figure: the front, phi, angles, the decision boundary.

        Each panel is also a function of `keras_symgrad.plots`.

        Returns:
            A Matplotlib figure: `concept.plot().savefig("ellipse.png")`.
        """
        from keras_symgrad.results.report import overview

        return overview(self)

    def plot_influence(self) -> Figure:
        """Draw the influence of the inputs with its sign, and their interactions, as bars.

        Returns:
            A Matplotlib figure.
        """
        from keras_symgrad.results.report import influence_figure

        return influence_figure(self)

    def _page(self) -> str:
        from keras_symgrad.results.report import page_of_interpretation

        return page_of_interpretation(self)

    def _repr_html_(self) -> str:
        from keras_symgrad.results.report import interpretation_html

        return interpretation_html(self)

    def _repr_markdown_(self) -> str:
        from keras_symgrad.results.report import interpretation_markdown

        return interpretation_markdown(self)


def _degrees(angle: float) -> str:
    # Below it are rounding errors.
    return "less than 0.01 degrees" if angle < 0.01 else f"{angle:.2g} degrees"
