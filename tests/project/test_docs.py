"""Every block of code in the documentation runs, and its pages name what is there."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from pathlib import Path

import code_blocks
import pytest

import keras_symgrad
from keras_symgrad import plots
from keras_symgrad.cli.parser import parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md")) + [ROOT / "CONTRIBUTING.md"]
# A page without Python has nothing to run.
WITH_PYTHON = [page for page in PAGES if code_blocks.blocks(page.read_text("utf-8"), "python")]
LANGUAGES = {"python", "sh", "text", ""}


def name_of(page: Path) -> str:
    return page.name


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_the_python_of_a_page_runs_from_top_to_bottom(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    # What the pages show is found in a second, but for formulas that must have a form or are
    # written shortly after all of the dictionary was searched. Where nothing is shown, any will do.
    longest = 10 if page.name == "knowledge.md" else 3
    if ">>>" not in text_of(page):
        longest = 0.5
    code_blocks.hurry(monkeypatch, methods=("dictionary",), time_limit=longest)
    names = {}
    for code in code_blocks.blocks(text_of(page), "python"):
        code_blocks.run(code, names, page.name)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_types_into_a_shell_can_be_typed(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    # A line that ends in a backslash goes on in the next one.
    typed = "\n".join(code_blocks.blocks(text_of(page), "sh")).replace("\\\n", "")
    for line in filter(None, typed.splitlines()):
        program, *words = shlex.split(line)
        if program == "keras-symgrad":
            options = parser(print).parse_args(words)
            assert Path(options.model).exists(), line
            assert Path(options.data).exists(), line
        else:
            paths = [program, *(word for word in words if not word.startswith("-"))]
            assert all((ROOT / path).is_file() for path in paths), line


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_holds_no_code_that_no_test_runs(page):
    assert {language for language, _ in code_blocks.FENCED.findall(text_of(page))} <= LANGUAGES


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_a_page_names_is_there(page):
    text = text_of(page)
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (page.parent / link).exists(), link
    for path in re.findall(
        r"`((?:\./)?(?:docs|examples|keras_symgrad|scripts|tests)/[^`\s]*)`", text
    ):
        assert (ROOT / path).exists(), path


def test_the_map_of_the_package_names_modules_that_exist():
    page = ROOT / "docs" / "contributing.md"
    walk = text_of(page).split("## How the data flow")[1].split("## Five ideas")[0]
    found = {
        path.stem for path in (ROOT / "keras_symgrad").rglob("*") if path.name != "__pycache__"
    }
    classes = set(keras_symgrad.__all__)
    for name in re.findall(r"`([A-Za-z_.]+)`", walk):
        assert {*name.split(".")} <= found | classes, name


def test_every_public_name_is_in_the_reference():
    reference = (ROOT / "docs" / "reference.rst").read_text(encoding="utf-8")
    documented = re.findall(r"^\.\. (?:py|auto)\S+:: keras_symgrad\.(\w+)", reference, re.MULTILINE)
    assert set(keras_symgrad.__all__) <= set(documented)
    assert plots.__name__.split(".")[1] in documented


def test_every_picture_of_the_method_is_made_by_its_script():
    script = ast.parse((ROOT / "docs" / "make_pictures.py").read_text(encoding="utf-8"))
    drawn = next(
        node.value
        for node in ast.walk(script)
        if isinstance(node, ast.AnnAssign) and node.target.id == "DRAWN"
    )
    made = {key.value for key in drawn.keys}
    shown = set(re.findall(r"pictures/(\w+\.png)", text_of(ROOT / "docs" / "method.md")))
    assert shown == made == {path.name for path in (ROOT / "docs" / "pictures").iterdir()}


def calls_in_line(page: Path) -> list[ast.Call]:
    """Calls of public names in the code that stands inside of sentences and tables."""
    text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    found = []
    for code in re.findall(r"`([^`\n]*ks\.[^`\n]*)`", text):
        try:
            tree = ast.parse(code.replace("...", "").replace("(, ", "("))
        except SyntaxError:
            continue
        found += [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in found if getattr(getattr(call.func, "value", None), "id", "") == "ks"]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=name_of)
def test_code_inside_of_sentences_calls_what_is_there_with_options_that_are_taken(page):
    for call in calls_in_line(page):
        assert call.func.attr in keras_symgrad.__all__, ast.unparse(call)
        taken = inspect.signature(getattr(keras_symgrad, call.func.attr)).parameters
        if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values()):
            continue
        given = {option.arg for option in call.keywords if option.arg}
        # `complexity` was an argument of its own, and is still read.
        assert given <= {*taken, "complexity"}, ast.unparse(call)


def test_every_recipe_is_code():
    recipes = text_of(ROOT / "docs" / "questions.md").split("| task | code |")[1].split("\n\n")[0]
    snippets = re.findall(r"`([^`]+)`", recipes)
    assert len(snippets) > 20
    for code in snippets:
        if not code.startswith("."):
            ast.parse(code)
