"""Interpret a neuron of one variable by fitting its values.

Every increasing function of one variable has the unit gradient 1, so directions distinguish x from
sin(3 x) only by the places where they turn. The graph of f is a curve in the plane, the level set
of v - f(x), whose normal is

    (-f'(x), 1) / sqrt(f'(x)^2 + 1)

and a function T(x, v) has its gradients parallel to this normal everywhere exactly when it is phi(v
- f(x)). So the graph is searched for like any concept of two variables, and the result, v - a g(x)
- b, is solved for v: the formula g has the neuron's values up to a factor and an offset.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from keras_symgrad.expressions import Alphabet, Complexity, OperatorSet, symbol, weight
from keras_symgrad.expressions.formats import from_text
from keras_symgrad.formulas import R2, Fidelity, Formula, G, MonotoneFit, ParetoFront, PhiFormula
from keras_symgrad.gradients import GradientField, Reading
from keras_symgrad.results.assessment.assess import decisions, rule_of
from keras_symgrad.results.assessment.assessment import Assessment
from keras_symgrad.results.assessment.evidence import EXPLAINED_DECISIONS, FAITHFUL, MISSING_NATS
from keras_symgrad.results.assessment.finalize import FormulaRefiner
from keras_symgrad.results.assessment.held_out import HeldOutRows
from keras_symgrad.results.assessment.margin import Margin
from keras_symgrad.results.assessment.match import Match
from keras_symgrad.search.core import Archive, box_of

# Least R2 of a formula that is the neuron's function: only values can be compared.
EXPLAINED_EXACTLY = 0.998
# Formulas that leave less of the variance unexplained differ only by rounding.
FLOOR = 1e-9
# Labels fix a classifier's boundary, but not the shape of its logit: this share of the variance may
# be left open by any of its formulas.
FLOOR_OF_LABELS = 1e-2


@dataclass(frozen=True)
class Graph:
    """The graph of a neuron of one variable, as a curve in the plane.

    Attributes:
        names: of the variables; one of them varies.
        variable: name of the variable that varies.
        value: name of the axis of values.
        centre: mean of the values.
        scale: standard deviation of the values.
        slope: derivative of the neuron at points `(rows, variables)`, `(rows,)`.
    """

    names: tuple[str, ...]
    variable: str
    value: str
    centre: float
    scale: float
    slope: Callable[[np.ndarray], np.ndarray]

    @classmethod
    def of(cls, reading: Reading) -> Graph | None:
        """Make the graph of a reading, if it has one variable.

        Args:
            reading: of a neuron, or a field of gradients with values.

        Returns:
            The graph; `None` if several variables vary, or several neurons were read.

        Raises:
            ValueError: one variable varies, and the values are missing or constant.
        """
        field = reading.field
        varying = np.flatnonzero(np.ptp(field.points, axis=0) > 0)
        if len(varying) != 1 or field.directions.ndim == 3:
            return None
        column = int(varying[0])
        if field.values is None or np.ptp(field.values) == 0:
            known = "no values" if field.values is None else "one value at all points"
            raise ValueError(
                "In one dimension a direction is a sign, so that the values of the neuron decide. "
                "Pass them: `GradientField.from_gradients(..., values=...)`. Received: a field of "
                f"one variable that varies, {field.names[column]}, with {known}"
            )
        value = "value"
        while value in field.names:
            value += "_"
        return cls(
            field.names,
            field.names[column],
            value,
            float(field.values.mean()),
            float(field.values.std()),
            _slope(reading, column),
        )

    def lifted(self, field: GradientField) -> GradientField:
        """The normals of the graph, in the plane of the variable and the values.

        Args:
            field: rows of the neuron.

        Returns:
            A field with one variable more, the values in units of their standard deviation.
        """
        heights = (field.known_values - self.centre) / self.scale
        points = np.column_stack([field.points, heights])
        slopes = self.slope(field.points) / self.scale
        normals = np.zeros_like(points)
        normals[:, _varying(field)] = -slopes
        normals[:, -1] = 1
        lifted = GradientField.from_gradients(
            points,
            normals,
            names=(*self.names, self.value),
            values=field.values,
            weights=field.weights,
            origin=field.origin,
            dropped=field.dropped,
        )
        return replace(lifted, loss=field.loss)

    def lowered(self, field: GradientField) -> GradientField:
        """The rows of a lifted field, without the axis of values.

        Args:
            field: of `lifted`.
        """
        return replace(
            field, points=field.points[:, :-1], directions=field.directions[:, :-1], frame=None
        )

    def solved(self, expression: sympy.Expr) -> sympy.Expr | None:
        """Solve a function of the plane for the values, up to a factor and an offset.

        Args:
            expression: T(x, v).

        Returns:
            g(x), where T = 0 is v = a g(x) + b; `None` if T does not have this form.

        Example:

        >>> x, value = sympy.symbols("x value", real=True)
        >>> graph = Graph(("x",), "x", "value", 0.0, 1.0, lambda points: points)
        >>> print(graph.solved(4 * sympy.sin(3 * x) - 2 * value + 1), graph.solved(x * value))
        sin(3*x) None
        """
        height = symbol(self.value)
        for way in (expression, sympy.expand_log(sympy.log(expression), force=True)):
            factor = sympy.diff(way, height)
            if factor.is_number and factor != 0:
                return _up_to_scale(-way.xreplace({height: sympy.Integer(0)}) / factor)
        return None

    @property
    def template(self) -> str:
        """The form T(x, v) = f(x) + v, as `search.template` reads it."""
        return f"f({self.variable}) + {self.value}"

    def guesses(
        self, guesses: str | sympy.Expr | Sequence[str | sympy.Expr], operators: OperatorSet
    ) -> list[sympy.Expr]:
        """Convert guesses g(x) to functions of the plane.

        Args:
            guesses: as for `interpret`.
            operators: operators of the guesses.

        Raises:
            ValueError: one of them cannot be read.
        """
        each = [guesses] if isinstance(guesses, (str, sympy.Expr)) else guesses
        found = []
        for guess in each:
            if isinstance(guess, str):
                guess = from_text(guess, self.names, operators)
            named = {own: symbol(own.name) for own in guess.free_symbols}
            found.append(guess.xreplace(named) + symbol(self.value))
        return found

    def on_graph(self, expression: sympy.Expr) -> sympy.Expr:
        """T(x, v) of a formula g(x), with a factor to be fitted.

        Args:
            expression: g(x).
        """
        return symbol(self.value) - sympy.Float(1.0) * expression


def assess_one_variable(
    graph: Graph,
    reading: Reading,
    finisher: FormulaRefiner,
    archive: Archive,
    complexity: Complexity,
    *,
    sampler: Callable[..., Any] | None = None,
    draw: bool = True,
    seed: int = 0,
) -> Assessment:
    """Assess the best formula of a neuron of one variable.

    Args:
        graph: of the neuron.
        reading: reading of the neuron, its field not lifted to the plane.
        finisher: for formulas in the plane of the graph.
        archive: result of the search in the plane.
        complexity: of formulas.
        sampler: draws points on which a rule is tested.
        draw: whether points may be drawn.
        seed: of all random choices.

    Returns:
        The assessment, as `assess.assess` makes it of several variables.
    """
    field, held_out = reading.field, finisher.held_out
    values = field.known_values
    alphabet = Alphabet(finisher.alphabet.operators, graph.names)

    def formula(expression: sympy.Expr, otherwise: float) -> Formula | None:
        if not expression.free_symbols:
            return None
        cost = weight(expression, alphabet, complexity)
        found = Formula(
            expression,
            cost if np.isfinite(cost) else otherwise,
            np.inf,
            graph.names,
            alphabet.operators,
        )
        line = _line(found(field.points), values)
        if line is None:
            return None
        left = held_out.known_values - line(found(held_out.points[:, :-1]))
        loss = float(np.mean(left**2) / np.var(values))
        return replace(found, loss=loss) if np.isfinite(loss) else None

    rows = []
    for lifted in finisher.front(archive):
        solved = graph.solved(lifted.expression)
        if solved is not None and (row := formula(solved, lifted.complexity)) is not None:
            rows.append(row)
    # Without any formula the variable itself is returned, whatever its fit.
    straight = formula(symbol(graph.variable), 1.0)
    floor = FLOOR_OF_LABELS if reading.is_classifier else FLOOR
    train, tested = graph.lowered(finisher.train), graph.lowered(held_out)
    counted = HeldOutRows.of(reading, train, tested, seed)

    def fidelity_of(row: Formula) -> Fidelity:
        line = _line(row(field.points), values)
        with np.errstate(all="ignore"):
            g = row(counted.rows.points)
        return counted.fidelity(np.full(len(g), np.nan) if line is None else line(g))

    rows += [straight] if straight else []
    front = ParetoFront([replace(row, fidelity=fidelity_of(row)) for row in rows], floor)
    best = front.best
    shown = finisher.with_simple_constants(
        Formula(graph.on_graph(best.expression), best.complexity, best.loss, held_out.names)
    )
    solved = graph.solved(shown.expression)
    simple = None if solved is None else formula(solved, best.complexity)
    if simple is not None and simple.loss <= 1.05 * best.loss + FLOOR:
        best = simple
    line = _line(best(field.points), values)
    if line is None:
        raise ValueError(f"Expected a formula that varies over the rows. Received: {best}")
    phi = MonotoneFit.of_neuron(best(field.points), values, decides=reading.is_classifier)
    fidelity = fidelity_of(best)
    best = replace(best, fidelity=fidelity)
    value = rule = None
    if reading.neuron is not None and reading.is_classifier:
        points, yes = decisions(
            reading.neuron, reading.test_points, reading.shown, sampler, draw, seed
        )
        rule = rule_of(best, phi, reading.in_variables(points), yes)
    else:
        value = _value(best, line, fidelity)
    nats = steepness(best, front)
    return Assessment(
        front=front,
        best=best,
        phi=phi,
        value=value,
        rule=rule,
        cosine_error=0.0,
        boundary_error=None,
        fidelity=fidelity,
        matches=_match(fidelity, nats < MISSING_NATS),
        rivals=(),
        alternatives=(),
        noise_floor=floor,
        constants=(),
        symmetries=(),
        box=box_of(reading.domain),
        margin=_margin(fidelity, nats, is_read=reading.neuron is not None),
    )


def assess_row_of_one_variable(
    formula: Formula,
    front: ParetoFront,
    field: GradientField,
    counted: HeldOutRows,
    *,
    decides: bool,
) -> dict[str, Any]:
    """Assess a row of the front of a neuron of one variable.

    Args:
        formula: the row, with its loss.
        front: all rows.
        field: rows with the neuron's values.
        counted: data rows that fidelity is counted on, with the neuron's values.
        decides: whether the neuron is a classifier.

    Returns:
        What is said of the row, by attributes of `Assessment`.

    Raises:
        ValueError: the formula does not vary over the rows.
    """
    values = field.known_values
    g = formula(field.points)
    line = _line(g, values)
    if line is None:
        raise ValueError(f"Expected a formula that varies over the rows. Received: {formula}")
    phi = MonotoneFit.of_neuron(g, values, decides=decides)
    with np.errstate(all="ignore"):
        fidelity = counted.fidelity(line(formula(counted.rows.points)))
    best = replace(formula, fidelity=fidelity)
    value = rule = None
    if decides:
        rule = rule_of(best, phi, counted.rows.points, counted.rows.values > 0)
    else:
        value = _value(best, line, fidelity)
    return {
        "best": best,
        "phi": phi,
        "value": value,
        "rule": rule,
        "fidelity": fidelity,
        "matches": _match(fidelity, steepness(best, front) < MISSING_NATS),
        "cosine_error": 0.0,
        "boundary_error": None,
        "rivals": (),
        "alternatives": (),
        "constants": (),
    }


@dataclass(frozen=True)
class _Line:
    slope: float
    offset: float

    def __call__(self, g: np.ndarray) -> np.ndarray:
        return self.slope * g + self.offset


def _value(best: Formula, line: _Line, fidelity: Fidelity) -> PhiFormula:
    """The neuron's value: a straight line of the formula."""
    whole = sympy.Float(line.slope, 17) * G + sympy.Float(line.offset, 17)
    composed = best.rewritten(lambda own: whole.xreplace({G: own}))
    return PhiFormula(
        whole,
        7.0,
        fidelity.formula,
        fidelity.rows,
        replace(composed, complexity=best.complexity + 8),
    )


def _line(g: np.ndarray, values: np.ndarray) -> _Line | None:
    """Line of least squares; `None` for a formula that is not finite or does not vary."""
    if not np.isfinite(g).all() or np.ptp(g) == 0:
        return None
    apart = g - g.mean()
    slope = float(apart @ (values - values.mean()) / (apart @ apart))
    return _Line(slope, float(values.mean() - slope * g.mean()))


def _varying(field: GradientField) -> int:
    return int(np.argmax(np.ptp(field.points, axis=0)))


def _up_to_scale(expression: sympy.Expr) -> sympy.Expr:
    """Without a constant term, most coefficients positive and the smallest of size 1."""
    terms = [t for t in sympy.Add.make_args(sympy.expand_mul(expression)) if t.free_symbols]
    if not terms:
        return sympy.Integer(0)
    coefficients = [term.as_coeff_Mul()[0] for term in terms]
    least = min(map(abs, coefficients), key=float)
    if sum(float(c) < 0 for c in coefficients) > len(terms) / 2:
        least = -least
    return sympy.Add(
        *(_whole(c / least) * term.as_coeff_Mul()[1] for c, term in zip(coefficients, terms))
    )


def _whole(number: sympy.Number) -> sympy.Number:
    """A float that equals 1 or -1 up to rounding, as an integer."""
    return sympy.Integer(round(number)) if abs(abs(float(number)) - 1) < 1e-9 else number


def _slope(reading: Reading, column: int) -> Callable[[np.ndarray], np.ndarray]:
    """Derivative of a neuron: from its gradient, or by differences from values alone."""
    network = reading.network
    if network is not None:
        units = reading.units
        scale = 1.0 if units is None else units.scales[column]

        def by_gradient(points: np.ndarray) -> np.ndarray:
            x = points if units is None else points * units.scales + units.offsets
            return network.values_and_gradients(x)[1][:, column].astype(float) * scale

        return by_gradient
    x, first = np.unique(reading.field.points[:, column], return_index=True)
    slopes = np.gradient(reading.field.known_values[first], x)
    return lambda points: np.interp(points[:, column], x, slopes)


def steepness(best: Formula, front: ParetoFront) -> float:
    """Least nats of loss a unit of complexity that a formula gains over a simpler row.

    Args:
        best: the formula.
        front: formulas with the share of the variance that each leaves open.

    Returns:
        Nats; infinite where no row is simpler. See `Evidence.steepness`.

    Example:

    >>> x = sympy.Symbol("x", real=True)
    >>> rows = [Formula(x**k, k, loss, ("x",)) for k, loss in ((1, 0.5), (2, 1e-4), (9, 5e-5))]
    >>> [round(steepness(row, ParetoFront(rows)), 1) for row in rows]
    [inf, 8.5, 0.1]
    """
    own = max(best.loss, FLOOR)
    gains = (
        np.log(max(row.loss, FLOOR) / own) / (best.complexity - row.complexity)
        for row in front
        if row.complexity < best.complexity
    )
    return float(min(gains, default=np.inf))


def _margin(fidelity: Fidelity, nats: float, *, is_read: bool) -> Margin:
    """Match by values alone: their residual is an angle of the graph, in its own units."""
    left = max(1 - fidelity.formula, 0.0)
    return Margin(
        float(np.degrees(np.arctan(np.sqrt(left)))),
        # Decisions of one variable determine nothing but the boundary.
        fidelity.formula if fidelity.metric == R2 else 0.0,
        nats,
        is_read=is_read,
    )


def _match(fidelity: Fidelity, gradual: bool) -> Match:
    """Class of the result: labels fix only the boundary, values the whole formula."""
    if fidelity.metric == R2 and fidelity.formula >= EXPLAINED_EXACTLY and not gradual:
        return Match.CONCEPT
    if fidelity.metric != R2 and fidelity.explained >= EXPLAINED_DECISIONS:
        return Match.BOUNDARY
    return Match.APPROXIMATION if fidelity.explained_surely >= FAITHFUL else Match.NOTHING
