"""Replace constants of a formula by simple numbers that the network supports."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import sympy

from keras_symgrad.formulas.constants.number_recognition import simple_numbers
from keras_symgrad.formulas.constants.profiles import intervals
from keras_symgrad.formulas.constants.uncertainty import released
from keras_symgrad.gradients import GradientField
from keras_symgrad.search.core import ConstantFit

# Whole numbers up to this size, and their inverses, that the search has put into a formula stay if
# their interval contains them, however wide it is.
KEPT = 2


def with_simple_constants(
    expression: sympy.Expr,
    field: GradientField,
    *,
    weight: Callable[[sympy.Expr], float] = lambda _: 0.0,
    barred: Collection[sympy.Expr] = (),
    whole: bool = True,
    signed: bool = False,
    seed: int = 0,
) -> sympy.Expr:
    """Replace constants of a formula by simple numbers that their intervals support.

    One constant after the other, starting with the narrowest interval, is set to the simplest
    number that lies inside its interval beyond coincidence (`number_recognition.simple_numbers`);
    the others are refitted. The replacement is kept if the loss stays below the limit of the
    constant's profile and the formula does not become longer. Whole numbers from the search are
    treated like other constants: those that no interval supports become the fitted value.

    Args:
        expression: in the field's variables.
        field: rows that constants are fitted on.
        weight: complexity of a formula, which a simple number must not raise.
        barred: numbers that are not used.
        whole: whether whole numbers and fractions of the expression are constants too.
        signed: whether the opposite direction counts as different.
        seed: of the choice of regions.

    Returns:
        The expression with SymPy numbers where simple ones were taken and floats elsewhere.

    Example: 2 is recognised through noise, and 2.37 does not become 19/8.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (500, 3))
    >>> noisy = x * [2, 4, 4.74] + rng.normal(0, 0.05, x.shape)
    >>> x1, x2, x3 = sympy.symbols("x1 x2 x3", real=True)
    >>> form = x1**2 + 2.1 * x2**2 + sympy.Rational(19, 8) * x3**2
    >>> found = with_simple_constants(form, GradientField.from_gradients(x, noisy))
    >>> found.coeff(x2**2), round(found.coeff(x3**2), 1)
    (2, 2.4)
    """
    form, written = released(expression) if whole else (expression, {})
    fit = ConstantFit(form, field, signed=signed)
    if not len(fit.start):
        return expression
    known = intervals(fit, seed=seed)
    values = known.best.copy()
    numbers: list[sympy.Expr] = [sympy.Float(value, 17) for value in values]
    free = np.ones(len(values), bool)
    limit = 0.0
    widths = (known.high - known.low) / np.maximum(np.abs(values), 1e-300)
    for k in np.argsort(widths, kind="stable"):
        low, high = known.low[k], known.high[k]
        given = written.get(float(fit.start[k]))
        own = [given] if given is not None and _stays(given, low, high) else []
        before = weight(fit.expression(numbers))
        for simple in [*own, *simple_numbers(low, high)]:
            trial, others = values.copy(), free.copy()
            trial[k], others[k] = float(simple), False
            trial = fit.refined(trial, others)
            shorter = [*numbers[:k], simple, *numbers[k + 1 :]]
            allowed = max(limit, known.limits[k])
            if (
                simple not in barred
                and fit.mean(trial) <= allowed
                and fit.expression(shorter).free_symbols
                and weight(fit.expression(shorter)) <= before
            ):
                limit, values, free, numbers[k] = allowed, trial, others, simple
                break
    return fit.expression(
        [sympy.Float(v, 17) if open_ else n for v, open_, n in zip(values, free, numbers)]
    )


def _stays(number: sympy.Expr, low: float, high: float) -> bool:
    """Return whether a simple number from the search needs no evidence."""
    if not low <= float(number) <= high:
        return False
    # For a constant that is not determined every value is as good, and the shorter one is shown.
    is_open = not (np.isfinite(low) and np.isfinite(high))
    is_small = number.is_Integer or (number.is_Rational and abs(number.p) == 1)
    return is_open or (is_small and 1 <= abs(number) * KEPT <= KEPT**2)
