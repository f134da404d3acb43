"""Scores of a classifier's classes, and one time limit for all pairs."""

from __future__ import annotations

import signal

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import keras_symgrad as ks

pytestmark = pytest.mark.slow

QUICK = {"search": ks.Search(methods="dictionary"), "verbose": False}


@pytest.fixture(scope="module")
def digits():
    """A network of ten digits in blocks of 2 x 2 pixels, its rows, and rows that it never saw."""
    x = load_digits()
    pixels = x.data.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16).astype("float32")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((16,)),
            keras.layers.Rescaling(1 / 16),
            keras.layers.Dense(32, "relu"),
            keras.layers.Dense(10, "softmax"),
        ],
        name="digits",
    )
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=True)
    model.fit(pixels[:1200], x.target[:1200], epochs=20, verbose=0)
    return model, pixels[:1200], pixels[1200:]


@pytest.fixture(scope="module")
def found(digits):
    model, known, _ = digits
    return ks.interpret_classes(
        model, known, classes=list("0123456789"), time_limit=None, verbose=False
    )


def test_ten_classes_are_decided_by_formulas_as_by_softmax_regression(found, digits):
    model, _, fresh = digits
    agreement = np.mean(found.predict(fresh) == np.argmax(model(fresh), axis=1))
    assert not found.pairs
    assert len(found.scores.best.formulas) == 10
    assert agreement > found.fidelity.linear - 0.05
    assert agreement > found.fidelity.tree + 0.3
    assert found.fidelity.formula == pytest.approx(agreement, abs=0.05)
    assert found.fidelity.rows == 240


def test_shorter_scores_are_told_with_their_agreement(found):
    front = found.scores.front
    sizes = [scores.complexity for scores in front]
    assert sizes == sorted(sizes)
    assert front[0].fidelity.formula < found.scores.best.fidelity.formula
    assert found.scores.for_fidelity(0.6).complexity < found.scores.best.complexity
    assert found.scores.for_fidelity(1.01) is None


def test_scores_are_printed_as_approximations_beside_simple_models(found):
    text = str(found)
    assert found.scores.complete == ("unfinished" not in text)
    assert "10 classes by 10 scores, the largest of which decides" in text
    assert "formulas are approximations of the model" in text
    assert f"softmax regression {100 * found.fidelity.linear:.1f} %, tree of depth 3" in text
    assert f"score of 7: {found.scores.best.formulas[7].to_pretty()}" in text


def test_scores_read_back_from_a_file_choose_alike(found, digits, tmp_path):
    again = ks.load_interpretation(found.save(tmp_path / "digits.json"))
    assert again == found
    np.testing.assert_array_equal(again.predict(digits[2]), found.predict(digits[2]))
    assert str(again) == str(found)


def test_a_margin_of_scores_is_positive_for_the_class_that_is_chosen_only(found, digits):
    margins = found.margins(digits[2])
    chosen = np.take_along_axis(margins, found.predict(digits[2])[:, None], axis=1)
    assert np.all(chosen >= 0)
    assert np.all((margins > 0).sum(axis=1) <= 1)


def test_the_report_and_the_notebook_show_each_score(found):
    page, cell = found._page(), found._repr_html_()
    for text in (page, cell):
        assert "formulas are approximations of the model" in text
        assert "softmax regression" in text
    assert page.count("<math") >= 10
    assert cell.count("<math") >= 10
    assert found._repr_markdown_().count("score of `") == 10


def test_a_report_on_scores_does_not_count_formulas_of_a_search(found):
    page = found._page()
    assert "Scores are fitted without a search" in page
    assert "The search evaluated" not in page


def test_the_same_seed_gives_the_same_scores(digits):
    model, known, _ = digits
    one, other = (
        ks.interpret_classes(model, known[:, :], scheme="scores", time_limit=1e-6, verbose=False)
        for _ in range(2)
    )
    assert one == other
    # The limit ends the trials, and what was found by then is kept.
    assert len(one.scores.front) == 1
    assert not one.scores.complete
    assert "unfinished" in str(one)


def test_scores_of_two_columns_find_the_formulas_that_labels_were_made_of():
    rng = np.random.default_rng(0)
    x = keras.Input((2,))
    a, b = x[:, :1], x[:, 1:]
    scores = keras.layers.Concatenate()([9 * a * b, 9 * b, 0 * a, -9 * b, -9 * a * b])
    model = keras.Model(x, keras.ops.softmax(scores), name="five")
    found = ks.interpret_classes(model, rng.uniform(-2, 2, (1500, 2)), verbose=False)
    assert found.agreement > 0.97
    assert min(found.recall) > 0.9
    fresh = rng.uniform(-2, 2, (2000, 2))
    assert np.mean(found.predict(fresh) == np.argmax(model(fresh), axis=1)) > 0.97


def test_one_time_limit_is_for_all_pairs_and_those_without_a_turn_say_so(models):
    found = ks.interpret_classes(
        models / "regions.keras", models / "regions.csv", time_limit=1e-6, verbose=False
    )
    assert not found.pairs
    assert set(found.unread) == {(1, 0), (2, 0), (2, 1)}
    assert all("the time limit of all pairs" in reason for reason in found.unread.values())
    # Without pairs the scores decide.
    assert found.agreement == found.scores.best.fidelity.formula


def test_ctrl_c_returns_the_pairs_that_were_read(models):
    def press(generation: int, logs: dict) -> None:
        signal.raise_signal(signal.SIGINT)

    found = ks.interpret_classes(
        models / "regions.keras",
        models / "regions.csv",
        callbacks=[ks.callbacks.LambdaCallback(on_generation_end=press)],
        sampling=ks.Sampling(rows=300),
        **QUICK,
    )
    assert len(found.pairs) == 1
    assert len(found.unread) == 2
    assert all("Ctrl-C" in reason for reason in found.unread.values())
    assert found.scores is None
