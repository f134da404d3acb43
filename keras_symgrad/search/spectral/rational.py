"""Quotients of two sums by alternating eigenproblems.

Let N and D be sums of basis functions T_k with weights n and d. Up to a factor on every row, which
does not change directions, the gradient of N/D is

    sum_k n_k (D grad T_k - T_k grad D)

which is linear in n for fixed d, and the other way round for D/N, which is the same concept. So n
and d are found alternately, each as the eigenvector of a pencil (`eigen_fit`), until neither
changes.

Every other pair of sums from the plane that n and d span has the same concept, because (a N + b
D)/(c N + e D) is a fractional linear function of N/D. The pair with the fewest basis functions is
written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from keras_symgrad.engine import as_span, reduce_axes, split
from keras_symgrad.search.spectral.eigen_fit import smallest_eigenvector
from keras_symgrad.search.spectral.features import Feature

# Rounds of the two eigenproblems from one start, and the gain below which they end.
ALTERNATING_ROUNDS = 24
MIN_GAIN_PER_ROUND = 0.02
# A basis function that contributes less than this share of its sum is dropped on trial.
NEGLIGIBLE = 1e-3
# The largest cosine between the weights of numerator and denominator.
MOST_ALIKE = 0.9
# Number of starts that are completed, chosen by their error after the first eigenproblem.
MAX_RATIONAL_STARTS = 4
# Starts with this many times the error of the best are discarded.
MUCH_WORSE = 10.0
# Basis functions of both sides that are dropped one by one.
MOST_WRITTEN = 12


@dataclass(frozen=True, eq=False)
class RationalFunction:
    """Two weighted sums of the same basis functions.

    Attributes:
        over: weights of the numerator, `(functions,)`.
        under: weights of the denominator.
        error: mean of 1 - cos^2 between its gradient and the target.
    """

    over: np.ndarray
    under: np.ndarray
    error: float


class RationalFit:
    """Fit of quotients of sums of basis functions to directions.

    Args:
        words: features; the constant 1 is added to them.
        directions: unit gradients, `(rows, axes)`, or spans, `(rows, k, axes)`.
        rows: weights of the rows, of sum 1.
    """

    def __init__(self, words: Sequence[Feature], directions: np.ndarray, rows: np.ndarray):
        self.rows = rows
        values = np.stack([np.ones(len(rows)), *(word.values for word in words)])
        slopes = [word.gradients for word in words]
        gradients, target = reduce_axes([np.zeros_like(slopes[0]), *slopes], directions)
        self.target = as_span(target)
        # Basis functions of one typical size, so that weights and contributions are comparable.
        self.scale = np.exp(np.log(np.abs(values) + 1e-12) @ rows)
        self.values = values / self.scale[:, None]
        self.gradients = gradients / self.scale[:, None, None]

    def promise(self) -> float:
        """The least error with a one-term denominator: enough to compare sets of functions."""
        every = np.ones(len(self.scale), bool)
        return min(self._other(word, every, 1)[1] for word in np.eye(len(self.scale)))

    def quotients(self, pairs: bool = False) -> Iterator[RationalFunction]:
        """The best quotients of all basis functions, and sparser ones of fewer and fewer.

        Args:
            pairs: whether to start from all sums and differences of two basis functions as well,
                and not from single ones only.
        """
        every = np.ones(len(self.scale), bool)
        starts = list(np.eye(len(self.scale)))
        if pairs:
            single = np.diag(self.scale)
            for i, j in combinations(range(len(single)), 2):
                starts += [single[i] + single[j], single[i] - single[j]]
        starts = [start / np.linalg.norm(start) for start in starts]
        starts.sort(key=lambda start: self._other(start, every, 1)[1])
        settled = [self._settled(start, every, every) for start in starts[:MAX_RATIONAL_STARTS]]
        least = min(quotient.error for quotient in settled)
        for quotient in settled:
            if quotient.error <= MUCH_WORSE * least + 1e-12:
                yield from self._pruned(self._sparsest(quotient))

    def weights(self, quotient: RationalFunction) -> tuple[np.ndarray, np.ndarray]:
        """Weights of numerator and denominator for the unscaled basis functions."""
        return quotient.over / self.scale, quotient.under / self.scale

    def _settled(
        self, under: np.ndarray, allowed_over: np.ndarray, allowed_under: np.ndarray
    ) -> RationalFunction:
        """Alternate the two eigenproblems, starting from a denominator."""
        over, error = under, np.inf
        for _ in range(ALTERNATING_ROUNDS):
            over, _ = self._other(under, allowed_over)
            if not over.any():
                return RationalFunction(over, under, np.inf)
            under, now = self._other(over, allowed_under)
            if now > (1 - MIN_GAIN_PER_ROUND) * error:
                error = min(now, error)
                break
            error = now
        return RationalFunction(over, under, error)

    def _other(
        self, fixed: np.ndarray, allowed: np.ndarray, reweighted: int = 3
    ) -> tuple[np.ndarray, float]:
        """The best sum for a fixed one, and the error of the two."""
        value, slope = fixed @ self.values, np.einsum("k,krv->rv", fixed, self.gradients)
        # A multiple of the fixed sum adds a constant to the quotient and nothing to its gradient:
        # one basis function is left out to exclude such multiples.
        chosen = np.flatnonzero(allowed & (np.arange(len(fixed)) != np.argmax(np.abs(fixed))))
        found = np.zeros(len(self.scale))
        if not len(chosen):
            return found, np.inf
        gradients = (
            self.gradients[chosen] * value[:, None] - self.values[chosen][:, :, None] * slope
        )
        along, across = split(gradients, self.target)
        rows = self.rows / ((gradients**2).sum(axis=(0, 2)) + 1e-300)
        weights = np.zeros(len(chosen))
        # Row by row, basis functions have other sizes than on the whole: exp(x)**2 hides 1.
        size = np.sqrt(np.einsum("krv,r->k", gradients**2, rows)) + 1e-300
        along, across, gradients = (g / size[:, None, None] for g in (along, across, gradients))
        for _ in range(reweighted):
            root = np.sqrt(rows)[:, None]
            missed, met = ((g * root).reshape(len(chosen), -1) for g in (across, along))
            a, p = missed @ missed.T, met @ met.T
            if not 1e-200 < np.trace(a + p) < np.inf:
                return found, np.inf
            weights = smallest_eigenvector(a, a + p)
            square = (np.einsum("k,krv->rv", weights, gradients) ** 2).sum(axis=1)
            rows = self.rows / (square + 1e-4 * square.mean() + 1e-300)
        missed = (np.einsum("k,krv->rv", weights, across) ** 2).sum(axis=1)
        error = float(self.rows @ (missed / (square + 1e-300)))
        weights = weights / size
        found[chosen] = weights / (np.linalg.norm(weights) + 1e-300)
        return found, error if np.isfinite(error) else np.inf

    def _sparsest(self, quotient: RationalFunction) -> RationalFunction:
        """The pair of the same plane with the fewest basis functions."""
        plane = np.stack([quotient.over, quotient.under])
        best, least = quotient, np.inf
        for i, j in combinations(range(plane.shape[1]), 2):
            block = plane[:, [i, j]]
            if abs(np.linalg.det(block)) < 1e-9:
                continue
            sides = np.linalg.solve(block, plane)
            sides /= np.linalg.norm(sides, axis=1, keepdims=True)
            over, under = sides
            # Two sums that are nearly equal have few basis functions, and no meaning.
            if abs(over @ under) > MOST_ALIKE:
                continue
            # The sum of the fourth roots is a smooth count of basis functions.
            sparsity = (np.abs(sides) ** 0.25).sum()
            if sparsity < least:
                best, least = RationalFunction(over, under, quotient.error), sparsity
        return best

    def _pruned(self, quotient: RationalFunction) -> Iterator[RationalFunction]:
        """The quotient, and others of fewer basis functions, down to two."""
        yield quotient
        over, under = quotient.over, quotient.under
        while (over != 0).sum() + (under != 0).sum() > 2:
            keep = np.concatenate([over != 0, under != 0])
            sides = [np.abs(side) / np.abs(side).max() for side in (over, under)]
            shares = np.concatenate([np.where(s > 0, s, np.inf) for s in sides])
            # Neither side may become empty.
            for offset, side in ((0, over), (len(over), under)):
                if (side != 0).sum() == 1:
                    shares[offset : offset + len(over)] = np.inf
            # If there are many basis functions, several are dropped at a time.
            count = max(1, int(keep.sum() - MOST_WRITTEN) // 3, (shares < NEGLIGIBLE).sum())
            drop = np.argsort(shares)[:count]
            keep[drop] = False
            allowed = keep[: len(over)], keep[len(over) :]
            if not all(side.any() for side in allowed):
                return
            quotient = self._settled(np.where(allowed[1], under, 0), *allowed)
            if not np.isfinite(quotient.error):
                return
            over, under = quotient.over, quotient.under
            yield quotient
