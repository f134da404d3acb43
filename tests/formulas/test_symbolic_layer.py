"""The symbolic layer: values, gradients, training, and life in files."""

import os
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import sympy
import tensorflow as tf

from keras_symgrad.expressions.formats.text import to_text
from keras_symgrad.expressions.operators import Operator, OperatorSet
from keras_symgrad.expressions.trees import Alphabet, symbol
from keras_symgrad.formulas.symbolic_layer import SymbolicLayer

NAMES = ["x1", "x2"]
x1, x2 = map(symbol, NAMES)
GAUSS = Operator("bell", lambda a: sympy.exp(-(a**2)))
EXPRESSION = x1**2 + 2.5 * x2 - 0.1 * sympy.sin(0.3 * x1) + sympy.Rational(1, 3)


@pytest.fixture
def x():
    return np.random.default_rng(0).uniform(-1, 1, (64, 2))


def truth(x):
    return (x[:, 0] ** 2 + 2.5 * x[:, 1] - 0.1 * np.sin(0.3 * x[:, 0]) + 1 / 3)[:, None]


# What it computes. --------------------------------------------------------------------------


def test_an_expression_a_text_a_tree_and_a_result_give_the_same_layer(x):
    operators = OperatorSet("add, sub, mul, square, sin, div")
    nodes = ["add", "sub", "add", "square", 0, "mul", 2.5, 1]
    nodes += ["mul", 0.1, "sin", "mul", 0.3, 0, "div", 1.0, 3.0]
    tree = Alphabet(operators, NAMES).tree(nodes)
    result = SimpleNamespace(expression=EXPRESSION, names=("x1", "x2"))
    for layer in (
        SymbolicLayer(EXPRESSION),
        SymbolicLayer(to_text(EXPRESSION), names=NAMES),
        SymbolicLayer(tree, names=NAMES, operators=operators),
        SymbolicLayer(result),
        SymbolicLayer("square(x1) + 2.5*x2 - sin(0.3*x1)*0.1 + 1/3", NAMES, operators),
    ):
        y = layer(x)
        assert y.shape == (64, 1)
        assert y.dtype == tf.float32
        np.testing.assert_allclose(y, truth(x), rtol=1e-5, atol=1e-6)


def test_columns_are_taken_in_the_order_of_the_names(x):
    layer = SymbolicLayer(x1 - 2 * x2, names=["x2", "x1"])
    np.testing.assert_allclose(layer(x)[:, 0], x[:, 1] - 2 * x[:, 0], rtol=1e-5)


def test_names_default_to_the_symbols_with_ten_after_two():
    expression = sum(symbol(name) for name in ("x10", "x2", "x1"))
    assert SymbolicLayer(expression).names == ("x1", "x2", "x10")


def test_symbols_of_any_assumption_are_taken_by_name(x):
    plain = sympy.Symbol("x1") + sympy.Abs(sympy.Symbol("x2"))
    layer = SymbolicLayer(plain, names=NAMES)
    np.testing.assert_allclose(layer(x)[:, 0], x[:, 0] + np.abs(x[:, 1]), rtol=1e-5)
    np.testing.assert_allclose(layer.symbolic_gradient(x)[:, 1], np.sign(x[:, 1]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("text", "expected", "slopes"),
    [
        ("3", lambda x: 3 + 0 * x, lambda x: 0 * x),
        ("2.5", lambda x: 2.5 + 0 * x, lambda x: 0 * x),
        ("pi + sqrt(2)", lambda x: np.pi + 2**0.5 + 0 * x, lambda x: 0 * x),
        ("Piecewise((1, x1 > 0), (0.5, True))", lambda x: np.where(x > 0, 1, 0.5), lambda x: 0 * x),
        ("Piecewise((x1, x1 > 0), (0, True))", lambda x: np.maximum(x, 0), lambda x: x > 0),
        ("Max(0, x1)", lambda x: np.maximum(x, 0), lambda x: x > 0),
        ("Min(x1, 0.25) + 1/4", lambda x: np.minimum(x, 0.25) + 0.25, lambda x: x < 0.25),
        ("Abs(x1)*pi", lambda x: np.abs(x) * np.pi, lambda x: np.pi * np.sign(x)),
        ("atan2(x1, 2)", lambda x: np.arctan2(x, 2), lambda x: 2 / (4 + x**2)),
        ("x1**2.0/7", lambda x: x**2 / 7, lambda x: 2 * x / 7),
        ("2**x1", lambda x: 2**x, lambda x: np.log(2) * 2**x),
        ("erf(x1)", None, lambda x: 2 / np.sqrt(np.pi) * np.exp(-(x**2))),
    ],
)
def test_awkward_formulas_have_the_right_values_shapes_and_types(dtype, text, expected, slopes):
    x = np.linspace(-1, 1, 20)[:, None]
    layer = SymbolicLayer(text, names=["x1"], dtype=dtype)

    @tf.function
    def in_a_graph(points):
        return layer(points), layer.symbolic_gradient(points)

    for y, gradient in ((layer(x), layer.symbolic_gradient(x)), in_a_graph(tf.constant(x))):
        assert y.shape == gradient.shape == (20, 1)
        assert y.dtype == gradient.dtype == dtype
        tolerance = 1e-6 if dtype == "float32" else 1e-14
        if expected is not None:
            np.testing.assert_allclose(y, expected(x), rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(gradient, slopes(x), rtol=tolerance * 10, atol=tolerance)


def test_the_symbolic_gradient_is_that_of_the_tape(x):
    text = "exp(-x1**2)*x2 + Max(x1, x2)**3 - atan2(x1, 2 + x2) + sqrt(x1 + 1.5)/(x2 + 2)"
    layer = SymbolicLayer(text, names=NAMES, dtype="float64")
    points = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(points)
        y = layer(points)
    np.testing.assert_allclose(
        layer.symbolic_gradient(points), tape.gradient(y, points), rtol=1e-12, atol=1e-12
    )


def test_the_gradient_of_a_column_that_does_not_occur_is_zero(x):
    layer = SymbolicLayer("x1*2", names=["x1", "x2"])
    np.testing.assert_allclose(layer.symbolic_gradient(x), np.tile([2.0, 0.0], (64, 1)))


def test_more_axes_are_carried_along():
    points = np.random.default_rng(1).normal(size=(4, 5, 2))
    layer = SymbolicLayer("x1*x2", names=NAMES)
    assert layer(points).shape == (4, 5, 1)
    assert layer.symbolic_gradient(points).shape == (4, 5, 2)
    assert layer.compute_output_shape((None, 5, 2)) == (None, 5, 1)


def test_whole_numbers_are_taken_as_input():
    layer = SymbolicLayer("x1/2 + x2", names=NAMES)
    np.testing.assert_allclose(layer(np.array([[1, 2], [3, 4]])), [[2.5], [5.5]])


# Constants. ---------------------------------------------------------------------------------


def test_every_float_is_a_weight_and_nothing_else_is(x):
    layer = SymbolicLayer("1.5*x1**2 + 1.5*x2 + 3*x1 - x2**(1/3)/7 + pi + x1**2.0", names=NAMES)
    layer(x)
    np.testing.assert_allclose(np.sort(layer.constants), [1.5, 1.5])
    assert [weight.path.split("/")[-1] for weight in layer.weights] == ["constants"]
    assert not SymbolicLayer("x1 + 2", names=NAMES).weights


@pytest.mark.slow
def test_training_finds_the_constants_again(x):
    layer = SymbolicLayer("1.0*x1**2 + 2.0*x2 + 0.5", names=NAMES)
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.Adam(0.2), "mse", jit_compile=True)
    model.fit(x, 3 * x[:, :1] ** 2 - x[:, 1:] + 0.1, epochs=60, batch_size=16, verbose=0)
    expression = layer.expression
    assert float(expression.coeff(x1**2)) == pytest.approx(3, abs=1e-2)
    assert float(expression.coeff(x2)) == pytest.approx(-1, abs=1e-2)


@pytest.mark.slow
def test_frozen_constants_stay(x):
    layer = SymbolicLayer("1.0*x1 + 2.0*x2", names=NAMES, trainable=False)
    model = keras.Sequential([layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, x[:, :1], epochs=1, verbose=0)
    assert layer.trainable_weights == []
    assert layer.expression == 1.0 * x1 + 2.0 * x2
    layer.trainable = True
    assert len(layer.trainable_weights) == 1


def test_the_expression_shows_the_constants_as_they_are():
    layer = SymbolicLayer("0.1*x1", names=["x1"])
    assert layer.expression == 0.1 * x1
    layer.build((None, 1))
    assert layer.expression == 0.1 * x1
    layer.constants.assign([0.7])
    assert layer.expression == 0.7 * x1
    np.testing.assert_allclose(layer(np.array([[2.0]])), [[1.4]], rtol=1e-6)
    np.testing.assert_allclose(layer.symbolic_gradient(np.array([[2.0]])), [[0.7]], rtol=1e-6)


# Models. ------------------------------------------------------------------------------------


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.formula = SymbolicLayer(EXPRESSION)
        self.dense = keras.layers.Dense(1)

    def call(self, inputs):
        return self.dense(self.formula(inputs))


def functional(policy=None):
    dtype = "float64" if policy == "float64" else None
    inputs = keras.Input((2,), dtype=dtype)
    hidden = keras.layers.Dense(2, activation="tanh", dtype=policy)(inputs)
    both = [SymbolicLayer(EXPRESSION, dtype=policy)(h) for h in (inputs, hidden)]
    return keras.Model(inputs, keras.layers.Add(dtype=policy)(both))


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        functional,
        Subclassed,
        lambda: keras.Sequential([keras.Input((2,)), SymbolicLayer(EXPRESSION)]),
        lambda: keras.Sequential([keras.layers.Dense(2), SymbolicLayer(EXPRESSION)]),
    ],
    ids=["functional", "subclassed", "sequential", "unbuilt"],
)
@pytest.mark.parametrize("jit", [True, False])
def test_it_trains_in_every_kind_of_model(make, jit, x):
    model = make()
    model.compile("adam", "mse", jit_compile=jit)
    history = model.fit(x, truth(x) + 1, epochs=3, batch_size=16, verbose=0).history["loss"]
    assert np.isfinite(history).all()
    assert model.predict(x, verbose=0).shape == (64, 1)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "float64"])
def test_it_follows_the_dtype_policy(policy, x):
    model = functional(policy)
    model.compile("adam", "mse", jit_compile=True)
    history = model.fit(x, truth(x), epochs=2, batch_size=32, verbose=0).history["loss"]
    assert np.isfinite(history).all()
    layer = next(layer for layer in model.layers if isinstance(layer, SymbolicLayer))
    y = layer(x)
    assert y.dtype == layer.compute_dtype
    assert layer.constants.dtype == layer.variable_dtype
    assert layer.symbolic_gradient(x).dtype == layer.compute_dtype


# Files. -------------------------------------------------------------------------------------


def trained(x):
    model = functional()
    model.compile("adam", "mse")
    model.fit(x, truth(x) + 1, epochs=3, verbose=0)
    return model


@pytest.mark.slow
def test_a_saved_model_comes_back_with_its_trained_constants(x, tmp_path):
    model = trained(x)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x), model(x))
    for one, other in zip(model.layers, again.layers, strict=True):
        if isinstance(one, SymbolicLayer):
            assert one.expression == other.expression != EXPRESSION
            assert one.names == other.names


@pytest.mark.slow
def test_an_exported_model_gives_the_same_outputs(x, tmp_path):
    model = trained(x)
    model.export(tmp_path / "exported", verbose=False)
    again = tf.saved_model.load(tmp_path / "exported")
    points = tf.constant(x, tf.float32)
    np.testing.assert_allclose(again.serve(points), model(points), rtol=1e-6, atol=1e-6)


def test_a_layer_comes_back_from_its_config(x):
    layer = SymbolicLayer(
        "bell(x1)*1.5 + Piecewise((x2, x2 > 0), (0.5*x2, True))",
        names=NAMES,
        operators=OperatorSet([GAUSS]),
        trainable=False,
        name="formula",
        dtype="float64",
    )
    config = layer.get_config()
    again = SymbolicLayer.from_config(config)
    assert again.name == "formula"
    assert again.trainable is False
    assert again.get_config() == config
    np.testing.assert_array_equal(again(x), layer(x))


def test_a_config_is_plain_data():
    config = SymbolicLayer(EXPRESSION).get_config()
    assert config["expression"] == to_text(EXPRESSION)
    assert config["names"] == ["x1", "x2"]
    assert "<lambda>" not in repr(config)


def test_a_cloned_model_computes_the_same(x):
    model = functional()
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(clone(x), model(x), rtol=1e-6)


@pytest.mark.slow
def test_another_process_loads_it_when_it_knows_the_class(x, tmp_path):
    model = keras.Sequential([keras.Input((2,)), SymbolicLayer(EXPRESSION)])
    model.save(tmp_path / "model.keras")
    program = (
        "import keras, sys, numpy as np; from keras_symgrad import SymbolicLayer;"
        "model = keras.saving.load_model(sys.argv[1]);"
        "print(float(model(np.array([[0.5, 0.25]]))[0, 0]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "model.keras")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) == pytest.approx(
        float(truth(np.array([[0.5, 0.25]]))[0, 0]), rel=1e-6
    )


EVIL = [
    "__import__('os').system('touch pwned')",
    "lambda",
    "exp",
    "tensorflow",
    "s1",
    "x0",
    "c0",
    "return",
    "1); import os; os.abort(",
    "petal length (cm)",
]


def test_names_never_become_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    symbols = [symbol(name) for name in EVIL]
    expression = sum((k + 1.5) * s**2 for k, s in enumerate(symbols)) + sympy.exp(symbols[2])
    layer = SymbolicLayer(expression, names=EVIL)
    points = np.random.default_rng(0).normal(size=(5, len(EVIL)))
    expected = points**2 @ (np.arange(len(EVIL)) + 1.5) + np.exp(points[:, 2])
    np.testing.assert_allclose(layer(points)[:, 0], expected, rtol=1e-5)
    assert layer.symbolic_gradient(points).shape == (5, len(EVIL))
    model = keras.Sequential([keras.Input((len(EVIL),)), layer])
    model.save("model.keras")
    again = keras.saving.load_model("model.keras")
    np.testing.assert_array_equal(again(points), model(points))
    assert os.listdir() == ["model.keras"]


@pytest.mark.parametrize(
    "payload",
    ["__import__('os').system('touch pwned')", "x1.__class__", "(lambda: x1)()", "9**9**9**9"],
)
def test_a_tampered_file_is_refused_and_nothing_runs(payload, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential([keras.Input((1,)), SymbolicLayer("x1*42", ["x1"])])
    model.save("honest.keras")
    with zipfile.ZipFile("honest.keras") as honest, zipfile.ZipFile("bad.keras", "w") as bad:
        for name in honest.namelist():
            content = honest.read(name)
            if name == "config.json":
                assert b"x1*42" in content
                content = content.replace(b"x1*42", payload.encode())
            bad.writestr(name, content)
    with pytest.raises(Exception, match="in column") as raised:
        keras.saving.load_model("bad.keras")
    assert isinstance(raised.value, (ValueError, TypeError))
    assert sorted(os.listdir()) == ["bad.keras", "honest.keras"]


# Refusals. ----------------------------------------------------------------------------------


def test_an_input_of_another_width_is_refused(x):
    with pytest.raises(ValueError, match=r"of 3 columns \(x1, x2, x3\), but its input has 2"):
        SymbolicLayer("x1", names=["x1", "x2", "x3"])(x)
    layer = SymbolicLayer("x1", names=NAMES)
    layer(x)
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 2"):
        layer(x[:, :1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"expression": "x1 + y", "names": NAMES}, "Unknown name 'y'; the variables are x1, x2"),
        ({"expression": x1 + symbol("y"), "names": NAMES}, "holds y, but the columns are named"),
        ({"expression": "x1"}, "needs the `names` of its input's columns"),
        ({"expression": sympy.Integer(3)}, "needs the `names` of its input's columns"),
        ({"expression": "x1", "names": []}, "needs the `names` of its input's columns"),
        ({"expression": "x1", "names": "x1"}, "needs the `names` of its input's columns"),
        ({"expression": "x1", "names": [1]}, "needs the `names` of its input's columns"),
        ({"expression": "x1", "names": ["x1", "x1"]}, "must differ"),
        ({"expression": x1 + sympy.I, "names": NAMES}, "A formula cannot hold"),
        ({"expression": sympy.gamma(x1), "names": NAMES}, "A formula cannot hold"),
        ({"expression": 3, "names": NAMES}, "Expected a SymPy expression"),
        ({"expression": None, "names": NAMES}, "Expected a SymPy expression"),
    ],
)
def test_what_is_no_formula_of_the_columns_is_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        SymbolicLayer(**arguments)


def test_a_tree_without_its_operators_is_refused():
    tree = Alphabet(OperatorSet("add"), NAMES).tree(["add", 0, 1])
    with pytest.raises(ValueError, match="tree together with its `operators`"):
        SymbolicLayer(tree, names=NAMES)
