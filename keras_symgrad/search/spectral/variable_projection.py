"""Constants inside of features, fitted by least squares with the weights of the sum projected out.

For each choice of the inner constants the weights of the features are the eigenvector of the
smallest eigenvalue (`eigen_fit`), so that only the few inner constants are unknown (variable
projection). The residual is the part of the sum's unit gradient across the directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from keras_symgrad.engine import as_span, split
from keras_symgrad.expressions import Constant
from keras_symgrad.search.spectral.eigen_fit import smallest_eigenvector
from keras_symgrad.search.spectral.features import Feature, FeatureMaker

# Steps of Levenberg-Marquardt, and of those the first after which a fit must have got this much
# better to go on.
MAX_STEPS = 25
TRIAL_STEPS = 4
MIN_TRIAL_GAIN = 0.3
# Relative step of finite differences, and the mean of sin^2 at which a fit is exact.
DIFFERENCE = 1e-6
EXACT_ERROR = 1e-24
# Rounds in which rows are weighted by the length of the last sum's gradient.
REWEIGHTING_ROUNDS = 3


class VariableProjection:
    """Fit of the inner constants of features whose sum is to have given directions.

    Args:
        maker: makes the features.
        variables: the columns as features.
        directions: unit gradients, `(rows, axes)`, or spans, `(rows, k, axes)`.
        rows: weights of the rows, of sum 1.

    Example:

    >>> from keras_symgrad import OperatorSet
    >>> from keras_symgrad.expressions import Alphabet
    >>> from keras_symgrad.engine import unit
    >>> x = np.random.default_rng(0).uniform(0, 2, (100, 2))
    >>> directions = unit(np.stack([1.7 * np.cos(1.7 * x[:, 0]), np.ones(100)], axis=1))
    >>> alphabet = Alphabet(OperatorSet("mul, sin"), ["a", "b"])
    >>> maker = FeatureMaker(alphabet)
    >>> variables = maker.variables(x)
    >>> wave = maker.of_tree(alphabet.tree(["sin", "mul", 1.4, 0]), variables)
    >>> fit = VariableProjection(maker, variables, directions, np.full(100, 0.01))
    >>> features, error = fit.fitted([wave, variables[1]])
    >>> round(features[0].nodes[2].value, 6), error < 1e-15
    (1.7, True)
    """

    def __init__(
        self,
        maker: FeatureMaker,
        variables: Sequence[Feature],
        directions: np.ndarray,
        rows: np.ndarray,
    ):
        self.maker, self.variables, self.rows = maker, variables, rows
        self._span = as_span(directions)

    def fitted(self, features: Sequence[Feature]) -> tuple[list[Feature], float]:
        """Move the constants to the nearest minimum of the error, by Levenberg-Marquardt.

        Args:
            features: whose sum is fitted. Constants that are 1 do not move, as in 1 + c*x.

        Returns:
            Features with the fitted constants, and the mean of sin^2 of the angles.
        """
        features = list(features)
        parts = [self._parts(feature) for feature in features]
        # By place: a constant that happens to become 1 remains one to fit.
        places = [
            (k, i) for k, f in enumerate(features) for i, n in enumerate(f.nodes) if is_free(n)
        ]
        residual = self._residual(parts)
        error, damping = float(residual @ residual), 1e-3
        first = error
        for step in range(MAX_STEPS):
            if not places or error < EXACT_ERROR:
                break
            if step == TRIAL_STEPS and error > MIN_TRIAL_GAIN * first:
                break
            constants = np.array([features[k].nodes[i].value for k, i in places])
            steps = DIFFERENCE * (np.abs(constants) + 1e-3)
            columns = []
            for place, constant, step_size in zip(places, constants, steps):
                owner = place[0]
                shifted = self._moved(features, [place], [constant + step_size])
                moved = [*parts[:owner], self._parts(shifted[owner]), *parts[owner + 1 :]]
                columns.append((self._residual(moved) - residual) / step_size)
            jacobian = np.stack(columns, axis=1)
            if not np.isfinite(jacobian).all():
                break
            size = np.linalg.norm(jacobian, axis=0) + 1e-300
            jacobian, descent = jacobian / size, -(jacobian / size).T @ residual
            square = jacobian.T @ jacobian
            while damping < 1e6:
                change = np.linalg.solve(square + damping * np.eye(len(square)), descent) / size
                moved_features = self._moved(features, places, constants + change)
                moved_parts = [
                    self._parts(new) if new is not old else part
                    for new, old, part in zip(moved_features, features, parts)
                ]
                attempt = self._residual(moved_parts)
                if attempt @ attempt < error:
                    break
                damping *= 10
            else:
                break
            damping = max(damping / 10, 1e-12)
            gain = float(attempt @ attempt) / error
            features, parts, residual = moved_features, moved_parts, attempt
            error *= gain
            if gain > 1 - 1e-6:
                break
        return features, error

    def _parts(self, feature: Feature) -> tuple[np.ndarray, np.ndarray]:
        """Parts of a gradient along and across the directions, in units of its size."""
        if not feature.is_usable:
            nothing = np.full((len(self.rows), 1), np.nan)
            return nothing, nothing
        (along,), (across,) = split(feature.gradients[None], self._span)
        size = np.sqrt(self.rows @ (feature.gradients**2).sum(axis=1)) + 1e-300
        return along / size, across / size

    def _residual(self, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Differences whose squares add up to the mean of sin^2 for the best weights."""
        if any(np.isnan(along).all() for along, _ in parts):
            return np.full(self._span[:, 0].size, np.inf)
        along, across = (np.stack(some) for some in zip(*parts))
        rows = self.rows
        for _ in range(REWEIGHTING_ROUNDS):
            root = np.sqrt(rows)[:, None]
            missed, met = ((part * root).reshape(len(parts), -1) for part in (across, along))
            a = missed @ missed.T
            weights = smallest_eigenvector(a, a + met @ met.T)
            off = np.tensordot(weights, across, 1)
            square = (off**2).sum(axis=1) + (np.tensordot(weights, along, 1) ** 2).sum(axis=1)
            rows = self.rows / (square + 1e-6 * square.mean() + 1e-300)
        return np.asarray(np.sqrt(rows)[:, None] * off).ravel()

    def _moved(
        self,
        features: Sequence[Feature],
        places: Sequence[tuple[int, int]],
        constants: Sequence[float] | np.ndarray,
    ) -> list[Feature]:
        """The features with other constants in some places."""
        nodes = {k: list(features[k].nodes) for k, _ in places}
        for (k, i), constant in zip(places, constants):
            nodes[k][i] = Constant(float(constant))
        moved = list(features)
        for k, changed in nodes.items():
            feature = replace(features[k], nodes=tuple(changed))
            moved[k] = of_nodes(self.maker, feature, self.variables)
        return moved


def is_free(node: object) -> bool:
    """Return whether a node is a constant to fit: the 1 in 1 + c*x only sets the scale."""
    return isinstance(node, Constant) and node.value != 1


def of_nodes(maker: FeatureMaker, feature: Feature, variables: Sequence[Feature]) -> Feature:
    """A feature's nodes, with values and gradients on the rows of the variables."""
    made = maker.of_tree(feature.nodes, variables)
    return made.logarithm() if feature.is_logarithm else made
