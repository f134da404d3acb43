"""XLA compiles once for a gradient field, not for every population."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import tensorflow as tf
from random_trees import random_trees

from keras_symgrad.engine import interpreter
from keras_symgrad.engine.engine import Engine
from keras_symgrad.engine.xla import compiled

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
        program = interpreter.compiled_sums(alphabet.operators, engine._wide, 0, engine._shape)
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
