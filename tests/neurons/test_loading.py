"""Files that are no model, or that would run code, end in one clear error."""

from __future__ import annotations

import zipfile

import keras
import pytest

from keras_symgrad.neurons.loading import kind_by_loss, load

layers = keras.layers


class NotRegistered(layers.Layer):
    def call(self, x):
        return 2 * x


def one_layer(*first: keras.Layer) -> keras.Sequential:
    return keras.Sequential([keras.Input((2,)), *first, layers.Dense(1)])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is nothing at: .*none.keras"):
        load(tmp_path / "none.keras")


@pytest.mark.parametrize("name", ["text.keras", "text.h5", "text.hdf5", "text.txt", "text"])
def test_a_file_that_is_no_model_is_refused(name, tmp_path):
    (tmp_path / name).write_text("hello")
    with pytest.raises(ValueError, match=r"Expected a `.keras` file, a legacy `.h5` file or a"):
        load(tmp_path / name)


def test_an_archive_or_folder_that_is_no_model_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("letter", "hello")
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "saved_model.pb").write_text("hello")

    for name, message in [
        ("other.keras", "could not be loaded"),
        ("folder", "no `saved_model.pb`"),
        ("broken", "could not be loaded"),
    ]:
        with pytest.raises(ValueError, match=message) as caught:
            load(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_weights_without_a_model_are_refused(tmp_path):
    one_layer().save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(ValueError, match="could not be loaded"):
        load(tmp_path / "model.weights.h5")


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_python_code_in_a_file_is_never_run(ending, tmp_path):
    path = tmp_path / f"lambda.{ending}"
    one_layer(layers.Lambda(lambda x: 2 * x, name="twice")).save(path)
    with pytest.raises(ValueError, match="Lambda layer: 'twice'.*safe_mode=False"):
        load(path)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_what_a_file_says_of_training_is_not_looked_up(ending, tmp_path):
    def own_loss(true, predicted):
        return keras.ops.mean(predicted)

    model = one_layer()
    model.compile(loss=own_loss, optimizer="sgd")
    model.save(tmp_path / f"trained.{ending}")
    loaded, loss = load(tmp_path / f"trained.{ending}")
    assert not loaded.compiled and loss != own_loss


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_class_that_keras_does_not_know_is_named(ending, tmp_path):
    path = tmp_path / f"own.{ending}"
    one_layer(NotRegistered()).save(path)
    with pytest.raises(ValueError, match="uses 'NotRegistered', which is not part of Keras"):
        load(path)


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        ("binary_crossentropy", "probability"),
        (keras.losses.BinaryCrossentropy(), "probability"),
        (keras.losses.BinaryCrossentropy(from_logits=True), "logit"),
        (keras.losses.BinaryFocalCrossentropy(from_logits=True), "logit"),
        ("mse", None),
        (keras.losses.MeanSquaredError(), None),
        (None, None),
        (["binary_crossentropy"], None),
    ],
)
def test_the_loss_tells_logits_from_probabilities(loss, kind):
    assert kind_by_loss(loss) == kind
