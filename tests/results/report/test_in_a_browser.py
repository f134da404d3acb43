"""A report in a real browser: its rows are chosen by mouse and keys, in both modes and on a phone.

Skipped where there is no Chromium (on Debian: `apt install chromium`).
"""

from __future__ import annotations

import pytest
from browser import Tab, chromium
from small_concepts import classifier, regressor

from keras_symgrad.expressions.formats.mathml import MAX_CHARACTERS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        chromium() is None, reason="no Chromium: install it, or set CHROMIUM to its path"
    ),
]

# Numbers of the rows whose accounts are seen, the account and the diagrams of each.
SEEN = """[...document.querySelectorAll('.account')].filter((a) => a.checkVisibility())
    .map((a) => Number(a.dataset.row))"""
PRESSED = "document.querySelector('.explorer input:checked').value"
ACCOUNT = '.account[data-row="{}"]'
# Lowest contrast of a text with what is behind it.
CONTRAST = """(() => {
    const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
    const behind = (e) => {
        for (; e; e = e.parentElement) {
            const color = numbers(getComputedStyle(e).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
        }
        return [255, 255, 255];
    };
    const kinds = 'p, td, th, dt, dd, h1, h2, code, .mark, .verdict, text';
    const seen = [...document.querySelectorAll(kinds)]
        .filter((e) => e.checkVisibility() && e.textContent.trim());
    return Math.min(...seen.map((e) => {
        const style = getComputedStyle(e);
        const [a, b] = [light(numbers(e.tagName === 'text' ? style.fill : style.color)),
            light(behind(e))].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
    }));
})()"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    tab = Tab(tmp_path_factory.mktemp("browser"))
    yield tab
    tab.close()


@pytest.fixture(scope="module", params=[classifier, regressor], ids=lambda made: made.__name__)
def page(request, tmp_path_factory):
    concept = request.param()
    return concept, concept.report(tmp_path_factory.mktemp("page") / "report.html")


def best(concept) -> int:
    return list(concept.front).index(concept.front.best)


def test_a_click_on_a_row_shows_its_account_and_no_other(page, tab):
    concept, path = page
    tab.open(path)
    assert set(tab.value(SEEN)) == {best(concept)}
    for number in range(len(concept.front)):
        tab.click(f"label[for=row-{number}]")
        assert tab.value(PRESSED) == str(number)
        assert set(tab.value(SEEN)) == {number}
        # The words are those of the row, and its two pictures are drawn.
        seen = tab.value(f"document.querySelector('{ACCOUNT}').innerText".format(number))
        assert f"Row {number}" in seen
        assert (f"concept.choose({number})" in seen) == (number != best(concept))
        drawn = f"[...document.querySelectorAll('{ACCOUNT} svg')]".format(number)
        widths = tab.value(f"{drawn}.map((s) => s.getBoundingClientRect().width)")
        assert len(widths) == 2 and min(widths) > 200
    assert tab.faults == []


def test_a_click_on_a_point_of_the_front_chooses_its_row_without_any_script(page, tab):
    concept, path = page
    tab.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(path)
        for number in reversed(range(len(concept.front))):
            tab.click(f".target[for=row-{number}]")
            assert tab.value(PRESSED) == str(number)
            assert set(tab.value(SEEN)) == {number}
    finally:
        tab.send("Emulation.setScriptExecutionDisabled", value=False)


def test_the_arrow_keys_go_from_row_to_row_and_a_sorted_table_stays_alive(page, tab):
    concept, path = page
    tab.open(path)
    tab.value("document.querySelector('#row-0').focus()")
    tab.press("ArrowDown", 40)
    assert tab.value(PRESSED) == "1"
    assert set(tab.value(SEEN)) == {1}
    # Sorted by loss, the last row stands first, and is above the one before it.
    tab.click(".sortable th:nth-child(2) button")
    last = len(concept.front) - 1
    assert tab.value("document.querySelector('.sortable tbody input').value") == str(last)
    tab.click(f"label[for=row-{last}]")
    tab.press("ArrowDown", 40)
    assert set(tab.value(SEEN)) == {last - 1}
    assert tab.faults == []


def test_a_screen_reader_hears_each_row_as_a_button_with_its_numbers(page, tab):
    concept, path = page
    tab.open(path)
    nodes = tab.send("Accessibility.getFullAXTree")["nodes"]
    buttons = [node for node in nodes if node.get("role", {}).get("value") == "radio"]
    assert len(buttons) == len(concept.front)
    for button, row in zip(buttons, concept.front):
        name = button["name"]["value"]
        assert f"{row.complexity:g}" in name and f"{row.loss:.2e}" in name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_can_be_read_in_both_modes_on_a_desk_and_on_a_phone(page, tab, width, scheme):
    concept, path = page
    tab.open(path, width, scheme=scheme)
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value(CONTRAST) >= 4.5
    dark = tab.value("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    # No formula is cut off on a phone, unless a name alone is as wide as the phone.
    if max(map(len, concept.names)) < MAX_CHARACTERS // 2:
        cut = "[...document.querySelectorAll('.formula, .explorer .scroll')]"
        assert tab.value(f"{cut}.filter((e) => e.scrollWidth > e.clientWidth + 1).length") == 0
    assert tab.faults == []


def test_it_is_printed_on_white_with_the_row_that_was_chosen(page, tab):
    concept, path = page
    tab.open(path, scheme="dark")
    tab.click("label[for=row-0]")
    tab.show(scheme="dark", media="print")
    assert tab.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert set(tab.value(SEEN)) == {0}
    assert tab.value(CONTRAST) >= 4.5
    assert tab.send("Page.printToPDF")["data"]


def test_the_same_result_in_two_cells_of_a_notebook_has_two_choices(page, tab, tmp_path):
    concept, _ = page
    cells = "".join(f"<div class='cell'>{concept._repr_html_()}</div>" for _ in range(2))
    path = tmp_path / "cells.html"
    path.write_text(f"<!DOCTYPE html><meta charset='utf-8'>{cells}", encoding="utf-8")
    tab.open(path)
    tab.click(".cell:nth-of-type(2) .explorer tbody tr:nth-child(1) label")
    seen = tab.value(
        "[...document.querySelectorAll('.cell')].map((c) => "
        "[...c.querySelectorAll('.account')].filter((a) => a.checkVisibility())[0].dataset.row)"
    )
    assert seen == [str(best(concept)), "0"]
    assert tab.faults == []
