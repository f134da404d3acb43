"""
Title: Pictures that lie on a surface
Description: Compare gradients along what pictures show; read a convolutional network in steps.
Accelerator: None
"""

"""
## Introduction

The pictures here are generated: one round spot each, somewhere, of some brightness. The network has
to say whether the spot lies outside of an ellipse around the middle, x^2 + 2 y^2 > 0.2. That is a
concept in features of a picture (see `pictures_of_speckle.py`), but these pictures fill next to
nothing of the space of all pictures, and what the network makes of others nobody taught it.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

import keras_symgrad as ks

keras.utils.set_random_seed(0)

"""
## The pictures

12 x 12 pixels, whose places are numbered from -1 to 1 in both directions.
"""

PIXELS = 12
places = np.linspace(-1, 1, PIXELS)


def spots(count, rng):
    centre = rng.uniform(-0.5, 0.5, (count, 2))
    brightness = rng.uniform(0.5, 1.5, count)
    across, down = np.exp(-((places - centre.T[:, :, None]) ** 2) / (2 * 0.2**2))
    pictures = brightness[:, None, None] * down[:, :, None] * across[:, None, :]
    outside = centre[:, 0] ** 2 + 2 * centre[:, 1] ** 2 > 0.2
    return pictures[..., None].astype("float32"), outside.astype("float32")


pictures, outside = spots(10_000, np.random.default_rng(0))

"""
## The network

Two convolutions, a layer of two units, and two more of 32 that make a decision of them.
"""

layers = keras.layers
model = keras.Sequential(
    [
        keras.Input((PIXELS, PIXELS, 1)),
        layers.Conv2D(8, 3, activation="elu"),
        layers.Conv2D(8, 3, strides=2, activation="elu"),
        layers.Flatten(),
        layers.Dense(2, name="place"),
        layers.Dense(32, activation="elu"),
        layers.Dense(32, activation="elu"),
        layers.Dense(1, activation="sigmoid"),
    ],
    name="spots",
)
EPOCHS = 20
rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * len(pictures) // 64)
model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
history = model.fit(pictures, outside, batch_size=64, epochs=EPOCHS, verbose=0)
print(f"accuracy on the training data: {history.history['accuracy'][-1]:.2%}")

"""
## Quantities with names

Where the middle of the spot is, and how bright it is: functions of the picture, in TensorFlow.
"""


def middle_and_brightness(picture):
    picture, place = picture[..., 0], tf.constant(places, picture.dtype)
    total = tf.reduce_sum(picture, axis=(1, 2))
    across = tf.reduce_sum(picture * place, axis=(1, 2)) / total
    down = tf.reduce_sum(picture * place[:, None], axis=(1, 2)) / total
    return tf.stack([across, down, total], axis=1)


quantities = ks.Quantities(
    middle_and_brightness, names=["across", "down", "brightness"], shape=(PIXELS, PIXELS, 1)
)

"""
## The concept

Pixels can change in 144 directions, and the pictures show three: a spot moves across,
down, or gets brighter. `ks.Sampling(tangent="local")` reads the three off neighbouring
pictures, and gradients are compared along them only.
"""

concept = ks.interpret(
    model,
    pictures,
    time_limit=20,
    sampling=ks.Sampling(in_terms_of=quantities, tangent="local", rows=500),
)
print(f"\n{concept}")

"""
In the space of all pixels the same three features explain next to nothing of the gradient:
"""

everywhere = ks.interpret(
    model, pictures, time_limit=5, sampling=ks.Sampling(in_terms_of=quantities, rows=500)
)
print(f"\nexplained: {everywhere.gradients.explained:.1%}; {everywhere.headline}")

"""
## Step by step

In terms of the units of a layer no surface is needed: everything the output depends on passes
through them. The first result says what the output makes of the two units, the others what these
see.
"""

output = ks.interpret(
    model, pictures, time_limit=15, sampling=ks.Sampling(in_terms_of="place", rows=500)
)
print(f"\n{output.headline}")
for unit in (0, 1):
    seen = ks.interpret(
        model,
        pictures,
        layer="place",
        unit=unit,
        time_limit=15,
        sampling=ks.Sampling(in_terms_of=quantities, tangent="local", rows=500),
    )
    print(f"place_{unit}: {seen.headline}   (1 - |cos| = {seen.cosine_error:.1e})")
