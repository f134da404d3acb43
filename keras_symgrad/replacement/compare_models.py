"""Compare outputs, decisions, parameters and speed of two models: `compare_models`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_symgrad.files import Record, read_points
from keras_symgrad.neurons import Inputs, Neuron, in_batches, kind_by_loss

# Calls before timing: the first ones trace and allocate.
WARM_UP = 5


@dataclass(frozen=True)
class Measured:
    """One of the two models.

    Attributes:
        name: of the model.
        parameters: numbers in its weights.
        milliseconds: median time of a compiled call on one batch.
        score: accuracy for decisions, root mean squared error for numbers, against the labels;
            `None` without labels.
    """

    name: str
    parameters: int
    milliseconds: float
    score: float | None


@dataclass(frozen=True)
class ModelComparison:
    """Two models of the same task on the same rows.

    Attributes:
        before: the first model.
        after: the second one.
        decides: whether the models are classifiers: by a probability, a logit or one number a
            class.
        agreement: share of the rows on which they decide alike; for numbers R2, the share of the
            variance of the first one's outputs that the second one's explain.
        difference: root mean squared difference of their outputs.
        undefined: share of the rows where the second one's output is not finite.
        rows: number of rows of all measurements.
        batch_size: rows in the timed batch.

    Example:

    >>> import keras
    >>> one = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> x = np.random.default_rng(0).normal(size=(100, 2)).astype("float32")
    >>> same = compare_models(one, one, x)
    >>> same.agreement, same.difference, same.rows
    (1.0, 0.0, 100)
    """

    before: Measured
    after: Measured
    decides: bool
    agreement: float
    difference: float
    undefined: float
    rows: int
    batch_size: int

    def __str__(self) -> str:
        both = (self.before, self.after)
        width = max(12, *(len(each.name) for each in both))

        def line(title: str, *cells: str) -> str:
            return f"{title:<20}" + "".join(f"{cell:>{width + 2}}" for cell in cells)

        share = f"agree on {self.agreement:.2%}" if self.decides else f"R2 = {self.agreement:.5f}"
        score = "accuracy" if self.decides else "error"
        lines = [
            line("", *(each.name for each in both)),
            line("parameters", *(f"{each.parameters:,}" for each in both)),
            line(f"ms for {self.batch_size:,} rows", *(f"{m.milliseconds:.3f}" for m in both)),
        ]
        if self.before.score is not None:
            lines.append(line(score, *(f"{each.score:.4f}" for each in both)))
        lines.append(f"{share} ({self.rows:,} rows)")
        if self.undefined:
            lines.append(f"undefined on {self.undefined:.2%}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any]) -> ModelComparison:
        """Read a comparison from what `to_dict` returns.

        Args:
            content: the data.

        Raises:
            ValueError: they are not a comparison.
        """
        record = Record.of(content)
        before, after = (
            Measured(
                side.text("name"),
                side.whole("parameters"),
                side.number("milliseconds"),
                side.number("score") if "score" in side else None,
            )
            for side in map(record.record, ("before", "after"))
        )
        return cls(
            before,
            after,
            record.flag("decides"),
            record.number("agreement", math.nan),
            record.number("difference", math.nan),
            record.number("undefined"),
            record.whole("rows"),
            record.whole("batch_size", lowest=1),
        )


def compare_models(
    model: keras.Model,
    replaced: keras.Model,
    x: Any,
    y: Any = None,
    *,
    batch_size: int = 1024,
    repeats: int = 50,
    jit_compile: bool = False,
) -> ModelComparison:
    """Compare a model with one in which a formula replaced a part of it.

    Args:
        model: with one output.
        replaced: model with the same inputs and output.
        x: rows, preferably ones that were not used in any fit: an array, a DataFrame, the path of a
            `.csv`, or another input of `interpret`.
        y: labels or numbers for which the models were trained, `(rows,)` or shaped as the output.
        batch_size: rows in the batch that is timed.
        repeats: timed calls of each model, in turns; the median counts.
        jit_compile: whether XLA compiles the calls.

    Returns:
        A `ModelComparison`; it prints as a table.

    Raises:
        ValueError: the models differ in inputs or outputs, or `y` does not fit the rows.

    Example:

    >>> keras.utils.set_random_seed(0)
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
    >>> x = np.random.default_rng(0).normal(size=(100, 2))
    >>> same = compare_models(model, keras.models.clone_model(model), x, repeats=3)
    >>> same.decides, same.before.parameters
    (True, 3)
    """
    if not isinstance(repeats, int) or repeats < 1 or batch_size < 1:
        raise ValueError(
            f"`repeats` and `batch_size` are positive. Received: {repeats=}, {batch_size=}"
        )
    points = _points(model, x)
    outputs = [_outputs(each, points) for each in (model, replaced)]
    if outputs[0].shape != outputs[1].shape:
        raise ValueError(
            "The models must have outputs of one shape. "
            f"Received: {outputs[0].shape[1:]} and {outputs[1].shape[1:]}"
        )
    finite = np.isfinite(outputs[1]).all(axis=1)
    decide = _decisions(model, points, outputs[0])
    target = None if y is None else _labels(y, outputs[0], decide is not None)
    calls = [_compiled(each, points, batch_size, jit_compile) for each in (model, replaced)]
    before, after = (
        Measured(each.name, each.count_params(), ms, _score(output, target, decide))
        for each, output, ms in zip((model, replaced), outputs, _medians(calls, repeats))
    )
    if decide:
        agreement = float(np.mean((decide(outputs[0]) == decide(outputs[1])) & finite))
    else:
        # Where an output is undefined, the mean is used.
        guess = np.where(finite[:, None], outputs[1], outputs[0].mean(axis=0))
        left = np.mean((guess - outputs[0]) ** 2, axis=0) / np.maximum(
            np.var(outputs[0], axis=0), 1e-300
        )
        agreement = float(1 - left.mean())
    gaps = (outputs[0] - outputs[1])[finite]
    return ModelComparison(
        before,
        after,
        decide is not None,
        agreement,
        float(np.sqrt(np.mean(gaps**2))) if len(gaps) else float("nan"),
        float(1 - finite.mean()),
        len(points),
        batch_size,
    )


def _points(model: keras.Model, x: Any) -> np.ndarray:
    points = read_points(x).in_model_order(Inputs.of(model).names).values
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise ValueError("`x` has no row of finite numbers.")
    return points


def _outputs(model: keras.Model, points: np.ndarray, batch: int = 4096) -> np.ndarray:
    inputs, parts = Inputs.of(model, points.shape[1]), []
    for rows, some in in_batches(points, batch):
        given = tf.constant(some, model.variable_dtype)
        tensors = tf.nest.flatten(model(inputs(given), training=False))
        if len(tensors) != 1:
            raise ValueError(
                f"'{model.name}' has {len(tensors)} outputs. Compare models of one each: "
                "`keras.Model(model.input, tensor)`."
            )
        values = np.asarray(tensors[0], float).reshape(len(some), -1)
        parts.append(values[: rows.stop - rows.start])
    return np.concatenate(parts)


def _decisions(
    model: keras.Model, points: np.ndarray, output: np.ndarray
) -> Callable[..., Any] | None:
    """Decisions of an output, or `None` if it is a number."""
    if output.shape[1] == 1:
        # As in `interpret`: a fraction is not a probability.
        if not Neuron.of(model, inputs=points.shape[1]).settle(points).is_classifier:
            return None
        is_logit = kind_by_loss(getattr(model, "loss", None)) == "logit"
        threshold = 0.0 if is_logit or np.any((output < 0) | (output > 1)) else 0.5
        return lambda values: values[:, 0] > threshold
    of_classes = np.all(output >= 0) and np.allclose(output.sum(axis=1), 1, atol=1e-4)
    return (lambda values: values.argmax(axis=1)) if of_classes else None


def _labels(y: Any, output: np.ndarray, decides: bool) -> np.ndarray:
    y = np.asarray(y, float)
    if len(y) != len(output):
        raise ValueError(
            f"`y` needs a label for each of the {len(output)} rows. Received: {len(y)}"
        )
    y = y.reshape(len(y), -1)
    if not decides:
        if y.shape != output.shape:
            raise ValueError(
                f"`y` must be of shape {output.shape}, as the output. Received: {y.shape}"
            )
        return y
    return y[:, 0] if y.shape[1] == 1 else y.argmax(axis=1)


def _score(
    output: np.ndarray, target: np.ndarray | None, decide: Callable[..., Any] | None
) -> float | None:
    if target is None:
        return None
    if decide:
        return float(np.mean(decide(output) == target))
    return float(np.sqrt(np.mean((output - target) ** 2)))


def _compiled(model: keras.Model, points: np.ndarray, size: int, jit: bool) -> Callable[..., Any]:
    inputs = Inputs.of(model, points.shape[1])
    rows = np.resize(points, (size, points.shape[1]))
    batch = inputs(tf.constant(rows, model.variable_dtype))
    function = tf.function(lambda given: model(given, training=False), jit_compile=jit)

    def call() -> None:
        for tensor in tf.nest.flatten(function(batch)):
            tensor.numpy()

    return call


def _medians(calls: list[Callable[..., Any]], repeats: int) -> list[float]:
    """Milliseconds of each call; alternating, so that other load affects both models alike."""
    for _ in range(WARM_UP):
        for call in calls:
            call()
    times = np.empty((repeats, len(calls)))
    for row in times:
        for k, call in enumerate(calls):
            start = time.perf_counter()
            call()
            row[k] = 1000 * (time.perf_counter() - start)
    return np.median(times, axis=0).tolist()
