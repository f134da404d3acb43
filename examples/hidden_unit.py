"""
Title: What does a hidden unit carry?
Description: Read a unit inside a network, and the network's output in terms of an earlier layer.
Accelerator: None
"""

"""
## Introduction

The network in `models/pendulum.keras` predicts how long a pendulum takes to swing once, from one
look at it: its angle and its angular velocity. That is an elliptic integral, which no short formula
says. Inside, everything has to pass a layer of one unit, `bottleneck`. What is in there?

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import numpy as np

import keras_symgrad as ks

models = Path(__file__).parent / "models"
model, points = models / "pendulum.keras", models / "pendulum.csv"

"""
## A hidden unit

A unit is named by its layer, and by `unit=` if the layer has several. It is read before its
activation, or after it with `activation=True`; a monotone one carries the same concept.
"""

energy = ks.interpret(model, points, layer="bottleneck", time_limit=20)
print(energy)

"""
It is the pendulum's energy, speed^2/2 - cos(angle), which the period depends on and nothing else
does. The unit is an invertible function of it, `phi`:
"""

print(f"\nthe unit is a function of the formula up to R2 = {energy.phi.r2:.5f}")

"""
## The output, in terms of an earlier layer

`in_terms_of` takes the name of a layer, whose units become the variables: a deep network can be
read step by step. Here a loss of zero says that nothing goes past the bottleneck, and `phi` how the
period follows from it.
"""

period = ks.interpret(model, points, time_limit=5, sampling=ks.Sampling(in_terms_of="bottleneck"))
print(f"\n{period}")
for value, seconds in zip(period.phi.knots[::16], period.phi.values[::16]):
    print(f"where the bottleneck is {value:6.2f}, the period is {seconds:5.2f}")

"""
## Quantities of your own

In place of a layer, any functions of the input that TensorFlow can differentiate: here the kinetic
and the potential energy. In their terms the concept is a plain sum.
"""

import tensorflow as tf


def kinetic_and_potential(x):
    return tf.stack([x[:, 1] ** 2 / 2, 1 - tf.cos(x[:, 0])], axis=1)


parts = ks.Quantities(kinetic_and_potential, names=["kinetic", "potential"])
total = ks.interpret(model, points, time_limit=10, sampling=ks.Sampling(in_terms_of=parts))
print(f"\n{total}")

"""
## By hand

`Neuron` is what is differentiated; it can be called like any function.
"""

neuron = ks.Neuron.of(model, layer="bottleneck")
values, gradients = neuron.values_and_gradients(np.array([[1.0, 0.5]]))
print(f"\n{neuron.name}: {values[0]:.3f}, gradient {gradients[0].round(3)}")
