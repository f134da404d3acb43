"""Impose known symmetries on a network, its gradients and its rows.

The network is averaged over the images of a point that lie in its training domain, which removes
the part of its noise that breaks the symmetry. The component of gradients along the velocity of a
continuous symmetry is noise as well and is removed. And rows are moved to their images at random,
so that formulas that break the symmetry have a loss even where the data cover one half only.

Formulas are not projected along with the gradients, as they are on the tangent space of data: their
component along the velocity is an error and must count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from keras_symgrad.engine import split, unit
from keras_symgrad.gradients.domain import MUCH_WIDER, Domain
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.gradients.tangent_space import orthonormal
from keras_symgrad.neurons import Neuron
from keras_symgrad.priors import Element, Symmetry, symmetry_group

# Share of the data whose images must lie among the data, where a network is averaged over images.
MIN_SHARE_MAPPED = 0.9
# Rows of data whose images are checked.
MAX_ROWS_MAPPED = 1000


def symmetrized(
    neuron: Neuron, x: np.ndarray, names: Sequence[str], symmetries: Sequence[Symmetry]
) -> Neuron:
    """Average a neuron over the images of a point under maps that keep the data's domain.

    Args:
        neuron: of the variables that the symmetries name.
        x: points of shape `(rows, inputs)` from where the model was trained.
        names: of the inputs.
        symmetries: any.

    Returns:
        A neuron with these symmetries; the same one if no map keeps the domain.
    """
    kept = [e for e in symmetry_group(symmetries, names) if _keeps(e, x)]
    if len(kept) < 2:
        return neuron
    matrices = tf.constant(np.stack([e.matrix.T for e in kept]), neuron.dtype)
    signs = tf.constant([e.sign for e in kept], neuron.dtype)

    def mean(points: tf.Tensor) -> tf.Tensor:
        images = tf.reshape(points @ matrices, [-1, points.shape[1]])
        values = tf.reshape(tf.cast(neuron(images), neuron.dtype), [len(kept), -1])
        return tf.linalg.matvec(values, signs / len(kept), transpose_a=True)

    name = f"{neuron.name}, mean of {len(kept)} images"
    return replace(neuron, name=name, function=mean, source=None)


def projected(field: GradientField, symmetries: Sequence[Symmetry]) -> GradientField:
    """Remove the components of a field's gradients along continuous symmetries.

    Rows are weighted by the squared length of the remainder: the shorter it is, the noisier its
    direction.

    Args:
        field: of one neuron.
        symmetries: any.

    Returns:
        A `GradientField` at the same points.

    Raises:
        ValueError: the field is that of several neurons together.
    """
    if field.directions.ndim == 3:
        raise ValueError(
            "`symmetries` are those of one concept, and several neurons together carry more. "
            f"Leave them out. Received: {field}"
        )
    left = across(field.directions, generators(field, symmetries))
    square = (left**2).sum(axis=1)
    if not square.any():
        raise ValueError(
            "Nothing is left of the gradients: a function with all of these symmetries is "
            f"constant. Leave one out. Received: symmetries={list(symmetries)!r}"
        )
    if np.allclose(square, 1):
        return field
    weights = square if field.weights is None else square * field.weights
    return replace(field, directions=unit(left), weights=weights)


def with_mapped_rows(
    field: GradientField, symmetries: Sequence[Symmetry], seed: int = 0
) -> GradientField:
    """Move the rows of a field to images of their points, each under a random map.

    Args:
        field: of one neuron.
        symmetries: any.
        seed: of the choice.

    Returns:
        A `GradientField` of as many rows.
    """
    elements = symmetry_group(symmetries, field.names)
    if len(elements) == 1:
        return field
    chosen = np.random.default_rng(seed).integers(len(elements), size=field.rows)
    matrices = np.stack([e.matrix for e in elements])[chosen]
    signs = np.array([e.sign for e in elements], float)[chosen]
    frame, directions = field.frame, signs[:, None] * field.directions
    if field.fills_space:
        whole = np.eye(field.variables) if frame is None else frame
        units = _units(field)
        gradients = directions @ np.linalg.pinv(whole / units).T / units
        directions = unit(np.einsum("rij,rj->ri", matrices, gradients) @ whole.T)
    else:
        # A gradient's coordinates stay, and the frame vectors are mapped.
        own = np.eye(field.variables) if frame is None else frame
        frame = np.einsum("...av,rwv->raw", own, matrices)
    return replace(
        field,
        points=np.einsum("rij,rj->ri", matrices, field.points),
        directions=directions,
        frame=frame,
        values=None if field.values is None else signs * field.values,
    )


def across(directions: np.ndarray, velocities: np.ndarray) -> np.ndarray:
    """Components of directions across velocities, both in the coordinates of a field."""
    if not velocities.shape[1]:
        return directions
    return split(directions[None], orthonormal(velocities))[1][0]


def generators(field: GradientField, symmetries: Sequence[Symmetry]) -> np.ndarray:
    """Generators in the coordinates of a field, `(rows, k, axes)`.

    With c = F grad f the coordinates, v . grad f = a . c where F^T a = v. Where there is no such a,
    because v leaves the surface on which gradients are compared, c is not constrained, and a is
    zero.
    """
    each = [symmetry.generators(field.names, field.points) for symmetry in symmetries]
    velocities = np.concatenate([np.zeros((field.rows, 0, field.variables)), *each], axis=1)
    if field.frame is None:
        return velocities
    units = _units(field)
    frame, velocities = field.frame / units, velocities / units
    found = np.einsum("...va,...kv->...ka", np.linalg.pinv(frame), velocities)
    again = np.einsum("...av,...ka->...kv", frame, found)
    off = np.linalg.norm(again - velocities, axis=2) > 1e-6 * np.linalg.norm(velocities, axis=2)
    return np.where(off[:, :, None], 0.0, found)


def _units(field: GradientField) -> np.ndarray:
    """The variables' widths where some are thousands of times as wide as others, else ones.

    A matrix of entries from 1e-30 to 1 has no inverse in float64.
    """
    widths = field.widths
    varying = widths[widths > 0]
    alike = not len(varying) or varying.max() < MUCH_WIDER * varying.min()
    return np.ones(len(widths)) if alike else np.where(widths > 0, widths, 1.0)


def _keeps(element: Element, x: np.ndarray) -> bool:
    """Return whether the images of data lie among the data."""
    some = x[np.isfinite(x).all(axis=1)]
    images = element.images(some[:MAX_ROWS_MAPPED])
    return bool(np.mean(Domain(some).holds(images)) >= MIN_SHARE_MAPPED)
