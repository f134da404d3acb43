"""The package's face: its public names, and how little it costs to import."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points, requires, version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import keras_symgrad

SLOW = ("tensorflow", "keras", "sympy", "deap", "scipy", "sklearn", "pandas", "matplotlib", "rich")
SLOW += ("numpy",)


def in_a_new_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_imports_nothing_slow():
    loaded = in_a_new_process(
        "import sys, keras_symgrad, keras_symgrad.cli.main\n"
        f"print(*[name for name in {SLOW} if name in sys.modules])"
    )
    assert loaded.split() == []


def test_public_names_come_on_first_use():
    printed = in_a_new_process(
        "import sys, keras_symgrad as ks\n"
        "stopping = ks.Stopping(time_limit=5)\n"
        "print('tensorflow' in sys.modules, stopping.time_limit, ks.Stopping is type(stopping))"
    )
    assert printed.split() == ["False", "5", "True"]


@pytest.mark.slow
def test_touching_all_names_leaves_tensorflow_to_be_configured_and_the_process_to_be_forked():
    printed = in_a_new_process(
        "import importlib, os, keras_symgrad as ks, keras_symgrad.replacement as face\n"
        # A module that was imported does not hide its function.
        "module = importlib.import_module('keras_symgrad.replacement.compare_models')\n"
        "face.compare_models = module\n"
        "print(ks.compare_models is module.compare_models)\n"
        "for name in ks.__all__: getattr(ks, name)\n"
        "ks.OperatorSet(['full', ks.Operator('bump', lambda a: 1 / (1 + a**2))])\n"
        "import tensorflow as tf\n"
        "tf.config.threading.set_intra_op_parallelism_threads(1)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(int(tf.reduce_sum(tf.ones((3, 3)) @ tf.ones((3, 3)))))\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert printed.split() == ["True", "27"]


def test_every_public_name_exists_and_is_documented():
    for name in keras_symgrad.__all__:
        found = getattr(keras_symgrad, name)
        if name != "__version__":
            assert found.__name__ == name
            assert found.__doc__
    assert set(keras_symgrad.__all__) <= set(dir(keras_symgrad))


def test_interpret_is_no_longer_than_a_screen_and_options_travel_as_values():
    parameters = inspect.signature(keras_symgrad.interpret).parameters
    assert len(parameters) <= 16
    kinds = {keras_symgrad.Sampling, keras_symgrad.Priors, keras_symgrad.Search}
    values = [one.default for one in parameters.values() if type(one.default) in kinds]
    assert len(values) == 3
    # No option has two places.
    names = [name for value in values for name in vars(value)] + list(parameters)
    assert len(names) == len(set(names))


def faces(project):
    return sorted((project / "keras_symgrad").rglob("__init__.py"))


def test_a_face_lists_what_it_imports_and_nothing_else(project):
    for path in faces(project):
        tree = ast.parse(path.read_text())
        (listed,) = (
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
        )
        package = ".".join(path.parent.relative_to(project).parts)
        module = import_module(package)
        for name in listed:
            # No face hides a function behind the module of its name.
            assert not inspect.ismodule(getattr(module, name)), (package, name)


@pytest.mark.slow
def test_no_module_imports_the_face_of_a_folder_that_it_lies_in(project):
    # It may be half made when the module is imported; a cycle is hidden in it.
    for path in sorted((project / "keras_symgrad").rglob("*.py")):
        parts = path.relative_to(project).with_suffix("").parts
        above = {".".join(parts[:k]) for k in range(1, len(parts))}
        if path.name == "__init__.py":
            continue
        tree = ast.parse(path.read_text())
        # What only type checkers read is not imported.
        typing = {
            id(inner)
            for block in tree.body
            if isinstance(block, ast.If)
            for inner in ast.walk(block)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in above and id(node) not in typing:
                package = project.joinpath(*node.module.split("."))
                for alias in node.names:
                    is_module = (package / alias.name).is_dir() or (
                        package / f"{alias.name}.py"
                    ).is_file()
                    assert is_module or alias.name == "__version__", (path, alias.name)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'interprete'"):
        _ = keras_symgrad.interprete


def test_the_command_is_installed():
    (script,) = entry_points(group="console_scripts", name="keras-symgrad")
    assert script.value == "keras_symgrad.cli:main"


def test_every_dependency_is_pinned_for_the_scripts(project):
    # An unpinned one would let the same commit behave differently tomorrow.
    pins = [
        line.split("==")
        for line in (project / "constraints.txt").read_text().splitlines()
        if "==" in line
    ]
    pinned = {canonicalize_name(name) for name, _ in pins}
    other = [name for name, at in pins if name in ("keras", "numpy") and version(name) != at]
    if other:
        # Other versions have other dependencies.
        pytest.skip(f"not the versions of constraints.txt: {', '.join(other)}")
    needed, todo = set(), ["keras-symgrad[test]"]
    while todo:
        wanted = Requirement(todo.pop())
        name = canonicalize_name(wanted.name)
        if str(wanted) in needed:
            continue
        needed.add(str(wanted))
        assert name in pinned or name == "keras-symgrad", name
        for line in requires(name) or ():
            marker = Requirement(line).marker
            if any(not marker or marker.evaluate({"extra": e}) for e in wanted.extras or {""}):
                todo.append(line)
    assert len(needed) > 40


def test_every_public_name_has_an_example_in_its_docstring():
    # The examples run with the doctests of their modules.
    missing = [
        name
        for name in keras_symgrad.__all__
        if name != "__version__" and ">>>" not in getattr(keras_symgrad, name).__doc__
    ]
    assert missing == []
