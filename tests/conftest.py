"""Common setup of all tests: TensorFlow as the backend and Ctrl-C as at a terminal."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# A shell that starts a job in the background makes it and its children ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def project() -> Path:
    """The folder that holds the package, its examples and its scripts."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def models(project) -> Path:
    """The folder of networks that were really trained, each with its points."""
    return project / "examples" / "models"
