"""A user's script along the README, which `mypy --strict` must accept as it stands.

It is checked and never run: `scripts/test` calls mypy on it. `assert_type` says what an editor must
know of a value; where a line is wrong on purpose, `--strict` complains if mypy does not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import keras
import numpy as np
import sympy
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import keras_symgrad as ks
from keras_symgrad import datasets
from keras_symgrad.callbacks import (
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    TensorBoard,
    TimeLimit,
)
from keras_symgrad.formulas import PhiFormula

MODEL, POINTS = "examples/models/A1.keras", "examples/models/A1.csv"


def first_look() -> None:
    concept = ks.interpret(MODEL, POINTS)
    assert_type(concept, ks.Interpretation)
    assert_type(concept.rule, ks.Rule | None)
    if concept.rule is not None:
        print(concept.rule, concept.rule.threshold, concept.rule.agreement)
        print(concept.rule.level.low, concept.rule.level.high)
        inside: np.ndarray = concept.rule.decides(np.ones((3, 2)))
        print(inside)
    print(concept.front)
    assert_type(concept.front, ks.ParetoFront)
    for formula in concept.front:
        print(formula.complexity, formula.loss, formula.to_text())
    assert_type(concept.front[0], ks.Formula)
    assert_type(concept.front[1:], list[ks.Formula])
    assert_type(concept.best, ks.Formula)
    assert_type(concept.matches, ks.Match)
    print(concept.matches == ks.Match.CONCEPT, concept.angle, concept.cosine_error)
    if concept.fidelity is not None:
        print(concept.fidelity.formula)
    for constant in concept.constants:
        print(constant.value, constant.low, constant.high)
    for influence in concept.influence:
        print(influence)
    print(concept.ignored, concept.groups, concept.rivals, concept.alternatives, concept.call)


def formulas(concept: ks.Interpretation) -> None:
    best = concept.best
    assert_type(best.to_latex(), str)
    assert_type(best.to_python(), str)
    layer = best.to_layer(name="concept", trainable=False)
    assert_type(layer, ks.SymbolicLayer)
    model = best.to_model()
    model.summary()
    path: Path = best.export("formula.onnx")
    values: np.ndarray = best(np.ones((3, 2)))
    print(path, values, best.expression.free_symbols, best.names)
    # What the formula is wrapped in, in the network.
    if concept.phi is not None:
        assert_type(concept.phi, ks.MonotoneFit)
        print(concept.phi.r2, concept.phi(values))
    if concept.value is not None:
        assert_type(concept.value, PhiFormula)
        print(concept.value.value, concept.value.r2)
    own = ks.SymbolicLayer("x1**2 + 2.1*x2**2", names=["x1", "x2"])
    print(own.symbolic_gradient(np.array([[1.0, 2.0]])), own.expression)
    print(ks.MonotoneLayer([0.0, 1.0], slopes=np.ones(1)))


def files_and_pictures(concept: ks.Interpretation) -> None:
    assert_type(concept.save("result.json"), Path)
    assert_type(concept.report("result.html"), Path)
    assert_type(concept.plot(), Figure)
    assert_type(ks.plots.front(concept), Axes)
    ks.plots.phi(concept).set_title("phi")
    ks.plots.boundary(concept)
    again = ks.load_interpretation("result.json")
    if isinstance(again, ks.Interpretation):
        print(again.best.to_latex())
    agreement = ks.compare_interpretations(concept, again)
    assert_type(agreement, ks.Agreement)
    print(agreement.same, agreement.distance)
    assert_type(concept.to_dict(), dict[str, Any])


def which_neuron(model: keras.Model, x: np.ndarray) -> None:
    ks.interpret(model, x, layer="hidden_2", unit=5)
    ks.interpret(model, x, layer="hidden_2", unit=5, activation=True)
    ks.interpret(model, x, unit=(3, 5))
    ks.interpret(model, x, sampling=ks.Sampling(in_terms_of="hidden_1"))
    quantities = ks.Quantities(lambda x: x[:, :2], ["area", "length"])
    ks.interpret([model, model], x, sampling=ks.Sampling(in_terms_of=quantities, metric="columns"))
    neuron = ks.Neuron.of(model, "hidden_2", 5, inputs=2)
    assert_type(neuron, ks.Neuron)
    outputs, gradients = neuron.values_and_gradients(x)
    print(outputs.shape, gradients.shape)
    mine = ks.Neuron("mine", lambda x: x[:, 0] * x[:, 1], inputs=2)
    assert_type(ks.interpret(mine, x), ks.Interpretation)
    classes = ks.interpret_classes(model, x, classes=["a", "b", "c"])
    assert_type(classes, ks.ClassInterpretation)
    assert_type(classes.pairs[1, 0], ks.Interpretation)
    together = ks.interpret_jointly(model, x, layer="hidden_2", units=[0, 1])
    assert_type(together, ks.JointInterpretation)
    assert_type(together.best, tuple[ks.Formula, ...])
    jobs: list[dict[str, Any]] = [{"unit": unit} for unit in range(3)]
    for result in ks.interpret_many(jobs, model=model, x=x):
        if isinstance(result, ks.Interpretation):
            print(result.headline)


def around_a_row(x: np.ndarray) -> None:
    concept = ks.interpret(MODEL, x, near=x[0])
    ks.interpret(MODEL, x, near={"x1": 0.2, "x2": -0.4})
    ks.interpret(MODEL, x, near=17)
    assert_type(concept.radius, float | None)
    if concept.near is not None:
        inside: np.ndarray = concept.near.draw(100)
        print(concept.near.distances(inside) <= 1, concept.near.fixed)
        if concept.near.boundary is not None:
            print(concept.near.boundary.distance, concept.near.boundary.change)


def own_operators() -> None:
    bump = ks.Operator("bump", lambda a: sympy.exp(-(a**2)), complexity=2)
    operators = ks.OperatorSet(["arithmetic", "square", bump])
    assert_type(operators["bump"], ks.Operator)
    print([operator.name for operator in operators], "bump" in operators, len(operators))
    ks.interpret(MODEL, POINTS, operators=operators)
    weighed = ks.Search(complexity={"mul": 2})
    ks.interpret(MODEL, POINTS, operators="add, mul", search=weighed)
    own = ks.Complexity(constant=2, function=lambda e: 1.0)
    ks.interpret(MODEL, POINTS, search=ks.Search(complexity=own))


def priors(x: np.ndarray) -> None:
    known = ks.Priors(
        template="f(x1) + g(x2, x3)",
        constraints=ks.Constraints(forbidden={"sin": ["sin", "exp"]}, depth=5),
        symmetries=[ks.Even("x1"), ks.Exchange("x2", "x3")],
        guesses=["x1**2", sympy.Symbol("x2") ** 2],
    )
    ks.interpret(MODEL, x, loss="huber", priors=known)
    ks.interpret(MODEL, x, loss=ks.Huber(0.05), priors=ks.Priors(symmetries=[ks.Odd("x1")]))
    units = ks.Dimensions({"height": "m", "time": "s"}, result="m/s")
    ks.interpret(MODEL, x, names=["height", "time"], priors=ks.Priors(dimensions=units))
    ks.interpret(MODEL, x, priors=ks.Priors(dimensions={"height": "m"}))


def sampler(rows: int, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-1, 1, (rows, 2))


def searches(x: np.ndarray) -> None:
    sampling = ks.Sampling(
        columns=["x1", "x2"], delta=0.05, rows=5000, sampler=sampler, smoothing=0.1
    )
    search = ks.Search(methods="dictionary", max_complexity=20, signed=True)
    ks.interpret(MODEL, x, sampling=sampling, search=search, time_limit=None, seed=3)
    stopping = ks.Stopping(generations=20, patience=5)
    ks.interpret(MODEL, x, search=ks.Search(stopping=stopping, methods=("trees",)), verbose=False)


class StopAtHalf(Callback):
    """A callback of one's own."""

    def on_generation_end(self, generation: int, logs: dict[str, Any]) -> None:
        """Ends the search at a loss of one half."""
        print(generation, [one.loss for one in self.search.archive.front()])
        if logs["loss"] < 0.5:
            self.search.stop("half")


class KeepsQuiet(Callback):
    """A callback with Keras' default for the logs."""

    def on_search_end(self, logs: dict[str, Any] | None = None) -> None:
        """Prints why it ended."""
        print(logs and logs["stopped"])


def callbacks(x: np.ndarray) -> None:
    told: list[Callback] = [
        EarlyStopping(patience=10),
        TimeLimit(30),
        CSVLogger("log.csv"),
        TensorBoard("logs"),
        Checkpoint("B.search"),
        LambdaCallback(on_generation_end=lambda generation, logs: print(generation, logs["loss"])),
        StopAtHalf(),
        KeepsQuiet(),
    ]
    ks.interpret(MODEL, x, callbacks=told)
    ks.interpret(MODEL, x, search=ks.Search(executor="processes", resume="B.search", workers=2))


def back_into_keras(model: keras.Model, concept: ks.Interpretation, x: np.ndarray) -> None:
    replaced = ks.replace(model, "hidden_2", concept)
    replaced.save("replaced.keras")
    ks.replace(model, "hidden_2", {0: concept.best, 1: concept.best}, x, phi="monotone")
    comparison = ks.compare_models(model, replaced, x, np.ones(len(x)))
    assert_type(comparison, ks.ModelComparison)
    print(comparison.before.milliseconds, comparison.agreement)


def gradient_fields(model: keras.Model, x: np.ndarray) -> None:
    field = ks.GradientField.from_gradients(x, 2 * x, names=["a", "b"], values=x[:, 0])
    assert_type(field, ks.GradientField)
    assert_type(field.take(np.arange(3)), ks.GradientField)
    train, held_out = field.split(0.8, seed=1)
    assert_type(train, ks.GradientField)
    print(field.rows, field.names, held_out.points.shape, field.directions, field.save("f.npz"))
    neurons = [ks.Neuron.of(model, unit=unit) for unit in (0, 1)]
    read = ks.GradientField.from_neuron(neurons[0], x, delta=0.05, metric="columns")
    several = ks.GradientField.from_neurons(neurons, x, rows=500, seed=2)
    ks.interpret(several)
    ks.interpret(ks.GradientField.load("f.npz"))
    print(read, ks.GradientField.from_units(neurons, x, tangent=None).spectrum)


def lower_levels(field: ks.GradientField) -> None:
    operators = ks.OperatorSet("arithmetic")
    with ks.Engine(operators, field.points, field.directions) as engine:
        assert_type(engine, ks.Engine)
    print(datasets.classifiers.SYSTEMS["A1"].expression)


def mistakes(concept: ks.Interpretation, x: np.ndarray) -> None:
    ks.interpret(MODEL, x, seed="one")  # type: ignore[arg-type]
    ks.interpret(MODEL, x, rows=500)  # type: ignore[call-arg]
    ks.Search(methods=3)  # type: ignore[arg-type]
    ks.Sampling(rows=None)  # type: ignore[arg-type]
    print(concept.rule.text)  # type: ignore[union-attr]
    print(concept.formula)  # type: ignore[attr-defined]
    ks.GradientField.from_neurons([], x, row=500)  # type: ignore[call-arg]
