"""A page as a browser reads it, and properties of every page that the package writes."""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser

VOID = {"meta", "img", "link", "br"}


class Page(HTMLParser):
    """A page as a browser reads it: elements with attributes, and the visible text."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text, self.hidden, self._open = "", {"script": [], "style": []}, []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        inside = self._open[-1] if self._open else ""
        if inside in self.hidden:
            self.hidden[inside].append(data)
        else:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def pictures(seen: Page) -> list[str]:
    kind = "data:image/svg+xml;base64,"
    sources = [image["src"] for image in seen.all("img")]
    assert all(source.startswith(kind) for source in sources)
    return [base64.b64decode(source.removeprefix(kind)).decode() for source in sources]


def check_that_nothing_is_loaded(seen: Page) -> None:
    """Nothing comes from elsewhere, and only the page's own script may run."""
    (script,), (style,) = seen.hidden["script"], seen.hidden["style"]
    (policy,) = [meta["content"] for meta in seen.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; img-src data:;")
    for text in (script, style):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "url(" not in style and "@import" not in style
    for tag, attributes in seen.elements:
        assert not {"style", "href", "srcset", "action"} & set(attributes), tag
        assert not any(name.startswith("on") for name in attributes), tag
        assert attributes.get("src", "data:").startswith("data:")
    assert not {"link", "iframe", "object", "base", "form"} & {tag for tag, _ in seen.elements}


def check_that_a_screen_reader_finds_its_way(seen: Page) -> None:
    """Sections, tables and pictures have names, each its own."""
    assert seen.all("html") == [{"lang": "en"}]
    headings = [attributes.get("id") for attributes in seen.all("h2")]
    assert len(set(headings)) == len(headings)
    assert {section["aria-labelledby"] for section in seen.all("section")} == set(headings)
    assert len(seen.all("caption")) == len(seen.all("table"))
    assert all("scope" in heading for heading in seen.all("th"))
    assert len(seen.all("h1")) == len(seen.all("main")) == 1
    assert all(len(image["alt"]) > 20 for image in seen.all("img"))
