"""`show` and `compare` on the command line: what is printed of results that were written before."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

import keras_symgrad as ks
from keras_symgrad.expressions import symbol
from keras_symgrad.results.regions.conditions import Comparison, Condition

pytestmark = pytest.mark.slow

cli = import_module("keras_symgrad.cli.main")
X1 = symbol("x1")


@pytest.fixture(scope="module")
def files(tmp_path_factory, models):
    """Results by name: of a classifier, of a gradient field twice, and one that means harm."""
    folder = tmp_path_factory.mktemp("results")
    quick = {
        "operators": "polynomial",
        "search": ks.Search(methods="dictionary", stopping=ks.Stopping(None, generations=1)),
        "verbose": False,
    }
    ellipse = ks.interpret(models / "A1.keras", models / "A1.csv", **quick)
    ellipse.save(folder / "ellipse.json")
    x = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    for name, slope in (("field", x * [2, 4]), ("other", x[:, ::-1])):
        field = ks.GradientField.from_gradients(x, slope)
        ks.interpret(field, **quick).save(folder / f"{name}.json")
    content = ellipse.to_dict()
    content["neuron"] = "\x1b[2Jforged"
    (folder / "harm.json").write_text(json.dumps(content))
    np.savez(folder / "x.npz", x=x)
    return folder


def run(capsys, *words) -> tuple[int, str, str]:
    status = cli.main([str(word) for word in words])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_a_result_is_shown_as_it_was_when_it_was_found(capsys, files):
    status, out, err = run(capsys, "show", files / "ellipse.json")
    assert (status, err) == (0, "")
    (best,) = [line for line in out.splitlines() if line.startswith("best")]
    assert "x1**2 + 2*x2**2" in best
    assert "rule x1**2 + 2*x2**2 > 1 " in " ".join(out.split()) + " "
    assert "written" not in out


def test_quiet_shows_the_rule_alone(capsys, files):
    status, out, _ = run(capsys, "show", files / "ellipse.json", "--quiet")
    assert status == 0
    assert out.startswith("x1**2 + 2*x2**2 > 1")
    assert len(out.splitlines()) == 1


def test_json_is_the_result_and_nothing_else(capsys, files):
    status, out, err = run(capsys, "show", files / "ellipse.json", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == json.loads((files / "ellipse.json").read_text())


def test_a_report_and_exports_are_made_of_a_saved_result(capsys, files, tmp_path):
    words = ["--report", tmp_path / "r.html", "--export", tmp_path / "f.py"]
    status, out, err = run(capsys, "show", files / "ellipse.json", *words)
    assert (status, err) == (0, "")
    assert f"written: {tmp_path / 'r.html'}, {tmp_path / 'f.py'}" in out
    assert "What system_A1/logit computes" in (tmp_path / "r.html").read_text()
    space = {}
    exec((tmp_path / "f.py").read_text(), space)
    assert space["formula"](3.0, 1.0) == pytest.approx(11)
    words = ["--report", tmp_path / "missing" / "r.html"]
    status, out, err = run(capsys, "show", files / "ellipse.json", *words)
    assert status == 1 and "The report cannot be written" in err and out == ""


def test_a_result_with_regions_is_shown_and_exported_with_all_of_them(capsys, files, tmp_path):
    ellipse = ks.load_interpretation(files / "ellipse.json")
    (one,) = ellipse.regions
    halves = [
        replace(one, where=Condition((parts,)), value=ellipse.best.rewritten(lambda g, k=k: k * g))
        for k, parts in ((1, (Comparison(X1, high=0.0),)), (-1, (Comparison(X1, low=0.0),)))
    ]
    regions = replace(ellipse.regions, regions=tuple(halves))
    replace(ellipse, regions=regions).save(tmp_path / "halves.json")
    words = ["--quiet", "--export", tmp_path / "f.py"]
    status, out, err = run(capsys, "show", tmp_path / "halves.json", *words)
    assert (status, err) == (0, "")
    assert out.startswith("2 regions: x1**2 + 2*x2**2 where x1 <= 0; ")
    space = {}
    exec((tmp_path / "f.py").read_text(), space)
    assert space["formula"](np.array([-3.0, 3.0]), 1.0) == pytest.approx([11, -11])


def test_the_fidelity_of_each_row_of_the_front_is_shown(capsys, files):
    _, out, _ = run(capsys, "show", files / "ellipse.json")
    ellipse = ks.load_interpretation(files / "ellipse.json")
    heading, *rows = out[out.index("complexity") :].splitlines()[: len(ellipse.front) + 1]
    assert heading.split() == ["complexity", "loss", "fidelity", "formula"]
    for line, row in zip(rows, ellipse.front):
        assert f"  {row.fidelity.shown}  " in line


def test_another_row_of_the_front_is_shown_with_a_class_of_its_own(capsys, files):
    status, out, _ = run(capsys, "show", files / "ellipse.json", "--row", "0", "--json")
    shown = json.loads(out)
    assert status == 0 and shown["picked"] == 0 and shown["matches"] == "nothing"
    status, _, err = run(capsys, "show", files / "ellipse.json", "--row", "99")
    assert status == 1 and "takes the number of a row of the front" in err


def test_no_colour_is_written_where_the_user_wants_none(files, monkeypatch, capsys):
    for no_color, coloured in ((None, True), ("1", False)):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("NO_COLOR", raising=False)
        if no_color:
            monkeypatch.setenv("NO_COLOR", no_color)
        _, out, _ = run(capsys, "show", files / "ellipse.json")
        assert ("\x1b[1;32m" in out) == coloured
        assert not no_color or "32m" not in out


def test_a_result_cannot_command_the_terminal(capsys, files):
    _, out, _ = run(capsys, "show", files / "harm.json")
    assert "\x1b" not in out
    assert r"\x1b[2Jforged" in out


@pytest.mark.parametrize("data", [(), ("--data", "x.npz")])
def test_results_of_one_concept_are_told_from_others_by_the_status(data, capsys, files):
    data = [files / word if "." in word else word for word in data]
    status, out, _ = run(capsys, "compare", files / "ellipse.json", files / "field.json", *data)
    assert status == 0
    assert "the same concept: 1 - |cos| = " in out
    status, out, _ = run(capsys, "compare", files / "ellipse.json", files / "other.json", *data)
    assert status == 3
    assert "different concepts: 1 - |cos| = " in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "none.json"], "There is no file at: none.json"),
        (["compare", "none.json", "none.json"], "There is no file at: none.json"),
        (["show", __file__], "is no JSON"),
    ],
)
def test_what_is_no_result_is_one_line(words, message, capsys):
    status, out, err = run(capsys, *words)
    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert message in line


def test_a_file_that_cannot_be_written_costs_neither_the_answer_nor_the_other_files(
    capsys, files, tmp_path, monkeypatch
):
    answer = ks.load_interpretation(files / "ellipse.json")

    def ask(options, x, names):
        # Its folder is lost while the search goes on.
        (tmp_path / "lost").rmdir()
        return answer, []

    monkeypatch.setattr(cli, "ask", ask)
    monkeypatch.setattr(cli, "with_source", lambda answer, options: answer)
    (tmp_path / "lost").mkdir()
    (tmp_path / "model.keras").touch()
    words = ["--out", tmp_path / "lost", "--export", tmp_path / "formula.py"]
    words = ["interpret", tmp_path / "model.keras", "--data", files / "x.npz", *words]
    status, out, err = run(capsys, *words)
    assert status == cli.NOT_WRITTEN == 4
    assert "x1**2 + 2*x2**2" in out and f"written: {tmp_path / 'formula.py'}" in out
    (line,) = err.splitlines()
    assert "interpretation.json: No such file or directory" in line
    assert (tmp_path / "formula.py").exists()
