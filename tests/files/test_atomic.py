"""Files are written whole or not at all, whatever lies in their folder and whoever else writes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import pytest

from keras_symgrad.files.atomic import check_writable, replacing, write_json, write_text


def test_a_link_beside_the_file_is_not_followed(tmp_path):
    target = tmp_path / "precious"
    target.write_text("old")
    for name in ("result.json.part", ".result.json.part"):
        (tmp_path / name).symlink_to(target)
    write_text(tmp_path / "result.json", "new", "The result")
    assert target.read_text() == "old"
    assert (tmp_path / "result.json").read_text() == "new"


def test_a_link_in_the_files_place_is_replaced_and_its_target_kept(tmp_path):
    (tmp_path / "precious").write_text("old")
    (tmp_path / "result.json").symlink_to(tmp_path / "precious")
    write_text(tmp_path / "result.json", "new", "The result")
    assert (tmp_path / "precious").read_text() == "old"
    assert (tmp_path / "result.json").read_text() == "new"


def write_often(path, letter):
    for _ in range(50):
        write_text(path, letter * 100_000, "The result")


def test_two_writers_leave_the_whole_text_of_one(tmp_path):
    path = tmp_path / "result.txt"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_often, args=(path, letter)) for letter in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert path.read_text() in ("a" * 100_000, "b" * 100_000)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_writer_that_is_stopped_leaves_the_old_file_and_nothing_else(error, tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as file:
        file.write(b"half of the new")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path):
    path = tmp_path / ("n" * 250 + ".json")
    check_writable(path, "The result")
    write_json(path, {"a": float("inf")}, "The result")
    assert path.read_text() == '{\n  "a": null\n}\n'


def test_a_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "usual").write_text("text")
    write_text(tmp_path / "written", "text", "The result")
    assert (tmp_path / "written").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_folder_in_the_files_place_is_one_line(tmp_path):
    with pytest.raises(ValueError, match="The result cannot be written to .*: Is a directory. C"):
        write_text(tmp_path, "text", "The result")


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    check_writable(pipe, "The report")
    write_text(pipe, "text", "The report")
    assert os.read(reader, 100) == b"text"
    os.close(reader)
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_device_is_not_replaced_by_a_file(tmp_path):
    # A link, so that a failure of this test does not damage the machine: a link is replaced, the
    # device that it leads to is not.
    (tmp_path / "link").symlink_to("/dev/full")
    with pytest.raises(ValueError, match="The report cannot be written to .*: No space left"):
        write_text(tmp_path / "link", "text", "The report")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "link").is_char_device()


@pytest.mark.skipif(not os.path.islink("/dev/stdout"), reason="a link of Unix")
def test_standard_output_by_its_path_is_written_to(tmp_path):
    program = (
        "from keras_symgrad.files import check_writable, write_text\n"
        "check_writable('/dev/stdout', 'It')\n"
        "write_text('/dev/stdout', 'text', 'It')"
    )
    link = os.readlink("/dev/stdout")
    with (tmp_path / "out").open("wb") as file:
        subprocess.run([sys.executable, "-c", program], stdout=file, check=True)
    assert (tmp_path / "out").read_text() == "text"
    assert os.readlink("/dev/stdout") == link
