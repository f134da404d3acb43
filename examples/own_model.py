"""
Title: What did my classifier learn?
Description: Train a small network on a table, then read its decision as a formula.
Accelerator: None
"""

"""
## Introduction

A network learns from examples who is overweight. It sees height, weight and age, and is never told
about the body-mass index, weight / height^2, nor that the line is drawn at 25 kg/m^2. `interpret`
looks at the trained network alone, without labels, and says what it computes.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import pandas as pd

import keras_symgrad as ks

keras.utils.set_random_seed(0)

"""
## The data

20,000 people made up at random. One in a hundred labels is wrong by a little: the index is blurred
by 1 % before it is compared with 25.
"""

rng = np.random.default_rng(0)
people = pd.DataFrame(
    {
        "height": rng.uniform(140, 210, 20_000),  # cm
        "weight": rng.uniform(40, 140, 20_000),  # kg
        "age": rng.uniform(18, 90, 20_000),
    }
)
index = people["weight"] / (people["height"] / 100) ** 2
overweight = (index * rng.normal(1, 0.01, len(people)) > 25).astype("float32")

"""
## The network

Nothing special: it scales its inputs, and ends in a sigmoid. Smooth activations such as ELU or tanh
have smooth gradients, which is what formulas are read from.
"""

scaling = keras.layers.Normalization()
scaling.adapt(people.to_numpy("float32"))
model = keras.Sequential(
    [
        keras.Input((3,)),
        scaling,
        keras.layers.Dense(64, activation="elu"),
        keras.layers.Dense(64, activation="elu"),
        keras.layers.Dense(64, activation="elu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ],
    name="overweight",
)
epochs, batch = 40, 256
rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(people) // batch)
model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
model.fit(people, overweight, batch_size=batch, epochs=epochs, verbose=0)
print(f"accuracy of the network: {model.evaluate(people, overweight, verbose=0)[1]:.2%}\n")

"""
## The interpretation

The names of the variables come from the DataFrame. The search ends after 20 seconds, or as soon as
it has long found nothing better.
"""

concept = ks.interpret(model, people, time_limit=20)
print(concept)

"""
## How to read it

The table is the Pareto front: the best formula of each complexity, judged by how well the direction
of its gradient matches the network's. The loss falls steeply until the formula is right, and hardly
afterwards: what comes below `best` fits the network's own errors.

The rule is in centimetres, so height^2/weight < 400 says that the index is above 10000/400 = 25.
Height^2/weight and weight/height^2 are the same concept: one is a monotone function of the other,
and which one a network has inside cannot be told from its decisions. Age does not occur.
"""

print(f"\nthe rule in LaTeX: {concept.rule.latex}")
print(f"the threshold as an index: {10_000 / concept.rule.threshold:.1f} kg/m^2")
