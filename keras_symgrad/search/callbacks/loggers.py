"""Log a search: `CSVLogger` and `TensorBoard`."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import tensorflow as tf
from tensorflow.core.framework import summary_pb2

from keras_symgrad.files import check_writable
from keras_symgrad.search.callbacks.base import Callback, Logs
from keras_symgrad.search.core import Individual

LOGGED_COLUMNS = (
    "generation",
    "seconds",
    "evaluations",
    "loss",
    "complexity",
    "settled",
    "formula",
)

# TensorBoard's plugin names for numbers and texts. The functions `tf.summary.scalar` and `text`
# need TensorBoard and fail where it is not installed; writing the files does not.
_SCALARS = summary_pb2.SummaryMetadata(
    plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="scalars"),
    data_class=summary_pb2.DATA_CLASS_SCALAR,
)
_TEXT = summary_pb2.SummaryMetadata(
    plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text"),
    data_class=summary_pb2.DATA_CLASS_TENSOR,
)


def write_scalars(prefix: str, numbers: Mapping[str, float], step: int) -> None:
    """Writes numbers to the event file of the writer in force.

    Args:
        prefix: of their names, such as `"front/"`.
        numbers: by name.
        step: a generation or an epoch.
    """
    for name, value in numbers.items():
        tf.summary.write(f"{prefix}{name}", float(value), step, _SCALARS)


def write_text_summary(name: str, text: str, step: int) -> None:
    """Writes a text in Markdown to the event file of the writer in force.

    Args:
        name: of the text.
        text: in Markdown.
        step: a generation or an epoch.
    """
    tf.summary.write(name, text, step, _TEXT)


class CSVLogger(Callback):
    """Callback that writes a line for every generation.

    Args:
        filename: of the file.
        separator: between columns.
        append: whether to append to an existing file, as after `resume`.

    Raises:
        ValueError: nothing can be written there.
    """

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ):
        check_writable(filename, "The log")
        self.filename, self.separator, self.append = Path(filename), separator, append
        self._file: TextIO | None = None

    def on_search_begin(self, logs: Logs | None = None) -> None:
        """Open the file."""
        has_header = self.append and self.filename.exists() and self.filename.stat().st_size > 0
        file = self._file = open(
            self.filename, "a" if self.append else "w", newline="", encoding="utf-8"
        )
        self._writer = csv.DictWriter(
            file, LOGGED_COLUMNS, delimiter=self.separator, extrasaction="ignore"
        )
        if not has_header:
            self._writer.writeheader()

    def on_generation_end(self, generation: int, logs: Logs) -> None:
        """Write a line."""
        self._writer.writerow({"generation": generation} | logs)
        if self._file is not None:
            self._file.flush()

    def on_search_end(self, logs: Logs | None = None) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class TensorBoard(Callback):
    """Callback that writes event files for TensorBoard: losses, the front and its formulas.

    Scalars are `loss`, `complexity`, `evaluations_per_second` and the loss at every complexity
    of the front, `front/complexity_9`. The front as a table of formulas is a text.

    Args:
        log_dir: folder of the event files.

    Raises:
        ValueError: nothing can be written there.
    """

    def __init__(self, log_dir: str | os.PathLike[str] = "logs"):
        self.log_dir = Path(log_dir)
        try:
            self.log_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"Event files cannot be written to {log_dir}: {error.strerror}. Choose another "
                "folder."
            ) from error
        check_writable(self.log_dir / "events", "An event file")
        self._writer: tf.summary.SummaryWriter | None = None
        self._shown: list[Individual] = []

    def on_search_begin(self, logs: Logs | None = None) -> None:
        """Open an event file."""
        self._writer = tf.summary.create_file_writer(str(self.log_dir))
        self._shown = []

    def on_generation_end(self, generation: int, logs: Logs) -> None:
        """Write losses, and the front where it has changed."""
        if self._writer is None:
            return
        front = self.search.archive.front()
        scalars = {
            "loss": logs["loss"],
            "complexity": logs.get("complexity", 0),
            "evaluations_per_second": logs["evaluations"] / max(logs["seconds"], 1e-9),
        }
        scalars |= {f"front/complexity_{one.complexity:g}": one.loss for one in front}
        with self._writer.as_default():
            write_scalars("", scalars, generation)
            if front != self._shown:
                self._shown = front
                write_text_summary("front", self._table(front), generation)
        self._writer.flush()

    def _table(self, front: list[Individual]) -> str:
        lines = ["| complexity | loss | formula |", "| ---: | ---: | :--- |"]
        for one in front:
            formula = self.search.text(one.tree).replace("|", "\\|")
            lines.append(f"| {one.complexity:g} | {one.loss:.2e} | `{formula}` |")
        return "\n".join(lines)

    def on_search_end(self, logs: Logs | None = None) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()
