"""Files are written whole or not at all, whatever lies in their folder and whoever else writes."""

from __future__ import annotations

import multiprocessing

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
