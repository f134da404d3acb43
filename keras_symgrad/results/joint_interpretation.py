"""`JointInterpretation`: the concepts that several neurons carry jointly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keras_symgrad.files import Record, heading, printable
from keras_symgrad.formulas import Formula
from keras_symgrad.results.base import CallOf, Result, provenance, without_call
from keras_symgrad.results.interpretation import Interpretation
from keras_symgrad.results.statements import number_of_concepts, spectrum, to_span


@dataclass(frozen=True, eq=False, repr=False)
class JointInterpretation(Result):
    """Concepts that several neurons encode together.

    Attributes:
        neurons: their names.
        concepts: one interpretation for each concept found, the simplest first. Each later one is a
            concept along the level sets of those before it: any function of it and them is
            equivalent.
        independent: number of independent concepts that the neurons carry, or the number requested.
        spectrum: evidence for the number: medians of the singular values of the neurons' unit
            gradients, divided by the largest.
        errors: of each concept, mean of 1 - |cos| between its gradient and the span of all the
            neurons' gradients.
        settings: the arguments of `interpret_jointly`, as plain data.
        versions: of the packages.
        call: Python code that repeats the call of `interpret_jointly`.

    Example:

    >>> import numpy as np
    >>> import keras_symgrad as ks
    >>> neurons = [
    ...     ks.Neuron("sum", lambda x: x[:, 0] * x[:, 1] + x[:, 2], inputs=3),
    ...     ks.Neuron("difference", lambda x: x[:, 0] * x[:, 1] - x[:, 2], inputs=3),
    ... ]
    >>> x = np.random.default_rng(0).uniform(1, 2, (500, 3))
    >>> search = ks.Search(methods="dictionary")
    >>> options = {"operators": "polynomial", "verbose": False}
    >>> found = ks.interpret_jointly(neurons, x, search=search, **options)
    >>> sorted(map(str, found.best)), found.independent
    (['x1*x2', 'x3'], 2)
    """

    what = "The joint interpretation"

    neurons: tuple[str, ...]
    concepts: tuple[Interpretation, ...]
    independent: int
    spectrum: tuple[float, ...]
    errors: tuple[float, ...]
    settings: dict[str, Any] = field(repr=False)
    versions: dict[str, str] = field(repr=False)
    call: str = field(default="", repr=False)

    @property
    def best(self) -> tuple[Formula, ...]:
        """The formulas of the concepts."""
        return tuple(concept.best for concept in self.concepts)

    def __repr__(self) -> str:
        formulas = ", ".join(formula.to_pretty() for formula in self.best)
        return f"JointInterpretation({len(self.neurons)} neurons: {formulas})"

    def __str__(self) -> str:
        lines = [
            f"{number_of_concepts(self)}: {', '.join(self.neurons)}",
            f"singular values of their gradients: {spectrum(self)}",
        ]
        for concept, error in zip(self.concepts, self.errors):
            name, text = to_span(error)
            lines.append(f"{concept.headline}   ({name} = {text})")
        return printable("\n".join(lines))

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data."""
        return {
            **heading("joint"),
            "neurons": list(self.neurons),
            "independent": self.independent,
            "spectrum": list(self.spectrum),
            "errors": list(self.errors),
            "concepts": [concept.to_dict() for concept in self.concepts],
            "settings": self.settings,
            "versions": self.versions,
        }

    @classmethod
    def from_dict(
        cls, content: Record | Mapping[str, Any], call_of: CallOf = without_call
    ) -> JointInterpretation:
        """Read a result from the plain data of `to_dict`.

        Args:
            content: the data, those of an earlier version too.
            call_of: makes the code that repeats the call.

        Raises:
            ValueError: they are not a result of several neurons.
        """
        record = Record.of(content)
        return cls(
            record.texts("neurons"),
            tuple(Interpretation.from_dict(one, call_of) for one in record.records("concepts")),
            record.whole("independent"),
            tuple(record.numbers("spectrum")),
            tuple(record.numbers("errors")),
            *provenance(record),
            call_of("joint", record),
        )

    def _page(self) -> str:
        from keras_symgrad.results.report import page_of_neurons

        return page_of_neurons(self)

    def _repr_html_(self) -> str:
        from keras_symgrad.results.report import jointly_html

        return jointly_html(self)

    def _repr_markdown_(self) -> str:
        from keras_symgrad.results.report import jointly_markdown

        return jointly_markdown(self)
