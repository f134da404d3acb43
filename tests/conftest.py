"""What all tests share: TensorFlow as the backend, whatever the machine's settings say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def project() -> Path:
    """The folder that holds the package, its examples and its scripts."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def models(project) -> Path:
    """The folder of networks that were really trained, each with its points."""
    return project / "examples" / "models"
