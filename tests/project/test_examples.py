"""The examples are whole, and the quickest of them really runs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_a_heading_and_uses_names_that_exist(path):
    import keras_symgrad

    tree = ast.parse(path.read_text())
    heading = ast.get_docstring(tree)
    assert heading.startswith("Title: ")
    assert "\nDescription: " in heading
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == "ks"
    }
    assert used
    # Modules that are used by their own names.
    assert used <= {*keras_symgrad.__all__, "callbacks", "plots"}


@pytest.mark.slow
def test_a_session_of_thirty_steps_runs_in_any_folder_without_a_stumble(project, tmp_path):
    example = project / "examples" / "first_session.py"
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", str(example)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    for said in ("matches: ", "fidelity: R2", "ignored: age", "the same formula: True"):
        assert said in done.stdout
    assert list(tmp_path.iterdir()) == []
