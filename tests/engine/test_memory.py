"""The memory that is promised is not exceeded."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from keras_symgrad.engine.memory import ARRAYS_PER_BLOCK, block_rows, estimate
from keras_symgrad.files.columns import Points, check_names
from keras_symgrad.gradients.field import GradientField
from keras_symgrad.gradients.reading import read, split
from keras_symgrad.neurons.neuron import Neuron

ROWS = 100_000
VARIABLES = 10


@pytest.mark.parametrize("columns", [1, 20, 1000])
def test_a_block_stays_below_its_limit(columns):
    limit = 10**8
    assert block_rows(columns, limit) * columns * ARRAYS_PER_BLOCK * 8 <= limit


def test_a_block_has_rows_enough_to_be_worth_a_call():
    assert block_rows(10**9) == 1024


@pytest.mark.parametrize("name", ["rows", "given", "population", "known"])
def test_memory_grows_linearly_with_each_of_its_parts(name):
    sizes = {"rows": 10**6, "variables": 20, "given": 10**6}
    needed = [estimate(**sizes | {name: k * 10**6}) for k in (1, 2, 3)]
    assert needed[2] - needed[1] == needed[1] - needed[0] > 0


@pytest.mark.parametrize("rows", [2000, ROWS])
def test_reading_takes_no_more_copies_of_the_data_than_are_counted(rows):
    neuron = Neuron("linear", lambda x: x[:, 0] - 2 * x[:, 1], inputs=VARIABLES)
    x = np.random.default_rng(0).normal(size=(ROWS, VARIABLES))
    # Everything is imported and traced before.
    names = check_names(None, VARIABLES)
    read([neuron], Points(x[:100], names), rows=100)
    tracemalloc.start()
    shown, _ = split(np.array(x), seed=0)
    field: GradientField = read([neuron], Points(shown, names), rows=rows)[1]
    train, held_out = field.split()
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert train.rows + held_out.rows == min(rows, len(shown))
    nothing = estimate(0, VARIABLES, given=0)
    # One copy is the user's own.
    assert taken <= estimate(rows, VARIABLES, given=ROWS) - nothing - x.nbytes
