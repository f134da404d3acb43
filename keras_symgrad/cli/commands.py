"""Run a command of the command line: one neuron, pairs of classes, or neurons jointly.

This room turns options into arguments of `interpret`, `interpret_classes` and `interpret_jointly`,
and imports TensorFlow only when the question is asked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from keras_symgrad.cli.own_code import imported, objects_of, operators_of
from keras_symgrad.cli.prior_options import knowledge_of

if TYPE_CHECKING:
    import numpy as np

    from keras_symgrad.callbacks import Callback
    from keras_symgrad.results import ClassInterpretation, Interpretation, JointInterpretation

    Answer = Interpretation | ClassInterpretation | JointInterpretation

# Options that a question has no use for: they would be ignored.
_ONE_SEARCH = (
    *("log", "tensorboard", "checkpoint", "resume"),
    *("population", "workers", "processes", "islands"),
)
NOT_TAKEN = {
    "classes": ("unit", "activation", "kind", "in_terms_of", "export", *_ONE_SEARCH),
    "jointly": ("kind", "delta", "data_only", "class_names", "export", *_ONE_SEARCH),
}


def question_of(options: argparse.Namespace) -> str:
    """Which question it is: "classes", "jointly" or "neuron"."""
    return next((name for name in NOT_TAKEN if getattr(options, name)), "neuron")


def conflict(options: argparse.Namespace, default: Callable[[str], Any]) -> str | None:
    """What is wrong with options that do not go together.

    Args:
        options: as they were parsed.
        default: of an option, by name.

    Returns:
        A sentence, or `None`.

    Example:

    >>> options = argparse.Namespace(classes=False, jointly=False, class_names=["a", "b"])
    >>> conflict(options, lambda name: None)
    '--class-names needs --classes'
    """
    question = question_of(options)
    if question == "neuron":
        return "--class-names needs --classes" if options.class_names is not None else None
    given = [name for name in NOT_TAKEN[question] if getattr(options, name) != default(name)]
    listed = ", ".join(f"--{name.replace('_', '-')}" for name in given)
    return f"--{question} does not take {listed}" if given else None


def concepts_of(answer: Answer) -> list[Interpretation]:
    """All that were found."""
    if hasattr(answer, "pairs"):
        return list(answer.pairs.values())
    return list(answer.concepts) if hasattr(answer, "concepts") else [answer]


def in_lines(answer: Answer) -> list[str]:
    """One line for each formula of several."""
    if hasattr(answer, "rules"):
        return answer.rules()
    return [concept.headline for concept in concepts_of(answer)]


def ask(options: argparse.Namespace, x: np.ndarray, names: Sequence[str]) -> Answer:
    """The answer to the question that the options ask.

    Args:
        options: as they were parsed.
        x: points of shape `(rows, columns)`.
        names: of the columns.

    Returns:
        What the function for this question returned.
    """
    search = {
        name: getattr(options, name) for name in ("max_complexity", "methods", "time_limit", "seed")
    }
    modules = imported(options.imported)
    common = {
        **{
            name: getattr(options, name)
            for name in ("layer", "signature", "rows", "metric", "smoothing")
        },
        "names": names,
        "tangent": None if options.tangent == "none" else options.tangent,
        "weights": options.weights,
        "custom_objects": objects_of(modules) or None,
        "verbose": not options.quiet,
        "operators": operators_of(options.operators, options.operator_file, modules),
        **search,
        **knowledge_of(options),
    }
    added = {
        "delta": options.delta,
        "draw": not options.data_only,
        "move": not options.data_only,
    }
    return _ASK[question_of(options)](options, x, common, added)


def with_source(answer: Answer, options: argparse.Namespace) -> Answer:
    """The answer with the data's file in its settings, and in the call that repeats it.

    Args:
        answer: of `ask`, which was given the points themselves.
        options: as they were parsed.
    """
    from keras_symgrad.api import interpret, interpret_classes, interpret_jointly
    from keras_symgrad.search.core import call

    asked = {
        "neuron": (interpret,),
        "classes": (interpret_classes, interpret),
        "jointly": (interpret_jointly, interpret),
    }[question_of(options)]
    source = {"x": str(options.data), "columns": options.columns, "names": None}
    settings = answer.settings | source
    return replace(answer, settings=settings, call=call(settings, *asked))


def _of_neuron(options: argparse.Namespace, x: np.ndarray, common: dict, added: dict) -> Answer:
    from keras_symgrad.api import interpret

    names = ("unit", "activation", "kind", "in_terms_of")
    chosen = {n: getattr(options, n) for n in (*names, "population", "workers", "islands")}
    return interpret(
        options.model,
        x,
        **chosen,
        executor="processes" if options.processes else None,
        callbacks=_callbacks(options),
        resume=options.resume,
        **common,
        **added,
    )


def _callbacks(options: argparse.Namespace) -> list[Callback]:
    """Callbacks for the files that a search writes; a resumed one goes on in its own."""
    from keras_symgrad.callbacks import Checkpoint, CSVLogger, TensorBoard

    callbacks = []
    if options.log is not None:
        callbacks.append(CSVLogger(options.log, append=options.resume is not None))
    if options.tensorboard is not None:
        callbacks.append(TensorBoard(options.tensorboard))
    if (kept := options.checkpoint or options.resume) is not None:
        callbacks.append(Checkpoint(kept))
    return callbacks


def _of_classes(options: argparse.Namespace, x: np.ndarray, common: dict, added: dict) -> Answer:
    from keras_symgrad.api import interpret_classes

    return interpret_classes(options.model, x, classes=options.class_names, **common, **added)


def _jointly(options: argparse.Namespace, x: np.ndarray, common: dict, _: dict) -> Answer:
    from keras_symgrad.api import interpret_jointly

    units = (options.unit,) if isinstance(options.unit, int) else options.unit
    chosen = {n: getattr(options, n) for n in ("activation", "in_terms_of")}
    return interpret_jointly(options.model, x, units=units, **chosen, **common)


_ASK = {"neuron": _of_neuron, "classes": _of_classes, "jointly": _jointly}
