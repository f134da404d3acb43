"""Known concepts: their formulas as NumPy functions of points."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from keras_symgrad.datasets.ground_truth import rowwise


def test_rowwise_takes_any_names_and_any_expression():
    odd, plain = sympy.symbols("length\\ (cm) for")
    first, constant, complex_root = rowwise(
        [odd**2 * plain, sympy.pi, sympy.sqrt(plain)], [odd.name, "for"]
    )
    x = np.array([[2.0, 3.0], [1.0, -1.0]])

    np.testing.assert_allclose(first(x), [12, -1])
    np.testing.assert_allclose(constant(x), [np.pi, np.pi])
    np.testing.assert_allclose(complex_root(x), [np.sqrt(3), np.nan])
    with pytest.raises(ValueError, match=r"symbols \['y'\]"):
        rowwise([sympy.Symbol("y")], ["x"])
