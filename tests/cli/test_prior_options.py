"""Prior knowledge on the command line: the same rules as in Python, checked at once."""

from __future__ import annotations

import pytest

from keras_symgrad.cli.main import main
from keras_symgrad.cli.parser import parser
from keras_symgrad.cli.prior_options import LOSS_NAMES, knowledge_of
from keras_symgrad.engine import losses
from keras_symgrad.priors.constraints import Constraints
from keras_symgrad.priors.dimensions import Dimensions
from keras_symgrad.priors.symmetries import Even, Exchange


def options(*words: str) -> dict:
    command = parser(print)
    return knowledge_of(command.parse_args(["interpret", "m.keras", "--data", "x.csv", *words]))


def test_without_options_nothing_is_known():
    assert options() == {
        "constraints": None,
        "dimensions": None,
        "template": None,
        "guesses": (),
        "symmetries": (),
        "loss": "auto",
    }


def test_symmetries_and_a_loss_are_those_of_the_library():
    known = options(
        *("--symmetry", "exchange:x1+v1,x2+v2", "--symmetry", "even:x3", "--loss", "huber"),
    )
    assert known["symmetries"] == (Exchange(("x1", "v1"), ("x2", "v2")), Even("x3"))
    assert known["loss"] == "huber"
    assert set(LOSS_NAMES) == set(losses.LOSSES)


@pytest.mark.parametrize("text", ["mirror:x1", "even", "even:", "exchange:x1+,x2"])
def test_a_symmetry_that_is_none_is_wrong_usage(text, capsys):
    with pytest.raises(SystemExit) as ended:
        options("--symmetry", text)
    assert ended.value.code == 2
    assert "such as 'exchange:x1,x2'" in capsys.readouterr().err


def test_options_stand_for_the_arguments_of_interpret():
    known = options(
        *("--forbid", "sin:sin,cos", "--forbid", "exp:exp", "--forbid", "sin:exp"),
        *("--max-argument", "exp:5", "--max-argument", "div:2.5", "--max-depth", "4"),
        *("--dimensions", 'height=m, "odd, name"=m/s**2', "--template", "f(height)"),
        *("--guess", "height", "--guess", "height**2"),
    )
    assert known == {
        "constraints": Constraints(
            {"sin": ("sin", "cos", "exp"), "exp": ("exp",)}, {"exp": 5, "div": 2.5}, 4
        ),
        "dimensions": {"height": "m", "odd, name": "m/s**2"},
        "template": "f(height)",
        "guesses": ("height", "height**2"),
        "symmetries": (),
        "loss": "auto",
    }


def test_constants_of_any_dimension_need_dimensions():
    known = options("--dimensions", "height=m", "--constants", "any")
    assert known["dimensions"] == Dimensions({"height": "m"}, constants="any")
    with pytest.raises(ValueError, match="needs --dimensions"):
        options("--constants", "any")


@pytest.mark.parametrize(
    "words",
    [
        ("--forbid", "sin"),
        ("--forbid", ":sin"),
        ("--forbid", "sin:"),
        ("--max-argument", "exp"),
        ("--max-argument", "exp:0"),
        ("--max-argument", "exp:long"),
        ("--max-argument", "exp:nan"),
        ("--max-depth", "0"),
        ("--max-depth", "2.5"),
        ("--dimensions", ""),
        ("--dimensions", "height=m\ntime=s"),
        ("--dimensions", "x" * 140_000 + "=m"),
        ("--symmetry", "even:a\nb"),
        ("--symmetry", "even:" + "x" * 140_000),
        ("--dimensions", "m"),
        ("--dimensions", "height=m,height=s"),
        ("--constants", "free"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        options(*words)
    assert stopped.value.code == 2
    assert words[0] in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--guess", "tanh(x1)"), "cannot be written with the operators"),
        (("--guess", "x9"), "Unknown name 'x9'"),
        (("--template", "f(x9)"), "may hold variables, not x9"),
        (("--dimensions", "x1=foo"), "'foo' is not defined"),
        (("--dimensions", "x9=m"), "no variable: x9"),
        (("--forbid", "sinh:sin"), "not made of: sinh"),
        (("--dimensions", "x1=m,x2=s", "--guess", "x1 + x2"), "has no dimension"),
    ],
)
def test_what_contradicts_itself_is_one_line_before_the_search(words, message, models, capsys):
    model, points = str(models / "A1.keras"), str(models / "A1.csv")
    assert main(["interpret", model, "--data", points, "--time-limit", "5", *words]) == 1
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
