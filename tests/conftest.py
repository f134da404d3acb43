"""Common setup of all tests: TensorFlow as the backend and Ctrl-C as at a terminal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# A shell that starts a job in the background makes it and its children ignore Ctrl-C, and `nohup`
# makes them ignore the end of the terminal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def no_figure_stays_open() -> Iterator[None]:
    """Close what a test has drawn, so that the next one finds pyplot empty."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(scope="session")
def project() -> Path:
    """The folder that holds the package, its examples and its scripts."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def models(project) -> Path:
    """The folder of networks that were really trained, each with its points."""
    return project / "examples" / "models"


# Folders whose examples in docstrings search, compile programs or run networks.
SLOW_EXAMPLES = ("api", "datasets", "engine", "gradients", "replacement", "results", "search")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the examples in docstrings that take long."""
    package = Path(__file__).parent.parent / "keras_symgrad"
    for item in items:
        if item.path.is_relative_to(package):
            if item.path.relative_to(package).parts[0] in SLOW_EXAMPLES:
                item.add_marker("slow")
