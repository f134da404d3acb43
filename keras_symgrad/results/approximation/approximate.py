"""Approximations: faithful accounts of a network that has no formula, on data rows.

Where no formula is what a network computes, or none was found, people still want the best short
account with its fidelity. The front is then complexity against fidelity, and its best row the
simplest that is nearly as faithful as any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from keras_symgrad.expressions import Alphabet, OperatorSet
from keras_symgrad.formulas import Fidelity, Formula, MonotoneFit, ParetoFront, PhiFormula, Rule
from keras_symgrad.formulas.constants import Constant
from keras_symgrad.gradients import Reading, errors, few_values
from keras_symgrad.results.approximation.accounts import Account, accounts
from keras_symgrad.results.approximation.basis import BasisFunction, GivenFunction
from keras_symgrad.results.approximation.expansion import expanded
from keras_symgrad.results.approximation.steps import FitRows
from keras_symgrad.results.assessment import (
    FAITHFUL,
    NEAR_BOUNDARY_SHARE,
    Alternative,
    FormulaRefiner,
    HeldOutRows,
    Match,
    value_of,
)

# Data rows that sums are fitted to.
MAX_FIT_ROWS = 3000
# Complexity of approximations, but for a linear model of all inputs.
MAX_COMPLEXITY = 59.0
# Operators of approximations beside those of the search, where these were not chosen.
HINGES_AND_STEPS = ("relu", "tanh")
# Digits of coefficients, and what rounding them may change, as a share of the sum's deviation.
FEWEST_DIGITS = 3
MOST_DIGITS = 16
ROUNDING = 3e-3


@dataclass(frozen=True, eq=False)
class Approximation:
    """Assessment of a network's approximations, by attributes of `Interpretation`."""

    front: ParetoFront
    best: Formula
    phi: MonotoneFit
    value: PhiFormula | None
    rule: Rule | None
    cosine_error: float
    boundary_error: float | None
    fidelity: Fidelity
    matches: Match
    rivals: tuple[Alternative, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    constants: tuple[Constant, ...] = ()


def approximate(
    reading: Reading,
    refiner: FormulaRefiner,
    front: ParetoFront,
    counted: HeldOutRows,
    *,
    max_complexity: float = MAX_COMPLEXITY,
    seed: int = 0,
) -> Approximation | None:
    """The most faithful short accounts of a network.

    Args:
        reading: what was read of it.
        refiner: with the operators, the complexity and the rows of the search.
        front: that a search has found; its formulas are accounts too.
        counted: rows that fidelity is counted on, and those that accounts are fitted to.
        max_complexity: of accounts, but for a linear model of all inputs.
        seed: of all random choices.

    Returns:
        The approximation; `None` where there are too few rows.
    """
    if len(counted.train) < 10 or not len(counted.rows):
        return None
    refiner = _with_hinges(refiner)
    order = np.random.default_rng([seed, 5]).permutation(len(counted.train))[:MAX_FIT_ROWS]
    points, values = counted.train.points[order], counted.train.values[order]
    fits = np.isfinite(values)
    discrete = np.zeros(points.shape[1], bool)
    discrete[list(few_values(points))] = True
    rows = FitRows.of(points[fits], values[fits], _network(reading), discrete, seed)
    given = {row: GivenFunction(row.expression, row.complexity, row) for row in front}
    found, chosen = accounts(
        rows,
        refiner.complexity,
        refiner.alphabet.operators,
        decides=counted.decides,
        budget=max_complexity,
        given=list(given.values()),
        seed=seed,
    )
    if not found:
        return None
    by_term = {term: row for row, term in given.items()}
    written = [_Written.of(account, refiner, rows, counted, by_term) for account in found]
    # Signs of shared coefficients may cost a little more than the sum was counted with.
    while chosen and found[chosen].cost <= max_complexity < written[chosen].formula.complexity:
        chosen -= 1
    best, is_given = written[chosen], found[chosen].terms[0] in by_term
    written.sort(key=lambda one: one.formula.complexity)
    formulas = [one.formula for one in written]
    is_faithful = best.fidelity.explained_surely >= FAITHFUL
    return Approximation(
        front=ParetoFront.by_fidelity(formulas, written.index(best), front.floor),
        best=best.formula,
        phi=best.phi,
        value=_value(best.formula, reading, refiner, seed),
        rule=best.rule(reading) if counted.decides else None,
        cosine_error=float(errors(best.formula.expression, refiner.held_out).mean()),
        boundary_error=_boundary_error(best.formula, reading) if counted.decides else None,
        fidelity=best.fidelity,
        matches=Match.APPROXIMATION if is_faithful else Match.NOTHING,
        # Coefficients of a sum are fitted to values, and angles do not fix them.
        constants=refiner.constants(best.formula.expression, seed) if is_given else (),
    )


@dataclass(frozen=True, eq=False)
class _Written:
    """An account as a formula, with phi and where it decides."""

    formula: Formula
    fidelity: Fidelity
    phi: MonotoneFit
    threshold: float | None

    @classmethod
    def of(
        cls,
        account: Account,
        refiner: FormulaRefiner,
        rows: FitRows,
        counted: HeldOutRows,
        given: Mapping[Any, Formula],
    ) -> _Written:
        formula = given.get(account.terms[0])
        threshold = None
        if formula is None:
            written = []
            for form in (account, _multiplied_out(account)):
                expression, level = _expression(form, refiner.alphabet.names, rows.points)
                written.append((refiner.measured(expression, form.cost), level))
            formula, level = min(written, key=lambda one: one[0].complexity)
            threshold = level if counted.decides else None
        g = formula(rows.points[: rows.rows])
        phi = MonotoneFit.smooth(g, rows.values[: rows.rows], zero=threshold)
        if counted.decides and threshold is None:
            threshold = phi.preimage(0.0)
        fidelity = counted.of_formula(formula, phi)
        return cls(replace(formula, fidelity=fidelity), fidelity, phi, threshold)

    def rule(self, reading: Reading) -> Rule | None:
        """The decision rule, with its agreement on the data rows that were kept apart."""
        if self.threshold is None or reading.neuron is None:
            return None
        points = reading.test_points
        points = points[np.isfinite(points).all(axis=1)]
        yes = reading.neuron.values(points) > 0
        level = Constant(self.threshold)
        return Rule.of(self.formula, level, self.phi.rising, reading.in_variables(points), yes)


def _multiplied_out(account: Account) -> Account:
    """The account with shifted columns multiplied out; the same one without shifts."""
    terms = [term for term in account.terms if isinstance(term, BasisFunction)]
    sums, constant = expanded(terms, account.coefficients.tolist())
    if len(terms) < len(account.terms) or set(sums) == set(terms) or not sums:
        return account
    return replace(
        account,
        terms=tuple(sums),
        coefficients=np.array(list(sums.values())),
        threshold=account.threshold - constant,
    )


def _expression(
    account: Account, names: tuple[str, ...], points: np.ndarray
) -> tuple[sympy.Expr, float]:
    """A sum whose strongest term has the coefficient 1 or -1, and where it decides."""
    columns = np.column_stack([term.values(points) for term in account.terms])
    strength = np.abs(account.coefficients) * columns.std(axis=0)
    factor = 1 / abs(account.coefficients[int(np.argmax(strength))])
    coefficients = factor * account.coefficients
    sums = columns @ coefficients
    for digits in range(FEWEST_DIGITS, MOST_DIGITS):
        rounded = np.array([float(f"{c:.{digits}g}") for c in coefficients])
        if (columns @ rounded - sums).std() <= ROUNDING * sums.std():
            break
    terms = [term.expression(names) for term in account.terms]
    numbers = [sympy.Integer(c) if abs(c) == 1 else sympy.Float(c) for c in map(float, rounded)]
    expression = sympy.Add(*(number * term for number, term in zip(numbers, terms)))
    # Rounding moves the mean of columns far from zero.
    moved = float((columns @ rounded - sums).mean())
    return expression, factor * account.threshold + moved


def _with_hinges(refiner: FormulaRefiner) -> FormulaRefiner:
    """The refiner for formulas with hinges and steps, unless the operators were chosen."""
    operators = refiner.alphabet.operators
    if operators == OperatorSet("default"):
        operators = operators + list(HINGES_AND_STEPS)
    return FormulaRefiner(
        Alphabet(operators, refiner.alphabet.names),
        refiner.complexity.over(operators),
        refiner.train,
        refiner.held_out,
        signed=refiner.signed,
    )


def _network(reading: Reading) -> Callable[[np.ndarray], np.ndarray] | None:
    """The network as a function of the variables of formulas, if it is one."""
    network, units = reading.network, reading.units
    if network is None:
        return None
    if units is None:
        return network.values
    return lambda points: network.values(points * units.scales + units.offsets)


def _value(
    formula: Formula, reading: Reading, refiner: FormulaRefiner, seed: int
) -> PhiFormula | None:
    if reading.neuron is None or reading.is_classifier:
        return None
    return value_of(formula, reading, seed, refiner.complexity)


def _boundary_error(formula: Formula, reading: Reading) -> float:
    """1 - |cos| on the rows of the field that lie nearest to the decision boundary."""
    distance = np.abs(reading.field.known_values)
    nearest = distance <= np.quantile(distance, NEAR_BOUNDARY_SHARE)
    return float(errors(formula.expression, reading.field)[nearest].mean())
