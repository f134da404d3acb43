"""Archives are judged by their directory, before anything of them is unpacked."""

from __future__ import annotations

import shutil
import tempfile
import zipfile

import numpy as np
import pytest

from keras_symgrad.files.checks import zip_archives
from keras_symgrad.files.checks.zip_archives import check_archive
from keras_symgrad.files.tables import read_points
from keras_symgrad.neurons.loading import load


def archive(path, members: dict[str, bytes]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.fixture
def bomb(tmp_path, monkeypatch):
    """Make an archive of 32 MB of zeros, where 1 MB is held to be harmless."""
    monkeypatch.setattr(zip_archives, "HARMLESS_BYTES", 2**20)
    return lambda name, member: archive(tmp_path / name, {member: bytes(2**25)})


def test_a_good_archive_passes(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((1000, 1000)))
    check_archive(tmp_path / "x.npz")


def test_a_bomb_is_refused_unopened(bomb):
    path = bomb("x.npz", "x.npy")
    with pytest.raises(ValueError, match="would take 32 MB, more than 100 times the file"):
        check_archive(path)
    with pytest.raises(ValueError, match="could not be read. Its content would take"):
        read_points(path)


def test_weights_that_unpack_to_far_more_are_refused(bomb):
    with pytest.raises(ValueError, match="could not be loaded.* more than 100 times the file"):
        load(bomb("model.keras", "model.weights.h5"))


@pytest.mark.parametrize("name", ["../x.npy", "/tmp/x.npy", "a/../../x.npy", "..\\x.npy"])
def test_a_file_outside_the_archive_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="a file outside its own folder"):
        check_archive(archive(tmp_path / "x.npz", {name: b"1"}))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a" * 256: b"1"}, "a name too long"),
        ({"assets/" + "é" * 128: b"1"}, "a name too long"),
        ({"a": b"1", "a/b": b"2"}, "a file and a folder of the same name: 'a'"),
        ({"a/b": b"1", "a": b"2"}, "a file and a folder of the same name: 'a'"),
    ],
)
def test_names_that_cannot_be_unpacked_are_refused(members, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        check_archive(archive(tmp_path / "x.npz", members))


def test_a_name_as_long_as_a_file_may_have_and_folders_pass(tmp_path):
    check_archive(archive(tmp_path / "x.npz", {"a" * 255: b"1", "b/": b"", "b/c": b"2"}))


def test_a_model_that_cannot_be_unpacked_leaves_no_file_behind(tmp_path, models, monkeypatch):
    path = shutil.copy(models / "A1.keras", tmp_path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("a" * 300, b"1")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with pytest.raises(ValueError, match="a name too long"):
        load(path)
    assert not [*(tmp_path / "temporary").iterdir()]


def test_an_encrypted_file_is_refused(tmp_path):
    content = bytearray(archive(tmp_path / "x.npz", {"x.npy": b"1"}).read_bytes())
    # The first of the flags, in the header of the file and in the archive's directory.
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"It holds an encrypted file: 'x\.npy'\."):
        check_archive(tmp_path / "x.npz")


def test_an_archive_of_too_many_files_is_refused(tmp_path):
    path = archive(tmp_path / "x.npz", {str(k): b"" for k in range(10_001)})
    with pytest.raises(ValueError, match="10,001 files"):
        check_archive(path)


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(ValueError, match="no archive, or is damaged"):
        check_archive(tmp_path / "x.npz")


def test_a_damaged_member_ends_in_one_line(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.arange(6.0).reshape(3, 2))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[100:110] = b"\xff" * 10
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(ValueError, match="could not be read") as raised:
        read_points(tmp_path / "x.npz")
    assert len(str(raised.value).splitlines()) == 1
