"""The blocks of code in a page of Markdown, and how they are run as its reader would run them."""

from __future__ import annotations

import doctest
import functools
import re
from importlib import import_module

import pytest

import keras_symgrad as ks

classes = import_module("keras_symgrad.api.interpret_classes")
jointly = import_module("keras_symgrad.api.interpret_jointly")

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(text: str, language: str) -> list[str]:
    """What stands in the fenced blocks of a language."""
    return [code for found, code in FENCED.findall(text) if found == language]


def run(code: str, names: dict, where: str) -> None:
    """Runs a block; of one with prompts, what it prints must be what stands below them."""
    if not code.lstrip().startswith(">>>"):
        exec(compile(code, where, "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(code, {}, where, where, 0)
    # One namespace for all blocks: a block goes on where the one before ended.
    test.globs = names
    said: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append, clear_globs=False)
    assert not said, "".join(said)


def hurry(monkeypatch: pytest.MonkeyPatch, **options) -> None:
    """Lets `interpret`, wherever it is called, search quietly and no longer than options say."""
    interpret, longest = ks.interpret, options.get("time_limit")

    @functools.wraps(interpret)
    def quick(*arguments, **given):
        asked = {"verbose": False, **options, **given}
        if longest is not None and given.get("time_limit") is not None:
            asked["time_limit"] = min(longest, given["time_limit"])
        return interpret(*arguments, **asked)

    for room in (ks, classes, jointly):
        monkeypatch.setattr(room, "interpret", quick)
