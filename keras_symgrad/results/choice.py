"""Assess another row of the front: `Interpretation.choose`.

Every statement about the row is made anew, on the rows that the result has. None is taken over from
the formula that was chosen before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_symgrad.expressions import Alphabet, Complexity, OperatorSet, symbol
from keras_symgrad.formulas import Fidelity, Formula, PhiFormula, Rule, ScaledFormula
from keras_symgrad.formulas.constants import Constant, threshold_interval
from keras_symgrad.gradients import GradientField, OwnUnits, errors
from keras_symgrad.results.assessment import (
    Alternative,
    Evidence,
    FormulaRefiner,
    SymmetryCheck,
    assess_row_of_one_variable,
    ignored,
    is_stable,
)
from keras_symgrad.results.regions import where_it_holds
from keras_symgrad.results.users_units import constants_in_users

if TYPE_CHECKING:
    from keras_symgrad.results.interpretation import Interpretation
    from keras_symgrad.results.sample import Sample


def choose(concept: Interpretation, row: int | Formula) -> Interpretation:
    """The result with another row of its front as the best; see `Interpretation.choose`."""
    front = concept.front
    number = _number(concept, row)
    field, sample = concept.gradients, concept.sample
    if sample is None or (field.values is not None and sample.counted is None):
        raise ValueError(
            "A row is assessed on held-out rows of the data, which this result does not have: it "
            "was written by an earlier version, or has too many variables. Interpret the model "
            f"again with the same `seed`, and choose there. Received: row={row!r}"
        )
    if sample.counted is not None:
        sample = replace(sample, counted=sample.counted.with_references(concept.seed))
    # The front's own choice has had its constants replaced by simple numbers.
    formula = concept.best if front[number] is front.best else front[number]
    picked = front.picking(number)
    if concept.is_of_one_variable and sample.counted is not None:
        parts = assess_row_of_one_variable(
            formula, picked, field, sample.counted, decides=sample.is_classifier
        )
    else:
        parts = _assessed(concept, formula, number, field, sample)
    used = parts["best"].expression.free_symbols
    near, best, phi = concept.near, parts["best"], parts["phi"]
    if near is not None:
        near = near.of_formula(lambda x: phi(best(x)), concept.network, concept.seed)
    chosen = replace(
        concept,
        front=picked,
        ignored=tuple(name for name in ignored(concept.influence) if symbol(name) not in used),
        symmetries=_symmetries(concept, parts["best"]),
        # They are of the formula that was chosen before.
        margin=None,
        holds=None,
        regions=None,
        near=near,
        **parts,
    )
    if near is not None:
        return chosen
    _, held_out = field.split(seed=concept.seed)
    return replace(chosen, holds=where_it_holds(chosen, sample.kept_apart, held_out, concept.seed))


def _number(concept: Interpretation, row: int | Formula) -> int:
    front = concept.front
    if isinstance(row, (int, np.integer)) and not isinstance(row, bool):
        if -len(front) <= row < len(front):
            return int(row) % len(front)
    elif isinstance(row, Formula):
        if row == concept.best:
            return next(k for k, one in enumerate(front) if one is front.best)
        if row in list(front):
            return list(front).index(row)
    raise ValueError(
        f"`choose` takes the number of a row of the front, 0 to {len(front) - 1}, or a formula of "
        f"it, such as `concept.front[{len(front) - 1}]`. Received: row={row!r}"
    )


def _assessed(
    concept: Interpretation, formula: Formula, number: int, field: GradientField, sample: Sample
) -> dict[str, Any]:
    """Assess a formula of several variables: values of attributes of `Interpretation`."""
    seed, counted, front = concept.seed, sample.counted, concept.front
    # Formulas are refined and compared in the units that a search would take.
    units = OwnUnits.of(field.points, field.names)
    rows = field if units is None else units.field(field)
    train, held_out = rows.split(seed=seed)
    operators = formula.operators or OperatorSet("default")
    refiner = FormulaRefiner(
        Alphabet(operators, field.names),
        Complexity().over(operators),
        train,
        held_out,
        signed=sample.signed,
        units=units,
    )
    own, factor = _in_own(formula, units)
    phi = threshold = fidelity = rule = value = None
    domain = field.points
    if counted is not None:
        try:
            phi = sample.phi(formula, front, field)
        except ValueError as error:
            raise ValueError(
                "A row is chosen that varies over the data. Received a constant on the rows that "
                f"the network was read at: {formula.to_pretty()}"
            ) from error
        fidelity = counted.of_formula(formula, phi)
        if sample.is_classifier:
            threshold = phi.preimage(0.0)
        domain = counted.rows.points if len(counted.rows) else domain
    if sample.is_read and counted is not None:
        if phi is not None and threshold is not None and len(counted.rows):
            level = threshold_interval(
                own.expression, train, threshold / factor, signed=sample.signed, seed=seed
            ).of_multiple(factor)
            yes = counted.rows.values > 0
            rule = Rule.of(formula, level, phi.rising, counted.rows.points, yes)
        elif not sample.is_classifier:
            value = _value(formula, field, sample, seed)
    compared = {k: _in_own(row, units)[0] for k, row in enumerate(front)}
    evidence = Evidence(
        own,
        refiner,
        rows,
        domain=domain if units is None else units.points(domain),
        threshold=None if threshold is None else threshold / factor,
        fidelity=_weaker(fidelity, formula.fidelity),
        front=[compared[k] for k, row in enumerate(front) if front.agrees_with_network(row)],
    )
    best = replace(formula, fidelity=fidelity)
    if front.chosen is not None:
        # Accounts are fitted to values: directions do not fix their numbers, nor any rival.
        constants: tuple[Constant, ...] = ()
        rivals = alternatives = ()
        matches = evidence.matches_values
    else:
        constants = refiner.constants(own.expression, seed)
        rivals = evidence.rivals
        alternatives = evidence.alternatives(o for k, o in compared.items() if k != number)
        trusted = front.agrees_with_network(front[number]) and is_stable(own, refiner)
        matches = evidence.matches if trusted else evidence.matches_values

    def shown(others: Sequence[Alternative]) -> tuple[Alternative, ...]:
        """Other formulas in the user's units: those of the front as it has them."""
        if units is None:
            return tuple(others)
        of_front = {own: front[k] for k, own in compared.items()}
        return tuple(
            replace(o, formula=of_front.get(o.formula) or ScaledFormula.of(o.formula, units))
            for o in others
        )

    return {
        "best": best,
        "phi": phi,
        "value": value,
        "rule": rule,
        "cosine_error": float(errors(own.expression, held_out).mean()),
        "boundary_error": evidence.boundary_error,
        "fidelity": fidelity,
        "matches": matches,
        "rivals": shown(rivals),
        "alternatives": shown(alternatives),
        "constants": constants
        if units is None
        else constants_in_users(constants, own.expression, units),
    }


def _in_own(formula: Formula, units: OwnUnits | None) -> tuple[Formula, float]:
    """A formula in the units that rows are compared in, and the ratio of its values to those."""
    expression, factor = formula.expression, 1.0
    if units is not None:
        known: Mapping[str, tuple[float, float]] = {}
        if isinstance(formula, ScaledFormula):
            known = formula.units.units
        if all(units.units.get(name) == unit for name, unit in known.items()):
            expression = units.without(list(known)).in_own(formula.as_computed)
        else:
            expression = units.in_own(expression)
        # Scales that are only a factor are no constant of the concept.
        number, rest = expression.as_coeff_Mul()
        if number.is_positive:
            expression, factor = rest, float(number)
    plain = Formula(expression, formula.complexity, formula.loss, formula.names, formula.operators)
    return replace(plain, fidelity=formula.fidelity), factor


def _weaker(one: Fidelity | None, other: Fidelity | None) -> Fidelity | None:
    """The fidelity that promises less: a part of the rows may be kind to a formula by chance."""
    known = [fidelity for fidelity in (one, other) if fidelity is not None]
    return min(known, key=lambda fidelity: fidelity.explained, default=None)


def _value(formula: Formula, field: GradientField, sample: Sample, seed: int) -> PhiFormula | None:
    """The neuron's value in closed form; `None` where it cannot be fitted."""
    if sample.counted is None:
        return None
    rows = sample.counted.rows
    try:
        return PhiFormula.of(
            formula, field.points, field.known_values, rows.points, rows.values, seed=seed
        )
    except ValueError:
        return None


def _symmetries(concept: Interpretation, best: Formula) -> tuple[SymmetryCheck, ...]:
    """Checks of the network stay; the formula's are of the formula that was checked."""
    if best.expression == concept.best.expression:
        return concept.symmetries
    return tuple(replace(check, formula=None) for check in concept.symmetries)
