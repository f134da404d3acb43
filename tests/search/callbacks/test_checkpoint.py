"""Searches that are kept go on as if nothing had happened, and damaged files are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from keras_symgrad.callbacks import Checkpoint, LambdaCallback
from keras_symgrad.expressions.operators import OperatorSet
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.search.callbacks.checkpoint import SavedSearch
from keras_symgrad.search.core.settings import GeneticSettings
from tests.search.searches import WITHOUT_TREES, generations, noisy_field, small_search, written

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    path = tmp_path_factory.mktemp("kept") / "search.json"
    search = small_search()
    search.run(generations(4), [Checkpoint(path)])
    return path


def resumed(path, **options):
    search = small_search(**options)
    SavedSearch(path).restore(search)
    return search


def damaged(path, tmp_path, change):
    content = json.loads(path.read_text())
    change(content)
    other = tmp_path / "damaged.json"
    other.write_text(json.dumps(content))
    return other


def test_a_resumed_search_finds_what_an_uninterrupted_one_finds(kept):
    whole, parts = small_search(), resumed(kept)
    whole.run(generations(12))
    parts.run(generations(12))
    assert written(parts) == written(whole)
    assert parts.evaluations == whole.evaluations
    # It went on, and did not begin anew.
    assert len(written(parts)) >= 5 and parts.evaluations > 1000


@pytest.mark.parametrize(
    "options", [{"methods": ["trees"]}, {"methods": ["features"]}, {"islands": 2}]
)
def test_a_search_that_had_reached_its_limit_takes_no_further_step(tmp_path, options):
    # It may have been killed after its last generation, while the result was made.
    path = tmp_path / "ended.json"
    whole = small_search(**options)
    whole.run(generations(4), [Checkpoint(path, every=0)])
    again, told = resumed(path, **options), []
    log = LambdaCallback(on_generation_end=lambda generation, _: told.append(generation))
    again.run(generations(4), [log])
    assert (again.stopped, told) == ("generations", [])
    assert written(again) == written(whole)
    assert again.evaluations == whole.evaluations


@pytest.mark.parametrize("methods", ["features", "trees"])
def test_each_way_to_search_is_kept(tmp_path, methods):
    path = tmp_path / "search.json"
    small_search(methods=methods).run(generations(2), [Checkpoint(path, every=0)])
    whole, parts = small_search(methods=methods), resumed(path, methods=methods)
    assert written_after(whole, 5) == written_after(parts, 5)


def written_after(search, number):
    search.run(generations(number))
    return written(search)


def test_the_archive_is_never_behind_the_file(kept):
    search = resumed(kept)
    search.run(generations(5))
    for island in json.loads(kept.read_text())["state"]["islands"]:
        for _, complexity, _, loss in island["collector"]["archive"]:
            assert min(i.loss for i in search.archive if i.complexity <= complexity) <= loss


def test_time_before_the_interruption_counts(kept):
    seen = []
    log = LambdaCallback(on_generation_end=lambda _, logs: seen.append(logs["seconds"]))
    resumed(kept).run(generations(5), [log])
    assert seen[0] > json.loads(kept.read_text())["state"]["seconds"] > 0


def test_it_is_written_when_it_is_time_and_at_the_end(tmp_path, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(
        "keras_symgrad.search.callbacks.checkpoint.time.monotonic", lambda: next(clock)
    )
    written_at = []
    monkeypatch.setattr(
        "keras_symgrad.search.callbacks.checkpoint.save_search",
        lambda path, problem, state: state and written_at.append(state["islands"][0]["generation"]),
    )
    search = small_search(methods=WITHOUT_TREES)
    search.run(generations(6), [Checkpoint(tmp_path / "search.json", every=25)])
    assert written_at[-1] == 6 and 1 < len(written_at) < 7


def test_a_search_that_ended_with_the_dictionary_can_be_resumed(tmp_path):
    path = tmp_path / "search.json"
    small_search(methods="dictionary").run(generations(1), [Checkpoint(path)])
    search = resumed(path, methods="dictionary")
    search.run(generations(1))
    assert search.stopped == "exhausted" and len(search.archive)


def test_rows_that_are_read_again_may_differ_by_rounding_only(kept):
    field = noisy_field()
    nearly = GradientField.from_gradients(
        field.points, field.directions * (1 + 1e-6), names=field.names
    )
    again = SavedSearch(kept).field(nearly)
    np.testing.assert_array_equal(again.directions, field.directions)
    other = GradientField.from_gradients(field.points + 0.1, field.directions, names=field.names)
    with pytest.raises(ValueError, match="cannot be resumed: it was searching on other rows"):
        SavedSearch(kept).field(other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 6}, "other seed"),
        ({"signed": True}, "other signed"),
        ({"methods": "trees"}, "other methods"),
        ({"operators": OperatorSet("add, sub, mul, square, cos")}, "other operators"),
        ({"settings": GeneticSettings(demes=4, population=64, offspring=32)}, "other settings"),
        ({"islands": 2}, r"has 1 islands, this one 2. Pass `islands=1`"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_another_search_is_refused_by_name(kept, options, message):
    with pytest.raises(ValueError, match=f"cannot be resumed: .*{message}"):
        resumed(kept, **options)


def test_a_file_that_is_not_there_is_said():
    with pytest.raises(FileNotFoundError, match="no search to resume at: nowhere.json"):
        SavedSearch("nowhere.json")


def trees_of(content):
    return content["state"]["islands"][0]["strategies"]["trees"]


def cut(content):
    trees_of(content)["demes"][0][0][0].pop()


def unknown_operator(content):
    content["state"]["islands"][0]["collector"]["archive"][0][0] = ["system", 0]


def no_number(content):
    content["state"]["islands"][0]["collector"]["archive"][0][1] = "9"


def out_of_range(content):
    content["state"]["islands"][0]["collector"]["archive"][0][0] = [17]


@pytest.mark.parametrize(
    "change",
    [
        cut,
        unknown_operator,
        no_number,
        out_of_range,
        lambda content: content.pop("state"),
        lambda content: content.update(state=[]),
        lambda content: content["state"].update(islands=[{}]),
        lambda content: content["state"]["islands"][0]["strategies"]["trees"].update(
            variation=[3, [1, 2], None]
        ),
        lambda content: content["state"]["islands"][0]["strategies"]["trees"].update(numbers={}),
        lambda content: content["state"]["islands"][0]["strategies"]["trees"]["demes"].pop(),
    ],
)
def test_a_damaged_file_is_an_error_of_one_line(kept, tmp_path, change):
    path = damaged(kept, tmp_path, change)
    with pytest.raises(ValueError, match="cannot be resumed") as caught:
        resumed(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is no file of `Checkpoint`"),
        ("[" * 100_000, "it is no file of `Checkpoint`"),
        ('{"format": NaN}', "it is no file of `Checkpoint`"),
        ('{"format": "keras-symgrad search", "version": 2}', "version 2; this release reads"),
        ('{"format": "something else", "version": 1}', "it is of format 'something else'"),
    ],
)
def test_a_file_of_another_kind_or_version_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "search.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        SavedSearch(path)


def test_where_nothing_can_be_written_is_said_before_the_search(tmp_path):
    with pytest.raises(ValueError, match="The search cannot be written"):
        Checkpoint(tmp_path / "no" / "search.json")


@pytest.mark.parametrize("returns", [True, False])
def test_a_write_that_fails_is_tried_again_and_costs_nothing(tmp_path, returns):
    folder, elsewhere = tmp_path / "kept", tmp_path / "elsewhere"
    folder.mkdir()
    path, seen = folder / "search.json", []

    def on_generation_end(generation, logs):
        if generation == 2:
            folder.rename(elsewhere)
        if generation == 4 and returns:
            elsewhere.rename(folder)

    def look(generation, logs):
        seen.append((generation, checkpoint.failure is None))

    search, checkpoint = small_search(methods=WITHOUT_TREES), Checkpoint(path, every=0)
    around = [LambdaCallback(None, on_generation_end), checkpoint, LambdaCallback(None, look)]
    with pytest.warns(UserWarning) as warned:
        search.run(generations(6), around)
    messages = [str(warning.message) for warning in warned]
    assert "cannot be written" in messages[0] and "tried again" in messages[0]
    assert [kept for k, kept in seen if k > 0] == [True, False, False, *3 * [returns]]
    assert ("end of the search is not kept" in messages[-1]) == (not returns)
    assert len(written(search)) >= 3
    if returns:
        assert written(resumed(path, methods=WITHOUT_TREES)) == written(search)
