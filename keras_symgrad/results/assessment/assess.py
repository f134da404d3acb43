"""Assess a Pareto front: choose the best formula, fit phi and the rule, list rivals.

It knows what was read of the network and what was kept apart, and nothing of how formulas were
searched for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_symgrad.engine import gradient
from keras_symgrad.expressions import Complexity
from keras_symgrad.formulas import Formula, MonotoneFit, ParetoFront, PhiFormula, Rule
from keras_symgrad.formulas.constants import Constant, threshold_interval
from keras_symgrad.gradients import Domain, GradientField, Reading, errors
from keras_symgrad.neurons import Neuron
from keras_symgrad.priors import Symmetry
from keras_symgrad.results.assessment.evidence import NEAR_BOUNDARY_SHARE, SAME_CLASS, Evidence
from keras_symgrad.results.assessment.fidelity import Fidelity
from keras_symgrad.results.assessment.finalize import FormulaRefiner
from keras_symgrad.results.assessment.symmetry_checks import (
    check_symmetry_errors,
    warn_of_broken_symmetries,
)
from keras_symgrad.search.core import FINEST_OF_LABELS, Archive, ConstantFit, box_of

# Points that the agreement of the rule with the network is counted on.
AGREEMENT_POINTS = 10_000
# A formula whose rule agrees with the network by so much less than another's is not chosen.
UNFAITHFUL = 0.02
# How many times a simpler formula's boundary error one may have to be chosen.
WORSE_AT_BOUNDARY = 5.0
# A formula whose phi explains so much less of a neuron's values than another's is not chosen.
UNLIKE = 0.1
# How far two fits may be apart, as a share of the formula's own error. Measured on noisy fields: at
# most 0.25 for the truth, 0.2 to 2.5 for formulas that follow the noise.
STABLE = 0.5
# Rows that phi is fitted on for each formula of the front; for the chosen one it is on all.
FAITHFUL_ROWS = 20_000


def assess(
    reading: Reading,
    finisher: FormulaRefiner,
    archive: Archive,
    *,
    sampler: Callable[..., Any] | None = None,
    draw: bool = True,
    symmetries: Sequence[Symmetry] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """What may be said of a neuron, as attributes of an `Interpretation`.

    Args:
        reading: what was read of the network.
        finisher: makes formulas of trees and measures them.
        archive: what the search has found.
        sampler: draws points that the rule is tested on; else they come from the data's domain.
        draw: whether any are drawn.
        symmetries: that the concept is known to have.
        seed: of all random choices.

    Returns:
        The attributes by name: those of the formulas, of the evidence for them and of their
        domain.
    """
    field, neuron = reading.field, reading.neuron
    front = finisher.front(archive)
    points = yes = None
    if neuron is not None and reading.is_classifier:
        points, yes = decisions(neuron, reading.test_points, reading.shown, sampler, draw, seed)
        points = reading.in_variables(points)
        floor = max(front.floor, 2 * FINEST_OF_LABELS / field.variables)
        front = ParetoFront(front, floor, faithful(front, field, points, yes))
        front = ParetoFront(front, floor, true_to_boundary(front, field))
    elif neuron is not None:
        front = ParetoFront(front, front.floor, of_like_values(front, reading))
    front = stable(front, finisher)
    best = finisher.with_simple_constants(front.best)
    phi = value = None
    if field.values is not None:
        phi = MonotoneFit.through(best(field.points), field.values)
        if neuron is not None and not reading.is_classifier:
            value = value_of(best, reading, seed, finisher.complexity)
    decides_at = threshold(neuron, field, phi)
    rule = None
    if phi is not None and points is not None and yes is not None and decides_at is not None:
        level = threshold_interval(
            best.expression, finisher.train, decides_at, signed=finisher.signed, seed=seed
        )
        rule = Rule.of(best, level, phi.rising, points, yes)
    evidence = Evidence(
        best,
        finisher,
        field,
        domain=reading.domain,
        threshold=decides_at,
        fidelity=fidelity(best, phi, reading, finisher.held_out, decides=decides_at is not None),
        front=list(filter(front.agrees_with_network, front)),
    )
    shown = best.expression if reading.units is None else reading.units.in_users(best.expression)
    checks = check_symmetry_errors(symmetries, reading.raw, reading.network, reading.shown, shown)
    warn_of_broken_symmetries(checks, neuron.name if neuron else "The field of gradients")
    return {
        "front": front,
        "best": best,
        "phi": phi,
        "value": value,
        "rule": rule,
        "cosine_error": float(errors(best.expression, finisher.held_out).mean()),
        "boundary_error": evidence.boundary_error,
        "fidelity": evidence.fidelity,
        "matches": evidence.matches,
        "rivals": evidence.rivals,
        "alternatives": evidence.alternatives(row for row in front if row is not front.best),
        "noise_floor": front.floor,
        "constants": finisher.constants(best.expression, seed),
        "symmetries": checks,
        "box": box_of(reading.domain),
    }


def fidelity(
    formula: Formula,
    phi: MonotoneFit | None,
    reading: Reading,
    held_out: GradientField,
    *,
    decides: bool,
) -> Fidelity | None:
    """How well a formula reproduces what the network returns, where nothing was fitted.

    Args:
        formula: the concept g.
        phi: the function that wraps it; `None` for a field without values.
        reading: what was read; data points that were kept apart are counted, and no others.
        held_out: rows of the field, which are counted where there is no network.
        decides: whether there are decisions to compare.

    Returns:
        The fidelity, or `None` where there are no values.
    """
    if phi is None:
        return None
    neuron = reading.neuron
    if neuron is None:
        values, points = held_out.known_values, held_out.points
    else:
        kept = finite_points(reading.test_points)[:AGREEMENT_POINTS]
        values, points = neuron.values(kept), reading.in_variables(kept)
    with np.errstate(all="ignore"):
        found = phi(formula(points))
    # Where all decisions are alike, values alone can tell a formula from a constant.
    if decides and 0 < np.mean(values > 0) < 1:
        return Fidelity.of_decisions(values > 0, found > 0)
    return Fidelity.of_values(values, found)


def value_of(
    formula: Formula, reading: Reading, seed: int, complexity: Complexity | None = None
) -> PhiFormula | None:
    """The neuron's value in closed form, phi of its concept.

    Args:
        formula: the concept.
        reading: of the neuron; phi is fitted on the rows of its field, and measured on the points
            that were kept apart.
        seed: of the search for phi.
        complexity: of formulas.

    Returns:
        phi with its R2 on the kept points; `None` where there is nothing to fit.
    """
    if reading.neuron is None:
        return None
    field, kept = reading.field, finite_points(reading.test_points)
    values = reading.neuron.values(kept)
    points = reading.in_variables(kept)
    try:
        return PhiFormula.of(
            formula,
            field.points,
            field.known_values,
            points,
            values,
            complexity=complexity,
            seed=seed,
        )
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


def decisions(
    neuron: Neuron,
    kept: np.ndarray,
    shown: np.ndarray,
    sampler: Callable[..., Any] | None,
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
    points = finite_points(kept)[:AGREEMENT_POINTS]
    missing = AGREEMENT_POINTS - len(points)
    if draw and missing > 0:
        # Other random numbers than those that drew the rows of the field.
        rng = np.random.default_rng([seed, 1])
        if sampler is not None:
            fresh = np.asarray(sampler(missing, rng), float)
        else:
            domain = Domain(finite_points(shown))
            fresh = domain.draw(missing, rng)
            fresh = fresh[domain.holds(fresh)]
        points = np.concatenate([points, fresh])
    return points, neuron.values(points) > 0


def rule_of(formula: Formula, phi: MonotoneFit, points: np.ndarray, yes: np.ndarray) -> Rule | None:
    """The decision rule of a formula with a threshold of unknown interval.

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
    return Rule.of(formula, Constant(decides_at), phi.rising, points, yes)


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
            rule = rule_of(row, MonotoneFit.through(g, field.known_values), points, yes)
            agreement[row] = rule.agreement if rule else 0.0
    most = max(agreement.values(), default=0.0)
    return [row for row, share in agreement.items() if share >= most - UNFAITHFUL]


def true_to_boundary(front: ParetoFront, field: GradientField) -> list[Formula]:
    """The trusted formulas of a front but those that get worse where labels fix the network.

    A longer formula may have a fraction of a simpler one's loss on the whole slab, and many times
    its error at the boundary: then it describes how the network bends away from what it was taught.

    Args:
        front: the formulas.
        field: rows with the network's values.

    Returns:
        Those with less than five times the boundary error of each simpler one.
    """
    distance = np.abs(field.known_values)
    nearest = field.take(np.flatnonzero(distance <= np.quantile(distance, NEAR_BOUNDARY_SHARE)))
    kept, least = [], np.inf
    for row in filter(front.agrees_with_network, front):
        error = max(float(errors(row.expression, nearest).mean()), FINEST_OF_LABELS)
        if error < WORSE_AT_BOUNDARY * least:
            kept.append(row)
        least = min(least, error)
    return kept


def of_like_values(front: ParetoFront, reading: Reading) -> list[Formula]:
    """The formulas of a front that explain a neuron's values on held-out rows, or nearly.

    Args:
        front: the formulas.
        reading: what was read, with points that were kept apart.

    Returns:
        Those whose R2 is within 0.1 of the best one's.
    """
    if reading.neuron is None:
        return list(front)
    field = reading.field.subset(FAITHFUL_ROWS)
    kept = finite_points(reading.test_points)[:AGREEMENT_POINTS]
    values, points = reading.neuron.values(kept), reading.in_variables(kept)
    explained = {}
    for row in front:
        g = row(field.points)
        if np.unique(g[np.isfinite(g)]).size > 1:
            phi = MonotoneFit.through(g, field.known_values)
            explained[row] = Fidelity.of_values(values, phi(row(points))).value
    most = max(explained.values(), default=0.0)
    return [row for row, r2 in explained.items() if r2 >= most - UNLIKE]


def stable(front: ParetoFront, finisher: FormulaRefiner) -> ParetoFront:
    """A front whose best formula says the same when it is fitted on either half of the rows.

    Args:
        front: the formulas.
        finisher: with the rows that constants are fitted on.

    Returns:
        The front, without trust in formulas whose two fits are another concept each; as it is if
        none is left.
    """
    trusted = list(filter(front.agrees_with_network, front))
    found = front
    while trusted:
        if _is_stable(found.best, finisher):
            return found
        trusted.remove(found.best)
        found = ParetoFront(front, front.floor, trusted)
    return front


def _is_stable(formula: Formula, finisher: FormulaRefiner) -> bool:
    """Whether two fits are of one class, or nearer to each other than to the network."""
    halves = finisher.train.split(0.5)
    fits = [ConstantFit(formula.expression, half, signed=finisher.signed) for half in halves]
    if not fits[0].parameters:
        return True
    field = finisher.held_out
    one, other = (
        field.directions_of(
            gradient(fit.expression(fit.refined(fit.start)), field.names, field.points)
        )
        for fit in fits
    )
    apart = float(np.mean(1 - np.minimum(np.abs(np.sum(one * other, axis=1)), 1)))
    return apart <= max(SAME_CLASS, STABLE * float(errors(formula.expression, field).mean()))


def finite_points(points: np.ndarray) -> np.ndarray:
    """The rows without NaN and infinity; the array itself where all are."""
    finite = np.isfinite(points).all(axis=1)
    return points if finite.all() else points[finite]
