"""`ClassLogits`: the inputs of a classifier's softmax."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from keras_symgrad.neurons import activations, graph_cleanup, loading, tracing, validation
from keras_symgrad.neurons.batches import in_batches
from keras_symgrad.neurons.inputs import Inputs
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.neurons.unit_index import only_tensor

# Outputs whose sum is this close to 1 are probabilities.
SUM_TOLERANCE = 1e-3
BATCH = 8192


@dataclass(frozen=True, eq=False)
class ClassLogits:
    """The scores z of the classes, of which the largest decides.

    The difference of two is the logit of one class against the other:

        z_k - z_j = log p_k - log p_j

    Args:
        name: of the model or layer.
        function: `(rows, inputs) -> (rows, classes)`.
        classes: number of classes.
        inputs: number of input columns.
        dtype: of the input.
        names: of the columns by the model's several inputs, or `None`.

    Example:

    >>> model = keras.Sequential(
    ...     [keras.Input((2,)), keras.layers.Dense(3, activation="softmax")], name="net"
    ... )
    >>> scores = ClassLogits.of(model)
    >>> scores.classes, scores.pair(2, 0).name
    (3, 'net/output[2-0]')
    """

    name: str
    function: Callable[[tf.Tensor], tf.Tensor]
    classes: int
    inputs: int
    dtype: str
    names: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        model: keras.Layer | str | os.PathLike[str],
        layer: tracing.LayerChoice = None,
        signature: str | None = None,
    ) -> ClassLogits:
        """Extract the scores of a model, from before its softmax.

        Args:
            model: a Keras model or the path of one. For outputs that are probabilities without a
                softmax layer, the logarithms are taken.
            layer: of the scores, or the name of an output of several.
            signature: of a SavedModel that has several.

        Returns:
            The `ClassLogits`.

        Raises:
            ValueError: the output is not one score for each of two or more classes.
        """
        model, _ = loading.opened(model, signature)
        if isinstance(model, loading.SavedFunction):
            taken, output = model.inputs(None), model.output(tracing.layer_path(None, layer))
            dtype, name = model.dtype, f"{model.name}/{layer or 'output'}"

            def function(x: tf.Tensor) -> tf.Tensor:
                return model.function(taken(x))[output]
        else:
            taken, dtype = Inputs.of(model), model.variable_dtype
            _, target = taken.tried(lambda x: tracing.find(model, taken(x), layer), dtype)
            last = activations.last_activation(target.call)
            name = f"{model.name}/{'output' if layer is None else target.path}"
            if last is not None and activations.is_sigmoid(last.function):
                raise ValueError(
                    f"'{name}' ends in a sigmoid: each unit is a classifier of its own, and none "
                    "is chosen among them. Use `interpret(model, x, unit=k)`."
                )
            is_bare = last is not None and activations.is_softmax(last.function)
            ending = last if is_bare else None

            def function(x: tf.Tensor) -> tf.Tensor:
                call = target.again(model, taken(x))
                if ending is None:
                    return only_tensor(call.output, f"'{name}'")
                return ending.before(call)

        rows, values = taken.tried(function, dtype)
        if values.shape.rank != 2 or values.shape[1] < 2:
            raise ValueError(
                f"Expected one score for each of two or more classes. '{name}' has the shape "
                f"{(None, *values.shape[1:])}. A classifier of one output is read by `interpret`."
            )
        scores = cls(name, function, values.shape[1], taken.known_columns, dtype, taken.names)
        if _are_probabilities(values.numpy()):
            tiny = np.finfo(values.dtype.as_numpy_dtype).tiny
            scores = cls(
                name,
                lambda x: tf.math.log(tf.maximum(function(x), tiny)),
                scores.classes,
                taken.known_columns,
                dtype,
                taken.names,
            )
        validation.validate(name, scores.pair(1, 0).function, rows)
        return scores

    def pair(self, k: int, j: int) -> Neuron:
        """The logit of class k against class j, a classifier of two.

        Args:
            k: the positive class.
            j: the other class.

        Returns:
            A `Neuron`.
        """

        def difference(x: tf.Tensor) -> tf.Tensor:
            z = self.function(x)
            return z[:, k] - z[:, j]

        return Neuron(
            f"{self.name}[{k}-{j}]", difference, self.inputs, True, self.dtype, self.names
        )

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The scores at points, `(rows, classes)`.

        Args:
            x: points of shape `(rows, inputs)`.
        """
        x = np.asarray(x, self.dtype)
        scores = np.empty((len(x), self.classes), self.dtype)
        for rows, batch in in_batches(x, BATCH):
            scores[rows] = self._compiled(tf.constant(batch)).numpy()[: rows.stop - rows.start]
        return scores

    @cached_property
    def _compiled(self) -> Callable[[tf.Tensor], tf.Tensor]:
        signature = [tf.TensorSpec((None, self.inputs), self.dtype)]
        compiled = tf.function(self.function, autograph=False, input_signature=signature)
        return graph_cleanup.end_with(compiled.get_concrete_function())


def _are_probabilities(values: np.ndarray) -> bool:
    return bool(np.all(values >= 0) and np.allclose(values.sum(axis=1), 1, atol=SUM_TOLERANCE))
