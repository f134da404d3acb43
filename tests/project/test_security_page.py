"""The threat model names tests that are there."""

from __future__ import annotations

import re


def test_every_promise_is_held_by_a_test_that_exists(project):
    page = (project / "docs" / "security.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)`(?: \(`(\w+)`\))?", page)
    assert len(named) > 20
    for file, name in named:
        source = (project / file).read_text("utf-8")
        assert not name or f"def {name}(" in source, (file, name)


def test_reporting_points_to_it(project):
    assert "(docs/security.md)" in (project / "SECURITY.md").read_text("utf-8")
