"""Exported formulas compute the same values wherever they are read."""

from __future__ import annotations

import json
import sys
import warnings

import keras
import numpy as np
import pytest
import sympy
import tensorflow as tf

import keras_symgrad as ks
from keras_symgrad.expressions.formats.parser import from_text
from keras_symgrad.formulas import exporters

NAMES = ("angle", "speed")
X = np.random.default_rng(0).uniform(0.2, 1.5, (50, 2)).astype(np.float32)


def formula(text: str, loss: float = 0.25) -> ks.Formula:
    return ks.Formula(from_text(text, NAMES), 7.0, loss, NAMES)


CONCEPT = formula("0.5*speed**2 - cos(angle) + 0.1*tan(angle)*sinh(speed) + log(angle)/3")


@pytest.mark.slow
def test_a_saved_model_computes_the_formula(tmp_path):
    path = CONCEPT.export(tmp_path / "concept")
    saved = tf.saved_model.load(path)
    served = saved.serve(X)
    np.testing.assert_allclose(served[:, 0], CONCEPT(X), rtol=1e-5, atol=1e-5)


def test_a_keras_file_computes_the_formula_and_can_be_trained(tmp_path):
    model = keras.models.load_model(CONCEPT.export(tmp_path / "concept.keras"), safe_mode=True)
    np.testing.assert_allclose(np.asarray(model(X))[:, 0], CONCEPT(X), rtol=1e-5, atol=1e-5)
    assert model.count_params() == 2


@pytest.mark.slow
def test_onnx_computes_the_formula(tmp_path):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    with warnings.catch_warnings():
        # tf2onnx uses what NumPy, ONNX and TensorFlow will give up.
        warnings.simplefilter("ignore")
        path = CONCEPT.export(tmp_path / "concept.onnx")
    session = runtime.InferenceSession(path)
    (values,) = session.run(None, {session.get_inputs()[0].name: X})
    np.testing.assert_allclose(values[:, 0], CONCEPT(X), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_tflite_computes_the_formula_with_its_own_operations(tmp_path):
    path = CONCEPT.export(tmp_path / "concept.tflite")
    with warnings.catch_warnings():
        # TensorFlow's own interpreter makes way for another package.
        warnings.simplefilter("ignore", UserWarning)
        run = tf.lite.Interpreter(str(path)).get_signature_runner()
    (values,) = run(x=X).values()
    np.testing.assert_allclose(values[:, 0], CONCEPT(X), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_what_tflite_has_no_operation_for_is_said_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="no built-in operation .* atan"):
        formula("atan(angle)").export(tmp_path / "concept.tflite")
    assert list(tmp_path.iterdir()) == []


def test_json_is_read_back_exactly(tmp_path):
    strange = ks.Formula(
        0.1 * sympy.Symbol("petal length (cm)", real=True) ** 2, 7.0, np.nan, ("petal length (cm)",)
    )
    for each in (CONCEPT, strange):
        text = each.export(tmp_path / "concept.json").read_text(encoding="utf-8")
        again = ks.Formula.from_json(text)
        assert (again.expression, again.names) == (each.expression, each.names)
        assert again.complexity == each.complexity
        np.testing.assert_equal(again.loss, each.loss)
        assert json.loads(text)["version"] == 1


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"version": 2}, "formulas of version 1"),
        ({"format": "other"}, "as JSON"),
        ({"expression": "__import__('os').getcwd()"}, "not a known function"),
        ({"expression": 3}, "a text at `expression`"),
        ({"names": None}, "as JSON"),
        ({"complexity": "much"}, "as JSON"),
    ],
)
def test_json_of_anything_else_is_refused(change, text):
    content = {**json.loads(CONCEPT.to_json()), **change}
    with pytest.raises(ValueError, match=text):
        ks.Formula.from_json(json.dumps(content))
    with pytest.raises(ValueError, match="as JSON"):
        ks.Formula.from_json("speed**2")


def test_latex_is_the_formula_s(tmp_path):
    assert CONCEPT.export(tmp_path / "c.tex").read_text().strip() == CONCEPT.to_latex()


def test_a_path_that_says_nothing_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(exporters, "to_model", None)
    with pytest.raises(ValueError, match=r"\.onnx, \.tflite"):
        CONCEPT.export(tmp_path / "concept.pdf")
    with pytest.raises(ValueError, match="cannot be written"):
        CONCEPT.export(tmp_path / "nowhere" / "concept.tflite")


def test_a_missing_converter_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ImportError, match="pip install tf2onnx"):
        CONCEPT.export(tmp_path / "concept.onnx")


@pytest.mark.slow
def test_a_model_with_a_formula_inside_is_exported_like_any_other(models, tmp_path):
    model = keras.models.load_model(models / "pendulum.keras")
    concept = ks.Formula(from_text("speed**2/2 - cos(angle)", NAMES), 7.0, 0.0, NAMES)
    new = ks.replace(model, "bottleneck", concept, X)
    new(X)
    expected = np.asarray(new(X))
    new.export(tmp_path / "new", verbose=False)
    saved = tf.saved_model.load(tmp_path / "new")
    np.testing.assert_allclose(saved.serve(X), expected, rtol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        new.export(tmp_path / "new.tflite", format="litert", verbose=False)
        run = tf.lite.Interpreter(str(tmp_path / "new.tflite")).get_signature_runner()
    (values,) = run(state=X).values()
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        new.export(tmp_path / "new.onnx", format="onnx", verbose=False)
    session = runtime.InferenceSession(tmp_path / "new.onnx")
    (values,) = session.run(None, {session.get_inputs()[0].name: X})
    np.testing.assert_allclose(values, expected, rtol=1e-5)
