"""What is said of the formulas that a search has found: which is believed, and how well it fits.

It knows what was read of the network and what was kept apart, and nothing of how formulas were
searched for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_symgrad.comparison import errors
from keras_symgrad.domain import Domain
from keras_symgrad.evidence import Evidence
from keras_symgrad.expressions.complexity import Complexity
from keras_symgrad.finishing import Finisher
from keras_symgrad.formula import Formula, ParetoFront
from keras_symgrad.gradients import GradientField
from keras_symgrad.neurons import Neuron
from keras_symgrad.phi import MonotoneFit
from keras_symgrad.phi_formula import PhiFormula
from keras_symgrad.provenance import box_of
from keras_symgrad.quantities import Quantities
from keras_symgrad.reading import Reading
from keras_symgrad.rule import Rule
from keras_symgrad.search.archive import Archive
from keras_symgrad.search.selection import FINEST_OF_LABELS
from keras_symgrad.symmetries import Symmetry
from keras_symgrad.symmetry_checks import checked, warn_if_broken
from keras_symgrad.uncertainty import constants

# Points that the agreement of the rule with the network is counted on.
AGREEMENT_POINTS = 10_000
# A formula whose rule agrees with the network by so much less than another's is not chosen.
UNFAITHFUL = 0.02
# Rows that phi is fitted on for each formula of the front; for the chosen one it is on all.
FAITHFUL_ROWS = 20_000


def verdict(
    reading: Reading,
    finisher: Finisher,
    archive: Archive,
    *,
    sampler: Callable | None = None,
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
    if reading.is_classifier:
        points, yes = decisions(neuron, reading.unseen, reading.shown, sampler, draw, seed)
        points = reading.in_variables(points)
        floor = max(front.floor, 2 * FINEST_OF_LABELS / field.variables)
        front = ParetoFront(front, floor, faithful(front, field, points, yes))
    best = finisher.with_simple_constants(front.best)
    phi = value = None
    if field.values is not None:
        phi = MonotoneFit.through(best(field.points), field.values)
        if neuron is not None and not reading.is_classifier:
            value = value_of(
                best, field, neuron, reading.unseen, reading.in_terms_of, seed, finisher.complexity
            )
    evidence = Evidence(
        best,
        finisher,
        field,
        domain=reading.domain,
        threshold=threshold(neuron, field, phi),
        r2=phi.r2 if phi else 0.0,
    )
    checks = checked(symmetries, reading.raw, reading.network, reading.shown, best.expression)
    warn_if_broken(checks, neuron.name if neuron else "The field of gradients")
    signed = finisher.signed
    return {
        "front": front,
        "best": best,
        "phi": phi,
        "value": value,
        "rule": rule_of(best, phi, points, yes) if reading.is_classifier else None,
        "cosine_error": float(errors(best.expression, finisher.held_out).mean()),
        "boundary_error": evidence.boundary_error,
        "matches": evidence.matches,
        "rivals": evidence.rivals,
        "alternatives": evidence.alternatives(row for row in front if row is not front.best),
        "noise_floor": front.floor,
        "constants": constants(best.expression, finisher.train, signed=signed, seed=seed),
        "symmetries": checks,
        "box": box_of(reading.domain),
    }


def value_of(
    formula: Formula,
    field: GradientField,
    neuron: Neuron,
    kept: np.ndarray,
    in_terms_of: Quantities | None,
    seed: int,
    complexity: Complexity | None = None,
) -> PhiFormula | None:
    """The neuron's value in closed form, phi of its concept.

    Args:
        formula: the concept.
        field: rows that phi is fitted on.
        neuron: the neuron.
        kept: points that it is measured on, `(points, inputs)`.
        in_terms_of: quantities that the concept is written in.
        seed: of the search for phi.
        complexity: of formulas.

    Returns:
        phi with its R2 on the kept points; `None` where there is nothing to fit.
    """
    kept = _finite(kept)
    values = neuron.values(kept)
    points = kept if in_terms_of is None else in_terms_of.values(kept)
    try:
        return PhiFormula.of(
            formula, field.points, field.values, points, values, complexity=complexity, seed=seed
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
