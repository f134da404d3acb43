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

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice

import numpy as np

from keras_symgrad.engine import SQUARED, Loss, as_span, nearest, reduce_axes, split, unit
from keras_symgrad.search.spectral.features import Feature
from keras_symgrad.search.spectral.linear_combination import LinearCombination

# Rounds of reweighting. Weights have converged to a per mille by then.
REWEIGHTING_ROUNDS = 4
# Sets that are fitted at once: NumPy takes longer to be called than to fit one.
STACK = 16
# Steps of Newton's method, which doubles the right digits in each.
NEWTON_STEPS = 6
# Difference of eigenvalues, which are from 0 to 1, that rounding leaves.
SMALLEST_GAP = 1e-16
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
            for members in _stacks(self._fitted(found, LENT)):
                for rows in self._settled(members, REWEIGHTING_ROUNDS)[1]:
                    found += self._pairs(rows, count)
            return self._fitted(found, 2 * count)
        return list(dict.fromkeys(found))

    def grown(self, sets: Sequence[tuple[int, ...]], count: int) -> list[tuple[int, ...]]:
        """The best sets with one feature more.

        Args:
            sets: features by their number in the dictionary.
            count: number of sets to return.
        """
        scored: dict[tuple[int, ...], float] = {}
        rounds = 1 if self.loss.is_squared else REWEIGHTING_ROUNDS
        for members in _stacks(sets):
            _, rows = self._settled(members, rounds)
            for chosen, a, p in zip(members, *self._blocks(members, rows)):
                for new, value in zip(*_best_additions(a, a + p, chosen, 3 * count)):
                    key = tuple(sorted((*chosen.tolist(), int(new))))
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
        every = np.arange(len(self.features))[None]
        _, rows = self._settled(every, 1)
        weights = smallest_eigenvector(*self._pencils(every, rows))
        candidate, target = self._compared(self._sums(weights, every))
        return 1 - float(self.rows @ (candidate * target).sum(axis=2)[0] ** 2)

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
        rows = self.rows[None]
        while len(chosen) > 1:
            members = np.array(chosen)[None]
            (values,), (vectors,) = _eigenpairs(*self._pencils(members, rows))
            rows = self._reweighted(vectors[None, :, 0], members)
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
        return next(self._solved(np.array(chosen)[None]))

    def solved(self, sets: Iterable[Sequence[int]]) -> Iterator[LinearCombination]:
        """Fit sets of features, many at once, without those that have no gradient.

        Args:
            sets: features by their number in the dictionary.
        """
        for members in _stacks(sets):
            yield from filter(None, self._solved(members))

    def _solved(self, members: np.ndarray) -> Iterator[LinearCombination | None]:
        """Fit sets of one size, `(sets, features)`."""
        weights = np.ones(members.shape)
        if members.shape[1] > 1:
            weights, _ = self._settled(members, REWEIGHTING_ROUNDS)
        size = np.abs(weights)
        counts = size >= 1e-6 * size.max(axis=1, keepdims=True)
        weights = weights / self.scale[members]
        # Most weights positive, and the smallest of size 1; without any that is too small to count.
        smallest = np.abs(weights).min(axis=1) * np.where(weights.sum(axis=1) >= 0, 1, -1)
        usable = counts.all(axis=1) & (smallest != 0)
        weights = weights / np.where(usable, smallest, 1)[:, None]
        plain = np.where(np.abs(np.abs(weights) - 1) < NEARLY_ONE, np.sign(weights), weights)
        losses, plain_losses = self._losses(weights, members), self._losses(plain, members)
        is_plain = plain_losses <= 1.1 * losses + 1e-9
        weights = np.where(is_plain[:, None], plain, weights)
        losses = np.where(is_plain, plain_losses, losses)
        for chosen, each, loss, kept in zip(members, weights, losses, counts):
            if not np.isfinite(each).all():
                yield None
            elif not kept.all():
                yield self.solve(chosen[kept])
            else:
                yield LinearCombination(tuple(self.features[k] for k in chosen), each, float(loss))

    def _losses(self, weights: np.ndarray, members: np.ndarray) -> np.ndarray:
        candidate, target = self._compared(self._sums(weights * self.scale[members], members))
        cosines = (candidate * target).sum(axis=2)
        turning = self.turning[members].any(axis=1)
        cosines = np.where(turning[:, None], np.abs(cosines), cosines)
        lengths = (target**2).sum(axis=2) + (candidate**2).sum(axis=2)
        if self.loss.is_squared:
            distances = np.maximum(lengths @ self.rows - 2 * np.abs(cosines @ self.rows), 0.0)
        else:
            ways = [np.maximum(lengths + sign * 2 * cosines, 0) for sign in (-1, 1)]
            rho = np.minimum(*(self.loss.of(way) @ self.rows for way in ways))
            distances = self.loss.distance(rho)
        return distances / self.axes

    def _compared(self, gradients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unit gradients `(sets, rows, axes)`, and the directions to compare them with."""
        flat = unit(gradients.reshape(-1, gradients.shape[-1]))
        return flat.reshape(gradients.shape), self._nearest(flat.reshape(gradients.shape))

    def _nearest(self, gradients: np.ndarray) -> np.ndarray:
        if self.target.ndim == 2:
            return np.broadcast_to(self.target, gradients.shape)
        return np.stack([nearest(self.target, each) for each in gradients])

    def _sums(self, weights: np.ndarray, members: np.ndarray) -> np.ndarray:
        """The gradients of sums, `(sets, rows, axes)`."""
        chosen = self.gradients[members]
        flat = weights[:, None] @ chosen.reshape(*members.shape, -1)
        return flat.reshape(len(members), *chosen.shape[2:])

    def _pencils(self, members: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        root = np.sqrt(rows)[:, None, :, None]
        across = (self.across[members] * root).reshape(*members.shape, -1)
        along = (self.along[members] * root).reshape(*members.shape, -1)
        a = across @ across.swapaxes(1, 2)
        return a, a + along @ along.swapaxes(1, 2)

    def _reweighted(self, weights: np.ndarray, members: np.ndarray) -> np.ndarray:
        """Weights of the rows in the next round, `(sets, rows)`."""
        gradients = self._sums(weights, members)
        square = (gradients**2).sum(axis=2)
        across = square - (gradients * self._nearest(gradients)).sum(axis=2) ** 2
        error = np.maximum(across, 0) / (square + 1e-300)
        if self.loss.is_squared:
            median = np.median(error, axis=1, keepdims=True)
            robust = 1 / (1 + error / (OUTLIER * median + 1e-9))
        else:
            # The pencil does not depend on signs: the smaller one of the two distances.
            robust = self.loss.weights(2 * (1 - np.sqrt(np.maximum(1 - error, 0))))
        mean = square.mean(axis=1, keepdims=True)
        rows = self.rows * robust / (square + 1e-3 * mean + 1e-300)
        return rows / rows.sum(axis=1, keepdims=True)

    def _settled(self, members: np.ndarray, rounds: int) -> tuple[np.ndarray, np.ndarray]:
        """Weights of features and of rows after rounds of reweighting, for sets of one size."""
        weights, rows = np.ones(members.shape), np.tile(self.rows, (len(members), 1))
        for _ in range(rounds):
            weights = smallest_eigenvector(*self._pencils(members, rows))
            rows = self._reweighted(weights, members)
        return weights, rows

    def _fitted(self, sets: Iterable[tuple[int, ...]], count: int) -> list[tuple[int, ...]]:
        """The sets with the lowest loss."""
        losses: dict[tuple[int, ...], float] = {}
        for members in _stacks(dict.fromkeys(sets)):
            for chosen, fit in zip(members.tolist(), self._solved(members)):
                losses[tuple(chosen)] = fit.loss if fit else np.inf
        return sorted(losses, key=lambda chosen: (losses[chosen], chosen))[:count]

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
        values = _smallest_eigenvalues_of_pairs(a, b)[i, j]
        near = np.arange(len(values))
        if count < len(values):
            # There are 125,000 pairs of 500 features: they are not all sorted.
            near = np.flatnonzero(values <= np.partition(values, count)[count])
        best = near[np.argsort(values[near], kind="stable")[:count]]
        return [(int(even[i[k]]), int(even[j[k]])) for k in best]

    def _blocks(self, members: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Products of members with all features; last row: each feature with itself."""

        def products(parts: np.ndarray) -> np.ndarray:
            weighted = parts[members] * rows[:, None, :, None]
            flat = parts.reshape(len(parts), -1)
            mixed = weighted.reshape(members.size, -1) @ flat.T
            own = rows @ np.einsum("krv,krv->rk", parts, parts)
            return np.concatenate([mixed.reshape(*members.shape, -1), own[:, None]], axis=1)

        return products(self.across), products(self.along)


# A combination of collinear features may have no gradient at all. The same small number on both
# sides gives it the quotient 1, the worst possible, instead of 0/0.
_RIDGE = 1e-9


def smallest_eigenvector(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The weights w with the smallest quotient (w a w) / (w b w) of two symmetric matrices.

    It uses Cholesky factors in NumPy: half the time of `scipy.linalg.eigh` on matrices this small,
    of which a search solves tens of thousands.

    Args:
        a: one matrix, or a stack of them.
        b: positive definite, of the same shape.
    """
    return _eigenpairs(a, b)[1][..., 0]


def _eigenpairs(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ascending eigenvalues, and eigenvectors as columns."""
    trace = np.einsum("...ii->...", b)[..., None, None]
    ridge = _RIDGE * trace * np.eye(b.shape[-1])
    factor = np.linalg.inv(np.linalg.cholesky(b + ridge))
    turned = factor.swapaxes(-1, -2)
    values, vectors = np.linalg.eigh(factor @ (a + ridge) @ turned)
    return values, turned @ vectors


def _stacks(sets: Iterable[Sequence[int]]) -> Iterator[np.ndarray]:
    """Consecutive sets of one size together, `(sets, features)`, at most as many as `STACK`."""
    for _, alike in groupby(sets, len):
        while some := list(islice(alike, STACK)):
            yield np.array(some)


def _smallest_eigenvalues_of_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Eigenvalues of the pencils of all pairs, `(features, features)`, by the quadratic formula."""
    first, second = a.diagonal()[:, None], b.diagonal()[:, None]
    ridge = _RIDGE * (second + second.T)
    aii, ajj, bii, bjj = first + ridge, first.T + ridge, second + ridge, second.T + ridge
    square = bii * bjj - b**2
    linear = aii * bjj + ajj * bii - 2 * a * b
    constant = aii * ajj - a**2
    root = np.sqrt(np.maximum(linear**2 - 4 * square * constant, 0))
    return 2 * constant / (linear + root + 1e-300)


def _best_additions(
    a: np.ndarray, b: np.ndarray, members: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Features that lower the smallest eigenvalue most when added to the members.

    In the members' eigenvectors, and the part of a new feature that is orthogonal to them, each
    larger pencil is an arrowhead: the eigenvalues l_j in its diagonal, c_j beside them, and d in
    the corner. Its smallest eigenvalue is the x below all l_j where

        d - x = sum_j c_j^2 / (l_j - x)

    Newton's method converges to it from above, and starts from the smallest eigenvalue of any one
    l_j with its c_j and d.
    """
    eigenvalues, vectors = _eigenpairs(a[:-1, members], b[:-1, members])
    inside, crossed = vectors.T @ b[:-1], vectors.T @ a[:-1]
    apart = np.maximum(b[-1] - (inside**2).sum(axis=0), _RIDGE * b[-1]) + 1e-300
    diagonal = eigenvalues[:, None]
    kept = diagonal * inside
    corner = (a[-1] + (inside * (kept - 2 * crossed)).sum(axis=0)) / apart
    squares = (crossed - kept) ** 2 / apart
    alone = (diagonal + corner) / 2 - np.sqrt(((diagonal - corner) / 2) ** 2 + squares)
    values = alone.min(axis=0)
    for _ in range(NEWTON_STEPS):
        gaps = np.maximum(diagonal - values, SMALLEST_GAP)
        quotients = squares / gaps
        slopes = 1 + (quotients / gaps).sum(axis=0)
        values = values + (corner - values - quotients.sum(axis=0)) / slopes
    values[members] = np.inf
    best = np.argsort(values)[:most]
    best = best[np.isfinite(values[best])]
    return best, values[best]
