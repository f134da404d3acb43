"""The formula of a network around one row of its data: `interpret(model, x, near=row)`.

The network is read at points drawn uniformly within a radius of the row, in widths of the data, and
a formula is sought there as for all data. Afterwards fresh points tell how far from the row it
holds. The first radius is several times the one within which a quadratic polynomial reproduces the
network; where the formula found there holds in less than half of it, the search goes on in smaller
ones. The dictionary is searched alone first, which takes seconds; the other methods have their turn
where it finds nothing that holds about as far as a quadratic polynomial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from keras_symgrad.api.task import Task
from keras_symgrad.files import Points, check_width, finite_rows, listed_names, points_by_name
from keras_symgrad.formulas import Formula, MonotoneFit
from keras_symgrad.gradients import GradientField, Reading, Sampling, mean_neuron
from keras_symgrad.neurons import Neuron
from keras_symgrad.results import Interpretation
from keras_symgrad.results.neighbourhood import Ellipsoid, Neighbourhood, holding, nearness
from keras_symgrad.search.core import Clock, Interrupts, deferred_interrupts
from keras_symgrad.search.strategies import strategies_of

Row = int | Sequence[float] | Mapping[str, Any] | np.ndarray | Any
Find = Callable[..., Interpretation]

# Points that are drawn for each row that is read: a fifth of them is kept for tests.
POINTS_PER_ROW = 2
# Radii at which polynomials are tried, as shares of the largest one: 1, 1/2, 1/4...
TRIED = 12
# Share of points on which a polynomial is near: more than that of a formula, which may be shorter.
REPRODUCED = 0.98
# The first search is in this many times the radius of a quadratic polynomial.
BEYOND_QUADRATIC = 4.0
# A formula that holds in this share of a radius need not be sought there again.
HOLDS = 0.5
# Another row of the front is taken if it holds farther by this factor.
FARTHER = 1.25
RANKING_POINTS = 1000
# A radius is searched again only if it is smaller by this factor.
SMALLER = 0.7
# Quadratic polynomials of more inputs than these have squares and no products.
MOST_WITH_PRODUCTS = 20
TESTED_POINTS = 1000
# Least time of a search after others that used up the limit.
MIN_SECONDS = 1.0


def check_near(model: Any, sampling: Sampling, resumed: bool) -> None:
    """Raise for arguments that do not go with `near`.

    Args:
        model: as in `interpret`.
        sampling: as in `interpret`.
        resumed: whether a search is continued.
    """
    if isinstance(model, GradientField):
        raise ValueError(
            "`near` asks the network at points around a row, and a `GradientField` has none. "
            "Pass the model or a `Neuron` with its points. Received: model of type GradientField"
        )
    if sampling.sampler is not None or sampling.in_terms_of is not None:
        given = "sampler" if sampling.sampler is not None else "in_terms_of"
        raise ValueError(
            "`near` draws points of the inputs around the row itself. "
            f"Leave out `{given}` of `sampling`. Received: {given}={getattr(sampling, given)!r}"
        )
    if callable(sampling.tangent) or (
        isinstance(sampling.tangent, str) and sampling.tangent == "local"
    ):
        raise ValueError(
            "`near` draws points around the row in a linear subspace of the data or in all of "
            'their space. Use `tangent="auto"`, vectors, or `None`. '
            f"Received: tangent={sampling.tangent!r}"
        )
    if resumed:
        raise ValueError(
            "`near` may search in several radii, and no checkpoint has all of them. Leave out "
            "`resume` of `search`. Received: resume of a search"
        )


def row_of(near: Row, points: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """The row that `near` means, `(inputs,)`.

    Args:
        near: numbers in the order of the inputs, by their names, or the number of a row.
        points: the data, `(rows, inputs)`.
        names: of the inputs.

    Raises:
        ValueError: it is no row of these inputs, or holds a number that is not finite.

    Example:

    >>> row_of({"b": 2, "a": 1}, np.zeros((5, 2)), ("a", "b"))
    array([1., 2.])
    """
    wanted = (
        f"`near` is a row of {len(names)} finite numbers ({listed_names(names)}), as numbers in "
        f"this order, by these names, or as the number of a row of `x`, 0 to {len(points) - 1}. "
    )
    if isinstance(near, (int, np.integer)) and not isinstance(near, bool):
        if not 0 <= near < len(points):
            raise ValueError(f"{wanted}Received: near={near}")
        near = points[int(near)]
    elif hasattr(near, "to_dict") and hasattr(near, "index") and not hasattr(near, "columns"):
        by_name = {str(name): value for name, value in near.to_dict().items()}
        near = by_name if set(names) <= set(by_name) else np.asarray(near)
    by_names = isinstance(near, Mapping) or hasattr(near, "columns")
    try:
        if by_names:
            near = points_by_name(near, names, "`near`")
        row = np.asarray(near, dtype=np.float64)
    except (TypeError, ValueError) as error:
        reason = f"{error} " if by_names else ""
        raise ValueError(f"{wanted}{reason}Received: near={near!r}") from None
    row = row[0] if row.ndim == 2 and len(row) == 1 else row
    if row.shape != (len(names),):
        raise ValueError(f"{wanted}Received: near of shape {row.shape}")
    if not np.isfinite(row).all():
        bad = [name for name, value in zip(names, row) if not np.isfinite(value)]
        raise ValueError(f"{wanted}Received: near with {row[~np.isfinite(row)][0]} for {bad[0]!r}")
    return row


def interpret_near(
    neurons: Sequence[Neuron],
    points: Points,
    near: Row,
    task: Task,
    find: Find,
) -> Interpretation:
    """Find the formula of a neuron around a row.

    Args:
        neurons: of one network, or of several that were trained apart.
        points: the data.
        near: the row; see `row_of`.
        task: the other arguments of `interpret`.
        find: searches and assesses: `find(reading, task, clock, near)`.

    Returns:
        The formula that holds farthest of those that were sought, with its neighbourhood.
    """
    data, names = points
    row = row_of(near, data, names)
    if neurons[0].inputs is not None:
        check_width(names, neurons[0].inputs, f"The model of '{neurons[0].name}'")
    for symmetry in task.priors.symmetries:
        symmetry.columns(names)
    x = data[finite_rows(data)]
    neurons = [neuron.settle(x) for neuron in neurons]
    neuron = neurons[0] if len(neurons) == 1 else mean_neuron(neurons, x)
    sampling = task.sampling
    around = Ellipsoid.of(row, x, names, sampling.metric, sampling.tangent)
    place = Neighbourhood.of(neuron, around, np.inf, x)
    if not np.isfinite(place.value):
        raise ValueError(
            f"The network is to be finite at the row `near`. Received: '{neuron.name}' is "
            f"{place.value} there"
        )
    radii = _radii(neuron, around, place.spread, task.seed)
    settings = {**task.settings, "near": dict(zip(names, row.tolist()))}
    local = replace(sampling, columns=None, delta=None, draw=False, move=False)
    task = replace(task, sampling=local, settings=settings)
    found: list[Interpretation] = []
    search = partial(_in_radii, neurons, neuron, radii, place, find=find, found=found)
    with deferred_interrupts() as interrupts:
        if _may_be_quick(task):
            search(_quick(task), interrupts)
        best = max((one.radius or 0.0 for one in found), default=0.0)
        if not interrupts.presses and best < HOLDS * radii[1]:
            # Less than what a quadratic polynomial does: the dictionary is not enough.
            search(_with_time_left(task, found), interrupts)
    chosen = max(found, key=lambda one: one.radius or 0.0)
    timings = {part: sum(one.timings[part] for one in found) for part in chosen.timings}
    return replace(chosen, evaluations=sum(one.evaluations for one in found), timings=timings)


def _in_radii(
    neurons: Sequence[Neuron],
    neuron: Neuron,
    radii: Sequence[float],
    place: Neighbourhood,
    task: Task,
    interrupts: Interrupts,
    *,
    find: Find,
    found: list[Interpretation],
) -> None:
    """Add formulas found in radii, the largest first, until one holds far enough."""
    left, before = task.stopping.time_limit, len(found)
    for number, radius in enumerate(radii):
        if len(found) > before and radius > SMALLER * radii[number - 1]:
            continue
        limit = None if left is None else left if number == len(radii) - 1 else left / 2
        clock = Clock()
        with clock.timed("gradients"):
            reading = _read(neurons, place.around, radius, task, number)
        here = replace(place, sought=radius)
        own = replace(task, stopping=replace(task.stopping, time_limit=limit))
        try:
            concept = find(reading, own, clock, here)
        except KeyboardInterrupt:
            if not found:
                raise
            return
        found.append(_farthest(concept, neuron))
        left = None if left is None else max(left - concept.timings["search"], MIN_SECONDS)
        # A search in the next radius finds nothing that holds beyond it.
        most = max(radii[number + 1 :], default=0.0)
        if interrupts.presses or (found[-1].radius or 0.0) >= HOLDS * most:
            return


def _may_be_quick(task: Task) -> bool:
    """True if the dictionary may be enough: around a row it has what polynomials have."""
    quick = any(one.is_quick for one in strategies_of(task.search.methods))
    return quick and task.search.effort == "normal"


def _quick(task: Task) -> Task:
    return replace(task, search=replace(task.search, effort="quick"))


def _with_time_left(task: Task, found: Sequence[Interpretation]) -> Task:
    """The task with the time that other searches have left of its limit."""
    limit = task.stopping.time_limit
    if limit is None or not found:
        return task
    left = max(limit - sum(one.timings["search"] for one in found), MIN_SECONDS)
    return replace(task, stopping=replace(task.stopping, time_limit=left))


def _farthest(concept: Interpretation, neuron: Neuron) -> Interpretation:
    """The result with the simplest row of its front that holds about farthest around the row.

    The search's own choice stays where it holds in half of the radius, or nearly as far.
    """
    near, field = concept.near, concept.gradients
    if near is None or (near.radius or 0.0) >= HOLDS * near.sought:
        return concept
    radii = []
    for row in concept.front:
        g = row(field.points)
        usable = np.isfinite(g)
        if np.unique(g[usable]).size < 2:
            radii.append(0.0)
            continue
        phi = MonotoneFit.of_neuron(
            g[usable], field.known_values[usable], decides=bool(neuron.is_classifier)
        )

        def values(x: np.ndarray, row: Formula = row, phi: MonotoneFit = phi) -> np.ndarray:
            return phi(row(x))

        network, spread = neuron.values, near.spread
        holds = holding(near.around, network, values, spread, near.sought, points=RANKING_POINTS)
        radii.append(holds.radius)
    most = max(radii)
    if most < FARTHER * (near.radius or 0.0) or most == 0:
        return concept
    number = next(k for k, radius in enumerate(radii) if radius >= most / FARTHER)
    chosen = concept.choose(number)
    if chosen.near is None or (chosen.near.radius or 0.0) <= (near.radius or 0.0):
        return concept
    return replace(chosen, near=replace(chosen.near, farthest=number))


def _read(
    neurons: Sequence[Neuron], around: Ellipsoid, radius: float, task: Task, number: int
) -> Reading:
    rng = np.random.default_rng([task.seed, 13, number])
    points = around.draw(radius, POINTS_PER_ROW * task.sampling.rows, rng)
    return Reading.of_networks(
        neurons,
        Points(points, tuple(around.names)),
        task.sampling,
        symmetries=task.priors.symmetries,
        seed=task.seed,
    )


def _radii(neuron: Neuron, around: Ellipsoid, spread: float, seed: int) -> list[float]:
    """Radii to search in, the largest first."""
    largest = float(np.sqrt(around.axes))
    tried = [largest * 2.0**-k for k in range(TRIED)]
    quadratic, linear = (
        next(_holding(neuron, around, spread, tried, degree, seed), tried[-1]) for degree in (2, 1)
    )
    return [min(largest, BEYOND_QUADRATIC * quadratic), quadratic, linear]


def _holding(
    neuron: Neuron,
    around: Ellipsoid,
    spread: float,
    radii: Sequence[float],
    degree: int,
    seed: int,
) -> Iterator[float]:
    """The radii within which a polynomial reproduces the network on nearly all points."""
    rng = np.random.default_rng([seed, 17])
    for radius in radii:
        size = _terms(around, around.row[None], radius, degree).shape[1]
        points = around.draw(radius, 3 * size + 200, rng)
        values = neuron.values(points).astype(float)
        if not np.isfinite(values).all():
            continue
        weights = np.linalg.lstsq(_terms(around, points, radius, degree), values, rcond=None)[0]

        def polynomial(
            x: np.ndarray, radius: float = radius, weights: np.ndarray = weights
        ) -> np.ndarray:
            return np.asarray(_terms(around, x, radius, degree) @ weights)

        found = nearness(around, radius, neuron.values, polynomial, spread, rng, TESTED_POINTS)
        if found.share >= REPRODUCED:
            yield radius


def _terms(around: Ellipsoid, points: np.ndarray, radius: float, degree: int) -> np.ndarray:
    """Monomials of the coordinates of points, `(rows, terms)`."""
    z = around.coordinates(points) / radius
    columns = [np.ones((len(z), 1)), z]
    if degree == 2 and around.axes <= MOST_WITH_PRODUCTS:
        columns += [z[:, k:] * z[:, [k]] for k in range(around.axes)]
    elif degree == 2:
        columns.append(z**2)
    return np.concatenate(columns, axis=1)
