"""Plain data from files: each value of its kind, and errors that name its place."""

from __future__ import annotations

import math

import pytest

from keras_symgrad.files.json_reader import Record

CONTENT = {
    "text": "a",
    "number": 0.5,
    "whole": 3,
    "huge": 10**400,
    "nothing": None,
    "texts": ["a", "b"],
    "rows": [[1, 2], [3, 4]],
    "records": [{"x": 1}, {"x": "2"}],
    "flag": True,
}


def test_values_are_what_they_are():
    record = Record(CONTENT)
    assert record.text("text") == "a"
    assert record.number("whole") == 3.0
    assert record.number("nothing", math.inf) == math.inf
    assert record.texts("texts") == ("a", "b")
    assert record.rows("rows", 2) == [[1, 2], [3, 4]]
    assert record.flag("flag") is True
    assert record.maybe("nothing", lambda _: 1 / 0) is None
    assert "nothing" not in record


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda r: r.text("number"), "a text at `number`. Received: 0.5"),
        (lambda r: r.text("missing"), "a text at `missing`. Received: nothing"),
        (lambda r: r.number("flag"), "a number at `flag`. Received: True"),
        (lambda r: r.number("nothing"), "a finite number at `nothing`. Received: None"),
        (lambda r: r.number("huge"), "a finite number at `huge`. Received: 1000"),
        (lambda r: r.whole("number"), "a whole number of at least 0"),
        (lambda r: r.whole("flag"), "a whole number of at least 0"),
        (lambda r: r.whole("huge"), "a whole number of at least 0"),
        (lambda r: r.rows("rows", 3), "rows of 3 numbers"),
        (lambda r: r.texts("text"), "a list at `text`"),
        (lambda r: r.record("texts"), "names with values at `texts`"),
        (lambda r: [x.number("x") for x in r.records("records")], r"at `records\[1\].x`"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_place(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(Record(CONTENT))
