"""Operators: derivatives against finite differences, facts about them, and refusals."""

import math
import pickle

import numpy as np
import pytest
import sympy
import tensorflow as tf

from keras_symgrad.expressions.formats import FUNCTIONS
from keras_symgrad.expressions.operators import (
    FUNCTION_NAMES,
    PRESETS,
    VALUE,
    Operator,
    OperatorSet,
    shipped,
)

a, b, c = sympy.symbols("a b c", real=True)
OWN = [
    Operator("wave", sympy.exp(-(a**2)) * sympy.sin(3 * a)),
    Operator("lens", lambda u, v: 1 / (1 / u + 1 / v)),
    Operator("blend", lambda p, q, r: p * sympy.tanh(q) + (1 - p) * r),
    Operator("kink", sympy.Piecewise((a, a > 0), (a**3, True))),
    Operator("soft_abs", sympy.sqrt(a**2 + sympy.Rational(1, 10)) + sympy.pi),
]
OPERATORS = [*OperatorSet("full"), *OWN]


@pytest.fixture(params=OPERATORS, ids=lambda operator: operator.name)
def operator(request):
    return request.param


def points(operator, count=40, seed=0):
    """Points inside every shipped operator's domain and off its kinks."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.1, 0.9, (operator.arity, count))


def values(operator, x):
    """The operator's values in plain NumPy, straight from its expression."""
    code = sympy.lambdify(operator.arguments, operator.expression, ["scipy", "numpy"])
    return np.asarray(code(*x), dtype=np.float64)


def tensors(x):
    return [tf.constant(row, tf.float64) for row in x]


def test_values_are_those_of_the_expression(operator):
    x = points(operator)
    (computed,) = operator.value_code(*tensors(x))
    np.testing.assert_allclose(computed, values(operator, x), rtol=1e-12)


def test_partials_agree_with_finite_differences(operator):
    x, step = points(operator), 1e-6
    columns = tensors(x)
    (value,) = operator.value_code(*columns)
    partials = operator.partials_code(*columns, value)
    assert len(partials) == operator.arity
    for k, partial in enumerate(partials):
        ahead, behind = x.copy(), x.copy()
        ahead[k] += step
        behind[k] -= step
        difference = (values(operator, ahead) - values(operator, behind)) / (2 * step)
        partial = np.broadcast_to(partial, difference.shape)
        np.testing.assert_allclose(partial, difference, rtol=1e-6, atol=1e-7)


def test_second_partials_agree_with_finite_differences(operator):
    x, step, n = points(operator, seed=1), 1e-6, operator.arity

    def curvature(at):
        columns = tensors(at)
        (value,) = operator.value_code(*columns)
        entries = operator.curvature_code(*columns, value)
        return np.stack([np.broadcast_to(entry, at.shape[1:]) for entry in entries])

    second = curvature(x)[n:].reshape(n, n, -1)
    for k in range(n):
        ahead, behind = x.copy(), x.copy()
        ahead[k] += step
        behind[k] -= step
        difference = (curvature(ahead)[:n] - curvature(behind)[:n]) / (2 * step)
        np.testing.assert_allclose(second[:, k], difference, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(second[k], second[:, k], rtol=1e-9, atol=1e-12)


def test_negative_arguments_are_right_where_they_are_allowed(operator):
    x, step = -points(operator, seed=2), 1e-6
    with np.errstate(all="ignore"):
        expected = values(operator, x)
    columns = tensors(x)
    (value,) = operator.value_code(*columns)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    partials = operator.partials_code(*columns, value)
    for k, partial in enumerate(partials):
        ahead, behind = x.copy(), x.copy()
        ahead[k] += step
        behind[k] -= step
        with np.errstate(all="ignore"):
            difference = (values(operator, ahead) - values(operator, behind)) / (2 * step)
        defined = np.isfinite(difference)
        partial = np.broadcast_to(partial, difference.shape)
        np.testing.assert_allclose(partial[defined], difference[defined], rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_float32_and_xla_give_the_same(operator):
    x = points(operator, seed=3)

    @tf.function(jit_compile=True)
    def compiled(*columns):
        (value,) = operator.value_code(*columns)
        entries = operator.curvature_code(*columns, value)
        return [entry + tf.zeros_like(value) for entry in [value, *entries]]

    exact = compiled(*tensors(x))
    single = compiled(*[tf.constant(row, tf.float32) for row in x])
    for one, other in zip(exact, single, strict=True):
        assert one.dtype == tf.float64
        assert other.dtype == tf.float32
        scale = np.maximum(np.abs(one), 1)
        np.testing.assert_allclose(other / scale, one / scale, atol=3e-5)


def test_an_operator_survives_pickling(operator):
    again = pickle.loads(pickle.dumps(operator))
    assert again == operator
    assert again.partials == operator.partials


@pytest.mark.parametrize("name", PRESETS["full"])
def test_monotone_operators_are_those_that_are(name):
    monotone = (
        "neg inv cube pow5 sqrt cbrt exp log tan asin acos atan sinh tanh erf sigmoid softplus"
    )
    assert shipped(name).monotone == (name in monotone.split())


def test_operators_of_a_user_are_judged_alike():
    assert Operator("growing", a**3 + a).monotone
    assert not Operator("cubic", a**3 - a).monotone
    assert Operator("kink", sympy.Piecewise((a, a > 0), (a**3, True))).monotone
    assert not Operator("step", sympy.Piecewise((a, a > 0), (0, True))).monotone
    assert Operator("mean", (a + b) / 2).symmetric
    assert not Operator("lean", (a + 2 * b) / 2).symmetric


@pytest.mark.parametrize("name", PRESETS["full"])
def test_symmetric_operators_are_those_that_are(name):
    assert shipped(name).symmetric == (name in {"add", "mul", "hypot", "min", "max"})


def test_a_value_is_used_again_in_the_derivative():
    assert shipped("exp").partials == (VALUE,)
    assert shipped("tanh").partials == (1 - VALUE**2,)


def test_kinks_have_the_mean_slope_and_no_curvature():
    zero = tf.constant([0.0])
    assert float(shipped("abs").partials_code(zero, zero)[0][0]) == 0.0
    assert float(shipped("relu").partials_code(zero, zero)[0][0]) == 0.5
    assert all(entry == 0 for row in shipped("max").second_partials for entry in row)


def test_log_of_a_negative_number_is_not_one_but_log_abs_is():
    minus = tf.constant([-2.0])
    assert np.isnan(shipped("log").value_code(minus)[0][0])
    (value,) = shipped("log_abs").value_code(minus)
    np.testing.assert_allclose(value, np.log(2.0), rtol=1e-6)
    np.testing.assert_allclose(shipped("log_abs").partials_code(minus, value)[0], -0.5)


def test_an_operator_is_made_from_an_expression_or_a_function():
    one = Operator("gauss", sympy.exp(-(sympy.Symbol("whatever") ** 2)))
    other = Operator("gauss", lambda u: sympy.exp(-(u**2)))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Operator("gauss", sympy.exp(-(a**2)), complexity=2)
    x = sympy.Symbol("x1", real=True)
    assert one(x) == sympy.exp(-(x**2))


def test_arguments_keep_their_places():
    ratio = Operator("ratio", lambda u, v: v / u)
    x, y = sympy.symbols("x y")
    assert ratio(x, y) == y / x
    swapped = Operator("ratio", sympy.Symbol("b") / sympy.Symbol("a"))
    assert swapped(b, a) == a / b


# Refusals. ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "two words", "1st", "lambda", None, 3])
def test_a_name_that_is_no_identifier_is_refused(name):
    with pytest.raises(ValueError, match="must be a Python identifier"):
        Operator(name, a**2)


@pytest.mark.parametrize("complexity", [-1, float("nan"), float("inf")])
def test_a_complexity_that_is_no_weight_is_refused(complexity):
    with pytest.raises(ValueError, match="`complexity` of operator 'f' must be a finite number"):
        Operator("f", a**2, complexity=complexity)


@pytest.mark.parametrize("expression", ["a**2", None, sympy.Eq(a, b), sympy.Matrix([a])])
def test_what_is_no_expression_is_refused(expression):
    with pytest.raises(ValueError, match="needs a SymPy expression or a function"):
        Operator("f", expression)


@pytest.mark.parametrize("expression", [3, sympy.pi, lambda u: sympy.Integer(2)])
def test_an_operator_without_arguments_is_refused(expression):
    with pytest.raises(ValueError, match="between 1 and 8 arguments"):
        Operator("f", expression)


@pytest.mark.parametrize(
    "expression",
    [sympy.Function("mystery")(a), sympy.besselj(a, b), sympy.floor(a), sympy.zeta(a)],
    ids=str,
)
def test_what_has_no_derivative_or_no_code_is_refused(expression):
    with pytest.raises(ValueError, match=r"Operator 'f' cannot be used: .*Write it with") as raised:
        Operator("f", expression)
    assert str(expression).split("(", 1)[0] in str(raised.value)


def test_an_operator_takes_as_many_arguments_as_it_has():
    with pytest.raises(ValueError, match="'mul' takes 2 arguments. Received: 3"):
        shipped("mul")(a, b, c)


# Sets. --------------------------------------------------------------------------------------


def test_sets_are_made_of_names_presets_and_operators():
    gauss = Operator("bell", sympy.exp(-(a**2)))
    operators = OperatorSet(["arithmetic, exp", gauss, shipped("exp")])
    assert operators.names == ("add", "sub", "mul", "div", "exp", "bell")
    assert operators["bell"] is gauss
    assert "sin" not in operators
    assert (operators + "sin").names[-1] == "sin"
    assert OperatorSet("exp") == OperatorSet([shipped("exp")])
    assert len(operators) == 6


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_set(preset):
    assert OperatorSet(preset).names == PRESETS[preset]


def test_unknown_names_are_answered_with_what_there_is():
    with pytest.raises(ValueError, match=r"named 'sine'. Operators: add, .*Presets: arithmetic"):
        OperatorSet("add, sine")


def test_two_different_operators_of_one_name_are_refused():
    with pytest.raises(ValueError, match="Two different operators are named 'gauss'"):
        OperatorSet(["gauss", Operator("gauss", sympy.exp(-2 * a**2))])


@pytest.mark.parametrize("nothing", ["", [], ", ,"])
def test_an_empty_set_is_refused(nothing):
    with pytest.raises(ValueError, match="at least one operator"):
        OperatorSet(nothing)


def test_a_function_of_text_keeps_its_meaning():
    assert set(FUNCTIONS) <= FUNCTION_NAMES
    assert Operator("tanh", sympy.tanh)
    for name, function in (("sin", sympy.cos), ("floor", sympy.exp), ("E", sympy.exp)):
        with pytest.raises(ValueError, match=f"'my_{name}'"):
            Operator(name, function)


@pytest.mark.parametrize("function", [np.sin, lambda a: np.sin(a), lambda a: math.sin(a)])
def test_functions_of_numbers_are_refused_with_what_to_write(function):
    with pytest.raises(ValueError, match=r"Operator\('wave', lambda a: sympy\.\w+\(a\)\)"):
        Operator("wave", function)


@pytest.mark.parametrize("operators", [[np.sin], np.sin, [abs], 5])
def test_what_is_no_operator_is_refused_with_what_to_write(operators):
    with pytest.raises(ValueError, match="Expected names of operators or `Operator`s"):
        OperatorSet(operators)
