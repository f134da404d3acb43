"""Neurons of Keras models as differentiable functions of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras_symgrad.lazy import lazy_imports

if TYPE_CHECKING:
    from keras_symgrad.neurons.activations import is_softmax
    from keras_symgrad.neurons.batches import in_batches
    from keras_symgrad.neurons.class_logits import ClassLogits
    from keras_symgrad.neurons.inputs import Inputs, InputWidthError
    from keras_symgrad.neurons.loading import (
        SavedFunction,
        arguments_of,
        kind_by_loss,
        load,
        load_model,
    )
    from keras_symgrad.neurons.neuron import Neuron
    from keras_symgrad.neurons.preprocessing import Preprocessing
    from keras_symgrad.neurons.quantities import Quantities
    from keras_symgrad.neurons.tracing import LayerChoice, layer_path
    from keras_symgrad.neurons.unit_index import Unit, only_tensor
else:
    __getattr__, __dir__ = lazy_imports(__name__)

__all__ = [
    "ClassLogits",
    "InputWidthError",
    "Inputs",
    "LayerChoice",
    "Neuron",
    "Preprocessing",
    "Quantities",
    "SavedFunction",
    "Unit",
    "arguments_of",
    "in_batches",
    "is_softmax",
    "kind_by_loss",
    "layer_path",
    "load",
    "load_model",
    "only_tensor",
]
