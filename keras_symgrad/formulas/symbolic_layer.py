"""`SymbolicLayer`: a formula as a Keras layer with trainable constants."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np
import sympy
import tensorflow as tf
from deap import gp

from keras_symgrad.expressions import OperatorSet, symbol
from keras_symgrad.expressions.codegen import anonymous, differentiate, tensorflow_function
from keras_symgrad.expressions.formats import from_text, to_text
from keras_symgrad.files import listed_names
from keras_symgrad.gradients import OwnUnits, checked_units


@keras.saving.register_keras_serializable(package="keras_symgrad")
class SymbolicLayer(keras.layers.Layer):
    """Layer that computes a formula of its input's columns.

    Every float in the formula becomes one entry of the weight vector `constants` and starts at its
    written value; whole numbers and fractions, such as exponents, are fixed. Values where the
    formula is undefined, such as the logarithm of a negative number, are NaN.

    A saved model holds the formula's text, which is parsed and never run. `keras.saving.load_model`
    needs this class: import it first.

    Args:
        expression: a SymPy expression, its text, a tree together with `operators`, or anything
            with the attributes `expression` and `names`, such as a result of the search.
        names: names of the input's columns in order. By default those of the result; or the
            symbols of the SymPy expression, x2 before x10.
        operators: operator set of a tree or a text.
        trainable: whether training changes the constants.
        units: offset and scale by the name of a column, for a formula in
            `(column - offset) / scale`. Training does not change them. By default those of the
            result.
        **kwargs: arguments of every Keras layer, such as `name` and `dtype`.

    Input shape:
        `(batch, columns)`, or more axes in between.

    Output shape:
        `(batch, 1)`: the last axis becomes 1.

    Raises:
        ValueError: the expression is invalid, holds a symbol that is not among the names, or has no
            TensorFlow code; the names are missing or not unique; the input has another width.

    Example:

    >>> import numpy as np
    >>> layer = SymbolicLayer("x1**2 + 2.5*x2", names=["x1", "x2"])
    >>> np.asarray(layer(np.array([[1.0, 2.0], [3.0, 0.0]]))).tolist()
    [[6.0], [9.0]]
    >>> np.asarray(layer.symbolic_gradient(np.array([[3.0, 0.0]]))).tolist()
    [[6.0, 2.5]]
    >>> far = SymbolicLayer("x1**2", names=["x1"], units={"x1": (1e6, 1e-3)})
    >>> np.asarray(far(np.array([[1e6 + 0.5]]))).round(-1).tolist(), far.expression
    ([[250000.0]], 1000000.0*(x1 - 1000000)**2)
    """

    def __init__(
        self,
        expression: sympy.Expr | str | gp.PrimitiveTree | object,
        names: Sequence[str] | None = None,
        operators: OperatorSet | None = None,
        trainable: bool = True,
        units: Mapping[str, Sequence[float]] | None = None,
        **kwargs: Any,
    ):
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "`SymbolicLayer` computes with TensorFlow. Set KERAS_BACKEND=tensorflow before "
                f"Keras is imported. Received: backend='{keras.backend.backend()}'"
            )
        super().__init__(trainable=trainable, **kwargs)
        # A formula in rescaled variables: see `ScaledFormula`.
        if units is None and isinstance(getattr(expression, "units", None), OwnUnits):
            scaled: Any = expression
            names = scaled.names if names is None else names
            units, expression = scaled.units.units, scaled.own
        text, names = _text_and_names(expression, names, operators)
        self.names = names
        self._units = checked_units(units or {}, names)
        # A formula is always read from its text, so that a layer and its reloaded copy number their
        # constants alike.
        self._text = text
        self._template, self._initial = _with_constants_apart(from_text(text, names))
        self._code = self._compiled([self._template])
        self.constants = None
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weight `constants`.

        Args:
            input_shape: shape of the input; its last axis must be as wide as there are names.
        """
        width = len(self.names)
        if input_shape[-1] != width:
            raise ValueError(
                f"Layer '{self.name}' computes a formula of {width} columns "
                f"({listed_names(self.names)}), but its input has {input_shape[-1]}. Select these "
                f"columns in this order. Received: input_shape={tuple(input_shape)}"
            )
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: width})
        if self._initial:
            self.constants = self.add_weight(
                name="constants",
                shape=(len(self._initial),),
                initializer=lambda shape, dtype: tf.constant(self._initial, dtype=dtype),
                trainable=True,
            )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """The formula's values.

        Args:
            inputs: tensor of shape `(batch, columns)`.

        Returns:
            Tensor of shape `(batch, 1)`.
        """
        return self._evaluate(self._code, inputs)

    def symbolic_gradient(self, inputs: tf.Tensor | np.ndarray) -> tf.Tensor:
        """The formula's gradient, by `sympy.diff` and not by a tape.

        At a kink, as in |x| at 0, it is the mean of the slopes on both sides.

        Args:
            inputs: points of shape `(batch, columns)`.

        Returns:
            Tensor of shape `(batch, columns)`, one partial derivative a column.
        """
        inputs = keras.ops.convert_to_tensor(inputs)
        if not self.built:
            self.build(tuple(inputs.shape))
        by_scale = 1 / tf.constant(self._units.scales, self.compute_dtype)
        return self._evaluate(self._gradient_code, inputs) * by_scale

    @property
    def expression(self) -> sympy.Expr:
        """The formula with the present values of the constants."""
        values = self._initial
        if values and self.built:
            # The shortest decimals that are the same float: 0.1, not 0.10000000149.
            values = [float(str(value)) for value in np.asarray(self.constants)]
        own = self._template.xreplace(
            {symbol: sympy.Float(value) for symbol, value in zip(self._symbols, values)}
        )
        return self._units.in_users(own)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the output: the last axis becomes 1."""
        return (*input_shape[:-1], 1)

    def get_config(self) -> dict[str, Any]:
        """Configuration for `from_config`: the formula as text, parsed but never run."""
        config = {**super().get_config(), "expression": self._text, "names": list(self.names)}
        if self._units.units:
            config["units"] = {name: list(unit) for name, unit in self._units.units.items()}
        return config

    @property
    def _symbols(self) -> list[sympy.Symbol]:
        return [_constant(index) for index in range(len(self._initial))]

    @cached_property
    def _gradient_code(self) -> Callable[..., Any]:
        return self._compiled([differentiate(self._template, symbol(name)) for name in self.names])

    def _compiled(self, expressions: list[sympy.Expr]) -> Callable[..., Any]:
        # Names may come from a file: generated code holds numbered symbols only.
        symbols = [*map(symbol, self.names), *self._symbols]
        arguments, expressions = anonymous(expressions, symbols)
        try:
            code = tensorflow_function(arguments, expressions, fast=False)
            code(*[tf.constant([[0.5]])] * len(self.names), *map(tf.constant, self._initial))
        except Exception as error:
            raise ValueError(
                "The formula has no TensorFlow code. Write it with functions such as exp, log, "
                f"sqrt, sin, cos, tanh, Abs, Max, Min or Piecewise. Received: {self._text} "
                f"({type(error).__name__}: {error})"
            ) from None
        return code

    def _evaluate(self, code: Callable[..., Any], inputs: tf.Tensor | np.ndarray) -> tf.Tensor:
        inputs = tf.cast(inputs, self.compute_dtype)
        if self._units.units:
            offsets, scales = (
                tf.constant(numbers, inputs.dtype)
                for numbers in (self._units.offsets, self._units.scales)
            )
            # Offsets are subtracted first, so that close numbers lose no digits.
            inputs = (inputs - offsets) / scales
        columns = tf.split(inputs, len(self.names), axis=-1)
        constants = []
        if self._initial:
            constants = tf.unstack(tf.cast(tf.convert_to_tensor(self.constants), inputs.dtype))
        # A result without columns is a number: it gets the shape and dtype of a column.
        like = tf.zeros_like(columns[0])
        values = [like + value for value in code(*columns, *constants)]
        return tf.concat(values, axis=-1)


def _constant(index: int) -> sympy.Dummy:
    return sympy.Dummy(f"c{index}", dummy_index=1_000_000 + index, real=True)


def _text_and_names(
    expression: object, names: Sequence[str] | None, operators: OperatorSet | None
) -> tuple[str, tuple[str, ...]]:
    if not isinstance(expression, (str, sympy.Basic, gp.PrimitiveTree)) and hasattr(
        expression, "expression"
    ):
        names = getattr(expression, "names", None) if names is None else names
        expression = expression.expression
    if names is None and isinstance(expression, sympy.Expr):
        names = sorted((s.name for s in expression.free_symbols), key=_natural_order)
    if not names or isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ValueError(
            "`SymbolicLayer` needs the `names` of its input's columns, such as ['x1', 'x2']. "
            f"Received: names={names!r}"
        )
    names = tuple(names)
    if len(set(names)) != len(names):
        raise ValueError(f"The `names` of the columns must differ. Received: names={names}")
    if isinstance(expression, str):
        # The text of a saved layer is not changed.
        if operators is None:
            return expression, names
        return to_text(from_text(expression, names, operators), names=names), names
    unknown = {s.name for s in getattr(expression, "free_symbols", ())} - set(names)
    if unknown:
        raise ValueError(
            f"The formula holds {', '.join(sorted(unknown))}, but the columns are named "
            f"{listed_names(names)}. Received: expression={expression}"
        )
    return to_text(expression, operators, names=names), names


def _natural_order(name: str) -> list[Any]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _with_constants_apart(expression: sympy.Expr) -> tuple[sympy.Expr, tuple[float, ...]]:
    """The formula with a symbol in place of every float, and the floats."""
    values: list[float] = []

    def rebuilt(part: sympy.Basic) -> sympy.Basic:
        if isinstance(part, sympy.Float):
            values.append(float(part))
            return _constant(len(values) - 1)
        if isinstance(part, sympy.Pow) and part.exp.is_Float and float(part.exp).is_integer():
            # x**2.0 is a square: a trained exponent of 2.01 would be undefined for x < 0.
            return rebuilt(part.base) ** int(part.exp)
        return part.func(*map(rebuilt, part.args)) if part.args else part

    return rebuilt(expression), tuple(values)
