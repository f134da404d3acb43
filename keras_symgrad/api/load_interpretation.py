"""Read results from the files that `save` writes: `load_interpretation`.

A file is plain data, described in `docs/files.md`. Formulas in it are read by the project's own
parser and never run.
"""

from __future__ import annotations

import ast
import math
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from keras_symgrad.api.interpret import interpret
from keras_symgrad.api.interpret_classes import interpret_classes
from keras_symgrad.api.interpret_jointly import interpret_jointly
from keras_symgrad.expressions.formats import from_text
from keras_symgrad.files import RESULT_FORMAT, RESULT_VERSION, Record, check_names, read_json
from keras_symgrad.formulas import (
    FEWEST_DIGITS,
    MOST_DIGITS,
    Fidelity,
    Formula,
    MonotoneFit,
    ParetoFront,
    PhiFormula,
    Rule,
    read_scaled,
)
from keras_symgrad.formulas.constants import Constant
from keras_symgrad.results import (
    ClassInterpretation,
    Interpretation,
    JointInterpretation,
    Sample,
    Surface,
)
from keras_symgrad.results.assessment import (
    SIGNS,
    Alternative,
    Influence,
    Interaction,
    Match,
    SymmetryCheck,
)
from keras_symgrad.results.neighbourhood import Neighbourhood
from keras_symgrad.results.regions import Holds, Regions
from keras_symgrad.search.core import Ending, call
from keras_symgrad.search.spectral import Group

# Stands for a number that was not finite and is shown only.
UNKNOWN = math.nan
WHAT = "a result that `save` wrote"


def load_interpretation(
    path: str | os.PathLike[str],
) -> Interpretation | ClassInterpretation | JointInterpretation:
    """Read a result that `save` wrote.

    Everything is restored except the network, and all but a few hundred rows of the data and the
    gradients, on which the result plots, reports and assesses other rows of its front. All rows can
    be put back if `concept.gradients.save(path)` saved them:
    `dataclasses.replace(concept, gradients=GradientField.load(path))`. Files of more than about 170
    variables, and those of earlier versions, have no rows.

    Args:
        path: of the file.

    Returns:
        The result, of the class that wrote it.

    Raises:
        FileNotFoundError: there is no file at the path.
        ValueError: the file is not a result, or was written by a later version.

    Example:

    >>> import tempfile, keras_symgrad as ks
    >>> x = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    >>> field = ks.GradientField.from_gradients(x, x * [2, 4])
    >>> concept = ks.interpret(field, operators="polynomial", verbose=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = load_interpretation(concept.save(f"{folder}/ellipse.json"))
    >>> print(again.best)
    x1**2 + 2*x2**2
    """
    content = read_json(path, WHAT)
    try:
        return interpretation_from(content)
    except ValueError as error:
        raise ValueError(f"Expected {WHAT}. {path} is not one: {error}") from None


def interpretation_from(
    content: Any,
) -> Interpretation | ClassInterpretation | JointInterpretation:
    """Make a result from the plain data that its `to_dict` returned.

    Args:
        content: plain data.

    Returns:
        The result, as `load_interpretation` returns it.

    Raises:
        ValueError: it is not a result.
    """
    record = Record(content)
    return _READERS[_kind(record)](record)


def _kind(record: Record) -> str:
    """Return the kind of result, after checking format and version."""
    if "format" not in record and "version" not in record:
        kinds = {"best": "neuron", "pairs": "classes", "concepts": "joint"}
        found = [kind for name, kind in kinds.items() if name in record]
        if not found:
            raise record.refused("format", repr(RESULT_FORMAT))
        return found[0]
    record.one_of("format", (RESULT_FORMAT,))
    version = record.whole("version")
    if version > RESULT_VERSION:
        raise ValueError(
            f"It is of version {version}, and this version of keras-symgrad reads those up to "
            f"{RESULT_VERSION}. Read it with the version that wrote it, or a later one."
        )
    return record.one_of("kind", tuple(_READERS))


def _interpretation(record: Record) -> Interpretation:
    variables = record.texts("variables")
    names = check_names(variables, len(variables))
    if not names:
        raise record.refused("variables", "one name at least")
    best = _formula(record.record("best"), names)
    floor = record.number("noise_floor")
    box = np.array(record.rows("box", len(names)))
    if len(box) != 2 or not (box[0] <= box[1]).all():
        raise record.refused("box", "the lowest and the highest values")
    settings, asked = _settings(record, interpret)
    sample, gradients = record.maybe("sample", lambda one: Sample.of_record(one, names)) or (
        None,
        # Stands in for the field, and says where one is to be had.
        _NotInTheFile("gradients"),
    )
    return Interpretation(
        neuron=record.text("neuron"),
        names=names,
        front=_front(record, names, floor),
        best=best,
        phi=record.maybe("phi", _phi),
        value=record.maybe("value", lambda value: _value(value, best)),
        rule=record.maybe("rule", lambda rule: _rule(rule, best)),
        cosine_error=record.number("cosine_error", UNKNOWN),
        boundary_error=record.number("boundary_error", UNKNOWN)
        if "boundary_error" in record
        else None,
        matches=Match(record.one_of("matches", tuple(map(str, Match)))),
        rivals=tuple(_alternative(rival, names) for rival in record.records("rivals")),
        alternatives=tuple(_alternative(other, names) for other in record.records("alternatives")),
        noise_floor=floor,
        constants=tuple(map(_constant, record.records("constants"))),
        ignored=record.texts("ignored"),
        groups=tuple(_group(group, names) for group in record.records("groups")),
        rows=_rows(record),
        evaluations=record.whole("evaluations"),
        stopped=Ending.of(record.text("stopped")),
        seed=record.whole("seed"),
        versions=record.by_name("versions", str),
        timings=_timings(record),
        settings=settings,
        call=asked,
        box=box,
        gradients=gradients,  # type: ignore[arg-type]
        network=None,
        # Version 0 has neither.
        given=_given(record, names),
        surface=_surface(record, len(names)),
        symmetries=_symmetries(record),
        fidelity=record.maybe("fidelity", Fidelity.of_record),
        influence=_influences(record, names),
        interactions=_interactions(record),
        holds=record.maybe("holds", lambda holds: Holds.of_record(holds, names)),
        regions=record.maybe(
            "regions",
            lambda regions: Regions.of_record(regions, lambda formula: _formula(formula, names)),
        ),
        near=record.maybe("near", lambda near: Neighbourhood.of_record(near, names)),
        sample=sample,
    )


def _formula(record: Record, names: tuple[str, ...]) -> Formula:
    expression = from_text(record.text("expression"), names)
    # A formula with operators other than the search's has infinite complexity.
    complexity = record.number("complexity", math.inf)
    fidelity = record.maybe("fidelity", Fidelity.of_record)
    formula = Formula(expression, complexity, record.number("loss"), names, fidelity=fidelity)
    return _scaled(formula, record)


def _scaled(formula: Formula, record: Record, prefix: str = "") -> Formula:
    """The formula with the units that a record has for it, if it has any."""
    if f"{prefix}units" not in record:
        return formula
    own = from_text(record.text(f"{prefix}own"), formula.names)
    units = record.record(f"{prefix}units")
    return read_scaled(formula, own, {name: units.numbers(name) for name in units.names})


def _front(record: Record, names: tuple[str, ...], floor: float) -> ParetoFront:
    front = _unpicked(record, names, floor)
    if "picked" not in record:
        return front
    number = record.whole("picked")
    if number >= len(front):
        raise record.refused("picked", "the number of a row of the front")
    return front.picking(number)


def _unpicked(record: Record, names: tuple[str, ...], floor: float) -> ParetoFront:
    rows = [_formula(row, names) for row in record.records("front")]
    if not rows or not all(math.isfinite(row.complexity) for row in rows):
        raise record.refused("front", "formulas of finite complexity")
    if "chosen" in record:
        chosen = record.whole("chosen")
        if chosen >= len(rows):
            raise record.refused("chosen", "the number of a row of the front")
        return ParetoFront.by_fidelity(rows, chosen, floor)
    trusted = None
    if "trusted" in record:
        numbers = set(record.numbers("trusted"))
        if not numbers <= set(range(len(rows))):
            raise record.refused("trusted", "numbers of rows of the front")
        trusted = [row for number, row in enumerate(rows) if number in numbers]
    return ParetoFront(rows, floor, trusted)


def _phi(record: Record) -> MonotoneFit:
    knots, values = (np.array(record.numbers(name)) for name in ("knots", "values"))
    steps = np.diff(values)
    monotone = len(knots) == len(values) > 0 and (np.diff(knots) > 0).all()
    if not monotone or not ((steps >= 0).all() or (steps <= 0).all()):
        raise record.refused("knots", "ascending knots with a monotone value each")
    return MonotoneFit(knots, values, record.number("r2", UNKNOWN))


def _value(record: Record, best: Formula) -> PhiFormula:
    complexity = record.number("complexity")
    whole = complexity + best.complexity
    if "value_complexity" in record:  # not in version 0
        whole = record.number("value_complexity")
    value = from_text(record.text("value"), best.names)
    return PhiFormula(
        from_text(record.text("expression"), ("g",)),
        complexity,
        record.number("r2", UNKNOWN),
        record.whole("rows"),
        _scaled(Formula(value, whole, best.loss, best.names), record, "value_"),
    )


def _rule(record: Record, best: Formula) -> Rule:
    # Before version 2 a threshold had no interval.
    threshold = Constant(record.number("threshold"))
    rule = Rule(
        best,
        record.maybe("level", _constant) or threshold,
        record.one_of("direction", ("<", ">")),
        record.number("agreement", UNKNOWN),
        record.whole("points"),
    )
    if "digits" in record:
        digits = record.whole("digits", 1)
        if digits > MOST_DIGITS:
            raise record.refused("digits", f"{MOST_DIGITS} at most")
        return replace(rule, digits=digits)
    # Version 0 has the text alone.
    written = record.text("text")
    found = (replace(rule, digits=n) for n in range(FEWEST_DIGITS, MOST_DIGITS + 1))
    return next((rule for rule in found if rule.text == written), rule)


def _alternative(record: Record, names: tuple[str, ...]) -> Alternative:
    return Alternative(
        _formula(record, names),
        record.number("loss_ratio", UNKNOWN),
        record.number("error_ratio", UNKNOWN),
        record.number("worse_rows", UNKNOWN),
        record.whole("longer", -(2**31)),
        record.number("class_distance", UNKNOWN),
        record.flag("same_boundary"),
    )


def _constant(record: Record) -> Constant:
    shown = from_text(record.text("shown")) if "shown" in record else None
    value = record.number("value")
    if "low" not in record.names:
        # Before version 2 intervals were symmetric, and infinite for a number that was not
        # determined.
        error = record.number("error", math.inf)
        return Constant(value, value - error, value + error, shown)
    low, high = record.number("low", -math.inf), record.number("high", math.inf)
    if not low <= high:
        raise record.refused("high", "an end that is not below `low`")
    return Constant(value, low, high, shown)


def _group(record: Record, names: tuple[str, ...]) -> Group:
    expression = from_text(record.text("expression"), names)
    return Group(record.texts("variables"), expression, record.number("error"))


def _influences(record: Record, names: tuple[str, ...]) -> tuple[Influence, ...]:
    # Files that were written before there were influences have none.
    if "influence" not in record:
        return ()
    return tuple(_influence(one, names) for one in record.records("influence"))


def _interactions(record: Record) -> tuple[Interaction, ...]:
    if "interactions" not in record:
        return ()
    found = []
    for one in record.records("interactions"):
        share, strength = one.number("share"), one.number("strength")
        if not (0 <= share <= 1 and strength >= 0):
            raise one.refused("share", "a number from 0 to 1")
        found.append(Interaction(one.text("first"), one.text("second"), share, strength))
    return tuple(found)


def _influence(record: Record, names: tuple[str, ...]) -> Influence:
    columns = record.texts("columns")
    if not columns or not set(columns) <= set(names):
        raise record.refused("columns", "names of variables")
    share = record.number("share")
    if not 0 <= share <= 1:
        raise record.refused("share", "a number from 0 to 1")
    return Influence(
        record.text("name"),
        columns,
        share,
        record.one_of("sign", SIGNS),
        record.flag("looked_at"),
        tuple(record.numbers("values")),
    )


def _rows(record: Record) -> dict[str, int]:
    rows = record.by_name("rows", int)
    record.record("rows").whole("held_out")
    return rows


def _timings(record: Record) -> dict[str, float]:
    timings = record.record("timings")
    timings.number("search", math.inf)
    # A time that is not finite is written as `null`.
    return {name: timings.number(name, math.inf) for name in timings.names}


def _settings(record: Record, *asked: Callable[..., Any]) -> tuple[dict[str, Any], str]:
    """Settings, and the code that repeats the call `asked` with them."""
    settings = record.by_name("settings", object)
    try:
        code = call(settings, *asked)
        is_safe = _is_one_call(code)
    except (AttributeError, TypeError, ValueError, RecursionError):
        is_safe = False
    if not is_safe:
        raise record.refused("settings", f"arguments of `{asked[0].__name__}` and nothing more")
    return settings, code


# Allowed in arguments: literal values, and classes of `ks`.
_OF_ARGUMENTS = (
    *(ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.UnaryOp, ast.USub, ast.Name),
    *(ast.Load, ast.keyword, ast.Call, ast.Attribute, ast.BinOp, ast.Add, ast.Sub),
)


def _is_one_call(code: str) -> bool:
    """Return whether code only calls a function with literals and objects of `ks`."""
    try:
        root = ast.parse(code, mode="eval").body
    except (SyntaxError, MemoryError):
        return False
    if not isinstance(root, ast.Call):
        return False
    parts = [part for part in ast.walk(root) if part not in (root, root.func)]
    return all(
        isinstance(part, _OF_ARGUMENTS)
        and (not isinstance(part, ast.Call) or isinstance(part.func, ast.Attribute))
        and (not isinstance(part, ast.Attribute) or _is_of_ks(part))
        for part in parts
    )


def _is_of_ks(part: ast.Attribute) -> bool:
    """Return whether it is `ks.Something` or `ks.Neuron.of`."""
    if part.attr == "of" and isinstance(part.value, ast.Attribute):
        return part.value.attr == "Neuron" and _is_of_ks(part.value)
    return isinstance(part.value, ast.Name) and part.value.id == "ks"


def _given(record: Record, names: tuple[str, ...]) -> tuple[Formula, ...]:
    if "given" not in record:
        return ()
    return tuple(_formula(formula, names) for formula in record.records("given"))


def _symmetries(record: Record) -> tuple[SymmetryCheck, ...]:
    if "symmetries" not in record:
        return ()
    return tuple(
        SymmetryCheck(
            check.text("symmetry"),
            check.number("network") if "network" in check else None,
            check.number("formula", UNKNOWN),
        )
        for check in record.records("symmetries")
    )


def _surface(record: Record, variables: int) -> Surface:
    if "surface" not in record:
        return Surface(variables)
    surface = record.record("surface")
    plane = centre = None
    if "plane" in surface:
        plane = np.array(surface.rows("plane", variables))
        centre = np.array(surface.numbers("centre"))
        if len(centre) != variables or not len(plane):
            raise record.refused("surface", "a plane with its centre")
    return Surface(
        surface.whole("axes"),
        plane,
        centre,
        surface.flag("curved"),
        surface.flag("joint"),
        surface.number("explained", UNKNOWN),
    )


def _classes(record: Record) -> ClassInterpretation:
    variables, classes = record.texts("variables"), record.texts("classes")

    def pair(of: Record) -> tuple[int, int]:
        found = of.texts("classes")
        if len(found) != 2 or not set(found) <= set(classes):
            raise of.refused("classes", "two of the classes")
        return classes.index(found[0]), classes.index(found[1])

    return ClassInterpretation(
        record.text("name"),
        classes,
        check_names(variables, len(variables)),
        {pair(one): _interpretation(one) for one in record.records("pairs")},
        {pair(one): one.text("reason") for one in record.records("unread")},
        record.number("agreement", UNKNOWN),
        # It is undefined for a class without points.
        tuple(record.numbers("recall", UNKNOWN)),
        record.whole("points"),
        *_provenance(record, interpret_classes, interpret),
    )


def _joint(record: Record) -> JointInterpretation:
    return JointInterpretation(
        record.texts("neurons"),
        tuple(map(_interpretation, record.records("concepts"))),
        record.whole("independent"),
        tuple(record.numbers("spectrum")),
        tuple(record.numbers("errors")),
        *_provenance(record, interpret_jointly, interpret),
    )


def _provenance(
    record: Record, *asked: Callable[..., Any]
) -> tuple[dict[str, Any], dict[str, str], str]:
    """Settings, versions and the call of a result of several neurons; version 0 has none."""
    if "settings" not in record:
        return {}, {}, call({}, *asked)
    settings, code = _settings(record, *asked)
    return settings, record.by_name("versions", str), code


class _NotInTheFile:
    """Placeholder for an object that the file does not hold; using it raises an error."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ValueError(
            f"The {self._name} of this result are not in its file, which an earlier version wrote, "
            "or which has too many variables; plots, reports and `choose` need them. Interpret the "
            "model again, or save them too, with "
            "`concept.gradients.save('field.npz')`, and put them back: `dataclasses.replace("
            "concept, gradients=GradientField.load('field.npz'))`."
        )


_READERS: dict[
    str, Callable[[Record], Interpretation | ClassInterpretation | JointInterpretation]
] = {"neuron": _interpretation, "classes": _classes, "joint": _joint}
