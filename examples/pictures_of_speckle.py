"""
Title: What does a convolutional network see?
Description: A formula in features that you name, instead of one in 64 pixels.
Accelerator: None
"""

"""
## Introduction

The network in `models/speckle.keras` tells coarse speckle from fine, in pictures of 8 by 8 pixels.
A formula in 64 pixels would say nothing to anybody. In terms of quantities that mean something, it
may: here the mean and the variance of a picture.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import keras_symgrad as ks

"""
## The pictures

Each has a brightness and a contrast of its own. The network was trained on pictures like these,
with labels that say whether the contrast is above 0.35.
"""

rng = np.random.default_rng(1)
brightness = rng.uniform(0.4, 1.0, size=(4000, 1, 1, 1))
contrast = rng.uniform(0.1, 0.6, size=(4000, 1, 1, 1))
pictures = brightness * (1 + contrast * rng.normal(size=(4000, 8, 8, 1)))
model = keras.models.load_model(Path(__file__).parent / "models" / "speckle.keras")

"""
## Features of your own

Any functions that TensorFlow can differentiate, from a picture to a number. The network's gradient
by the pixels is compared with the formula's, which the chain rule takes through the features.
"""


def features(picture):
    return tf.stack(tf.nn.moments(picture, axes=[1, 2, 3]), axis=1)


named = ks.Quantities(features, names=["mean", "variance"], shape=(8, 8, 1))
concept = ks.interpret(model, pictures, time_limit=15, sampling=ks.Sampling(in_terms_of=named))
print(concept)

"""
The contrast is the root of variance / mean^2, and an invertible function of a formula is the same
concept. "explained" says how much of the gradient by the pixels these two features can account for
at all: the rest is what this network makes of single pixels.
"""

if concept.rule:
    # Variance by mean^2, or the other way round.
    ratio = min(concept.rule.threshold, 1 / concept.rule.threshold)
    print(f"\nthe threshold is a contrast of {ratio**0.5:.3f}")

"""
## Units inside

A unit inside of the network is read in the same terms. One of a convolution is named by its
position: row, column and channel. This one sees four pixels, so a formula in the features of the
whole picture explains next to nothing of it, and the result says so.
"""

patch = ks.interpret(
    model,
    pictures,
    layer="patches",
    unit=(1, 2, 0),
    time_limit=5,
    sampling=ks.Sampling(in_terms_of=named),
)
print(f"\n{patch}")
