"""`ClassInterpretation`: the formulas of a classifier of several classes, by pairs or by scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_symgrad.files import (
    Record,
    check_names,
    heading,
    listed_names,
    printable,
    read_points,
)
from keras_symgrad.formulas import AGREEMENT, Fidelity
from keras_symgrad.results.approximation import ClassScores
from keras_symgrad.results.base import CallOf, Result, provenance, without_call
from keras_symgrad.results.interpretation import Interpretation
from keras_symgrad.results.statements import (
    number_of_formulas,
    pairs,
    scores_of,
    share_of_classes,
    shorter_scores,
    unread_pairs,
)

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False, repr=False)
class ClassInterpretation(Result):
    """Formulas of a classifier of several classes, for pairs or for each class.

    They decide together: by the scores where there are some, else by the pairs.

    Attributes:
        name: of the model's output.
        classes: names of the classes.
        names: of the variables.
        pairs: by classes `(k, j)`, k > j: the interpretation of the logit of k against j.
        unread: pairs that were not read, and why.
        fidelity: share of the held-out data rows on which the formulas together choose the model's
            class, beside softmax regression on all inputs (`linear`), a tree and the majority.
        recall: the same among the rows of each class of the model; NaN without any.
        settings: the arguments of `interpret_classes`, as plain data.
        versions: of the packages.
        call: Python code that repeats the call of `interpret_classes`.
        scores: one formula for each class, of which the largest decides: approximations. `None`
            where the formulas of pairs decide.

    Example:

    >>> import keras
    >>> import keras_symgrad as ks
    >>> inputs = keras.Input((2,))
    >>> product = inputs[:, :1] * inputs[:, 1:]
    >>> scores = keras.layers.Concatenate()([8 * product - 8, 0 * product])
    >>> x = np.random.default_rng(0).uniform(-2, 2, (400, 2))
    >>> found = ks.interpret_classes(
    ...     keras.Model(inputs, scores),
    ...     x,
    ...     classes=["high", "low"],
    ...     operators="polynomial",
    ...     search=ks.Search(methods="dictionary"),
    ...     verbose=False,
    ... )
    >>> str(found.pairs[1, 0].best), found.agreement > 0.99
    ('x1*x2', True)
    """

    name: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    pairs: dict[Pair, Interpretation]
    unread: dict[Pair, str]
    fidelity: Fidelity
    recall: tuple[float, ...]
    settings: dict[str, Any] = field(repr=False)
    versions: dict[str, str] = field(repr=False)
    call: str = field(default="", repr=False)
    scores: ClassScores | None = field(default=None, repr=False)

    @property
    def agreement(self) -> float:
        """Share of the held-out rows on which the formulas choose the model's class."""
        return self.fidelity.formula

    @property
    def points(self) -> int:
        """Number of the held-out rows."""
        return self.fidelity.rows

    def margins(self, x: Any) -> np.ndarray:
        """Margin of each class against the class that comes nearest to ruling it out.

            m_k = min_j (s_k - s_j),   or of pairs   min_j phi_kj(g_kj(x)),  phi_jk = -phi_kj

        Args:
            x: points of shape `(rows, inputs)`, as in `interpret_classes`.

        Returns:
            Estimates of z_k - max_j z_j, `(rows, classes)`; those of pairs are within the range of
            the fits: 0 for a formula that is not finite at a point, minus infinity for a class in
            no pair.
        """
        x = _points(x, self.names)
        if self.scores is None:
            return margins(x, len(self.classes), self.pairs)
        scores = self.scores.best.values(x)
        top = np.sort(scores, axis=1)[:, -2:]
        rival = np.where(scores == top[:, 1:], top[:, :1], top[:, 1:])
        with np.errstate(invalid="ignore"):
            return np.where(np.isneginf(scores), -np.inf, scores - rival)

    def predict(self, x: Any) -> np.ndarray:
        """Predict the class that no formula rules out, or the one ruled out by least.

        Args:
            x: points of shape `(rows, inputs)`, as in `interpret_classes`.

        Returns:
            Numbers of classes, `(rows,)`.
        """
        return np.argmax(self.margins(x), axis=1)

    def rules(self) -> list[str]:
        """One line for each class's score, and for each pair the rule for one of its classes."""
        return [
            *(f"score of {name}: {score.to_pretty()}" for name, score in scores_of(self)),
            *(
                f"{title}: {concept.rule or concept.headline} [{concept.matches}]"
                for title, concept in pairs(self)
            ),
        ]

    def __repr__(self) -> str:
        share = f"agreement {self.agreement:.1%}"
        return f"ClassInterpretation({self.name!r}: {number_of_formulas(self)}, {share})"

    def __str__(self) -> str:
        lines = [
            f"{self.name}: {len(self.classes)} classes by {number_of_formulas(self)}",
            share_of_classes(self),
            *(
                f"  {name}: {100 * share:.1f} %"
                for name, share in zip(self.classes, self.recall)
                if np.isfinite(share)
            ),
            "",
            *self.rules(),
            *(f"{title}: {text}" for title, text in unread_pairs(self)),
            *shorter_scores(self),
        ]
        return printable("\n".join(lines))

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data."""
        return {
            **heading("classes"),
            "name": self.name,
            "classes": list(self.classes),
            "variables": list(self.names),
            "agreement": self.agreement,
            "fidelity": self.fidelity.to_dict(),
            "recall": [share if np.isfinite(share) else None for share in self.recall],
            "points": self.points,
            "scores": None if self.scores is None else self.scores.to_dict(),
            "pairs": [
                {"classes": [self.classes[k], self.classes[j]], **concept.to_dict()}
                for (k, j), concept in self.pairs.items()
            ],
            "unread": [
                {"classes": [self.classes[k], self.classes[j]], "reason": reason}
                for (k, j), reason in self.unread.items()
            ],
            "settings": self.settings,
            "versions": self.versions,
        }

    @classmethod
    def from_dict(
        cls, content: Record | Mapping[str, Any], call_of: CallOf = without_call
    ) -> ClassInterpretation:
        """Read a result from the plain data of `to_dict`.

        Args:
            content: the data, those of an earlier version too.
            call_of: makes the code that repeats the call.

        Raises:
            ValueError: they are not a result of classes.
        """
        record = Record.of(content)
        variables, classes = record.texts("variables"), record.texts("classes")

        def pair(of: Record) -> Pair:
            found = of.texts("classes")
            if len(found) != 2 or not set(found) <= set(classes):
                raise of.refused("classes", "two of the classes")
            return classes.index(found[0]), classes.index(found[1])

        names = check_names(variables, len(variables))
        scores = record.maybe("scores", lambda one: ClassScores.from_dict(one, names))
        if scores is not None and any(len(one.formulas) != len(classes) for one in scores.front):
            raise record.refused("scores", "one formula for each class")
        fidelity = record.maybe("fidelity", Fidelity.from_dict)
        if fidelity is None:
            # Version 1 had no references at first, and counted drawn points as well.
            agreement = record.number("agreement", math.nan)
            fidelity = Fidelity(AGREEMENT, agreement, math.nan, record.whole("points"))
        return cls(
            record.text("name"),
            classes,
            names,
            {pair(one): Interpretation.from_dict(one, call_of) for one in record.records("pairs")},
            {pair(one): one.text("reason") for one in record.records("unread")},
            fidelity,
            # It is undefined for a class without points.
            tuple(record.numbers("recall", math.nan)),
            *provenance(record),
            call_of("classes", record),
            scores,
        )

    def _page(self) -> str:
        from keras_symgrad.results.report import page_of_classes

        return page_of_classes(self)

    def _repr_html_(self) -> str:
        from keras_symgrad.results.report import classes_html

        return classes_html(self)

    def _repr_markdown_(self) -> str:
        from keras_symgrad.results.report import classes_markdown

        return classes_markdown(self)


def _points(x: Any, names: tuple[str, ...]) -> np.ndarray:
    points, found = read_points(x).in_model_order(names)
    if points.shape[1] != len(names):
        raise ValueError(
            f"Expected points of {len(names)} columns: {listed_names(names)}. Received "
            f"{points.shape[1]}: {listed_names(found)}"
        )
    return points


def margins(x: np.ndarray, classes: int, pairs: dict[Pair, Interpretation]) -> np.ndarray:
    """Margin of each class against the class that comes nearest to ruling it out.

    Args:
        x: points of shape `(rows, inputs)`.
        classes: number of classes.
        pairs: the interpretation of the logit of k against j, by `(k, j)`.

    Returns:
        See `ClassInterpretation.margins`, `(rows, classes)`.
    """
    least = np.full((len(x), classes), np.inf)
    for (k, j), concept in pairs.items():
        if concept.phi is None:
            raise ValueError(
                f"Expected interpretations of a model. The one of {k}, {j} has no phi."
            )
        with np.errstate(all="ignore"):
            logit = np.nan_to_num(concept.phi(concept.best(x)))
        for one, value in ((k, logit), (j, -logit)):
            least[:, one] = np.minimum(least[:, one], value)
    return np.where(np.isposinf(least), -np.inf, least)
