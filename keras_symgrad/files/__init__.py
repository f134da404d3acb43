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
        json_text,
        replacing,
        unwritable,
        write_json,
        write_text,
    )
    from keras_symgrad.files.checks import (
        MAX_TEXT_BYTES,
        check_configuration,
        check_hdf5,
        check_hdf5_content,
        check_keras_archive,
        check_saved_model,
        layers_of_code,
    )
    from keras_symgrad.files.columns import (
        Points,
        as_numbers,
        check_names,
        check_width,
        column_names,
        points_by_name,
    )
    from keras_symgrad.files.json_reader import Record, check_is_file, read_json
    from keras_symgrad.files.npz import read_arrays
    from keras_symgrad.files.numbered_names import listed_ranges, name_ranges, range_text
    from keras_symgrad.files.tables import Columns, check_weights, finite_rows, read_points
    from keras_symgrad.files.terminal import listed_names, printable
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "Columns",
    "MAX_TEXT_BYTES",
    "Points",
    "RESULT_FORMAT",
    "RESULT_VERSION",
    "Record",
    "as_numbers",
    "check_configuration",
    "check_hdf5",
    "check_hdf5_content",
    "check_is_file",
    "check_keras_archive",
    "check_names",
    "check_saved_model",
    "check_weights",
    "check_width",
    "check_writable",
    "column_names",
    "finite_rows",
    "heading",
    "json_text",
    "layers_of_code",
    "listed_names",
    "listed_ranges",
    "name_ranges",
    "points_by_name",
    "printable",
    "range_text",
    "read_arrays",
    "read_json",
    "read_points",
    "replacing",
    "unwritable",
    "write_json",
    "write_text",
]
