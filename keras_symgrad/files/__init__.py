"""Read and write files: tables, JSON and archives, checked before they are trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.files.atomic import (
        RESULT_FORMAT,
        RESULT_VERSION,
        check_writable,
        heading,
        write_json,
        write_text,
    )
    from keras_symgrad.files.columns import (
        as_numbers,
        check_names,
        check_width,
        column_names,
        in_model_order,
        points_by_name,
    )
    from keras_symgrad.files.hdf5_checks import check_hdf5_content
    from keras_symgrad.files.json_reader import Record, check_is_file, read_json
    from keras_symgrad.files.model_checks import (
        check_hdf5,
        check_keras_archive,
        check_saved_model,
        check_sizes,
    )
    from keras_symgrad.files.npz import read_arrays
    from keras_symgrad.files.tables import Columns, check_weights, finite_rows, read_points
    from keras_symgrad.files.terminal import printable
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "Columns",
    "RESULT_FORMAT",
    "RESULT_VERSION",
    "Record",
    "as_numbers",
    "check_hdf5",
    "check_hdf5_content",
    "check_is_file",
    "check_keras_archive",
    "check_names",
    "check_saved_model",
    "check_sizes",
    "check_weights",
    "check_width",
    "check_writable",
    "column_names",
    "finite_rows",
    "heading",
    "in_model_order",
    "points_by_name",
    "printable",
    "read_arrays",
    "read_json",
    "read_points",
    "write_json",
    "write_text",
]
