"""Reports on several formulas: of classes pair by pair, and of neurons that are read jointly."""

from __future__ import annotations

import re

import pytest
from html_page import (
    Page,
    check_that_a_screen_reader_finds_its_way,
    check_that_nothing_is_loaded,
    pictures,
)
from small_concepts import NAMES, joint, of_classes

pytestmark = pytest.mark.slow

KINDS = {"classes": of_classes, "jointly": joint}


@pytest.fixture(scope="module", params=KINDS)
def report(request, tmp_path_factory):
    found = KINDS[request.param]()
    path = found.report(tmp_path_factory.mktemp("report") / "out.html")
    return found, path.read_text(encoding="utf-8")


def concepts(found):
    return list(found.pairs.values()) if hasattr(found, "pairs") else list(found.concepts)


def test_it_is_a_page_like_that_on_one_formula(report):
    found, text = report
    seen = Page(text)
    check_that_nothing_is_loaded(seen)
    check_that_a_screen_reader_finds_its_way(seen)
    assert text.count("<script") == 1
    assert seen.text.count(NAMES[0]) > 5 and seen.text.count(NAMES[1]) > 5
    # The angles of each, and a plane where there is one.
    sides = 2 if hasattr(found, "pairs") else 0
    assert len(pictures(seen)) == (1 + sides) * len(concepts(found))


def test_each_formula_has_its_verdict_its_front_and_its_numbers(report):
    found, page = report
    seen = Page(page)
    text = " ".join(seen.text.split())
    for concept in concepts(found):
        assert (concept.rule.text if concept.rule else concept.best.to_text()) in text
        assert (concept.rule or concept.best).to_mathml() in page
    values = [float(row["data-value"]) for row in seen.all("td") if "data-value" in row]
    rows = [row for concept in concepts(found) for row in concept.front]
    # Neurons that are read together have no values to be faithful to.
    numbers = [
        (row.complexity, row.loss, *([row.fidelity.formula] if row.fidelity else []))
        for row in rows
    ]
    assert values == [number for row in numbers for number in row]
    assert page.count('<span class="verdict concept">concept</span>') >= 1
    total = sum(concept.evaluations for concept in concepts(found))
    assert f"The search evaluated {total:,} formulas" in text


def test_the_code_in_it_repeats_the_search(report, monkeypatch):
    found, page = report
    (code,) = re.findall(r"<code>(import keras_symgrad.*?)</code>", page, re.DOTALL)
    given = {}
    for name in ("interpret_classes", "interpret_jointly"):
        monkeypatch.setattr(f"keras_symgrad.{name}", lambda *args, **kw: given.update(kw))
    for entity, sign in (("&#34;", '"'), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">")):
        code = code.replace(entity, sign)
    exec(code.replace("&amp;", "&"), {"model": None, "x": None})
    assert given["sampling"].rows == 400
    assert given["search"].stopping.generations == 1
    assert given["operators"] == "polynomial"
    assert "seed" not in given
    if hasattr(found, "pairs"):
        assert given["classes"] == found.classes


def test_the_page_on_classes_says_how_well_all_choose_together():
    found = of_classes()
    text = " ".join(Page(_page(found)).text.replace("\N{NO-BREAK SPACE}", " ").split())
    assert f"choose as the model does on {100 * found.agreement:.1f} %" in text
    for name in found.classes:
        assert f"{name} " in text
    assert list(found.unread) == [(2, 0)]
    assert f"{found.classes[2]} against {found.classes[0]}" in text
    assert "not read: they are the two likeliest at 0 of" in text


def test_the_page_on_neurons_says_how_many_concepts_they_carry():
    found = joint()
    text = " ".join(Page(_page(found)).text.split())
    assert "2 neurons carry 2 independent concepts." in text
    assert "<i>difference</i>" in text
    assert "its gradient lies in the span of theirs over all the data" in text
    assert f"where {found.best[0].to_pretty()} is constant" in text


def test_a_report_is_written_whole_or_not_at_all(tmp_path):
    for found in (of_classes(), joint()):
        with pytest.raises(ValueError, match="The report cannot be written to .* Choose a folder"):
            found.report(tmp_path / "missing" / "out.html")
    assert not list(tmp_path.iterdir())


def _page(found) -> str:
    from keras_symgrad.results.report.page_of_several import page_of_classes, page_of_neurons

    return page_of_classes(found) if hasattr(found, "pairs") else page_of_neurons(found)
