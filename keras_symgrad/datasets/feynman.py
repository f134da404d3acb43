"""Formulas of physics, as fields of exact gradients.

They come from the Feynman lectures by way of the benchmark of Udrescu and Tegmark
(`feynman_table`). There are no labels here: a formula has values, and no threshold. Like
`classifiers`, this module uses SymPy and NumPy and no networks.

Source: Udrescu and Tegmark, AI Feynman, arXiv 1905.11481.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np
import sympy

from keras_symgrad.datasets.classifiers import System
from keras_symgrad.datasets.feynman_table import TABLE
from keras_symgrad.datasets.ground_truth import rowwise, with_real_symbols
from keras_symgrad.engine import direction_error, unit
from keras_symgrad.expressions import Alphabet, Complexity, OperatorSet, canonicalize, from_sympy
from keras_symgrad.expressions.formats import from_text
from keras_symgrad.gradients import GradientField, Metric

# Words of the table that are not variables.
NOT_VARIABLES = ("exp", "log", "sqrt", "sin", "cos", "tanh", "asin", "acos", "pi")


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

    >>> field = field_of(FORMULAS["I.11.19"], 1000, noise=1e-2)
    >>> exact = FORMULAS["I.11.19"].gradients(field.points)
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

    >>> n, a = FORMULAS["II.11.28"].variables
    >>> concept_error(n * a, FORMULAS["II.11.28"]) < 1e-12
    True
    >>> concept_error(n + a, FORMULAS["II.11.28"]) > 0.05
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
    counts, with tanh written as a quotient of exponentials if need be.

    Args:
        system: the truth.
        operators: operators for the formula.
        complexity: the measure.

    Returns:
        Its complexity.

    Raises:
        ValueError: the operators cannot write the canonical form either.

    Example:

    >>> truth_complexity(FORMULAS["I.26.2"], OperatorSet("default"), Complexity())
    5
    """
    alphabet = Alphabet(operators, system.names)
    measure = complexity.over(operators)
    canonical = canonicalize(system.expression)
    if "tanh" not in operators:
        canonical = canonical.replace(sympy.tanh, lambda a: 1 - 2 / (sympy.exp(2 * a) + 1))
    least = measure(from_sympy(canonical, alphabet, complexity))
    try:
        return max(least, measure(from_sympy(system.expression, alphabet, complexity)))
    except ValueError:
        return least


def is_product_of_powers(system: System) -> bool:
    """Return whether a formula's class is that of a product of powers of its variables.

    Args:
        system: the formula.

    Example:

    >>> is_product_of_powers(FORMULAS["I.30.5"])  # asin(l/(n*d))
    True
    >>> is_product_of_powers(FORMULAS["I.27.6"])  # 1/(1/d1 + n/d2)
    False
    """
    factors = sympy.Mul.make_args(canonicalize(system.expression))
    return all(
        base.is_Symbol and power.is_Number for base, power in (f.as_base_exp() for f in factors)
    )


def _formulas() -> Mapping[str, System]:
    lines = (line.partition(": ") for line in TABLE.strip().splitlines())
    return {name: _system(name, *rest.partition(" | ")[::2]) for name, _, rest in lines}


def _system(name: str, formula: str, intervals: str) -> System:
    words = re.findall(r"[A-Za-z]\w*", formula)
    names = tuple(word for word in dict.fromkeys(words) if word not in NOT_VARIABLES)
    box = dict.fromkeys(names, (1.0, 5.0))
    for part in filter(None, intervals.split(", ")):
        *some, low, high = part.split()
        box |= dict.fromkeys(some, (float(low), float(high)))
    expression = with_real_symbols(from_text(formula, names), names)
    return System(name, expression, math.nan, tuple(box.values()), names)


FORMULAS: Mapping[str, System] = _formulas()
# Twenty of all kinds, for quick comparisons.
TWENTY = (
    *("I.6.2", "I.10.7", "I.11.19", "I.12.11", "I.13.4", "I.16.6", "I.18.4", "I.24.6"),
    *("I.26.2", "I.27.6", "I.34.14", "I.37.4", "I.40.1", "I.44.4", "II.2.42", "II.11.28"),
    *("II.15.4", "II.35.18", "III.10.19", "I.8.14"),
)


def load(name: str) -> System:
    """A formula of physics by the name of its equation.

    Args:
        name: as in the Feynman lectures, such as "I.37.4"; B1 to B20 are the bonus set.

    Returns:
        The formula with its box; `field_of` makes a field of its exact gradients.

    Raises:
        ValueError: there is no formula of this name.

    Example:

    >>> load("I.37.4").names
    ('I1', 'I2', 'd')
    """
    if name not in FORMULAS:
        raise ValueError(f"The formulas have the names {list(FORMULAS)}. Received: {name!r}")
    return FORMULAS[name]
