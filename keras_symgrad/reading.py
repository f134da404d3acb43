"""What is read of a model, and what is kept apart to test what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from keras_symgrad.domain import Domain
from keras_symgrad.ensemble import mean_neuron
from keras_symgrad.formula import Formula, ParetoFront
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron
from keras_symgrad.phi import MonotoneFit
from keras_symgrad.rule import Rule
from keras_symgrad.tables import finite_rows

# Points that the agreement of the rule with the network is counted on.
AGREEMENT_POINTS = 10_000
# A formula whose rule agrees with the network by so much less than another's is not chosen.
UNFAITHFUL = 0.02


def read(neurons: Sequence[Neuron], x: np.ndarray, **options) -> tuple[Neuron, GradientField]:
    """The neuron that decides and the field that is explained, of one network or of several.

    Args:
        neurons: of networks that were trained apart for the same task, or one.
        x: points of shape `(rows, inputs)`.
        **options: of `GradientField.from_neuron`.

    Returns:
        The neuron, or the mean of all, and the field.
    """
    if len(neurons) == 1:
        field = GradientField.from_neuron(neurons[0], x, **options)
        return neurons[0].settle(x[finite_rows(x)]), field
    field = GradientField.from_neurons(neurons, x, **options)
    finite = x[finite_rows(x)]
    return mean_neuron([neuron.settle(finite) for neuron in neurons], finite), field


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
    finite = np.flatnonzero(np.isfinite(points[order]).all(axis=1))
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
    points = kept[np.isfinite(kept).all(axis=1)][:AGREEMENT_POINTS]
    missing = AGREEMENT_POINTS - len(points)
    if draw and missing > 0:
        # Other random numbers than those that drew the rows of the field.
        rng = np.random.default_rng([seed, 1])
        if sampler is not None:
            fresh = np.asarray(sampler(missing, rng), float)
        else:
            domain = Domain(shown[np.isfinite(shown).all(axis=1)])
            fresh = domain.draw(missing, rng)
            fresh = fresh[domain.holds(fresh)]
        points = np.concatenate([points, fresh])
    return points, neuron.values_and_gradients(points)[0] > 0


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
    for row in front:
        g = row(field.points)
        if np.unique(g[np.isfinite(g)]).size > 1:
            rule = rule_of(row, MonotoneFit.through(g, field.values), points, yes)
            agreement[row] = rule.agreement if rule else 0.0
    most = max(agreement.values(), default=0.0)
    return [row for row, share in agreement.items() if share >= most - UNFAITHFUL]
