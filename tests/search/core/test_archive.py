"""The archive keeps the best at each complexity, and its front only what is worth its price."""

from __future__ import annotations

import numpy as np
import pytest
from deap import gp

from keras_symgrad.search.core.archive import Archive, Individual


def individual(complexity: float, loss: float) -> Individual:
    return Individual(gp.PrimitiveTree([]), complexity, hash((complexity, loss)), loss)


def archive_of(*pairs: tuple[float, float]) -> Archive:
    archive = Archive()
    for pair in pairs:
        archive.add(individual(*pair))
    return archive


def test_only_the_best_at_a_complexity_is_kept():
    archive = archive_of((5, 0.3))
    assert archive.add(individual(5, 0.2))
    assert not archive.add(individual(5, 0.25))
    assert not archive.add(individual(5, 0.2)), "the first of equals stays"
    assert [i.loss for i in archive] == [0.2] and len(archive) == 1


@pytest.mark.parametrize("loss", [np.inf, np.nan])
def test_what_is_not_finite_is_never_kept(loss):
    archive = archive_of((5, 0.3))
    assert not archive.add(individual(5, loss))
    assert not archive.add(individual(3, loss))
    assert [i.loss for i in archive] == [0.3]


def test_individuals_come_by_ascending_complexity():
    archive = archive_of((9, 0.1), (2, 0.5), (4.5, 0.3))
    assert [i.complexity for i in archive] == [2, 4.5, 9]


def test_on_the_front_whoever_is_more_complex_is_better():
    rng = np.random.default_rng(0)
    pairs = [(int(c), float(loss)) for c, loss in zip(rng.integers(1, 30, 500), rng.random(500))]
    front = archive_of(*pairs).front()
    for lesser, greater in zip(front, front[1:]):
        assert lesser.complexity < greater.complexity and lesser.loss > greater.loss
    # None of all that were offered dominates one of the front.
    for kept in front:
        assert not any(c <= kept.complexity and loss < kept.loss for c, loss in pairs)
    # No member of the front is missing: every other individual is dominated.
    best = min(loss for _, loss in pairs)
    assert front[-1].loss == best


def test_an_empty_archive_has_an_empty_front_and_the_worst_score():
    assert Archive().front() == [] and Archive().score() == np.inf
    with pytest.raises(ValueError, match="no row to choose from"):
        Archive().choice()


def test_the_choice_is_where_the_steep_drop_ends():
    archive = archive_of((3, 0.4), (7, 0.2), (10, 1e-5), (14, 8e-6), (16, 7e-6), (12, 0.1))
    assert archive.choice().complexity == 10
    assert archive.score() == pytest.approx(np.log(1e-5) + 0.4 * 10)
