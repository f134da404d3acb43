"""Twenty formulas of physics, as fields of exact gradients.

They come from the Feynman lectures by way of the benchmark of Udrescu and Tegmark; formulas of one
variable are left out, because in one dimension all gradients are parallel. There are no labels
here: a formula has values, and no threshold. Like `systems`, this module uses SymPy and NumPy and
no networks.

Source: Udrescu and Tegmark, AI Feynman, arXiv 1905.11481.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy

from keras_symgrad.datasets.classifiers import System
from keras_symgrad.datasets.ground_truth import real_symbols, rowwise, with_real_symbols
from keras_symgrad.engine import direction_error, unit
from keras_symgrad.expressions import Alphabet, Complexity, OperatorSet, canonicalize, from_sympy
from keras_symgrad.gradients import GradientField, Metric


def field_of(
    system: System,
    rows: int,
    *,
    noise: float = 0.0,
    metric: Metric = "covariance",
    seed: int = 0,
) -> GradientField:
    """Exact directions of a formula's gradient at uniform points, with Gaussian noise on them.

    Each component gets noise of the standard deviation noise / sqrt(variables), so that the noise
    vector has the length `noise`, root mean square, whatever the number of variables:

        u + e,   |u| = 1,   E |e|^2 = noise^2

    Points where the gradient vanishes or does not exist are left out.

    Args:
        system: the formula.
        rows: number of points drawn.
        noise: relative to the length 1 of a direction.
        metric: in which directions compare.
        seed: of points and noise.

    Returns:
        A `GradientField` without values.

    Example:

    >>> field = field_of(FORMULAS[3], 1000, noise=1e-2)
    >>> exact = FORMULAS[3].gradients(field.points)
    >>> 0.2e-4 < direction_error(field.directions, exact) < 0.8e-4
    True
    """
    x = system.sample(rows, seed=seed)
    directions = unit(system.gradients(x))
    steep = directions.any(axis=1)
    x, directions = x[steep], directions[steep]
    deviation = noise / math.sqrt(len(system.names))
    blur = np.random.default_rng([seed, 1]).normal(0.0, deviation, size=x.shape)
    return GradientField.from_gradients(x, directions + blur, names=system.names, metric=metric)


def concept_error(
    expression: sympy.Expr, system: System, *, rows: int = 10_000, seed: int = 1_000_003
) -> float:
    """Mean of 1 - |cos| between a formula's gradient and the truth's, on fresh uniform points.

    Points where the truth's gradient vanishes or does not exist are left out; where only the
    formula's does, they count as 1.

    Args:
        expression: the formula; its symbols are matched with the truth's by name.
        system: the truth.
        rows: number of points drawn.
        seed: of the points.

    Returns:
        A number in [0, 1].

    Raises:
        ValueError: the formula holds a symbol that the truth has not.

    Example:

    >>> n, a = FORMULAS[16].variables
    >>> concept_error(n * a, FORMULAS[16]) < 1e-12
    True
    >>> concept_error(n + a, FORMULAS[16]) > 0.05
    True
    """
    expression = with_real_symbols(expression, system.names)
    x = system.sample(rows, seed=seed)
    truth = system.gradients(x)
    steep = unit(truth).any(axis=1)
    partials = rowwise([expression.diff(symbol) for symbol in system.variables], system.names)
    found = np.stack([partial(x[steep]) for partial in partials], axis=1)
    return direction_error(found, truth[steep])


def truth_complexity(system: System, operators: OperatorSet, complexity: Complexity) -> float:
    """Complexity of the truth: as published or in canonical form, whichever is larger.

    For a formula that the operators cannot write as published, the complexity of its canonical form
    counts.

    Args:
        system: the truth.
        operators: operators for the formula.
        complexity: the measure.

    Returns:
        Its complexity.

    Raises:
        ValueError: the operators cannot write the canonical form either.

    Example:

    >>> truth_complexity(FORMULAS[9], OperatorSet("default"), Complexity())
    5
    """
    alphabet = Alphabet(operators, system.names)
    measure = complexity.over(operators)
    least = measure(from_sympy(canonicalize(system.expression), alphabet, complexity))
    try:
        return max(least, measure(from_sympy(system.expression, alphabet, complexity)))
    except ValueError:
        return least


def _formulas() -> Mapping[int, System]:
    exp, sin, cos, sqrt, pi = sympy.exp, sympy.sin, sympy.cos, sympy.sqrt, sympy.pi
    interval = tuple[float, float]

    def formula(
        number: int,
        names: str,
        write: Callable[..., Any],
        box: interval = (1, 5),
        **boxes: interval,
    ) -> System:
        # One interval for all variables, and others for the named variables.
        names = tuple(names.split())
        expression = write(*real_symbols(names))
        intervals = [boxes.get(name, box) for name in names]
        intervals = tuple((float(low), float(high)) for low, high in intervals)
        return System(str(number), expression, math.nan, intervals, names)

    return {
        int(system.id): system
        for system in (
            formula(1, "a s", lambda a, s: exp(-((a / s) ** 2) / 2) / (sqrt(2 * pi) * s), (1, 3)),
            formula(2, "m0 v c", lambda m0, v, c: m0 / sqrt(1 - v**2 / c**2), v=(1, 2), c=(3, 10)),
            formula(
                3,
                "x1 x2 x3 y1 y2 y3",
                lambda x1, x2, x3, y1, y2, y3: x1 * y1 + x2 * y2 + x3 * y3,
            ),
            formula(4, "q E B v t", lambda q, E, B, v, t: q * (E + B * v * sin(t))),
            formula(5, "m v u w", lambda m, v, u, w: m * (v**2 + u**2 + w**2) / 2),
            formula(6, "u v c", lambda u, v, c: (u + v) / (1 + u * v / c**2)),
            formula(7, "m1 m2 r1 r2", lambda m1, m2, r1, r2: (m1 * r1 + m2 * r2) / (m1 + m2)),
            formula(8, "m w w0 x", lambda m, w, w0, x: m * (w**2 + w0**2) * x**2 / 4, (1, 3)),
            formula(9, "n t", lambda n, t: sympy.asin(n * sin(t)), n=(0, 1)),
            formula(10, "d1 d2 n", lambda d1, d2, n: 1 / (1 / d1 + n / d2)),
            formula(
                11,
                "c v w0",
                lambda c, v, w0: (1 + v / c) / sqrt(1 - v**2 / c**2) * w0,
                c=(3, 10),
                v=(1, 2),
            ),
            formula(12, "I1 I2 d", lambda I1, I2, d: I1 + I2 + 2 * sqrt(I1 * I2) * cos(d)),
            formula(13, "n0 m g x k T", lambda n0, m, g, x, k, T: n0 * exp(-m * g * x / (k * T))),
            formula(14, "n k T V1 V2", lambda n, k, T, V1, V2: n * k * T * sympy.log(V2 / V1)),
            formula(15, "k T1 T2 A d", lambda k, T1, T2, A, d: k * (T2 - T1) * A / d),
            formula(16, "n a", lambda n, a: 1 + n * a / (1 - n * a / 3), (0, 1)),
            formula(17, "mu B t", lambda mu, B, t: -mu * B * cos(t)),
            formula(
                18,
                "n0 mu B k T",
                lambda n0, mu, B, k, T: n0 / (exp(mu * B / (k * T)) + exp(-mu * B / (k * T))),
                (1, 3),
            ),
            formula(19, "mu Bx By Bz", lambda mu, x, y, z: mu * sqrt(x**2 + y**2 + z**2)),
            formula(
                20, "x1 x2 y1 y2", lambda x1, x2, y1, y2: sqrt((x2 - x1) ** 2 + (y2 - y1) ** 2)
            ),
        )
    }


FORMULAS: Mapping[int, System] = _formulas()


def load(name: int | str) -> System:
    """A formula of physics by its number.

    Args:
        name: 1 to 20.

    Returns:
        The formula with its box; `field_of` makes a field of its exact gradients.

    Raises:
        ValueError: there is no formula of this number.

    Example:

    >>> load(12).names
    ('I1', 'I2', 'd')
    """
    if not str(name).isdecimal() or int(name) not in FORMULAS:
        raise ValueError(f"The formulas have the numbers 1 to {len(FORMULAS)}. Received: {name!r}")
    return FORMULAS[int(name)]
