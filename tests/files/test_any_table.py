"""Tables of any numbers and names come back; any other bytes are one line that says why not."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from any_input import EXAMPLES, one_line
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from keras_symgrad.files.tables import read_points
from keras_symgrad.gradients.field import GradientField

numbers = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, max_side=4),
    elements=st.floats(allow_nan=True, allow_infinity=True),
)
# A name that is a number would make the header a row of numbers.
name = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=8)
name = name.map(str.strip).filter(lambda n: n and not n[0].isnumeric() and "\ufeff" not in n)


@pytest.mark.slow
@EXAMPLES
@given(numbers)
def test_numbers_come_back_from_text_to_the_last_digit(tmp_path, x):
    # An empty column beside others is left out.
    empty = np.isnan(x).all(axis=0)
    assume(empty.all() or not empty.any())
    path = tmp_path / "x.csv"
    path.write_text("\n".join(",".join(map(repr, map(float, row))) for row in x))
    np.testing.assert_array_equal(read_points(path)[0], x)


@pytest.mark.slow
@EXAMPLES
@given(st.lists(name.map(lambda n: f"v{n}"), min_size=1, max_size=4, unique=True))
def test_names_come_back_from_a_header_in_quotation_marks(tmp_path, names):
    with (tmp_path / "x.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([names, range(len(names))])
    x, found = read_points(tmp_path / "x.csv")
    assert found == tuple(names)
    np.testing.assert_array_equal(x, [range(len(names))])


@pytest.mark.slow
@EXAMPLES
@given(numbers, st.data())
def test_arrays_and_names_come_back_from_npz(tmp_path, x, data):
    count = x.shape[1]
    names = data.draw(st.lists(name, min_size=count, max_size=count, unique=True))
    np.savez(tmp_path / "x.npz", x=x, names=names)
    again, found = read_points(tmp_path / "x.npz")
    np.testing.assert_array_equal(again, x)
    assert found == tuple(names)


@pytest.mark.slow
@EXAMPLES
@given(st.binary(max_size=200), st.sampled_from([".csv", ".npz", ".npy", ".txt"]))
def test_any_bytes_are_a_table_or_one_line_that_says_why_not(tmp_path, content, ending):
    path = tmp_path / f"x{ending}"
    path.write_bytes(content)
    try:
        x, names = read_points(path)
    except ValueError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert x.shape[1] == len(names) > 0


@pytest.mark.slow
@EXAMPLES
@given(st.binary(max_size=200), st.integers(0, 400))
def test_a_damaged_field_is_one_line_that_says_why_not(tmp_path, content, at):
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    path = GradientField.from_gradients(x, x).save(tmp_path / "field.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + content + whole[at + len(content) :])
    try:
        field = GradientField.load(path)
    except ValueError as error:
        assert one_line(error)
    else:
        assert field.variables == len(field.names)


@pytest.mark.parametrize("kind", ["U3", [("name", "U3")]], ids=["texts", "records"])
def test_what_is_no_character_is_refused(tmp_path, kind):
    names = np.zeros(2, "U3")
    names.view(np.uint32)[:] = 0x82828282
    np.savez(tmp_path / "x.npz", x=np.ones((2, 2)), names=names.view(kind))
    with pytest.raises(ValueError, match=r"^The arrays in .*x\.npz could not be read\. [^\n]*$"):
        read_points(tmp_path / "x.npz")
