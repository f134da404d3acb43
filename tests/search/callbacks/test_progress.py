"""The progress of a search: a bar on a terminal and in a notebook, a few lines elsewhere."""

from __future__ import annotations

import os
import pty
import sys

import nbclient
import nbformat
import pytest

from keras_symgrad.search.callbacks.progress import ProgressBar
from keras_symgrad.search.callbacks.progress_display import NotebookBar, ProgressLines
from keras_symgrad.search.core.stopping import Stopping

LOGS = {"evaluations": 12_000, "seconds": 2.0, "loss": 1.5e-4, "formula": "add(x1, [bold]x2)"}
SHOWN = ("generation 3", "6,000 evaluations/s", "1.5e-04", "add(x1, [bold]x2)")

SHOW = f"""
from keras_symgrad import Stopping
from keras_symgrad.callbacks import ProgressBar
for shown in (True, False):
    bar = ProgressBar(Stopping(generations=10), shown=shown)
    bar.on_search_begin()
    bar.on_generation_end(3, {LOGS!r})
    bar.on_search_end()
"""


def on_a_terminal(monkeypatch, shown: bool) -> str:
    """Output of a bar on a terminal."""
    terminal, its_end = pty.openpty()
    for name, value in {"TERM": "xterm", "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
    with os.fdopen(its_end, "w") as error, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", error)
        bar = ProgressBar(Stopping(generations=10), shown=shown)
        bar.on_search_begin()
        bar.on_generation_end(3, LOGS)
        bar.on_search_end()
        print("end", file=error, flush=True)
        seen = b""
        while b"end" not in seen:
            seen += os.read(terminal, 4096)
    os.close(terminal)
    return seen.decode()


def test_a_terminal_shows_generation_speed_loss_and_formula_unless_asked_to_be_quiet(monkeypatch):
    shown = on_a_terminal(monkeypatch, True)
    assert all(text in shown for text in SHOWN)
    assert on_a_terminal(monkeypatch, False) == "end\r\n"


class Recorded(nbclient.NotebookClient):
    """Notebook whose displays are kept as they come; those that are replaced as well."""

    displays: tuple[dict, ...] = ()

    def process_message(self, message, cell, index):
        """Keep what is displayed."""
        if message["msg_type"] in ("display_data", "update_display_data"):
            self.displays += (message["content"]["data"],)
        return super().process_message(message, cell, index)


@pytest.mark.slow
def test_a_notebook_shows_a_bar_and_removes_it():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SHOW)])
    client = Recorded(notebook, timeout=120, kernel_name="python3")
    client.execute()
    first, bar, last = client.displays
    for text in SHOWN:
        assert text in bar["text/plain"]
    assert '<progress value="0.300"></progress>' in bar["text/html"]
    assert not first["text/plain"] and not last["text/plain"] and not last["text/html"]
    # The quiet one displays nothing, and standard error has only what the cell printed.
    said = "".join(o["text"] for o in notebook.cells[0].outputs if o.output_type == "stream")
    assert "generation" not in said


def test_names_are_text_in_a_notebook(monkeypatch):
    shown = []

    class Handle:
        def update(self, bundle, raw):
            shown.append(bundle)

    display = pytest.importorskip("IPython.display")
    monkeypatch.setattr(display, "display", lambda *_, **__: Handle())
    bar = NotebookBar()
    bar.update("<script>x1</script>")
    bar.update("a moment later")
    assert len(shown) == 1
    assert "&lt;script&gt;x1&lt;/script&gt;" in shown[0]["text/html"]


@pytest.mark.parametrize("shown", [True, False])
def test_a_file_or_a_pipe_gets_a_line_unless_asked_to_be_quiet(shown, capsys):
    bar = ProgressBar(Stopping(), shown=shown)
    bar.on_search_begin()
    bar.on_generation_end(3, LOGS)
    bar.on_generation_end(4, LOGS)
    bar.on_search_end()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == shown
    assert not shown or all(text in printed.err for text in SHOWN)


def test_the_longer_it_takes_the_rarer_are_the_lines(capsys):
    now = iter([0.0, *(0.5 * k for k in range(200))])
    lines = ProgressLines(clock=lambda: next(now))
    for _ in range(200):
        lines.update("x1")
    assert capsys.readouterr().err.splitlines() == [
        f"{seconds} s: x1" for seconds in (0, 10, 20, 40, 80)
    ]


def test_without_standard_error_nothing_is_shown(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    bar = ProgressBar()
    bar.on_search_begin()
    bar.on_generation_end(3, LOGS)
    bar.on_search_end()
