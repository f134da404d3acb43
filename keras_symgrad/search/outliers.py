"""Detection of outlying rows: gradients that no formula explains which explains the others.

A few rows that are far off decide more, by mean squares, than many that are nearly right. The
spectral fit itself bears some of them. Whether there are any shows after its first stage: where
most rows are explained far better than the mean of all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from keras_symgrad.comparison import errors
from keras_symgrad.expressions.trees import Alphabet, to_sympy
from keras_symgrad.gradients import GradientField
from keras_symgrad.losses import SQUARED
from keras_symgrad.search.spectral import SpectralSearch

# Mean over median of 1 - |cos|. Measured with 2 to 4 terms: 1.3 to 5 on twelve networks without
# outlying rows, 100 to 1,600 on fields of which 5 to 30 % of the rows had random directions.
LARGEST_RATIO = 20.0
# A smaller mean of 1 - |cos|, 2.6 degrees, leaves the rows nothing to decide.
SMALLEST_MEAN = 1e-3


def has_outlying_rows(alphabet: Alphabet, field: GradientField) -> bool:
    """Whether some rows of a field are far off a formula that explains most of them.

    Args:
        alphabet: what formulas are made of.
        field: unit gradients; some hundred rows are enough.

    Returns:
        Whether the mean of 1 - |cos| is more than 20 times the median, for the formula of the
        first stage of the spectral search that has the smallest loss.

    Example:

    >>> from keras_symgrad.operators import OperatorSet
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(0.5, 2, (400, 2))
    >>> clean = x * [2, 4]
    >>> wrong = np.where(np.arange(400)[:, None] % 10 == 0, rng.normal(size=x.shape), clean)
    >>> alphabet = Alphabet(OperatorSet("polynomial"), ("x1", "x2"))
    >>> fields = [GradientField.from_gradients(x, g) for g in (clean, wrong)]
    >>> [has_outlying_rows(alphabet, field) for field in fields]
    [False, True]
    """
    search = SpectralSearch(alphabet, replace(field, loss=SQUARED))
    stage = next((found for found in search.quick_stages() if found is not None), [])
    if not stage:
        return False
    best = min(stage, key=lambda candidate: candidate.loss)
    each = errors(to_sympy(best.tree, alphabet.operators), field)
    mean = float(np.average(each, weights=field.weights))
    return mean > max(SMALLEST_MEAN, LARGEST_RATIO * float(np.median(each)))
