"""Command-line options for prior knowledge of a formula."""

from __future__ import annotations

import argparse
from typing import Any

from keras_symgrad.cli.parser_types import parts, shown

# Those of `losses` and `symmetries`, whose imports take seconds.
LOSS_NAMES = ("squared", "angle", "huber")
SYMMETRIES = ("exchange", "even", "odd", "rotation", "translation", "scaling")


def add_knowledge(command: argparse.ArgumentParser) -> None:
    """Add the options.

    Args:
        command: parser to add them to.
    """
    known = command.add_argument_group("what is known of the formula")
    known.add_argument(
        "--dimensions",
        metavar="UNITS",
        type=_units,
        help="units of variables, such as 'height=m,time=s,speed=m/s'; variables that are left out "
        "have none",
    )
    known.add_argument(
        "--constants",
        choices=("dimensionless", "any"),
        default="dimensionless",
        help="with --dimensions: whether numbers in formulas may have a dimension, as the "
        "acceleration of gravity has (default: %(default)s)",
    )
    known.add_argument(
        "--template",
        metavar="FORM",
        help="an outer form with free parts, each with the variables that it may hold, such as "
        "'f(x1, x2) + sin(g(x3))'",
    )
    known.add_argument(
        "--guess",
        metavar="FORMULA",
        action="append",
        default=[],
        help="a formula to start from, such as 'x1**2 + sin(x2)'; may be given several times",
    )
    known.add_argument(
        "--forbid",
        metavar="NESTING",
        type=_nesting,
        action="append",
        default=[],
        help="an operator and those that may not stand inside of it, such as 'sin:sin,cos'; may be "
        "given several times",
    )
    known.add_argument(
        "--max-argument",
        metavar="LIMIT",
        type=_limit,
        action="append",
        default=[],
        help="an operator and the largest complexity of what it is applied to, such as 'exp:5'; "
        "may be given several times",
    )
    known.add_argument(
        "--max-depth",
        metavar="N",
        type=_depth,
        help="most operators inside of each other",
    )
    known.add_argument(
        "--symmetry",
        metavar="SYMMETRY",
        type=_symmetry,
        action="append",
        default=[],
        help="a symmetry of the concept, such as 'exchange:x1,x2', 'even:x3' or 'rotation:x,y', "
        "with + between variables that go together: 'exchange:x1+v1,x2+v2'; one of "
        f"{', '.join(SYMMETRIES)}; may be given several times",
    )
    known.add_argument(
        "--loss",
        choices=("auto", *LOSS_NAMES),
        default="auto",
        help="how much a row counts that is far off: 'angle' and 'huber' let it count less, and "
        "'auto' takes 'huber' where some rows are far off "
        "(default: %(default)s)",
    )


def knowledge_of(options: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `interpret` that the options stand for.

    Args:
        options: as they were parsed.

    Returns:
        Arguments by name.

    Raises:
        ValueError: a unit is invalid, or an option is given without the one that it belongs to.

    Example:

    >>> parser = argparse.ArgumentParser()
    >>> add_knowledge(parser)
    >>> options = parser.parse_args(["--guess", "x1 + x2", "--template", "f(x1, x2)"])
    >>> known = knowledge_of(options)
    >>> known["template"], known["guesses"], known["symmetries"], known["loss"]
    ('f(x1, x2)', ('x1 + x2',), (), 'auto')
    """
    from keras_symgrad.priors import Constraints, Dimensions, symmetries

    forbidden: dict[str, tuple[str, ...]] = {}
    for operator, inner in options.forbid:
        forbidden[operator] = (*forbidden.get(operator, ()), *inner)
    arguments = dict(options.max_argument)
    constraints = None
    if forbidden or arguments or options.max_depth is not None:
        constraints = Constraints(forbidden, arguments, options.max_depth)
    dimensions = options.dimensions
    if options.constants != "dimensionless":
        if dimensions is None:
            raise ValueError(
                "--constants says which dimension numbers have, and needs --dimensions. "
                f"Received: --constants {options.constants}"
            )
        dimensions = Dimensions(dimensions, constants=options.constants)
    return {
        "constraints": constraints,
        "dimensions": dimensions,
        "template": options.template,
        "guesses": tuple(options.guess),
        "symmetries": tuple(
            getattr(symmetries, kind.title())(*groups) for kind, groups in options.symmetry
        ),
        "loss": options.loss,
    }


def _units(text: str) -> dict[str, str]:
    pairs = [part.rpartition("=") for part in parts(text)]
    units = {name.strip(): unit.strip() for name, _, unit in pairs}
    if not units or not all(units):
        raise argparse.ArgumentTypeError(
            f"expected units such as 'height=m,time=s', not {shown(text)}"
        )
    if len(units) < len(pairs):
        raise argparse.ArgumentTypeError(f"expected each variable once, not {shown(text)}")
    return units


def _nesting(text: str) -> tuple[str, tuple[str, ...]]:
    operator, _, inner = text.partition(":")
    names = tuple(name.strip() for name in inner.split(","))
    if not operator.strip() or not all(names):
        raise argparse.ArgumentTypeError(
            f"expected an operator and those that are forbidden in it, such as 'sin:sin,cos', not "
            f"{shown(text)}"
        )
    return operator.strip(), names


def _limit(text: str) -> tuple[str, float]:
    operator, _, limit = text.rpartition(":")
    try:
        number = float(limit)
    except ValueError:
        number = 0.0
    if not operator.strip() or not 1 <= number < float("inf"):
        raise argparse.ArgumentTypeError(
            f"expected an operator and a number of at least 1, such as 'exp:5', not {shown(text)}"
        )
    return operator.strip(), int(number) if number.is_integer() else number


def _symmetry(text: str) -> tuple[str, list[tuple[str, ...]]]:
    kind, _, variables = text.partition(":")
    names = [tuple(name.strip() for name in group.split("+")) for group in parts(variables)]
    if kind.strip() not in SYMMETRIES or not names or not all(map(all, names)):
        raise argparse.ArgumentTypeError(
            f"expected one of {', '.join(SYMMETRIES)} and its variables, such as "
            f"'exchange:x1,x2', not {shown(text)}"
        )
    return kind.strip(), names


def _depth(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"expected a whole number of at least 1, not {shown(text)}"
        )
    return int(text)
