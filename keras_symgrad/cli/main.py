"""The entry point of the command line: parse, run, print and set the exit status.

What can be checked without TensorFlow is checked before it is imported, which takes seconds; what
can be checked without a search is checked before the search, which takes a minute.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from keras_symgrad.cli.commands import (
    ask,
    concepts_of,
    conflict,
    with_source,
)
from keras_symgrad.cli.output import in_one_line, show, show_several
from keras_symgrad.cli.parser import PROGRAM_NAME, RESULT_FILE, parser
from keras_symgrad.cli.process_signals import ignore_further, signals_as_ctrl_c
from keras_symgrad.cli.start_up import library_imports
from keras_symgrad.files import check_writable, json_text, printable

INTERRUPTED = 130
DIFFERENT = 3
NOT_WRITTEN = 4
# Arguments in errors of the library: `unit=3`, `ks.Sampling(columns=...)` and the like.
_NAMED_ARGUMENT = re.compile(r"`(?:ks\.[\w.]+\((?:\w+, )?)?(\w+)=([^`]*?)\)?`")
# Arguments that are options of the command line.
SHARED_NAMES = frozenset(
    (
        *("layer", "unit", "kind", "columns", "delta", "rows", "operators", "time_limit", "seed"),
        *("in_terms_of", "metric", "tangent", "smoothing", "signature", "template", "dimensions"),
        *("weights", "near"),
    )
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: words after the program's name; those of the process by default.

    Returns:
        The exit status.

    Raises:
        SystemExit: with status 2 for wrong usage, with status 0 after `--help` and `--version`.
    """
    for name in ("stdout", "stderr"):
        # A closed stream (`2>&-`) is None in Python, and its file number is free for any file.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))
    options = parser(_interpret, _show_result, _compare).parse_args(arguments)
    with signals_as_ctrl_c():
        status = _run(options)
        if arguments is None:
            # All is written: the libraries take seconds to end.
            ignore_further()
    return status


def _run(options: argparse.Namespace) -> int:
    try:
        with _warnings_in_one_line():
            return options.run(options)
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except Exception as error:
        if options.traceback:
            traceback.print_exc()
        _say(f"error: {_one_line(error)}")
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
    kept = options.checkpoint or options.resume
    for path, what in (
        (options.report, "The report"),
        (kept, "The search"),
        (options.log, "The log"),
    ):
        if path is not None:
            check_writable(path, what)

    if sys.stderr.isatty() and not (options.quiet or options.json):
        print("loading TensorFlow and the model ...", file=sys.stderr)
    with library_imports():
        import_module("keras_symgrad.api.interpret")
        from keras_symgrad.formulas import check_path

    for path in options.export:
        check_path(path)
    from keras_symgrad.search.core import deferred_interrupts

    with deferred_interrupts() as interrupts:
        answer, callbacks = ask(options, x, names)
        answer = with_source(answer, options)
        failures = _printed(lambda: _show_answer(answer, options))
        written, unwritten = _written(answer, options)
        failures += [*unwritten, *(f for one in callbacks if (f := getattr(one, "failure", None)))]
        if written and not (options.quiet or options.json):
            failures += _printed(lambda: print(f"written: {', '.join(map(str, written))}"))
        was_interrupted = interrupts.presses > 0 or any(
            concept.stopped == "interrupted" for concept in concepts_of(answer)
        )
    if was_interrupted:
        _say("interrupted; this is what was found by then")
    for failure in failures:
        _say(f"error: {_one_line(failure)}")
    return NOT_WRITTEN if failures else INTERRUPTED if was_interrupted else 0


def _show_answer(answer: Any, options: argparse.Namespace) -> None:
    if options.json:
        print(json_text(answer.to_dict()))
    elif len(concepts_of(answer)) != 1 or concepts_of(answer)[0] is not answer:
        show_several(answer, options.quiet)
    elif options.quiet:
        print(in_one_line(answer))
    else:
        show(answer)


def _written(answer: Any, options: argparse.Namespace) -> tuple[list[Path], list[Exception]]:
    """Write the files; the paths of those written, and the errors of the others."""
    ways: list[Callable[[], Path]] = []
    if getattr(options, "out", None) is not None:
        ways.append(lambda: answer.save(options.out / RESULT_FILE))
    if options.report is not None:
        ways.append(lambda: answer.report(options.report))
    ways += [partial(_export, answer, path) for path in options.export]
    written, failures = [], []
    for write in ways:
        try:
            written.append(write())
        except Exception as error:
            failures.append(error)
    return written, failures


def _export(concept: Any, path: Path) -> Path:
    """Write the formula that the headline shows: the best one, or those of all regions."""
    formula = concept.regions.to_formula() if concept.is_divided else concept.best
    return formula.export(path)


def _printed(show: Callable[[], None]) -> list[Exception]:
    """Print; a closed pipe, or a full disk behind it, must not cost the files."""
    try:
        show()
        sys.stdout.flush()
    except OSError as error:
        # What is still to be printed goes nowhere, at the end of the process as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return [OSError(error.errno, error.strerror, "standard output")]
    return []


def _say(line: str) -> None:
    with suppress(OSError):
        print(f"{PROGRAM_NAME}: {line}", file=sys.stderr)


def _show_result(options: argparse.Namespace) -> int:
    from keras_symgrad.files import check_is_file

    check_is_file(options.result, "a result that `save` wrote")
    with library_imports():
        from keras_symgrad.api import load_interpretation
        from keras_symgrad.formulas import check_path
        from keras_symgrad.results import Interpretation

        result = load_interpretation(options.result)
    if not isinstance(result, Interpretation):
        if options.row is not None or options.export:
            raise ValueError(
                "--row and --export are of one formula, and this result has several: "
                f"{options.result}"
            )
    elif options.row is not None:
        result = result.choose(options.row)
    for path in options.export:
        check_path(path)
    if options.report is not None:
        check_writable(options.report, "The report")
    failures = _printed(lambda: _show_answer(result, options))
    written, unwritten = _written(result, options)
    failures += unwritten
    if written and not (options.quiet or options.json):
        failures += _printed(lambda: print(f"written: {', '.join(map(str, written))}"))
    for failure in failures:
        _say(f"error: {_one_line(failure)}")
    return NOT_WRITTEN if failures else 0


def _compare(options: argparse.Namespace) -> int:
    from keras_symgrad.files import check_is_file

    for path in options.results:
        check_is_file(path, "a result that `save` wrote")
    with library_imports():
        from keras_symgrad.api import compare_interpretations, load_interpretation
        from keras_symgrad.results import Interpretation

    one, other = map(load_interpretation, options.results)
    agreement = compare_interpretations(one, other, options.data)
    for path, result in zip(options.results, (one, other)):
        if isinstance(result, Interpretation):
            print(printable(f"{path}: {result.headline}"))
    print(agreement)
    return 0 if agreement.same else DIFFERENT


def _check_writable(folder: Path) -> None:
    """Raise unless the result can be written; make its folder if it is missing."""
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
def _warnings_in_one_line() -> Iterator[None]:
    said = set()

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        line = _one_line(message)
        # Warnings for developers, such as deprecations, are of no use to this user.
        if issubclass(category, UserWarning) and line not in said:
            said.add(line)
            print(f"{PROGRAM_NAME}: warning: {line}", file=sys.stderr)

    with warnings.catch_warnings():
        # Whatever warning filters the process has: here warnings are lines for a person.
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def _one_line(message: BaseException | Warning | str) -> str:
    """A message of the library with the names of command-line options."""
    text = printable(" ".join(str(message).split()))
    if isinstance(message, OSError) and message.strerror:
        text = f"{message.filename}: {message.strerror}" if message.filename else message.strerror
    elif isinstance(message, Exception) and not isinstance(
        message, (ValueError, TypeError, OSError, Warning)
    ):
        text = f"{type(message).__name__}: {text} (--traceback shows where it happened)"
    return _NAMED_ARGUMENT.sub(_as_option, text)


def _as_option(match: re.Match[str]) -> str:
    if match[1] not in SHARED_NAMES:
        return match[0]
    option, value = match[1].replace("_", "-"), match[2]
    if value.startswith("["):
        value = ",".join(map(str, ast.literal_eval(value)))
    value = value.strip("().'\"").replace(", ", ",")
    return f"`--{option} {value}`" if value else f"`--{option}`"
