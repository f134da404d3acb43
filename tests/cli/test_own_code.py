"""Code of one's own on the command line: layers, functions and operators from modules and files."""

from __future__ import annotations

import keras
import pytest

from keras_symgrad.cli.own_code import imported, objects_of, operators_of
from keras_symgrad.expressions import Operator, OperatorSet

MODULE = """
import keras
import sympy
from keras_symgrad import Operator
from keras.layers import Dense

@keras.saving.register_keras_serializable()
class Scale(keras.layers.Layer):
    pass

def lambda_1(x):
    return 2 * x

bump = Operator("bump", lambda a: sympy.exp(-a**2))
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    (tmp_path / "my_physics.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "my_physics", raising=False)
    return imported(["my_physics"])


def test_classes_and_functions_of_a_module_are_custom_objects_and_those_of_keras_are_not(modules):
    assert set(objects_of(modules)) == {"Scale", "lambda_1"}
    assert issubclass(objects_of(modules)["Scale"], keras.layers.Layer)


def test_operators_of_a_module_and_of_a_file_stand_beside_those_by_name(modules, tmp_path):
    (tmp_path / "own.txt").write_text("# ours\nsaturation(s, k) = s/(k + s)\n")
    found = OperatorSet(operators_of("add, my_physics.bump", tmp_path / "own.txt", modules))
    assert found.names == ("add", "bump", "saturation")
    assert operators_of("add,mul", None, {}) == "add,mul"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("other.bump", "Add `--import other`"),
        ("my_physics.lambda_1", "has no `keras_symgrad.Operator` named 'lambda_1'.*are: bump"),
    ],
)
def test_an_operator_that_is_not_there_is_named(names, message, modules):
    with pytest.raises(ValueError, match=message):
        operators_of(names, None, modules)


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="'no_such_module' of --import"):
        imported(["no_such_module"])


def test_what_a_module_is_imported_for_is_an_operator(modules):
    assert isinstance(modules["my_physics"].bump, Operator)
