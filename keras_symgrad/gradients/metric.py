"""The metric in which directions of gradients are compared: the covariance of the data.

Parallel stays parallel under every linear change of the inputs, so the class of a concept does not
depend on a metric. How far two gradients are apart does. With the covariance C of the data and its
root S, the unit gradients

    u = S grad f / |S grad f|

compare the changes of two functions along the steps that occur in the data: <S a, S b> is the
covariance of the linear functions with the gradients a and b. Directions along which the data do
not vary, where the network was not trained, have no weight. Units of columns, correlated columns
and one-hot blocks are special cases; a plane that contains the data is the limit in which an
eigenvalue of C is zero.

A metric is written as a frame, the linear map S, `(axes, variables)`.
"""

from __future__ import annotations

import numpy as np

from keras_symgrad.gradients.tangent_space import Tangent, enough, orthonormal, tangent_frame

Metric = str | np.ndarray

# Half widths, in standard deviations of a normal distribution, at which outliers are clipped.
CLIPPED = 5.0
# Shares of the data within one, two and three standard deviations. Where a column has one value in
# all but a few rows, the inner quantiles are equal and the outer ones give its scale.
QUANTILES = ((0.1587, 1.0), (0.0228, 2.0), (0.00135, 3.0))
# Least weight of independent columns in the covariance.
LEAST_SHRINKAGE = 1e-3
# Correlations below this, or below this many standard errors, count as zero.
SMALLEST_CORRELATION = 0.05
CORRELATED = 4.5
# Columns whose standard deviations differ by less than this factor count as equally wide.
EQUALLY_WIDE = 1.25
# With `metric="columns"`, columns are scaled by their widths where these differ by this factor.
MUCH_WIDER = 10.0


def check_metric(metric: Metric) -> Metric:
    """Check a metric.

    Args:
        metric: `"covariance"`, `"columns"`, or a covariance matrix of the user's own.

    Returns:
        The name, or the matrix as float64 `(variables, variables)`.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(metric, str) and metric in ("covariance", "columns"):
        return metric
    received = repr(metric) if isinstance(metric, str) else f"an object of {type(metric)}"
    if not isinstance(metric, str):
        try:
            matrix = np.asarray(metric, dtype=np.float64)
        except (TypeError, ValueError):
            matrix = np.zeros(0)
        received = f"an array of shape {matrix.shape}" if matrix.size else received
        if matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] and np.isfinite(matrix).all():
            spread = np.sqrt(np.outer(np.diag(matrix).clip(0), np.diag(matrix).clip(0)))
            unequal = np.abs(matrix - matrix.T) > 1e-8 * spread
            if not unequal.any() and np.linalg.eigvalsh(_correlation(matrix))[0] > -1e-8:
                return matrix
            received += " that is no covariance matrix (symmetric, no negative eigenvalue)"
    raise ValueError(
        '`metric` is "covariance" (that of the data), "columns" (each input by itself), or a '
        f"covariance matrix of shape (inputs, inputs). Received: metric={received}"
    )


def covariance(x: np.ndarray) -> np.ndarray:
    """The covariance of data, robust against outliers and shrunk towards independent columns.

    Columns are clipped at five robust standard deviations. The correlation matrix R becomes

        (1 - s) R + s I

    with s by the oracle approximating shrinkage, at least one in a thousand, so that few rows of
    many columns have a covariance too. Without a significant correlation the columns count as
    independent.

    Args:
        x: data `(rows, variables)`, finite.

    Returns:
        Matrix `(variables, variables)`, float64; zero in the rows and columns of constant
        variables.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 4000))
    >>> (covariance(np.stack([a, 100 * (0.6 * a + 0.8 * b)], axis=1)) / [1, 100]).round(1)
    array([[  1. ,   0.6],
           [ 59.8, 100.9]])

    Reference: Chen, Wiesel, Eldar and Hero, IEEE Trans. Signal Process. 58 (2010) 5016.
    """
    z, scale = _standardized(x)
    widths = z.std(axis=0)
    varies = widths > 0
    z = z[:, varies] / widths[varies]
    correlation = _shrunk(z.T @ z / len(z), len(z))
    matrix = np.zeros((x.shape[1], x.shape[1]))
    matrix[np.ix_(varies, varies)] = correlation
    widths = widths * scale
    return matrix * np.outer(widths, widths)


def deviations(x: np.ndarray) -> np.ndarray:
    """Standard deviations of columns, for the full range of a double.

    Args:
        x: data `(rows, variables)`, finite.

    Returns:
        `(variables,)`, 0 for a constant column.

    Example:

    >>> deviations(np.array([[1.0, -1e200, 7.0], [3.0, 1e200, 7.0]])).tolist()
    [1.0, 1e+200, 0.0]
    """
    # Squares of columns of 1e200 would overflow.
    size = np.abs(x).max(axis=0)
    size = np.where(size > 0, size, 1.0)
    spread = np.where(np.ptp(x, axis=0) > 0, (x / size).std(axis=0), 0.0)
    return spread * size


def metric_frame(
    points: np.ndarray, x: np.ndarray, metric: Metric = "covariance", tangent: Tangent = None
) -> np.ndarray | None:
    """The linear map from gradients to the coordinates in which their directions are compared.

    Along a surface that contains the data, with orthonormal tangent vectors B, it is the root of B
    C B' times B: the metric restricted to the surface.

    Args:
        points: points of the frame, `(rows, variables)`.
        x: the data, `(samples, variables)`, finite.
        metric: `"covariance"`, `"columns"` (the variables unchanged, or in their own widths where
            one is ten times as wide as another), or a covariance matrix.
        tangent: the surface; see `tangent_space.tangent_frame`.

    Returns:
        `(axes, variables)` or, where it changes from point to point, `(rows, axes, variables)`;
        `None` for the variables unchanged.

    Raises:
        ValueError: the matrix has another number of variables.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(2000, 2)) @ [[1.0, 0.9], [0.0, 0.1]]
    >>> frame = metric_frame(x, x)
    >>> differs = np.array([[1.0, -1.0], [1.0, 1.0]]) @ frame.T
    >>> np.linalg.norm(differs, axis=1).round(1).tolist()
    [0.1, 1.9]
    """
    matrix = _matrix(x, metric)
    widths = np.sqrt(np.diag(matrix))
    varies = widths > 0
    if not varies.any():
        return None
    units = np.where(varies, widths, 1.0)
    basis = _surface(points, x, tangent, varies, units)
    # The largest entry is 1, within the range of float32.
    relative = widths / widths.max()
    if basis is not None and basis.ndim == 3:
        return basis * relative
    correlation = _correlation(matrix)
    if basis is not None:
        return _root(basis @ correlation @ basis.T) @ basis * relative
    if (correlation[np.ix_(varies, varies)] == np.eye(int(varies.sum()))).all():
        alike = varies.all() and widths.max() < EQUALLY_WIDE * widths.min()
        return None if alike else np.diag(relative)
    return _root(correlation) * relative


def steps_of_data(
    x: np.ndarray, metric: Metric = "covariance", tangent: Tangent = "auto"
) -> np.ndarray:
    """Steps of one width of the data along its axes: the rows S of a root of the covariance S'S.

    Args:
        x: the data, `(samples, variables)`, finite.
        metric: "covariance"; "columns" takes each column by itself; or a covariance matrix.
        tangent: the linear subspace that the data lie in: "auto", vectors, or `None`.

    Returns:
        `(axes, variables)`, zero in the columns of constant variables.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(5000, 1)) * [3.0, 3.0]
    >>> np.abs(steps_of_data(x)).round(1).tolist()
    [[3.0, 3.0]]
    """
    matrix = covariance(enough(x)) if isinstance(metric, str) else _matrix(x, metric)
    widths = np.sqrt(np.diag(matrix))
    varies = widths > 0
    correlation = (
        np.eye(len(widths))
        if isinstance(metric, str) and metric == "columns"
        else _correlation(matrix)
    )
    if not varies.any():
        return np.zeros((0, len(widths)))
    basis = _surface(x[:1], x, tangent, varies, np.where(varies, widths, 1.0))
    if basis is None:
        return _root(correlation)[varies] * widths
    return _root(basis @ correlation @ basis.T) @ basis * widths


def first_order_distance(
    values: np.ndarray, gradients: np.ndarray, x: np.ndarray, metric: Metric = "covariance"
) -> np.ndarray:
    """First-order distance of points from the zero set of a function.

        |f| / |S grad f|

    Args:
        values: of the function, `(rows,)`.
        gradients: of the function, `(rows, variables)`.
        x: the data that define the metric, `(samples, variables)`.
        metric: as for `metric_frame`.

    Returns:
        Distances `(rows,)` in standard deviations of the data; infinite where there is no gradient.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(10_000, 2)) * 3
    >>> first_order_distance(np.array([6.0]), np.array([[2.0, 0.0]]), x).round(1).tolist()
    [1.0]
    """
    matrix = _matrix(x, metric)
    widths = np.sqrt(np.diag(matrix))
    steps = (gradients * widths) @ _root(_correlation(matrix))
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.abs(values) / np.linalg.norm(steps, axis=1)
    return np.where(np.isnan(distance), np.inf, distance)


def _matrix(x: np.ndarray, metric: Metric) -> np.ndarray:
    if not isinstance(metric, str):
        if len(metric) != x.shape[1]:
            raise ValueError(
                f"`metric` must be a matrix of shape {(x.shape[1],) * 2} for data of "
                f"{x.shape[1]} columns. Received: shape {metric.shape}"
            )
        return metric
    if metric == "covariance":
        return covariance(enough(x))
    widths = np.ptp(x, axis=0)
    varies = widths > 0
    if varies.any() and widths[varies].max() < MUCH_WIDER * widths[varies].min():
        widths = varies.astype(float)
    return np.diag(widths**2)


def _surface(
    points: np.ndarray, x: np.ndarray, tangent: Tangent, varies: np.ndarray, units: np.ndarray
) -> np.ndarray | None:
    """Orthonormal tangent vectors, in variables that are scaled by their widths."""
    if not isinstance(tangent, str):
        vectors = tangent_frame(points, x, tangent)
        return None if vectors is None else orthonormal(vectors / units)
    # A constant column is left out separately, and does not count as a surface.
    x = enough(x) if tangent == "auto" else x
    some = tangent_frame(points[:, varies] / units[varies], x[:, varies] / units[varies], tangent)
    if some is None:
        return None
    basis = np.zeros((*some.shape[:-1], len(units)))
    basis[..., varies] = some
    return basis


def _standardized(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns around their medians in robust scales, clipped, and the scales."""
    centre = np.median(x, axis=0)
    z = x - centre
    # Squares of columns of 1e-200 or 1e200 would underflow or overflow.
    scale = np.abs(z).max(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    z = z / scale
    robust = np.zeros(x.shape[1])
    for tail, deviations in QUANTILES:
        low, high = np.quantile(z, (tail, 1 - tail), axis=0)
        robust = np.where(robust > 0, robust, (high - low) / (2 * deviations))
    bound = np.where(robust > 0, CLIPPED * robust, np.inf)
    z = np.clip(z, -bound, bound)
    return z - z.mean(axis=0), scale


def _shrunk(correlation: np.ndarray, rows: int) -> np.ndarray:
    size = len(correlation)
    apart = np.abs(correlation - np.eye(size))
    if size < 2 or apart.max() < max(SMALLEST_CORRELATION, CORRELATED / np.sqrt(rows)):
        return np.eye(size)
    squares = float((correlation**2).sum())
    # With p variables and n rows: ((1 - 2/p) tr R^2 + p^2) / ((n + 1 - 2/p) (tr R^2 - p)).
    wanted = ((1 - 2 / size) * squares + size**2) / ((rows + 1 - 2 / size) * (squares - size))
    share = float(np.clip(wanted, LEAST_SHRINKAGE, 1.0))
    return (1 - share) * correlation + share * np.eye(size)


def _correlation(matrix: np.ndarray) -> np.ndarray:
    widths = np.sqrt(np.maximum(np.diag(matrix), 0))
    units = np.where(widths > 0, widths, 1.0)
    return matrix / units / units[:, None]


def _root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric root of a matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
