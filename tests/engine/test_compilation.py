"""XLA compiles once for a gradient field, not for every population."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from random_trees import random_trees

from keras_symgrad import OperatorSet
from keras_symgrad.engine import compilation, interpreter
from keras_symgrad.engine.compilation import compiled, compiled_loop, with_small_call
from keras_symgrad.engine.engine import Engine
from keras_symgrad.expressions import Alphabet

SEARCH = """
import numpy as np
from keras_symgrad.engine import unit
from keras_symgrad import Engine
from keras_symgrad.expressions import Alphabet
from keras_symgrad import OperatorSet
from random_trees import random_trees

rng = np.random.default_rng(0)
points, directions = rng.uniform(size=(50, 2)), unit(rng.normal(size=(50, 2)))
alphabet = Alphabet(OperatorSet("add, mul, square"), ["x1", "x2"])
with Engine(alphabet.operators, points, directions) as engine:
    for seed, count in enumerate([1, 100, 1500, 64]):
        trees = random_trees(alphabet, count, seed)
        engine.losses(trees)
        trees = trees[:200]
        engine.normal_equations(engine.constant_tapes(trees, skip=seed), len(trees))
"""


def test_populations_of_any_size_are_traced_once(alphabet, points, directions):
    with Engine(alphabet.operators, points, directions, workers=2) as engine:
        for seed, count in enumerate([1, 30, 2000]):
            engine.losses(random_trees(alphabet, count, seed))
        program = interpreter.compiled_sums(alphabet.operators, engine._layout, 0, engine._shape)
    traced = program.experimental_get_tracing_count()
    with Engine(alphabet.operators, points + 1, directions, workers=2) as engine:
        engine.losses(random_trees(alphabet, 500, 9))
    assert program.experimental_get_tracing_count() == traced


def test_many_programs_in_one_process_draw_no_warning(caplog):
    # TensorFlow warns of the fifth trace of what it takes for one function.
    for number in range(7):
        program = compiled(lambda x, number=number: x + number)
        assert program(tf.constant(1.0)) == 1 + number
    assert "retracing" not in caplog.text


def counted(limit):
    """The sum of what is below a limit, and a half to its power, as one loop."""
    return tf.while_loop(
        lambda k, *_: k < limit,
        lambda k, total, halved: (k + 1, total + k, halved / 2),
        (0, 0, tf.constant(1.0)),
    )[1:]


def stablehlo(function, *arguments):
    specs = [tf.TensorSpec(each.shape, each.dtype) for each in arguments]
    return compiled(function).experimental_get_compiler_ir(*specs)(
        stage="stablehlo", platform_name="CPU"
    )


def test_the_outermost_loop_is_called_as_a_small_one():
    module = with_small_call(stablehlo(counted, tf.constant(3)))
    main, loop = module.split("func.func private @loop")
    assert "stablehlo.while" not in main[main.index("@main") :]
    assert 'xla_cpu_small_call = "true"' in main
    assert loop.count("stablehlo.while") == 1
    assert [each.numpy() for each in compiled_loop(counted)(tf.constant(5))] == [10, 1 / 32]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.sort(counted(tf.cast(x[0], tf.int32))[1] * x),
        lambda x: x * 2,
        lambda x: counted(tf.cast(x[0], tf.int32))[1] + counted(tf.cast(x[1], tf.int32))[1],
    ],
    ids=["unknown operation", "no loop", "two loops"],
)
def test_what_cannot_be_one_function_is_compiled_as_usual(function):
    x = tf.constant([3.0, 2.0])
    assert with_small_call(stablehlo(function, x)) is None
    np.testing.assert_array_equal(compiled_loop(function)(x), function(x))


@pytest.mark.skipif(
    not compilation.LOOPS_ARE_FUNCTIONS, reason="another version of TensorFlow than the pinned one"
)
@pytest.mark.parametrize("lanes, operators", [(0, "full"), (4, "add, mul, erf")])
def test_what_is_one_function_gives_the_same_results(
    monkeypatch, points, directions, lanes, operators
):
    modules = []
    monkeypatch.setattr(
        compilation, "with_small_call", lambda text: modules.append(with_small_call(text))
    )
    interpreter.compiled_sums.cache_clear()
    alphabet = Alphabet(OperatorSet(operators), [f"x{k}" for k in range(points.shape[1])])
    spans = np.stack([directions, np.roll(directions, 1, axis=1)], axis=1)
    frame = np.eye(points.shape[1]) + 0.1
    trees = random_trees(alphabet, 30, 1)
    with Engine(alphabet.operators, points, spans, frame=frame, lanes=4) as engine:
        # What the patch returns, None, has the program compiled as usual.
        usual = evaluated(engine, trees, lanes)
        assert len(modules) == 1 and modules[0] is not None
        monkeypatch.undo()
        interpreter.compiled_sums.cache_clear()
        np.testing.assert_allclose(evaluated(engine, trees, lanes), usual, rtol=1e-3, atol=1e-6)


def evaluated(engine, trees, lanes):
    if lanes == 0:
        return engine.losses(trees)
    return engine.normal_equations(engine.constant_tapes(trees), len(trees)).curvature


@pytest.mark.slow
def test_populations_of_any_size_are_compiled_once(tmp_path):
    """XLA writes every program that it compiles into a folder; there must be two."""
    environment = os.environ | {
        "XLA_FLAGS": f"--xla_dump_to={tmp_path} --xla_dump_hlo_as_text",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    subprocess.run([sys.executable, "-c", SEARCH], env=environment, check=True, timeout=300)
    compiled = sorted(tmp_path.glob("*XlaMustCompile*before_optimizations.txt"))
    assert len(compiled) == 2, [path.name for path in compiled]
