"""Assess a Pareto front: choose the best formula, fit phi and the rule, list rivals.

What was read of the network and what was kept apart decide, and nothing of how formulas were
searched for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keras_symgrad.engine import gradient
from keras_symgrad.expressions import Complexity
from keras_symgrad.formulas import Formula, MonotoneFit, ParetoFront, PhiFormula, Rule
from keras_symgrad.formulas.constants import Constant, threshold_interval
from keras_symgrad.gradients import Domain, GradientField, Reading, errors
from keras_symgrad.neurons import Neuron
from keras_symgrad.priors import Symmetry
from keras_symgrad.results.assessment.assessment import Assessment
from keras_symgrad.results.assessment.evidence import NEAR_BOUNDARY_SHARE, SAME_CLASS, Evidence
from keras_symgrad.results.assessment.finalize import FormulaRefiner
from keras_symgrad.results.assessment.held_out import MAX_PHI_ROWS, HeldOutRows, finite_points
from keras_symgrad.results.assessment.margin import SETTLED_ANGLE, angle_error
from keras_symgrad.results.assessment.residuals import without_structure
from keras_symgrad.results.assessment.symmetry_checks import check_symmetry_errors
from keras_symgrad.search.core import FINEST_OF_LABELS, Archive, ConstantFit, box_of

# Points on which the agreement of the rule with the network is measured.
AGREEMENT_POINTS = 10_000
# A formula whose rule's agreement is lower than the best one's by this is not chosen.
UNFAITHFUL = 0.02
# Largest ratio of a chosen formula's boundary error to that of a simpler one.
WORSE_AT_BOUNDARY = 5.0
# A formula whose phi has an R2 lower than the best one's by this is not chosen.
UNLIKE = 0.1
# Largest difference between two fits, as a share of the formula's own error. Measured on noisy
# fields: at most 0.25 for the truth, 0.2 to 2.5 for formulas that fit the noise.
STABLE = 0.5


def assess(
    reading: Reading,
    finisher: FormulaRefiner,
    archive: Archive,
    *,
    sampler: Callable[..., Any] | None = None,
    draw: bool = True,
    symmetries: Sequence[Symmetry] = (),
    seed: int = 0,
    provisional: bool = False,
    counted: HeldOutRows | None = None,
) -> Assessment:
    """Assess the best formula of a neuron, with the evidence for it.

    Args:
        reading: reading of the network.
        finisher: makes formulas from trees and measures them.
        archive: result of the search.
        sampler: draws points on which the rule is tested; by default from the data's domain.
        draw: whether points may be drawn.
        symmetries: known symmetries of the concept.
        seed: of all random choices.
        provisional: whether intervals and simple numbers for constants, the value's closed form,
            symmetries, alternatives, and rivals where there is neither concept nor boundary, are
            left out, where the answer is not a settled concept anyway.
        counted: rows that fidelity is counted on, if they were made before.

    Returns:
        The assessment, in the units that the reading is in.

    Raises:
        ValueError: no formula of the archive is finite on all rows.
    """
    field, neuron = reading.field, reading.neuron
    front = finisher.front(archive)
    if counted is None and field.values is not None:
        counted = HeldOutRows.of(reading, finisher.train, finisher.held_out, seed)
    if counted is not None:
        front = ParetoFront(counted.with_fidelity(front, field), front.floor)
    points = yes = None
    if neuron is not None and reading.is_classifier:
        points, yes = decisions(neuron, reading.test_points, reading.shown, sampler, draw, seed)
        points = reading.in_variables(points)
        floor = max(front.floor, 2 * FINEST_OF_LABELS / field.variables)
        front = ParetoFront(front, floor, faithful(front, field, points, yes))
        front = ParetoFront(front, floor, true_to_boundary(front, field))
    elif neuron is not None:
        front = ParetoFront(front, front.floor, of_like_values(front))
    elif not field.is_read:
        front = without_structure(front, field)
    front, apart = stable(front, finisher)
    off = float(errors(front.best.expression, finisher.held_out).mean())
    details = not provisional or off <= angle_error(SETTLED_ANGLE)
    best = finisher.with_simple_constants(front.best) if details else front.best
    phi = value = None
    if counted is not None:
        phi = MonotoneFit.of_neuron(
            best(field.points), field.known_values, decides=reading.is_classifier
        )
        best = replace(best, fidelity=counted.of_formula(best, phi))
        if details and neuron is not None and not reading.is_classifier:
            value = value_of(best, reading, seed, finisher.complexity)
    decides_at = threshold(neuron, field, phi)
    rule = None
    if phi is not None and points is not None and yes is not None and decides_at is not None:
        level = Constant(decides_at)
        if details:
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
        fidelity=best.fidelity,
        front=list(filter(front.agrees_with_network, front)),
    )
    shown = best.expression if reading.units is None else reading.units.in_users(best.expression)
    wanted = symmetries if details else ()
    checks = check_symmetry_errors(wanted, reading.raw, reading.network, reading.shown, shown)
    others = [row for row in front if row is not front.best]
    return Assessment(
        front=front,
        best=best,
        phi=phi,
        value=value,
        rule=rule,
        cosine_error=float(errors(best.expression, finisher.held_out).mean()),
        boundary_error=evidence.boundary_error,
        fidelity=best.fidelity,
        matches=evidence.matches,
        rivals=evidence.rivals if details or evidence.matches.is_exact else (),
        alternatives=evidence.alternatives(others) if details else (),
        noise_floor=front.floor,
        constants=finisher.constants(best.expression, seed) if details else (),
        symmetries=checks,
        box=box_of(reading.domain),
        margin=evidence.margin(apart),
    )


def value_of(
    formula: Formula, reading: Reading, seed: int, complexity: Complexity | None = None
) -> PhiFormula | None:
    """Find the neuron's value in closed form, phi of its concept.

    Args:
        formula: the concept.
        reading: of the neuron; phi is fitted on the rows of its field, and measured on the held-out
            points.
        seed: of the search for phi.
        complexity: of formulas.

    Returns:
        phi with its R2 on the held-out points; `None` where it cannot be fitted.
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
    """Find the concept's value at a classifier's decision boundary.

    Args:
        neuron: the neuron, or `None` for a field of unknown origin: a field with added points was
            read on the slab of a classifier.
        field: its gradients.
        phi: the function around the concept, if the field has values.

    Returns:
        The concept's value there, or `None` for a neuron that is not a classifier.
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
    """Points that were not used in any fit, with the network's decisions.

    Args:
        neuron: the classifier.
        kept: held-out data points.
        shown: the other data points, from whose domain more are drawn.
        sampler: draws points instead.
        draw: whether points may be drawn.
        seed: of the draws.

    Returns:
        Points `(points, inputs)` and booleans `(points,)`.
    """
    points = finite_points(kept)[:AGREEMENT_POINTS]
    missing = AGREEMENT_POINTS - len(points)
    if draw and missing > 0:
        # Other random numbers than those of the field's rows.
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
    """Make the decision rule of a formula, with a threshold of unknown interval.

    Args:
        formula: the concept.
        phi: the function around the concept.
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
    """Select the formulas of a front whose rules decide as the network does, or nearly.

    Around the boundary sin(g) may have the gradients of g and still decide differently far away.

    Args:
        front: the formulas.
        field: rows with the network's values.
        points: `(points, inputs)`.
        yes: the network's decisions there.

    Returns:
        Those whose agreement is within 2 % of the best one's.
    """
    agreement = {}
    field = field.subset(MAX_PHI_ROWS)
    for row in front:
        g = row(field.points)
        if np.unique(g[np.isfinite(g)]).size > 1:
            rule = rule_of(row, MonotoneFit.through(g, field.known_values), points, yes)
            agreement[row] = rule.agreement if rule else 0.0
    most = max(agreement.values(), default=0.0)
    return [row for row, share in agreement.items() if share >= most - UNFAITHFUL]


def true_to_boundary(front: ParetoFront, field: GradientField) -> list[Formula]:
    """Exclude formulas of a front whose error grows at the boundary, where labels fix the network.

    A longer formula may have a fraction of a simpler one's loss on the whole slab, and many times
    its error at the boundary: then it describes the network's deviation from its training labels.

    Args:
        front: the formulas.
        field: rows with the network's values.

    Returns:
        Formulas with less than five times the boundary error of each simpler one.
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


def of_like_values(front: ParetoFront) -> list[Formula]:
    """Select the formulas of a front that explain a neuron's values on held-out rows, or nearly.

    Args:
        front: formulas with their fidelity.

    Returns:
        Those whose R2 is within 0.1 of the best one's.
    """
    explained = {row: row.fidelity.formula for row in front if row.fidelity is not None}
    most = max(explained.values(), default=0.0)
    return [row for row, r2 in explained.items() if r2 >= most - UNLIKE]


def stable(front: ParetoFront, finisher: FormulaRefiner) -> tuple[ParetoFront, float]:
    """Select a formula of the front whose fits on the two halves of the rows agree.

    Two fits of one class do, and those that are nearer to each other than to the network.

    Args:
        front: the formulas.
        finisher: with the rows that constants are fitted on.

    Returns:
        The front, without trust in formulas whose two fits are different concepts; unchanged if no
        trusted formula is left. Then `halves_apart` of its best formula.
    """
    trusted = list(filter(front.agrees_with_network, front))
    found, first = front, halves_apart(front.best, finisher)
    apart = first
    while trusted:
        if _are_one_concept(apart, found.best, finisher):
            return found, apart
        trusted.remove(found.best)
        found = ParetoFront(front, front.floor, trusted)
        if trusted:
            apart = halves_apart(found.best, finisher)
    return front, first


def is_stable(formula: Formula, finisher: FormulaRefiner) -> bool:
    """Return whether the fits of a formula on the two halves of the rows are one concept.

    Args:
        formula: any.
        finisher: with the rows that constants are fitted on.
    """
    return _are_one_concept(halves_apart(formula, finisher), formula, finisher)


def _are_one_concept(apart: float, formula: Formula, finisher: FormulaRefiner) -> bool:
    own = float(errors(formula.expression, finisher.held_out).mean())
    return apart <= max(SAME_CLASS, STABLE * own)


def halves_apart(formula: Formula, finisher: FormulaRefiner) -> float:
    """Mean of 1 - |cos| between the fits of a formula on two halves of the rows.

    Args:
        formula: any.
        finisher: with the rows that constants are fitted on, and those that fits are compared on.
    """
    halves = finisher.train.split(0.5)
    fits = [ConstantFit(formula.expression, half, signed=finisher.signed) for half in halves]
    if not fits[0].parameters:
        return 0.0
    field = finisher.held_out
    one, other = (
        field.directions_of(
            gradient(fit.expression(fit.refined(fit.start)), field.names, field.points)
        )
        for fit in fits
    )
    return float(np.mean(1 - np.minimum(np.abs(np.sum(one * other, axis=1)), 1)))
