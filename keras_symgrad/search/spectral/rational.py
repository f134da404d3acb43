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
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from keras_symgrad.engine import as_span, reduce_axes
from keras_symgrad.search.spectral.eigen_fit import smallest_eigenvector
from keras_symgrad.search.spectral.features import Feature

# Rounds of the two eigenproblems from one start, and the gain below which they end.
ALTERNATING_ROUNDS = 24
MIN_GAIN_PER_ROUND = 0.02
# A basis function whose squared gradients are below this share of the largest has none.
NO_GRADIENT = 1e-100
# A basis function that contributes less than this share of its sum is dropped on trial.
NEGLIGIBLE = 1e-3
# The largest cosine between the weights of numerator and denominator.
MOST_ALIKE = 0.9
# Rows on which starts and sets of functions are compared: more cost in proportion, and the errors
# that are compared differ by factors.
MAX_COMPARISON_ROWS = 128
# Number of starts that are compared on all rows, and of those that are completed, chosen by their
# error after the first eigenproblem.
MAX_COMPARED_STARTS = 32
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
        # Basis functions of one typical size, so that weights and contributions are comparable.
        self.scale = np.exp(np.log(np.abs(values) + 1e-12) @ rows)
        self.values = values / self.scale[:, None]
        span = as_span(target)
        # The first axes lie in the span: parallel and perpendicular parts are slices.
        self.along = span.shape[1]
        self.gradients = in_axes_of(span, gradients) / self.scale[:, None, None]

    @cached_property
    def _sample(self) -> RationalFit:
        """The fit on fewer rows; they are evenly spread."""
        step = -(-len(self.rows) // MAX_COMPARISON_ROWS)
        if step == 1:
            return self
        sample = copy(self)
        sample.rows = self.rows[::step] / self.rows[::step].sum()
        sample.values = np.ascontiguousarray(self.values[:, ::step])
        sample.gradients = np.ascontiguousarray(self.gradients[:, :, ::step])
        return sample

    def promise(self) -> float:
        """The least error with a one-term denominator: enough to compare sets of functions."""
        return min(map(self._sample._error_of_start, np.eye(len(self.scale))))

    def _error_of_start(self, start: np.ndarray) -> float:
        """The least error for a denominator, rows weighted once."""
        return self._other(start, np.ones(len(start), bool), 1)[1]

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
        if len(starts) > MAX_COMPARED_STARTS:
            starts = sorted(starts, key=self._sample._error_of_start)[:MAX_COMPARED_STARTS]
        starts.sort(key=self._error_of_start)
        settled = [self._settled(start, every, every) for start in starts[:MAX_RATIONAL_STARTS]]
        least = min(quotient.error for quotient in settled)
        followed: set[bytes] = set()
        for quotient in sorted(settled, key=lambda one: one.error):
            if quotient.error <= MUCH_WORSE * least + 1e-12:
                yield from self._pruned(self._sparsest(quotient), followed)

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
        value, slope = fixed @ self.values, np.tensordot(fixed, self.gradients, 1)
        # A multiple of the fixed sum adds a constant to the quotient and nothing to its gradient:
        # one basis function is left out to exclude such multiples.
        chosen = np.flatnonzero(allowed & (np.arange(len(fixed)) != np.argmax(np.abs(fixed))))
        found = np.zeros(len(self.scale))
        if not len(chosen):
            return found, np.inf
        gradients = self.gradients[chosen]
        gradients *= value
        gradients -= self.values[chosen][:, None] * slope
        rows = self.rows / (np.einsum("kar,kar->r", gradients, gradients) + 1e-300)
        flat, size, weights = gradients.reshape(len(chosen), -1), None, np.zeros(len(chosen))
        weighted = np.empty_like(gradients)
        for _ in range(reweighted):
            np.multiply(gradients, np.sqrt(rows), out=weighted)
            met, missed = (
                part.reshape(len(chosen), -1)
                for part in (weighted[:, : self.along], weighted[:, self.along :])
            )
            a, p = missed @ missed.T, met @ met.T
            b = a + p
            if not 1e-200 < np.trace(b) < np.inf:
                return found, np.inf
            if size is None:
                # Row by row, basis functions have other sizes than on the whole: exp(x)**2 hides 1.
                # The product of two levels of a category has no gradient on any row.
                own = np.diag(b)
                size = np.sqrt(np.where(own > NO_GRADIENT * own.max(), own, own.max()))
            sizes = np.outer(size, size)
            weights = smallest_eigenvector(a / sizes, b / sizes) / size
            each = (weights @ flat).reshape(slope.shape) ** 2
            square = each.sum(axis=0)
            rows = self.rows / (square + 1e-4 * square.mean() + 1e-300)
        error = float(self.rows @ (each[self.along :].sum(axis=0) / (square + 1e-300)))
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

    def _pruned(
        self, quotient: RationalFunction, followed: set[bytes]
    ) -> Iterator[RationalFunction]:
        """The quotient, and others of fewer basis functions, down to two.

        From a set of basis functions that was followed before, the rest of the way is the same: of
        six variables half of all sets are.
        """
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
            if not all(side.any() for side in allowed) or keep.tobytes() in followed:
                return
            followed.add(keep.tobytes())
            quotient = self._settled(np.where(allowed[1], under, 0), *allowed)
            if not np.isfinite(quotient.error):
                return
            over, under = quotient.over, quotient.under
            yield quotient


def in_axes_of(span: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Gradients in axes of which the first are the directions of a span.

    Args:
        span: orthonormal directions, `(rows, k, axes)`; some may be zero.
        gradients: `(functions, rows, axes)`.

    Returns:
        Coordinates `(functions, axes, rows)`, the first k of them in the span; k axes more where
        some directions are zero.

    Example:

    >>> np.abs(in_axes_of(np.array([[[0.0, 1.0]]]), np.array([[[3.0, 4.0]]]))).tolist()
    [[[4.0], [3.0]]]
    """
    count = span.shape[1]
    # In this mode it is a pair: its first columns are the directions, or their opposites.
    axes: Any = np.linalg.qr(span.transpose(0, 2, 1), mode="complete")
    turned = np.einsum("fra,rab->fbr", gradients, axes[0], optimize=True)
    absent = ~span.any(axis=2).T
    if absent.any():
        rest = np.where(absent, turned[:, :count], 0)
        turned[:, :count] -= rest
        turned = np.concatenate([turned, rest], axis=1)
    return np.ascontiguousarray(turned)
