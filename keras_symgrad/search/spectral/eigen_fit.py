"""Weights of features by an eigenproblem.

Directions of gradients are linear in sums. With u the unit gradients of the field, the gradient
of sum_k w_k T_k is parallel to u at every row exactly when

    sum_k w_k (I - u u^T) grad T_k = 0

so the best weights of given features belong to the smallest eigenvalue of the pencil (A, A + P),
where A_kl sums <perp grad T_k, perp grad T_l> over the rows and P_kl the same for the parallel
parts. It weighs rows by |grad T|^2; dividing by the last solution's |grad T|^2 a few times turns it
into the loss of unit gradients (iteratively reweighted least squares), and rows with far larger
errors than most are down-weighted (robust weights). Another loss is another weight.

The pencil does not depend on the signs of rows. Logarithms of products that change sign, whose
gradients reverse where the product does, are therefore fitted like all other features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_symgrad.engine import SQUARED, Loss, as_span, nearest, reduce_axes, split, unit
from keras_symgrad.search.spectral.features import Feature
from keras_symgrad.search.spectral.linear_combination import LinearCombination

# Rounds of reweighting. Weights have converged to a per mille by then.
REWEIGHTING_ROUNDS = 4
# A row has half the weight when its error is this many times the median error.
OUTLIER = 9.0
# Weights this near to 1 become 1 where the loss hardly changes.
NEARLY_ONE = 0.03
# Under another loss each set has separate row weights, which one pencil for all does not include:
# this many times the wanted number of sets are fitted one by one, and the weights of this many
# pairs are used for all. Measured with 14 % of the rows far off: the true pair was number 208 in
# the order of the plain pencil, and number 1 with the weights of almost any pair that fitted well.
FITTED = 2
LENT = 4


class SpectralFit:
    """Fit of weights of a dictionary's features to directions, all sets from the same arrays.

    Args:
        features: the dictionary.
        directions: unit gradients, `(rows, axes)`, or spans, `(rows, k, axes)`.
        rows: weights of the rows, `(rows,)`, of sum 1.
        columns: the variables to include; the others are free. Rows then count by the share of the
            gradient that these variables have, for the noise is the same in all, and may have any
            sign: in (a - b)**2 it is that of a - b.
        loss: how much a difference of directions counts.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        directions: np.ndarray,
        rows: np.ndarray,
        columns: Sequence[int] | None = None,
        loss: Loss = SQUARED,
    ):
        if columns is not None:
            columns = list(columns)
            directions = directions[:, columns]
            rows = rows * (directions**2).sum(axis=1)
            rows = rows / (rows.sum() + 1e-300)
            directions = unit(directions)
        self.features, self.rows, self.loss = features, rows, loss
        # Rows of the loss, which is a mean over them; the fit needs fewer.
        self.axes = directions.shape[-1]
        gradients, self.target = reduce_axes(
            [f.gradients if columns is None else f.gradients[:, columns] for f in features],
            directions,
        )
        # Features differ by orders of magnitude; the eigenproblem needs similar scales.
        self.scale = np.sqrt(np.einsum("r,krv->k", rows, gradients**2)) + 1e-300
        self.gradients = gradients / self.scale[:, None, None]
        self.along, self.across = split(self.gradients, as_span(self.target))
        self.square = (self.gradients**2).sum(axis=2)
        self.is_logarithm = np.array([feature.is_logarithm for feature in features])
        # Features whose gradients may change sign from row to row.
        self.turning = self.is_logarithm | (columns is not None or directions.ndim == 3)

    def singles(self, count: int) -> list[tuple[int, ...]]:
        """The best single features."""
        cosines = self.along[:, :, 0] / np.sqrt(self.square + 1e-300)
        if self.turning.any():
            lengths = np.linalg.norm(self.along[self.turning], axis=2)
            cosines[self.turning] = lengths / np.sqrt(self.square[self.turning] + 1e-300)
        if self.loss.is_squared:
            losses = 1 - np.abs(cosines @ self.rows)
        else:
            ways = [self.loss.of(2 * (1 - way)) @ self.rows for way in (cosines, -cosines)]
            losses = np.minimum(*ways)
        return [(int(k),) for k in np.argsort(losses, kind="stable")[:count]]

    def pairs(self, count: int) -> list[tuple[int, ...]]:
        """The best of all pairs, by two weightings of the rows.

        One weighting is used for all pairs at once, so features whose gradient is huge on a few
        rows would be judged by those alone. They are left out of the first, and the second gives
        each row the weight that evens out the logarithms.
        """
        found = self._pairs(self.rows, count)
        if self.is_logarithm.any():
            common = self.square[self.is_logarithm].mean(axis=0)
            rows = self.rows / (common + 1e-3 * common.mean() + 1e-300)
            found += self._pairs(rows / rows.sum(), count)
        if not self.loss.is_squared:
            for chosen in self._fitted(found, LENT):
                found += self._pairs(self._settled_rows(chosen), count)
            return self._fitted(found, 2 * count)
        return list(dict.fromkeys(found))

    def grown(self, sets: Sequence[tuple[int, ...]], count: int) -> list[tuple[int, ...]]:
        """The best sets with one feature more.

        Args:
            sets: features by their number in the dictionary.
            count: number of sets to return.
        """
        scored: dict[tuple[int, ...], float] = {}
        for chosen in sets:
            weights = self._settled_rows(chosen, 1 if self.loss.is_squared else REWEIGHTING_ROUNDS)
            members = np.array(chosen)
            a, p = self._blocks(members, weights)
            for new, value in zip(*_best_additions(a, a + p, members, 3 * count)):
                key = tuple(sorted((*chosen, int(new))))
                scored[key] = min(float(value), scored.get(key, np.inf))
        best = sorted(scored, key=lambda key: (scored[key], key))
        return best[:count] if self.loss.is_squared else self._fitted(best[: FITTED * count], count)

    def exchanged(self, sets: Sequence[tuple[int, ...]], count: int) -> list[tuple[int, ...]]:
        """The best sets with one feature replaced, which a beam that only adds may miss.

        Args:
            sets: features by their number in the dictionary.
            count: number of sets to return.
        """
        fewer = {
            tuple(k for k in chosen if k != left_out) for chosen in sets for left_out in chosen
        }
        return self.grown(sorted(fewer), count)

    def promise(self) -> float:
        """The error of all features together, 1 - cos^2 with rows reweighted once."""
        chosen = range(len(self.features))
        rows = self._reweighted(self._weights(chosen, self.rows), chosen)
        candidate = unit(self._sum(self._weights(chosen, rows), chosen))
        target = nearest(self.target, candidate)
        return 1 - float(self.rows @ (candidate * target).sum(axis=1) ** 2)

    def pruned(self, most: int) -> list[tuple[int, ...]]:
        """Nested sets: all features, then always without the feature whose removal costs least.

        With the eigenvectors v_j and eigenvalues l_j of the pencil, leaving out feature k raises
        the smallest eigenvalue, to first order, by

            v_1k^2 / sum_{j > 1} v_jk^2 / (l_j - l_1)

        which separates features that others can replace from those that count; the weights alone do
        not.

        Args:
            most: number of features in the largest set returned.

        Returns:
            Sets of `most` features and fewer, down to two.
        """
        chosen, sets = list(range(len(self.features))), []
        rows = self.rows
        while len(chosen) > 1:
            values, vectors = _eigenpairs(*self._pencil(chosen, rows))
            rows = self._reweighted(vectors[:, 0], chosen)
            if len(chosen) <= most:
                sets.append(tuple(chosen))
            gaps = values[1:] - values[0] + 1e-300
            missed = vectors[:, 0] ** 2 / ((vectors[:, 1:] ** 2 / gaps).sum(axis=1) + 1e-300)
            chosen.pop(int(np.argmin(missed)))
        return sets

    def solve(self, chosen: Sequence[int]) -> LinearCombination | None:
        """Fit chosen features; a feature with zero weight is left out.

        Args:
            chosen: features by their number in the dictionary.

        Returns:
            The combination, `None` if it has no gradient.
        """
        chosen = list(chosen)
        weights, rows = np.ones(1), self.rows
        if len(chosen) > 1:
            for _ in range(REWEIGHTING_ROUNDS):
                weights = self._weights(chosen, rows)
                rows = self._reweighted(weights, chosen)
        if not np.isfinite(weights).all():
            return None
        counts = np.abs(weights) >= 1e-6 * np.abs(weights).max()
        if not counts.all():
            return self.solve([k for k, kept in zip(chosen, counts) if kept])
        weights = weights / self.scale[chosen]
        # Most weights positive, and the smallest of size 1.
        weights = weights / np.abs(weights).min() * (1 if weights.sum() >= 0 else -1)
        loss = self._loss(weights, chosen)
        plain = np.where(np.abs(np.abs(weights) - 1) < NEARLY_ONE, np.sign(weights), weights)
        plain_loss = self._loss(plain, chosen)
        if plain_loss <= 1.1 * loss + 1e-9:
            weights, loss = plain, plain_loss
        return LinearCombination(tuple(self.features[k] for k in chosen), weights, loss)

    def _loss(self, weights: np.ndarray, chosen: list[int]) -> float:
        candidate = unit(self._sum(weights * self.scale[chosen], chosen))
        target = nearest(self.target, candidate)
        cosines = (candidate * target).sum(axis=1)
        if self.turning[chosen].any():
            cosines = np.abs(cosines)
        lengths = (target**2).sum(axis=1) + (candidate**2).sum(axis=1)
        if self.loss.is_squared:
            distance = max(float(self.rows @ lengths - 2 * abs(self.rows @ cosines)), 0.0)
        else:
            ways = (lengths - 2 * cosines, lengths + 2 * cosines)
            distance = min(self.loss.average(np.maximum(way, 0), self.rows) for way in ways)
        return distance / self.axes

    def _sum(self, weights: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
        return np.einsum("k,krv->rv", weights, self.gradients[list(chosen)])

    def _weights(self, chosen: Sequence[int], rows: np.ndarray) -> np.ndarray:
        return smallest_eigenvector(*self._pencil(chosen, rows))

    def _pencil(self, chosen: Sequence[int], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        root = np.sqrt(rows)[None, :, None]
        across = (self.across[list(chosen)] * root).reshape(len(chosen), -1)
        along = (self.along[list(chosen)] * root).reshape(len(chosen), -1)
        a, p = across @ across.T, along @ along.T
        return a, a + p

    def _reweighted(self, weights: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
        gradients = self._sum(weights, chosen)
        square = (gradients**2).sum(axis=1)
        across = square - (gradients * nearest(self.target, gradients)).sum(axis=1) ** 2
        error = np.maximum(across, 0) / (square + 1e-300)
        if self.loss.is_squared:
            robust = 1 / (1 + error / (OUTLIER * np.median(error) + 1e-9))
        else:
            # The pencil does not depend on signs: the smaller one of the two distances.
            robust = self.loss.weights(2 * (1 - np.sqrt(np.maximum(1 - error, 0))))
        rows = self.rows * robust / (square + 1e-3 * square.mean() + 1e-300)
        return rows / rows.sum()

    def _fitted(self, sets: Sequence[tuple[int, ...]], count: int) -> list[tuple[int, ...]]:
        """The sets with the lowest loss."""
        fits = {chosen: self.solve(chosen) for chosen in dict.fromkeys(sets)}
        losses = {chosen: fit.loss if fit else np.inf for chosen, fit in fits.items()}
        return sorted(losses, key=lambda chosen: (losses[chosen], chosen))[:count]

    def _settled_rows(self, chosen: Sequence[int], rounds: int = REWEIGHTING_ROUNDS) -> np.ndarray:
        """Weights of the rows in the fit of chosen features."""
        rows = self.rows
        for _ in range(rounds):
            rows = self._reweighted(self._weights(chosen, rows), chosen)
        return rows

    def _pairs(self, rows: np.ndarray, count: int) -> list[tuple[int, ...]]:
        weighted = self.square * rows
        total = weighted.sum(axis=1)
        even = np.flatnonzero(weighted.max(axis=1) * len(rows) < 50 * total)
        if len(even) < 2:
            return []
        scale = np.sqrt(rows)[:, None] / np.sqrt(total[even] + 1e-300)[:, None, None]
        across = (self.across[even] * scale).reshape(len(even), -1)
        along = (self.along[even] * scale).reshape(len(even), -1)
        a = across @ across.T
        b = a + along @ along.T
        i, j = np.triu_indices(len(even), 1)
        best = np.argsort(_smallest_eigenvalue_of_pairs(a, b, i, j), kind="stable")[:count]
        return [(int(even[i[k]]), int(even[j[k]])) for k in best]

    def _blocks(self, members: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Products of members with all features; last row: each feature with itself."""
        root = np.sqrt(rows)[None, :, None]
        across = (self.across * root).reshape(len(self.across), -1)
        along = (self.along * root).reshape(len(self.along), -1)
        a, p = across[members] @ across.T, along[members] @ along.T
        own = (across**2).sum(axis=1), (along**2).sum(axis=1)
        return np.vstack([a, own[0]]), np.vstack([p, own[1]])


# A combination of collinear features may have no gradient at all. The same small number on both
# sides gives it the quotient 1, the worst possible, instead of 0/0.
_RIDGE = 1e-9


def smallest_eigenvector(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The weights w with the smallest quotient (w a w) / (w b w) of two symmetric matrices.

    It uses Cholesky factors in NumPy: half the time of `scipy.linalg.eigh` on matrices this small,
    of which a search solves tens of thousands.
    """
    return _eigenpairs(a, b)[1][:, 0]


def _eigenpairs(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ascending eigenvalues, and eigenvectors as columns."""
    ridge = _RIDGE * np.trace(b) * np.eye(len(a))
    factor = np.linalg.inv(np.linalg.cholesky(b + ridge))
    values, vectors = np.linalg.eigh(factor @ (a + ridge) @ factor.T)
    return values, factor.T @ vectors


def _smallest_eigenvalue_of_pairs(
    a: np.ndarray, b: np.ndarray, i: np.ndarray, j: np.ndarray
) -> np.ndarray:
    """Eigenvalues of the pencils of all pairs, by the quadratic formula."""
    ridge = _RIDGE * (b[i, i] + b[j, j])
    aii, ajj, aij = a[i, i] + ridge, a[j, j] + ridge, a[i, j]
    bii, bjj, bij = b[i, i] + ridge, b[j, j] + ridge, b[i, j]
    square = bii * bjj - bij**2
    linear = aii * bjj + ajj * bii - 2 * aij * bij
    constant = aii * ajj - aij**2
    root = np.sqrt(np.maximum(linear**2 - 4 * square * constant, 0))
    return 2 * constant / (linear + root + 1e-300)


def _best_additions(
    a: np.ndarray, b: np.ndarray, members: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Features that lower the smallest eigenvalue most when added to the members."""
    size, count = len(members) + 1, a.shape[1]

    def pencils(block: np.ndarray) -> np.ndarray:
        matrices = np.empty((count, size, size))
        matrices[:, :-1, :-1] = block[:-1, members]
        matrices[:, :-1, -1] = matrices[:, -1, :-1] = block[:-1].T
        matrices[:, -1, -1] = block[-1]
        return matrices

    left, right = pencils(a), pencils(b)
    ridge = _RIDGE * np.einsum("kii->k", right)[:, None, None] * np.eye(size)
    factor = np.linalg.inv(np.linalg.cholesky(right + ridge))
    values = np.linalg.eigvalsh(factor @ (left + ridge) @ factor.transpose(0, 2, 1))[:, 0]
    values[members] = np.inf
    best = np.argsort(values)[:most]
    best = best[np.isfinite(values[best])]
    return best, values[best]
