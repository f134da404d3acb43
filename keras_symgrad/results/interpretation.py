"""`Interpretation`: the result of `interpret`."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_symgrad.files import Record, check_names, heading, printable
from keras_symgrad.formulas import (
    Fidelity,
    Formula,
    MonotoneFit,
    ParetoFront,
    PhiFormula,
    Rule,
)
from keras_symgrad.formulas.constants import Constant
from keras_symgrad.results import statements
from keras_symgrad.results.assessment import (
    Alternative,
    Assessment,
    Influence,
    Interaction,
    Match,
    SymmetryCheck,
    angle_of,
)
from keras_symgrad.results.base import CallOf, Result, without_call
from keras_symgrad.results.neighbourhood import Neighbourhood
from keras_symgrad.results.regions import Holds, Regions
from keras_symgrad.results.sample import Sample
from keras_symgrad.results.statements import Statement
from keras_symgrad.results.surface import Surface
from keras_symgrad.search.core import Ending
from keras_symgrad.search.spectral import Group

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from keras_symgrad.gradients import GradientField
    from keras_symgrad.neurons import Neuron


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Interpretation(Result, Assessment):
    """Formulas that explain a neuron, with their evidence.

    It is an `Assessment` (`front`, `best`, `phi`, `value`, `rule`, `cosine_error`,
    `boundary_error`, `fidelity`, `matches`, `rivals`, `alternatives`, `noise_floor`, `constants`,
    `symmetries` and `box`) with what was found besides, and how.

    Attributes:
        neuron: name of the neuron.
        names: of the variables.
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
        gradients: the field that was explained. The file of a result has a part of its rows.
        network: the neuron as a function of the variables; `None` for gradients from elsewhere and
            for a formula in terms of quantities.
        given: formulas found before; this one was searched for along their level sets.
        surface: the surface of the data, and the directions of gradients across it.
        influence: influence of each input on the neuron, the strongest first; empty for the file of
            an earlier version.
        interactions: pairs of inputs that bend each other's effect, the strongest first; empty
            where inputs act separately, without a network, and for the file of an earlier version.
        holds: conditions under which `best` is near the network, with the share of held-out rows;
            `None` where the rows are too few, around one row, and for the file of an earlier
            version.
        regions: the formula in each part of the data: one, or several where no single formula
            explains nine tenths of the rows; `None` for a neuron of one variable, for several
            neurons together, for a row chosen by hand, and for the file of an earlier version.
        near: the row that the formula was looked for around, with the radius to which it holds and
            the nearest point of the decision boundary; `None` for a formula of all the data. Then
            all else is of the points around that row.
        call: Python code that repeats the call of `interpret`.
        sample: data rows on which other rows of the front are assessed; `None` for a file that has
            none.

    Example:

    >>> import keras_symgrad as ks
    >>> x = np.random.default_rng(0).uniform(0.5, 2, (500, 2))
    >>> field = ks.GradientField.from_gradients(x, x[:, ::-1], values=x[:, 0] * x[:, 1])
    >>> concept = ks.interpret(field, operators="polynomial", verbose=False)
    >>> print(concept.best, concept.matches, concept.names)
    x1*x2 concept ('x1', 'x2')
    >>> round(float(concept.predict([2.0, 0.5])), 1)
    1.0
    """

    neuron: str
    names: tuple[str, ...]
    ignored: tuple[str, ...]
    groups: tuple[Group, ...]
    rows: dict[str, int]
    evaluations: int
    stopped: Ending | str
    seed: int
    versions: dict[str, str]
    timings: dict[str, float]
    settings: dict[str, Any]
    gradients: GradientField
    network: Neuron | None
    surface: Surface
    given: tuple[Formula, ...] = ()
    influence: tuple[Influence, ...] = ()
    interactions: tuple[Interaction, ...] = ()
    holds: Holds | None = None
    regions: Regions | None = None
    near: Neighbourhood | None = None
    call: str = ""
    sample: Sample | None = None

    @classmethod
    def of(cls, assessment: Assessment, **found: Any) -> Interpretation:
        """An assessment with what was found besides, and how.

        Args:
            assessment: of the formulas.
            **found: the attributes of this class.
        """
        return cls(**vars(assessment), **found)

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
        """Predict the neuron's value by the formula, phi(best(x)), or by those of several regions.

        Args:
            x: points of shape `(rows, variables)` or one point; a DataFrame or a dict by names.

        Returns:
            Values `(rows,)` in the neuron's unit: for a classifier the logit of its probability, or
            of several regions a margin, positive where it says yes.

        Raises:
            ValueError: there is no phi, since the gradients came without values.
        """
        if self.regions is not None and self.is_divided:
            return self.regions(x)
        if self.phi is None:
            raise ValueError(
                "The gradients came without values, so that only the direction is known. "
                "`concept.best(x)` has the formula's own values."
            )
        return self.phi(self.best(x))

    def decide(self, x: Any) -> np.ndarray:
        """Decide by the rule, or by those of several regions.

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
        if self.regions is not None and self.is_divided:
            return self.regions(x) > 0
        return self.rule.decides(x)

    def choose(self, row: int | Formula) -> Interpretation:
        """Take another row of the front for the best formula.

        The rule, phi, the value in closed form, constants, fidelity, angles, rivals, the class and
        where it holds are made anew for it, on the rows that this result has: of a reopened file a
        few hundred, so that the class may promise less than it did. Constants stay as the front
        shows them. A row that the search did not trust is an approximation at best.

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
        rule = self.shown_rule
        text = self.best.to_pretty() if rule is None else rule.text
        if self.is_divided:
            return f"Interpretation({self.neuron!r}: {self.headline})"
        return f"Interpretation({self.neuron!r}: {text}, {self.matches})"

    def __str__(self) -> str:
        lines = [
            f"{self.neuron}: {self.headline}",
            *(
                f"{name}: {text}"
                for name, text in statements.statements_of(self)
                if name != "formula"
            ),
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
        return statements.headline(self)

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
    def shown_rule(self) -> Rule | None:
        """The rule; `None` also where no simple formula fits, so that no rule should be used."""
        return None if self.matches == Match.NOTHING else self.rule

    @property
    def ending(self) -> str:
        """Duration and end of the search, for people."""
        return statements.ending(self)

    @property
    def remarks(self) -> Iterator[Statement]:
        """Statements about the formula and their limits, as names and texts for people."""
        return statements.remarks(self)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, as `save` writes it and `load_interpretation` reads it."""
        return {
            **heading("neuron"),
            "neuron": self.neuron,
            "variables": list(self.names),
            "best": self.best.to_dict(),
            **self.front.to_dict(),
            "rule": self.rule.to_dict() if self.rule else None,
            "phi": self.phi.to_dict() if self.phi else None,
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

    @classmethod
    def from_dict(
        cls, content: Record | Mapping[str, Any], call_of: CallOf = without_call
    ) -> Interpretation:
        """Read a result from the plain data of `to_dict`.

        Args:
            content: the data, those of an earlier version too.
            call_of: makes the code that repeats the call.

        Raises:
            ValueError: they are not a result of one neuron.
        """
        record = Record.of(content)
        variables = record.texts("variables")
        names = check_names(variables, len(variables))
        if not names:
            raise record.refused("variables", "one name at least")
        best = Formula.from_dict(record.record("best"), names)
        floor = record.number("noise_floor")
        box = np.array(record.rows("box", len(names)))
        if len(box) != 2 or not (box[0] <= box[1]).all():
            raise record.refused("box", "the lowest and the highest values")
        record.record("rows").whole("held_out")
        record.record("timings").number("search", math.inf)
        sample, gradients = record.maybe("sample", lambda one: Sample.from_dict(one, names)) or (
            None,
            # Stands in for the field, and says where one is to be had.
            _NotInTheFile("gradients"),
        )

        def alternatives(name: str) -> tuple[Alternative, ...]:
            return tuple(Alternative.from_dict(other, names) for other in record.records(name))

        return cls(
            neuron=record.text("neuron"),
            names=names,
            front=ParetoFront.from_dict(record, names, floor),
            best=best,
            phi=record.maybe("phi", MonotoneFit.from_dict),
            value=record.maybe("value", lambda value: PhiFormula.from_dict(value, best)),
            rule=record.maybe("rule", lambda rule: Rule.from_dict(rule, best)),
            cosine_error=record.number("cosine_error", math.nan),
            boundary_error=record.number("boundary_error", math.nan)
            if "boundary_error" in record
            else None,
            matches=Match(record.one_of("matches", tuple(map(str, Match)))),
            rivals=alternatives("rivals"),
            alternatives=alternatives("alternatives"),
            noise_floor=floor,
            constants=tuple(map(Constant.from_dict, record.records("constants"))),
            ignored=record.texts("ignored"),
            groups=tuple(Group.from_dict(group, names) for group in record.records("groups")),
            rows=record.by_name("rows", int),
            evaluations=record.whole("evaluations"),
            stopped=Ending.of(record.text("stopped")),
            seed=record.whole("seed"),
            versions=record.by_name("versions", str),
            timings=record.numbers_by_name("timings", math.inf),
            settings=record.by_name("settings", object),
            call=call_of("neuron", record),
            box=box,
            gradients=gradients,  # type: ignore[arg-type]
            network=None,
            # Version 0 has neither.
            given=tuple(Formula.from_dict(one, names) for one in record.records_if_any("given")),
            surface=record.maybe("surface", lambda one: Surface.from_dict(one, len(names)))
            or Surface(len(names)),
            symmetries=tuple(map(SymmetryCheck.from_dict, record.records_if_any("symmetries"))),
            fidelity=record.maybe("fidelity", Fidelity.from_dict),
            influence=tuple(
                Influence.from_dict(one, names) for one in record.records_if_any("influence")
            ),
            interactions=tuple(map(Interaction.from_dict, record.records_if_any("interactions"))),
            holds=record.maybe("holds", lambda holds: Holds.from_dict(holds, names)),
            regions=record.maybe("regions", lambda regions: Regions.from_dict(regions, names)),
            near=record.maybe("near", lambda near: Neighbourhood.from_dict(near, names)),
            sample=sample,
        )

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


class _NotInTheFile:
    """Placeholder for an object that the file does not hold; using it raises an error."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ValueError(
            f"The {self._name} of this result are not in its file, which an earlier version wrote, "
            "or which has too many variables; plots, reports and `choose` need them. Interpret the "
            "model again, or save them too, with "
            "`concept.gradients.save('field.npz')`, and put them back: `dataclasses.replace("
            "concept, gradients=GradientField.load('field.npz'))`."
        )
