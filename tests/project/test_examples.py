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
    assert all(hasattr(keras_symgrad, name) for name in used)


@pytest.mark.slow
def test_an_example_runs_in_any_folder(project, tmp_path):
    example = project / "examples" / "from_file.py"
    done = subprocess.run(
        [sys.executable, str(example)], capture_output=True, text=True, cwd=tmp_path, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "rule:" in done.stdout
    assert "threshold:" in done.stdout
    assert list(tmp_path.iterdir()) == []
