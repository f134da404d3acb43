"""Change of variables: gradients with respect to quantities of the model's input.

Let f be the neuron, x the input, h(x) the quantities that a formula T is written in, and J = dh/dx.
T(h(x)) has the gradient J^T grad T, so f carries T(h) where grad f is parallel to J^T grad T. With
the singular value decomposition J = U S V^T that is

    V^T grad f   parallel to   S U^T grad T

which compares as many numbers as J has rank: if there are more quantities than inputs, they lie on
a surface, and only gradients along it are defined. The part of grad f outside the columns of V
cannot be explained by any function of the quantities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_symgrad.engine import RELATIVE_RANK_TOLERANCE

# Quantities this independent have separate gradients that do not amplify much noise.
WELL_CONDITIONED = 30.0


@dataclass(frozen=True, eq=False)
class ChangeOfVariables:
    """Frames that take two kinds of gradients to coordinates in which they compare.

    Attributes:
        of_inputs: for gradients with respect to the input's coordinates, `(rows, axes, inputs)`.
        of_quantities: for those with respect to the quantities, `(rows, axes, quantities)`;
            `None` where the coordinates are the quantities themselves.
    """

    of_inputs: np.ndarray
    of_quantities: np.ndarray | None

    @classmethod
    def through(cls, jacobians: np.ndarray) -> ChangeOfVariables:
        """Frames for the Jacobians of the quantities.

        Args:
            jacobians: `(rows, quantities, inputs)`, finite.

        Returns:
            The `ChangeOfVariables`.

        Raises:
            ValueError: the quantities are constant.

        Example:

        >>> through = ChangeOfVariables.through(np.array([[[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]))
        >>> through.of_inputs.tolist(), through.of_quantities
        ([[[0.5, 0.0, 0.0], [0.0, 1.0, 0.0]]], None)
        """
        left, sizes, right = np.linalg.svd(jacobians, full_matrices=False)
        present = sizes > RELATIVE_RANK_TOLERANCE * sizes.max(axis=1, keepdims=True)
        if not present.any():
            raise ValueError(
                "The quantities do not change with the input at any row, so that no formula in "
                "them has a gradient. Choose others, or rows where they change."
            )
        rank = int(present.sum(axis=1).max())
        left, sizes, right = left[:, :, :rank], sizes[:, :rank], right[:, :rank]
        sizes = sizes * present[:, :rank]
        quantities = jacobians.shape[1]
        if rank == quantities:
            condition = sizes[:, 0] / (sizes[:, -1] + 1e-300)
            if np.median(condition) < WELL_CONDITIONED:
                inverse = np.where(sizes > 0, 1 / np.where(sizes > 0, sizes, 1), 0)
                return cls(np.einsum("rqa,ra,rai->rqi", left, inverse, right), None)
        right = right * (sizes > 0)[:, :, None]
        return cls(right, np.einsum("ra,rqa->raq", sizes, left))


def explained(jacobians: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Share of gradients that functions of the quantities can explain.

        |V^T g|^2 / |g|^2

    Args:
        jacobians: of the quantities, `(rows, quantities, inputs)`.
        gradients: with respect to the input, `(rows, inputs)`.

    Returns:
        Numbers in [0, 1], `(rows,)`; 1 where there is no gradient.

    Example:

    >>> explained(np.array([[[1.0, 0.0]]]), np.array([[3.0, 4.0]])).round(2)
    array([0.36])
    """
    _, sizes, right = np.linalg.svd(jacobians, full_matrices=False)
    right = right * (sizes > RELATIVE_RANK_TOLERANCE * sizes.max(axis=1, keepdims=True))[:, :, None]
    inside = (np.einsum("rai,ri->ra", right, gradients) ** 2).sum(axis=1)
    whole = (gradients**2).sum(axis=1)
    return np.where(whole > 0, np.minimum(inside / np.where(whole > 0, whole, 1), 1), 1.0)
