"""The entry point of the command line: parse, run, print and set the exit status.

What can be checked without TensorFlow is checked before it is imported, which takes seconds; what
can be checked without a search is checked before the search, which takes a minute.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_symgrad.cli.commands import (
    ask,
    concepts_of,
    conflict,
    in_lines,
    question_of,
    with_source,
)
from keras_symgrad.cli.parser import PROGRAM_NAME, RESULT_FILE, parser
from keras_symgrad.files import check_writable, printable

if TYPE_CHECKING:
    from rich.console import Console

    from keras_symgrad.results import Interpretation

INTERRUPTED = 130
DIFFERENT = 3
# Options that errors of the library name as arguments of a function, such as `columns=`.
SHARED_NAMES = frozenset(
    (
        *("layer", "unit", "kind", "columns", "delta", "rows", "operators", "time_limit", "seed"),
        *("in_terms_of", "metric", "tangent", "smoothing", "signature", "template", "dimensions"),
        "weights",
    )
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: words after the program's name; those of the process by default.

    Returns:
        The exit status.

    Raises:
        SystemExit: with status 2 for wrong usage, with status 0 after `--help` and `--version`.
    """
    for name in ("stdout", "stderr"):
        # A stream that was closed (`2>&-`) is None in Python, and its number free for any file.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))
    options = parser(_interpret, _show_result, _compare).parse_args(arguments)
    try:
        with _warnings_in_one_line():
            return options.run(options)
    except KeyboardInterrupt:
        print(f"\n{PROGRAM_NAME}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if options.traceback:
            traceback.print_exc()
        print(f"{PROGRAM_NAME}: error: {_one_line(error)}", file=sys.stderr)
        return 1


def _interpret(options: argparse.Namespace) -> int:
    if wrong := conflict(options, options.parser.get_default):
        options.parser.error(wrong)
    if not Path(options.model).exists():
        raise FileNotFoundError(f"There is no model at: {options.model}")
    from keras_symgrad.files import read_points

    x, names = read_points(options.data, options.columns)
    if options.out is not None:
        _check_writable(options.out)
    if options.report is not None:
        check_writable(options.report, "The report")

    if sys.stderr.isatty() and not options.quiet:
        print("loading TensorFlow and the model ...", file=sys.stderr)
    with _tensorflow_start_up():
        import_module("keras_symgrad.api.interpret")
        from keras_symgrad.formulas import check_path

    for path in options.export:
        check_path(path)
    answer = ask(options, x, names)
    answer = with_source(answer, options)
    # Written before it is printed: a pipe that closes early must not cost the result.
    written = []
    if options.out is not None:
        written.append(answer.save(options.out / RESULT_FILE))
    if options.report is not None:
        written.append(answer.report(options.report))
    written += [answer.best.export(path) for path in options.export]
    if question_of(options) != "neuron":
        _show_several(answer, written, options.quiet)
    elif options.quiet:
        print(_in_one_line(answer))
    else:
        _show(answer, written)
    if any(concept.stopped == "interrupted" for concept in concepts_of(answer)):
        print(f"{PROGRAM_NAME}: interrupted; this is what was found by then", file=sys.stderr)
        return INTERRUPTED
    return 0


def _show_result(options: argparse.Namespace) -> int:
    from keras_symgrad.files import check_is_file

    check_is_file(options.result, "a result that `save` wrote")
    with _tensorflow_start_up():
        from keras_symgrad.api import load_interpretation
        from keras_symgrad.results import Interpretation

        result = load_interpretation(options.result)
    if not isinstance(result, Interpretation):
        print(printable(str(result)))
    elif options.quiet:
        print(_in_one_line(result))
    else:
        _show(result, [])
    return 0


def _compare(options: argparse.Namespace) -> int:
    from keras_symgrad.files import check_is_file

    for path in options.results:
        check_is_file(path, "a result that `save` wrote")
    with _tensorflow_start_up():
        from keras_symgrad.api import compare_interpretations, load_interpretation

    one, other = map(load_interpretation, options.results)
    agreement = compare_interpretations(one, other, options.data)
    print(printable(f"{options.results[0]}: {one.headline}"))
    print(printable(f"{options.results[1]}: {other.headline}"))
    print(agreement)
    return 0 if agreement.same else DIFFERENT


def _in_one_line(concept: Interpretation) -> str:
    simple = concept.rule is not None and concept.matches != "nothing"
    return printable(concept.rule.text if simple else concept.headline)


def _show_several(answer: Any, written: Sequence[Path], quiet: bool) -> None:
    lines = in_lines(answer) if quiet else str(answer).splitlines()
    if written and not quiet:
        lines += ["", f"written: {', '.join(map(str, written))}"]
    print("\n".join(map(printable, lines)))


def _show(concept: Interpretation, written: Sequence[Path]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = _console()
    variables = ", ".join(concept.names)
    heading = printable(f"\nWhat {concept.neuron} computes of {variables}\n")
    console.print(Text(heading), soft_wrap=True)

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    table.add_column("complexity", justify="right")
    table.add_column("loss", justify="right")
    table.add_column("formula", overflow="fold")
    best = concept.front.best
    for row in concept.front:
        cells = (f"{row.complexity:g}", f"{row.loss:.2e}", row.to_pretty())
        is_best = row is best
        table.add_row(
            "best" if is_best else "", *map(Text, cells), style="bold green" if is_best else None
        )
    console.print(table)

    summary = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    summary.add_column(style="bold")
    summary.add_column(overflow="fold")
    for name, text in _summary(concept, written):
        summary.add_row(name, Text(printable(text)))
    console.print()
    console.print(summary)


def _summary(concept: Interpretation, written: Sequence[Path]) -> Iterator[tuple[str, str]]:
    rule = concept.rule
    if rule is None or concept.matches == "nothing":
        yield "formula", concept.headline
    else:
        yield "rule", rule.text
        yield "agreement", f"{rule.agreement:.2%} of {rule.points:,} points, with the model"
    held_out = concept.rows["held_out"]
    yield "1 - |cos|", f"{concept.cosine_error:.1e} between gradients, on {held_out:,} unseen rows"
    yield from concept.remarks
    yield (
        "search",
        f"{concept.timings['search']:.0f} s, {concept.evaluations:,} formulas, "
        f"{concept.ending}, seed {concept.seed}",
    )
    if written:
        yield "written", ", ".join(map(str, written))


def _console() -> Console:
    from rich.console import Console

    # A character that the terminal does not have must not cost the result.
    sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False)
    # In a file or a pipe, lines are as long as the formulas.
    return console if console.is_terminal else Console(highlight=False, width=10_000)


def _check_writable(folder: Path) -> None:
    """Raises unless the result can be written; makes the folder if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        if (folder / RESULT_FILE).is_dir():
            raise IsADirectoryError(None, "it holds a folder of that name")
    except OSError as error:
        raise ValueError(
            f"{RESULT_FILE} cannot be written into the folder {folder}: {error.strerror}. "
            "Choose another with --out."
        ) from error


@contextmanager
def _tensorflow_start_up() -> Iterator[None]:
    """Keeps TensorFlow's start-up lines off the terminal, unless the block fails.

    A user who sets TF_CPP_MIN_LOG_LEVEL sees what it says.
    """
    # A `.keras` file is not bound to the backend that wrote it; gradients are TensorFlow's.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if "tensorflow" in sys.modules or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with _standard_error_held_back():
        yield


@contextmanager
def _standard_error_held_back() -> Iterator[None]:
    """Takes standard error away from C++ code too, which a variable alone does not silence."""
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(shown, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    said = set()

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        line = _one_line(message)
        # Warnings for developers, such as deprecations, are of no use to this user.
        if issubclass(category, UserWarning) and line not in said:
            said.add(line)
            print(f"{PROGRAM_NAME}: warning: {line}", file=sys.stderr)

    with warnings.catch_warnings():
        # Whatever the process was told to make of warnings: here they are lines for a person.
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def _one_line(message: BaseException | Warning | str) -> str:
    """What the library says, in the words of the command line."""
    text = printable(" ".join(str(message).split()))
    if isinstance(message, OSError) and message.strerror:
        text = f"{message.filename}: {message.strerror}" if message.filename else message.strerror
    elif isinstance(message, Exception) and not isinstance(
        message, (ValueError, TypeError, OSError, Warning)
    ):
        text = f"{type(message).__name__}: {text} (--traceback shows where it happened)"
    return re.sub(r"`(\w+)=([^`]*)`", _as_option, text)


def _as_option(match: re.Match) -> str:
    if match[1] not in SHARED_NAMES:
        return match[0]
    option, value = match[1].replace("_", "-"), match[2].strip("()").replace(", ", ",")
    return f"`--{option} {value}`" if value else f"`--{option}`"
