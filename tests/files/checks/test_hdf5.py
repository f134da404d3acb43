"""HDF5 files that would hang, crash or mislead whoever reads them are refused."""

from __future__ import annotations

import signal
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest

from keras_symgrad.files.checks import hdf5
from keras_symgrad.files.checks.hdf5 import check_hdf5_content
from keras_symgrad.neurons.loading import load


def with_an_endless_loop(content: bytes) -> bytes:
    """The file with free space of no size in a heap, over which HDF5 1.14 never gets."""
    changed = bytearray(content)
    heap = changed.index(b"GCOL")
    size = int.from_bytes(changed[heap + 8 : heap + 16], "little")
    place = heap + 16
    while int.from_bytes(changed[place : place + 2], "little"):
        length = int.from_bytes(changed[place + 8 : place + 16], "little")
        place += 16 + -(-length // 8) * 8
        assert place < heap + size
    changed[place + 8 : place + 16] = bytes(8)
    return bytes(changed)


@pytest.fixture
def endless(tmp_path):
    path = tmp_path / "endless.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "{}" * 50
    path.write_bytes(with_an_endless_loop(path.read_bytes()))
    return path


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save(path)
    return path


@pytest.mark.slow
def test_a_file_that_never_ends_is_an_error_after_a_second(endless):
    with pytest.raises(ValueError, match=r"^Reading it takes longer than 1 s of processor time\.$"):
        check_hdf5_content(endless)
    with pytest.raises(ValueError, match="Reading it takes longer than 1 s"):
        load(endless)


def test_where_no_signal_ends_it_the_clock_does(endless, monkeypatch, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(hdf5, "CHECKER_PROGRAM", program)
    monkeypatch.setattr(hdf5, "MAX_WALL_TIME_RATIO", 0.2)
    with pytest.raises(ValueError, match="Reading it takes longer than .* by the clock"):
        check_hdf5_content(endless)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the clock has to do")
def test_a_busy_machine_does_not_make_a_sound_file_one_that_hangs(model, monkeypatch, tmp_path):
    program = tmp_path / "program.py"
    # Forty times as long as the processor's time, as on a machine of forty busy programs.
    program.write_text("import time\ntime.sleep(2)\n")
    monkeypatch.setattr(hdf5, "CHECKER_PROGRAM", program)
    monkeypatch.setattr(hdf5, "MIN_PROCESSOR_SECONDS", 0.05)
    check_hdf5_content(model)


@pytest.mark.slow
def test_the_weights_of_an_archive_are_read_too(model, endless):
    with zipfile.ZipFile(model) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["model.weights.h5"] = endless.read_bytes()
    with zipfile.ZipFile(model, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="Reading it takes longer than 1 s"):
        load(model)


def external_array(folder):
    (folder / "secret").write_bytes(bytes(80))
    with h5py.File(folder / "other.h5", "w") as file:
        file.create_dataset("kernel", (10,), "f8", external=[(folder / "secret", 0, 80)])


def external_link(folder):
    with h5py.File(folder / "other.h5", "w") as file:
        file["dense"] = h5py.ExternalLink("secret.h5", "/kernel")


def virtual_array(folder):
    layout = h5py.VirtualLayout((10,), "f8")
    layout[:] = h5py.VirtualSource("secret.h5", "kernel", (10,))
    with h5py.File(folder / "other.h5", "w") as file:
        file.create_virtual_dataset("kernel", layout)


@pytest.mark.parametrize("make", [external_array, external_link, virtual_array])
def test_content_of_other_files_is_refused(make, tmp_path):
    make(tmp_path)
    with pytest.raises(ValueError, match=r"It takes (a part|an array) from another file: '"):
        check_hdf5_content(tmp_path / "other.h5")


def test_a_file_that_grows_without_bounds_is_refused(tmp_path):
    with h5py.File(tmp_path / "zeros.h5", "w") as file:
        file.create_dataset("zeros", (10**6, 10**6), "f8", chunks=(1000, 1000), compression="gzip")
    with pytest.raises(ValueError, match=r"Its content would take more than 1,024 MB\."):
        check_hdf5_content(tmp_path / "zeros.h5")


def test_a_damaged_file_says_so_in_one_line(tmp_path):
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file["kernel"] = np.ones((50, 50))
    content = (tmp_path / "model.h5").read_bytes()
    (tmp_path / "model.h5").write_bytes(content[:600] + bytes(200) + content[800:])
    with pytest.raises(ValueError, match=r"^It is damaged \(.+\)\.$"):
        check_hdf5_content(tmp_path / "model.h5")


def test_a_crash_of_the_library_is_an_error_here(endless, monkeypatch, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(hdf5, "CHECKER_PROGRAM", program)
    with pytest.raises(ValueError, match="The HDF5 library crashes on it"):
        check_hdf5_content(endless)


def test_a_lack_of_memory_is_not_blamed_on_the_file(endless, monkeypatch, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    monkeypatch.setattr(hdf5, "CHECKER_PROGRAM", program)
    with pytest.raises(ValueError, match="was killed, as the system does when memory is short"):
        check_hdf5_content(endless)


@pytest.mark.parametrize("interpreter", [None, "", "missing/python", "model.keras"])
def test_without_another_process_nothing_is_read(interpreter, model, monkeypatch):
    monkeypatch.chdir(model.parent)
    if interpreter == "model.keras":
        interpreter = str(model)  # a file that may not be run
    monkeypatch.setattr(sys, "executable", interpreter)
    with pytest.raises(ValueError, match="process of its own, which cannot be started: .+"):
        check_hdf5_content(model)
    with pytest.raises(ValueError, match="process of its own, which cannot be started: .+"):
        load(model)


def test_a_sound_file_passes(model):
    check_hdf5_content(model)
    assert load(model)[0].count_params() == 9


@pytest.mark.parametrize("make", [external_array, external_link, virtual_array])
def test_an_archive_behind_a_file_does_not_hide_it(make, tmp_path):
    make(tmp_path)
    with zipfile.ZipFile(tmp_path / "other.h5", "a") as archive:
        archive.writestr("empty", b"")
    assert zipfile.is_zipfile(tmp_path / "other.h5")
    with pytest.raises(ValueError, match=r"It takes (a part|an array) from another file: '"):
        check_hdf5_content(tmp_path / "other.h5")


@pytest.mark.slow
def test_a_file_is_checked_before_anything_of_it_is_opened(endless, monkeypatch):
    def opened(*_, **__):
        raise AssertionError("the file was opened in this process")

    monkeypatch.setattr(h5py, "File", opened)
    with pytest.raises(ValueError, match="Reading it takes longer than 1 s"):
        load(endless)
