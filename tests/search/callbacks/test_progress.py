"""The progress bar: seen on a terminal only, and never in the way."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from keras_symgrad.search.callbacks.progress import ProgressBar
from keras_symgrad.search.core.stopping import Stopping

LOGS = {"evaluations": 12_000, "seconds": 2.0, "loss": 1.5e-4, "formula": "add(x1, [bold]x2)"}

SHOW = f"""
from keras_symgrad.search.callbacks.progress import ProgressBar
from keras_symgrad import Stopping
import sys
for shown in (True, False):
    bar = ProgressBar(Stopping(generations=10), shown=shown)
    bar.on_search_begin()
    bar.on_generation_end(3, {LOGS!r})
    bar.on_search_end()
    print("and quiet:", file=sys.stderr, flush=True)
"""


def on_a_terminal() -> str:
    """Output on a terminal of a bar that is shown, and of one that is not."""
    terminal, its_end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    done = subprocess.run([sys.executable, "-c", SHOW], stderr=its_end, env=environment)
    os.close(its_end)
    assert done.returncode == 0
    seen = b""
    try:
        while chunk := os.read(terminal, 4096):
            seen += chunk
    except OSError:
        # Linux says so when the other end is closed.
        pass
    os.close(terminal)
    return seen.decode()


@pytest.mark.slow
def test_a_terminal_shows_generation_speed_loss_and_formula_unless_asked_to_be_quiet():
    shown, quiet, _ = on_a_terminal().split("and quiet:")
    for text in ("generation 3", "6,000 evaluations/s", "1.5e-04", "add(x1, [bold]x2)"):
        assert text in shown
    assert "generation" not in quiet


@pytest.mark.parametrize("shown", [True, False])
def test_a_file_or_a_pipe_gets_nothing(shown, capsys):
    bar = ProgressBar(Stopping(), shown=shown)
    bar.on_search_begin()
    bar.on_generation_end(3, LOGS)
    bar.on_search_end()
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")
