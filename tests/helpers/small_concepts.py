"""Interpretations that several tests look at, each searched for once in a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from keras_symgrad import Sampling, Search
from keras_symgrad.api.interpret import interpret
from keras_symgrad.api.interpret_classes import interpret_classes
from keras_symgrad.api.interpret_jointly import interpret_jointly
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.neurons.neuron import Neuron
from keras_symgrad.results.class_interpretation import ClassInterpretation
from keras_symgrad.results.interpretation import Interpretation
from keras_symgrad.results.joint_interpretation import JointInterpretation
from keras_symgrad.search.core.stopping import Stopping

MODELS = Path(__file__).parents[2] / "examples" / "models"
# Names that would be markup in HTML, XML, Markdown or LaTeX.
NAMES = ("<script>alert('x')</script>", '$b$ | & "c" --> ]]> ` _')
QUICK = {
    "operators": "polynomial",
    "search": Search(methods="dictionary", stopping=Stopping(None, generations=1)),
    "verbose": False,
}


@cache
def network() -> keras.Model:
    """A network that was trained on x1**2 + 2*x2**2 > 1."""
    return keras.models.load_model(MODELS / "A1.keras")


@cache
def points() -> np.ndarray:
    return np.loadtxt(MODELS / "A1.csv", delimiter=",", skiprows=1)


@cache
def classifier() -> Interpretation:
    """The ellipse's network, its columns under hostile names."""
    return interpret(network(), pd.DataFrame(points(), columns=NAMES), **QUICK)


@cache
def regressor() -> Interpretation:
    """A neuron of four variables that decides nothing, falls with its formula and ignores one."""
    neuron = Neuron(
        "energy", lambda x: -tf.tanh(x[:, 0] ** 2 + x[:, 1] * x[:, 2]), inputs=4, dtype="float64"
    )
    x = np.random.default_rng(0).uniform(0.1, 1, size=(800, 4))
    return interpret(neuron, x, names=["p", "q", "r", "s"], sampling=Sampling(rows=400), **QUICK)


@cache
def without_values() -> Interpretation:
    """Gradients that came without a network and without values."""
    field = GradientField.from_gradients(points()[:400], points()[:400] * [2, 6], names=["a", "b"])
    return interpret(field, **QUICK)


@cache
def of_classes() -> ClassInterpretation:
    """Three classes under hostile names, two of which never meet."""
    x = keras.Input((2,))
    u = x[:, :1] + x[:, :1] * x[:, 1:]
    scores = keras.layers.Concatenate()([9 * u - 9, 0 * u, -9 * u - 9])
    model = keras.Model(x, scores, name="between")
    data = pd.DataFrame(np.random.default_rng(0).uniform(-2, 2, (800, 2)), columns=NAMES)
    return interpret_classes(
        model, data, classes=[*NAMES, "last"], sampling=Sampling(rows=400), **QUICK
    )


@cache
def joint() -> JointInterpretation:
    """Two neurons that mix a product with a third variable."""
    pair = [
        Neuron("sum", lambda x: tf.exp(x[:, 0] * x[:, 1] + x[:, 2]), inputs=3),
        Neuron("<i>difference</i>", lambda x: x[:, 0] * x[:, 1] - x[:, 2] ** 3, inputs=3),
    ]
    x = np.random.default_rng(0).uniform(1, 2, (800, 3))
    return interpret_jointly(pair, x, names=[*NAMES, "c"], sampling=Sampling(rows=400), **QUICK)
