"""`Formula`: a formula that a search found, in the units of the user or of its computation."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from keras_symgrad.expressions import OperatorSet, symbol
from keras_symgrad.expressions.codegen import numpy_function
from keras_symgrad.expressions.formats import (
    Units,
    folded,
    from_text,
    rounded,
    to_latex,
    to_pretty,
    to_text,
)
from keras_symgrad.files import Record, points_by_name, printable
from keras_symgrad.formulas.fidelity import Fidelity
from keras_symgrad.gradients import OwnUnits, checked_units

if TYPE_CHECKING:
    import keras

    from keras_symgrad.formulas.symbolic_layer import SymbolicLayer

JSON_FORMAT = "keras_symgrad.formula"
JSON_VERSION = 1
# Significant digits of a double.
EVERY_DIGIT = 17


@dataclass(frozen=True)
class Formula:
    """An expression in named variables, with its complexity and loss.

    Attributes:
        expression: SymPy expression in real symbols.
        complexity: of the expression.
        loss: mean squared difference of unit gradients on held-out rows.
        names: the variables, one for each column.
        operators: the operator set of the expression.
        fidelity: of the formula on held-out data rows; `None` where that was not measured.

    Example:

    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> formula = Formula(x1**2 + 2.0 * x2**2, 11, 1e-4, ("x1", "x2"))
    >>> formula(np.array([[1.0, 2.0]]))
    array([9.])
    >>> print(formula)
    x1**2 + 2.0*x2**2
    """

    expression: sympy.Expr
    complexity: float
    loss: float
    names: tuple[str, ...]
    operators: OperatorSet | None = field(default=None, repr=False, compare=False)
    fidelity: Fidelity | None = field(default=None, repr=False, compare=False)

    @cached_property
    def _code(self) -> Callable[[np.ndarray], np.ndarray]:
        return numpy_function([self.expression], [symbol(name) for name in self.names])

    def __getstate__(self) -> dict[str, Any]:
        # Generated code does not pickle; it is made again when it is asked for.
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def __call__(self, x: Any) -> np.ndarray:
        """The formula's values.

        Args:
            x: points of shape `(rows, variables)` or one point `(variables,)`; or a DataFrame or a
                dict, whose columns are taken by the names of the variables.

        Returns:
            Values of shape `(rows,)`, or one number; NaN where the formula is undefined.

        Raises:
            ValueError: a variable is missing, or an array has more or fewer columns.
        """
        points = points_by_name(x, self.names, "The formula")
        values = self._values(np.atleast_2d(points))
        return values if points.ndim == 2 else values[0]

    def _values(self, points: np.ndarray) -> np.ndarray:
        """Values at points `(rows, variables)`, `(rows,)`."""
        return self._code(points)[:, 0]

    @property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """The symbols of `to_sympy()`, one a column: `sympy.Symbol(name)`."""
        return tuple(map(sympy.Symbol, self.names))

    def to_sympy(self) -> sympy.Expr:
        """The expression in plain symbols, to go on with in SymPy.

        >>> x1, x2 = sympy.symbols("x1 x2", real=True)
        >>> sympy.diff(Formula(x1 * x2, 3, 0.0, ("x1", "x2")).to_sympy(), sympy.Symbol("x1"))
        x2
        """
        plain = dict(zip(map(symbol, self.names), self.symbols))
        return self.expression.xreplace(plain)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        # SymPy writes names as they are.
        return printable(
            f"{type(self).__name__}(expression={self.expression}, complexity={self.complexity}, "
            f"loss={self.loss}, names={self.names})"
        )

    def to_text(self) -> str:
        """The expression in Python and SymPy syntax, all digits."""
        return to_text(self.expression, names=self.names)

    def to_pretty(self, digits: int = 3) -> str:
        """The expression as text for people, constants rounded."""
        return to_pretty(self.expression, digits)

    def to_latex(self, digits: int = 3) -> str:
        """The expression as LaTeX, constants rounded."""
        return to_latex(self.expression, digits)

    def to_mathml(self, digits: int = 3, relation: str = "", other: str | sympy.Expr = "") -> str:
        """The expression as MathML for web pages, constants rounded; see `mathml.to_mathml`."""
        from keras_symgrad.expressions.formats import to_mathml

        return to_mathml(self.expression, digits, relation, other)

    def to_layer(self, *, trainable: bool = True, **kwargs: Any) -> SymbolicLayer:
        """Make a Keras layer of the expression, from `(batch, variables)` to `(batch, 1)`.

        Args:
            trainable: whether its constants are trainable.
            **kwargs: of `keras.layers.Layer`, such as `name`.
        """
        from keras_symgrad.formulas.symbolic_layer import SymbolicLayer

        return SymbolicLayer(
            self.expression, self.names, operators=self.operators, trainable=trainable, **kwargs
        )

    def with_free_coefficients(self) -> Formula:
        """The same formula with a float for every coefficient, so that a layer trains them all.

        >>> x1, x2 = sympy.symbols("x1 x2", real=True)
        >>> print(Formula(x1**2 - 2 * x2, 9, 1e-4, ("x1", "x2")).with_free_coefficients())
        1.0*x1**2 - 2.0*x2
        """
        from keras_symgrad.expressions import with_free_coefficients

        return self.rewritten(with_free_coefficients)

    @property
    def as_computed(self) -> sympy.Expr:
        """The expression in the units of its computation, here the user's units."""
        return self.expression

    def rewritten(self, rewrite: Callable[[sympy.Expr], sympy.Expr]) -> Formula:
        """The formula with its expression rewritten.

        Args:
            rewrite: function from a SymPy expression to another.
        """
        return replace(self, expression=rewrite(self.expression))

    def to_model(self) -> keras.Model:
        """The expression as a Keras model from `(batch, variables)` to `(batch, 1)`."""
        from keras_symgrad.formulas.exporters import to_model

        return to_model(self)

    def to_python(self, name: str = "formula") -> str:
        """The source of a Python function that needs NumPy alone; see `python_source.to_python`."""
        from keras_symgrad.formulas.python_source import to_python

        return to_python(self, name)

    def to_json(self) -> str:
        """JSON that `Formula.from_json` reads back, with a format and a version in it."""
        content = {
            "format": JSON_FORMAT,
            "version": JSON_VERSION,
            "names": list(self.names),
            "latex": self.to_latex(),
            **self.to_dict(),
            "loss": self.loss if math.isfinite(self.loss) else None,
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(text: str) -> Formula:
        """Read a formula from a text of `to_json`; nothing in it is run.

        Args:
            text: JSON.

        Returns:
            The formula.

        Raises:
            ValueError: it is not such a text, is of a newer version, or its formula cannot be read.

        Example:

        >>> x = sympy.Symbol("x", real=True)
        >>> print(Formula.from_json(Formula(0.1 * x**2, 5, 1e-3, ("x",)).to_json()))
        0.1*x**2
        """
        try:
            record = Record(json.loads(text))
            record.one_of("format", (JSON_FORMAT,))
            version = record.whole("version")
            if version != JSON_VERSION:
                raise ValueError(
                    f"This version of keras-symgrad reads formulas of version {JSON_VERSION}. "
                    f"Received: version {version!r}"
                )
            return Formula.from_dict(record, record.texts("names"))
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"Expected a formula as JSON, as `formula.to_json()` writes it. Received: "
                f"{text[:80]!r} ({error})"
            ) from None

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write `.py`, `.json`, `.tex`, `.keras`, `.onnx`, `.tflite` or a SavedModel folder.

        Args:
            path: its ending selects the format; see `exporters.export`.

        Returns:
            The path.
        """
        from keras_symgrad.formulas.exporters import export

        return export(self, path)

    def to_dict(self) -> dict[str, Any]:
        """Expression, complexity, loss and fidelity as plain data."""
        entries = {"expression": self.to_text(), "complexity": self.complexity, "loss": self.loss}
        if self.fidelity is not None:
            entries["fidelity"] = self.fidelity.to_dict()
        return entries | self.own_to_dict()

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any], names: tuple[str, ...]) -> Formula:
        """Read a formula from the plain data of `to_dict`; nothing in it is run.

        Args:
            content: the data.
            names: of the variables.

        Raises:
            ValueError: they are not a formula of these variables.
        """
        record = Record.of(content)
        return Formula(
            from_text(record.text("expression"), names),
            # A formula with operators other than the search's has infinite complexity.
            record.number("complexity", math.inf),
            record.number("loss", math.nan),
            names,
            fidelity=record.maybe("fidelity", Fidelity.from_dict),
        ).own_from_dict(record)

    def own_to_dict(self) -> dict[str, Any]:
        """The units of its computation, and its expression in them, if they are not the user's."""
        return {}

    def own_from_dict(self, content: Record | Mapping[str, Any], prefix: str = "") -> Formula:
        """The formula with the units that plain data have for it, if they have any.

        Args:
            content: with the entries of `own_to_dict`.
            prefix: of the names of these entries.

        Raises:
            ValueError: the units are invalid.
        """
        record = Record.of(content)
        if f"{prefix}units" not in record:
            return self
        own = from_text(record.text(f"{prefix}own"), self.names)
        units = record.record(f"{prefix}units")
        checked = checked_units({name: units.numbers(name) for name in units.names}, self.names)
        return ScaledFormula(
            checked.in_users(own),
            self.complexity,
            self.loss,
            self.names,
            self.operators,
            self.fidelity,
            scaled=own,
            units=checked,
        )

    def _repr_latex_(self) -> str:
        return f"${self.to_latex()}$"


@dataclass(frozen=True)
class ScaledFormula(Formula):
    """A formula in the user's units that is written and computed in rescaled variables.

    Attributes:
        scaled: the same expression in z = (x - offset)/scale. It is printed, with z written out,
            and computed by layers: SymPy would merge all scales to one number, which may be too
            large or too small for float32.
        units: offset and scale by the name of a variable.

    Example:

    >>> x1, x2 = sympy.symbols("x1 x2", real=True)
    >>> found = Formula(x1**2 + 2.0 * x2**2, 9, 1e-4, ("x1", "x2"))
    >>> units = OwnUnits(("x1", "x2"), {"x1": (0.0, 1e-25), "x2": (1e6, 1.0)})
    >>> formula = ScaledFormula.of(found, units)
    >>> print(formula.to_pretty())
    (x1/1e-25)**2 + 2*(x2 - 1000000)**2
    >>> formula(np.array([[3e-25, 1000002.0]]))
    array([17.])
    """

    scaled: sympy.Expr = field(kw_only=True, repr=False)
    units: OwnUnits = field(kw_only=True, repr=False, compare=False)

    # A data class would make one of its own.
    __repr__ = Formula.__repr__

    @classmethod
    def of(cls, formula: Formula, units: OwnUnits) -> Formula:
        """Convert a formula in rescaled variables to one in the user's units, of the same values.

        Args:
            formula: in rescaled variables.
            units: of the variables.

        Returns:
            The formula unchanged, if none of its variables is rescaled.
        """
        units = units.among(formula.expression)
        if not units.units:
            return formula
        return cls(
            units.in_users(formula.expression),
            formula.complexity,
            formula.loss,
            formula.names,
            formula.operators,
            formula.fidelity,
            scaled=formula.expression,
            units=units,
        )

    @property
    def own(self) -> sympy.Expr:
        """The expression in rescaled variables."""
        return self.scaled

    @cached_property
    def _own_code(self) -> Callable[[np.ndarray], np.ndarray]:
        return numpy_function([self.scaled], [symbol(name) for name in self.names])

    def _values(self, points: np.ndarray) -> np.ndarray:
        return self._own_code(self.units.points(points))[:, 0]

    @property
    def as_computed(self) -> sympy.Expr:
        """The expression in rescaled variables."""
        return self.own

    def __str__(self) -> str:
        return self.to_pretty(EVERY_DIGIT)

    def rewritten(self, rewrite: Callable[[sympy.Expr], sympy.Expr]) -> ScaledFormula:
        """The formula with its expression in rescaled variables rewritten."""
        own = rewrite(self.scaled)
        return replace(self, expression=self.units.in_users(own), scaled=own)

    def to_pretty(self, digits: int = 3) -> str:
        """The expression as text for people, constants rounded and units written out."""
        own, units = self._written(digits)
        return to_pretty(own, digits, units=units)

    def to_latex(self, digits: int = 3) -> str:
        """The expression as LaTeX, constants rounded and units written out."""
        own, units = self._written(digits)
        return to_latex(own, digits, units=units)

    def to_mathml(self, digits: int = 3, relation: str = "", other: str | sympy.Expr = "") -> str:
        """The expression as MathML, constants rounded and units written out."""
        from keras_symgrad.expressions.formats import to_mathml

        own, units = self._written(digits)
        return to_mathml(own, digits, relation, other, units=units)

    def _written(self, digits: int) -> tuple[sympy.Expr, Units]:
        """Expression in rescaled variables and their units, with x - 2005 for x - 2000 - 5.04."""
        return folded(rounded(self.scaled, digits), self.units.units)

    def to_layer(self, *, trainable: bool = True, **kwargs: Any) -> SymbolicLayer:
        """Make a Keras layer that computes in rescaled variables; see `Formula.to_layer`."""
        from keras_symgrad.formulas.symbolic_layer import SymbolicLayer

        return SymbolicLayer(
            self.scaled,
            self.names,
            operators=self.operators,
            trainable=trainable,
            units=self.units.units,
            **kwargs,
        )

    def own_to_dict(self) -> dict[str, Any]:
        """The units of its variables, and its expression in them, as plain data."""
        return {
            "own": to_text(self.scaled, names=self.names),
            "units": {name: list(unit) for name, unit in self.units.units.items()},
        }
