"""Model files of Keras 1 and 2 as models of Keras 3, by rewriting their configuration as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.neurons.formats.old_files import (
        HDF5_WEIGHTS,
        JSON,
        ModelFile,
        check_weights_fit,
        described_otherwise,
        holds_code,
        holds_program,
        is_unknown,
        model_from,
        read_model_file,
    )
    from keras_symgrad.neurons.formats.optimizer_slots import without_optimizer_slots
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "HDF5_WEIGHTS",
    "JSON",
    "ModelFile",
    "check_weights_fit",
    "described_otherwise",
    "holds_code",
    "holds_program",
    "is_unknown",
    "model_from",
    "read_model_file",
    "without_optimizer_slots",
]
