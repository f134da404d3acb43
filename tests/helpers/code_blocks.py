"""Code blocks of a page of Markdown, run as its reader would run them."""

from __future__ import annotations

import doctest
import functools
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

import pytest

import keras_symgrad as ks
from keras_symgrad.search.strategies import METHODS

pairs = import_module("keras_symgrad.api.class_pairs")
jointly = import_module("keras_symgrad.api.interpret_jointly")

try:
    import distributed
except ImportError:
    distributed = None

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(text: str, language: str) -> list[str]:
    """The content of the fenced blocks of a language."""
    return [code for found, code in FENCED.findall(text) if found == language]


def run(code: str, names: dict, where: str) -> None:
    """Run a block; for one with prompts, the output must equal the lines below them."""
    if not code.lstrip().startswith(">>>"):
        exec(compile(code, where, "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(code, {}, where, where, 0)
    # One namespace for all blocks: a block goes on where the one before ended.
    test.globs = names
    said: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append, clear_globs=False)
    assert not said, "".join(said)


def hurry(
    monkeypatch: pytest.MonkeyPatch,
    methods: Sequence[str] = METHODS,
    time_limit: float | None = None,
) -> None:
    """Make `interpret`, wherever it is called, search quietly, briefly and by some methods only."""
    interpret, longest = ks.interpret, time_limit

    @functools.wraps(interpret)
    def quick(*arguments, **given):
        asked = {"verbose": False, **given}
        if longest is not None:
            limit = given.get("time_limit", longest)
            asked["time_limit"] = limit if limit is None else min(longest, limit)
        search = given.get("search", ks.Search())
        if search.methods == METHODS:
            search = replace(search, methods=methods)
        if search.executor == "processes":
            # Each takes seconds to start; that they find the same is tested with the islands.
            search = replace(search, executor=None, islands=search.threads)
        asked["search"] = search
        return interpret(*arguments, **asked)

    for room in (ks, pairs, jointly):
        monkeypatch.setattr(room, "interpret", quick)
    # That processes and clusters find the same is tested with the islands.
    many = functools.partial(ks.interpret_many, executor=None)
    monkeypatch.setattr(ks, "interpret_many", many)
    if distributed is not None:
        client = functools.partial(distributed.Client, processes=False)
        monkeypatch.setattr(distributed, "Client", client)
