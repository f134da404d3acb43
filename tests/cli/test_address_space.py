"""A limit that the libraries do not survive is said before they are imported."""

from __future__ import annotations

import sys
import warnings

import pytest

from keras_symgrad.cli.start_up import library_imports

resource = pytest.importorskip("resource")


@pytest.fixture
def start(monkeypatch):
    """Begin a command in a process of that limit, which has not imported TensorFlow yet."""

    def begin(limit: int) -> None:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
        monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
        with library_imports():
            assert "tensorflow" not in sys.modules

    return begin


def test_a_small_address_space_is_said_before_libraries_are_imported(start):
    with pytest.warns(UserWarning, match=r"limited to 1\.5 GB \(`ulimit -v`\).* never ends"):
        start(1_500_000_000)


@pytest.mark.parametrize("limit", [4_000_000_000, resource.RLIM_INFINITY])
def test_enough_of_it_is_not_mentioned(limit, start):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start(limit)
