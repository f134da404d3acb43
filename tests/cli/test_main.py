"""The command line as a person types it: what it prints, writes and answers to mistakes."""

from __future__ import annotations

import inspect
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import zipfile
from importlib import import_module

import keras
import numpy as np
import pytest

import keras_symgrad
from keras_symgrad.api.interpret import interpret
from keras_symgrad.cli import parser as arguments
from keras_symgrad.cli.parser import parser
from keras_symgrad.datasets.classifiers import SYSTEMS
from keras_symgrad.datasets.recovery import judge
from keras_symgrad.expressions.formats.parser import from_text
from keras_symgrad.expressions.operators import PRESETS
from keras_symgrad.search.core.stopping import EFFORTS, Stopping

cli = import_module("keras_symgrad.cli.main")

layers = keras.layers


def run(*words: object, **kwargs) -> subprocess.CompletedProcess:
    """The command line in a process of its own, without the tests' settings."""
    command = [sys.executable, "-m", "keras_symgrad", *map(str, words)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS_"))}
    return subprocess.run(
        command, capture_output=True, text=True, env={**environment, **kwargs}, timeout=300
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory, models):
    """Good and bad models and data, by name."""
    folder = tmp_path_factory.mktemp("files")
    x = np.random.default_rng(0).uniform(-1, 1, size=(500, 2))
    np.savez(folder / "x.npz", x=x)
    np.savez(folder / "two_keys.npz", points=x, more=x)
    for name, text in {
        "empty.csv": "",
        "no_rows.csv": "a,b\n",
        "nan.csv": "a,b\nnan,1\n2,nan\n",
        "gaps.csv": "a,b\n" + "\n".join(f"{a},{b}" for a, b in x) + "\n,1\n",
        "three.csv": "a,b,c\n" + "1,2,3\n" * 20,
        "words.csv": "a,b\n" + "1,2\n" * 20 + "1,red\n",
        "centre.csv": "a,b\n" + "0.001,0.002\n0.002,0.001\n" * 10,
        "text.keras": "hello",
    }.items():
        (folder / name).write_text(text)
    with zipfile.ZipFile(folder / "archive.keras", "w") as archive:
        archive.writestr("letter", "hello")
    zeros = layers.Dense(4, kernel_initializer="zeros")
    keras.Sequential([keras.Input((2,)), zeros, layers.Dense(1, activation="sigmoid")]).save(
        folder / "flat.keras"
    )
    keras.Sequential([keras.Input((2,)), layers.Dense(3, activation="softmax")]).save(
        folder / "classes.keras"
    )
    with pytest.warns(UserWarning, match="not yet been built"):
        keras.Sequential([layers.Dense(1)]).save(folder / "unbuilt.keras")
    paths = {path.name: path for path in folder.iterdir()}
    return {**paths, "ellipse": models / "A1.keras", "data": models / "A1.csv"}


def fails(capsys, files, *words: str) -> str:
    """Its one line of explanation, after checking that it is one line and no more."""
    words = [str(files.get(word, word)) for word in words]
    assert cli.main(["interpret", *words]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("keras-symgrad: error: ")
    return line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "explanation"),
    [
        (["none.keras", "--data", "data"], "There is no model at: none.keras"),
        (["text.keras", "--data", "data"], "It is none of them by its content"),
        (["archive.keras", "--data", "data"], "could not be loaded"),
        (["data", "--data", "data"], "Expected a `.keras` file, a legacy `.h5` file"),
        (["unbuilt.keras", "--data", "x.npz"], "not built"),
        (["ellipse", "--data", "none.csv"], "There is no file at: none.csv"),
        (["ellipse", "--data", "empty.csv"], "at least one row of points. The file is empty"),
        (["ellipse", "--data", "no_rows.csv"], "at least one row of points"),
        (["ellipse", "--data", "nan.csv"], "each of the 2 rows holds NaN or infinity"),
        (["ellipse", "--data", "words.csv"], "column 'b', line 22"),
        (["ellipse", "--data", "two_keys.npz"], "has the keys: points, more"),
        (["ellipse", "--data", "three.csv"], "takes 2 columns, but the data have 3"),
        (["ellipse", "--data", "three.csv", "--columns", "a,z"], "which has: a, b, c"),
        (["ellipse", "--data", "x.npz", "--layer", "hidden"], "Choose one of: hidden_1"),
        (["ellipse", "--data", "x.npz", "--layer", "hidden_1"], "64 units. Pass one of `--unit 0`"),
        (["classes.keras", "--data", "x.npz"], "`--unit 1,0` for the difference of two"),
        (["ellipse", "--data", "x.npz", "--layer", "hidden_1", "--unit", "64"], "from 0 to 63"),
        (["flat.keras", "--data", "x.npz"], "The gradient is zero at every row"),
        (["ellipse", "--data", "centre.csv", "--data-only"], "between delta and 1 - delta"),
        (["ellipse", "--data", "x.npz", "--operators", "add,foo"], "named 'foo'. Operators: add"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_bad_input_ends_in_one_line_before_the_search(words, explanation, capsys, files):
    assert explanation in fails(capsys, files, *words)


def test_a_folder_that_cannot_be_written_is_found_before_the_search(capsys, files, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "taken" / "interpretation.json").mkdir(parents=True)
    for folder in ("file", "file/inside", "taken"):
        line = fails(capsys, files, "ellipse", "--data", "x.npz", "--out", str(tmp_path / folder))
        assert "interpretation.json cannot be written into the folder" in line


def test_a_report_that_cannot_be_written_is_found_before_the_search(capsys, files, tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("missing/report.html", "file/report.html", "."):
        words = ["ellipse", "--data", "x.npz", "--report", str(tmp_path / place)]
        assert "The report cannot be written to" in fails(capsys, files, *words)


@pytest.mark.parametrize("option", ["--checkpoint", "--log"])
def test_what_a_search_writes_is_tried_before_tensorflow_is_imported(
    option, capsys, files, tmp_path, monkeypatch
):
    monkeypatch.setattr(cli, "import_module", lambda name: pytest.fail(f"imported {name}"))
    words = ["ellipse", "--data", "x.npz", option, str(tmp_path / "missing" / "file")]
    assert "cannot be written to" in fails(capsys, files, *words)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_found_before_the_search(capsys, files, tmp_path):
    tmp_path.chmod(0o500)
    line = fails(capsys, files, "ellipse", "--data", "x.npz", "--out", str(tmp_path / "inside"))
    assert "Permission denied" in line


@pytest.mark.parametrize(
    ("words", "explanation"),
    [
        ([], "COMMAND"),
        (["explain"], "invalid choice: 'explain'"),
        (["interpret"], "MODEL, --data"),
        (["interpret", "model.keras"], "--data"),
        (["interpret", "m", "--data", "d", "--delta", "0.5"], "a number in (0, 0.5), not '0.5'"),
        (["interpret", "m", "--data", "d", "--delta", "nan"], "a number in (0, 0.5)"),
        (["interpret", "m", "--data", "d", "--rows", "1"], "at least 2, not '1'"),
        (["interpret", "m", "--data", "d", "--rows", "1.5"], "a whole number, not '1.5'"),
        (["interpret", "m", "--data", "d", "--seed", "-1"], "at least 0"),
        (["interpret", "m", "--data", "d", "--time-limit", "0"], "above 0"),
        (["interpret", "m", "--data", "d", "--time-limit", "inf"], "above 0"),
        (["interpret", "m", "--data", "d", "--methods", "trees,guess"], "dictionary, features, tr"),
        (["interpret", "m", "--data", "d", "--max-complexity", "none"], "a number, not 'none'"),
        (["interpret", "m", "--data", "d", "--unit", "1,-2"], "'K,J'"),
        (["interpret", "m", "--data", "d", "--smoothing", "0"], "a number above 0"),
        (["interpret", "m", "--data", "d", "--columns", "a,,b"], "names with commas"),
        (["interpret", "m", "--data", "d", "--tim", "3"], "unrecognized arguments: --tim"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_has_status_2_and_says_what_was_expected(words, explanation, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(words)
    assert stopped.value.code == 2
    assert explanation in capsys.readouterr().err


def test_options_become_what_interpret_takes():
    words = ["interpret", "m", "--data", "d", "--columns", 'a, "b, c"', "--unit", "2,0"]
    options = parser(print).parse_args([*words, "--delta", "none", "--rows", "50"])
    assert options.columns == ["a", "b, c"]
    assert options.unit == (2, 0)
    assert options.delta is None
    assert options.rows == 50
    words = ["interpret", "m", "--data", "d", "--unit", "3,5,0", "--smoothing", "none"]
    options = parser(print).parse_args([*words, "--in-terms-of", "bottleneck"])
    assert options.unit == (3, 5, 0)
    assert options.smoothing is None
    assert options.in_terms_of == "bottleneck"


def test_defaults_are_those_of_interpret():
    options = vars(parser(print).parse_args(["interpret", "m", "--data", "d"]))
    parameters = inspect.signature(interpret).parameters
    defaults = {
        name: parameter.default
        for name, parameter in parameters.items()
        if name in options and parameter.default is not inspect.Parameter.empty
    }
    for name in ("sampling", "priors", "search"):
        values = vars(parameters[name].default)
        defaults |= {one: values[one] for one in values if one in options}
    assert len(defaults) == 25
    # "auto" is a minute where there is no `stopping`.
    assert defaults.pop("time_limit") == "auto" and options["time_limit"] == Stopping().time_limit
    assert {name: options[name] for name in defaults} == defaults


def test_efforts_are_those_of_the_search():
    assert arguments.EFFORTS == EFFORTS


def test_help_needs_no_tensorflow_and_names_every_preset():
    code = (
        "import sys\n"
        "from keras_symgrad.cli.main import main\n"
        "try:\n"
        "    main(['interpret', '--help'])\n"
        "finally:\n"
        "    assert not {'tensorflow', 'keras', 'numpy', 'sympy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    for text in (*PRESETS, "examples:", "exit status:", "(default: 0.01)", "(default: 60)"):
        assert text in done.stdout


def test_the_version_is_printed():
    assert run("--version").stdout == f"keras-symgrad {keras_symgrad.__version__}\n"


@pytest.mark.slow
def test_the_formula_of_a_shipped_network_is_printed_and_written(files, tmp_path):
    done = run(
        *("interpret", files["ellipse"], "--data", files["data"], "--operators", "polynomial"),
        *("--time-limit", 5, "--seed", 1, "--out", tmp_path / "new" / "folder"),
    )
    assert done.returncode == 0
    # Its progress, as where a log is written: the first answer.
    (line,) = done.stderr.splitlines()
    assert re.match(r"\d+ s: searching, generation 0, \w+ so far: ", line)
    (best,) = [line for line in done.stdout.splitlines() if line.startswith("best")]
    assert "x1**2 + 2*x2**2" in best
    assert "rule x1**2 + 2*x2**2 > 1 " in " ".join(done.stdout.split()) + " "
    assert ", the nearest rival, " in done.stdout
    assert "constants  " in done.stdout and "), shown as 2" in done.stdout

    written = json.loads((tmp_path / "new" / "folder" / "interpretation.json").read_text())
    assert written["variables"] == ["x1", "x2"]
    assert written["seed"] == 1
    assert written["rule"]["direction"] == ">"
    assert written["rule"]["agreement"] > 0.99
    assert abs(written["rule"]["threshold"] - 1) < 0.05
    assert written["rule"]["text"] in done.stdout
    assert written["cosine_error"] < 2e-3
    assert written["matches"] == "concept"
    assert {"tensorflow", "keras", "keras_symgrad"} <= set(written["versions"])
    assert written["timings"]["search"] > 0
    for row in (written["best"], *written["front"]):
        assert set(row) == {"expression", "complexity", "loss", "fidelity"}
    ellipse = SYSTEMS["A1"]
    expression = from_text(written["best"]["expression"], written["variables"])
    assert judge(expression, ellipse).kind == "concept"


@pytest.mark.slow
def test_quiet_prints_the_rule_alone_and_gaps_in_the_data_are_said_once(capsys, files, tmp_path):
    words = ["--data", str(files["gaps.csv"]), "--operators", "polynomial", "--time-limit", "0.5"]
    words += ["--methods", "dictionary", "--report", str(tmp_path / "report.html")]
    assert cli.main(["interpret", str(files["ellipse"]), *words, "--quiet"]) == 0
    printed = capsys.readouterr()
    (rule,) = printed.out.splitlines()
    assert "a**2" in rule
    for line in printed.err.splitlines():
        assert line.startswith("keras-symgrad: warning: ")
    assert printed.err.count("hold NaN or infinity and are left out") <= 1
    page = (tmp_path / "report.html").read_text()
    assert rule.split(" > ")[0] in page
    # What repeats it, and with which files.
    # Its name, and not the folders of this machine.
    assert f"&#34;{files['gaps.csv'].name}&#34;" in page
    assert str(files["gaps.csv"].parent) not in page
    assert "methods=(&#39;dictionary&#39;,)" in page


@pytest.mark.slow
@pytest.mark.parametrize("quiet", [False, True])
def test_where_nothing_simple_fits_no_rule_is_named(quiet, capsys, files, tmp_path):
    keras.utils.set_random_seed(0)
    wide = keras.initializers.RandomNormal(stddev=4.0)
    hidden = layers.Dense(300, "tanh", kernel_initializer=wide, bias_initializer=wide)
    output = layers.Dense(1, activation="sigmoid")
    keras.Sequential([keras.Input((2,)), hidden, output]).save(tmp_path / "tangle.keras")
    words = ["--data", str(files["x.npz"]), "--operators", "polynomial", "--time-limit", "0.5"]
    words += ["--quiet"] if quiet else []
    assert cli.main(["interpret", str(tmp_path / "tangle.keras"), *words]) == 0
    printed = capsys.readouterr().out
    assert "no simple formula fits; the closest found is " in printed
    assert "agreement  " not in printed
    if quiet:
        assert len(printed.splitlines()) == 1
    else:
        assert "matches nothing (gradients " in " ".join(printed.split())


@pytest.mark.slow
def test_ctrl_c_prints_and_writes_what_was_found(files, tmp_path):
    words = ["interpret", files["ellipse"], "--data", files["data"], "--operators", "polynomial"]
    words += ["--out", tmp_path, "--time-limit", "200", "--effort", "thorough"]
    terminal, its_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_symgrad", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=its_end,
        text=True,
    )
    os.close(its_end)
    seen = b""
    while b"generation 2" not in seen:
        seen += os.read(terminal, 1000)
    process.send_signal(signal.SIGINT)
    reader = threading.Thread(target=drain, args=(terminal,))
    reader.start()
    out, _ = process.communicate(timeout=100)
    reader.join()
    assert process.returncode == 130
    assert "best" in out
    assert json.loads((tmp_path / "interpretation.json").read_text())["stopped"] == "interrupted"


def drain(terminal: int) -> None:
    """Read until the other end closes, so that the writer does not wait on a full buffer."""
    try:
        while os.read(terminal, 1000):
            pass
    except OSError:
        os.close(terminal)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("One.\n  Two."), "One. Two."),
        (ValueError("Say so with `inputs=`."), "Say so with `inputs=`."),
        (ValueError("Pass `unit=(k, j)` or `columns=`."), "Pass `--unit k,j` or `--columns`."),
        (
            ValueError('`ks.Sampling(smoothing="auto")`, `ks.Sampling(columns=...)`.'),
            "`--smoothing auto`, `--columns`.",
        ),
        (
            ValueError("With `ks.Neuron.of(path, signature='a')` or `ks.Sampling(draw=True)`."),
            "With `--signature a` or `ks.Sampling(draw=True)`.",
        ),
        (PermissionError(13, "Permission denied", "a.csv"), "a.csv: Permission denied"),
        (
            ZeroDivisionError("by 0"),
            "ZeroDivisionError: by 0 (--traceback shows where it happened)",
        ),
    ],
)
def test_an_error_is_one_line_in_the_words_of_the_command_line(error, line):
    assert cli._one_line(error) == line


def test_traceback_shows_where_it_happened(capsys):
    assert cli.main(["interpret", "none.keras", "--data", "none.csv", "--traceback"]) == 1
    assert "Traceback" in capsys.readouterr().err
