"""Fuzzing targets: for each one a generator of inputs from bytes, and a reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fuzz_inputs
import hdf5_forks
from fuzz_inputs import Choices

if TYPE_CHECKING:
    import sympy

    from keras_symgrad.results import Interpretation

# The exceptions that reading is allowed to raise.
REFUSALS = (ValueError, FileNotFoundError)
LONGEST_MESSAGE = 2000


@dataclass(frozen=True)
class Target:
    """A reader, and the inputs for it.

    Attributes:
        make: function from the bytes' choices to an input.
        read: reads the input; raises one of `REFUSALS` if it is invalid.
        use: uses the result; it must not fail.
        seeds: bytes to begin with.
        words: that the inputs are made of.
    """

    make: Callable[[Choices], Any]
    read: Callable[[Any], Any]
    use: Callable[[Any], object]
    seeds: tuple[bytes, ...] = ()
    words: tuple[str, ...] = ()


def expression(_: Path) -> Target:
    """Texts of formulas; one that is read must be written and read again."""
    from keras_symgrad.expressions import OperatorSet
    from keras_symgrad.expressions.formats import from_text, to_text

    names, operators = fuzz_inputs.NAMES, OperatorSet("full")

    def read(text: str) -> sympy.Expr:
        return from_text(text, names, operators)

    def again(formula: sympy.Expr) -> None:
        try:
            from_text(to_text(formula, names=names), names)
        except ValueError as error:
            # SymPy multiplies 9*(x1 + 1e308) out when it is read anew, and 9e308 is no double; and
            # finds zeros anew, in 1/(0.0*x1/x2 + 0.0*x1) say.
            if not any(reason in str(error) for reason in ("too large", "division by zero")):
                raise

    texts = (
        *("x1**2 + 2*x2**2", "2.5*x1**2 + gauss('petal length (cm)')", "exp(-x1/2)*'lambda'"),
        *("Piecewise((x1, x1 > 1), (x1**3, (x1 > -1) & (x1 < 0)), (0, True))", "Max(x1, x2, 0)"),
        *("ITE(x1 > 2, x1 < 1, x2 > 2)", "atan2(x1, x2)/(x1 - x2)**2.5", "1e-3*hypot(x1, 3)"),
    )
    words = (*fuzz_inputs.FUNCTIONS, *fuzz_inputs.SYMBOLS, *fuzz_inputs.NUMBERS, *names, "(", ")")
    # The first byte says that a text follows as it is.
    seeds = tuple(b"\x01" + text.encode() for text in texts)
    seeds += tuple(b"\x00" + bytes([k] * 100) for k in (1, 3, 5, 6))
    return Target(fuzz_inputs.expression, read, again, seeds, words)


def result(folder: Path) -> Target:
    """Files of results, mangled; one that is read must be shown, written and compared."""
    from keras_symgrad.api import compare_interpretations, load_interpretation

    files = [concept.to_dict() for concept in _results()]
    whole = tuple(map(fuzz_inputs.as_json, files))

    def use(found: Interpretation) -> None:
        str(found), found.best.to_latex(), found.best.to_mathml()
        found.save(folder / "again.json")
        load_interpretation(folder / "again.json")
        try:
            compare_interpretations(found, found)
        except ValueError:
            pass  # formulas without a gradient, on boxes of no size

    make = _file(folder / "result.json", whole, files)
    return Target(make, load_interpretation, use, SEEDS)


def state(folder: Path) -> Target:
    """Files of searches, mangled; what is read is what a search goes on from."""
    import json

    import numpy as np

    from keras_symgrad.callbacks import Checkpoint
    from keras_symgrad.expressions import Alphabet, OperatorSet
    from keras_symgrad.gradients import GradientField
    from keras_symgrad.search import PortfolioSearch
    from keras_symgrad.search.callbacks import SavedSearch
    from keras_symgrad.search.core import GeneticSettings, Stopping

    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (60, 2))
    field = GradientField.from_gradients(x, x * [2, 4] + rng.normal(0, 0.3, x.shape))
    alphabet = Alphabet(OperatorSet("add, mul"), field.names)

    def search() -> PortfolioSearch:
        settings = GeneticSettings(demes=2, population=8, offspring=8)
        return PortfolioSearch(alphabet, field, None, settings, seed=5)

    kept, limit = folder / "kept.json", Stopping(None, generations=2, patience=None)
    search().run(limit, [Checkpoint(kept, every=0)])
    whole = kept.read_bytes()

    again = search()

    def read(path: Path) -> PortfolioSearch:
        file = SavedSearch(path)
        file.field(field)
        file.restore(again)
        return again

    def use(again: PortfolioSearch) -> None:
        json.dumps(again.state(), allow_nan=False)

    make = _file(folder / "search.json", (whole,), [json.loads(whole)])
    return Target(make, read, use, SEEDS)


def table(folder: Path) -> Target:
    """Files of points and of gradient fields, mangled."""
    import io
    import warnings

    import numpy as np

    from keras_symgrad.files import read_points
    from keras_symgrad.gradients import GradientField

    x = np.random.default_rng(0).uniform(1, 2, (20, 3))
    field = GradientField.from_gradients(x, x * [2, 4, 6], values=x[:, 0])
    field.save(folder / "whole.npz")
    packed, bare = io.BytesIO(), io.BytesIO()
    np.savez_compressed(packed, x=x, names=["a", "b", "c"])
    np.save(bare, x)
    texts = ("a,b\n1,2\n3,NA\n", "1;2\n\n3;4e300\n", '"petal, length"\tb\n1\t2\n', "\ufeffa\n1_0\n")
    wholes = {
        "field.npz": ((folder / "whole.npz").read_bytes(),),
        "points.npz": (packed.getvalue(),),
        "points.npy": (bare.getvalue(),),
        "points.csv": tuple(text.encode() for text in texts),
    }

    def make(choices: Choices) -> Path:
        name = choices.pick(sorted(wholes))
        content = choices.pick(wholes[name])
        kind = choices.below(4)
        if kind == 0:
            content = choices.rest()
        elif kind == 1 or not name.endswith("z"):
            content = fuzz_inputs.edited(content, choices)
        else:
            content = fuzz_inputs.edited_archive(content, choices, {})
        (folder / name).write_bytes(content)
        return folder / name

    def read(path: Path) -> Any:
        if path.name == "field.npz":
            return GradientField.load(path)
        with warnings.catch_warnings():
            # Columns that are left out are warned of.
            warnings.simplefilter("ignore", UserWarning)
            return read_points(path)

    return Target(make, read, repr, SEEDS, ("nan", "inf", "1e999", ",", ";", "\t", '"', "\n"))


def model(folder: Path) -> Target:
    """Files of models, mangled: `.keras`, `.h5` and SavedModel folders."""
    import io
    import json
    import shutil
    import warnings

    import h5py
    import keras

    from keras_symgrad.files.checks import hdf5
    from keras_symgrad.neurons import load

    # A new Python for each file would take most of the time.
    vars(hdf5)["subprocess"] = hdf5_forks.Forks(hdf5.CHECKER_PROGRAM)

    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, "tanh")(keras.layers.BatchNormalization()(inputs))
    whole = keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(hidden))
    whole.compile(loss=keras.losses.BinaryCrossentropy())
    whole.save(folder / "whole.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole.save(folder / "whole.h5")
    whole.export(folder / "whole", verbose=False)
    keras_file, h5_file = ((folder / f"whole.{end}").read_bytes() for end in ("keras", "h5"))
    parts = sorted(p for p in (folder / "whole").rglob("*") if p.is_file())

    def changed_json(content: bytes, choices: Choices) -> bytes:
        config = json.loads(content)
        if choices.below(4) == 0:
            attack = choices.pick(fuzz_inputs.ATTACKS)
            layers = config.get("config", {}).get("layers", [])
            if layers:
                layers[choices.below(len(layers))].update(attack)
        return fuzz_inputs.as_json(fuzz_inputs.edited_json(config, choices))

    edits = {".json": changed_json}

    def make_keras(choices: Choices) -> Path:
        path = folder / "model.keras"
        if choices.below(4):
            path.write_bytes(fuzz_inputs.edited_archive(keras_file, choices, edits))
        else:
            path.write_bytes(fuzz_inputs.edited(keras_file, choices))
        return path

    def make_h5(choices: Choices) -> Path:
        path = folder / "model.h5"
        content = h5_file
        if choices.below(2):
            packed = io.BytesIO(h5_file)
            with h5py.File(packed, "r+") as file:
                config = str(file.attrs["model_config"]).encode()
                file.attrs["model_config"] = changed_json(config, choices)
            content = packed.getvalue()
        else:
            content = fuzz_inputs.edited(content, choices)
        path.write_bytes(content)
        return path

    def make_saved(choices: Choices) -> Path:
        path = folder / "model"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(folder / "whole", path)
        part = choices.pick(parts)
        target = path / part.relative_to(folder / "whole")
        if choices.below(6) == 0:
            target.unlink()
        else:
            target.write_bytes(fuzz_inputs.edited(part.read_bytes(), choices))
        return path

    makers = (make_keras, make_h5, make_saved)

    def make(choices: Choices) -> Path:
        return choices.pick(makers)(choices)

    return Target(make, load, repr, SEEDS)


def _results() -> list[Interpretation]:
    """Results of a search each that takes no time: a classifier, a plane, two neurons together."""
    import numpy as np

    import keras_symgrad as ks

    models = Path(__file__).parents[2] / "examples" / "models"
    quick = {
        "operators": "polynomial",
        "search": ks.Search(methods="dictionary", stopping=ks.Stopping(None, generations=1)),
        "verbose": False,
    }
    found = [
        ks.interpret(models / f"{m}.keras", models / f"{m}.csv", **quick) for m in ("A1", "002")
    ]
    pair = [
        ks.Neuron("sum", lambda x: x[:, 0] * x[:, 1] + x[:, 2], inputs=3),
        ks.Neuron("difference", lambda x: x[:, 0] * x[:, 1] - x[:, 2], inputs=3),
    ]
    x = np.random.default_rng(0).uniform(1, 2, (400, 3))
    return [*found, *ks.interpret_jointly(pair, x, **quick).concepts]


# Bytes that make each kind of change once.
SEEDS = tuple(bytes([k]) + bytes([j] * 60) for k in range(4) for j in (0, 1, 3, 77))


def _file(
    path: Path, wholes: Sequence[bytes], contents: Sequence[Any]
) -> Callable[[Choices], Path]:
    """Make JSON files: of any bytes, of whole ones with a few changed, of changed content."""

    def make(choices: Choices) -> Path:
        kind = choices.below(4)
        if kind == 0:
            content = choices.rest()
        elif kind == 1:
            content = fuzz_inputs.edited(choices.pick(wholes), choices)
        else:
            changed = fuzz_inputs.edited_json(choices.pick(contents), choices)
            content = fuzz_inputs.as_json(changed)
        path.write_bytes(content)
        return path

    return make


TARGETS: dict[str, Callable[[Path], Target]] = {
    "expression": expression,
    "result": result,
    "state": state,
    "table": table,
    "model": model,
}
