"""Sphinx configuration of the documentation that `scripts/docs` builds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras_symgrad

# Sphinx imports unknown modules as type checkers do, which TensorFlow does not survive.
for name in keras_symgrad.__all__:
    getattr(keras_symgrad, name)

project = "keras-symgrad"
author = "The keras-symgrad authors"
copyright = author
version = release = keras_symgrad.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["requirements.txt"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
# Docstrings put code between single backticks, as Keras' own do: known names become links.
default_role = "py:obj"
napoleon_use_ivar = True
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "keras-symgrad"
html_math_renderer = "mathml"
html_show_sourcelink = html_copy_source = False
html_static_path = ["static"]
html_css_files = ["formulas.css"]

# Text between backticks, and a letter directly after it, as in `Neuron`s.
BACKTICKS = re.compile(r"(?<!`)`([^`]+)`(?!`)(\w?)")


def setup(app: Sphinx) -> None:
    """Render formulas as MathML, without scripts or network; read docstrings in Keras' style."""
    app.add_html_math_renderer("mathml", (_inline, None), (_displayed, None))
    # Before napoleon, which splits the sections.
    app.connect("autodoc-process-docstring", _as_in_keras, priority=400)


def _inline(translator: nodes.NodeVisitor, node: nodes.math) -> None:
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _displayed(translator: nodes.NodeVisitor, node: nodes.math_block) -> None:
    formula = tex2mathml(node.astext(), as_block=True)
    translator.body.append(f'<div class="formula">{formula}</div>\n')
    raise nodes.SkipNode


def _as_in_keras(*event: Any) -> None:
    """Convert docstrings in the style of Keras to reStructuredText."""
    lines: list[str] = event[-1]
    lines[:] = _rewritten(lines)


def _rewritten(lines: list[str]) -> Iterator[str]:
    """Convert indented paragraphs, which hold formulas in plain text, to literal blocks."""
    depth = 0
    for is_paragraph, group in groupby(lines, key=bool):
        paragraph = list(group)
        if not is_paragraph or paragraph[0].lstrip().startswith(">>>"):
            yield from paragraph
        elif _indent(paragraph[0]) > depth:
            yield from (" " * depth + "::", "", *paragraph)
        else:
            yield from _in_text("\n".join(paragraph)).split("\n")
            depth = _indent(paragraph[-1])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _in_text(text: str) -> str:
    """Convert text: escape the bars of `|u|`, and mark code and names between backticks."""

    def marked(found: re.Match) -> str:
        return _code(found[1]) + (found[2] and "\\" + found[2])

    return BACKTICKS.sub(marked, text.replace("|", r"\|"))


def _code(text: str) -> str:
    """A name that may be a link, or code."""
    is_name = all(part.isidentifier() for part in text.split("."))
    return f"`{text}`" if is_name else "``" + text.replace(r"\|", "|") + "``"
