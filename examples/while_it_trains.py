"""
Title: What does my network know by now?
Description: Watch the formula of a network appear while it is trained, and stop when it is settled.
Accelerator: None
"""

"""
## Introduction

A network learns which points lie outside of an ellipse. Its accuracy says how often it is right;
the formula says what it is right about. `ConceptMonitor` is a Keras callback that reads it every
few epochs, in about a second each time.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np

import keras_symgrad as ks

keras.utils.set_random_seed(0)

"""
## The data and the network
"""

x = np.random.default_rng(0).uniform(-2, 2, (5_000, 2))
y = x[:, 0] ** 2 + 2 * x[:, 1] ** 2 > 1

model = keras.Sequential(
    [
        keras.Input((2,)),
        keras.layers.Dense(32, activation="elu"),
        keras.layers.Dense(32, activation="elu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")

"""
## Train and watch

Each reading is printed: the rule, what may be promised of it, how many degrees its gradients are
off, and how often it decides as the network does. With `patience=2`, training would stop once the
formula is called a concept and has stayed the same for two more readings.
"""

monitor = ks.callbacks.ConceptMonitor(x, every=5, patience=2, csv_file="readings.csv")
model.fit(x, y, batch_size=64, epochs=20, verbose=0, callbacks=[monitor])

"""
## How it went

`monitor.history` has the readings, `monitor.concept` the last one as `interpret` returned it, and
`monitor.plot()` draws complexity, angle and fidelity over the epochs. The same numbers go to a CSV
file with `csv_file=`, and to TensorBoard with `log_dir=`.
"""

monitor.plot().savefig("while_it_trains.png")
print(f"the angle went from {monitor.history[0].angle:.1f} to {monitor.history[-1].angle:.1f}")
