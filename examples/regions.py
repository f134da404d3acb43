"""A network that computes different things in different parts of its data.

    python examples/regions.py

The network in `models/switch.keras` learned x1*x2 where x3 > 0, and x1 + x2**2 elsewhere. No single
formula fits it; two do, each in its region.
"""

from pathlib import Path

import numpy as np

import keras_symgrad as ks

models = Path(__file__).parent / "models"
concept = ks.interpret(models / "switch.keras", models / "switch.csv", time_limit=5, verbose=False)

print(concept.headline)
for region in concept.regions:
    print(region)
print(concept.regions.remainder)

print("\nWhere the best single formula is near the network:")
print(concept.holds)

print("\nAll regions as one Python function:")
print(concept.regions.to_formula().to_python())

layer = concept.regions.to_layer(smoothness=0.05)
print("A layer with smooth gates, at two points:")
print(np.asarray(layer(np.array([[1.0, 2.0, 1.0], [1.0, 2.0, -1.0]])))[:, 0].round(2))
