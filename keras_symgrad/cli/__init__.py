"""The command line: `keras-symgrad interpret model.keras --data points.csv`."""

from __future__ import annotations

from keras_symgrad.cli.main import main

__all__ = [
    "main",
]
