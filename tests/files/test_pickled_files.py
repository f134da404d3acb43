"""Pickles are programs: no file that is read as data or as a model runs one."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from keras_symgrad.api import load_interpretation
from keras_symgrad.files.tables import read_points
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.neurons.loading import load
from keras_symgrad.search.callbacks.checkpoint import SavedSearch

READERS = {
    "points": read_points,
    "field": GradientField.load,
    "model": load,
    "result": load_interpretation,
    "search": SavedSearch,
}
ENDINGS = (
    "npz",
    "npy",
    "csv",
    "parquet",
    "feather",
    "xlsx",
    "pkl",
    "keras",
    "h5",
    "json",
    "joblib",
)


class Harm:
    """An object whose pickle makes a folder as it is read."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def harm(tmp_path):
    harm = Harm(tmp_path / "harm")
    pickle.loads(pickle.dumps(harm))
    assert harm.folder.is_dir(), "reading the pickle does harm"
    harm.folder.rmdir()
    return harm


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("reader", READERS)
def test_no_reader_runs_a_pickle_whatever_it_is_called(reader, ending, harm, tmp_path):
    path = tmp_path / f"file.{ending}"
    path.write_bytes(pickle.dumps(harm))
    with pytest.raises(ValueError):
        READERS[reader](path)
    assert not harm.folder.exists()


def test_no_pickle_is_run_in_an_array_of_points(harm, tmp_path):
    objects = np.array([[harm, harm]], dtype=object)
    np.savez(tmp_path / "objects.npz", x=objects)
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    for path in (tmp_path / "objects.npz", tmp_path / "objects.npy"):
        with pytest.raises(ValueError, match="objects"):
            read_points(path)
        assert not harm.folder.exists()


def test_no_pickle_is_run_in_any_array_of_a_field(harm, tmp_path):
    points = np.random.default_rng(0).uniform(size=(5, 2))
    field = GradientField.from_gradients(points, points + 1)
    field.save(tmp_path / "field.npz")
    with np.load(tmp_path / "field.npz") as file:
        arrays = dict(file)
    assert len(arrays) > 3
    for name in arrays:
        np.savez(tmp_path / "changed.npz", **arrays | {name: np.array([[harm]], dtype=object)})
        with pytest.raises(ValueError):
            GradientField.load(tmp_path / "changed.npz")
        assert not harm.folder.exists()
