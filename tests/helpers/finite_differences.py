"""Gradients by finite differences, independent of automatic differentiation."""

import numpy as np


def slopes(function, x: np.ndarray, step: float = 1e-2) -> np.ndarray:
    """Central differences of a function of rows, `(rows, inputs)`, from one call of it."""
    shifts = step * np.eye(x.shape[1])
    both = np.stack([x[:, None] + shifts, x[:, None] - shifts])
    up, down = np.asarray(function(both.reshape(-1, x.shape[1]))).reshape(both.shape[:-1])
    return (up - down) / (2 * step)
