"""Operators: the alphabet that formulas are written in.

An `Operator` is one SymPy expression in its arguments. Everything else is derived from it: partial
derivatives by `sympy.diff`, TensorFlow code by `sympy.lambdify`, and the properties by which the
search recognises equal formulas (symmetry, strict monotonicity). A user's operator is treated
exactly like the shipped ones.

This module needs SymPy, and TensorFlow only when an operator's code is requested.
"""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from keras_symgrad.expressions.codegen import differentiate, tensorflow_function

ARGUMENT_NAMES = "abcdefgh"
SYMBOLS = tuple(sympy.Symbol(name, real=True) for name in ARGUMENT_NAMES)
# Stands for the operator's own value inside its partial derivatives: exp' is then a read of a value
# that was already computed, not a second exponential.
VALUE = sympy.Symbol("value", real=True)


# What formulas as text may call: `formats.FUNCTIONS`, which are read before any operator.
FUNCTION_NAMES = frozenset(
    (
        *("Abs", "sign", "exp", "log", "erf", "floor", "ceiling", "sqrt", "atan2", "Max", "Min"),
        *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
        *("asinh", "acosh", "atanh", "Eq", "Ne", "ITE", "Piecewise", "re", "im", "pi", "E"),
    )
)


class Operator:
    """A named function of one or more arguments, given as one SymPy expression.

    Args:
        name: a Python identifier; the formula's text form uses it.
        expression: a SymPy expression in up to eight symbols, whose arguments are taken in
            alphabetical order (`a`, `b`, ...), or a Python function of SymPy arguments.
        complexity: weight of one use of the operator; a finite number of at least 0.

    Raises:
        ValueError: the name is no identifier, the expression has no argument, SymPy cannot
            differentiate it twice, or TensorFlow has no code for it or its derivatives.

    Example:

    >>> import sympy
    >>> a = sympy.Symbol("a")
    >>> gauss = Operator("gauss", sympy.exp(-a**2))
    >>> gauss(sympy.Symbol("x1"))
    exp(-x1**2)
    >>> gauss.partials
    (-2*a*value,)
    """

    def __init__(
        self,
        name: str,
        expression: sympy.Expr | Callable[..., sympy.Expr],
        *,
        complexity: float = 1,
    ):
        self._define(name, expression, complexity)
        self._check_code()

    @classmethod
    def _of_package(cls, name: str, function: Callable[..., Any], complexity: float) -> Operator:
        """One whose code tests have checked, so that nothing is compiled before it is used."""
        operator = cls.__new__(cls)
        operator._define(name, function, complexity)
        return operator

    def _define(
        self, name: str, expression: sympy.Expr | Callable[..., sympy.Expr], complexity: float
    ) -> None:
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError(
                "An operator's `name` must be a Python identifier, such as 'gauss'. "
                f"Received: name={name!r}"
            )
        if not np.isfinite(complexity) or complexity < 0:
            raise ValueError(
                f"The `complexity` of operator '{name}' must be a finite number of at least 0. "
                f"Received: complexity={complexity}"
            )
        _check_not_a_function(name, expression)
        self.name = name
        self.complexity = complexity
        self.arguments, self.expression = _in_standard_arguments(name, expression)
        self.partials = self._differentiate()

    @property
    def arity(self) -> int:
        """Number of arguments."""
        return len(self.arguments)

    def __call__(self, *arguments: sympy.Expr) -> sympy.Expr:
        """The operator applied to SymPy expressions."""
        if len(arguments) != self.arity:
            raise ValueError(
                f"Operator '{self.name}' takes {self.arity} arguments. Received: {len(arguments)}"
            )
        # The arguments are symbols: `xreplace` gives what `subs` gives, in half the time.
        return self.expression.xreplace(dict(zip(self.arguments, arguments)))

    def __repr__(self) -> str:
        return f"Operator({self.name!r}, {self.expression})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Operator) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __getstate__(self) -> dict[str, Any]:
        # Generated code does not pickle; it is made again on demand.
        kept = ("name", "complexity", "arguments", "expression", "partials")
        return {name: self.__dict__[name] for name in kept}

    @property
    def _identity(self) -> tuple[Any, ...]:
        return self.name, self.expression, self.complexity

    @cached_property
    def second_partials(self) -> tuple[tuple[sympy.Expr, ...], ...]:
        """Second partial derivatives, in the arguments and `value`; kinks count as zero."""
        first = [differentiate(self.expression, symbol) for symbol in self.arguments]
        return tuple(
            tuple(self._in_value(differentiate(partial, symbol)) for symbol in self.arguments)
            for partial in first
        )

    @cached_property
    def value_code(self) -> Callable[..., Any]:
        """TensorFlow function `(a, b, ...) -> value`."""
        return tensorflow_function(self.arguments, [self.expression])

    @cached_property
    def partials_code(self) -> Callable[..., Any]:
        """TensorFlow function `(a, b, ..., value) -> [d/da, d/db, ...]`."""
        return tensorflow_function((*self.arguments, VALUE), self.partials)

    @cached_property
    def curvature_code(self) -> Callable[..., Any]:
        """TensorFlow function `(a, b, ..., value) -> [d/da, ..., d2/da da, d2/da db, ...]`."""
        seconds = [entry for row in self.second_partials for entry in row]
        return tensorflow_function((*self.arguments, VALUE), [*self.partials, *seconds])

    @cached_property
    def symmetric(self) -> bool:
        """Return whether swapping the two arguments changes nothing, as in a sum."""
        if self.arity != 2:
            return False
        a, b = self.arguments
        return self.expression == self.expression.subs({a: b, b: a}, simultaneous=True)

    @cached_property
    def monotone(self) -> bool:
        """Return whether a one-argument operator is strictly monotone wherever it is defined.

        Such an operator at the root of a formula does not change which concept it carries.
        It is decided by the signs of the derivative at 2,000 points of [-10, 10] and [-1, 1].
        """
        if self.arity != 1:
            return False
        points = np.linspace(-10.0, 10.0, 1000) + 0j
        points = np.concatenate([points, points / 10.1])
        slope = differentiate(self.expression, *self.arguments)
        code = sympy.lambdify(self.arguments, [self.expression, slope], ["scipy", "numpy"])
        with np.errstate(all="ignore"):
            values, slopes = (np.broadcast_to(column, points.shape) for column in code(points))
        # Complex arithmetic shows where the function is defined: log(-1) has an imaginary part.
        real = (np.abs(np.imag(values)) < 1e-9) & np.isfinite(values) & np.isfinite(slopes)
        signs = np.sign(np.real(slopes[real]))
        return bool(signs.size > points.size // 4 and abs(signs.mean()) == 1)

    def _differentiate(self) -> tuple[sympy.Expr, ...]:
        partials = []
        for symbol in self.arguments:
            try:
                partial = differentiate(self.expression, symbol)
            except Exception as error:
                raise self._refusal("SymPy cannot differentiate it", error) from None
            if partial.has(sympy.Derivative, sympy.Subs, sympy.Integral):
                raise self._refusal("SymPy cannot differentiate it", partial)
            partials.append(self._in_value(partial))
        return tuple(partials)

    def _in_value(self, derivative: sympy.Expr) -> sympy.Expr:
        if self.expression.is_polynomial(*self.arguments):
            return derivative
        return derivative.subs(self.expression, VALUE)

    def _check_code(self) -> None:
        import tensorflow as tf

        try:
            # In a graph, so that TensorFlow's runtime is not started, and can still be configured.
            with tf.Graph().as_default():
                arguments = [tf.constant([0.5, 2.0]) for _ in range(self.arity + 1)]
                self.value_code(*arguments[:-1])
                self.curvature_code(*arguments)
        except Exception as error:
            raise self._refusal("TensorFlow has no code for it or its derivatives", error) from None

    def _refusal(self, reason: str, detail: object) -> ValueError:
        return ValueError(
            f"Operator '{self.name}' cannot be used: {reason} ({detail}). "
            "Write it with functions that both know, such as exp, log, sqrt, sin, cos, tanh, "
            f"Abs, sign, Max, Min or Piecewise. Received: expression={self.expression}"
        )


def _check_not_a_function(name: str, expression: sympy.Expr | Callable[..., Any]) -> None:
    """Raise if formulas would be read with the function of this name in the operator's place."""
    if name not in FUNCTION_NAMES:
        return
    arguments, own = _in_standard_arguments(name, expression)
    function = getattr(sympy, name, None)
    if not callable(function) or function(*arguments) != own:
        raise ValueError(
            f"In formulas '{name}' is the function of that name, and an operator of yours may not "
            f"compute anything else. Name it otherwise, for example 'my_{name}'. "
            f"Received: expression={own}"
        )


def _applied(name: str, function: Callable[..., sympy.Expr]) -> sympy.Expr:
    """Result of a Python function called with SymPy's symbols."""
    word = getattr(function, "__name__", "f")
    try:
        arity = getattr(function, "nin", None) or len(inspect.signature(function).parameters)
        return function(*SYMBOLS[:arity])
    except Exception as error:
        known = word if hasattr(sympy, word) else "exp"
        raise ValueError(
            f"Operator '{name}' needs a function that SymPy can apply to symbols; those of NumPy, "
            f"TensorFlow and `math` take numbers. Write it with SymPy, such as "
            f"`Operator('{name}', lambda a: sympy.{known}(a))`. "
            f"Received: a function that raises {type(error).__name__}"
        ) from error


def _in_standard_arguments(
    name: str, expression: sympy.Expr | Callable[..., Any]
) -> tuple[tuple[sympy.Symbol, ...], sympy.Expr]:
    if callable(expression) and not isinstance(expression, sympy.Basic):
        expression = _applied(name, expression)
    expression = sympy.Number(expression) if isinstance(expression, (int, float)) else expression
    if not isinstance(expression, sympy.Expr):
        raise ValueError(
            f"Operator '{name}' needs a SymPy expression or a function that returns one. "
            f"Received: {expression!r} (of type {type(expression).__name__})"
        )
    found = sorted(expression.free_symbols, key=lambda symbol: symbol.name)
    if not 1 <= len(found) <= len(SYMBOLS):
        raise ValueError(
            f"Operator '{name}' must have between 1 and {len(SYMBOLS)} arguments, "
            f"written as free symbols. Received: expression={expression}"
        )
    arguments = SYMBOLS[: len(found)]
    return arguments, expression.subs(dict(zip(found, arguments)), simultaneous=True)


class OperatorSet:
    """An ordered set of operators with different names.

    Args:
        operators: operators, names of shipped operators or presets, in any mixture; a
            string may hold several names with commas between them.

    Raises:
        ValueError: a name is unknown, or two different operators share one name.

    Example:

    >>> operators = OperatorSet(["arithmetic", "exp", Operator("cubic", lambda a: a**3 - a)])
    >>> operators.names
    ('add', 'sub', 'mul', 'div', 'exp', 'cubic')
    """

    def __init__(self, operators: str | Operator | Iterable[str | Operator] = "default"):
        self._by_name: dict[str, Operator] = {}
        for operator in _resolve(operators):
            if self._by_name.setdefault(operator.name, operator) != operator:
                raise ValueError(
                    f"Two different operators are named '{operator.name}'. Rename one. "
                    f"Received: {self._by_name[operator.name]} and {operator}"
                )
        if not self._by_name:
            raise ValueError("An operator set needs at least one operator. Received: none")

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(self._by_name)

    def __iter__(self) -> Iterator[Operator]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Operator:
        return self._by_name[name]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OperatorSet) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __add__(self, other: OperatorSet | Operator | str | Iterable[Any]) -> OperatorSet:
        return OperatorSet([*self, *OperatorSet(other)])

    def __repr__(self) -> str:
        return f"OperatorSet({', '.join(self.names)})"


def _resolve(operators: str | Operator | Iterable[str | Operator]) -> Iterator[Operator]:
    if isinstance(operators, Operator):
        yield operators
    elif isinstance(operators, str):
        for name in filter(None, (part.strip() for part in operators.split(","))):
            if name in PRESETS:
                yield from (shipped(member) for member in PRESETS[name])
            else:
                yield shipped(name)
    elif callable(operators):
        word = getattr(operators, "__name__", "own").strip("<>")
        raise ValueError(
            "Expected names of operators or `Operator`s, and not a function. Write its name, "
            f"'{word}', if it is among them, or `Operator('{word}', lambda a: ...)` with functions "
            f"of SymPy. Received: {operators!r:.80}"
        )
    elif not isinstance(operators, Iterable):
        raise ValueError(
            "Expected names of operators or `Operator`s, such as 'default' or ['add', 'mul']. "
            f"Received: {operators!r:.80}"
        )
    else:
        for operator in operators:
            yield from _resolve(operator)


_SHIPPED: dict[str, tuple[Callable[..., Any], float]] = {
    "add": (lambda a, b: a + b, 1),
    "sub": (lambda a, b: a - b, 1),
    "mul": (lambda a, b: a * b, 1),
    "div": (lambda a, b: a / b, 1),
    "neg": (lambda a: -a, 1),
    "inv": (lambda a: 1 / a, 1),
    "square": (lambda a: a**2, 1),
    "cube": (lambda a: a**3, 1),
    "pow4": (lambda a: a**4, 2),
    "pow5": (lambda a: a**5, 2),
    "pow": (lambda a, b: a**b, 3),
    "sqrt": (sympy.sqrt, 2),
    "cbrt": (lambda a: sympy.sign(a) * sympy.Abs(a) ** sympy.Rational(1, 3), 2),
    "hypot": (lambda a, b: sympy.sqrt(a**2 + b**2), 2),
    "exp": (sympy.exp, 2),
    "log": (lambda a: sympy.log(a), 2),
    "log_abs": (lambda a: sympy.log(sympy.Abs(a)), 2),
    "sin": (sympy.sin, 2),
    "cos": (sympy.cos, 2),
    "tan": (sympy.tan, 2),
    "asin": (sympy.asin, 3),
    "acos": (sympy.acos, 3),
    "atan": (sympy.atan, 3),
    "atan2": (lambda a, b: sympy.atan2(a, b), 3),
    "sinh": (sympy.sinh, 2),
    "cosh": (sympy.cosh, 2),
    "tanh": (sympy.tanh, 2),
    "erf": (sympy.erf, 3),
    "sigmoid": (lambda a: (1 + sympy.tanh(a / 2)) / 2, 2),
    "softplus": (lambda a: sympy.log(1 + sympy.exp(a)), 2),
    "relu": (lambda a: sympy.Max(a, 0), 2),
    "gauss": (lambda a: sympy.exp(-(a**2)), 2),
    "abs": (sympy.Abs, 1),
    "min": (lambda a, b: sympy.Min(a, b), 2),
    "max": (lambda a, b: sympy.Max(a, b), 2),
}

PRESETS: dict[str, tuple[str, ...]] = {
    "arithmetic": ("add", "sub", "mul", "div"),
    "polynomial": ("add", "sub", "mul", "square", "cube"),
    "trigonometric": ("add", "sub", "mul", "div", "sin", "cos", "tan"),
    "default": ("add", "sub", "mul", "div", "square", "exp", "log", "sqrt", "sin", "cos"),
    "full": tuple(_SHIPPED),
}

_made: dict[str, Operator] = {}


def shipped(name: str) -> Operator:
    """The shipped operator of that name.

    `log` and `sqrt` of a negative number are NaN, which rejects the candidate; `log_abs` is defined
    on both sides of zero and has the same derivative 1/a. `pow` needs a positive base unless the
    exponent is a whole number: `square` to `pow5` have no such limit.

    Args:
        name: one of the keys printed by the error message.

    Returns:
        The operator; always the same object for the same name.

    Raises:
        ValueError: there is no operator of that name.

    Example:

    >>> shipped("tanh").partials
    (1 - value**2,)
    """
    if name not in _SHIPPED:
        raise ValueError(
            f"There is no operator or preset named {name!r}. Operators: {', '.join(_SHIPPED)}. "
            f"Presets: {', '.join(PRESETS)}. For another function make an `Operator`. "
            f"Received: {name!r}"
        )
    if name not in _made:
        function, complexity = _SHIPPED[name]
        _made[name] = Operator._of_package(name, function, complexity)
    return _made[name]
