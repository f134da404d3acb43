"""Evaluate trees: values, gradients, losses and constants of whole populations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.engine.compilation import compiled_loop
    from keras_symgrad.engine.directions import (
        RELATIVE_RANK_TOLERANCE,
        as_span,
        direction_error,
        in_frame,
        is_diagonal,
        nearest,
        orthonormal_span,
        reduce_axes,
        split,
        unit,
    )
    from keras_symgrad.engine.engine import Engine, NormalEquations
    from keras_symgrad.engine.interpreter import over_chunks, walk
    from keras_symgrad.engine.levenberg_marquardt import refine
    from keras_symgrad.engine.losses import LOSSES, SQUARED, Huber, Loss, as_loss
    from keras_symgrad.engine.memory import block_rows, estimate, trims
    from keras_symgrad.engine.reference import evaluate, gradient, loss
    from keras_symgrad.engine.tapes import Layout, Tapes, assemble
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "Engine",
    "Huber",
    "LOSSES",
    "Layout",
    "Loss",
    "NormalEquations",
    "RELATIVE_RANK_TOLERANCE",
    "SQUARED",
    "Tapes",
    "as_loss",
    "as_span",
    "assemble",
    "block_rows",
    "compiled_loop",
    "direction_error",
    "estimate",
    "evaluate",
    "gradient",
    "in_frame",
    "is_diagonal",
    "loss",
    "nearest",
    "orthonormal_span",
    "over_chunks",
    "reduce_axes",
    "refine",
    "split",
    "trims",
    "unit",
    "walk",
]
