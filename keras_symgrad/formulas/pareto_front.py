"""`ParetoFront`: formulas by complexity, each with a lower loss than all before it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, overload

from keras_symgrad.files import Record
from keras_symgrad.formulas.formula import Formula
from keras_symgrad.search.core import POOR_FIT, choose_model

if TYPE_CHECKING:
    import pandas as pd


class ParetoFront(Sequence[Formula]):
    """Formulas by ascending complexity, each with a lower loss than all before it.

    Args:
        formulas: any formulas; those that a simpler one equals or beats are left out.
        floor: losses below it are noise.
        trusted: formulas that may be chosen as the best; all by default.

    Raises:
        ValueError: there are no formulas.

    Example:

    >>> import sympy
    >>> x = sympy.Symbol("x", real=True)
    >>> rows = ((x, 1, 0.5), (2 * x, 3, 0.5), (x**2, 3, 1e-5))
    >>> front = ParetoFront([Formula(*row, ("x",)) for row in rows])
    >>> len(front), str(front[0]), str(front.best)
    (2, 'x', 'x**2')
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

        >>> import sympy
        >>> from keras_symgrad.formulas import Fidelity
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

        >>> import sympy
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

    def to_dict(self) -> dict[str, Any]:
        """The rows and which of them were trusted, chosen and picked, as plain data."""
        return {
            "front": [row.to_dict() for row in self],
            "trusted": [k for k, row in enumerate(self) if self.agrees_with_network(row)],
            "chosen": self.chosen,
            "picked": self.picked,
        }

    @classmethod
    def from_dict(
        cls, content: Record | Mapping[str, Any], names: tuple[str, ...], floor: float = 0.0
    ) -> ParetoFront:
        """Read a front from the plain data of `to_dict`.

        Args:
            content: the data.
            names: of the variables.
            floor: losses below it are noise.

        Raises:
            ValueError: they are not a front of formulas of these variables.
        """
        record = Record.of(content)
        rows = [Formula.from_dict(row, names) for row in record.records("front")]
        if not rows or not all(math.isfinite(row.complexity) for row in rows):
            raise record.refused("front", "formulas of finite complexity")

        def numbered(name: str) -> int:
            number = record.whole(name)
            if number >= len(rows):
                raise record.refused(name, "the number of a row of the front")
            return number

        if "chosen" in record:
            front = cls.by_fidelity(rows, numbered("chosen"), floor)
        else:
            trusted = None
            if "trusted" in record:
                numbers = set(record.numbers("trusted"))
                if not numbers <= set(range(len(rows))):
                    raise record.refused("trusted", "numbers of rows of the front")
                trusted = [row for number, row in enumerate(rows) if number in numbers]
            front = cls(rows, floor, trusted)
        return front.picking(numbered("picked")) if "picked" in record else front

    def to_dataframe(self) -> pd.DataFrame:
        """The front as a table of pandas: complexity, loss, fidelity, formula, which is the best.

        >>> import sympy
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
        if not isinstance(fidelity, Real) or not fidelity <= 1:
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
        """True if the fidelity of some rows was counted."""
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
