"""Files that Keras 2 wrote compute in Keras 3 what they computed then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_symgrad.neurons.loading import load, load_model, opened
from keras_symgrad.neurons.neuron import Neuron

layers = keras.layers
# Written by scripts/training/save_old_models.py, values included.
FOLDER = Path(__file__).parents[2] / "fixtures" / "keras_2"
VALUES = json.loads((FOLDER / "outputs.json").read_text())


def double(x):
    return 2 * x


@pytest.mark.parametrize(
    "name",
    sorted(
        p.name for p in FOLDER.iterdir() if p.suffix in (".h5", ".keras") and "_w" not in p.name
    ),
)
def test_a_file_of_keras_2_computes_what_it_did(name):
    model = load_model(FOLDER / name)
    truth = VALUES[Path(name).stem]
    np.testing.assert_allclose(model(np.array(truth["x"])), truth["output"], atol=2e-5)


def test_weights_find_the_model_that_its_json_describes():
    model = load_model(FOLDER / "recurrent.json", weights=FOLDER / "recurrent_weights.h5")
    truth = VALUES["recurrent"]
    np.testing.assert_allclose(model(np.array(truth["x"])), truth["output"], atol=2e-5)


def test_the_slots_of_an_optimizer_do_not_keep_a_saved_model_from_loading():
    before = (FOLDER / "with_optimizer" / "saved_model.pb").read_bytes()
    neuron = Neuron.of(FOLDER / "with_optimizer", kind="probability")
    truth = VALUES["with_optimizer"]
    probability = 1 / (1 + np.exp(-neuron(np.array(truth["x"], np.float32)).numpy()))
    np.testing.assert_allclose(probability, np.ravel(truth["output"]), atol=2e-5)
    assert (FOLDER / "with_optimizer" / "saved_model.pb").read_bytes() == before


@pytest.mark.parametrize("name", ["model.keras", "model", "model.h5.bak"])
def test_a_file_is_known_by_its_content_and_not_by_its_name(name, tmp_path):
    shutil.copy(FOLDER / "image.h5", tmp_path / name)
    truth = VALUES["image"]
    np.testing.assert_allclose(
        load_model(tmp_path / name)(np.array(truth["x"])), truth["output"], atol=2e-5
    )


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_file_of_keras_3_may_have_any_name_too(ending, tmp_path):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3)])
    model.save(tmp_path / f"model.{ending}")
    (tmp_path / f"model.{ending}").rename(tmp_path / "model")
    x = np.ones((2, 2))
    np.testing.assert_array_equal(load_model(tmp_path / "model")(x), model(x))


def test_a_lambda_layer_computes_what_the_user_says(tmp_path):
    model = keras.Sequential(
        [keras.Input((2,)), layers.Lambda(double, name="twice"), layers.Dense(1)]
    )
    x = np.ones((3, 2))
    for ending in ("h5", "keras"):
        path = tmp_path / f"model.{ending}"
        code = keras.Sequential(
            [keras.Input((2,)), layers.Lambda(lambda x: 2 * x, name="twice"), layers.Dense(1)]
        )
        code.set_weights(model.get_weights())
        code.save(path)
        with pytest.raises(ValueError, match=r"custom_objects=\{'twice': function\}\)`"):
            load(path)
        again = load_model(path, custom_objects={"twice": double})
        np.testing.assert_allclose(again(x), code(x))


def test_a_model_from_json_keeps_what_its_file_says_of_the_loss(tmp_path):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    model.save(tmp_path / "model.keras")
    assert Neuron.of(load_model(tmp_path / "model.keras")).is_classifier
    through = load_model(tmp_path / "model.keras", custom_objects={})
    assert opened(through)[1] == load(tmp_path / "model.keras")[1] is not None


def test_what_is_missing_is_said(tmp_path):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.save_weights(tmp_path / "model.weights.h5")
    (tmp_path / "model.json").write_text(model.to_json())
    other = keras.Sequential([keras.Input((2,)), layers.Dense(1), layers.Dense(1)])
    other.save_weights(tmp_path / "other.weights.h5")
    (tmp_path / "pointer.h5").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
    )
    (tmp_path / "scaler.h5").write_bytes(b"\x80\x04K\x01.")
    shutil.copytree(FOLDER / "with_optimizer", tmp_path / "saved")
    shutil.rmtree(tmp_path / "saved" / "variables")

    for name, weights, message in [
        ("model.weights.h5", None, "Pass the model's JSON"),
        ("model.json", None, "holds a model without weights"),
        ("model.json", "other.weights.h5", "weights of 2 layers of the kind 'dense'"),
        ("pointer.h5", None, "git lfs pull"),
        ("scaler.h5", None, "a pickle, which is a program and is not run"),
        ("saved", None, "has no folder `variables`"),
        ("saved", "model.weights.h5", "Leave out `weights`"),
    ]:
        with pytest.raises(ValueError, match=message):
            load(tmp_path / name, weights=weights and tmp_path / weights)
    with pytest.raises(FileNotFoundError, match="Expected a file of weights"):
        load(tmp_path / "model.json", weights=tmp_path / "none.h5")
