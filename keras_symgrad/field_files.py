"""Gradient fields in `.npz` files: complete or not at all, and plain numbers only."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_symgrad.tables import check_names

if TYPE_CHECKING:
    from keras_symgrad.gradients import GradientField

OPTIONAL = ("weights", "values", "frame")


def write(field: GradientField, path: str | os.PathLike) -> Path:
    """Writes a field; see `GradientField.save`."""
    path = Path(path)
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
    about = {
        "dropped": field.dropped,
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
        with np.load(path, allow_pickle=False) as archive:
            content = {name: archive[name] for name in archive.files}
        about = json.loads(str(content["about"]))
        noise = about.get("noise")
        return {
            "points": content["x"],
            "directions": content["directions"],
            "names": check_names([str(n) for n in content["names"]], content["x"].shape[1]),
            "dropped": int(about["dropped"]),
            "origin": dict(about["origin"]),
            "noise": None if noise is None else float(noise),
            "explained": float(about.get("explained", 1.0)),
            "spectrum": tuple(map(float, about.get("spectrum", [1.0]))),
            **{name: content[name] for name in OPTIONAL if name in content},
        }
    except (KeyError, ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"Expected a file that `GradientField.save` wrote. {path} is none: {error}"
        ) from error
