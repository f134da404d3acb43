"""Shorten a sum of terms: leave some out, and let others share a coefficient, up to its sign.

Near the least loss of a fit, coefficients b in place of c lose half of

    (b - c)' H (b - c),   H the curvature of the loss,

so each change and the best coefficients after it are found by linear algebra, without points. The
change with the least loss for the complexity that it saves is made, and the next one looked for:
what correlated inputs do together is kept, where forward selection would take one of them.
"""

from __future__ import annotations

import numpy as np

# Part of the curvature's diagonal that is added to it.
RIDGE = 1e-9
# Least loss of a change, as a part of what the whole sum gains.
LEAST_LOSS = 1e-12


def shortened(
    curvature: np.ndarray, coefficients: np.ndarray, costs: np.ndarray, of_number: float
) -> list[np.ndarray]:
    """Shorter and shorter sums of the terms of one, with fewer and fewer different coefficients.

    Args:
        curvature: of the loss in the coefficients, `(terms, terms)`.
        coefficients: of least loss, `(terms,)`.
        costs: complexity of each term with its plus, `(terms,)`.
        of_number: complexity of a coefficient with its times.

    Returns:
        For each sum a matrix `(terms, numbers)` of -1, 0 and 1: a term's coefficient is the number
        in whose column its row has an entry, with that sign, and a term without an entry is out.

    Example:

    >>> sums = shortened(np.eye(3), np.array([2.0, -2.01, 0.3]), np.full(3, 2.0), 4.0)
    >>> [one.astype(int).tolist() for one in sums[:2]]
    [[[1, 0], [-1, 0], [0, 1]], [[1], [-1], [0]]]
    """
    shares, found = np.eye(len(coefficients)), []
    while np.count_nonzero(shares) > 1:
        shares = _next(curvature, coefficients, shares, costs, of_number)
        found.append(shares)
    return found


def _next(
    curvature: np.ndarray,
    coefficients: np.ndarray,
    shares: np.ndarray,
    costs: np.ndarray,
    of_number: float,
) -> np.ndarray:
    """The sum after the change with the least loss for what it saves."""
    inner = shares.T @ curvature @ shares
    inverse = _inverse(inner)
    numbers = inverse @ (shares.T @ (curvature @ coefficients))
    variances = np.diag(inverse)
    least = LEAST_LOSS * max(float(coefficients @ curvature @ coefficients), 1e-300)
    # A number with all its terms.
    dropped = np.maximum(numbers**2 / variances, least) / (np.abs(shares).T @ costs + of_number)
    losses = [dropped if len(numbers) > 1 else np.array([np.inf])]
    # Two numbers as one.
    signs = np.where(np.outer(numbers, numbers) < 0, -1.0, 1.0)
    gaps = (numbers[:, None] - signs * numbers) ** 2
    spreads = variances[:, None] - 2 * signs * inverse + variances
    first, second = np.triu_indices(len(numbers), 1)
    joined = gaps[first, second] / np.maximum(spreads[first, second], 1e-300)
    losses.append(np.maximum(joined, least) / of_number)
    # One of the terms that share a number.
    members = np.flatnonzero(np.abs(shares[:, np.abs(shares).sum(axis=0) > 1]).sum(axis=1))
    without = np.repeat(shares[None], len(members), axis=0)
    without[np.arange(len(members)), members] = 0.0
    now = _explained(curvature, coefficients, shares[None])
    lost = now - _explained(curvature, coefficients, without)
    losses.append(np.maximum(lost, least) / costs[members])
    change = int(np.argmin(np.concatenate(losses)))
    if change < len(numbers):
        return np.delete(shares, change, axis=1)
    change -= len(numbers)
    if change < len(first):
        one, other = first[change], second[change]
        both = shares.copy()
        both[:, one] += signs[one, other] * shares[:, other]
        return np.delete(both, other, axis=1)
    return without[change - len(first)]


def _inverse(matrices: np.ndarray) -> np.ndarray:
    """Inverses of symmetric matrices, `(..., n, n)`, after scaling to a diagonal of one."""
    scales = np.sqrt(np.maximum(np.diagonal(matrices, axis1=-2, axis2=-1), 1e-300))
    outer = scales[..., :, None] * scales[..., None, :]
    return np.linalg.inv(matrices / outer + RIDGE * np.eye(matrices.shape[-1])) / outer


def _explained(curvature: np.ndarray, coefficients: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Decrease of the squared error by each sum, `(sums,)`, for shares `(sums, terms, numbers)`."""
    turned = np.swapaxes(shares, -1, -2)
    moments = turned @ (curvature @ coefficients)
    numbers = _inverse(turned @ curvature @ shares) @ moments[..., None]
    return np.sum(moments * numbers[..., 0], axis=-1)
