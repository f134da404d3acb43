"""Refine the coefficients of a sum: R2 of phi(g) for values, log-loss for decisions."""

from __future__ import annotations

import numpy as np

from keras_symgrad.formulas import MonotoneFit

# Gauss-Newton steps for values, and Newton steps for decisions.
VALUE_STEPS = 4
DECISION_STEPS = 8
# Shrinkage of a step, as a share of the mean square of a basis function; and of a logit's slopes.
# With a third of the latter 35 networks each of wine, iris and breast cancer lost 37, 19 and 130
# fresh decisions in the place of 30, 21 and 131, and formulas were longer.
DAMPING = 1e-3
SHRINKAGE = 3e-3
# Logits beyond it are certain.
LARGEST_LOGIT = 30.0
# Half the distance of the points that the slope of phi is read at, in standard deviations of g.
SLOPE_DISTANCE = 0.05


def for_values(columns: np.ndarray, values: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Coefficients c of least (f - phi(columns c))^2, phi the best monotone function.

    Gauss-Newton: phi is fitted, linearized and fitted again; the best iterate is kept.

    Args:
        columns: basis functions, centred and scaled, `(points, functions)`.
        values: of the network, `(points,)`.
        coefficients: to start from, `(functions,)`.

    Returns:
        Coefficients, `(functions,)`.
    """
    best, least = coefficients, np.inf
    ridge = DAMPING * np.eye(columns.shape[1])
    for _ in range(VALUE_STEPS + 1):
        g = columns @ coefficients
        spread = g.std()
        if not spread > 0 or not np.isfinite(spread):
            break
        phi = MonotoneFit.smooth(g, values)
        left = values - phi(g)
        if (error := float(left @ left)) >= least:
            break
        best, least = coefficients, error
        h = SLOPE_DISTANCE * spread
        slope = (phi(g + h) - phi(g - h)) / (2 * h)
        rows = slope[:, None] * columns
        rows = rows - rows.mean(axis=0)
        normal = rows.T @ rows / len(rows)
        normal += ridge * max(float(np.trace(normal)) / len(normal), 1e-300)
        coefficients = coefficients + np.linalg.solve(normal, rows.T @ left / len(rows))
    return best


def for_decisions(
    columns: np.ndarray, logits: np.ndarray, coefficients: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, float]:
    """Coefficients c and threshold b of least log-loss of columns c - b against a network.

    The network's probabilities are the labels, so that points near its boundary count most.

    Args:
        columns: basis functions, centred and scaled, `(points, functions)`.
        logits: of the network, `(points,)`.
        coefficients: to start from, `(functions,)`.
        weights: of the points, `(points,)`.

    Returns:
        Coefficients `(functions,)`, and where the sum decides.
    """
    wanted = _sigmoid(logits)
    weights = weights / weights.sum()
    rows = np.column_stack([columns, -np.ones(len(columns))])
    ridge = np.diag([*np.full(columns.shape[1], SHRINKAGE), 1e-9])
    # The weighted mean is where a sum decides that is fitted to logits.
    centre = float(weights @ (columns @ coefficients - logits))

    def loss(beta: np.ndarray) -> float:
        z = np.clip(rows @ beta, -LARGEST_LOGIT, LARGEST_LOGIT)
        return float(weights @ (np.logaddexp(0, z) - wanted * z) + beta @ ridge @ beta / 2)

    beta = np.append(coefficients, centre)
    least = loss(beta)
    for _ in range(DECISION_STEPS):
        found = _sigmoid(rows @ beta)
        slope = rows.T @ (weights * (found - wanted)) + ridge @ beta
        curvature = (rows * (weights * found * (1 - found))[:, None]).T @ rows + ridge
        step = np.linalg.solve(curvature, slope)
        for length in (1.0, 0.5, 0.25, 0.1, 0.02):
            trial = beta - length * step
            if (error := loss(trial)) < least:
                break
        else:
            break
        gained, beta, least = least - error, trial, error
        if gained < 1e-7 * (1 + least):
            break
    return beta[:-1], float(beta[-1])


def curvature_of_decisions(
    columns: np.ndarray, coefficients: np.ndarray, threshold: float, weights: np.ndarray
) -> np.ndarray:
    """Second derivatives of the log-loss in the coefficients, the threshold always the best one.

    Args:
        columns: basis functions, centred and scaled, `(points, functions)`.
        coefficients: of the functions, `(functions,)`.
        threshold: where their sum decides.
        weights: of the points, `(points,)`.

    Returns:
        `(functions, functions)`.
    """
    found = _sigmoid(columns @ coefficients - threshold)
    weights = weights / weights.sum() * found * (1 - found)
    centred = columns - weights @ columns / max(weights.sum(), 1e-300)
    return (centred * weights[:, None]).T @ centred + SHRINKAGE * np.eye(columns.shape[1])


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(z, -LARGEST_LOGIT, LARGEST_LOGIT)))
