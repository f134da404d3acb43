"""`Task`: the checked arguments of `interpret` that a search and its assessment need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras_symgrad.engine import Loss
from keras_symgrad.expressions import Complexity, OperatorSet
from keras_symgrad.gradients import Sampling
from keras_symgrad.priors import Priors
from keras_symgrad.search import Search
from keras_symgrad.search.callbacks import Callback, SavedSearch
from keras_symgrad.search.core import Stopping


@dataclass(frozen=True, eq=False)
class Task:
    """Arguments of one call of `interpret`, checked.

    Attributes:
        operators: that formulas are made of.
        complexity: how formulas are weighed, over these operators.
        measure: loss of the unit gradients.
        automatic: whether another loss may take its place for a field with outlying rows.
        sampling: where gradients are read.
        priors: knowledge of the formula.
        search: how to search.
        stopping: all limits of the search.
        kept: a search to continue; `None` for a new one.
        callbacks: called after every generation.
        seed: of all random choices.
        verbose: whether to show a progress bar.
        settings: all arguments as plain data.
    """

    operators: OperatorSet
    complexity: Complexity
    measure: Loss
    automatic: bool
    sampling: Sampling
    priors: Priors
    search: Search
    stopping: Stopping
    kept: SavedSearch | None
    callbacks: Sequence[Callback]
    seed: int
    verbose: bool
    settings: dict[str, Any]
