"""An account of each row of a front: its rule, angle, fidelity, phi and level lines.

A reader of a report or a notebook chooses a row and sees its account. The chosen formula has the
numbers of the result. Those of the other rows are measured on the rows that the result has; what
may be believed of them is not assessed, as `Interpretation.choose` does, which takes seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from keras_symgrad.formulas import Fidelity, Formula, MonotoneFit, Rule
from keras_symgrad.formulas.constants import Constant
from keras_symgrad.results.report import panels, plots
from keras_symgrad.results.report.diagrams import front_diagram, level_diagram, phi_diagram
from keras_symgrad.results.report.slices import Plane, decided

if TYPE_CHECKING:
    from markupsafe import Markup

    from keras_symgrad.results.assessment import HeldOutRows
    from keras_symgrad.results.interpretation import Interpretation

# Points along each side of a plane whose level lines are drawn.
POINTS_PER_SIDE = 81
# Points of a diagram of phi, and along its curve.
MAX_POINTS = 160
CURVE_POINTS = 60
# Lines of a neuron that decides nothing.
LEVELS = 6


@dataclass(frozen=True, eq=False)
class RowAccount:
    """Measurements of one row of a front.

    Attributes:
        number: of the row, from 0.
        formula: as it is shown; of the chosen row the best formula of the result.
        is_chosen: whether it is the row that the result has chosen.
        angle: median angle between the gradients of formula and network on held-out rows, degrees.
        fidelity: on held-out data rows; `None` without the network's values.
        phi: the monotone function of the formula that fits the neuron's values; `None` without
            them, and for a formula that is constant on the rows.
        rule: the decision rule with its agreement on held-out data rows; `None` for a neuron that
            decides nothing, and where no simple formula fits.
        diagrams: pictures with a caption each.
    """

    number: int
    formula: Formula
    is_chosen: bool
    angle: float
    fidelity: Fidelity | None
    phi: MonotoneFit | None
    rule: Rule | None
    diagrams: tuple[tuple[Markup, str], ...] = ()


def row_accounts(concept: Interpretation) -> list[RowAccount]:
    """The account of each row, in the order of the front.

    Args:
        concept: result of `interpret`.

    Returns:
        The accounts; none where the result has no rows to measure formulas on.
    """
    if concept.sample is None:
        return []
    plane = None
    if panels.has_planes(concept):
        plane = Plane.of(concept, points_per_side=POINTS_PER_SIDE)
    accounts = []
    for number, row in enumerate(concept.front):
        account = _account(concept, number, row)
        accounts.append(replace(account, diagrams=tuple(_diagrams(concept, account, plane))))
    return accounts


def diagram_of_front(concept: Interpretation, group: str) -> Markup:
    """The front as a diagram in which a click chooses a row.

    Args:
        concept: result of `interpret`.
        group: name of the radio buttons of the rows.
    """
    heights = plots.front_heights(concept)
    return front_diagram(
        _drawable([row.complexity for row in concept.front]),
        _drawable(heights.values),
        heights.best,
        group,
        concept.noise_floor if heights.logarithmic else None,
        heights.label,
        panels.front(concept).text,
    )


def _drawable(values: list[float]) -> list[float]:
    """Values with infinite ones put beyond all others."""
    end = 1.1 * max(filter(math.isfinite, values), default=1.0)
    return [value if math.isfinite(value) else end for value in values]


def _account(concept: Interpretation, number: int, row: Formula) -> RowAccount:
    if row is concept.front.best:
        return RowAccount(
            number,
            concept.best,
            True,
            _angle(concept, concept.best),
            concept.fidelity,
            concept.phi,
            concept.shown_rule,
        )
    phi = _phi(concept, row)
    fidelity, counted = row.fidelity, _counted(concept)
    if fidelity is None and phi is not None and counted is not None:
        fidelity = counted.of_formula(row, phi)
    rule = None if phi is None else _rule(concept, row, phi)
    return RowAccount(number, row, False, _angle(concept, row), fidelity, phi, rule)


def _angle(concept: Interpretation, formula: Formula) -> float:
    return float(np.median(plots.held_out_angles(concept, formula)))


def _phi(concept: Interpretation, formula: Formula) -> MonotoneFit | None:
    if concept.phi is None or concept.sample is None:
        return None
    try:
        return concept.sample.phi(formula, concept.front, concept.gradients)
    except ValueError:
        return None  # the formula is constant on these rows


def _counted(concept: Interpretation) -> HeldOutRows | None:
    return None if concept.sample is None else concept.sample.counted


def _rule(concept: Interpretation, formula: Formula, phi: MonotoneFit) -> Rule | None:
    counted = _counted(concept)
    threshold = phi.preimage(0.0)
    if concept.shown_rule is None or counted is None or not len(counted.rows):
        return None
    if threshold is None or not np.isfinite(threshold):
        return None
    rows = counted.rows
    return Rule.of(formula, Constant(threshold), phi.rising, rows.points, rows.values > 0)


def _diagrams(
    concept: Interpretation, account: RowAccount, plane: Plane | None
) -> Iterator[tuple[Markup, str]]:
    phi, rule = account.phi, account.rule
    if phi is None:
        return
    if plane is not None and (rule is not None or not decided(concept)):
        yield _levels(concept, account, phi, plane)
    field = concept.gradients.subset(MAX_POINTS)
    g, f = account.formula(field.points), field.known_values
    finite = np.isfinite(g) & np.isfinite(f)
    if not finite.any():
        return
    low, high = np.quantile(g[finite], (0.005, 0.995))
    grid = np.linspace(low, high, CURVE_POINTS)
    value = "logit of the network" if decided(concept) else "value of the neuron"
    caption = f"phi: it explains {panels.percent(phi.r2)} of the variance of the {value}."
    drawn = phi_diagram(
        g[finite],
        f[finite],
        (grid, phi(grid)),
        None if rule is None else rule.threshold,
        ("value of the formula", value),
        f"The {value} against the value of the formula, with the curve {caption}",
    )
    yield drawn, caption


def _levels(
    concept: Interpretation, account: RowAccount, phi: MonotoneFit, plane: Plane
) -> tuple[Markup, str]:
    network, _ = plane.values
    known = network[np.isfinite(network)]
    rule = account.rule
    formula = plane.values_of(account.formula, phi, rule)
    levels = [0.0]
    if rule is None and known.size:
        low, high = np.quantile(known, (0.02, 0.98))
        levels = np.linspace(low, high, LEVELS).tolist() if high > low else [float(low)]
    first, second = (concept.names[column] for column in plane.columns)
    lines = "Decision boundary" if rule is not None else "Level lines"
    caption = (
        f"{lines} of the formula (solid) and the network (dotted) over {first} and {second}. "
        f"{panels.agreement(network, formula, decides=rule is not None)}"
    )
    return level_diagram(plane.axes, network, formula, levels, (first, second), caption), caption
