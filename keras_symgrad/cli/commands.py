"""Run a command of the command line: one neuron, pairs of classes, or neurons jointly.

This module turns options into arguments of `interpret`, `interpret_classes` and
`interpret_jointly`, and imports TensorFlow only when one of them is called.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_symgrad.cli.own_code import imported, objects_of, operators_of
from keras_symgrad.cli.prior_options import knowledge_of

if TYPE_CHECKING:
    import numpy as np

    from keras_symgrad.callbacks import Callback
    from keras_symgrad.results import ClassInterpretation, Interpretation, JointInterpretation

    Answer = Interpretation | ClassInterpretation | JointInterpretation

# Options that a command does not use: they would be ignored silently.
_ONE_SEARCH = (
    *("log", "tensorboard", "checkpoint", "resume"),
    *("population", "workers", "processes", "islands"),
)
NOT_TAKEN = {
    "classes": ("unit", "activation", "kind", "in_terms_of", "near", "export", *_ONE_SEARCH),
    "jointly": (
        "kind",
        "delta",
        "data_only",
        "class_names",
        "scheme",
        "near",
        "export",
        *_ONE_SEARCH,
    ),
}


def question_of(options: argparse.Namespace) -> str:
    """Return which function the options select: "classes", "jointly" or "neuron"."""
    return next((name for name in NOT_TAKEN if getattr(options, name)), "neuron")


def conflict(options: argparse.Namespace, default: Callable[[str], Any]) -> str | None:
    """Return the error in a combination of options that exclude each other.

    Args:
        options: as they were parsed.
        default: of an option, by name.

    Returns:
        A sentence, or `None`.

    Example:

    >>> options = argparse.Namespace(
    ...     classes=False, jointly=False, class_names=["a", "b"], scheme="auto"
    ... )
    >>> conflict(options, lambda name: None)
    '--class-names needs --classes'
    """
    question = question_of(options)
    if question == "neuron":
        of_classes = {"class_names": None, "scheme": "auto"}
        given = [name for name, unset in of_classes.items() if getattr(options, name) != unset]
        return f"--{given[0].replace('_', '-')} needs --classes" if given else None
    given = [name for name in NOT_TAKEN[question] if getattr(options, name) != default(name)]
    listed = ", ".join(f"--{name.replace('_', '-')}" for name in given)
    return f"--{question} does not take {listed}" if given else None


def concepts_of(answer: Answer) -> list[Interpretation]:
    """All concepts that were found."""
    if hasattr(answer, "pairs"):
        return list(answer.pairs.values())
    return list(answer.concepts) if hasattr(answer, "concepts") else [answer]


def in_lines(answer: Answer) -> list[str]:
    """One line for each of several formulas."""
    if hasattr(answer, "rules"):
        return answer.rules()
    return [concept.headline for concept in concepts_of(answer)]


def ask(
    options: argparse.Namespace, x: np.ndarray, names: Sequence[str]
) -> tuple[Answer, list[Callback]]:
    """Call the function that the options select.

    Args:
        options: as they were parsed.
        x: points of shape `(rows, columns)`.
        names: of the columns.

    Returns:
        The result of that function, and the callbacks of the search.
    """
    import keras_symgrad as ks

    callbacks = _callbacks(options)
    question = question_of(options)
    sampling = {name: getattr(options, name) for name in ("rows", "metric", "smoothing")}
    sampling["tangent"] = None if options.tangent == "none" else options.tangent
    if options.preprocessing is not None:
        from keras_symgrad.files import read_json

        sampling["preprocessing"] = read_json(options.preprocessing, "means and widths of columns")
    if question != "classes":
        sampling["in_terms_of"] = options.in_terms_of
    if question != "jointly":
        taken = not options.data_only
        sampling |= {"delta": options.delta, "draw": taken, "move": taken}
    search = {name: getattr(options, name) for name in ("max_complexity", "methods", "effort")}
    if question == "neuron":
        search |= {n: getattr(options, n) for n in ("population", "workers", "islands", "resume")}
        search["executor"] = "processes" if options.processes else None
    priors = knowledge_of(options)
    modules = imported(options.imported)
    model, signature = _model(options, objects_of(modules))
    common = {
        "names": names,
        "loss": priors.pop("loss"),
        "operators": operators_of(options.operators, options.operator_file, modules),
        "sampling": ks.Sampling(**sampling),
        "priors": ks.Priors(**priors),
        "search": ks.Search(**search),
        "time_limit": options.time_limit,
        "seed": options.seed,
        "verbose": not options.quiet,
    }
    if callbacks:
        common["callbacks"] = callbacks
    function, *_ = _functions(question)
    model, chosen = _CHOSEN[question](options, model, signature, x)
    return function(model, x, **chosen, **common), callbacks


def with_source(answer: Answer, options: argparse.Namespace) -> Answer:
    """The result with the data's file in its settings, and in the call that repeats it.

    Args:
        answer: of `ask`, which received the points themselves.
        options: as they were parsed.
    """
    from keras_symgrad.search.core import call

    source = {"x": str(options.data), "columns": options.columns, "names": None}
    settings = answer.settings | source
    return replace(
        answer, settings=settings, call=call(settings, *_functions(question_of(options)))
    )


def _functions(question: str) -> tuple[Callable[..., Any], ...]:
    """The function that answers a question, and the one that takes its further options."""
    from keras_symgrad.api import interpret, interpret_classes, interpret_jointly

    return {
        "neuron": (interpret,),
        "classes": (interpret_classes, interpret),
        "jointly": (interpret_jointly, interpret),
    }[question]


def _model(options: argparse.Namespace, custom_objects: dict[str, Any]) -> tuple[Any, str | None]:
    """Model and signature; a model whose path alone is not enough is loaded here."""
    from keras_symgrad.neurons import load_model

    # A SavedModel has no classes; an imported module may be for its operators alone.
    custom = None if Path(options.model).is_dir() else custom_objects or None
    if not options.allow_operations and options.weights is None and custom is None:
        return options.model, options.signature
    loaded = load_model(
        options.model,
        options.signature,
        weights=options.weights,
        custom_objects=custom,
        allow_operations=options.allow_operations,
    )
    return loaded, None


def _callbacks(options: argparse.Namespace) -> list[Callback]:
    """Callbacks for the files that a search writes; a resumed one goes on in its own."""
    from keras_symgrad.callbacks import Checkpoint, CSVLogger, TensorBoard

    callbacks: list[Callback] = []
    if options.log is not None:
        callbacks.append(CSVLogger(options.log, append=options.resume is not None))
    if options.tensorboard is not None:
        callbacks.append(TensorBoard(options.tensorboard))
    if (kept := options.checkpoint or options.resume) is not None:
        callbacks.append(Checkpoint(kept))
    return callbacks


def _of_neuron(
    options: argparse.Namespace, model: Any, signature: str | None, x: np.ndarray
) -> tuple[Any, dict[str, Any]]:
    from keras_symgrad.neurons import Neuron

    chosen = {name: getattr(options, name) for name in ("layer", "unit", "activation")}
    around = {"near": options.near}
    if (options.kind, signature) == (None, None):
        return model, chosen | around
    read = {"kind": options.kind, "signature": signature, "inputs": x.shape[1]}
    return Neuron.of(model, **chosen, **read), around


def _of_classes(
    options: argparse.Namespace, model: Any, signature: str | None, x: np.ndarray
) -> tuple[Any, dict[str, Any]]:
    return model, {
        "classes": options.class_names,
        "scheme": options.scheme,
        "layer": options.layer,
        "signature": signature,
    }


def _of_several(
    options: argparse.Namespace, model: Any, signature: str | None, x: np.ndarray
) -> tuple[Any, dict[str, Any]]:
    units = (options.unit,) if isinstance(options.unit, int) else options.unit
    chosen = {name: getattr(options, name) for name in ("layer", "activation")}
    return model, {"units": units, "signature": signature, **chosen}


# The model and the arguments that only one of the functions takes.
_CHOSEN = {"neuron": _of_neuron, "classes": _of_classes, "jointly": _of_several}
