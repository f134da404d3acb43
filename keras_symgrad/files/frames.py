"""Convert tables of polars, PyArrow, xarray, TensorFlow and NumPy to pandas."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# Most rows read from a `tf.data.Dataset`, which may be infinite.
MOST_ROWS = 20_000


def as_frame(source: Any) -> pd.DataFrame | None:
    """Convert a table with named columns to pandas.

    Args:
        source: a DataFrame of pandas or polars, a table of PyArrow, a data set or array of xarray,
            or a structured array of NumPy.

    Returns:
        The table; `None` for any other object.
    """
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        return source.set_axis([_name(name) for name in source.columns], axis=1)
    if isinstance(source, np.ndarray) and source.dtype.names:
        return pd.DataFrame({name: source[name] for name in source.dtype.names})
    library = type(source).__module__.partition(".")[0]
    if library == "xarray":
        return _of_xarray(source)
    if library == "polars" and hasattr(source, "collect"):
        source = source.collect()
    names = getattr(source, "column_names", None) or getattr(source, "columns", None)
    if names is None or not hasattr(source, "__getitem__") or isinstance(source, np.ndarray):
        return None
    if callable(names) or not all(isinstance(name, str) for name in names):
        return None
    return pd.DataFrame({name: np.asarray(source[name]) for name in names})


def _name(name: Any) -> str:
    """Name of a column; levels are joined by points."""
    return ".".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _of_xarray(source: Any) -> pd.DataFrame | None:
    if hasattr(source, "data_vars"):
        frame = source.to_dataframe().reset_index()
        return frame.set_axis([str(name) for name in frame.columns], axis=1)
    if getattr(source, "ndim", 0) == 2 and source.dims[1] in source.coords:
        frame = source.to_pandas()
        return frame.set_axis([str(name) for name in frame.columns], axis=1)
    return None


def is_dataset(source: Any) -> bool:
    """Return whether points are a `tf.data.Dataset`, without importing TensorFlow.

    Args:
        source: points as the user passed them.
    """
    return hasattr(source, "element_spec") and hasattr(source, "as_numpy_iterator")


def inputs_of_dataset(dataset: Any) -> Any:
    """Read the inputs of a `tf.data.Dataset` and leave out its labels.

    Args:
        dataset: elements are inputs, or pairs of inputs and labels, in batches or row by row.

    Returns:
        An array, or a dictionary of arrays.
    """
    spec = dataset.element_spec
    has_labels = isinstance(spec, tuple)
    batched = dataset if _is_batched(spec) else dataset.batch(1024)
    parts, rows = [], 0
    for element in batched.as_numpy_iterator():
        part = element[0] if has_labels else element
        parts.append(part)
        rows += len(next(iter(part.values())) if isinstance(part, Mapping) else part)
        if rows >= MOST_ROWS:
            warnings.warn(f"The first {rows:,} rows of the data set were taken.", stacklevel=4)
            break
    if not parts:
        raise ValueError("Expected at least one row of points. Received: an empty data set")
    if isinstance(parts[0], Mapping):
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return np.concatenate(parts)


def _is_batched(spec: Any) -> bool:
    """Return whether elements are batches: all first dimensions are equal, or all unknown."""
    tensors = list(_leaves(spec))
    if any(tensor.shape.rank in (None, 0) for tensor in tensors):
        return False
    sizes = {tensor.shape[0] for tensor in tensors}
    # Inputs alone with a known first dimension are ambiguous; images are rows.
    return sizes == {None} or (len(sizes) == 1 and len(tensors) > 1)


def _leaves(spec: Any) -> Iterator[Any]:
    if isinstance(spec, Mapping):
        spec = tuple(spec.values())
    if isinstance(spec, tuple):
        for part in spec:
            yield from _leaves(part)
    else:
        yield spec
