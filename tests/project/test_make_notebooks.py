"""Examples become notebooks that hold what the scripts hold, and run."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import nbformat
import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
SMALL = '''"""
Title: Two and two
Description: A sum.
"""

"""
## A sum

As *text*.
"""

from pathlib import Path

here = Path(__file__).parent
print(f"{2 + 2} in {here.resolve()}")


def double(number):
    """No cell of text: it does not stand at the top."""
    return 2 * number


"""
## Its double
"""

double(4)
'''


@pytest.fixture
def notebooks(project, monkeypatch):
    monkeypatch.syspath_prepend(str(project / "scripts"))
    yield import_module("notebooks")
    sys.modules.pop("notebooks")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_a_notebook_holds_all_of_its_example(path, notebooks):
    notebook = notebooks.from_script(path.read_text(), path.name)
    nbformat.validate(notebook)
    assert notebook.cells[0].source.startswith("# ")
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert "__file__" not in code
    example = path.read_text().replace("__file__", f'"{path.name}"')
    statements = [s for s in ast.parse(example).body if not notebooks.is_text(s)]
    assert ast.dump(ast.parse(code)) == ast.dump(ast.Module(statements, type_ignores=[]))
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert len(texts) == len(ast.parse(example).body) - len(statements)
    assert all(texts)


@pytest.mark.slow
def test_a_notebook_is_executed_where_its_example_lies(project, tmp_path):
    (tmp_path / "good.py").write_text(SMALL)
    (tmp_path / "bad.py").write_text(SMALL + "\nassert double(2) == 5\n")
    script = project / "scripts" / "notebooks.py"
    words = [sys.executable, str(script), str(tmp_path / "bad.py"), str(tmp_path / "good.py")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1
    assert "bad.py: failed" in done.stdout and "AssertionError" in done.stdout
    assert "good.py: written" in done.stdout

    heading, text, code, second, last = nbformat.read(tmp_path / "good.ipynb", 4).cells
    assert heading.source == "# Two and two\n\n**Description:** A sum."
    assert text.source == "## A sum\n\nAs *text*."
    assert code.outputs[0].text == f"4 in {tmp_path}\n"
    assert second.source == "## Its double"
    assert last.outputs[0].data["text/plain"] == "8"
    *_, broken = nbformat.read(tmp_path / "bad.ipynb", 4).cells
    assert broken.outputs[-1].ename == "AssertionError"
