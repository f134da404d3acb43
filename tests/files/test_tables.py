"""Points from arrays, DataFrames and files, and errors that name the row and the column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from keras_symgrad.files.columns import check_names
from keras_symgrad.files.tables import check_weights, finite_rows, read_points

X = np.array([[1.0, 2.0], [3.5, -4e-3]])


def test_an_array_gets_names_of_its_own():
    x, names = read_points(X.astype(np.float32))
    assert x.dtype == np.float64
    assert names == ("x1", "x2")
    np.testing.assert_allclose(x, X, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int32, bool, np.float16])
def test_any_real_numbers_are_read(dtype):
    x, _ = read_points(np.ones((2, 3), dtype))
    np.testing.assert_array_equal(x, np.ones((2, 3)))


def test_a_data_frame_keeps_its_names():
    frame = pd.DataFrame({"petal length (cm)": [1, 2], "ok": [True, False], "y": [0.5, np.nan]})
    x, names = read_points(frame)
    assert names == ("petal length (cm)", "ok", "y")
    np.testing.assert_array_equal(x, [[1, 1, 0.5], [2, 0, np.nan]])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_is_read_with_and_without_a_header(delimiter, tmp_path):
    rows = [delimiter.join(map(repr, map(float, row))) for row in X]
    (tmp_path / "plain.csv").write_text("\n".join(rows))
    header = delimiter.join(['"petal length (cm)"', "b"])
    # The byte-order mark and the empty last line are what spreadsheets write.
    (tmp_path / "named.csv").write_text("\ufeff" + "\n".join([header, *rows, ""]), "utf-8")

    x, names = read_points(tmp_path / "plain.csv")
    np.testing.assert_array_equal(x, X)
    assert names == ("x1", "x2")
    x, names = read_points(str(tmp_path / "named.csv"))
    np.testing.assert_array_equal(x, X)
    assert names == ("petal length (cm)", "b")


def test_what_pandas_writes_is_what_is_read(tmp_path):
    x = np.random.default_rng(0).normal(size=(100, 3))
    pd.DataFrame(x, columns=list("abc")).to_csv(tmp_path / "frame.csv", index=False)
    again, names = read_points(tmp_path / "frame.csv")
    assert names == ("a", "b", "c")
    np.testing.assert_array_equal(again, x)


def test_missing_numbers_become_nan(tmp_path):
    (tmp_path / "gaps.csv").write_text("a,b\n1,\nNA,2\n3,nan\n")
    x, _ = read_points(tmp_path / "gaps.csv")
    np.testing.assert_array_equal(x, [[1, np.nan], [np.nan, 2], [3, np.nan]])


def test_numpy_files_are_read(tmp_path):
    np.savez(tmp_path / "plain.npz", x=X)
    np.savez(tmp_path / "named.npz", x=X, names=["u", "v"])
    np.save(tmp_path / "bare.npy", X)
    for name, names in [
        ("plain.npz", ("x1", "x2")),
        ("named.npz", ("u", "v")),
        ("bare.npy", ("x1", "x2")),
    ]:
        x, found = read_points(tmp_path / name)
        np.testing.assert_array_equal(x, X)
        assert found == names


def test_columns_are_taken_by_name_or_number_and_in_order():
    frame = pd.DataFrame({"a": [1.0], "label": [0.0], "b": [2.0]})
    x, names = read_points(frame, columns=["b", "a"])
    np.testing.assert_array_equal(x, [[2, 1]])
    assert names == ("b", "a")
    assert read_points(frame.to_numpy(), columns=[0, 2])[1] == ("x1", "x3")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((0, 2)), "at least one row"),
        (pd.DataFrame({"a": []}), "at least one row.*the DataFrame"),
        (np.zeros(3), r"shape \(rows, columns\).*shape \(3,\)"),
        (np.zeros((3, 0)), r"shape \(3, 0\)"),
        (np.array([["a", "b"]]), "real numbers.*<U1"),
        (np.array([[1, None]]), "real numbers.*object"),
        (np.array([[1j]]), "real numbers.*complex"),
        ([[1, 2], [3]], "equal length"),
        (pd.DataFrame({"a": [1, 2], "b": [1, "red"]}), "Column 'b' of the DataFrame.*red"),
        (pd.DataFrame({"kind": ["red"]}), r"has none: 'kind' \(texts\)"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "Received twice: a"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        read_points(source)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The file is empty"),
        ("a,b\n", "at least one row"),
        ("a,b\n1,2\n3\n", "Expected 2 columns in every row. Line 3 of .* has 1"),
        ("a,b\n1,2\n3,red\n", "column 'b', line 3 of .* Received: 'red'"),
        ("1.5,2\n3,red\n5,6\n", "column 'x2', line 2"),
        ("a,b\n1_000,2\n", "column 'a', line 2 of .* Received: '1_000'"),
        ("a,a\n1,2\n", "Received twice: a"),
    ],
)
def test_a_faulty_csv_is_refused_with_its_line_and_column(text, message, tmp_path):
    (tmp_path / "faulty.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_points(tmp_path / "faulty.csv")


def test_faulty_files_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", points=X, y=X)
    np.savez(tmp_path / "objects.npz", x=np.array([{"a": 1}], dtype=object))
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "latin.csv").write_bytes("gr\xf6\xdfe\n1\n".encode("latin-1"))
    (tmp_path / "table.xlsx").write_text("hello")
    (tmp_path / "table.doc").write_text("hello")
    for name, message in [
        ("other.npz", "under the key `x`.*has the keys: points, y"),
        ("objects.npz", "could not be read"),
        ("text.npz", "could not be read"),
        ("latin.csv", "UTF-8"),
        ("table.xlsx", r"Expected a table in|needs another package"),
        ("table.doc", r"in a `.csv`, `.npz` or `.npy` file"),
    ]:
        with pytest.raises(ValueError, match=message):
            read_points(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="There is no file at: .*none.csv"):
        read_points(tmp_path / "none.csv")


@pytest.mark.parametrize("columns", [["x3"], [2], [-1], [1.0]])
def test_a_column_that_is_not_there_is_refused(columns):
    with pytest.raises(ValueError, match="which has: x1, x2. Received"):
        read_points(X, columns=columns)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a"], "Received 1: a"),
        (["a", "a"], "twice: a"),
        (["a", 1], "list of texts"),
        (["a", " "], "none of them empty"),
        ("ab", "list of texts"),
    ],
)
def test_faulty_names_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        check_names(names, 2)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, np.nan]])
def test_faulty_weights_are_refused(weights):
    with pytest.raises(ValueError, match="`weights` has one finite number for each of 2 rows"):
        check_weights(weights, 2)


def test_rows_with_nan_are_counted_in_a_warning_and_all_of_them_in_an_error():
    x = np.array([[1.0, np.nan], [1.0, 2.0], [np.inf, 1.0]])
    with pytest.warns(UserWarning, match="2 of 3 rows hold NaN or infinity"):
        np.testing.assert_array_equal(finite_rows(x), [False, True, False])
    with pytest.raises(ValueError, match="each of the 1 rows holds NaN"):
        finite_rows(x[:1])


@pytest.mark.parametrize("cells", [["1", "2", "3", "x"], ["2020-01-01"] * 4, [""] * 4])
def test_a_refusal_is_one_line_whatever_the_column_is_called(cells, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('"a\n\x1b[2Jb",c\n' + "".join(f"{cell},{k}\n" for k, cell in enumerate(cells)))
    with pytest.raises(ValueError) as raised:
        read_points(path, columns=["a\n\x1b[2Jb"])
    message = str(raised.value)
    assert message.isprintable() and r"a\n\x1b[2Jb" in message
