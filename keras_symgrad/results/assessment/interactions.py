"""`Interaction`: how much two inputs bend each other's effect on a neuron over the data.

With x' another row of the data, and A and B two inputs (columns, or the columns of one-hot blocks),
the second difference

    D_AB = f(x with x_A' and x_B') - f(x with x_A') - f(x with x_B') + f(x)

is the integral of the mixed second derivative over the rectangle between the rows. It is zero for
all rows exactly where f is a sum of a function without A and one without B. The size of an
interaction is mean |D_AB|; shares are sizes divided by their sum, and the strength is the size
divided by the sum of the influences mean |f(x with x_A') - f(x)| of all inputs.

The neuron's value counts as it is, a classifier's logit too: phi of a sum bends its terms by each
other wherever phi is bent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

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
# An interaction of less strength is a network's own error: on networks of sums it is 0.2 to 2 %.
LEAST_STRENGTH = 0.03
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

    values = neuron.values(x[first]).astype(np.float64)
    single = [exchanged(block) for block in blocks]
    change = np.array([_mean(np.abs(one - values)) for one in single])
    sizes = np.array(
        [
            _mean(np.abs(exchanged(blocks[a] + blocks[b]) - single[a] - single[b] + values))
            for a, b in pairs
        ]
    )
    # Inputs that were not paired count in the total by their share.
    total = change.sum() / max(sum(one.share for one in inputs), 1e-12)
    strengths = sizes / total if total > 0 else np.zeros(len(pairs))
    large = np.flatnonzero(strengths >= LEAST_STRENGTH)
    shares = sizes / (sizes[large].sum() or 1.0)
    order = large[np.argsort(-sizes[large], kind="stable")][:MAX_KEPT]
    found = []
    for k in order:
        # In the order of the columns.
        one, other = (inputs[j].name for j in sorted(pairs[k], key=lambda j: blocks[j]))
        found.append(Interaction(one, other, float(shares[k]), float(strengths[k])))
    return tuple(found)


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


def _mean(sizes: np.ndarray) -> float:
    return float(np.nan_to_num(sizes, nan=0.0, posinf=0.0).mean())
