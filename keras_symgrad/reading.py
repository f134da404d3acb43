"""What is read of a model, and what is kept apart to test what is said of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from keras_symgrad.domain import Domain
from keras_symgrad.ensemble import mean_neuron
from keras_symgrad.formula import Formula, ParetoFront
from keras_symgrad.gradients import GradientField
from keras_symgrad.kinks import is_piecewise_constant
from keras_symgrad.neurons import Neuron
from keras_symgrad.phi import MonotoneFit
from keras_symgrad.phi_formula import PhiFormula
from keras_symgrad.quantities import Quantities
from keras_symgrad.rule import Rule
from keras_symgrad.smoothing import averaged, choose_width, smoothed
from keras_symgrad.symmetries import Symmetry, symmetrized
from keras_symgrad.tables import finite_rows
from keras_symgrad.tangent import enough

# Points that the agreement of the rule with the network is counted on.
AGREEMENT_POINTS = 10_000
# A formula whose rule agrees with the network by so much less than another's is not chosen.
UNFAITHFUL = 0.02
# Rows that phi is fitted on for each formula of the front; for the chosen one it is on all.
FAITHFUL_ROWS = 20_000


def check_smoothing(smoothing: str | float | None) -> None:
    """Raises unless it is "auto", `None` or a positive width."""
    is_width = isinstance(smoothing, (int, float)) and smoothing > 0
    if not (smoothing is None or smoothing == "auto" or is_width):
        raise ValueError(
            '`smoothing` is "auto", a positive width in standard deviations of the data, or None. '
            f"Received: smoothing={smoothing!r}"
        )


def read(
    neurons: Sequence[Neuron],
    x: np.ndarray,
    *,
    smoothing: str | float | None = None,
    symmetries: Sequence[Symmetry] = (),
    **options,
) -> tuple[Neuron, GradientField]:
    """The neuron that decides and the field that is explained, of one network or of several.

    Args:
        neurons: of networks that were trained apart for the same task, or one.
        x: points of shape `(rows, inputs)`.
        smoothing: width that gradients are averaged over; "auto" averages those that jump.
        symmetries: the field is that of the mean over the images of points.
        **options: of `GradientField.from_neuron`.

    Returns:
        The neuron, or the mean of all, and the field. It is the field alone that is averaged.
    """
    finite = finite_rows(x)
    finite = x if finite.all() else x[finite]
    neurons = [neuron.settle(finite) for neuron in neurons]
    # The shape of the data, and which way networks rise, show in some of the rows.
    finite = enough(finite)
    width = smoothing_width(neurons[0], finite, smoothing)
    in_terms_of = options.get("in_terms_of")
    seen = neurons
    # Quantities have symmetries of their own, of which the network knows nothing.
    if symmetries and in_terms_of is None:
        seen = [symmetrized(n, finite, options["names"], symmetries) for n in neurons]
    if len(neurons) == 1:
        neuron = seen[0]
        if width is None or in_terms_of is not None:
            smooth = neuron if width is None else smoothed(neuron, finite, width)
            return neurons[0], GradientField.from_neuron(smooth, x, **options)
        # The rows are chosen by the raw neuron, so that only they need to be averaged at.
        return neurons[0], averaged(
            GradientField.from_neuron(neuron, x, **options), neuron, finite, width
        )
    smooth = seen if width is None else [smoothed(n, finite, width) for n in seen]
    return mean_neuron(neurons, finite), GradientField.from_neurons(smooth, x, **options)


def smoothing_width(neuron: Neuron, x: np.ndarray, smoothing: str | float | None) -> float | None:
    """The width to average a neuron's gradients over.

    Args:
        neuron: whose gradients may jump.
        x: points of shape `(rows, inputs)`.
        smoothing: a width; "auto" chooses one for gradients that jump, `None` warns of them.

    Returns:
        The width in standard deviations of the data, or `None` for gradients as they are.
    """
    if smoothing not in (None, "auto"):
        return float(smoothing)
    if not is_piecewise_constant(neuron, x):
        return None
    if smoothing == "auto":
        return choose_width(neuron, x)
    warnings.warn(
        f"The gradient of '{neuron.name}' jumps from piece to piece, as that of ReLU networks "
        'does. `smoothing="auto"` averages it over a small neighbourhood.',
        stacklevel=4,
    )
    return None


def value_of(
    formula: Formula,
    field: GradientField,
    neuron: Neuron,
    kept: np.ndarray,
    in_terms_of: Quantities | None,
    seed: int,
) -> PhiFormula | None:
    """The neuron's value in closed form, phi of its concept.

    Args:
        formula: the concept.
        field: rows that phi is fitted on.
        neuron: the neuron.
        kept: points that it is measured on, `(points, inputs)`.
        in_terms_of: quantities that the concept is written in.
        seed: of the search for phi.

    Returns:
        phi with its R2 on the kept points; `None` where there is nothing to fit.
    """
    kept = _finite(kept)
    values = neuron.values(kept)
    points = kept if in_terms_of is None else in_terms_of.values(kept)
    try:
        return PhiFormula.of(formula, field.points, field.values, points, values, seed=seed)
    except ValueError:
        return None


def threshold(neuron: Neuron | None, field: GradientField, phi: MonotoneFit | None) -> float | None:
    """Where a classifier decides, in values of the concept.

    Args:
        neuron: the neuron, or `None` for a field of unknown origin: one that points were added to
            was read on the slab of a classifier.
        field: its gradients.
        phi: the function that wraps the concept, if the field has values.

    Returns:
        The concept's value there, or `None` for a neuron that decides nothing.
    """
    added = field.origin.get("drawn", 0) + field.origin.get("moved", 0)
    decides = bool(added) if neuron is None else neuron.is_classifier
    return phi.preimage(0.0) if decides and phi else None


def split(points: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points that gradients may be read at, and a fifth that only the rule is tested on.

    Args:
        points: `(rows, inputs)`; rows that hold NaN stay among the first.
        seed: of the choice.

    Returns:
        Two arrays of points, the same one twice if there are fewer than ten.
    """
    order = np.random.default_rng(seed).permutation(len(points))
    finite = np.flatnonzero(np.isfinite(points).all(axis=1)[order])
    if len(finite) < 10:
        return points, points
    # Rows that hold NaN stay with the others, where they are counted.
    kept = finite[: len(finite) // 5]
    return points[np.delete(order, kept)], points[order[kept]]


def decisions(
    neuron: Neuron,
    kept: np.ndarray,
    shown: np.ndarray,
    sampler: Callable | None,
    draw: bool,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Points that nothing was fitted on, and whether the network says yes there.

    Args:
        neuron: the classifier.
        kept: data points that were kept for it.
        shown: the other ones, whose domain more are drawn from.
        sampler: draws them instead.
        draw: whether any are drawn.
        seed: of the draws.

    Returns:
        Points `(points, inputs)` and booleans `(points,)`.
    """
    points = _finite(kept)[:AGREEMENT_POINTS]
    missing = AGREEMENT_POINTS - len(points)
    if draw and missing > 0:
        # Other random numbers than those that drew the rows of the field.
        rng = np.random.default_rng([seed, 1])
        if sampler is not None:
            fresh = np.asarray(sampler(missing, rng), float)
        else:
            domain = Domain(_finite(shown))
            fresh = domain.draw(missing, rng)
            fresh = fresh[domain.holds(fresh)]
        points = np.concatenate([points, fresh])
    return points, neuron.values(points) > 0


def rule_of(formula: Formula, phi: MonotoneFit, points: np.ndarray, yes: np.ndarray) -> Rule | None:
    """The decision rule of a formula, with its agreement with the network.

    Args:
        formula: the concept.
        phi: the function that wraps it.
        points: `(points, inputs)`.
        yes: the network's decisions there.

    Returns:
        The rule, or `None` if the neuron's logit is never zero.
    """
    decides_at = phi.preimage(0.0)
    if decides_at is None:
        return None
    return Rule.of(formula, decides_at, phi.rising, points, yes)


def faithful(
    front: ParetoFront, field: GradientField, points: np.ndarray, yes: np.ndarray
) -> list[Formula]:
    """The formulas of a front whose rules decide as the network does, or nearly.

    Around the boundary sin(g) may have the gradients of g and yet decide otherwise far away.

    Args:
        front: the formulas.
        field: rows with the network's values.
        points: `(points, inputs)`.
        yes: the network's decisions there.

    Returns:
        Those whose agreement is within 2 % of the best one's.
    """
    agreement = {}
    field = field.subset(FAITHFUL_ROWS)
    for row in front:
        g = row(field.points)
        if np.unique(g[np.isfinite(g)]).size > 1:
            rule = rule_of(row, MonotoneFit.through(g, field.values), points, yes)
            agreement[row] = rule.agreement if rule else 0.0
    most = max(agreement.values(), default=0.0)
    return [row for row, share in agreement.items() if share >= most - UNFAITHFUL]


def _finite(points: np.ndarray) -> np.ndarray:
    """The rows without NaN and infinity; the array itself where all are."""
    finite = np.isfinite(points).all(axis=1)
    return points if finite.all() else points[finite]
