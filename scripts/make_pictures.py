"""Makes the README's picture: what the network shows, and the formula read from it.

.venv/bin/pip install -c constraints.txt matplotlib
.venv/bin/python scripts/make_pictures.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from keras_symgrad import GradientField, Neuron, Stopping, interpret

ROOT = Path(__file__).resolve().parent.parent
MODEL, DATA = ROOT / "examples/models/A1.keras", ROOT / "examples/models/A1.csv"


def main() -> None:
    """Interprets the ellipse's network and draws both sides."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    neuron = Neuron.of(MODEL)
    field = GradientField.from_neuron(neuron, DATA, rows=160)
    concept = interpret(
        neuron, DATA, stopping=Stopping(time_limit=None, generations=20), verbose=False
    )

    axis = np.linspace(-1, 1, 201)
    grid = np.stack([v.ravel() for v in np.meshgrid(axis, axis)], axis=1)
    sides = {
        "the network: directions of its gradients": neuron.values_and_gradients(grid)[0],
        f"the formula: ${concept.rule.latex}$": concept.best(grid) - concept.rule.threshold,
    }
    figure, panels = plt.subplots(1, 2, figsize=(9, 4.4), sharey=True, layout="constrained")
    for panel, (title, values) in zip(panels, sides.items()):
        decision = np.sign(values).reshape(201, 201)
        panel.contourf(axis, axis, decision, levels=[-2, 0, 2], colors=["#f3e9dc", "#dce9f3"])
        panel.contour(axis, axis, decision, levels=[0], colors="#23527c", linewidths=1.5)
        panel.set(title=title, xlabel="x1", aspect="equal")
    panels[0].quiver(*field.points.T, *field.directions.T, color="#b03a2e", width=0.004, scale=18)
    panels[0].set_ylabel("x2")
    path = ROOT / "examples/pictures/ellipse.png"
    figure.savefig(path, dpi=110)
    print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
