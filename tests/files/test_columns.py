"""Several arrays as one table, with names that say where each column comes from."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from keras_symgrad.files.columns import Points
from keras_symgrad.files.tables import read_points

AGE = np.array([30.0, 40.0])
POS = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize("age", [AGE, AGE[:, None], pd.Series(AGE), [30, 40]])
def test_a_dict_of_inputs_is_a_table_in_its_own_order(age):
    x, names = read_points({"pos": POS, "age": age})
    np.testing.assert_array_equal(x, [[1, 2, 30], [3, 4, 40]])
    assert names == ("pos_1", "pos_2", "age")


def test_a_list_of_inputs_is_a_table_without_names():
    x, names = read_points([AGE, POS])
    np.testing.assert_array_equal(x, [[30, 1, 2], [40, 3, 4]])
    assert names == ("x1", "x2", "x3")
    # Rows stay rows.
    np.testing.assert_array_equal(read_points([AGE, AGE])[0], [AGE, AGE])


def test_images_are_rows_of_named_pixels():
    images = np.arange(24.0).reshape(2, 3, 4, 1)
    x, names = read_points(images)
    np.testing.assert_array_equal(x, images.reshape(2, 12))
    assert names[5] == "x_1_1"
    assert read_points({"image": images, "age": AGE})[1][-2:] == ("image_2_3", "age")


def test_columns_of_a_dict_are_chosen_by_name():
    x, names = read_points({"pos": POS, "age": AGE}, columns=["age", "pos_2"])
    np.testing.assert_array_equal(x, [[30, 2], [40, 4]])
    assert names == ("age", "pos_2")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"a": AGE, "b": POS[:1]}, "equally many rows. Received: 'a' has 2, 'b' has 1"),
        ({"a": ["red", "blue"]}, "real numbers.*Received from input 'a'"),
        ({"a": 3.0}, "Input 'a' is a single number"),
        ({}, "Received: none"),
        ({"a_1": AGE, "a": POS}, "twice: a_1"),
    ],
)
def test_inputs_that_make_no_table_are_refused(source, message):
    with pytest.raises(ValueError, match=message):
        read_points(source)


def test_columns_are_arranged_as_the_model_takes_them():
    x = np.array([[1.0, 2.0, 3.0]])
    by_name, names = Points(x, ("b", "c", "a")).in_model_order(("a", "b"))
    np.testing.assert_array_equal(by_name, [[3, 1]])
    assert names == ("a", "b")
    # Without names of its own a table is taken as the model's, with other names as it is.
    assert Points(x, ("x1", "x2", "x3")).in_model_order(("a", "b", "c"))[1] == ("a", "b", "c")
    assert Points(x, ("u", "v", "w")).in_model_order(("a", "b", "c"))[1] == ("u", "v", "w")
    assert Points(x, ("u", "v", "w")).in_model_order(None)[1] == ("u", "v", "w")
    with pytest.raises(ValueError, match="takes the columns a, b, c. The data have no a, but: b"):
        Points(x, ("b", "c", "A")).in_model_order(("a", "b", "c"))


@pytest.mark.parametrize(
    "names, values, wanted_names",
    [
        (("mass", "year", "age"), [[3, 1]], ("age", "mass")),
        # Names that the model takes say what the columns are, whatever they were called.
        (("a", "year", "b"), [[1, 3]], ("a", "b")),
    ],
)
def test_columns_with_new_names_stay_the_columns_that_they_are(names, values, wanted_names):
    points = Points(np.array([[1.0, 2.0, 3.0]]), ("b", "z", "a"))
    by_name, found = points.in_model_order(("a", "b"), names)
    np.testing.assert_array_equal(by_name, values)
    assert found == wanted_names


def test_columns_of_a_picture_are_put_in_order_in_linear_time():
    names = tuple(f"x{k}" for k in range(50_000))
    points = Points(np.arange(50_000.0)[None], names)
    start = time.process_time()
    ordered = points.in_model_order(names[::-1])
    assert points.in_model_order(tuple(f"pixel {k}" for k in range(50_000))).names == names
    assert time.process_time() - start < 5
    assert ordered.names == names[::-1] and ordered.values[0, 0] == 49_999


def test_names_of_channels_name_each_step():
    steps = np.arange(2 * 4 * 3.0).reshape(2, 4, 3)
    points = read_points(steps).named(["speed", "load", "age"])
    assert points.names[:4] == ("speed_0", "load_0", "age_0", "speed_1")
    np.testing.assert_array_equal(points.values[:, points.names.index("age_2")], steps[:, 2, 2])
    with pytest.raises(ValueError, match="one name for each of 12 columns"):
        read_points(steps).named(["speed", "load"])
    with pytest.raises(ValueError, match="one name for each of 12 columns"):
        read_points(steps.reshape(2, 12)).named(["speed", "load", "age"])
