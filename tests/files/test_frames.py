"""Tables of other libraries are those of pandas: names, missing values and kinds of columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_symgrad.files.tables import read_points


def test_masked_numbers_are_missing():
    x, _ = read_points(np.ma.masked_values([[1.0, 2.0], [1e20, 3.0]], 1e20))
    np.testing.assert_array_equal(x, [[1, 2], [np.nan, 3]])


def test_a_frame_gives_its_columns_of_numbers():
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True),
            "lasts": pd.to_timedelta([1, 2], unit="s"),
            "kind": pd.Categorical(["a", "b"]),
            "level": pd.Categorical([10, 20]),
            "whole": pd.array([1, None], dtype="Int64"),
            "text": ["1.5", "2.5"],
        }
    )
    with pytest.warns(
        UserWarning, match=r"'day' \(dates\), 'lasts' \(durations\), 'kind' \(texts\)"
    ):
        x, names = read_points(frame)
    assert names == ("level", "whole", "text")
    np.testing.assert_array_equal(x, [[10, 1, 1.5], [20, np.nan, 2.5]])
    with pytest.raises(ValueError, match="durations into a number with a unit"):
        read_points(frame, ["lasts"])


def test_records_of_numpy_have_names():
    records = np.array([(1.0, 2), (3.0, 4)], dtype=[("a", float), ("b", int)])
    x, names = read_points(records)
    assert names == ("a", "b")
    np.testing.assert_array_equal(x, [[1, 2], [3, 4]])


def test_a_data_set_of_tensorflow_gives_its_inputs_and_not_its_labels():
    x, y = np.arange(12.0).reshape(6, 2), np.zeros(6)
    by_row = tf.data.Dataset.from_tensor_slices((x, y))
    for dataset in (by_row, by_row.batch(4), by_row.batch(3, drop_remainder=True).prefetch(1)):
        np.testing.assert_array_equal(read_points(dataset)[0], x)
    named = tf.data.Dataset.from_tensor_slices({"a": x[:, 0], "b": x[:, 1]})
    found, names = read_points(named.batch(4))
    assert names == ("a", "b")
    np.testing.assert_array_equal(found, x)


class Polars:
    """The part of a polars DataFrame that is used."""

    columns = ("b", "kind")

    def __getitem__(self, name: str) -> np.ndarray:
        return {"b": np.array([1.0, np.nan]), "kind": np.array(["x", "y"], object)}[name]


def test_columns_of_a_frame_that_is_not_of_pandas_are_found_by_name():
    with pytest.warns(UserWarning, match=r"'kind' \(texts\)"):
        x, names = read_points(Polars())
    assert names == ("b",)
    np.testing.assert_array_equal(x, [[1], [np.nan]])
