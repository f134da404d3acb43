#!/usr/bin/env python3
"""Train small Siamese encoders for latent systems and save them in `examples/models`.

    scripts/training/train_latent.py [--systems 002 007 008] [--seed N] [--out DIR]

For each system it writes `<id>.keras` (weights only, no optimizer state) and `<id>.csv` (3,000
anchors, with a header). The table at the end says how good each encoder is: how far its gradients
are from the true invariant's on fresh anchors, in full space and on the data's tangent space.

One recipe for all systems, that of `examples/siamese.py`: three swish layers of 64, 40,960
triplets, batches of 256, 20 epochs, Adam with a cosine decay from 1e-2, and a loss that counts in
decades. A triplet that reaches farther than 5 standard deviations from the anchors is
drawn again: conjugation with a nearly singular matrix and boosts near the speed of light throw
points a thousand times as far, and a handful of these would make up all of a mean square.

`train_as_published` is the recipe of the paper, but for its epochs (20 for 100 to 300), its
activation, which may be another, and the reach of triplets: three layers of 256 on inputs as they
are, 50,000 triplets, triplet margin loss, Adam at 1e-3 with a weight decay of 1e-4. The benchmark
compares what the two make of steps off the surface that the data lie on.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

import keras
import numpy as np
import siamese

from keras_symgrad.datasets import LATENT_SYSTEMS, LatentSystem, tangent_error
from keras_symgrad.neurons import Neuron

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("002", "007", "008")
TRIPLETS = 40_960
EPOCHS = 20
PUBLISHED_TRIPLETS = 50_000
REACH = 5.0
# Published, for networks of the published activation.
WIDTHS = {"relu": 256}
WIDTH = 64
KEPT_ROWS = 3_000
FRESH = 1_000_003


def triplets_of(system: LatentSystem, rows: int, seed: int) -> np.ndarray:
    """Triplets within reach, of shape `(rows, 3, variables)`."""
    found: list[np.ndarray] = []
    while sum(map(len, found)) < rows:
        # The step keeps the seeds of one network from meeting those of the next.
        drawn = np.stack(system.triplets(rows, seed + 7919 * len(found)), axis=1)
        anchors = drawn[:, 0]
        near = np.abs(drawn - anchors.mean(axis=0)) < REACH * anchors.std()
        found.append(drawn[near.all(axis=(1, 2))])
    return np.concatenate(found)[:rows].astype(np.float32)


def train(
    system: LatentSystem, activation: str = "swish", *, seed: int, epochs: int = EPOCHS
) -> keras.Sequential:
    """An encoder trained on fresh triplets; the same seed gives the same encoder."""
    keras.utils.set_random_seed(seed)
    triplets = triplets_of(system, TRIPLETS, seed)
    encoder = siamese.encoder_for(triplets[:, 0], WIDTHS.get(activation, WIDTH), activation)
    siamese.train(encoder, triplets, epochs)
    return encoder


class MarginSiamese(siamese.Siamese):
    """Model that trains with the triplet margin loss.

    mean max(0, |z_a - z_p| - |z_a - z_n| + 1)
    """

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        anchor, positive, negative = (y_pred[:, k] for k in range(3))
        wrong = keras.ops.abs(anchor - positive) - keras.ops.abs(anchor - negative)
        return keras.ops.mean(keras.ops.relu(wrong + 1.0))


def train_as_published(
    system: LatentSystem, activation: str = "relu", *, seed: int, epochs: int = EPOCHS
) -> keras.Sequential:
    """An encoder trained by the paper's recipe; the same seed gives the same encoder."""
    keras.utils.set_random_seed(seed)
    triplets = triplets_of(system, PUBLISHED_TRIPLETS, seed)
    hidden = [keras.layers.Dense(WIDTHS["relu"], activation, name=f"hidden_{k}") for k in (1, 2, 3)]
    encoder = keras.Sequential(
        [keras.Input((len(system.names),)), *hidden, keras.layers.Dense(1, name="latent")]
    )
    pairs = MarginSiamese(encoder)
    pairs.compile(
        keras.optimizers.Adam(1e-3, weight_decay=1e-4), jit_compile=True, steps_per_execution=32
    )
    whole = len(triplets) // 256 * 256
    pairs.fit(triplets[:whole], batch_size=256, epochs=epochs, verbose=0)
    return encoder


RECIPES = {"own": train, "published": train_as_published}


def load_or_train(
    system: LatentSystem, activation: str, seed: int, folder: Path | None, recipe: str = "own"
) -> keras.Model:
    """A freshly trained encoder, or the same one as last time from the folder."""
    name = "-".join((system.id, activation, *([recipe] if recipe != "own" else []), str(seed)))
    path = folder / f"{name}.keras" if folder else None
    if path and path.exists():
        return keras.models.load_model(path)
    encoder = RECIPES[recipe](system, activation, seed=seed)
    if path:
        folder.mkdir(parents=True, exist_ok=True)
        encoder.save(path)
    return encoder


def errors_of(encoder: keras.Model, system: LatentSystem, rows: int = 5_000) -> tuple[float, float]:
    """Errors of the gradients' directions on fresh anchors: in full space, on the tangent space."""
    x = system.points(rows, seed=FRESH)
    gradients = Neuron.of(encoder).values_and_gradients(x)[1]
    truth = system.gradients(x)
    return tangent_error(gradients, truth), tangent_error(gradients, truth, system.tangent)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", choices=LATENT_SYSTEMS, default=SHIPPED)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "models")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    table = []
    for system in (LATENT_SYSTEMS[id] for id in options.systems):
        start = time.perf_counter()
        encoder = train(system, seed=options.seed)
        seconds = time.perf_counter() - start
        encoder.save(options.out / f"{system.id}.keras")
        np.savetxt(
            options.out / f"{system.id}.csv",
            system.points(KEPT_ROWS, seed=options.seed + FRESH),
            fmt="%.7g",
            delimiter=",",
            header=",".join(system.names),
            comments="",
        )
        table.append((system, *errors_of(encoder, system)))
        print(f"trained {system.id} in {seconds:.0f} s", flush=True)

    print(f"\n{'system':8}{'invariant':20}{'1-|cos| in full':>17}{'on the data':>13}")
    for system, full, tangent in table:
        print(f"{system.id:8}{system.title:20}{full:17.2e}{tangent:13.2e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
