"""Notebook output of formulas, fronts and interpretations."""

from __future__ import annotations

from dataclasses import replace

import pytest
from IPython.core.formatters import DisplayFormatter
from small_concepts import NAMES, classifier, joint, of_classes, regressor, without_values

KINDS = {"classifier": classifier, "regressor": regressor, "without_values": without_values}


def shown(found) -> dict[str, str]:
    """Output of a notebook cell that ends in the object, by kind."""
    return DisplayFormatter().format(found)[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_result_has_the_kinds_that_suit_it(kind):
    concept = KINDS[kind]()
    for found, suits in (
        (concept, {"text/html", "text/markdown"}),
        (concept.front, {"text/html", "text/markdown"}),
        (concept.best, {"text/latex"}),
        (concept.rule, {"text/latex"} if concept.rule else set()),
    ):
        assert set(shown(found)) == suits | {"text/plain"}


def test_names_are_text_in_html():
    for found in (classifier(), classifier().front):
        html = shown(found)["text/html"]
        assert "<script" not in html
        assert "&lt;script&gt;alert" in html
        assert html.count("<math") > len(classifier().front)


def test_names_are_text_in_markdown():
    for found in (classifier(), classifier().front):
        markdown = shown(found)["text/markdown"]
        assert "<script" not in markdown
        assert r"{<}\text{script}{>}" in markdown


def test_the_chosen_row_is_marked_once():
    concept = classifier()
    assert shown(concept.front)["text/html"].count(">chosen<") == 1
    lines = shown(concept.front)["text/markdown"].splitlines()
    assert len(lines) == len(concept.front) + 2
    (marked,) = [line for line in lines if "**chosen**" in line]
    assert concept.front.best.to_latex().replace("|", r"\vert ") in marked


def test_a_bar_in_a_formula_does_not_end_the_cell_of_a_table():
    assert "|" in NAMES[1]
    for line in shown(classifier().front)["text/markdown"].splitlines():
        # Complexity, loss, fidelity, formula and the mark of the chosen one.
        assert line.count("|") == 6


def test_the_rule_stands_first():
    concept = classifier()
    assert concept.rule.to_mathml() in shown(concept)["text/html"]
    assert f"$$ {concept.rule.latex} $$" in shown(concept)["text/markdown"]
    assert f"{100 * concept.rule.agreement:.1f} %" in shown(concept)["text/html"]
    assert "is an invertible function of" in shown(regressor())["text/html"]


def test_where_nothing_simple_fits_no_rule_is_named():
    concept = replace(classifier(), matches="nothing")
    for text in (shown(concept)["text/html"], shown(concept)["text/markdown"]):
        assert concept.rule.latex not in text and concept.rule.to_mathml() not in text
    assert "no simple formula fits; the closest found is" in shown(concept)["text/html"]


@pytest.mark.slow
@pytest.mark.parametrize("found", [of_classes, joint])
def test_several_formulas_are_shown_with_names_as_text(found):
    found = found()
    seen = shown(found)
    assert set(seen) == {"text/html", "text/markdown", "text/plain"}
    html, markdown = seen["text/html"], seen["text/markdown"]
    assert "<script" not in html and "<i>" not in html
    assert "&lt;script&gt;alert" in html
    concepts = list(found.pairs.values()) if hasattr(found, "pairs") else found.concepts
    for concept in concepts:
        shortest = concept.rule or concept.best
        assert shortest.to_mathml() in html
        assert (concept.rule.latex if concept.rule else concept.best.to_latex()) in markdown


def test_classes_say_which_pairs_were_not_read():
    for text in (shown(of_classes())["text/html"], shown(of_classes())["text/markdown"]):
        assert "not read" in text and "two likeliest at" in text
