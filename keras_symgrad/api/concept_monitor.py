"""`ConceptMonitor`: a Keras callback that reads a neuron's formula while the network learns."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as fields_of
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from keras_symgrad.api.arguments import check_options
from keras_symgrad.api.interpret import interpret
from keras_symgrad.files import check_writable, finite_rows, read_points
from keras_symgrad.gradients import Sampling
from keras_symgrad.neurons import LayerChoice, Unit
from keras_symgrad.results import Interpretation
from keras_symgrad.results.assessment import Match
from keras_symgrad.search import Search
from keras_symgrad.search.callbacks import write_scalars, write_text_summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Defaults for a search of about a second: sums of short features, without evolution.
QUICK_SEARCH = Search(methods=("dictionary",))
FEW_ROWS = Sampling(rows=500)
QUICK_SECONDS = 1.0
# Points that are read at most.
MOST_POINTS = 2000
# Digits to which constants have to stay the same for a concept to be settled.
SETTLED_DIGITS = 2


@dataclass(frozen=True)
class ConceptReading:
    """A reading of a neuron after an epoch.

    Attributes:
        epoch: counted from 1.
        formula: the best one, or why there was none.
        complexity: of the formula; NaN if there was none.
        angle: degrees between its gradients and the neuron's, on held-out rows.
        fidelity: how well it reproduces values (R2) or decisions (agreement).
        matches: "concept", "boundary", "approximation" or "nothing".
    """

    epoch: int
    formula: str
    complexity: float
    angle: float
    fidelity: float
    matches: str

    def __str__(self) -> str:
        if not np.isfinite(self.angle):
            return f"epoch {self.epoch}: {self.formula}"
        return (
            f"epoch {self.epoch}: {self.formula}   ({self.matches}, {self.angle:.1f} degrees off, "
            f"fidelity {self.fidelity:.3f})"
        )


class ConceptMonitor(keras.callbacks.Callback):
    """Read the formula of a neuron every few epochs of `fit`.

    Args:
        x: points from where the model is trained, as in `interpret`; up to 2,000 are looked at.
        every: epochs between two readings; the last epoch is read in any case.
        layer: of a hidden neuron, as in `interpret`; the output by default.
        unit: of the layer.
        patience: stops training when the formula is called a concept and has stayed the same, its
            constants to two digits, for this number of readings; `None` never stops it.
        csv_file: file for a line for each reading.
        log_dir: folder for event files of TensorBoard.
        show: function that is called with the text of each reading; `None` for silence.
        sampling: where gradients are read, as in `interpret`; 500 rows by default.
        search: how to search, as in `interpret`; the dictionary alone by default.
        time_limit: seconds of each search.
        **options: of `interpret`, such as `operators`, `names` or `priors`.

    Attributes:
        history: a `ConceptReading` for each reading.
        concept: the last `Interpretation`; `None` before the first one.

    Raises:
        ValueError: `every` or `patience` is below 1, the points are no table, or nothing can be
            written to a file.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> monitor = ConceptMonitor(x, every=2, show=None)
    >>> _ = model.fit(x, x @ [[1.0], [2.0]], epochs=4, verbose=0, callbacks=[monitor])
    >>> [reading.epoch for reading in monitor.history], monitor.history[-1].matches
    ([2, 4], 'concept')
    """

    def __init__(
        self,
        x: Any,
        every: int = 5,
        *,
        layer: LayerChoice = None,
        unit: Unit = None,
        patience: int | None = None,
        csv_file: str | os.PathLike[str] | None = None,
        log_dir: str | os.PathLike[str] | None = None,
        show: Callable[[str], Any] | None = print,
        sampling: Sampling = FEW_ROWS,
        search: Search = QUICK_SEARCH,
        time_limit: float | None = QUICK_SECONDS,
        **options: Any,
    ) -> None:
        super().__init__()
        for name, value in (("every", every), ("patience", patience)):
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(
                    f"`{name}` is a whole number of at least 1. Received: {name}={value!r}"
                )
        check_options(sampling=sampling, search=search)
        points, names = read_points(x, sampling.columns)
        points = points[finite_rows(points)]
        chosen = np.random.default_rng(options.get("seed", 0)).permutation(len(points))
        self.points = points[np.sort(chosen[:MOST_POINTS])]
        self.every, self.patience, self.show = every, patience, show
        self.csv_file = None if csv_file is None else Path(csv_file)
        if self.csv_file is not None:
            check_writable(self.csv_file, "The log of readings")
        self.log_dir = log_dir
        self.options = {
            "layer": layer,
            "unit": unit,
            "names": names,
            "sampling": replace(sampling, columns=None),
            "search": search,
            "time_limit": time_limit,
            "verbose": False,
            **options,
        }
        self.history: list[ConceptReading] = []
        self.concept: Interpretation | None = None
        self._settled: list[str] = []
        self._epoch = 0
        self._writer: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Clear the readings of an earlier training."""
        self.history, self._settled, self._epoch = [], [], 0
        if self.log_dir is not None:
            self._writer = tf.summary.create_file_writer(os.fspath(self.log_dir))
        if self.csv_file is not None:
            with self.csv_file.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(one.name for one in fields_of(ConceptReading))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Read the formula, every few epochs.

        Args:
            epoch: counted from 0.
            logs: of Keras.
        """
        self._epoch = epoch + 1
        if self._epoch % self.every == 0:
            self._read()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Read the formula of the trained network, unless that was just done."""
        if self._epoch and (not self.history or self.history[-1].epoch != self._epoch):
            self._read()
        if self._writer is not None:
            self._writer.close()

    def _read(self) -> None:
        try:
            self.concept = interpret(self.model, self.points, **self.options)
        except ValueError as error:
            # An untrained network may have no gradient, or no row near its boundary.
            reason = str(error).split(". ")[0]
            reading = ConceptReading(self._epoch, reason, np.nan, np.nan, np.nan, "nothing")
            self._settled.clear()
        else:
            concept = self.concept
            reading = ConceptReading(
                self._epoch,
                repr(concept).partition(": ")[2].rpartition(", ")[0],
                concept.best.complexity,
                concept.angle,
                np.nan if concept.fidelity is None else concept.fidelity.formula,
                str(concept.matches),
            )
            text = concept.best.to_pretty(SETTLED_DIGITS)
            if concept.matches != Match.CONCEPT or (self._settled and self._settled[-1] != text):
                self._settled.clear()
            if concept.matches == Match.CONCEPT:
                self._settled.append(text)
        self.history.append(reading)
        self._write(reading)
        if self.show is not None:
            self.show(str(reading))
        if self.patience is not None and len(self._settled) > self.patience:
            self.model.stop_training = True

    def _write(self, reading: ConceptReading) -> None:
        if self.csv_file is not None:
            with self.csv_file.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(asdict(reading).values())
        if self._writer is not None:
            with self._writer.as_default():
                numbers = {name: getattr(reading, name) for name in _DRAWN}
                write_scalars("concept/", numbers, reading.epoch)
                write_text_summary("concept/formula", f"`{reading.formula}`", reading.epoch)
            self._writer.flush()

    def plot(self) -> Figure:
        """Plot complexity, angle and fidelity of the formula over the epochs.

        Returns:
            A Matplotlib figure.

        Raises:
            ValueError: nothing was read yet.
        """
        if not self.history:
            raise ValueError("Nothing was read yet: pass this callback to `model.fit` first.")
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 6), layout="constrained")
        epochs = [reading.epoch for reading in self.history]
        for axes, (name, label) in zip(figure.subplots(len(_DRAWN), sharex=True), _DRAWN.items()):
            axes.plot(epochs, [getattr(reading, name) for reading in self.history], "o-")
            axes.set_ylabel(label)
        axes.set_xlabel(f"epoch; at last: {self.history[-1].formula}")
        return figure


# Numbers that are drawn over the epochs, with the labels of their axes.
_DRAWN = {
    "complexity": "complexity",
    "angle": "degrees off",
    "fidelity": "fidelity",
}
