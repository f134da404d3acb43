"""Divide rows into regions and estimate the spatial correlation of a network's errors."""

from __future__ import annotations

import numpy as np

CONFIDENCE = 0.95
# Number of regions that errors are summed over, and the fewest rows of a region.
REGIONS = 30
ROWS_PER_REGION = 10
# Random divisions into regions that the sums are averaged over.
DIVISIONS = 4
# A smooth error is partly absorbed by the fit, so the residuals underestimate it. The variance is
# this many times the one computed from sums over regions, measured on the networks of
VARIANCE_OF_SMOOTH_ERRORS = 4.0
# Correlation of neighbouring rows' errors above which they count as smooth.
SMOOTH = 0.5
# Rows for which neighbours are compared, and neighbours of each.
COMPARED = 2000
NEIGHBOURS = 5


def squared_pulls(
    points: np.ndarray, errors: np.ndarray, pulls: np.ndarray, seed: int = 0
) -> tuple[np.ndarray, float] | None:
    """Squared influence of errors on the fitted constants, at the end of a 95 % interval.

    Neighbouring rows share a network's errors, so regions and not rows are independent. With p_i
    the pulls of the rows and sums over regions R:

        t^2 v sum_R (sum_i p_i) (sum_i p_i)',    v = 1 + 3 min(likeness / 0.5, 1)

    v is 1 for errors that are independent between neighbours, and 4 for errors that neighbours
    share: smooth errors are partly absorbed by the fitted constants. t is Student's. With e_i the
    errors, a sum of squares may rise by chance by

        t^2 sum_R |sum_i e_i|^2 / rows

    Args:
        points: of the rows, `(rows, variables)`.
        errors: residuals of the fit, `(rows, axes)`.
        pulls: J'r of each row, `(rows, constants)`.
        seed: of the choice of regions.

    Returns:
        A matrix `(constants, constants)`, a squared interval when placed between the inverses of
        J'J, and the rise; `None` where there are too few rows for regions.

    Example: the mean of 900 independent numbers is known to 1.96/30 of their standard deviation.

    >>> rng = np.random.default_rng(0)
    >>> x, errors = rng.uniform(size=(900, 2)), rng.normal(size=(900, 1))
    >>> squares, rise = squared_pulls(x, errors, errors)
    >>> bool(0.05 < np.sqrt(squares[0, 0]) / 900 < 0.09)
    True

    Reference: White, Econometrica 48 (1980) 817; Liang and Zeger, Biometrika 73 (1986) 13.
    """
    from scipy.stats import t

    count = pulls.shape[1]
    regions = min(REGIONS, len(points) // ROWS_PER_REGION)
    if regions <= count:
        return None
    squares, shared = np.zeros((count, count)), 0.0
    for division in range(DIVISIONS):
        label = assigned(points, regions, seed + division)
        sums, total = np.zeros((regions, count)), np.zeros((regions, errors.shape[1]))
        np.add.at(sums, label, pulls)
        np.add.at(total, label, errors)
        squares += sums.T @ sums / DIVISIONS
        shared += (total**2).sum() / DIVISIONS
    smooth = np.clip(spatial_correlation(points, errors) / SMOOTH, 0, 1)
    inflation = 1 + (VARIANCE_OF_SMOOTH_ERRORS - 1) * smooth
    quantile = t.ppf((1 + CONFIDENCE) / 2, regions - count)
    squares *= quantile**2 * inflation * regions / (regions - count)
    return squares, float(quantile**2 * shared / len(points))


def assigned(points: np.ndarray, regions: int, seed: int = 0) -> np.ndarray:
    """Assign rows to regions, by the nearest of randomly chosen rows.

    Args:
        points: `(rows, variables)`.
        regions: number of regions, at most the number of rows.
        seed: of the choice.

    Returns:
        Numbers of regions from 0 to `regions - 1`, `(rows,)`.

    Example:

    >>> assigned(np.array([[0.0], [0.1], [5.0], [5.2]]), 4).tolist() != [0, 0, 0, 0]
    True
    """
    from scipy.spatial import cKDTree

    scaled = _scaled(points)
    centres = np.random.default_rng(seed).choice(len(points), regions, replace=False)
    return cKDTree(scaled[centres]).query(scaled)[1]


def spatial_correlation(points: np.ndarray, errors: np.ndarray) -> float:
    """Correlation between the errors of neighbouring rows.

        mean <e_i, e_j> / mean |e_i|^2,    j among the five nearest rows of i

    Args:
        points: `(rows, variables)`.
        errors: `(rows, axes)`.

    Returns:
        About 0 for errors that are independent from row to row, about 1 for smooth ones.

    Example:

    >>> x = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    >>> noise = np.random.default_rng(1).normal(size=(500, 1))
    >>> abs(spatial_correlation(x, noise)) < 0.1, spatial_correlation(x, np.sin(x[:, :1])) > 0.9
    (True, True)
    """
    from scipy.spatial import cKDTree

    points, errors = _scaled(points[:COMPARED]), errors[:COMPARED]
    if len(points) <= NEIGHBOURS or not errors.any():
        return 0.0
    _, near = cKDTree(points).query(points, k=NEIGHBOURS + 1)
    products = np.einsum("ra,rka->rk", errors, errors[near[:, 1:]])
    return float(products.mean() / (errors**2).sum(axis=1).mean())


def _scaled(points: np.ndarray) -> np.ndarray:
    width = np.ptp(points, axis=0)
    return points / np.where(width > 0, width, 1.0)
