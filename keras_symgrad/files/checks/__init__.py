"""Safety checks of files from elsewhere, before anything in them is built, unpacked or run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.files.checks.hdf5 import check_hdf5_content
    from keras_symgrad.files.checks.models import (
        MAX_TEXT_BYTES,
        check_configuration,
        check_hdf5,
        check_keras_archive,
        layers_of_code,
    )
    from keras_symgrad.files.checks.saved_models import check_saved_model
    from keras_symgrad.files.checks.zip_archives import (
        HARMLESS_BYTES,
        MAX_ZIP_RATIO,
        check_archive,
    )
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "HARMLESS_BYTES",
    "MAX_TEXT_BYTES",
    "MAX_ZIP_RATIO",
    "check_archive",
    "check_configuration",
    "check_hdf5",
    "check_hdf5_content",
    "check_keras_archive",
    "check_saved_model",
    "layers_of_code",
]
