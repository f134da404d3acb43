"""Find the formula that a neuron of a trained model has learned: `interpret`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, Literal

import keras
import numpy as np
import sympy

from keras_symgrad.engine import LOSSES, SQUARED, Loss, as_loss, trims
from keras_symgrad.expressions import Alphabet, Complexity, OperatorSet, symbol
from keras_symgrad.files import check_names, in_model_order, read_points
from keras_symgrad.gradients import (
    FARTHEST_OF_NETWORK,
    MAX_OFFSET_IN_WIDTHS,
    GradientField,
    Metric,
    OwnUnits,
    Reading,
    Tangent,
    can_be_drawn,
    check_metric,
    check_smoothing,
    few_values,
    with_mapped_rows,
)
from keras_symgrad.neurons import Neuron, Quantities, Unit, loaded
from keras_symgrad.priors import Constraints, Dimensions, Symmetry, check_symmetries
from keras_symgrad.results import Interpretation, groups_in_users, in_users
from keras_symgrad.results.assessment import (
    FormulaRefiner,
    Graph,
    assess,
    assess_one_variable,
    ignored,
    influences_of_reading,
    supported_groups,
)
from keras_symgrad.search import PortfolioSearch
from keras_symgrad.search.callbacks import Callback, ProgressBar, SavedSearch, check_callbacks
from keras_symgrad.search.core import (
    METHODS,
    Clock,
    GeneticSettings,
    PriorKnowledge,
    Stopping,
    call,
    check_methods,
    limits_of,
    recorded,
    versions,
)
from keras_symgrad.search.islands import check_executor
from keras_symgrad.search.spectral import has_outlying_rows

# Rows that the search looks at. The choice among its formulas is made on all of them.
MAX_SEARCH_ROWS = 512
# Lowest values of whole numbers.
_LOWEST = {"rows": 2, "seed": 0, "workers": 1, "population": 16}


@trims
def interpret(
    model: keras.Model | Neuron | GradientField | str | os.PathLike | Sequence,
    x: Any = None,
    *,
    layer: str | None = None,
    unit: Unit = None,
    activation: bool = False,
    kind: str | None = None,
    signature: str | None = None,
    weights: str | os.PathLike | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    names: Sequence[str] | None = None,
    columns: Sequence[str | int] | None = None,
    delta: float | None = 1e-2,
    rows: int = 2000,
    sampler: Callable[[int, np.random.Generator], np.ndarray] | None = None,
    draw: bool = True,
    move: bool = True,
    metric: Metric = "covariance",
    tangent: Tangent = "auto",
    in_terms_of: str | Quantities | None = None,
    smoothing: str | float | None = "auto",
    operators: str | OperatorSet | Sequence = "default",
    complexity: Complexity | Mapping[str, float] | None = None,
    max_complexity: float = 30,
    methods: Sequence[str] = METHODS,
    signed: bool = False,
    loss: str | Loss = "auto",
    symmetries: Sequence[Symmetry] = (),
    constraints: Constraints | None = None,
    dimensions: Dimensions | Mapping[str, str] | None = None,
    template: str | None = None,
    guesses: Sequence[str | sympy.Expr] = (),
    time_limit: float | None | Literal["auto"] = "auto",
    stopping: Stopping | None = None,
    population: int = 1024,
    callbacks: Sequence[Callback] = (),
    resume: str | os.PathLike | None = None,
    seed: int = 0,
    workers: int = 2,
    executor: Executor | str | None = None,
    islands: int | None = None,
    verbose: bool = True,
) -> Interpretation:
    """Finds a closed-form expression for what a neuron of a trained model encodes.

    The neuron's value is f(x). A formula g carries the same concept when f = phi(g) for some
    invertible phi, which is when their gradients are parallel everywhere:

        grad f / |grad f| = +- grad g / |grad g|

    So g is searched for by matching unit gradients, and phi drops out. It is fitted afterwards.
    Columns of very large or small numbers, or far from zero, are searched in units of their own;
    everything that is given and returned is in the units of `x`.

    Args:
        model: a built Keras model, the path of one (`.keras`, `.h5`, a SavedModel folder), a
            `Neuron`, or a `GradientField` that was read before or comes from elsewhere. A list
            of models that were trained apart on the same data is read as one: their mean
            gradients, with the noise that their disagreement predicts.
        x: points of shape `(rows, inputs)` from where the model was trained: an array, a
            DataFrame, or the path of a `.csv` or `.npz` file. No labels are needed. Left out with
            a `GradientField`.
        layer: name of a hidden layer; the output by default.
        unit: which unit of a layer of several; `(k, j)` for the difference of two, or the position
            in an output of several axes, such as `(row, column, channel)`.
        activation: whether to read a hidden unit after its activation.
        kind: what the model's output is: "logit", "probability" or "value". Found out if `None`.
        signature: of a SavedModel that has several; `serving_default` by default.
        weights: HDF5 file with the weights of a model whose path is that of its JSON.
        custom_objects: classes and functions by name that a file needs and Keras does not have; see
            `load_model`.
        names: of the variables; by default those of the data, or `x1`, `x2`...
        columns: names or numbers of the columns of `x` that the model takes; all by default.
        delta: rows of a classifier are read where its probability is within [delta, 1 - delta];
            `None` reads all.
        rows: how many rows to read.
        sampler: `(n, rng) -> (n, inputs)`, draws unlabelled points.
        draw: whether unlabelled points may be added to the data.
        move: whether points may be moved to the decision boundary.
        metric: in which directions compare: "covariance" weighs steps as the data take them, so
            that units, correlated columns and one-hot columns make no difference; "columns" takes
            each column by itself, as published losses do; or a covariance matrix of your own.
        tangent: the surface that the data lie on: "auto" finds a linear one (a fixed trace, an
            antisymmetric matrix), "local" any other; vectors of its tangent space, or a function
            that returns them at points; `None` for none. Gradients are compared along it only,
            for across it the network was never taught.
        in_terms_of: the layer whose units the formula is to be written in, or `Quantities` of
            your own, instead of the inputs.
        smoothing: width of the neighbourhood that gradients are averaged over, in standard
            deviations of the data. "auto" averages those of ReLU networks and others whose
            gradients jump, over a width that it chooses; `None` averages none.
        operators: preset, names or `Operator`s that formulas are made of.
        complexity: how formulas are weighed: a `Complexity`, or weights by operator name.
        max_complexity: of formulas.
        methods: ways to search: "dictionary" (sums of short features), "features" (evolved ones)
            and "trees" (evolved formulas); all by default.
        signed: whether a formula must grow where the neuron grows.
        loss: how much a difference between unit gradients counts: "squared"; "angle", which
            grows with the angle and hardly looks at rows that are far off; "huber", squared up to
            6 degrees and linear beyond; "auto", which is "huber" for a field with outlying rows
            and "squared" for others; or a `Loss`, such as `Huber(0.05)` or one of your own.
        symmetries: that the concept is known to have, such as `Exchange("x1", "x2")`,
            `Even("x3")` or `Rotation("x", "y")`. The part of the network's gradients that breaks
            them is left out, and formulas that break them pay for it.
        constraints: `Constraints` on the shape of formulas: which operators may stand in which,
            how long arguments and how deep formulas may be.
        dimensions: units of the variables, such as `{"height": "m", "time": "s"}`, or `Dimensions`.
            Formulas without a dimension, such as height + time, are then not looked at.
        template: an outer form with free parts, such as `"f(x1, x2) + sin(g(x3))"`, each of the
            variables in its brackets.
        guesses: formulas to start from, as text or SymPy expressions.
        time_limit: seconds of search, or `None`; "auto" is a minute, or what `stopping` says.
        stopping: all limits of the search. A `time_limit` beside it needs one without.
        population: trees that evolve at a time, on each island.
        callbacks: of `keras_symgrad.callbacks`, told about every generation: `EarlyStopping`,
            `CSVLogger`, `TensorBoard`, `Checkpoint`, or your own.
        resume: file of a `Checkpoint`, to go on from there. Everything else must be as it was;
            limits count what was done before.
        seed: of all random choices.
        workers: threads that evaluate formulas; with an `executor`, how many work on islands.
        executor: who works on islands, populations that exchange their best: "processes" for
            `workers` processes of this machine, or any `concurrent.futures.Executor`, such as
            Dask's `client.get_executor()` or `mpi4py.futures.MPIPoolExecutor()`.
        islands: how many there are; one without an executor, as many as `workers` with one. The
            seed and the number of islands decide what is found, not who works on them.
        verbose: whether to show a progress bar on a terminal.

    Returns:
        An `Interpretation`: `.best`, `.rule`, `.front`, `.phi` and how well they fit.

    Raises:
        ValueError: something about the model, the data or an option is wrong, with what to do.
        FileNotFoundError: there is no file at a path.

    Example:

    >>> import tensorflow as tf
    >>> ring = Neuron("ring", lambda x: tf.exp(x[:, 0]**2 + 2 * x[:, 1]**2), inputs=2)
    >>> x = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    >>> interpret(ring, x, operators="polynomial", verbose=False).best.expression
    x1**2 + 2*x2**2

    Reference: Wetzel, arXiv 2401.04978; Wetzel and Patel, arXiv 2409.05305.
    """
    given = dict(locals())
    _check_numbers(max_complexity, rows=rows, seed=seed, workers=workers, population=population)
    check_smoothing(smoothing)
    metric = check_metric(metric)
    if isinstance(model, GradientField) != (x is None):
        raise ValueError(
            "`interpret` takes a model or a `Neuron` with points `x`, or a `GradientField` alone: "
            f"its points are in it. Received: model of type {type(model).__name__}, "
            f"x={'None' if x is None else type(x).__name__}"
        )
    models = list(model) if isinstance(model, (list, tuple)) else [model]
    own = any(isinstance(one, (Neuron, GradientField)) for one in models)
    if not models:
        raise ValueError(
            "`interpret` takes a model, or a list of models that were trained apart on the same "
            "data. Received: an empty list"
        )
    if own and (layer, unit, activation, kind, signature) != (None, None, False, None, None):
        raise ValueError(
            "`layer`, `unit`, `activation`, `kind` and `signature` choose a neuron of a model. A "
            "`Neuron` is one already, and a `GradientField` was read from one: leave them out, or "
            f"pass the model. Received: {layer=}, {unit=}, {activation=}, {kind=}, {signature=}"
        )
    if isinstance(model, GradientField) and not (
        isinstance(metric, str) and metric == "covariance"
    ):
        raise ValueError(
            "A `GradientField` was read in a metric of its own. Leave out `metric`, or make the "
            f"field with it. Received: {metric=}"
        )
    if isinstance(model, GradientField) and (names, columns, in_terms_of) != (None, None, None):
        raise ValueError(
            "A `GradientField` has its points, their names and quantities in it. Leave out "
            "`names`, `columns` and `in_terms_of`, or make the field with them. "
            f"Received: {names=}, {columns=}, {in_terms_of=}"
        )
    if isinstance(in_terms_of, str) and own:
        raise ValueError(
            "`in_terms_of` names a layer of the model, but a `Neuron` does not know its model. "
            f"Pass `Quantities.of(model, {in_terms_of!r})`. Received: {in_terms_of=}"
        )
    if signed and isinstance(model, GradientField) and model.directions.ndim == 3:
        raise ValueError(
            "Several neurons together have a span of gradients and no sign to agree with. "
            "Leave out `signed`. Received: signed=True"
        )
    stopping = limits_of(time_limit, stopping)
    methods = check_methods(methods)
    automatic = isinstance(loss, str) and loss == "auto"
    measure = SQUARED if automatic else as_loss(loss)
    symmetries = check_symmetries(symmetries)
    check_executor(executor)
    callbacks = check_callbacks(callbacks)
    kept = None if resume is None else SavedSearch(resume)
    settings = GeneticSettings.of_population(population, max_complexity=max_complexity)
    operators = operators if isinstance(operators, OperatorSet) else OperatorSet(operators)
    if not isinstance(complexity, Complexity):
        complexity = Complexity(operators=complexity)
    complexity = complexity.over(operators)
    clock = Clock()

    with clock.timed("gradients"):
        if isinstance(model, GradientField):
            reading = Reading.of_field(model)
        else:
            points, found = read_points(x, columns)
            names = found if names is None else check_names(names, points.shape[1])
            chosen = {"kind": kind, "inputs": points.shape[1], "signature": signature}
            models = [loaded(one, signature, weights, custom_objects) for one in models]
            neurons = [
                one
                if isinstance(one, Neuron)
                else Neuron.of(one, layer, unit, activation, **chosen)
                for one in models
            ]
            if isinstance(in_terms_of, str):
                in_terms_of = Quantities.of(models[0], in_terms_of, inputs=points.shape[1])
            points, names = in_model_order(points, names, neurons[0].names)
            for symmetry in symmetries if in_terms_of is None else ():
                symmetry.columns(names)
            reading = Reading.of_networks(
                neurons,
                points,
                smoothing=smoothing,
                symmetries=symmetries,
                names=names,
                delta=delta,
                rows=rows,
                sampler=sampler,
                draw=draw,
                move=move,
                metric=metric,
                tangent=tangent,
                in_terms_of=in_terms_of,
                seed=seed,
            )
        reading = reading.prepared(symmetries, measure)
        train, held_out = with_mapped_rows(reading.field, symmetries, seed).split(seed=seed)

    names = reading.field.names
    graph = Graph.of(reading)
    if graph is not None and (template is not None or dimensions is not None):
        raise ValueError(
            "A neuron of one variable is searched by its values, up to a factor and an offset: "
            "leave out `template` and `dimensions`. "
            f"Received: {template=}, {dimensions=}"
        )
    alphabet = Alphabet(operators, names if graph is None else (*names, graph.value))
    knowledge = PriorKnowledge(
        alphabet,
        complexity,
        constraints=constraints,
        dimensions=dimensions,
        template=template if graph is None else graph.template,
        guesses=guesses if graph is None else graph.guesses(guesses, operators),
        max_complexity=max_complexity,
        values=few_values(reading.every_point),
    )
    units = OwnUnits.of(
        train.points,
        names,
        kept=knowledge.fixed_variables,
        shifts=knowledge.allows_shifts,
        farthest=MAX_OFFSET_IN_WIDTHS if reading.neuron is None else FARTHEST_OF_NETWORK,
    )
    searched = reading
    if units is not None:
        searched, knowledge = reading.in_units(units), knowledge.in_units(units)
        train, held_out = (units.field(rows, reading.dtype) for rows in (train, held_out))
    if graph is not None:
        graph = Graph.of(searched)
        train, held_out = graph.lifted(train), graph.lifted(held_out)
    if automatic and has_outlying_rows(alphabet, train.subset(MAX_SEARCH_ROWS, seed)):
        robust = LOSSES["huber"]
        reading, searched = (
            replace(one, field=replace(one.field, loss=robust)) for one in (reading, searched)
        )
        train, held_out = replace(train, loss=robust), replace(held_out, loss=robust)
    sample = train.subset(MAX_SEARCH_ROWS, seed)
    if kept is not None:
        sample = kept.field(sample)
    search = PortfolioSearch(
        alphabet,
        sample,
        complexity,
        settings,
        methods=methods,
        signed=signed and graph is None,
        seed=seed,
        workers=workers,
        executor=executor,
        islands=islands,
        knowledge=knowledge,
        units=units,
    )
    if kept is not None:
        kept.restore(search)
    with clock.timed("search"):
        archive = search.run(stopping, [ProgressBar(stopping, shown=verbose), *callbacks])

    with clock.timed("finishing"):
        finisher = FormulaRefiner(
            alphabet,
            complexity,
            train,
            held_out,
            signed=signed and graph is None,
            knowledge=knowledge,
            units=units if graph is None else None,
        )
        fresh = {
            "sampler": sampler,
            "draw": draw and (can_be_drawn(tangent) or sampler is not None),
            "seed": seed,
        }
        if graph is None:
            said = assess(searched, finisher, archive, symmetries=symmetries, **fresh)
            groups = supported_groups(search.structure.groups(alphabet), held_out)
        else:
            said = assess_one_variable(graph, searched, finisher, archive, complexity, **fresh)
            groups = ()
        if units is not None:
            said = in_users(said, units, reading, finisher)
            groups = groups_in_users(groups, units)

    with clock.timed("finishing"):
        influence = influences_of_reading(
            reading,
            looked_at=search.structure.looked_at if graph is None else None,
            seed=seed,
        )
    used = said["best"].expression.free_symbols
    return Interpretation(
        neuron="a gradient field" if reading.neuron is None else reading.neuron.name,
        names=names,
        influence=influence,
        ignored=tuple(name for name in ignored(influence) if symbol(name) not in used),
        groups=groups,
        rows={
            "search": sample.rows,
            "train": train.rows,
            "held_out": held_out.rows,
            "dropped": reading.field.dropped,
            "plateau": reading.field.plateau,
            "flat": reading.flat,
            **reading.field.origin,
        },
        evaluations=search.evaluations,
        stopped=search.stopped,
        seed=seed,
        versions=versions(),
        timings=clock.seconds,
        settings=recorded(given),
        call=call(recorded(given), interpret),
        gradients=reading.field,
        network=reading.network,
        **said,
    )


def _check_numbers(max_complexity: float, **whole: int) -> None:
    """Numbers that would fail in the middle of the work."""
    for name, value in whole.items():
        lowest = _LOWEST[name]
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < lowest:
            raise ValueError(
                f"`{name}` must be a whole number of at least {lowest}. Received: {name}={value!r}"
            )
    if isinstance(max_complexity, str) or not max_complexity >= 1:
        raise ValueError(
            "`max_complexity` must be a number of at least 1, which is what a variable costs. "
            f"Received: max_complexity={max_complexity!r}"
        )
