"""Callbacks are called at each step, may end a search, and never cause one to fail."""

from __future__ import annotations

import csv

import keras
import pytest

from keras_symgrad.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    TensorBoard,
    TimeLimit,
)
from tests.search.searches import WITHOUT_TREES, generations, small_search


class Recorder(Callback):
    """Callback that records its calls."""

    def __init__(self):
        self.told = []

    def on_search_begin(self, logs=None):
        self.told.append("begin")

    def on_generation_end(self, generation, logs=None):
        self.told.append((generation, logs))

    def on_search_end(self, logs=None):
        self.told.append(logs)


@pytest.mark.slow
def test_they_are_told_of_the_beginning_every_generation_and_the_end():
    recorder = Recorder()
    search = small_search(methods=WITHOUT_TREES)
    search.run(generations(3), [recorder])
    begin, *steps, end = recorder.told
    assert begin == "begin" and recorder.search is search
    # The dictionary's stages come first.
    assert [number for number, _ in steps if number] == [1, 2, 3]
    assert steps[0][0] == 0
    losses = [logs["loss"] for _, logs in steps]
    assert losses == sorted(losses, reverse=True)
    assert {"formula", "complexity", "evaluations", "seconds", "settled"} < set(steps[-1][1])
    assert end["stopped"] == "generations" and end["loss"] == losses[-1]


@pytest.mark.slow
@pytest.mark.parametrize("when", ["on_generation_end", "on_search_end"])
def test_one_that_raises_is_left_out_and_the_search_goes_on(when):
    def fail(*_):
        raise RuntimeError("disk full")

    recorder = Recorder()
    search = small_search(methods="dictionary")
    with pytest.warns(UserWarning, match=f"LambdaCallback raised RuntimeError in `{when}`.*disk"):
        search.run(generations(1), [LambdaCallback(**{when: fail}), recorder])
    assert search.stopped == "exhausted" and len(search.archive)
    assert recorder.told[-1]["stopped"] == "exhausted"


def test_what_fails_before_the_search_is_an_error():
    def fail(_):
        raise ValueError("no such folder")

    with pytest.raises(ValueError, match="no such folder"):
        small_search(methods="dictionary").run(
            generations(1), [LambdaCallback(on_search_begin=fail)]
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("callback", "reason"),
    [
        (EarlyStopping(patience=None, target_loss=1.0), "target_loss"),
        (TimeLimit(1e-9), "time_limit"),
        (LambdaCallback(on_generation_end=lambda *_: None), "exhausted"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_callback_may_end_the_search_and_is_named(callback, reason):
    search = small_search(methods="dictionary")
    search.run(generations(50), [callback])
    assert search.stopped == reason


def test_early_stopping_waits_for_a_better_choice():
    stopped = []
    early = EarlyStopping(patience=3)
    early.set_search(type("Search", (), {"stop": staticmethod(stopped.append)}))
    early.on_generation_end(7, {"loss": 0.1, "settled": 2})
    assert not stopped
    early.on_generation_end(8, {"loss": 0.1, "settled": 3})
    assert stopped == ["patience"]


@pytest.mark.parametrize("make", [lambda: TimeLimit(0), lambda: EarlyStopping(None, -1.0)])
def test_limits_are_positive(make):
    with pytest.raises(ValueError, match="must be positive or None. Received"):
        make()


def test_keras_own_callbacks_are_refused_by_name():
    with pytest.raises(ValueError, match="keras_symgrad.callbacks.*Received: CSVLogger"):
        small_search().run(generations(1), [keras.callbacks.CSVLogger("log.csv")])


@pytest.mark.slow
def test_a_csv_file_has_a_line_for_every_step_and_can_be_continued(tmp_path):
    path = tmp_path / "log.csv"
    recorder = Recorder()
    small_search(methods="dictionary").run(generations(1), [CSVLogger(path), recorder])
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    told = [logs for _, logs in recorder.told[1:-1]]
    assert [float(row["loss"]) for row in rows] == [logs["loss"] for logs in told]
    assert rows[-1]["formula"] == told[-1]["formula"]
    small_search(methods="dictionary").run(generations(1), [CSVLogger(path, append=True)])
    assert len(path.read_text().splitlines()) == 1 + 2 * len(rows)


@pytest.mark.parametrize("make", [CSVLogger, TensorBoard])
def test_what_cannot_be_written_is_said_before_the_search(tmp_path, make):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot be written"):
        make(tmp_path / "file" / "log")


@pytest.mark.slow
def test_event_files_hold_losses_and_the_front_as_a_table(tmp_path):
    from tensorflow.core.util import event_pb2
    from tensorflow.python.framework import tensor_util
    from tensorflow.python.lib.io import tf_record

    search = small_search(methods="dictionary")
    search.run(generations(1), [TensorBoard(tmp_path / "logs")])
    (path,) = (tmp_path / "logs").iterdir()
    found = {}
    for record in tf_record.tf_record_iterator(str(path)):
        for value in event_pb2.Event.FromString(record).summary.value:
            found[value.tag] = tensor_util.MakeNdarray(value.tensor)
    best = search.archive.front()[-1]
    assert found["loss"] == pytest.approx(best.loss)
    assert found[f"front/complexity_{best.complexity:g}"] == pytest.approx(best.loss)
    table = found["front"].item().decode()
    assert len(table.splitlines()) == 2 + len(search.archive.front())
    assert "| 1 |" in table and "`x" in table
