"""Gradient fields in `.npz` files: complete or not at all, and plain numbers only."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_symgrad.files import Record, as_numbers, check_names, read_arrays

if TYPE_CHECKING:
    from keras_symgrad.gradients import GradientField

OPTIONAL = ("weights", "values", "frame")


def write(field: GradientField, path: str | os.PathLike) -> Path:
    """Writes a field; see `GradientField.save`."""
    path = Path(path)
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
    about = {
        "dropped": field.dropped,
        "plateau": field.plateau,
        "origin": field.origin,
        "noise": field.noise,
        "explained": field.explained,
        "spectrum": field.spectrum,
    }
    content = {
        "x": field.points,
        "directions": field.directions,
        "names": np.array(field.names),
        "about": np.array(json.dumps(about)),
    }
    content |= {n: array for n in OPTIONAL if (array := getattr(field, n)) is not None}
    # A file that is there already is replaced only by a whole one.
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, **content)
        part.replace(path)
    except OSError as error:
        raise ValueError(
            f"The gradient field cannot be written to {path}: {error.strerror}. "
            "Choose a folder that exists and that you may write to."
        ) from error
    return path


def read(path: str | os.PathLike) -> dict[str, Any]:
    """What `GradientField` is made of, from a file that `write` wrote; see `GradientField.load`."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a saved gradient field. There is no file at: {path}")
    try:
        return _parts(read_arrays(path, ("x", "directions", "names", "about", *OPTIONAL)))
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"Expected a file that `GradientField.save` wrote. {path} is none: {reason}"
        ) from None


def _parts(content: dict[str, np.ndarray]) -> dict[str, Any]:
    """What a field is made of, checked for its shapes."""
    points, directions = (_numbers(content, name) for name in ("x", "directions"))
    rows = len(points)
    if points.ndim != 2 or directions.ndim not in (2, 3) or len(directions) != rows:
        raise ValueError(f"its arrays have the shapes {points.shape} and {directions.shape}")
    optional = {name: _numbers(content, name) for name in OPTIONAL if name in content}
    for name in ("weights", "values"):
        if name in optional and optional[name].shape != (rows,):
            raise ValueError(f"its {name} have the shape {optional[name].shape}")
    # Of a file without a frame the coordinates are the variables.
    frame = optional.get("frame", np.eye(points.shape[1]))
    shape = (directions.shape[-1], points.shape[1])
    if frame.shape not in (shape, (rows, *shape)):
        raise ValueError(f"its frame has the shape {frame.shape}")
    about = Record(json.loads(str(content["about"])))
    return {
        "points": points,
        "directions": directions,
        "names": check_names([str(name) for name in content["names"].ravel()], points.shape[1]),
        "dropped": about.whole("dropped"),
        "plateau": about.whole("plateau") if "plateau" in about else 0,
        "origin": about.by_name("origin", int),
        "noise": about.number("noise") if "noise" in about else None,
        "explained": about.number("explained") if "explained" in about else 1.0,
        "spectrum": tuple(about.numbers("spectrum")) if "spectrum" in about else (1.0,),
        **optional,
    }


def _numbers(content: dict[str, np.ndarray], name: str) -> np.ndarray:
    array = as_numbers(content[name], f"the array {name}")
    if not np.isfinite(array).all():
        raise ValueError(f"its array {name} holds what is not finite")
    return array
