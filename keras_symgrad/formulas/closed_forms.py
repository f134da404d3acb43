"""Closed forms of a curve f = phi(g): a dictionary of forms, then a search.

Most networks wrap their concept in a simple function: a factor, an exponential, a root. So forms of
one variable with a few constants are fitted first; each takes milliseconds. Only if they fit worse
than a monotone function does, trees are evolved on the values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import sympy

from keras_symgrad.expressions import (
    Alphabet,
    Complexity,
    OperatorSet,
    to_sympy,
    weight,
    with_whole_numbers,
)
from keras_symgrad.expressions.codegen import differentiate, numpy_function
from keras_symgrad.formulas.constants import simple_numbers
from keras_symgrad.formulas.variable_projection import ProjectedFit
from keras_symgrad.search.core import Stopping
from keras_symgrad.search.genetic import TargetEngine, search_for

G = sympy.Symbol("g", real=True)
_A, _B, _C, _D, _P = sympy.symbols("a b c d p", real=True)
# Constants are made simple in this order: those that may vanish first.
_ORDER = (_C, _D, _P, _B, _A)
# Each of these is multiplied by a factor a, and a constant d is added. Poles and branch points lie
# outside the data on either side; b is the scale of the argument.
_EDGED = tuple(
    form
    for u in (G + _C, -(G + _C))
    for form in (sympy.sqrt(u), 1 / sympy.sqrt(u), sympy.log(u), u**_P)
) + ((G + _C) ** 2, (G + _C) ** 3, 1 / (G + _C), (G + _C) ** -2, sympy.sqrt(G**2 + _C))
_SCALED = tuple(
    function(_B * G + _C) for function in (sympy.tanh, sympy.sinh, sympy.atan, sympy.asin)
) + (1 / (1 + sympy.exp(_B * G + _C)), sympy.log(1 + sympy.exp(_B * G + _C)))
_PLAIN = (sympy.exp(_B * G), sympy.exp(_B * (G + _C) ** 2))
FORMS = (G, *_EDGED, *_SCALED, *_PLAIN)

_SEARCHED = "add, sub, mul, div, square, cube, sqrt, exp, log, tanh, sin"
# A fit with less unexplained variance than this is exact.
EXACT = 1e-9
# A simpler number may raise the loss by this share.
UNNOTICED = 0.02
# A search is started if the best form's loss is this many times that of a monotone fit.
POOR = 3.0
# Residual of a step that leaves the range of doubles, in units of the values' standard deviation.
WORST = 1e6
# Points that all forms are fitted to, and number of the best that are refined on all points.
SKETCH_ROWS = 100
MAX_FITS_REFINED = 10
# Number of fits whose constants are simplified. A loss this many times the least one is not
# compensated by brevity.
MAX_FITS_SIMPLIFIED = 6
HOPELESS_LOSS_RATIO = 300.0
# Steps from all starts, and evaluations from the best of them: some forms converge slowly.
STEPS_PER_START = 25
MAX_EVALUATIONS_OF_BEST = 200
PHI_SEARCH_ROWS = 512
PHI_SEARCH_GENERATIONS = 40
PHI_SEARCH_SECONDS = 10.0
# Generations without a better curve that end the search. Exact forms are found in a few; a curve
# without one gets better slowly and without end.
PHI_SEARCH_PATIENCE = 8


@cache
def operators() -> OperatorSet:
    """The operators that closed forms are weighed in, made when they are first needed."""
    return OperatorSet("full")


@dataclass(frozen=True)
class Curve:
    """A closed form through points.

    Attributes:
        expression: in the symbol `g`.
        complexity: of the expression.
        loss: share of the variance of f that it leaves unexplained, 1 - R^2.
    """

    expression: sympy.Expr
    complexity: float
    loss: float


def fit_closed_forms(
    g: np.ndarray,
    f: np.ndarray,
    floor: float = 0.0,
    seed: int = 0,
    complexity: Complexity | None = None,
) -> list[Curve]:
    """Fit strictly monotone closed forms of f against g.

    Args:
        g: values of the concept, `(rows,)`, finite and not all the same.
        f: values of the neuron, `(rows,)`, finite and not all the same.
        floor: a loss as good as that of any monotone function.
        seed: of the search, if one is run.
        complexity: of curves, in all operators; `Complexity()` by default.

    Returns:
        Curves in any order; constants are simple numbers where the loss hardly changes.

    Example:

    >>> g = np.linspace(0.5, 3, 200)
    >>> best = min(fit_closed_forms(g, 2 * np.log(g) + 1), key=lambda curve: curve.loss)
    >>> best.expression, best.complexity
    (2*log(g) + 1, 7)
    """
    points = _Points(g, f)
    sketch = points.sketch(SKETCH_ROWS)
    sketched = [fit for form in FORMS if (fit := _fitted(sketch, form, _starts(sketch, form)))]
    sketched.sort(key=lambda pair: pair[0].loss(pair[1]))
    fits = [_refitted(points, *pair) for pair in sketched[:MAX_FITS_REFINED]]
    least = min((fit.loss(constants) for fit, constants in fits), default=1.0)
    if least > POOR * floor + 1e3 * EXACT:
        fits += _searched(points, seed)
    # Simplifying constants takes longer than fitting them, and a poor fit is not chosen.
    fits = [
        pair
        for pair in fits
        if pair[0].loss(pair[1]) < HOPELESS_LOSS_RATIO * max(least, floor, EXACT)
    ]
    fits.sort(key=lambda pair: pair[0].loss(pair[1]))
    complexity = (complexity or Complexity()).among(operators())
    line = _fitted(points, G, [{}])
    if line is None:
        raise ValueError("No line goes through these points: each g or f must be finite.")
    read = [*fits[:MAX_FITS_SIMPLIFIED], line]
    return [_curve(points, fit.simplified(constants), complexity) for fit, constants in read]


@dataclass(frozen=True)
class _Points:
    """Points to fit a curve to."""

    g: np.ndarray
    f: np.ndarray

    def sketch(self, rows: int) -> _Points:
        """A few of the points, over the whole range of g."""
        order = np.argsort(self.g, kind="stable")
        chosen = order[np.linspace(0, len(order) - 1, min(rows, len(order))).astype(int)]
        return _Points(self.g[chosen], self.f[chosen])

    @property
    def low(self) -> float:
        return float(self.g.min())

    @property
    def high(self) -> float:
        return float(self.g.max())


class _Fit:
    """The constants of a form as least-squares parameters.

    Args:
        points: points to fit.
        expression: in `g` and parameters.
    """

    def __init__(self, points: _Points, expression: sympy.Expr):
        self.points, self.expression = points, expression
        free = expression.free_symbols - {G}
        self.parameters = sorted(free, key=lambda s: (s not in _ORDER, s.name))
        self._code = numpy_function([expression], [G, *self.parameters])
        self._scale = 1 / (np.std(points.f) * np.sqrt(len(points.f)))

    def values(self, constants: np.ndarray, g: np.ndarray | None = None) -> np.ndarray:
        return self._code(self._columns(constants, g))[:, 0]

    def _columns(self, constants: np.ndarray, g: np.ndarray | None = None) -> np.ndarray:
        g = self.points.g if g is None else g
        return np.column_stack([g, np.broadcast_to(constants, (len(g), len(constants)))])

    @cached_property
    def _slopes(self) -> Callable[[np.ndarray], np.ndarray]:
        """Code of the derivatives in the parameters."""
        partials = [differentiate(self.expression, name) for name in self.parameters]
        return numpy_function(partials, [G, *self.parameters])

    def residual(self, constants: np.ndarray) -> np.ndarray:
        return self._scale * (self.values(constants) - self.points.f)

    def loss(self, constants: np.ndarray) -> float:
        with np.errstate(over="ignore"):
            loss = float((self.residual(constants) ** 2).sum())
        return loss if np.isfinite(loss) else np.inf

    def refined(self, constants: np.ndarray, moved: np.ndarray | None = None) -> np.ndarray:
        """Constants at the nearest minimum of the loss; constants that are not `moved` stay."""
        from scipy.optimize import least_squares

        moved = np.ones(len(constants), bool) if moved is None else moved
        # Fewer points than constants determine none of them.
        if not 0 < moved.sum() <= len(self.points.g) or not np.isfinite(self.loss(constants)):
            return constants
        result = constants.astype(float).copy()

        def residual(values: np.ndarray) -> np.ndarray:
            result[moved] = values
            # A step across a pole, or far up an exponential, is a bad step, not an error.
            return np.clip(np.nan_to_num(self.residual(result), nan=WORST), -WORST, WORST)

        def jacobian(values: np.ndarray) -> np.ndarray:
            result[moved] = values
            slopes = self._scale * self._slopes(self._columns(result))[:, moved]
            return np.clip(np.nan_to_num(slopes, nan=0.0), -WORST, WORST)

        fit = least_squares(
            residual,
            constants[moved],
            jacobian,
            method="lm",
            x_scale="jac",
            xtol=1e-12,
            max_nfev=MAX_EVALUATIONS_OF_BEST,
        )
        result[moved] = fit.x
        return result if self.loss(result) <= self.loss(constants) else constants

    def _reach(self, constants: np.ndarray, limit: float) -> np.ndarray:
        """Largest change of each constant below a loss, the others refitted, `(constants,)`."""
        if not len(constants):
            return constants
        slopes = np.nan_to_num(
            self._scale * self._slopes(self._columns(constants)), posinf=0, neginf=0
        )
        slopes = np.clip(slopes, -WORST, WORST)
        across = np.diag(np.linalg.pinv(slopes.T @ slopes, hermitian=True))
        return np.sqrt((limit - self.loss(constants)) * np.maximum(across, 0))

    def is_monotone(self, constants: np.ndarray) -> bool:
        """Return whether it is finite and monotone over the whole range of the points."""
        grid = np.linspace(self.points.low, self.points.high, 257)
        steps = np.diff(self.values(constants, grid))
        return bool(np.isfinite(steps).all() and (np.all(steps > 0) or np.all(steps < 0)))

    def simplified(self, constants: np.ndarray) -> sympy.Expr:
        """The expression with these constants, each a simple number where the loss allows it.

        The allowed change of a constant is estimated by a parabola in place of its profile.
        """
        values, free = constants.copy(), np.ones(len(constants), bool)
        exact: dict[sympy.Symbol, sympy.Expr] = {}
        limit = (1 + UNNOTICED) * self.loss(values) + EXACT
        reach = self._reach(values, limit)
        order = [s for s in _ORDER if s in self.parameters]
        for name in order + [s for s in self.parameters if s not in order]:
            k = self.parameters.index(name)
            zero = [sympy.Integer(0)] if name in (_C, _D) else []
            low, high = values[k] - reach[k], values[k] + reach[k]
            for simple in zero + simple_numbers(low, high, tenths=True):
                trial, others = values.copy(), free.copy()
                trial[k], others[k] = float(simple), False
                trial = self.refined(trial, others)
                if self.loss(trial) <= limit and self.is_monotone(trial):
                    values, free, exact[name] = trial, others, simple
                    break
        numbers = {s: sympy.Float(float(v), 17) for s, v in zip(self.parameters, values)}
        return self.expression.xreplace({**numbers, **exact})


def _fitted(
    points: _Points, form: sympy.Expr, starts: Iterable[dict[sympy.Symbol, float]]
) -> tuple[_Fit, np.ndarray] | None:
    """Fit a h(g) + d for a form h; `None` if no start gives a monotone function."""
    fit = _Fit(points, _A * form + _D)
    inner = [name for name in fit.parameters if name not in (_A, _D)]
    projected = ProjectedFit(form, G, inner, points.g, points.f)
    given = np.array([[start[name] for name in inner] for start in starts])
    found = projected.descended(given, STEPS_PER_START)
    line = projected.line(found)
    for k in np.argsort(line.loss, kind="stable"):
        if not np.isfinite(line.loss[k]):
            break
        named = dict(zip((*inner, _A, _D), (*found[k], line.factor[k], line.offset[k])))
        constants = np.array([named[name] for name in fit.parameters])
        if fit.is_monotone(constants):
            refined = fit.refined(constants)
            return fit, refined if fit.is_monotone(refined) else constants
    return None


def _refitted(points: _Points, fit: _Fit, constants: np.ndarray) -> tuple[_Fit, np.ndarray]:
    """A fit to some of the points, continued on all of them."""
    whole = _Fit(points, fit.expression)
    refined = whole.refined(constants)
    return whole, refined if whole.is_monotone(refined) else constants


def _starts(points: _Points, form: sympy.Expr) -> Iterator[dict[sympy.Symbol, float]]:
    low, high = points.low, points.high
    width = high - low
    if form in _SCALED:
        for b in (1 / width, -1 / width, 4 / width, -4 / width):
            for middle in np.quantile(points.g, (0.05, 0.5, 0.95)):
                yield {_B: b, _C: -b * middle}
    elif form in _EDGED:
        for p in (0.5, 2.0, -1.0) if form.has(_P) else (1.0,):
            yield {_C: 0.0, _P: p}
            for margin in (0.03, 0.3, 3.0):
                yield {_C: margin * width - low, _P: p}
                yield {_C: -margin * width - high, _P: p}
            yield {_C: -(low + high) / 2, _P: p}
    elif form in _PLAIN:
        for b in (1 / width, -1 / width, 5 / width, -5 / width):
            for edge in (0.0, -low, -high):
                yield {_B: b / (width if form.has(_C) else 1), _C: edge}
    else:
        yield {}


def _searched(points: _Points, seed: int) -> Iterator[tuple[_Fit, np.ndarray]]:
    """Forms that the genetic search finds in the values; a factor and a constant are free."""
    chosen = np.random.default_rng(seed).permutation(len(points.g))[:PHI_SEARCH_ROWS]
    alphabet = Alphabet(OperatorSet(_SEARCHED), ["g"])
    with TargetEngine(alphabet.operators, points.g[chosen, None], points.f[chosen]) as engine:
        archive = search_for(engine, alphabet, seed=seed).run(
            Stopping(
                PHI_SEARCH_SECONDS,
                generations=PHI_SEARCH_GENERATIONS,
                patience=PHI_SEARCH_PATIENCE,
            )
        )
    for individual in archive.front():
        expression = with_whole_numbers(to_sympy(individual.tree, alphabet.operators))
        floats = sorted(expression.atoms(sympy.Float), key=float)
        named = {number: sympy.Symbol(f"k{k}", real=True) for k, number in enumerate(floats)}
        form = expression.xreplace(named)
        if G in form.free_symbols and not form.has(sympy.nan, sympy.zoo, sympy.I):
            fit = _fitted(points, form, [{s: float(number) for number, s in named.items()}])
            if fit is not None:
                yield _refitted(points, *fit)


def _curve(points: _Points, expression: sympy.Expr, complexity: Complexity) -> Curve:
    fit = _Fit(points, expression)
    weighed = weight(expression, Alphabet(operators(), ["g"]), complexity)
    return Curve(expression, weighed, fit.loss(np.zeros(0)))
