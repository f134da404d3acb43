"""A short run of `scripts/fuzz/fuzz.py`; and that it sees what it is there to see."""

from __future__ import annotations

import ctypes
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import time
from importlib import import_module

import h5py
import numpy as np
import pytest

import keras_symgrad as ks
from keras_symgrad.files.checks import hdf5

ROOMS = ("fuzz", "fuzz_targets", "fuzz_inputs", "hdf5_forks", "canary")


@pytest.fixture
def fuzz(project, monkeypatch):
    monkeypatch.syspath_prepend(str(project / "scripts" / "fuzz"))
    monkeypatch.setattr(hdf5, "subprocess", subprocess)
    yield import_module("fuzz")
    if hdf5.subprocess is not subprocess:
        hdf5.subprocess.close()
    for room in ROOMS:
        sys.modules.pop(room, None)


def small_result() -> list[ks.Interpretation]:
    x = np.random.default_rng(0).uniform(1, 2, (100, 2))
    field = ks.GradientField.from_gradients(x, x * [2, 4], values=(x**2) @ [1, 2])
    few = ks.Stopping(None, generations=1)
    return [
        ks.interpret(field, verbose=False, search=ks.Search(methods="dictionary", stopping=few))
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "runs"), [("expression", 200), ("table", 200), ("result", 150), ("model", 60)]
)
def test_whatever_is_read_ends_in_a_result_or_one_line(target, runs, fuzz, tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("fuzz_targets"), "_results", small_result)
    # Keras unpacks archives there.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # The seconds of a machine that is busy with tests say nothing.
    tally = fuzz.drawn(target, runs, limit=60.0, seed=0, folder=tmp_path)
    assert tally.findings == []
    assert tally.accepted > 0 and tally.refused > runs / 10
    assert tally.accepted + tally.refused == tally.runs >= runs


def target_that(fuzz, read):
    targets = import_module("fuzz_targets")
    return targets.Target(lambda choices: choices.rest(), read, repr)


def runs_a_command(_):
    os.system("true")


def starts_a_process(_):
    subprocess.run(["true"])


def evaluates(data):
    eval("1 + 1")


def unpickles(_):
    pickle.loads(pickle.dumps(os.getcwd))


def connects(_):
    with socket.socket() as open_socket:
        open_socket.settimeout(0.01)
        open_socket.connect_ex(("127.0.0.1", 9))


def writes(_):
    with open(os.devnull, "w"):
        pass


def reads_elsewhere(_):
    with open("/etc/passwd"):
        pass


def opens_a_library(_):
    ctypes.CDLL(None)


@pytest.mark.parametrize(
    "deed",
    [
        *(runs_a_command, starts_a_process, evaluates, unpickles),
        *(connects, writes, reads_elsewhere, opens_a_library),
    ],
    ids=lambda deed: deed.__name__,
)
def test_the_canary_sees_every_deed(deed, fuzz, tmp_path):
    canary = import_module("canary").Canary(tmp_path)
    with canary.watching() as acts:
        deed(b"")
    assert acts
    with canary.watching() as acts:
        float("1.5")
    assert acts == []


def two_lines(_):
    raise ValueError("one\ntwo")


def fails(_):
    raise KeyError("x")


def takes_long(_):
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("read", "kind"), [(two_lines, "message"), (fails, "error"), (takes_long, "slow")]
)
def test_what_should_not_happen_is_a_finding(read, kind, fuzz, tmp_path, monkeypatch):
    targets = import_module("fuzz_targets")
    made = target_that(fuzz, read)
    monkeypatch.setitem(targets.TARGETS, "expression", lambda _: made)
    reader = fuzz.Reader("expression", tmp_path, limit=0.1)
    for _ in range(fuzz.MOST_ALIKE + 1):
        reader.read(b"abc")
    assert [found["kind"] for found in reader.tally.findings] == [kind] * fuzz.MOST_ALIKE
    assert reader.tally.findings[0]["base64"] == "YWJj"


def test_the_same_bytes_make_the_same_input(fuzz):
    inputs = import_module("fuzz_inputs")
    data = np.random.default_rng(0).bytes(300)
    for make in (inputs.expression, lambda c: inputs.edited_json({"a": [1, {"b": "x"}]}, c)):
        assert make(inputs.Choices(data)) == make(inputs.Choices(data))


def test_a_process_that_died_tells_what_it_died_of(fuzz, tmp_path):
    (tmp_path / "said").write_text("Segmentation fault")
    (tmp_path / "present").write_bytes(b"abc")
    (tmp_path / "tally.json").write_text('{"runs": 7, "accepted": 3, "refused": 4}')
    assert fuzz._told(tmp_path, 0).findings == []
    told = fuzz._told(tmp_path, -11)
    assert (told.runs, told.accepted) == (8, 3)
    (found,) = told.findings
    assert (found["kind"], found["base64"]) == ("died", "YWJj")
    assert "-11" in found["what"] and "Segmentation fault" in found["what"]
    (tmp_path / "present").unlink()
    (unknown,) = fuzz._told(tmp_path, -9).findings
    assert (unknown["kind"], unknown["base64"]) == ("died", "")


def test_a_fork_checks_a_file_as_the_process_of_its_own_does(fuzz, tmp_path):
    sound, damaged, absent = (tmp_path / f"{name}.h5" for name in ("sound", "damaged", "absent"))
    with h5py.File(sound, "w") as file:
        file["x"] = np.arange(10_000.0)
    damaged.write_bytes(sound.read_bytes()[:900])
    commands = [
        [sys.executable, "-P", str(hdf5.CHECKER_PROGRAM), str(path), "1.0", most]
        for path, most in ((sound, "1000000"), (sound, "10"), (damaged, "1000000"), (absent, "10"))
    ]
    forks = import_module("hdf5_forks").Forks(hdf5.CHECKER_PROGRAM)
    for command in commands:
        here, there = forks.run(command), subprocess.run(command, capture_output=True)
        assert (here.returncode, here.stderr) == (there.returncode, there.stderr)
    forks.close()


@pytest.mark.slow
def test_a_process_that_hangs_on_an_input_is_ended(fuzz, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "HANGING", 0.5)
    (tmp_path / "present").write_bytes(b"abc")
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    fuzz._watch(process, tmp_path / "present")
    assert process.returncode < 0
