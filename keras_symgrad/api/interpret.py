"""Find the formula that a neuron of a trained model has learned: `interpret`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import keras
import numpy as np

from keras_symgrad.api.arguments import (
    check_complexity,
    check_model,
    check_options,
    check_variation,
    refuses_unknown_options,
)
from keras_symgrad.engine import SQUARED, Loss, as_loss, trims
from keras_symgrad.expressions import Alphabet, Complexity, OperatorSet, symbol
from keras_symgrad.files import check_names, in_model_order, read_points
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
from keras_symgrad.neurons import LayerChoice, Neuron, Quantities, Unit, layer_path
from keras_symgrad.priors import Priors, Symmetry
from keras_symgrad.results import Assessor, Interpretation, Surface, groups_in_users
from keras_symgrad.results.approximation import MAX_COMPLEXITY
from keras_symgrad.results.assessment import (
    FormulaRefiner,
    Graph,
    ignored,
    influences_of_reading,
    supported_groups,
    warn_of_broken_symmetries,
)
from keras_symgrad.results.regions import Division, where_it_holds
from keras_symgrad.search import PortfolioSearch, Search
from keras_symgrad.search.callbacks import Callback, ProgressBar, SavedSearch, check_callbacks
from keras_symgrad.search.core import (
    Clock,
    Ending,
    PriorKnowledge,
    call,
    keeps_what_was_found,
    limits_of,
    recorded,
    versions,
)
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
    complexity: Complexity | Mapping[str, float] | None = None,
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
        complexity: how formulas are weighed: a `Complexity`, or weights by operator name.
        loss: how much a difference between unit gradients counts: "squared"; "angle", which
            grows with the angle and gives little weight to distant rows; "huber", squared up to
            6 degrees and linear beyond; "auto", which is "huber" for a field with outlying rows
            and "squared" for others; or a `Loss`, such as `Huber(0.05)` or one of your own.
        sampling: where gradients are read, as `ks.Sampling(rows=5000, delta=0.05)`.
        priors: what is known of the formula, as `ks.Priors(dimensions={"height": "m"})`.
        search: how to search, as `ks.Search(methods="dictionary", max_complexity=20)`.
        time_limit: seconds of search, or `None`; "auto" is a minute, or the limit of
            `search.stopping`.
        seed: of all random choices.
        callbacks: of `keras_symgrad.callbacks`, called after every generation: `EarlyStopping`,
            `CSVLogger`, `TensorBoard`, `Checkpoint`, or your own.
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
    layer = layer_path(model, layer) if isinstance(model, keras.Layer) else layer
    given = dict(locals())
    check_options(sampling=sampling, priors=priors, search=search)
    check_complexity(complexity)
    check_model(model, x, (layer, unit, activation), names, sampling)
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
    if not isinstance(complexity, Complexity):
        complexity = Complexity(operators=complexity)
    complexity = complexity.over(operators)
    clock = Clock()

    with clock.timed("gradients"):
        if isinstance(model, GradientField):
            check_variation(model.points, model.names)
            reading = Reading.of_field(model)
        else:
            reading = _read(model, x, (layer, unit, activation), names, sampling, symmetries, seed)
        reading = reading.prepared(symmetries, measure)
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
    if automatic and has_outlying_rows(alphabet, train.subset(MAX_SEARCH_ROWS, seed)):
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
    with clock.timed("search"):
        archive = portfolio.run(stopping, [ProgressBar(stopping, shown=verbose), *callbacks])
        if portfolio.stopped == Ending.INTERRUPTED and not archive.front():
            # There is nothing to keep, and no search that failed.
            raise KeyboardInterrupt

    with clock.timed("finishing"):
        assessment = assess(archive)
        holds = where_it_holds(assessment, reading, kept_apart, seed)
        regions = None
        if graph is None and reading.field.directions.ndim == 2:
            has_rules = bool(symmetries) or knowledge.has_rules
            division = Division(reading, fitted, kept_apart, refiner, units, seed)
            regions = division.regions(assessment, divided=not has_rules)
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
    settings = recorded(given)
    used = assessment.best.expression.free_symbols
    return Interpretation(
        neuron="a gradient field" if reading.neuron is None else reading.neuron.name,
        names=names,
        front=assessment.front,
        best=assessment.best,
        phi=assessment.phi,
        value=assessment.value,
        rule=assessment.rule,
        cosine_error=assessment.cosine_error,
        boundary_error=assessment.boundary_error,
        fidelity=assessment.fidelity,
        matches=assessment.matches,
        rivals=assessment.rivals,
        alternatives=assessment.alternatives,
        noise_floor=assessment.noise_floor,
        constants=assessment.constants,
        symmetries=assessment.symmetries,
        box=assessment.box,
        influence=influence,
        holds=holds,
        regions=regions,
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
        settings=settings,
        call=call(settings, interpret),
        gradients=reading.field,
        network=reading.network,
        surface=Surface.of(reading.field),
        sample=assess.sample,
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
    models = list(model) if isinstance(model, (list, tuple)) else [model]
    points, found = read_points(x, sampling.columns)
    names = found if names is None else check_names(names, points.shape[1])
    neurons = [
        one if isinstance(one, Neuron) else Neuron.of(one, *chosen, inputs=points.shape[1])
        for one in models
    ]
    if sampling.sampler is None:
        check_variation(points, names)
    if isinstance(sampling.in_terms_of, str):
        source = neurons[0].source
        if source is None:
            raise ValueError(
                "`in_terms_of` names a layer of a model, but this `Neuron` was made of a function. "
                f"Pass `Quantities`. Received: in_terms_of={sampling.in_terms_of!r}"
            )
        quantities = Quantities.of(source["model"], sampling.in_terms_of, inputs=points.shape[1])
        sampling = replace(sampling, in_terms_of=quantities)
    points, names = in_model_order(points, names, neurons[0].names)
    for symmetry in symmetries if sampling.in_terms_of is None else ():
        symmetry.columns(names)
    return Reading.of_networks(
        neurons, points, sampling, names=names, symmetries=symmetries, seed=seed
    )
