"""Training and files of the small networks of examples: a network and some of its points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np


def trained(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    loss: str,
    *,
    batch: int,
    rate: float,
    epochs: int,
) -> keras.Model:
    """The network after training with Adam and a cosine decay.

    It is never compiled itself, so that its file holds the weights and no optimizer.
    """
    bare = keras.models.clone_model(model)
    decay = keras.optimizers.schedules.CosineDecay(rate, epochs * (len(x) // batch))
    model.compile(keras.optimizers.Adam(decay), loss, jit_compile=True)
    model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)
    bare.set_weights(model.get_weights())
    return bare


def save(model: keras.Model, x: np.ndarray, names: Sequence[str], folder: Path) -> None:
    """Write `NAME.keras`, and points as `NAME.csv` with a header."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / f"{model.name}.keras")
    np.savetxt(
        folder / f"{model.name}.csv",
        x,
        fmt="%.5g",
        delimiter=",",
        header=",".join(names),
        comments="",
    )
