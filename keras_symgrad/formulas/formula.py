"""`Formula`, a formula that a search found, and `ParetoFront`."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import sympy

from keras_symgrad.expressions import OperatorSet, symbol
from keras_symgrad.expressions.codegen import numpy_function
from keras_symgrad.expressions.formats import to_latex, to_pretty, to_text
from keras_symgrad.files import points_by_name, printable
from keras_symgrad.formulas.fidelity import Fidelity
from keras_symgrad.search.core import POOR_FIT, choose_model

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from keras_symgrad.formulas.symbolic_layer import SymbolicLayer


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
        """JSON that `Formula.from_json` reads back."""
        from keras_symgrad.formulas.exporters import to_json

        return to_json(self)

    @staticmethod
    def from_json(text: str) -> Formula:
        """Read the formula from a text of `to_json`; nothing in it is run."""
        from keras_symgrad.formulas.exporters import from_json

        return from_json(text)

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

    def own_to_dict(self) -> dict[str, Any]:
        """The units of its computation, and its expression in them, if they are not the user's."""
        return {}

    def _repr_latex_(self) -> str:
        return f"${self.to_latex()}$"


class ParetoFront(Sequence[Formula]):
    """Formulas by ascending complexity, each with a lower loss than all before it.

    Args:
        formulas: any formulas; those that a simpler one equals or beats are left out.
        floor: losses below it are noise.
        trusted: formulas that may be chosen as the best; all by default.

    Raises:
        ValueError: there are no formulas.
    """

    def __init__(
        self,
        formulas: Sequence[Formula],
        floor: float = 0.0,
        trusted: Collection[Formula] | None = None,
    ):
        self.floor = floor
        self._rows: list[Formula] = []
        for formula in sorted(formulas, key=lambda row: (row.complexity, row.loss)):
            # A loss lower by less than this share is the same fit, written differently.
            if not self._rows or formula.loss < 0.99 * self._rows[-1].loss:
                self._rows.append(formula)
        if not self._rows:
            raise ValueError("A Pareto front needs at least one formula. Received: none")
        self._trusted = [row for row in self._rows if trusted is None or row in trusted]
        self._chosen: int | None = None
        self._picked: int | None = None

    @classmethod
    def by_fidelity(
        cls, formulas: Sequence[Formula], chosen: int, floor: float = 0.0
    ) -> ParetoFront:
        """A front of approximations, by complexity and by fidelity on rows kept for the choice.

        Args:
            formulas: each with its fidelity, by ascending complexity; all are kept.
            chosen: number of the one that is the best.
            floor: losses below it are noise.

        Returns:
            The front.

        Example:

        >>> x1, x2 = sympy.symbols("x1 x2", real=True)
        >>> rows = [
        ...     Formula(e, c, 0.1, ("x1", "x2"), fidelity=Fidelity("R2", r2, 0.0, 100))
        ...     for e, c, r2 in ((x1, 1, 0.7), (x1 + x2, 3, 0.9), (x1 + x1 * x2, 5, 0.91))
        ... ]
        >>> front = ParetoFront.by_fidelity(rows, chosen=1)
        >>> print(front.best, front.for_fidelity(0.6), front.for_fidelity(0.99))
        x1 + x2 x1 None
        """
        front = cls(formulas[:1], floor)
        front._rows = front._trusted = list(formulas)
        front._chosen = chosen
        return front

    @overload
    def __getitem__(self, index: int) -> Formula: ...

    @overload
    def __getitem__(self, index: slice) -> list[Formula]: ...

    def __getitem__(self, index: int | slice) -> Formula | list[Formula]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Formula]:
        return iter(self._rows)

    @property
    def best(self) -> Formula:
        """The row after the last steep drop of log-loss; see `model_selection.choose`.

        Of approximations it is the simplest one that is nearly as faithful as the most faithful.
        A row that was picked by hand comes before both.
        """
        if self._picked is not None:
            return self._rows[self._picked]
        if self._chosen is not None:
            return self._rows[self._chosen]
        rows = self._trusted or self._rows
        # The loss is a mean over the variables: 2 (1 - cos) / variables for unit vectors.
        poor = 2 * POOR_FIT / len(rows[0].names)
        complexities, losses = [row.complexity for row in rows], [row.loss for row in rows]
        return rows[choose_model(complexities, losses, self.floor, poor)]

    @property
    def chosen(self) -> int | None:
        """Number of the best row of a front by fidelity; `None` for a front by loss."""
        return self._chosen

    @property
    def picked(self) -> int | None:
        """Number of the row that was picked by hand; `None` where none was."""
        return self._picked

    def picking(self, number: int) -> ParetoFront:
        """The front with a row of the user's choice as the best.

        Args:
            number: of the row, from 0.

        Example:

        >>> x = sympy.Symbol("x", real=True)
        >>> front = ParetoFront([Formula(x, 1, 0.5, ("x",)), Formula(x**2, 3, 0.0, ("x",))])
        >>> print(front.best, front.picking(0).best)
        x**2 x
        """
        front = copy.copy(self)
        front._picked = range(len(self._rows))[number]
        return front

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ParetoFront):
            return NotImplemented
        own, its = (
            (front._rows, front._trusted, front._chosen, front._picked, front.floor)
            for front in (self, other)
        )
        return own == its

    def __hash__(self) -> int:
        return hash(tuple(self._rows))

    def to_dataframe(self) -> pd.DataFrame:
        """The front as a table of pandas: complexity, loss, fidelity, formula, which is the best.

        >>> x = sympy.Symbol("x", real=True)
        >>> ParetoFront([Formula(x, 1, 0.5, ("x",)), Formula(x**2, 3, 0.0, ("x",))]).to_dataframe()
           complexity  loss  fidelity formula   best
        0           1   0.5       NaN       x  False
        1           3   0.0       NaN    x**2   True
        """
        import pandas as pd

        best = self.best
        return pd.DataFrame(
            {
                "complexity": [row.complexity for row in self],
                "loss": [row.loss for row in self],
                "fidelity": [
                    float("nan") if row.fidelity is None else row.fidelity.formula for row in self
                ],
                "formula": [row.to_pretty() for row in self],
                "best": [row is best for row in self],
            }
        )

    def agrees_with_network(self, formula: Formula) -> bool:
        """Return whether one of the rows may be chosen as the best."""
        return formula in self._trusted

    def for_fidelity(self, fidelity: float) -> Formula | None:
        """The simplest formula that is as faithful to the network as asked.

        Args:
            fidelity: least share of the decisions that are the network's, or least R2 of its
                values, on held-out data rows.

        Returns:
            The formula, or `None` where no row of the front is so faithful.

        Raises:
            ValueError: it is no number of at most 1.
        """
        if not isinstance(fidelity, (int, float)) or not fidelity <= 1:
            raise ValueError(
                "`for_fidelity` takes the least agreement or R2 that a formula is to have, a "
                f"number of at most 1, such as 0.95. Received: fidelity={fidelity!r}"
            )
        return next(
            (row for row in self if row.fidelity and row.fidelity.formula >= fidelity), None
        )

    def rewritten(self, rewrite: Callable[[Formula], Formula]) -> ParetoFront:
        """The front with each formula written in another way, and the same one for the best.

        Args:
            rewrite: takes a formula to another.
        """
        rows = [rewrite(row) for row in self._rows]
        if self._chosen is not None:
            front = ParetoFront.by_fidelity(rows, self._chosen, self.floor)
        else:
            trusted = [mine for mine, row in zip(rows, self._rows) if row in self._trusted]
            front = ParetoFront(rows, self.floor, trusted)
        front._picked = self._picked
        return front

    @property
    def has_fidelity(self) -> bool:
        """Whether fidelity was counted for its rows."""
        return any(row.fidelity is not None for row in self)

    def __str__(self) -> str:
        best = self.best
        counted = f"  {'fidelity':>8}" if self.has_fidelity else ""
        lines = [f"{'complexity':>10}  {'loss':>8}{counted}  formula"]
        for row in self:
            mark = "  <-- best" if row is best else ""
            if counted:
                counted = f"  {row.fidelity.shown if row.fidelity else '':>8}"
            text = f"{row.complexity:>10g}  {row.loss:>8.2e}{counted}  {row.to_pretty()}"
            lines.append(text + mark)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from keras_symgrad.formulas.front_table import front_html

        return front_html(self)

    def _repr_markdown_(self) -> str:
        from keras_symgrad.formulas.front_table import front_markdown

        return front_markdown(self)
