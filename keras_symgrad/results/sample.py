"""`Sample`: the rows that a result keeps, so that it can be assessed and drawn again."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_symgrad.engine import SQUARED, as_loss
from keras_symgrad.files import Record, read_arrays
from keras_symgrad.formulas import Formula, MonotoneFit, ParetoFront
from keras_symgrad.gradients import ARRAYS, GradientField
from keras_symgrad.results.assessment import DataRows, HeldOutRows

if TYPE_CHECKING:
    from keras_symgrad.gradients import OwnUnits, Reading

# Rows of each kind in a file: gradients, held-out data rows, and data rows of the fits.
MAX_ROWS = 400
# A result with room for fewer rows keeps none.
MIN_ROWS = 100
# Numbers of a sample in a file, 0.8 MB before compression.
MAX_NUMBERS = 100_000
# Content of a sample that is read from a file, in bytes.
MAX_BYTES = 4 * 2**20
DATA_ARRAYS = ("held_out", "held_out_values", "train", "train_values")


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows on which another formula of the front can be assessed.

    The gradients are `Interpretation.gradients`; all points are in the user's units.

    Attributes:
        counted: data rows that nothing was fitted on, and those of the fits, with the network's
            values; `None` for a field without values.
        is_read: whether a network was read, and not a field of gradients.
        is_classifier: whether the neuron is a classifier.
        signed: whether the opposite direction counts as different.
        is_part: whether these rows, and the gradients, are the part that a file keeps.
    """

    counted: HeldOutRows | None
    is_read: bool
    is_classifier: bool
    signed: bool = False
    is_part: bool = False

    @classmethod
    def of(
        cls, reading: Reading, counted: HeldOutRows | None, units: OwnUnits | None, signed: bool
    ) -> Sample:
        """The rows of a reading.

        Args:
            reading: in the user's units.
            counted: rows that fidelity was counted on.
            units: of the points of `counted`; `None` for the user's.
            signed: whether the opposite direction counts as different.
        """
        if counted is not None and units is not None:
            rows, train = (
                replace(rows, points=rows.points * units.scales + units.offsets)
                for rows in (counted.rows, counted.train)
            )
            counted = replace(counted, rows=rows, train=train)
        return cls(counted, reading.neuron is not None, reading.is_classifier, signed)

    @property
    def kept_apart(self) -> HeldOutRows | None:
        """The counted rows; `None` where there are no data, or too few to keep some apart."""
        counted = self.counted
        return counted if counted is not None and self.is_read and counted.are_apart else None

    def phi(self, formula: Formula, front: ParetoFront, field: GradientField) -> MonotoneFit:
        """Fit phi of a row of a front.

        Approximations are fitted to the data, and their phi as well; all others to the rows that
        gradients were read at.

        Args:
            formula: the row.
            front: that it is of.
            field: the gradients, with values.

        Raises:
            ValueError: the formula is constant on these rows.
        """
        counted = self.counted
        if front.chosen is not None and counted is not None and len(counted.train) > 1:
            return MonotoneFit.smooth(formula(counted.train.points), counted.train.values)
        g = formula(field.points)
        return MonotoneFit.of_neuron(g, field.known_values, decides=self.is_classifier)

    def to_dict(self, field: GradientField, seed: int) -> dict[str, Any] | None:
        """A part of the rows as plain data, the arrays as an `.npz` archive in base64.

        Args:
            field: the gradients.
            seed: of the choice of rows.

        Returns:
            The data; `None` where variables are too many for a useful number of rows.
        """
        each = field.points[:1].size + field.directions[:1].size + 2 * field.variables + 4
        frame = field.frame
        whole = 0 if frame is None or frame.ndim == 3 else frame.size
        each += frame[:1].size if frame is not None and frame.ndim == 3 else 0
        rows = min(MAX_ROWS, (MAX_NUMBERS - whole) // each)
        if rows < MIN_ROWS:
            return None
        some = field.subset(rows, seed)
        arrays = some.arrays()
        if self.counted is not None:
            for name, data in (("held_out", self.counted.rows), ("train", self.counted.train)):
                part = _subset(data, rows, seed)
                arrays |= {name: part.points, f"{name}_values": part.values}
        # A sample that was read from a file is written as it was.
        arrays = {
            name: np.ascontiguousarray(array, float) if array.dtype.kind in "fiu" else array
            for name, array in arrays.items()
        }
        file = BytesIO()
        # No array is named like the option `allow_pickle`.
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        return {
            "arrays": base64.b64encode(file.getvalue()).decode(),
            "loss": str(field.loss),
            "decides": self.counted is not None and self.counted.decides,
            "is_read": self.is_read,
            "is_classifier": self.is_classifier,
            "signed": self.signed,
        }

    @classmethod
    def from_dict(
        cls, content: Record | Mapping[str, Any], names: tuple[str, ...]
    ) -> tuple[Sample, GradientField]:
        """Read a sample, and its gradients, from the plain data of `to_dict`.

        Args:
            content: the data.
            names: of the variables.

        Raises:
            ValueError: it is not a sample of these variables.
        """
        record = Record.of(content)
        arrays = _arrays(record)
        field = GradientField.of_arrays(arrays)
        if field.names != names:
            raise record.refused("arrays", "gradients of the variables of the result")
        counted = None
        if "held_out" in arrays:
            rows, train = (_data_rows(record, arrays, n, names) for n in ("held_out", "train"))
            counted = HeldOutRows(rows, train, record.flag("decides"), None, None)
        try:
            measure = as_loss(record.text("loss"))
        except ValueError:
            measure = SQUARED  # a loss of the user's own is not in the file
        is_read, is_classifier, signed = map(record.flag, ("is_read", "is_classifier", "signed"))
        return cls(counted, is_read, is_classifier, signed, True), replace(field, loss=measure)


def _subset(data: DataRows, rows: int, seed: int) -> DataRows:
    if len(data) <= rows:
        return data
    order = np.random.default_rng(seed).permutation(len(data))[:rows]
    return DataRows(data.points[order], data.values[order])


def _arrays(record: Record) -> dict[str, np.ndarray]:
    text = record.text("arrays")
    if len(text) > MAX_BYTES:
        raise record.refused("arrays", f"at most {MAX_BYTES >> 20} MB")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise record.refused("arrays", "an archive in base64") from None
    found = read_arrays(BytesIO(content), (*ARRAYS, *DATA_ARRAYS))
    return {name: array for name, array in found.items() if array is not None}


def _data_rows(
    record: Record, arrays: dict[str, np.ndarray], name: str, names: tuple[str, ...]
) -> DataRows:
    points, values = arrays.get(name), arrays.get(f"{name}_values")
    if (
        points is None
        or values is None
        or points.dtype.kind != "f"
        or values.dtype.kind != "f"
        or points.ndim != 2
        or points.shape[1] != len(names)
        or values.shape != points.shape[:1]
        or not np.isfinite(points).all()
    ):
        raise record.refused("arrays", f"{name} rows with a value each")
    return DataRows(points, values)
