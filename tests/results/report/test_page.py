"""The report: one page with nothing outside of it, in which names are text."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import matplotlib
import pytest
from html_page import (
    Page,
    check_that_a_screen_reader_finds_its_way,
    check_that_nothing_is_loaded,
    pictures,
)
from matplotlib import pyplot
from small_concepts import NAMES, classifier, regressor, without_values

from keras_symgrad.api.interpret import interpret
from keras_symgrad.results.report.page import page_of_interpretation, scientific
from keras_symgrad.search.core.provenance import call

pytestmark = pytest.mark.slow

KINDS = {"classifier": classifier, "regressor": regressor, "without_values": without_values}


@cache
def written(kind: str) -> str:
    """The page on one of them, made once."""
    return page_of_interpretation(KINDS[kind]())


@pytest.fixture(scope="module", params=KINDS)
def report(request):
    return request.param, KINDS[request.param](), Page(written(request.param))


def test_nothing_is_loaded_and_only_the_pages_own_script_may_run(report):
    check_that_nothing_is_loaded(report[2])


def test_every_picture_is_drawn_and_told_in_words(report):
    kind, _, seen = report
    drawn = pictures(seen)
    assert len(drawn) == {"classifier": 7, "regressor": 10, "without_values": 3}[kind]
    for image, svg in zip(seen.all("img"), drawn):
        assert len(image["alt"]) > 20
        root = ElementTree.fromstring(svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not {"script", "image", "foreignObject"} & {e.tag.split("}")[1] for e in root.iter()}


def test_a_screen_reader_finds_its_way(report):
    check_that_a_screen_reader_finds_its_way(report[2])


def test_the_page_says_what_was_found(report):
    _, concept, seen = report
    text = " ".join(seen.text.split())
    assert f"How far to trust it: {concept.matches}" in text
    assert f"{concept.evaluations:,} formulas" in text
    if concept.rule:
        assert concept.rule.text in text
        assert concept.rule.latex in text
        assert f"{100 * concept.rule.agreement:.1f} %" in text
    rows = [row for row in seen.all("td") if "data-value" in row]
    values = [float(row["data-value"]) for row in rows]
    numbers = [
        (row.complexity, row.loss, *([row.fidelity.formula] if row.fidelity else []))
        for row in concept.front
    ]
    assert values == [number for row in numbers for number in row]
    assert concept.fidelity is None or str(concept.fidelity) in text
    for name, version in concept.versions.items():
        assert name in text and version in text
    for name in concept.settings:
        assert name in text


def test_a_feature_named_script_appears_as_text():
    assert written("classifier").count("<script") == 1
    seen = Page(written("classifier"))
    for name in NAMES:
        # In the formula, the tables, captions and alternative texts.
        assert seen.text.count(name) > 10
        assert any(name in image["alt"] for image in seen.all("img"))
        # In the pictures: text of an SVG file, whole.
        labels = [
            "".join(element.itertext())
            for svg in pictures(seen)
            for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
        ]
        assert labels.count(name) == 4


def test_the_page_is_the_same_each_time_whatever_the_users_style():
    first = written("without_values")
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30, "svg.hashsalt": "own"}):
        settings = dict(matplotlib.rcParams)
        assert page_of_interpretation(without_values()) == first
        assert dict(matplotlib.rcParams) == settings
    assert pyplot.get_fignums() == []


def test_the_code_in_it_repeats_the_search(monkeypatch):
    (code,) = re.findall(r"<code>(import keras_symgrad.*?)</code>", written("regressor"), re.DOTALL)
    given = {}
    monkeypatch.setattr("keras_symgrad.interpret", lambda *args, **options: given.update(options))
    exec(code.replace("&#34;", '"').replace("&#39;", "'"), {"model": None, "x": None})
    assert given["names"] == ("p", "q", "r", "s")
    assert given["sampling"].rows == 400
    assert given["search"].stopping.generations == 1
    assert "seed" not in given


def test_a_page_tells_nothing_of_the_folders_that_files_were_in():
    concept = classifier()
    settings = concept.settings | {"model": "/home/ann/secret/a.keras", "x": r"C:\ann\secret\b.csv"}
    seen = page_of_interpretation(
        replace(concept, settings=settings, call=call(settings, interpret))
    )
    assert "secret" not in seen and "ann" not in Page(seen).text.split()
    assert seen.count("a.keras") == seen.count("b.csv") == 3


def test_letters_that_matplotlib_lacks_are_left_to_the_browser():
    from keras_symgrad.results.report.page import svg

    source = svg(lambda axes: axes.set_xlabel("温度", parse_math=False))
    assert "温度" in base64.b64decode(source.split(",")[1]).decode()


def test_a_report_is_written_whole_or_not_at_all(tmp_path):
    path = without_values().report(str(tmp_path / "out.html"))
    assert path.read_text(encoding="utf-8") == written("without_values")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for target in ("folder", "missing/out.html", "out.html/inside.html"):
        with pytest.raises(ValueError, match="The report cannot be written to .* Choose a folder"):
            without_values().report(tmp_path / target)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (9.4e-5, "9.4 × 10⁻⁵"),
        (0.025, "0.025"),
        (0, "0"),
        (3.2e12, "3.2 × 10¹²"),
        (-2e-7, "-2.0 × 10⁻⁷"),
    ],
)
def test_small_numbers_are_written_for_people(number, text):
    assert scientific(number) == text


def test_where_nothing_simple_fits_no_rule_is_named():
    concept = replace(classifier(), matches="nothing")
    seen = Page(page_of_interpretation(concept))
    text = " ".join(seen.text.split())
    assert "No simple formula fits. The closest found:" in text
    assert "should not be used" in text
    assert "agrees with the network" not in text and concept.rule.text not in text
    assert concept.best.to_text() in text
