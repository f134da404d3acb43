"""Values of options: each is parsed as meant, or refused as wrong usage."""

from __future__ import annotations

import contextlib
import csv
import io

import pytest
from any_input import EXAMPLES, one_line
from hypothesis import given
from hypothesis import strategies as st

from keras_symgrad.cli.parser import parser
from keras_symgrad.expressions.operators import PRESETS, OperatorSet

# What a CSV file may call a column, on one line and without blanks around it.
names = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=12
).filter(lambda name: name.strip() == name)


def read(option: str, text: str):
    """The value of an option, or the usage that was printed."""
    words = ["interpret", "m", "--data", "d", f"--{option}={text}"]
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            return vars(parser(print).parse_args(words))[option.replace("-", "_")]
        except SystemExit as stopped:
            assert stopped.code == 2
            assert f"--{option}" in said.getvalue()
            return None


@pytest.mark.slow
@EXAMPLES
@given(st.lists(names, min_size=1, max_size=5))
def test_columns_of_any_name_are_read_as_a_csv_file_writes_them(columns):
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(columns)
    assert read("columns", line.getvalue()) == columns


@pytest.mark.slow
@EXAMPLES
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
def test_units_are_numbers_with_commas_between(units):
    expected = units[0] if len(units) == 1 else tuple(units)
    assert read("unit", ",".join(map(str, units))) == expected


OPTIONS = ("columns", "unit", "delta", "rows", "smoothing", "seed", "time-limit", "methods")


@pytest.mark.slow
@EXAMPLES
@given(st.sampled_from(OPTIONS), st.text(max_size=20))
def test_any_text_after_an_option_is_read_or_wrong_usage(option, text):
    read(option, text)


@EXAMPLES
@given(st.lists(st.sampled_from([*PRESETS, "add", "exp", "tanh", " mul "]), min_size=1))
def test_operators_are_names_with_commas_between(chosen):
    operators = OperatorSet(",".join(chosen))
    assert {name.strip() for name in chosen} - set(PRESETS) <= set(operators.names)


@EXAMPLES
@given(st.text(max_size=20))
def test_any_text_is_a_set_of_operators_or_one_line_that_says_why_not(text):
    try:
        assert len(OperatorSet(text)) > 0
    except ValueError as error:
        assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("text", ["a\x1b[2J", "\u202e"])
def test_what_is_printed_does_not_command_the_terminal(text):
    from keras_symgrad.cli.main import _one_line

    assert one_line(ValueError(_one_line(ValueError(f"Received: {text}"))))


def test_a_row_is_a_number_or_the_value_of_each_input():
    def near(text: str):
        words = ["interpret", "net.keras", "--data", "x.csv", "--near", text]
        return parser(print).parse_args(words).near

    assert near("17") == 17
    assert near('a=1,"b, in m"=-2e3,color=red=0') == {
        "a": 1.0,
        "b, in m": -2000.0,
        "color=red": 0.0,
    }
    for wrong in ("-1", "1.5", "a", "a=", "=1", "a=1,b", "a=1,a=2", ","):
        with pytest.raises(SystemExit):
            near(wrong)
