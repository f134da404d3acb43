"""A formula in place of a layer: the rest of the model gets what it got before."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import sympy

import keras_symgrad as ks
from keras_symgrad.expressions.formats.parser import from_text
from keras_symgrad.files.tables import read_points
from keras_symgrad.formulas.formula import ScaledFormula
from keras_symgrad.formulas.phi_formula import PhiFormula
from keras_symgrad.gradients.own_units import OwnUnits

QUICK = {
    "search": ks.Search(methods=("dictionary",)),
    "sampling": ks.Sampling(rows=400),
    "verbose": False,
}


def formula(text: str, *names: str) -> ks.Formula:
    return ks.Formula(from_text(text, names), 5.0, 0.0, names)


def r2(found, wanted) -> float:
    found, wanted = np.asarray(found), np.asarray(wanted)
    return float(1 - np.mean((found - wanted) ** 2) / np.var(wanted))


@pytest.fixture(scope="module")
def pendulum(models):
    return (
        keras.models.load_model(models / "pendulum.keras"),
        read_points(models / "pendulum.csv")[0],
    )


@pytest.fixture
def two_units():
    """Units of which the first is tanh(a + 2 b) and the second tanh(a - b), and a head."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((2,), name="ab"),
            keras.layers.Dense(2, activation="tanh", name="units"),
            keras.layers.Dense(3, name="head"),
        ]
    )
    model.get_layer("units").set_weights([np.array([[1.0, 1.0], [2.0, -1.0]]), np.zeros(2)])
    return model, np.random.default_rng(0).normal(size=(500, 2))


@pytest.mark.slow
def test_a_bottleneck_becomes_a_formula_and_the_decoder_stays(pendulum):
    model, x = pendulum
    before = [w.copy() for w in model.get_weights()]
    new = ks.replace(model, "bottleneck", formula("v**2/2 - cos(a)", "a", "v"), x[:1000])

    assert [layer.name for layer in new.layers] == [
        *("state", "bottleneck_formula", "bottleneck", "decode", "period")
    ]
    assert r2(new(x[1000:]), model(x[1000:])) > 0.999
    for name in ("decode", "period"):
        for mine, theirs in zip(new.get_layer(name).weights, model.get_layer(name).weights):
            assert mine is not theirs
            np.testing.assert_array_equal(mine, theirs)
    inner = [keras.Model(m.inputs[0], m.get_layer("bottleneck").output) for m in (model, new)]
    assert r2(inner[1](x), inner[0](x)) > 0.999
    for old, now in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, now)


@pytest.mark.slow
def test_a_classifier_becomes_its_interpretation(models):
    path = models / "A1.keras"
    model, x = keras.models.load_model(path), read_points(models / "A1.csv")[0]
    concept = ks.interpret(path, x, **QUICK)
    new = ks.replace(model, None, concept)

    decided = [np.asarray(m(x))[:, 0] > 0.5 for m in (model, new)]
    assert np.mean(decided[0] == decided[1]) > 0.99
    assert new.count_params() < model.count_params() / 100
    assert new.layers[-1].name == model.layers[-1].name
    assert [type(layer) for layer in new.layers[1:]] == [
        *(ks.SymbolicLayer, ks.MonotoneLayer, keras.layers.Activation)
    ]


@pytest.mark.slow
def test_it_is_saved_and_loaded_in_safe_mode_like_any_model(pendulum, tmp_path):
    model, x = pendulum
    new = ks.replace(model, "bottleneck", formula("v**2/2 - 1.1*cos(a)", "a", "v"), x)
    new.compile(keras.optimizers.Adam(1e-3), "mse")
    new.fit(x[:200], np.asarray(model(x[:200])), verbose=0)
    new.save(tmp_path / "new.keras")
    again = keras.models.load_model(tmp_path / "new.keras", safe_mode=True)
    np.testing.assert_array_equal(again(x), new(x))


@pytest.mark.slow
def test_fit_moves_the_constants_of_the_formula_to_where_they_belong(pendulum):
    model, x = pendulum
    wrong = formula("2*v**2/5 - cos(a)", "a", "v").with_free_coefficients()
    new = ks.replace(model, "bottleneck", wrong, x)
    values = np.asarray(model(x))
    before = r2(new(x), values)
    new.compile(keras.optimizers.Adam(5e-3), "mse")
    new.fit(x, values, batch_size=50, epochs=8, verbose=0)
    found, a, v = new.get_layer("bottleneck_formula").expression, *sympy.symbols("a v", real=True)
    ratio = found.coeff(v**2) / found.coeff(sympy.cos(a))
    assert float(ratio) == pytest.approx(-0.5, abs=0.01)
    assert r2(new(x), values) > before


@pytest.mark.slow
def test_a_regressor_is_its_value_in_closed_form(models):
    model = keras.models.load_model(models / "air_pressure.keras")
    x, names = read_points(models / "air_pressure.csv")
    concept = formula(f"{names[0]}*{names[1]}/{names[2]}", *names)
    g = sympy.Symbol("g", real=True)
    value = formula(f"exp(-1.18*{concept})", *names)
    phi = PhiFormula(sympy.exp(-1.18 * g), 3.0, 1.0, 0, value)
    for new in (ks.replace(model, None, phi, x), ks.replace(model, None, phi, x, phi="formula")):
        assert [type(layer) for layer in new.layers[1:]] == [ks.SymbolicLayer]
        np.testing.assert_allclose(np.asarray(new(x))[:, 0], value(x), rtol=1e-4)
        assert r2(new(x), model(x)) > 0.999
    bent = ks.replace(model, None, concept, x, phi="monotone")
    assert r2(bent(x), model(x)) > 0.999


def test_one_unit_of_two_is_replaced_and_the_other_stays(two_units, tmp_path):
    model, x = two_units
    new = ks.replace(model, "units", formula("a + 2*b", "a", "b"), x, unit=0)
    np.testing.assert_allclose(new(x), model(x), atol=1e-4)
    assert any(np.shape(w) == (2, 2) for w in new.get_weights())
    new.save(tmp_path / "new.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "new.keras")(x), new(x))


@pytest.mark.slow
def test_all_units_are_replaced_by_one_formula_each(two_units):
    model, x = two_units
    both = [formula("a + 2*b", "a", "b"), formula("3*b - 3*a", "a", "b")]
    for given in (both, dict(enumerate(both))):
        new = ks.replace(model, "units", given, x)
        np.testing.assert_allclose(new(x), model(x), atol=1e-4)
        assert not any(np.shape(w) == (2, 2) for w in new.get_weights())


def test_a_wrapping_of_the_users_own_learns_what_the_layer_returned(two_units):
    model, x = two_units
    phi = keras.layers.Dense(2, activation="tanh", name="mine")
    both = [formula("a + 2*b", "a", "b"), formula("a - b", "a", "b")]
    new = ks.replace(model, "units", both, phi=phi)
    new.get_layer("mine").set_weights([np.eye(2), np.zeros(2)])
    np.testing.assert_allclose(new(x), model(x), atol=1e-5)
    with pytest.raises(ValueError, match="`phi` must return 2 columns"):
        ks.replace(model, "units", both, phi=keras.layers.Dense(1))


def test_inputs_by_name_that_are_normalized_keep_their_names():
    rng = np.random.default_rng(0)
    zebra, apple = rng.normal(5, 2, (400, 1)), rng.normal(-3, 4, (400, 2))
    inputs = {"zebra": keras.Input((1,), name="zebra"), "apple": keras.Input((2,), name="apple")}
    scaled = keras.layers.Normalization(name="scaled")
    scaled.adapt(apple)
    both = keras.layers.Concatenate()([inputs["zebra"], scaled(inputs["apple"])])
    hidden = keras.layers.Dense(1, name="hidden")(both)
    # The normalized input goes past the layer that is replaced, too.
    after = keras.layers.Concatenate()([hidden, scaled(inputs["apple"])])
    model = keras.Model(inputs, keras.layers.Dense(2)(after))
    w = np.asarray(model.get_layer("hidden").kernel)[:, 0] / np.array([1, *np.std(apple, axis=0)])
    truth = f"{w[0]}*zebra + {w[1]}*apple_1 + {w[2]}*apple_2"
    x = {"zebra": zebra, "apple": apple}
    new = ks.replace(model, "hidden", formula(truth, "zebra", "apple_1", "apple_2"), x)
    np.testing.assert_allclose(new(x), model(x), rtol=1e-3, atol=1e-3)
    assert list(new.input) == ["zebra", "apple"]


@pytest.mark.slow
def test_an_inner_model_is_replaced_by_its_name_or_that_of_its_last_layer(two_units):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(1, name="latent")], name="encoder"
    )
    model = keras.Sequential([keras.Input((2,)), encoder, keras.layers.Dense(2, name="decoder")])
    w = np.asarray(encoder.get_layer("latent").kernel)[:, 0]
    x = two_units[1]
    for layer in ("encoder", "encoder/latent"):
        new = ks.replace(model, layer, formula(f"a*{w[0]} + b*{w[1]}", "a", "b"), x)
        np.testing.assert_allclose(new(x), model(x), atol=1e-4)
        assert new.count_params() < model.count_params() + 20


@pytest.mark.slow
def test_a_formula_in_terms_of_a_layer_starts_there(pendulum):
    model, x = pendulum
    energy = ks.Sampling(rows=400, in_terms_of="bottleneck")
    period = ks.interpret(model, x, **QUICK | {"sampling": energy})
    new = ks.replace(model, None, period, x)
    names = [layer.name for layer in new.layers]
    assert names[:4] == ["state", "encode_1", "encode_2", "bottleneck"]
    assert "decode" not in names
    assert r2(new(x), model(x)) > 0.999


@pytest.mark.slow
def test_two_classes_of_a_softmax_are_replaced_by_their_difference():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
    x = np.random.default_rng(0).normal(size=(500, 2))
    kernel = np.asarray(model.layers[-1].kernel)
    for unit in ((1, 0), (0, 1)):
        a, b = kernel[:, unit[0]] - kernel[:, unit[1]]
        new = ks.replace(model, None, formula(f"{a}*a + {b}*b", "a", "b"), x, unit=unit)
        np.testing.assert_allclose(new(x), model(x), atol=1e-3)
    with pytest.raises(ValueError, match="softmax of 2 units"):
        ks.replace(model, None, formula("a + b", "a", "b"), x, unit=1)


def test_what_cannot_be_rebuilt_is_refused_with_a_reason(two_units, pendulum, models):
    model, x = two_units
    line = formula("a + 2*b", "a", "b")

    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    own = Subclassed()
    own(x)
    shared = keras.layers.Dense(1, name="shared")
    a, b = keras.Input((1,)), keras.Input((1,))
    twice = keras.Model([a, b], keras.layers.Add()([shared(a), shared(b)]))
    outputs = keras.Model(model.inputs, [model.outputs[0], model.get_layer("units").output])
    ab = keras.Input((2,))
    code = keras.Model(ab, keras.layers.Dense(1)(keras.layers.Lambda(lambda x: 2 * x)(ab)))
    rows = keras.Input((None, 2))
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Dense(1, name="each")(rows))
    sequence = keras.Model(rows, pooled)
    refusals = [
        (
            lambda: ks.replace(sequence, "each", line, x),
            ValueError,
            "no fixed number of units|open",
        ),
        (lambda: ks.replace(code, None, line, x), ValueError, "cannot be copied"),
        (lambda: ks.replace(own, None, line, x), ValueError, "subclassed model"),
        (lambda: ks.replace(models / "A1.keras", None, line, x), TypeError, "load_model"),
        (lambda: ks.replace(keras.Sequential(), None, line, x), ValueError, "not built"),
        (lambda: ks.replace(twice, "shared", line, x), ValueError, "called 2 times"),
        (lambda: ks.replace(outputs, None, line, x), ValueError, "several outputs"),
        (lambda: ks.replace(model, "nowhere", line, x), ValueError, "no layer 'nowhere'"),
        (lambda: ks.replace(model, "ab", line, x), ValueError, "leads to an input"),
        (lambda: ks.replace(model, "units", line, x), ValueError, "2 units, numbered from 0"),
        (lambda: ks.replace(model, "units", line, x, unit=2), ValueError, "Received: unit 2"),
        (lambda: ks.replace(model, "units", line, unit=0), ValueError, "Pass them as `x`"),
        (lambda: ks.replace(model, "units", "a + b", x), TypeError, "an interpretation"),
        (lambda: ks.replace(model, "units", line, x, unit=0, phi="x"), ValueError, "`phi`"),
        (
            lambda: ks.replace(model, "units", line, x, unit=0, phi="formula"),
            ValueError,
            "no closed form",
        ),
        (
            lambda: ks.replace(model, "units", formula("a", "a"), x, unit=0),
            ValueError,
            "1 variables .* has inputs: 2",
        ),
    ]
    for attempt, kind, text in refusals:
        with pytest.raises(kind, match=text):
            attempt()


def test_a_formula_that_is_not_the_units_is_warned_of(two_units):
    model, x = two_units
    with (
        pytest.warns(UserWarning, match="Is it the formula of this unit"),
        warnings.catch_warnings(),
    ):
        # `pytest.warns` would turn what the project ignores into errors.
        warnings.filterwarnings("ignore", "__array__", DeprecationWarning)
        ks.replace(model, "units", formula("a + b", "a", "b"), x, unit=1)


@pytest.mark.slow
def test_a_network_with_regions_becomes_all_of_their_formulas(models):
    model = keras.models.load_model(models / "switch.keras")
    x = read_points(models / "switch.csv")[0]
    search = ks.Search(effort="quick", max_complexity=8)
    concept = ks.interpret(model, x, search=search, sampling=ks.Sampling(rows=1200), verbose=False)
    wanted = model(x)
    for found in (concept, concept.regions):
        assert r2(ks.replace(model, None, found, x)(x), wanted) > 0.98


def test_a_formula_of_a_column_far_from_zero_replaces_too():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs[:, :1] * (inputs[:, 1:] - 1e6)))
    model.layers[-1].set_weights([np.ones((1, 1)), np.zeros(1)])
    x = np.random.default_rng(0).normal(size=(500, 2)) + [0, 1e6]
    units = OwnUnits(("a", "b"), {"b": (1e6, 1.0)})
    found = ScaledFormula.of(formula("a*b", "a", "b"), units)
    assert r2(ks.replace(model, None, found, x)(x), model(x)) > 0.999
