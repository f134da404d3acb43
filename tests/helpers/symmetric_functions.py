"""Functions with a symmetry, and points for tests of them."""

import numpy as np
import sympy

from keras_symgrad.priors.symmetries import Even, Exchange, Odd, Rotation, Scaling, Translation

NAMES = ["a", "b", "c", "d"]
A, B, C, D = sympy.symbols(NAMES, real=True)
POINTS = np.random.default_rng(0).uniform(0.2, 1.5, (200, 4))

KEPT = {
    Exchange("a", "b"): A * B + C,
    Exchange("a", "b", "c"): A * B + B * C + C * A - D,
    Exchange(("a", "b"), ("c", "d")): A**2 * sympy.exp(B) + C**2 * sympy.exp(D),
    Even("a"): A**2 * B + sympy.cos(A),
    Even("a", "b"): A * B + C,
    Odd("a"): A**3 * B**2 + sympy.sin(A) * C,
    Odd("a", "b"): A * D + B**3,
    Rotation("a", "b"): A**2 + B**2 - C,
    Rotation("a", "b", "c"): (A**2 + B**2 + C**2) * D,
    Rotation(("a", "b"), ("c", "d")): A * D - B * C,
    Translation("a", "b"): sympy.exp(A - B) + C,
    Scaling("a", "b", "c"): A / B + sympy.log(C / B) * D,
}
