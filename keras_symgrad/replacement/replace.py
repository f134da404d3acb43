"""Replace a layer or a whole model by its formula: `replace`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any

import keras
import numpy as np

from keras_symgrad.files import listed_names, read_points
from keras_symgrad.formulas import DEFAULT_SEGMENTS, Formula, PhiFormula, Rule
from keras_symgrad.neurons import (
    Inputs,
    LayerChoice,
    Neuron,
    Quantities,
    Unit,
    is_softmax,
    layer_path,
)
from keras_symgrad.replacement.graph_surgery import (
    as_functional,
    output_of,
    place_of,
    with_layer_replaced,
)
from keras_symgrad.replacement.output_mapping import UnitReadings, in_units, steps_of, through
from keras_symgrad.results import Interpretation
from keras_symgrad.results.regions import Regions

PHI = ("auto", "formula", "monotone")
# A formula that explains less of a unit's variance does not belong to the unit.
DOUBTFUL = 0.5

Source = Interpretation | Formula | PhiFormula | Rule | Regions


def replace(
    model: keras.Model,
    layer: LayerChoice,
    formula: Source | Mapping[int, Source] | Sequence[Source],
    x: Any = None,
    *,
    unit: Unit = None,
    activation: bool | None = None,
    phi: str | keras.Layer = "auto",
    segments: int = DEFAULT_SEGMENTS,
    name: str | None = None,
) -> keras.Model:
    """Make a model in which a formula replaces a layer and everything before it.

    A unit f is a function of its concept, f = phi(g). The new model computes the formula g with a
    `SymbolicLayer`, then phi, and the layer's activation; layers after it are copied and get the
    same input as before. Layers that served only to compute the replaced layer are removed. The
    constants of g and of phi are weights: compile the new model and `fit` it, as any other. The
    given model is not changed.

    Args:
        model: a functional or Sequential model.
        layer: name of the layer to replace; `None` for the model's output.
        formula: an interpretation, or its `best`, `rule`, `value` or `regions`. One with several
            regions is replaced by all of them; `regions.to_formula(0.05)` has smooth gates. For a
            layer of several units: one for each, in their order, or `{unit: formula}` for some;
            the other units stay unchanged.
        x: points on which phi is fitted, as for `interpret`. By default those at which the
            interpretation was read.
        unit: unit of the layer for a single formula; by default that of the interpretation.
            `(1, 0)` and `(0, 1)` are the difference of a softmax of two classes.
        activation: whether the formula describes the unit after its activation; by default the
            setting of the interpretation, else `False`.
        phi: "formula" is the closed form in `interpretation.value`; "monotone" a `MonotoneLayer`,
            fitted to the model's values; "auto" the closed form where it fits as well. Or a layer
            of your own from `(batch, formulas)` to `(batch, units)`, to be trained by `fit`; it may
            take any number of formulas.
        segments: number of pieces of the `MonotoneLayer`.
        name: of the new model; by default the old name followed by `_replaced`.

    Returns:
        A functional model that is not compiled. The replacement has the name of the layer.

    Raises:
        TypeError: the model is not a Keras model, or the formula is not a formula.
        ValueError: the model's graph is not available (a subclassed model), the layer or a unit
            does not exist, the formula has other variables than the model, there are no points to
            fit phi on, or phi is unknown.

    Example:

    >>> keras.utils.set_random_seed(0)
    >>> model = keras.Sequential([
    ...     keras.Input((2,)),
    ...     keras.layers.Dense(1, activation="tanh", name="sum"),
    ...     keras.layers.Dense(3, name="rest"),
    ... ])
    >>> model.get_layer("sum").set_weights([np.array([[1.0], [2.0]]), np.zeros(1)])
    >>> import sympy
    >>> a, b = sympy.symbols("a b", real=True)
    >>> x = np.random.default_rng(0).normal(size=(500, 2))
    >>> new = replace(model, "sum", Formula(a + 2 * b, 5, 0.0, ("a", "b")), x)
    >>> [layer.name for layer in new.layers][1:]
    ['sum_formula', 'sum_phi', 'sum', 'rest']
    >>> bool(np.allclose(new(x), model(x), atol=1e-4))
    True

    Reference: Wetzel, arXiv 2401.04978, section 2, on phi.
    """
    if not (isinstance(phi, keras.Layer) or phi in PHI):
        raise ValueError(f"`phi` is one of {PHI} or a Keras layer. Received: phi={phi!r}")
    layer = layer_path(model, layer)
    graph = as_functional(model)
    place = place_of(graph, layer)
    parts = _parts(formula, layer, unit, activation)
    _check_variables(graph, parts)
    output = output_of(graph, place)
    if None in output.shape[1:]:
        raise ValueError(
            f"'{place.name}' returns {output.shape}, of no fixed number of units. Replace a layer "
            f"after it. Received: layer={layer!r}"
        )
    base = layer.partition("/")[0] if layer else place.name
    if isinstance(phi, keras.Layer):
        graft = through([part.concept for part in parts], phi, base)
    else:
        units = int(np.prod(output.shape[1:]))
        parts = _placed(parts, units, layer, is_softmax(getattr(place, "activation", place)))
        points = _points(model, parts, x)
        chains = {}
        for part in parts:
            readings = _readings(model, layer, part, points)
            chains[part.unit], left = steps_of(
                part.concept, part.closed, readings, place, phi, segments
            )
            if left > 1 - DOUBTFUL:
                warnings.warn(
                    f"A function of the formula explains only {max(1 - left, 0):.0%} of what it "
                    f"is to replace: {part.concept}. Is it the formula of this unit?",
                    stacklevel=2,
                )
        graft = in_units(chains, units, base)
    new = with_layer_replaced(graph, layer, parts[0].source, graft)
    return keras.Model(new.input, new.output, name=name or f"{model.name}_replaced")


@dataclass(frozen=True)
class _Part:
    """One formula and the unit that it stands for.

    Args:
        concept: the formula g.
        unit: of the layer, or a pair of them.
        closed: the unit's value in closed form, if it is known.
        activation: whether the formula describes the unit after its activation.
        source: layer whose units are the variables; `None` for the model's inputs.
        interpretation: source of the formula.
    """

    concept: Formula
    unit: Unit
    closed: Formula | None = None
    activation: bool = False
    source: str | None = None
    interpretation: Interpretation | None = None


def _parts(formula: Any, layer: str | None, unit: Unit, activation: bool | None) -> list[_Part]:
    if isinstance(formula, (Mapping, list, tuple)):
        if unit is not None:
            raise ValueError(
                f"`unit` is for a single formula; several are given with theirs. Received: {unit=}"
            )
        items = formula.items() if isinstance(formula, Mapping) else enumerate(formula)
        parts = [_part(each, layer, k, activation) for k, each in items]
    else:
        parts = [_part(formula, layer, unit, activation)]
    if not parts or len({part.source for part in parts}) > 1:
        raise ValueError(
            "Formulas that replace one layer are at least one, and all in the same variables. "
            f"Received: {formula!r}"
        )
    return parts


def _part(formula: Any, layer: str | None, unit: Unit, activation: bool | None) -> _Part:
    if isinstance(formula, Interpretation):
        settings = formula.settings
        same = settings.get("layer") == layer
        own_unit = settings.get("unit") if same else None
        own_unit = tuple(own_unit) if isinstance(own_unit, list) else own_unit
        if activation is None:
            activation = bool(same and settings.get("activation"))
        source = settings.get("in_terms_of")
        if formula.near is not None:
            raise ValueError(
                "The formula was sought around one row, and a layer computes one for all rows. "
                "Interpret the model without `near`. "
                f"Received: the interpretation of '{formula.neuron}' near a row"
            )
        if settings.get("preprocessing") is not None:
            raise ValueError(
                "The formula is in the units of the table, and the layers of the model receive "
                "preprocessed columns. Interpret the model with the preprocessed points, without "
                "`preprocessing`. "
                f"Received: the interpretation of '{formula.neuron}' with preprocessing"
            )
        if not isinstance(source, (str, type(None))):
            raise ValueError(
                "The formula is in terms of quantities that are code of your own, which no model "
                "holds. Interpret in terms of the inputs or of a layer "
                "(`ks.Sampling(in_terms_of='name')`). "
                f"Received: the interpretation of '{formula.neuron}'"
            )
        concept, closed = formula.best, formula.value.value if formula.value else None
        if formula.regions is not None and formula.is_divided:
            concept, closed = formula.regions.to_formula(), None
        return _Part(
            concept,
            own_unit if unit is None else unit,
            closed,
            activation,
            source,
            formula,
        )
    kinds: dict[type, Callable[..., Any]] = {
        Formula: lambda: (formula, None),
        Rule: lambda: (formula.formula, None),
        PhiFormula: lambda: (formula.value, formula.value),
        Regions: lambda: (formula.to_formula(), None),
    }
    part = next((of for kind, of in kinds.items() if isinstance(formula, kind)), None)
    if part is None:
        raise TypeError(
            "Expected an interpretation, or its `best`, `rule`, `value` or `regions`. "
            f"Received: {formula!r} (of type {type(formula).__name__})"
        )
    concept, closed = part()
    return _Part(concept, unit, closed, bool(activation))


def _check_variables(graph: keras.Model, parts: list[_Part]) -> None:
    source = parts[0].source
    if source is None:
        columns, where = Inputs.of(graph).columns, f"'{graph.name}' has inputs"
    else:
        tensor = output_of(graph, place_of(graph, source))
        columns, where = int(np.prod(tensor.shape[1:])), f"layer '{source}' has units"
    for part in parts:
        if len(part.concept.names) != columns:
            raise ValueError(
                f"The formula is of {len(part.concept.names)} variables "
                f"({listed_names(part.concept.names)}), but {where}: {columns}. "
                f"Received: {part.concept}"
            )


def _placed(parts: list[_Part], units: int, layer: str | None, softmax: bool) -> list[_Part]:
    """The parts, checked: their units exist, each once."""
    where = "The model's output" if layer is None else f"Layer '{layer}'"
    if len(parts) == 1 and parts[0].unit is None and units == 1:
        parts = [changed(parts[0], unit=0)]
    if softmax:
        if units == 2 and len(parts) == 1 and parts[0].unit in ((0, 1), (1, 0)):
            return parts
        raise ValueError(
            f"{where} is a softmax of {units} units, which depend on each other. With two classes "
            "their difference can be replaced, `unit=(1, 0)`; of more, replace a layer before it. "
            f"Received: unit={parts[0].unit!r}"
        )
    chosen = [part.unit for part in parts]
    whole = all(isinstance(k, (int, np.integer)) and 0 <= k < units for k in chosen)
    if not whole or len(set(chosen)) < len(chosen):
        raise ValueError(
            f"{where} has {units} unit{'s' if units > 1 else ''}, numbered from 0. Say which one "
            "the formula is for with `unit=`, or give a list of one formula for each, or "
            f"{{unit: formula}}. Received: unit{'s' if len(chosen) > 1 else ''} "
            f"{', '.join(map(str, chosen))}"
        )
    return parts


def _points(model: keras.Model, parts: list[_Part], x: Any) -> np.ndarray:
    if x is not None:
        return read_points(x).in_model_order(Inputs.of(model).names).values
    interpretation = parts[0].interpretation
    if interpretation is None or parts[0].source is not None:
        raise ValueError(
            "phi is fitted to what the model computes at points of its data. Pass them as `x`. "
            "Received: x=None"
        )
    return interpretation.gradients.points


def _readings(
    model: keras.Model, layer: str | None, part: _Part, points: np.ndarray
) -> UnitReadings:
    neuron = Neuron.of(model, layer, part.unit, part.activation).settle(points)
    before = neuron.values_and_gradients(points)[0].astype(float)
    if isinstance(part.unit, tuple):
        after = 1 / (1 + np.exp(-before))
    else:
        whole = Neuron.of(model, layer, part.unit, True)
        after = whole.values_and_gradients(points)[0].astype(float)
    x = points
    if part.source is not None:
        x = Quantities.of(model, part.source, inputs=points.shape[1]).values(points)
    return UnitReadings(
        x, before, after, bool(neuron.is_classifier) or isinstance(part.unit, tuple)
    )
