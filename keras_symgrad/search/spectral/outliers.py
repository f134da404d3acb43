"""Detect outlying rows: gradients that no formula explains together with the others.

By mean squares, a few rows that are far off have more weight than many that are nearly right. The
spectral fit itself is robust to some of them. Outliers show after its first stage: most rows are
explained far better than the mean of all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from keras_symgrad.engine import SQUARED, Loss, as_loss
from keras_symgrad.expressions import Alphabet, to_sympy
from keras_symgrad.gradients import GradientField, errors
from keras_symgrad.search.spectral.search import SpectralSearch

# Mean over median of 1 - |cos|. Measured with 2 to 4 terms: 1.3 to 5 on twelve networks without
# outlying rows, 100 to 1,600 on fields of which 5 to 30 % of the rows had random directions.
MAX_MEAN_OVER_MEDIAN = 20.0
# A smaller mean of 1 - |cos|, 2.6 degrees, needs no robust loss.
SMALLEST_MEAN = 1e-3
# If squares leave a mean of more than this, 8 degrees, outlying rows may have hidden the formula.
POOR_MEAN = 1e-2
# A robust fit that finds it has a median of 1 - |cos| smaller by at least this factor.
SMALLEST_GAIN = 4.0
# Rows of the robust fit, which takes four times as long as one of squares.
ROBUST_ROWS = 256


def has_outlying_rows(alphabet: Alphabet, field: GradientField) -> bool:
    """Return whether some rows of a field are far off a formula that explains most of them.

    Args:
        alphabet: alphabet of the formulas.
        field: unit gradients; some hundred rows are enough.

    Returns:
        True if the mean of 1 - |cos| is more than 20 times the median for the best formula of the
        first stage of the spectral search, by squares; or if squares find no formula that fits, and
        a robust loss finds one whose median is four times smaller.

    Example:

    >>> from keras_symgrad import OperatorSet
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(0.5, 2, (400, 2))
    >>> clean = x * [2, 4]
    >>> wrong = np.where(np.arange(400)[:, None] % 10 == 0, rng.normal(size=x.shape), clean)
    >>> alphabet = Alphabet(OperatorSet("polynomial"), ("x1", "x2"))
    >>> fields = [GradientField.from_gradients(x, g) for g in (clean, wrong)]
    >>> [has_outlying_rows(alphabet, field) for field in fields]
    [False, True]
    """
    each = _errors(alphabet, field, SQUARED, good_mean=SMALLEST_MEAN)
    mean, median = float(np.average(each, weights=field.weights)), float(np.median(each))
    if mean <= SMALLEST_MEAN or mean > MAX_MEAN_OVER_MEDIAN * median:
        return mean > SMALLEST_MEAN
    if mean <= POOR_MEAN:
        return False
    robust = _errors(alphabet, field.subset(ROBUST_ROWS), as_loss("huber"))
    return SMALLEST_GAIN * float(np.median(robust)) < median


def _errors(
    alphabet: Alphabet, field: GradientField, loss: Loss, good_mean: float = 0.0
) -> np.ndarray:
    """1 - |cos| of the best formula of the first stage, `(rows,)`; 0 without a formula.

    By squares, the stage ends with the first formula of a good mean: the best one has no larger.
    """
    search = SpectralSearch(alphabet, replace(field, loss=loss))
    # The mean of squared differences of unit vectors of these many axes is 2 (1 - |cos|) / axes.
    good_loss = 2 * good_mean / field.axes
    stage = None
    for stage in search.quick_stages():
        if stage is not None or search.lowest_loss <= good_loss:
            break
    stage = search.end_stage() if stage is None else stage
    if not stage:
        return np.zeros(field.rows)
    best = min(stage, key=lambda candidate: candidate.loss)
    return errors(to_sympy(best.tree, alphabet.operators), field)
