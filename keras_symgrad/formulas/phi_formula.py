"""`PhiFormula`: phi in closed form, and with it the value of the neuron."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from keras_symgrad.expressions import Alphabet, Complexity, OperatorSet, simplify, weight
from keras_symgrad.expressions.codegen import numpy_function
from keras_symgrad.expressions.formats import from_text, to_latex, to_pretty, to_text
from keras_symgrad.files import Record
from keras_symgrad.formulas.closed_forms import Curve, G, fit_closed_forms, operators
from keras_symgrad.formulas.formula import Formula
from keras_symgrad.formulas.monotone_fit import MonotoneFit
from keras_symgrad.search.core import choose_model

# More rows do not determine the constants better, and take longer.
FITTED_ROWS = 1000
SIMPLIFYING_SECONDS = 2.0


@dataclass(frozen=True)
class PhiFormula:
    """phi in closed form: the value of a neuron is phi(g), g its concept.

    Made with `PhiFormula.of`.

    Attributes:
        expression: phi as a SymPy expression in the symbol `g`.
        complexity: of the expression.
        r2: share of the variance of the neuron's value that phi(g) explains, on held-out rows.
        rows: number of these rows.
        value: phi(g(x)), the neuron's value as a formula in the model's variables.

    Example:

    >>> a, b = sympy.symbols("a b", real=True)
    >>> concept = Formula(a * b, 3, 0.0, ("a", "b"))
    >>> x = np.random.default_rng(0).uniform(1, 2, size=(400, 2))
    >>> values = 5 * np.exp(-x[:, 0] * x[:, 1] / 2)
    >>> phi = PhiFormula.of(concept, x[:300], values[:300], x[300:], values[300:])
    >>> print(phi)
    5*exp(-g/2)
    >>> print(phi.value)
    5*exp(-a*b/2)
    >>> f"{phi.r2:.6f}", phi(np.array([0.0, 2.0])).round(3).tolist()
    ('1.000000', [5.0, 1.839])
    """

    expression: sympy.Expr
    complexity: float
    r2: float
    rows: int
    value: Formula = field(repr=False)

    @classmethod
    def of(
        cls,
        concept: Formula,
        x: np.ndarray,
        values: np.ndarray,
        held_out: np.ndarray,
        held_out_values: np.ndarray,
        *,
        complexity: Complexity | None = None,
        seed: int = 0,
    ) -> PhiFormula:
        """Fit a strictly monotone closed form of the values against the concept.

        Forms with a few constants are fitted (`closed_forms.FORMS`). If none fits nearly as well as
        a monotone function, trees are searched for. Among all results the one after the last steep
        drop of the loss is taken, as for concepts.

        Args:
            concept: the formula g.
            x: points that phi is fitted on, `(rows, variables)`.
            values: the neuron's values there, `(rows,)`.
            held_out: points that only `r2` is measured on.
            held_out_values: the neuron's values there.
            complexity: of formulas; `Complexity()` by default.
            seed: of the choice of rows, if there are many, and of the search.

        Returns:
            A `PhiFormula`.

        Raises:
            ValueError: fewer than ten rows have a finite value of concept and neuron, or one of the
                two is constant.
        """
        g, f = _finite(concept(x), values)
        if len(g) < 10 or np.ptp(g) == 0 or np.ptp(f) == 0:
            raise ValueError(
                "phi in closed form needs at least ten rows in which the formula and the neuron "
                f"have finite values that are not all the same. Received: {len(g)} finite rows, "
                f"{len(np.unique(g))} values of the formula and {len(np.unique(f))} of the neuron"
            )
        chosen = np.random.default_rng(seed).permutation(len(g))[:FITTED_ROWS]
        g, f = g[chosen], f[chosen]
        complexity = complexity or Complexity()
        best = _choice(fit_closed_forms(g, f, _floor(g, f), seed, complexity))
        value = _composed(best, concept, complexity)
        found, wanted = _finite(value(held_out), held_out_values)
        r2 = 1 - np.mean((found - wanted) ** 2) / np.var(wanted) if np.ptp(wanted) > 0 else 1.0
        return cls(best.expression, best.complexity, float(r2), len(wanted), value)

    @cached_property
    def _code(self) -> Callable[[np.ndarray], np.ndarray]:
        return numpy_function([self.expression], [G])

    def __call__(self, g: np.ndarray) -> np.ndarray:
        """phi at values of the concept, `(rows,)`; NaN where it is undefined."""
        return self._code(np.asarray(g, dtype=float)[:, None])[:, 0]

    def of_multiple(self, value: Formula, factor: float) -> PhiFormula:
        """The same phi as a function of a multiple of the concept.

        Args:
            value: the neuron's value.
            factor: positive.
        """
        expression = self.expression
        if factor != 1:
            expression = expression.xreplace({G: G * sympy.Float(1 / factor, 17)})
        return replace(self, expression=expression, value=value)

    def __str__(self) -> str:
        return self.to_pretty()

    def to_text(self) -> str:
        """phi in Python and SymPy syntax, all digits."""
        return to_text(self.expression, names=["g"])

    def to_pretty(self, digits: int = 3) -> str:
        """phi as text for people, constants rounded."""
        return to_pretty(self.expression, digits)

    def to_latex(self, digits: int = 3) -> str:
        """phi as LaTeX, constants rounded."""
        return to_latex(self.expression, digits)

    def to_dict(self) -> dict[str, Any]:
        """phi, the neuron's value and their R2, as plain data."""
        return {
            "expression": self.to_text(),
            "complexity": self.complexity,
            "r2": self.r2,
            "rows": self.rows,
            "value": self.value.to_text(),
            "value_complexity": self.value.complexity,
            **{f"value_{name}": entry for name, entry in self.value.own_to_dict().items()},
        }

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], concept: Formula) -> PhiFormula:
        """Read phi and the value from the plain data of `to_dict`.

        Args:
            content: the data, those of an earlier version too.
            concept: the formula g.

        Raises:
            ValueError: they are something else.
        """
        record = Record.of(content)
        complexity = record.number("complexity")
        whole = complexity + concept.complexity
        if "value_complexity" in record:  # not in version 0
            whole = record.number("value_complexity")
        expression = from_text(record.text("value"), concept.names)
        value = Formula(expression, whole, concept.loss, concept.names)
        return cls(
            from_text(record.text("expression"), (str(G),)),
            complexity,
            record.number("r2", math.nan),
            record.whole("rows"),
            value.own_from_dict(record, "value_"),
        )

    def _repr_latex_(self) -> str:
        return f"${self.to_latex()}$"


def _floor(g: np.ndarray, f: np.ndarray) -> float:
    """Loss on half of the points of a monotone fit to the other half."""
    fit = MonotoneFit.through(g[::2], f[::2])
    return float(np.mean((fit(g[1::2]) - f[1::2]) ** 2) / np.var(f))


def _choice(found: list[Curve]) -> Curve:
    found = [curve for curve in found if np.isfinite(curve.complexity)]
    return found[
        choose_model([curve.complexity for curve in found], [curve.loss for curve in found])
    ]


def _composed(phi: Curve, concept: Formula, complexity: Complexity) -> Formula:
    """phi(g(x)) in the shortest of a few spellings."""
    plain = phi.expression.xreplace({G: concept.expression})
    # exp(-(u - 2 log x)/2) becomes x exp(-u/2) once its argument is multiplied out.
    opened = plain.replace(sympy.exp, lambda argument: sympy.exp(sympy.expand(argument)))
    every = operators()
    own = concept.operators or every
    every = OperatorSet([*every, *(o for o in own if o.name not in every)])
    alphabet, measure = Alphabet(every, concept.names), complexity.among(every)
    simpler = simplify(
        opened, SIMPLIFYING_SECONDS, measure=lambda way: weight(way, alphabet, measure)
    )
    ways = (plain, opened, simpler)
    weights = [weight(way, alphabet, measure) for way in ways]
    least = int(np.argmin(weights))
    otherwise = phi.complexity + concept.complexity
    return Formula(
        ways[least],
        weights[least] if np.isfinite(weights[least]) else otherwise,
        # The gradients of phi(g) have the directions of those of g.
        concept.loss,
        concept.names,
        every,
    )


def _finite(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = (np.asarray(a, dtype=float).reshape(-1) for a in (first, second))
    both = np.isfinite(first) & np.isfinite(second)
    return first[both], second[both]
