"""`Interaction`: how much two inputs bend each other's effect on a neuron over the data.

With x' another row of the data, and A and B two inputs (columns, or the columns of one-hot blocks),
the second difference

    D_AB = f(x with x_A' and x_B') - f(x with x_A') - f(x with x_B') + f(x)

is the integral of the mixed second derivative over the rectangle between the rows. It is zero for
all rows exactly where f is a sum of a function without A and one without B. The size of an
interaction is mean |D_AB|; shares are sizes divided by their sum, and the strength is the size
divided by the sum of the influences mean |f(x with x_A') - f(x)| of all inputs.

Labels do not determine the scale of a classifier's logit, and a bent phi makes the terms of a sum
interact. So it is first put on the monotone scale psi(f) that is nearest to a sum of functions of
single inputs, and of pairs that still interact there, found by alternating isotonic and additive
least squares: what remains are interactions that no invertible function removes.

Source of the alternation: Breiman and Friedman, J. Am. Stat. Assoc. 80 (1985) 580.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_symgrad.files import Record
from keras_symgrad.formulas import MonotoneFit
from keras_symgrad.results.assessment.influence import Influence

if TYPE_CHECKING:
    from keras_symgrad.gradients import Reading
    from keras_symgrad.neurons import Neuron

# Inputs whose pairs are compared: the strongest ones.
MAX_PAIRED = 24
# Approximate number of evaluations of the network, and bounds of the rows for each pair.
MAX_EVALUATIONS = 200_000
MIN_ROWS = 100
MAX_ROWS = 2000
# An interaction of less strength is a network's own error; for decisions the scale has one too.
LEAST_STRENGTH = 0.03
LEAST_STRENGTH_OF_DECISIONS = 0.1
# Knots of the functions of single inputs, rounds of the alternation, and rows that it takes.
KNOTS = 9
KNOTS_OF_PAIRS = 6
# Pairs that get a function of their own on the scale of decisions.
MAX_OWN_PAIRS = 4
ROUNDS = 20
SCALE_ROWS = 3000
# Relative to the largest one; smaller ones are those of terms that are sums of others.
SMALLEST_SINGULAR_VALUE = 1e-6
# Pairs that are kept, and listed in a line.
MAX_KEPT = 50
MAX_NAMED = 5


@dataclass(frozen=True)
class Interaction:
    """Interaction of two inputs.

    Attributes:
        first: name of an input: a column, or a one-hot block.
        second: name of the other one.
        share: share in all interactions, in [0, 1].
        strength: size relative to the influences of all inputs together; 0 where the inputs act
            separately.

    Example:

    >>> str(Interaction("speed", "mass", 0.9, 0.4))
    'speed and mass 90 %'
    """

    first: str
    second: str
    share: float
    strength: float

    def __str__(self) -> str:
        return f"{self.first} and {self.second} {100 * self.share:.0f} %"

    def to_dict(self) -> dict[str, Any]:
        """The interaction as plain data."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, content: Record | Mapping[str, Any]) -> Interaction:
        """Read an interaction from the plain data of `to_dict`.

        Args:
            content: the data.

        Raises:
            ValueError: they are not an interaction.
        """
        record = Record.of(content)
        share, strength = record.number("share"), record.number("strength")
        if not (0 <= share <= 1 and strength >= 0):
            raise record.refused("share", "a number from 0 to 1")
        return cls(record.text("first"), record.text("second"), share, strength)


def interactions(
    neuron: Neuron,
    x: np.ndarray,
    names: Sequence[str],
    influence: Sequence[Influence],
    *,
    seed: int = 0,
) -> tuple[Interaction, ...]:
    """Interactions of the strongest inputs of a neuron, by exchanging inputs between data rows.

    Args:
        neuron: any neuron.
        x: data of shape `(rows, columns)`, finite, at least two rows.
        names: of the columns.
        influence: of the inputs, the strongest first.
        seed: of the choice of rows.

    Returns:
        Pairs of inputs with a strength of at least 3 %, the largest share first.

    Example:

    >>> from keras_symgrad import Neuron
    >>> from keras_symgrad.results.assessment.influence import influences
    >>> x = np.random.default_rng(0).normal(size=(2000, 3))
    >>> neuron = Neuron("net", lambda x: x[:, 0] * x[:, 1] + x[:, 2], inputs=3)
    >>> names = ["a", "b", "c"]
    >>> print(*interactions(neuron, x, names, influences(neuron, x, names)))
    a and b 100 %
    """
    places = {name: k for k, name in enumerate(names)}
    inputs = [one for one in influence if one.share > 0][:MAX_PAIRED]
    blocks = [[places[column] for column in one.columns] for one in inputs]
    pairs = list(combinations(range(len(blocks)), 2))
    if not pairs or len(x) < 2:
        return ()
    rng = np.random.default_rng([seed, 19])
    rows = int(np.clip(MAX_EVALUATIONS // len(pairs), MIN_ROWS, MAX_ROWS))
    first = rng.permutation(np.resize(rng.permutation(len(x)), rows))
    # Another row for each; the same rows for all pairs, so that the pairs are comparable.
    second = (first + rng.integers(1, len(x), size=rows)) % len(x)

    def exchanged(columns: Sequence[int]) -> np.ndarray:
        changed = x[first]
        changed[:, columns] = x[second][:, columns]
        return neuron.values(changed).astype(np.float64)

    start = neuron.values(x[first]).astype(np.float64)
    single = np.array([exchanged(block) for block in blocks])
    double = np.array([exchanged(blocks[a] + blocks[b]) for a, b in pairs])
    listed = np.array(pairs)
    # Inputs that were not paired count in the total by their share.
    paired = max(sum(one.share for one in inputs), 1e-12)

    def sizes_on(scale: MonotoneFit | None) -> tuple[np.ndarray, np.ndarray]:
        f, one, two = (v if scale is None else scale(v) for v in (start, single, double))
        second_differences = two - one[listed[:, 0]] - one[listed[:, 1]] + f
        total = _means(one - f).sum() / paired
        sizes = _means(second_differences)
        return sizes, sizes / total if total > 0 else np.zeros(len(pairs))

    if neuron.is_classifier:
        sizes, strengths = _on_own_scale(neuron, x, blocks, pairs, sizes_on, rng)
    else:
        sizes, strengths = sizes_on(None)
    least = LEAST_STRENGTH_OF_DECISIONS if neuron.is_classifier else LEAST_STRENGTH
    large = np.flatnonzero(strengths >= least)
    shares = sizes / (sizes[large].sum() or 1.0)
    order = large[np.argsort(-sizes[large], kind="stable")][:MAX_KEPT]
    found = []
    for k in order:
        # In the order of the columns.
        one, other = (inputs[j].name for j in sorted(pairs[k], key=lambda j: blocks[j]))
        found.append(Interaction(one, other, float(shares[k]), float(strengths[k])))
    return tuple(found)


def _on_own_scale(
    neuron: Neuron,
    x: np.ndarray,
    blocks: Sequence[Sequence[int]],
    pairs: Sequence[tuple[int, int]],
    sizes_on: Callable[[MonotoneFit | None], tuple[np.ndarray, np.ndarray]],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Sizes and strengths on the scale on which few pairs interact.

    Pairs that interact on the scale of a sum of single inputs get a function of their own, one by
    one: fitted without it, the scale bends all other terms to make up for it.
    """
    some = x[rng.permutation(len(x))[:SCALE_ROWS]]
    own: list[tuple[int, int]] = []
    while True:
        sizes, strengths = sizes_on(scale_of_sum(neuron, some, blocks, own))
        free = [k for k, pair in enumerate(pairs) if pair not in own]
        strongest = max(free, key=lambda k: strengths[k], default=None)
        if (
            strongest is None
            or strengths[strongest] < LEAST_STRENGTH_OF_DECISIONS
            or len(own) == MAX_OWN_PAIRS
        ):
            return sizes, strengths
        own.append(pairs[strongest])


def scale_of_sum(
    neuron: Neuron,
    x: np.ndarray,
    blocks: Sequence[Sequence[int]],
    pairs: Sequence[tuple[int, int]] = (),
) -> MonotoneFit | None:
    """The monotone scale of a neuron's value that is nearest to a sum of functions of few inputs.

    Args:
        neuron: any.
        x: data of shape `(rows, columns)`, finite.
        blocks: columns of each input.
        pairs: numbers of inputs that have a function of both.

    Returns:
        psi, which rises; `None` where the value is constant or not finite.

    Example:

    >>> import tensorflow as tf
    >>> from keras_symgrad import Neuron
    >>> x = np.random.default_rng(0).uniform(1, 2, (2000, 2))
    >>> product = Neuron("product", lambda x: x[:, 0] * x[:, 1], inputs=2)
    >>> psi = scale_of_sum(product, x, [[0], [1]])
    >>> two, three, four = psi(np.array([1.5, 2.0, 2.667]))
    >>> print(0.95 < (three - two) / (four - three) < 1.05)  # a logarithm
    True
    """
    values = neuron.values(x).astype(np.float64)
    finite = np.isfinite(values)
    x, values = x[finite], values[finite]
    if len(np.unique(values)) < 2:
        return None
    terms = [_terms(x[:, list(block)], KNOTS) for block in blocks]
    for pair in pairs:
        one, other = (_terms(x[:, list(blocks[k])], KNOTS_OF_PAIRS) for k in pair)
        terms.append((one[:, :, None] * other[:, None]).reshape(len(x), -1))
    # Least squares project values on these; all rounds have the same terms.
    vectors, sizes, _ = np.linalg.svd(
        np.column_stack([np.ones(len(x)), *terms]), full_matrices=False
    )
    basis = vectors[:, sizes > SMALLEST_SINGULAR_VALUE * sizes[0]]
    fit, found = None, np.clip(values, *np.quantile(values, (0.02, 0.98)))
    for _ in range(ROUNDS):
        sums = basis @ (basis.T @ found)
        if not np.ptp(sums) > 0:
            return fit
        fit = MonotoneFit.through(values, (sums - sums.mean()) / sums.std())
        if not fit.rising:
            return None
        found = fit(values)
    return fit


def _terms(columns: np.ndarray, count: int) -> np.ndarray:
    """Hat functions of one column at its quantiles, or the columns of a block."""
    if columns.shape[1] > 1:
        return columns
    knots = np.unique(np.quantile(columns, np.linspace(0, 1, count)))
    return np.stack([np.interp(columns[:, 0], knots, hat) for hat in np.eye(len(knots))], axis=1)


def interactions_of_reading(
    reading: Reading, influence: Sequence[Influence], *, seed: int = 0
) -> tuple[Interaction, ...]:
    """Interactions of the variables of formulas on a reading.

    Args:
        reading: of a network; gradients from elsewhere and quantities have no values at other
            points.
        influence: of the variables, the strongest first.
        seed: as in `interactions`.

    Returns:
        As `interactions`; none without a network.
    """
    if reading.network is None:
        return ()
    names = reading.field.names
    return interactions(reading.network, reading.data, names, influence, seed=seed)


def described_interactions(found: Sequence[Interaction]) -> str:
    """The strongest interactions in one line.

    Args:
        found: the largest share first.

    Returns:
        Text such as `speed and mass 90 %, speed and age 10 %`.
    """
    more = len(found) - MAX_NAMED
    return ", ".join(map(str, found[:MAX_NAMED])) + (f"; {more} more" if more > 0 else "")


def _means(differences: np.ndarray) -> np.ndarray:
    """Mean sizes over the rows, `(..., rows)`."""
    sizes = np.nan_to_num(np.abs(differences), nan=0.0, posinf=0.0)
    return np.asarray(sizes.mean(axis=-1))
