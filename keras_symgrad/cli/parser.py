"""The argument parser: commands, options, defaults and help texts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_symgrad import __version__
from keras_symgrad.cli.parser_types import (
    EFFORTS,
    above_zero,
    at_least,
    delta,
    methods,
    names,
    near,
    smoothing,
    unit,
)
from keras_symgrad.cli.prior_options import add_knowledge
from keras_symgrad.search.strategies import METHODS

Command = Callable[[argparse.Namespace], int]

PROGRAM_NAME = "keras-symgrad"
RESULT_FILE = "interpretation.json"

EXAMPLES = """\
examples:
  keras-symgrad interpret model.keras --data points.csv
      the formula that the model's output decides by, from the points it was trained on
  keras-symgrad interpret model.keras --data points.csv --layer hidden_2 --unit 5
      the formula of one unit of a hidden layer
  keras-symgrad interpret model.keras --data table.csv --columns age,income,debt
      the model's inputs among other columns, in the model's order
  keras-symgrad interpret model.keras --data points.csv --report report.html
      a page with the formulas and pictures, to open in a browser, to print or to send
  keras-symgrad interpret model.keras --data points.csv --classes --class-names cat,dog,bird
      formulas for pairs of classes or scores for many, and how well they choose as the model does
  keras-symgrad interpret model.keras --data points.csv --layer bottleneck --jointly
      the concepts that the units of a layer encode together
  keras-symgrad interpret model.keras --data points.csv --export formula.py --export formula.tex
      the formula as a Python function and as LaTeX
  keras-symgrad interpret model.keras --data falls.csv --dimensions height=m,time=s,speed=m/s
      formulas that can be true whatever the units are
  keras-symgrad interpret model.keras --data points.csv --template "f(x1, x2) + sin(g(x3))"
      formulas of this form; f and g are to be found
  keras-symgrad interpret model.h5 --data points.npz --operators arithmetic,exp --out result
      a smaller alphabet for formulas; writes result/interpretation.json
  keras-symgrad interpret model.json --weights weights.h5 --data points.csv --import my_layers
      a model in two files, with layers of your own
  keras-symgrad show result/interpretation.json
      prints that result again
  keras-symgrad compare before/interpretation.json after/interpretation.json
      whether two results are the same concept
"""

EXIT_STATUS = """\
exit status:
  0    the result was printed
  1    something failed; one line on standard error says what
  2    wrong usage
  3    compare: the concepts are different
  4    the result was printed, but a file could not be written; lines on standard error say which
  130  Ctrl-C, SIGTERM or SIGHUP; what the search had found by then was printed and written
"""


def parser(
    interpret: Command, show: Command | None = None, compare: Command | None = None
) -> argparse.ArgumentParser:
    """Build the parser of the command line.

    Args:
        interpret: what the command `interpret` runs; `run` of the parsed options.
        show: what the command `show` runs.
        compare: what the command `compare` runs.

    Returns:
        A parser that exits with status 2 on wrong usage.

    Example:

    >>> parser(print).parse_args(["interpret", "model.keras", "--data", "points.csv"]).delta
    0.01
    """
    top = argparse.ArgumentParser(
        prog=PROGRAM_NAME,
        description="Reads the formula that a neuron of a trained Keras model has learned.",
        epilog=EXAMPLES + "\n" + EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"{PROGRAM_NAME} {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    command = commands.add_parser(
        "interpret",
        help="find the formula that a trained model decides by",
        description=(
            "Finds a closed-form expression for what a neuron of a trained Keras model computes.\n"
            "Prints the best formula of every complexity, marks the one to believe, and says how\n"
            "often the rule that follows from it agrees with the model."
        ),
        epilog=EXAMPLES + "\n" + EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(run=interpret, parser=command)
    command.add_argument(
        "model",
        metavar="MODEL",
        help="a .keras file, a legacy .h5 file, a SavedModel folder, or the .json of a model (with "
        "--weights)",
    )
    _add_data(command)
    _add_neuron(command)
    _add_search(command)
    add_knowledge(command)
    _add_long_search(command)
    _add_output(command)
    _add_show(commands, show)
    _add_compare(commands, compare)
    return top


def _add_show(commands: argparse._SubParsersAction[Any], show: Command | None) -> None:
    command = commands.add_parser(
        "show", help="print a result that was written before", allow_abbrev=False
    )
    command.set_defaults(run=show)
    command.add_argument("result", metavar="RESULT", help=f"a file such as {RESULT_FILE}")
    command.add_argument(
        "--row",
        metavar="K",
        type=int,
        help="another row of the front, numbered from 0, instead of the chosen one; all that is "
        "said of it is measured on the rows in the file",
    )
    _add_files(command)
    _add_printed(command)
    _add_traceback(command)


def _add_compare(commands: argparse._SubParsersAction[Any], compare: Command | None) -> None:
    command = commands.add_parser(
        "compare",
        help="tell whether two results are the same concept",
        description=(
            "Compares the directions of the gradients of two formulas at points of the box that\n"
            "both results' data have in common, or at points that are given."
        ),
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(run=compare)
    command.add_argument("results", metavar="RESULT", nargs=2, help="two files of results")
    command.add_argument(
        "--data", metavar="FILE", help="points to compare at, a .csv or .npz file (key x)"
    )
    _add_traceback(command)


def _add_data(command: argparse.ArgumentParser) -> None:
    data = command.add_argument_group("data")
    data.add_argument(
        "--data",
        metavar="FILE",
        required=True,
        help="points from where the model was trained, without labels: a .csv file, with or "
        "without a header, or an .npz file (key x)",
    )
    data.add_argument(
        "--columns",
        metavar="NAMES",
        type=names,
        help="the columns that the model takes, in its order, with commas between them "
        "(default: all)",
    )
    data.add_argument(
        "--preprocessing",
        metavar="FILE",
        type=Path,
        help="JSON file of the standardization that was done outside of the model: {NAME: [MEAN, "
        "WIDTH]} of the columns, or {mean: [...], scale: [...]}; the data and formulas are then in "
        "the units of the table, and the network receives (x - mean)/width",
    )
    data.add_argument(
        "--near",
        metavar="ROW",
        type=near,
        help="explain one row: its number in the data, from 0, or NAME=VALUE for each input with "
        "commas between them; the formula that holds around it, how far it does, and the nearest "
        "point of a classifier's decision boundary",
    )
    data.add_argument(
        "--data-only",
        action="store_true",
        help="read gradients at the data's points alone; by default points are added near the "
        "decision boundary, within the data's range",
    )
    data.add_argument(
        "--delta",
        metavar="D",
        type=delta,
        default=0.01,
        help="read a classifier's gradients where its probability is between D and 1 - D; "
        "'none' reads them everywhere (default: %(default)s)",
    )
    data.add_argument(
        "--rows",
        metavar="N",
        type=at_least(int, 2),
        default=2000,
        help="points to read gradients at (default: %(default)s)",
    )
    data.add_argument(
        "--metric",
        choices=("covariance", "columns"),
        default="covariance",
        help="compare directions by the covariance of the data, or column by column "
        "(default: %(default)s)",
    )
    data.add_argument(
        "--tangent",
        choices=("auto", "local", "none"),
        default="auto",
        help="the surface that the data lie on, along which gradients are compared: a linear one, "
        "if there is one; any, read off neighbouring points; or none (default: %(default)s)",
    )
    data.add_argument(
        "--smoothing",
        metavar="W",
        type=smoothing,
        default="auto",
        help="average gradients over a neighbourhood of W standard deviations of the data; 'auto' "
        "averages those that jump, as in ReLU networks, and 'none' does not "
        "(default: %(default)s)",
    )


def _add_neuron(command: argparse.ArgumentParser) -> None:
    neuron = command.add_argument_group("neuron (by default the model's output)")
    neuron.add_argument(
        "--layer", metavar="NAME", help="a hidden layer; 'encoder/latent' for one of an inner model"
    )
    neuron.add_argument(
        "--unit",
        metavar="K",
        type=unit,
        help="which unit of a layer of several, from 0; 'K,J' for unit K minus unit J; in an "
        "output of several axes its position, such as 'ROW,COLUMN,CHANNEL'",
    )
    several = neuron.add_mutually_exclusive_group()
    several.add_argument(
        "--classes",
        action="store_true",
        help="read formulas of the model's classes: for each pair, or a score for each class",
    )
    several.add_argument(
        "--jointly",
        action="store_true",
        help="read what the units of the layer encode together: all, or those of --unit K,J,...",
    )
    neuron.add_argument(
        "--scheme",
        choices=("auto", "pairs", "scores"),
        default="auto",
        help="of --classes: a formula for each pair, a score for each class of which the largest "
        "decides, or pairs for up to four classes and scores for more (default: %(default)s)",
    )
    neuron.add_argument(
        "--class-names",
        metavar="NAMES",
        type=names,
        help="names for --classes, in the model's order, with commas between them",
    )
    neuron.add_argument(
        "--activation",
        action="store_true",
        help="read the unit after its activation (default: before)",
    )
    neuron.add_argument(
        "--signature",
        metavar="NAME",
        help="of a SavedModel that has several (default: serving_default)",
    )
    neuron.add_argument(
        "--allow-operation",
        metavar="NAME",
        dest="allow_operations",
        action="append",
        default=[],
        help="a TensorFlow operation that a SavedModel may run although it is refused by default, "
        "as it may read or write files or use a network; only for models that you trust; may be "
        "given several times",
    )
    neuron.add_argument(
        "--weights",
        metavar="FILE",
        type=Path,
        help="HDF5 file with the weights of a MODEL that is a .json file",
    )
    neuron.add_argument(
        "--import",
        dest="imported",
        metavar="MODULE",
        action="append",
        default=[],
        help="import your code before the model is read: layers and functions that it needs, by "
        "their names (a function with the name of a Lambda layer is what that layer computes), and "
        "operators for --operators; may be given several times",
    )
    neuron.add_argument(
        "--in-terms-of",
        metavar="LAYER",
        help="an earlier layer, whose units the formula is written in instead of the inputs",
    )
    neuron.add_argument(
        "--kind",
        choices=("logit", "probability", "value"),
        help="what the model's output is (default: found out from the model, or else the data)",
    )


def _add_search(command: argparse.ArgumentParser) -> None:
    search = command.add_argument_group("search")
    search.add_argument(
        "--operators",
        metavar="NAMES",
        default="default",
        help="what formulas are made of, with commas between: operators, such as 'add,mul,exp', "
        "and the presets arithmetic, polynomial, trigonometric, default and full; a name that "
        "does not exist prints all that do; 'MODULE.NAME' is one of your own from a module of "
        "--import (default: %(default)s)",
    )
    search.add_argument(
        "--operator-file",
        metavar="FILE",
        type=Path,
        help="operators of your own besides, one a line, such as 'bump(a) = exp(-a**2)'",
    )
    search.add_argument(
        "--max-complexity",
        metavar="N",
        type=at_least(float, 1),
        default=30,
        help="longest formula: 1 for each variable and operation, 2 for functions, 3 for "
        "constants (default: %(default)s)",
    )
    search.add_argument(
        "--methods",
        metavar="NAMES",
        type=methods,
        default=METHODS,
        help="ways to search, with commas between: dictionary (sums of short features), features "
        "(evolved ones) and trees (evolved formulas); all by default",
    )
    search.add_argument(
        "--effort",
        choices=EFFORTS,
        default="normal",
        help="how far to go: quick searches the dictionary alone, normal ends as soon as the "
        "answer is settled, thorough goes on until a limit is reached (default: %(default)s)",
    )
    search.add_argument(
        "--time-limit",
        metavar="S",
        type=above_zero,
        default=60.0,
        help="seconds of search; it ends sooner if it has long found nothing better "
        "(default: %(default)g)",
    )
    search.add_argument(
        "--seed", metavar="N", type=at_least(int, 0), default=0, help="(default: %(default)s)"
    )


def _add_long_search(command: argparse.ArgumentParser) -> None:
    long = command.add_argument_group("searches that last")
    long.add_argument(
        "--checkpoint",
        metavar="FILE",
        type=Path,
        help="keep the search in a file, every half minute and at the end",
    )
    long.add_argument(
        "--resume",
        metavar="FILE",
        type=Path,
        help="go on from such a file, and keep the search in it; everything else must be as it "
        "was, and limits count what was done before",
    )
    long.add_argument("--log", metavar="FILE", type=Path, help="a CSV line for every generation")
    long.add_argument(
        "--tensorboard", metavar="DIR", type=Path, help="folder for event files of TensorBoard"
    )
    long.add_argument(
        "--population",
        metavar="N",
        type=at_least(int, 16),
        default=1024,
        help="trees that evolve at a time, on each island (default: %(default)s)",
    )
    long.add_argument(
        "--workers",
        metavar="N",
        type=at_least(int, 1),
        help="threads that evaluate trees, or processes (default: one for each core)",
    )
    long.add_argument(
        "--processes",
        action="store_true",
        help="let the workers be processes, each with an island of its own",
    )
    long.add_argument(
        "--islands",
        metavar="N",
        type=at_least(int, 1),
        help="populations that exchange their best (default: 1, or as many as processes)",
    )


def _add_output(command: argparse.ArgumentParser) -> None:
    output = command.add_argument_group("output")
    output.add_argument(
        "--out", metavar="DIR", type=Path, help=f"folder that {RESULT_FILE} is written into"
    )
    _add_files(output)
    _add_printed(output)
    _add_traceback(output)


def _add_files(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "--report",
        metavar="FILE",
        type=Path,
        help="page with formulas and pictures, one .html file that needs no network",
    )
    command.add_argument(
        "--export",
        metavar="FILE",
        action="append",
        type=Path,
        default=[],
        help="the formula as code or as a model, as the ending says: .py (needs NumPy alone), "
        ".tex, .json, .keras, .onnx, .tflite, or none for a SavedModel folder; of a network with "
        "regions its value by the formulas of all; may be given more than once",
    )


def _add_printed(command: argparse._ActionsContainer) -> None:
    printed = command.add_mutually_exclusive_group()
    printed.add_argument("--quiet", action="store_true", help="print one line: the rule")
    printed.add_argument(
        "--json",
        action="store_true",
        help=f"print the result as JSON, the content of {RESULT_FILE}, and nothing else",
    )


def _add_traceback(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "--traceback", action="store_true", help="on a failure, show where in the code it was"
    )
