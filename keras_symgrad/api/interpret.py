"""Find the formula that a neuron of a trained model has learned: `interpret`."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import keras
import numpy as np

from keras_symgrad.api.arguments import (
    check_model,
    check_options,
    check_variation,
    refuses_unknown_options,
)
from keras_symgrad.api.local_interpretation import Row, check_near, interpret_near
from keras_symgrad.api.stop_at_switch import StopAtSwitch
from keras_symgrad.api.task import Task
from keras_symgrad.engine import SQUARED, Loss, as_loss, trims
from keras_symgrad.expressions import Alphabet, OperatorSet, symbol
from keras_symgrad.files import Points, check_width, read_points
from keras_symgrad.gradients import (
    FARTHEST_OF_NETWORK,
    MAX_OFFSET_IN_WIDTHS,
    GradientField,
    OwnUnits,
    Reading,
    Sampling,
    few_values,
    with_mapped_rows,
)
from keras_symgrad.neurons import (
    InputWidthError,
    LayerChoice,
    Neuron,
    Quantities,
    Unit,
    layer_path,
)
from keras_symgrad.priors import Priors, Symmetry
from keras_symgrad.results import Assessor, Interpretation, Surface, groups_in_users
from keras_symgrad.results.approximation import MAX_COMPLEXITY
from keras_symgrad.results.assessment import (
    FormulaRefiner,
    Graph,
    ignored,
    influences_of_reading,
    interactions_of_reading,
    supported_groups,
    warn_of_broken_symmetries,
)
from keras_symgrad.results.neighbourhood import Neighbourhood
from keras_symgrad.results.regions import Division, where_it_holds
from keras_symgrad.search import PortfolioSearch, Search
from keras_symgrad.search.callbacks import Callback, ProgressBar, SavedSearch, check_callbacks
from keras_symgrad.search.core import (
    Clock,
    Ending,
    PriorKnowledge,
    call,
    deferred_interrupts,
    keeps_what_was_found,
    limits_of,
    recorded,
    versions,
)
from keras_symgrad.search.islands import WorkersLostError
from keras_symgrad.search.spectral import has_outlying_rows

# Rows used by the search. The choice among its formulas is made on all rows.
MAX_SEARCH_ROWS = 512


@keeps_what_was_found
@trims
@refuses_unknown_options
def interpret(
    model: keras.Model | Neuron | GradientField | str | os.PathLike[str] | Sequence[Any],
    x: Any = None,
    *,
    layer: LayerChoice = None,
    unit: Unit = None,
    activation: bool = False,
    names: Sequence[str] | None = None,
    operators: str | OperatorSet | Sequence[Any] = "default",
    near: Row | None = None,
    loss: str | Loss = "auto",
    sampling: Sampling = Sampling(),
    priors: Priors = Priors(),
    search: Search = Search(),
    time_limit: float | None | Literal["auto"] = "auto",
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
    verbose: bool = True,
) -> Interpretation:
    """Find a closed-form expression for what a neuron of a trained model encodes.

    The neuron's value is f(x). A formula g carries the same concept when f = phi(g) for some
    invertible phi, which is when their gradients are parallel everywhere:

        grad f / |grad f| = +- grad g / |grad g|

    So the search matches unit gradients, and phi drops out. It is fitted afterwards.
    Columns of very large or small numbers, or far from zero, are rescaled for the search; all
    arguments and results are in the units of `x`.

    Args:
        model: a built Keras model, the path of one (`.keras`, `.h5`, a SavedModel folder), the
            result of `load_model`, a `Neuron` (`Neuron.of` takes `kind` and `signature` of an
            output as well), or a `GradientField` that was read before or comes from elsewhere. A
            list of models that were trained apart on the same data is read as one: their mean
            gradients, with the noise that their disagreement predicts.
        x: points of shape `(rows, inputs)` from where the model was trained: an array, a
            DataFrame, or the path of a `.csv`, `.npz` or other table file. No labels are needed.
            Left out with a `GradientField`.
        layer: a hidden layer: its name, its number in `model.layers`, or the layer itself; the
            output by default.
        unit: which unit of a layer of several; `(k, j)` for the difference of two, or the position
            in an output of several axes, such as `(row, column, channel)`.
        activation: whether to read a hidden unit after its activation.
        names: of the variables; by default those of the data, or `x1`, `x2`...
        operators: preset, names or `Operator`s that formulas are made of.
        near: a row to explain, as numbers, by names of the inputs, or as the number of a row of
            `x`: the formula is sought around it, at points drawn within a few widths of the data,
            and `concept.radius` is the distance to which it holds; `concept.near` has the nearest
            point of a classifier's decision boundary.
        loss: how much a difference between unit gradients counts: "squared"; "angle", which
            grows with the angle and gives little weight to distant rows; "huber", squared up to
            6 degrees and linear beyond; "auto", which is "huber" for a field with outlying rows
            and "squared" for others; or a `Loss`, such as `Huber(0.05)` or one of your own.
        sampling: where gradients are read, as `ks.Sampling(rows=5000, delta=0.05)`.
        priors: what is known of the formula, as `ks.Priors(dimensions={"height": "m"})`.
        search: how to search, as `ks.Search(methods="dictionary", max_complexity=20)`.
        time_limit: seconds of search, or `None`; "auto" is a minute, or the limit of
            `search.stopping`. After as many seconds more no further attempt at regions begins.
        seed: of all random choices.
        callbacks: of `keras_symgrad.callbacks`, called after every generation: `EarlyStopping`,
            `CSVLogger`, `TensorBoard`, `Checkpoint`, or your own.
        verbose: whether to show progress, as a bar on a terminal or in a notebook, or in lines.

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
    layer = layer_path(model, layer) if isinstance(model, keras.Layer) else layer
    given = dict(locals())
    check_options(sampling=sampling, priors=priors, search=search)
    check_model(model, x, (layer, unit, activation), names, sampling)
    if near is not None:
        check_near(model, sampling, search.resume is not None)
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"`seed` must be a whole number of at least 0. Received: seed={seed!r}")
    if search.signed and isinstance(model, GradientField) and model.directions.ndim == 3:
        raise ValueError(
            "Several neurons together have a span of gradients and no sign to agree with. "
            "Leave out `signed` of `search`. Received: signed=True"
        )
    stopping = limits_of(time_limit, search.stopping)
    automatic = isinstance(loss, str) and loss == "auto"
    measure = SQUARED if automatic else as_loss(loss)
    symmetries = priors.symmetries
    callbacks = check_callbacks(callbacks)
    kept = None if search.resume is None else SavedSearch(search.resume)
    operators = operators if isinstance(operators, OperatorSet) else OperatorSet(operators)
    clock = Clock()
    task = Task(
        operators,
        search.weights.over(operators),
        measure,
        automatic,
        sampling,
        priors,
        search,
        stopping,
        kept,
        callbacks,
        seed,
        verbose,
        recorded(given),
    )
    if near is not None:
        neurons, points = _neurons(model, x, (layer, unit, activation), names, sampling)
        neurons = sampling.in_table_units(neurons, points.names)
        return interpret_near(neurons, points, near, task, _found)
    with clock.timed("gradients"):
        if isinstance(model, GradientField):
            check_variation(model.points, model.names)
            reading = Reading.of_field(model)
        else:
            reading = _read(model, x, (layer, unit, activation), names, sampling, symmetries, seed)
    return _found(reading, task, clock)


def _found(
    reading: Reading, task: Task, clock: Clock, near: Neighbourhood | None = None
) -> Interpretation:
    """Search for the formula of what was read, and assess it.

    Args:
        reading: of the neuron.
        task: the other arguments of `interpret`.
        clock: with the time of the reading.
        near: the row around which was read; `None` for all the data.
    """
    operators, complexity, sampling = task.operators, task.complexity, task.sampling
    priors, search, symmetries = task.priors, task.search, task.priors.symmetries
    kept, seed, stopping = task.kept, task.seed, task.stopping
    with clock.timed("gradients"):
        reading = reading.prepared(symmetries, task.measure)
        train, held_out = with_mapped_rows(reading.field, symmetries, seed).split(seed=seed)
        fitted, kept_apart = train, held_out

    names = reading.field.names
    graph = Graph.of(reading)
    template, dimensions = priors.template, priors.dimensions
    if graph is not None and (template is not None or dimensions is not None):
        raise ValueError(
            "A neuron of one variable is searched by its values, up to a factor and an offset: "
            "leave out `template` and `dimensions` of `priors`. "
            f"Received: {template=}, {dimensions=}"
        )
    alphabet = Alphabet(operators, names if graph is None else (*names, graph.value))
    knowledge = PriorKnowledge(
        alphabet,
        complexity,
        constraints=priors.constraints,
        dimensions=dimensions,
        template=template if graph is None else graph.template,
        guesses=priors.guesses if graph is None else graph.guesses(priors.guesses, operators),
        max_complexity=search.max_complexity,
        values=few_values(reading.every_point),
    )
    units = OwnUnits.of(
        train.points,
        names,
        kept=knowledge.fixed_variables,
        shifts=knowledge.allows_shifts,
        farthest=MAX_OFFSET_IN_WIDTHS if reading.neuron is None else FARTHEST_OF_NETWORK,
    )
    if units is not None:
        knowledge = knowledge.in_units(units)
        train, held_out = (units.field(rows, reading.dtype) for rows in (train, held_out))
    if graph is not None and units is not None:
        graph = Graph.of(reading.in_units(units))
    if graph is not None:
        train, held_out = graph.lifted(train), graph.lifted(held_out)
    if task.automatic and has_outlying_rows(alphabet, train.subset(MAX_SEARCH_ROWS, seed)):
        robust = as_loss("huber")
        reading = replace(reading, field=replace(reading.field, loss=robust))
        train, held_out = replace(train, loss=robust), replace(held_out, loss=robust)
    sample = train.subset(MAX_SEARCH_ROWS, seed)
    if kept is not None:
        sample = kept.field(sample)
    signed = search.signed and graph is None
    refiner = FormulaRefiner(
        alphabet,
        complexity,
        train,
        held_out,
        signed=signed,
        knowledge=knowledge,
        units=units if graph is None else None,
    )
    assess = Assessor(
        reading,
        refiner,
        graph,
        complexity,
        symmetries=symmetries,
        sampler=sampling.sampler,
        draw=sampling.draws_points,
        seed=seed,
        units=units,
        max_complexity=MAX_COMPLEXITY
        if search.max_complexity == Search.max_complexity
        else search.max_complexity,
    )
    portfolio = PortfolioSearch(
        alphabet,
        sample,
        complexity,
        search.settings,
        methods=search.methods,
        signed=signed,
        seed=seed,
        workers=search.threads,
        executor=search.executor,
        islands=search.islands,
        knowledge=knowledge,
        units=units,
        effort=search.effort,
        assess=assess.provisional,
    )
    if kept is not None:
        kept.restore(portfolio)
    division = None
    if near is None and graph is None and reading.field.directions.ndim == 2:
        division = Division(reading, fitted, kept_apart, refiner, units, seed)
    may_be_divided = not (symmetries or knowledge.has_rules)
    callbacks = list(task.callbacks)
    if division is not None and may_be_divided and search.effort != "thorough":
        callbacks.insert(0, StopAtSwitch(division, stopping.time_limit))
    with clock.timed("search"), deferred_interrupts() as interrupts:
        bar = ProgressBar(stopping, shown=task.verbose)
        archive = portfolio.run(stopping, [bar, *callbacks])
        interrupted = portfolio.stopped == Ending.INTERRUPTED or interrupts.presses > 0
        if interrupted and not archive.front():
            # There is nothing to keep, and no search that failed.
            raise KeyboardInterrupt
        if portfolio.stopped == Ending.WORKERS_LOST and not archive.front():
            raise WorkersLostError(
                "All workers were lost before a first formula was found. Start them again, or "
                "search in this process with `executor=None`."
            )

    with clock.timed("finishing"):
        assessment = assess(archive)
        holds = regions = None
        held_out_rows = assess.sample
        if near is None:
            holds = where_it_holds(assessment, held_out_rows.kept_apart, kept_apart, seed)
        if division is not None:
            # As long as the search itself may take, but for the last attempt.
            seconds = math.inf if stopping.time_limit is None else stopping.time_limit
            if interrupted:
                # Whoever ended the search does not wait for its limit here.
                seconds = min(seconds, clock.seconds["search"])
            regions = division.regions(assessment, divided=may_be_divided, seconds=seconds)
            if len(regions) > 1 and held_out_rows.counted is not None:
                regions = regions.counted_on(held_out_rows.counted)
        warn_of_broken_symmetries(
            assessment.symmetries,
            "The field of gradients" if reading.neuron is None else reading.neuron.name,
        )
        groups = (
            ()
            if graph is not None
            else supported_groups(portfolio.structure.groups(alphabet), held_out)
        )
        if units is not None:
            groups = groups_in_users(groups, units)
        influence = influences_of_reading(
            reading,
            looked_at=portfolio.structure.looked_at if graph is None else None,
            seed=seed,
        )
        interactions = interactions_of_reading(reading, influence, seed=seed)
    used = assessment.best.expression.free_symbols
    if near is not None:
        near = near.of_formula(assessment.predict, reading.network, seed)
        fixed = set(near.fixed)
        influence = tuple(one for one in influence if not fixed.issuperset(one.columns))
    return Interpretation.of(
        assessment,
        neuron="a gradient field" if reading.neuron is None else reading.neuron.name,
        names=names,
        influence=influence,
        interactions=interactions,
        holds=holds,
        regions=regions,
        near=near,
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
        evaluations=portfolio.evaluations,
        stopped=Ending.of(portfolio.stopped),
        seed=seed,
        versions=versions(),
        timings=clock.seconds,
        settings=task.settings,
        call=call(task.settings, interpret),
        gradients=reading.field,
        network=reading.network,
        surface=Surface.of(reading.field),
        sample=held_out_rows,
    )


def _read(
    model: Any,
    x: Any,
    chosen: tuple[LayerChoice, Unit, bool],
    names: Sequence[str] | None,
    sampling: Sampling,
    symmetries: Sequence[Symmetry],
    seed: int,
) -> Reading:
    """Read the gradients of the neuron of a model, or of those of several models."""
    neurons, points = _neurons(model, x, chosen, names, sampling)
    if isinstance(sampling.in_terms_of, str):
        source = neurons[0].source
        if source is None:
            raise ValueError(
                "`in_terms_of` names a layer of a model, but this `Neuron` was made of a function. "
                f"Pass `Quantities`. Received: in_terms_of={sampling.in_terms_of!r}"
            )
        quantities = Quantities.of(source["model"], sampling.in_terms_of, inputs=len(points.names))
        sampling = replace(sampling, in_terms_of=quantities)
    neurons = sampling.in_table_units(neurons, points.names)
    if isinstance(sampling.in_terms_of, Quantities):
        quantities = sampling.quantities_of_table(sampling.in_terms_of, points.names)
        sampling = replace(sampling, in_terms_of=quantities)
    for symmetry in symmetries if sampling.in_terms_of is None else ():
        symmetry.columns(points.names)
    return Reading.of_networks(neurons, points, sampling, symmetries=symmetries, seed=seed)


def _neuron(model: Any, chosen: tuple[LayerChoice, Unit, bool], columns: Sequence[str]) -> Neuron:
    """The neuron of a model for data of some columns, among which are those that it takes."""
    try:
        return Neuron.of(model, *chosen, inputs=len(columns))
    except InputWidthError as error:
        wrong = error
    if wrong.names is not None and set(wrong.names) <= set(columns):
        return Neuron.of(model, *chosen)
    check_width(columns, wrong.columns, f"'{wrong.model}'")
    raise wrong


def _neurons(
    model: Any,
    x: Any,
    chosen: tuple[LayerChoice, Unit, bool],
    names: Sequence[str] | None,
    sampling: Sampling,
) -> tuple[list[Neuron], Points]:
    """The neurons of one model or several, and the points in the model's order."""
    models = list(model) if isinstance(model, (list, tuple)) else [model]
    points = read_points(x, sampling.columns)
    named = points.named(names)
    neurons = [
        one if isinstance(one, Neuron) else _neuron(one, chosen, points.names) for one in models
    ]
    if sampling.sampler is None:
        check_variation(*named)
    return neurons, points.in_model_order(neurons[0].names, names)
