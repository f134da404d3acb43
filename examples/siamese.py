"""
Title: What does a Siamese network find in common?
Description: Train an encoder on pairs of moments of one motion, and read the conserved quantity.
Accelerator: None
"""

"""
## Introduction

A Siamese network sees triplets: an anchor, a positive that shares something with it, a negative
that does not. It is never told what is shared. Here anchor and positive are one oscillator at two
times, x'' = -(x + x^3), so what they share is their energy, v^2/2 + x^2/2 + x^4/4. The encoder has
a single latent number, and `interpret` says what that number is.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np

"""
## The model

The encoder maps each of the three points to a number z. The triplet loss asks that anchor and
positive are closer than anchor and negative, counted in decades:

    - mean log(1 + (z_a - z_n)^2 / mean (z_a - z_p)^2)

Only ratios count, so z may have any scale and there is no margin to choose. A margin is met one
day, and then nothing is learned any more; here every halving of the difference between anchor and
positive is worth the same, and an encoder's gradients are read best where z is most exact. The
logarithm of each triplet also keeps a few that lie far apart from ruling the others.
"""


class Siamese(keras.Model):
    """Model that trains an encoder on triplets of shape `(rows, 3, variables)`."""

    def __init__(self, encoder: keras.Model, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder

    def call(self, triplets):
        return keras.ops.concatenate([self.encoder(triplets[:, k]) for k in range(3)], axis=1)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        anchor, positive, negative = (y_pred[:, k] for k in range(3))
        near = keras.ops.mean(keras.ops.square(anchor - positive)) + 1e-12
        return -keras.ops.mean(keras.ops.log1p(keras.ops.square(anchor - negative) / near))


def encoder_for(x: np.ndarray, width: int = 64, activation: str = "swish") -> keras.Sequential:
    """A small network from points like `x` to one latent number."""
    scale = 1.0 / x.std()
    return keras.Sequential(
        [
            keras.Input((x.shape[1],), name="x"),
            keras.layers.Rescaling(scale, (-scale * x.mean(axis=0)).tolist(), name="scaling"),
            keras.layers.Dense(width, activation=activation, name="hidden_1"),
            keras.layers.Dense(width, activation=activation, name="hidden_2"),
            keras.layers.Dense(width, activation=activation, name="hidden_3"),
            keras.layers.Dense(1, name="latent"),
        ]
    )


def train(encoder: keras.Model, triplets: np.ndarray, epochs: int) -> None:
    """Train an encoder with Adam and a cosine decay, compiled with XLA."""
    batch = 256
    steps = len(triplets) // batch
    rate = keras.optimizers.schedules.CosineDecay(1e-2, epochs * steps)
    siamese = Siamese(encoder)
    # Steps between returns to Python: training takes half as long, and the weights are the same.
    siamese.compile(keras.optimizers.Adam(rate), jit_compile=True, steps_per_execution=32)
    siamese.fit(triplets[: steps * batch], batch_size=batch, epochs=epochs, verbose=0)


"""
## Train, and read

Twenty seconds of training on one core.
"""

if __name__ == "__main__":
    import keras_symgrad as ks
    from keras_symgrad.datasets import LATENT_SYSTEMS

    keras.utils.set_random_seed(0)
    system = LATENT_SYSTEMS["008"]
    triplets = np.stack(system.triplets(40_960, seed=0), axis=1).astype("float32")
    encoder = encoder_for(triplets[:, 0])
    train(encoder, triplets, epochs=20)

    concept = ks.interpret(encoder, system.points(4_000, seed=1), names=system.names)
    print("latent:", concept.best.to_pretty())
    print("cosine error:", f"{concept.cosine_error:.1e}")
