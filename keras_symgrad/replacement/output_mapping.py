"""Map a formula to a layer's output: phi, activation, and the other units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from keras_symgrad.formulas import DEFAULT_SEGMENTS, Formula, MonotoneLayer
from keras_symgrad.neurons import Unit
from keras_symgrad.replacement.graph_surgery import Graft

# phi's closed form is used if it leaves at most this share of the variance unexplained, or at most
# twice that of a piecewise linear phi.
LITTLE_LEFT = 1e-3
# A step of a chain: suffix of its layer's name, and a function that makes the layer.
Step = tuple[str, Callable[..., keras.Layer]]


@dataclass(frozen=True, eq=False)
class UnitReadings:
    """Values of a unit at points, before and after its activation.

    Args:
        x: the formula's variables, `(points, variables)`.
        before: the unit before its activation, `(points,)`.
        after: output of its layer, `(points,)`.
        is_logit: whether `before` is the logit of a decision.
    """

    x: np.ndarray
    before: np.ndarray
    after: np.ndarray
    is_logit: bool

    @property
    def weights(self) -> np.ndarray:
        """Weights of the points: for a logit, the slope of its probability, small far out."""
        if not self.is_logit:
            return np.ones(len(self.before))
        p = 1 / (1 + np.exp(-np.clip(self.before, -30, 30)))
        return p * (1 - p) + 1e-3


def steps_of(
    concept: Formula,
    closed: Formula | None,
    readings: UnitReadings,
    place: keras.Operation,
    phi: str,
    segments: int = DEFAULT_SEGMENTS,
) -> tuple[list[Step], float]:
    """Build the layers from a formula's variables to the unit that it stands for.

    Args:
        concept: the formula g.
        closed: phi(g) in closed form, if it is known.
        readings: values that phi is fitted to.
        place: the layer or operation of the unit.
        phi: "formula", "monotone" or "auto".
        segments: of a `MonotoneLayer`.

    Returns:
        The steps, and the share of the unit's variance that the formula leaves unexplained.

    Raises:
        ValueError: a closed form is required but missing.
    """
    if phi == "formula" and closed is None:
        raise ValueError(
            "There is no closed form of phi: the interpretation of a classifier has none. Use "
            "`phi='monotone'`, or give `PhiFormula.of(...)` as the formula. Received: phi='formula'"
        )
    ending = _activation(readings, place)
    values = readings.after if ending is None else readings.before
    weights = readings.weights
    g = concept(readings.x)
    layer = MonotoneLayer.through(g, values, segments, weights)
    left = _left(np.asarray(layer(g[:, None]))[:, 0], values, weights)
    left_by_closed = np.inf if closed is None else _left(closed(readings.x), values, weights)
    steps: list[Step] = [("formula", concept.to_layer)]
    prefers = phi == "formula" or (phi == "auto" and left_by_closed <= max(LITTLE_LEFT, 2 * left))
    if closed is not None and prefers:
        steps, left = [("formula", closed.to_layer)], left_by_closed
    else:
        config = {k: v for k, v in layer.get_config().items() if k not in ("name", "dtype")}
        steps.append(("phi", lambda **given: MonotoneLayer(**{**config, **given})))
    return steps + (ending or []), left


def in_units(chains: Mapping[Unit, Sequence[Step]], units: int, base: str) -> Graft:
    """Make a graft of one chain for each unit; other units are unchanged.

    Args:
        chains: by unit; for the difference of two classes, by the pair of them.
        units: number of units of the layer.
        base: name of the layer, which the new output gets if the old one is not used any more.

    Returns:
        A graft.
    """
    whole = len(chains) == units or any(isinstance(unit, tuple) for unit in chains)
    last = base if whole else f"{base}_replaced"

    def graft(columns: keras.KerasTensor, output: keras.KerasTensor) -> keras.KerasTensor:
        alone = whole and len(chains) == 1 and units == 1 and len(output.shape) == 2
        kind = {"dtype": keras.backend.standardize_dtype(output.dtype)}
        found = {}
        for unit, steps in chains.items():
            tensor = columns
            suffix = "" if len(chains) == 1 else f"_{unit}"
            for ending, make in steps:
                ends = alone and ending == steps[-1][0]
                tensor = make(name=base if ends else f"{base}_{ending}{suffix}", **kind)(tensor)
            found[unit] = tensor
        if alone:
            return tensor
        if isinstance(unit, tuple):
            other = keras.layers.Rescaling(-1.0, 1.0, name=f"{base}_other", **kind)(tensor)
            parts = [tensor, other] if unit[0] == 0 else [other, tensor]
        elif whole:
            parts = [found[k] for k in range(units)]
        else:
            old = keras.layers.Reshape((units,))(output)
            parts = [found[k] if k in found else old[:, k : k + 1] for k in range(units)]
        return _shaped(parts, output, last)

    return graft


def through(concepts: Sequence[Formula], phi: keras.Layer, base: str) -> Graft:
    """Make a graft of formulas side by side, followed by one layer of the user's.

    Args:
        concepts: the formulas.
        phi: layer from `(batch, formulas)` to `(batch, units)`.
        base: name of the replaced layer, which the new output gets.

    Returns:
        A graft; it raises a ValueError if phi's number of outputs differs from the layer's.
    """

    def graft(columns: keras.KerasTensor, output: keras.KerasTensor) -> keras.KerasTensor:
        kind = {"dtype": keras.backend.standardize_dtype(output.dtype)}
        ends = [""] if len(concepts) == 1 else [f"_{k}" for k in range(len(concepts))]
        found = [
            concept.to_layer(name=f"{base}_formula{end}", **kind)(columns)
            for concept, end in zip(concepts, ends)
        ]
        joined = found[0] if len(found) == 1 else keras.layers.Concatenate()(found)
        made, units = phi(joined), int(np.prod(output.shape[1:]))
        if tuple(made.shape) != (made.shape[0], units):
            raise ValueError(
                f"`phi` must return {units} column{'s' if units > 1 else ''}, as what it is to "
                f"replace, '{base}'. Received: a layer that returns {made.shape}"
            )
        return _shaped([made], output, base)

    return graft


def _shaped(
    parts: Sequence[keras.KerasTensor], output: keras.KerasTensor, name: str
) -> keras.KerasTensor:
    joined = parts[0]
    if len(parts) > 1:
        flat = len(output.shape) == 2
        joined = keras.layers.Concatenate(name=name if flat else None)(parts)
        if flat:
            return joined
    return keras.layers.Reshape(tuple(output.shape[1:]), name=name)(joined)


def _activation(readings: UnitReadings, place: keras.Operation) -> list[Step] | None:
    """Steps from before to after: empty if they are equal, `None` if they are unknown."""
    own = getattr(place, "activation", None)
    if np.allclose(readings.before, readings.after, rtol=1e-5, atol=1e-6):
        return []
    for activation in (keras.activations.sigmoid, own):
        if activation is not None:
            value = np.asarray(activation(keras.ops.convert_to_tensor(readings.before)))
            if np.allclose(value, readings.after, rtol=1e-4, atol=1e-5):
                return [("activation", lambda a=activation, **k: keras.layers.Activation(a, **k))]
    return None


def _left(found: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> float:
    """Unexplained share of the variance, over finite values; infinite without any."""
    good = np.isfinite(found) & np.isfinite(wanted)
    if not good.any():
        return np.inf
    found, wanted, weights = found[good], wanted[good], weights[good]
    spread = np.average((wanted - np.average(wanted, weights=weights)) ** 2, weights=weights)
    return float(np.average((found - wanted) ** 2, weights=weights) / max(spread, 1e-300))
