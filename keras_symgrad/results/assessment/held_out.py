"""Fidelity on held-out data rows, beside simple models of the network.

The references are what anybody would try first: a linear model on all inputs (a logistic one for
decisions) and a decision tree of depth 3, both of scikit-learn, fitted to the network's outputs on
the data rows that gradients may be read at.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from keras_symgrad.formulas import AGREEMENT, Fidelity, Formula, MonotoneFit
from keras_symgrad.gradients import GradientField, Reading

# Data rows that are counted at most, and that reference models are fitted on.
MAX_COUNTED_ROWS = 10_000
MAX_REFERENCE_ROWS = 20_000
# Rows that phi is fitted on for each formula of a front; for the chosen one it is on all.
MAX_PHI_ROWS = 20_000
TREE_DEPTH = 3
# Iterations of the logistic model; standardized columns take a few dozen.
MAX_ITERATIONS = 1000


@dataclass(frozen=True, eq=False)
class DataRows:
    """Rows of the data with what the network returns there.

    Attributes:
        points: of the variables of formulas, `(rows, variables)`, finite.
        values: of the network, `(rows,)`.
    """

    points: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True, eq=False)
class HeldOutRows:
    """Data rows that nothing was fitted on, with what the references say there.

    Attributes:
        rows: the held-out rows.
        train: the rows that references were fitted on.
        decides: whether decisions are compared, and not values.
        linear: fidelity of the linear or logistic model; `None` where none could be fitted.
        tree: fidelity of the decision tree.
    """

    rows: DataRows
    train: DataRows
    decides: bool
    linear: float | None
    tree: float | None

    @classmethod
    def of(
        cls, reading: Reading, train: GradientField, held_out: GradientField, seed: int = 0
    ) -> HeldOutRows:
        """The held-out rows of what was read.

        Args:
            reading: data points that were kept apart are counted, and no others.
            train: rows of the field that formulas are fitted on; they are taken where there is no
                network.
            held_out: rows of the field that are counted where there is no network.
            seed: of the choice of rows and of the tree.

        Returns:
            The rows.

        Raises:
            ValueError: the field has no values.
        """
        neuron = reading.neuron
        if neuron is None:
            origin = reading.field.origin
            decides = bool(origin.get("drawn", 0) + origin.get("moved", 0))
            known, kept = (DataRows(f.points, f.known_values) for f in (train, held_out))
        else:
            decides = reading.is_classifier
            rng = np.random.default_rng(seed)
            # A test of millions of rows tells no more than one of thousands.
            shown = finite_points(reading.shown)
            if len(shown) > MAX_REFERENCE_ROWS:
                shown = shown[rng.permutation(len(shown))[:MAX_REFERENCE_ROWS]]
            tested = finite_points(reading.test_points)[:MAX_COUNTED_ROWS]
            known, kept = (
                DataRows(reading.in_variables(x), np.asarray(neuron.values(x), float))
                for x in (shown, tested)
            )
        # Where all decisions are alike, only values distinguish a formula from a constant.
        decides = decides and all(0 < np.mean(r.values > 0) < 1 for r in (known, kept))
        return cls(kept, known, decides, None, None).with_references(seed)

    def with_references(self, seed: int = 0) -> HeldOutRows:
        """The rows with what the references say, which are fitted where they are not known.

        Args:
            seed: of the tree.
        """
        if self.linear is not None or self.tree is not None:
            return self
        linear, tree = (
            None if found is None else self.fidelity(found).formula
            for found in _references(self.train, self.rows.points, self.decides, seed)
        )
        return replace(self, linear=linear, tree=tree)

    def fidelity(self, values: np.ndarray) -> Fidelity:
        """The fidelity of values that are to be the network's.

        Args:
            values: at the held-out rows, `(rows,)`; positive ones say yes.
        """
        network = self.rows.values
        with np.errstate(invalid="ignore"):
            if self.decides:
                found = Fidelity.of_decisions(network > 0, values > 0)
            else:
                found = Fidelity.of_values(network, values)
        return replace(found, linear=self.linear, tree=self.tree, held_out=self.are_apart)

    @cached_property
    def are_apart(self) -> bool:
        """False for the fewest rows, which all are in both parts."""
        return not np.array_equal(self.rows.points, self.train.points)

    def of_formula(self, formula: Formula, phi: MonotoneFit) -> Fidelity:
        """The fidelity of phi(formula).

        Args:
            formula: the concept g.
            phi: the function that wraps it.
        """
        with np.errstate(all="ignore"):
            return self.fidelity(phi(formula(self.rows.points)))

    def with_fidelity(self, front: Iterable[Formula], field: GradientField) -> list[Formula]:
        """Formulas with their fidelity, each with a phi of its own.

        Args:
            front: the formulas.
            field: rows with the network's values, that phi is fitted on.

        Returns:
            The same formulas; those of fewer than two values have no fidelity.
        """
        field = field.subset(MAX_PHI_ROWS)
        found = []
        for row in front:
            g = row(field.points)
            if np.unique(g[np.isfinite(g)]).size > 1:
                phi = MonotoneFit.of_neuron(g, field.known_values, decides=self.decides)
                row = replace(row, fidelity=self.of_formula(row, phi))
            found.append(row)
        return found


def _references(
    train: DataRows, points: np.ndarray, decides: bool, seed: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Predictions of a linear or logistic model and of a tree at points; positive is yes."""
    target = (train.values > 0).astype(int) if decides else train.values
    fits = np.isfinite(train.values)
    linear, tree = predictions(train.points[fits], target[fits], points, seed)
    if decides and linear is not None and tree is not None:
        return np.where(linear, 1.0, -1.0), np.where(tree, 1.0, -1.0)
    return linear, tree


def predictions(
    train: np.ndarray, target: np.ndarray, points: np.ndarray, seed: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Predictions of a linear model and of a tree at points, or of classifiers for whole numbers.

    Args:
        train: points that they are fitted on, `(rows, variables)`.
        target: values or, as whole numbers, classes there, `(rows,)`.
        points: where they predict, `(points, variables)`.
        seed: of the tree.

    Returns:
        Two arrays `(points,)`, each `None` where nothing can be fitted.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if not len(train) or not len(points):
        return None, None
    # Some data are beyond the range of the floats that trees are made in, and a column may be zero
    # on all the rows of one part.
    both = np.concatenate([train, points])
    size = np.maximum(np.abs(both).max(axis=0), np.finfo(float).tiny)
    known, points = train / size, points / size
    fits = np.isfinite(known).all(axis=1)
    if not fits.any() or not np.isfinite(points).all():
        return None, None
    known, target = known[fits], target[fits]
    if target.dtype.kind == "i":
        if len(np.unique(target)) < 2:
            return None, None
        models = (
            LogisticRegression(max_iter=MAX_ITERATIONS),
            DecisionTreeClassifier(max_depth=TREE_DEPTH, random_state=seed),
        )
    else:
        models = (
            LinearRegression(),
            DecisionTreeRegressor(max_depth=TREE_DEPTH, random_state=seed),
        )
    scaled = make_pipeline(StandardScaler(), models[0])
    with warnings.catch_warnings():
        # Labels that a plane divides have no finite optimum, and what is reached divides them.
        warnings.simplefilter("ignore", ConvergenceWarning)
        linear, tree = (model.fit(known, target).predict(points) for model in (scaled, models[1]))
    return linear, tree


def fidelity_of_classes(
    train: DataRows, held_out: DataRows, chosen: np.ndarray, classes: int, seed: int = 0
) -> tuple[Fidelity, list[Fidelity]]:
    """The fidelity of choices among several classes, beside softmax regression and a tree.

    Args:
        train: rows that the simple models are fitted on, with the classes that the network chooses
            there.
        held_out: rows that nothing was fitted on, with the network's classes.
        chosen: classes that formulas choose at the held-out rows, `(rows,)`.
        classes: their number.
        seed: of the tree.

    Returns:
        Of all choices, and for each class, of the decisions whether a row is in it.

    Example:

    >>> x = np.arange(8.0)[:, None]
    >>> rows = DataRows(x, np.array([0, 0, 0, 1, 1, 2, 2, 2]))
    >>> fidelity, each = fidelity_of_classes(rows, rows, np.array([0, 0, 0, 1, 1, 1, 2, 2]), 3)
    >>> fidelity.formula, fidelity.majority, fidelity.tree, [one.formula for one in each]
    (0.875, 0.375, 1.0, [1.0, 0.875, 0.875])
    """
    network, known = (rows.values.astype(int) for rows in (held_out, train))
    references = predictions(train.points, known, held_out.points, seed)

    def alike(labels: np.ndarray, *found: np.ndarray | None) -> Fidelity:
        alone, linear, tree = (
            None if one is None else float(np.mean(one == labels)) for one in found
        )
        share = max(np.mean(labels == label) for label in np.unique(labels))
        return Fidelity(AGREEMENT, alone or 0.0, float(share), len(labels), linear, tree)

    found = (chosen, *references)
    return alike(network, *found), [
        alike(network == k, *(None if one is None else one == k for one in found))
        for k in range(classes)
    ]


def finite_points(points: np.ndarray) -> np.ndarray:
    """The rows without NaN and infinity; the array itself where all are."""
    finite = np.isfinite(points).all(axis=1)
    return points if finite.all() else points[finite]
