"""The meaning of a first row, a comma or an empty cell follows from the cells around it."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from keras_symgrad.files import table_files
from keras_symgrad.files.checks import zip_archives
from keras_symgrad.files.tables import read_points


@pytest.fixture
def read(tmp_path):
    def read(text: str, *columns: str, name: str = "table.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read_points(tmp_path / name, list(columns) or None)

    return read


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("2020,2021\n0.5,1.5\n0.25,2.5\n", ("2020", "2021"), [[0.5, 1.5], [0.25, 2.5]]),
        ("country,2020\nDE,1\nFR,2\n", ("2020",), [[1], [2]]),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", ("x1", "x2"), [[5.1, 3.5], [4.9, 3.0]]),
        ("# made today\n# a,b\n1,2\n", ("a", "b"), [[1, 2]]),
        ("a;b\n1,5;2,25\n-0,5;3\n", ("a", "b"), [[1.5, 2.25], [-0.5, 3]]),
        ("a;b\n1.234,5;2\n1.000;3\n", ("a", "b"), [[1234.5, 2], [1000, 3]]),
        ('a,b\n"1,234.5",2\n"1,234",3\n', ("a", "b"), [[1234.5, 2], [1234, 3]]),
        ("a\tb\n1 234\t2\n12\t3\n", ("a", "b"), [[1234, 2], [12, 3]]),
        ("a b\n1 2\n 3  4\n", ("a", "b"), [[1, 2], [3, 4]]),
        ("ok,a\nyes,1\nno,2\n", ("ok", "a"), [[1, 1], [0, 2]]),
        ("a,b\n?,1\n2,-\n", ("a", "b"), [[np.nan, 1], [2, np.nan]]),
        ("1;2\n3;4.5\n", ("x1", "x2"), [[1, 2], [3, 4.5]]),
    ],
)
@pytest.mark.filterwarnings("ignore:Left out of", "ignore:The first row of")
def test_a_table_is_read_as_it_was_meant(text, names, rows, read):
    x, found = read(text)
    assert found == names
    np.testing.assert_array_equal(x, rows)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("date,a\n2024-01-01,1\n2024-01-02,2\n", r"'date' \(dates\)"),
        ("t,a\n2024-01-01T10:00:00+02:00,1\n2024-01-02T10:00:00+02:00,2\n", r"'t' \(dates\)"),
        ("name,a\nx,1\ny,2\n", r"'name' \(texts\)"),
        (",a\n0,1\n1,2\n", r"'Unnamed: 0' \(numbers of rows\)"),
        ("customer_id,a\n17,1\n9,2\n", r"'customer_id' \(numbers of rows\)"),
        ("gap,a\n,1\n,2\n", r"'gap' \(empty\)"),
        ("gap,a\nm,s\n1.5,1\n2,2\n", r"Line 2 .* a row of units: m, s"),
        ("1,2\n3,4\n", r"first row .*\(1, 2\) was read as a point"),
    ],
)
def test_what_is_left_out_is_said(text, told, read):
    with pytest.warns(UserWarning, match=told):
        read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a;b\n1,234;2\n", "The comma in '1,234' may group thousands or be a decimal comma"),
        ("a;b\n1,5;1,234.5\n", "In '1,5' the comma is a decimal one, and in '1,234.5' it groups"),
        ("a,b\n1,12%\n2,13%\n", "column 'b', line 2 .*12%"),
        ("a,b\n1,2\n3,4\n5,x\n", "column 'b', line 4"),
        ("a,b\n1\n", "Line 2 .* has 1"),
    ],
)
def test_what_may_mean_two_things_is_refused(text, message, read):
    with pytest.raises(ValueError, match=message):
        read(text)


def test_columns_are_chosen_before_cells_are_read(read):
    text = "date,a,a b,b,b\n2024-01-01,1.0,2.0,x,5\n2024-01-02,1.5,2.5,y,6\n"
    x, names = read(text, "a b", "a")
    assert names == ("a b", "a")
    np.testing.assert_array_equal(x, [[2, 1], [2.5, 1.5]])
    for column, message in (("date", "holds dates. Turn dates into a number"), ("b", "twice: b")):
        with pytest.raises(ValueError, match=message):
            read(text, column)
    with pytest.raises(ValueError, match="Is it 'date'"):
        read(text, "dates")


def test_compressed_files_and_standard_input_are_tables_too(tmp_path, monkeypatch):
    text = "a,b\n1,2\n"
    with gzip.open(tmp_path / "t.csv.gz", "wt") as file:
        file.write(text)
    pd.DataFrame({"a": [1], "b": [2]}).to_csv(tmp_path / "t.csv.zip", index=False)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode("utf-16"))))
    for source in (tmp_path / "t.csv.gz", tmp_path / "t.csv.zip", "-"):
        x, names = read_points(source)
        assert names == ("a", "b")
        np.testing.assert_array_equal(x, [[1, 2]])


def test_any_key_of_an_npz_can_be_read(tmp_path):
    np.savez(tmp_path / "one.npz", points=np.ones((2, 3)), labels=np.zeros(2))
    np.savez(tmp_path / "flat.npz", mass=[1.0, 2.0], speed=[3.0, 4.0])
    np.savez(tmp_path / "two.npz", train=np.ones((2, 3)), test=np.zeros((2, 3)))
    assert read_points(tmp_path / "one.npz")[0].shape == (2, 3)
    assert read_points(tmp_path / "flat.npz")[1] == ("mass", "speed")
    np.testing.assert_array_equal(read_points(f"{tmp_path / 'two.npz'}:test")[0], np.zeros((2, 3)))
    with pytest.raises(ValueError, match="keys: train, test.* Choose one as `.*:train`"):
        read_points(tmp_path / "two.npz")


def test_a_long_text_takes_no_room_in_other_rows(tmp_path):
    path = tmp_path / "long.csv"
    digits = "0." + 200 * "3"
    rows = [f"{k},{digits},note {k}" for k in range(20_000)]
    # As an array of texts of one length these cells would take 24 GB.
    path.write_text("\n".join(["a,b,remark", f"0,{digits},{100_000 * 'x'}", *rows]))
    with pytest.warns(UserWarning, match="'remark'"):
        x, names = read_points(path)
    assert names == ("a", "b")
    assert x.shape == (20_001, 2)
    assert (x[:, 1] == float(digits)).all()


def test_a_cell_beyond_the_limit_of_a_field_is_one_line_that_says_so(tmp_path):
    for name, text in [
        ("cell.csv", f"a,b\n1,{'2' * 200_000}"),
        ("remark.csv", f"# {'a' * 200_000}\n1,2"),
    ]:
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match="field larger than field limit"):
        read_points(tmp_path / "cell.csv")
    assert read_points(tmp_path / "remark.csv")[1] == ("x1", "x2")


def test_a_spreadsheet_far_larger_inside_than_outside_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_archives, "HARMLESS_BYTES", 2**20)
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(2**24))
    with pytest.raises(ValueError, match="more than 100 times"):
        read_points(path)


@pytest.mark.parametrize("ending", [".feather", ".arrow"])
def test_an_arrow_table_far_larger_inside_than_outside_is_refused(ending, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    from pyarrow import feather, table

    path = tmp_path / f"bomb{ending}"
    content = table({"a": np.zeros(2**20), "b": np.arange(2**20) % 2})
    feather.write_feather(content, path, compression="zstd")
    assert read_points(path)[0].shape == (2**20, 2)
    monkeypatch.setattr(table_files, "HARMLESS_BYTES", 2**20)
    monkeypatch.setattr(table_files, "MAX_ZIP_RATIO", 2)
    with pytest.raises(ValueError, match="Its content would take 16 MB"):
        read_points(path)


@pytest.mark.parametrize("compression", ["lz4", "zstd", "uncompressed"])
def test_the_size_of_an_arrow_table_is_known_before_it_is_read(compression, tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import feather

    from keras_symgrad.files.arrow_sizes import unpacked_bytes

    words = arrow.array(["u", "v"] * 5000).dictionary_encode()
    content = arrow.table({"a": np.zeros(10_000), "text": ["x" * 10] * 10_000, "words": words})
    feather.write_feather(content, tmp_path / "x.feather", compression=compression)
    with (
        arrow.OSFile(str(tmp_path / "stream.arrow"), "wb") as file,
        arrow.ipc.new_stream(file, content.schema) as writer,
    ):
        writer.write_table(content, max_chunksize=1000)
    for name in ("x.feather", "stream.arrow"):
        assert unpacked_bytes(tmp_path / name) == pytest.approx(content.nbytes, rel=0.05)
