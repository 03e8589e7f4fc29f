"""Values that theorems give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import _records
from ._library import Context
from ._values import Value


@dataclass(frozen=True, slots=True)
class TheoremValue:
    """A value that a theorem gives: kind "rate", "batch", "steps", ...; help ends with the unit in brackets."""

    name: str
    value: float
    kind: str
    help: str


class TheoremValues(Mapping[str, float]):
    """The numbers of a theorem by name; `details` says what each is, `source` where it is proved."""

    def __init__(self, theorem: str, source: str, details: dict[str, TheoremValue]) -> None:
        self.theorem = theorem
        self.source = source
        self.details = details

    def __getitem__(self, name: str) -> float:
        return self.details[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self.details)

    def __len__(self) -> int:
        return len(self.details)

    def __repr__(self) -> str:
        return f"{self.theorem}: " + ", ".join(f"{name} = {value:.6g}" for name, value in self.items())


def _outputs(context: Context, name: str) -> tuple[str, dict[str, tuple[str, str]]]:
    library, i = context.library, 0
    while (theorem := library.lib.gls_theorem_at(i)) != library.ffi.NULL:
        i += 1
        if library.text(theorem.member.name) != name:
            continue
        outputs, k = {}, 0
        while theorem.outputs != library.ffi.NULL and theorem.outputs[k].name != library.ffi.NULL:
            raw = theorem.outputs[k]
            outputs[library.text(raw.name)] = library.text(raw.kind), library.text(raw.help)
            k += 1
        return library.text(theorem.member.source), outputs
    return "", {}


def theory(theorem: str, **inputs: Any) -> TheoremValues:
    """What a theorem gives for inputs of one's own: rates, batch sizes, steps, bounds.

    Args:
        theorem: `glissade.list("theorems")` has all, with their inputs and sources.
        inputs: by name, with the units that the list says.

    Raises:
        BadInputError: unknown theorems, missing inputs, and a condition that is violated, with both its sides.

    >>> values = glissade.theory("nag", L=10, mu=0.1)
    >>> round(values["lr"], 3)
    0.1
    """
    with Context("float64") as context:
        record = context.library.ffi.new("gls_record *")
        with Value(context, {"theorem": theorem, **inputs}) as given:
            context.check(context.library.lib.gls_theory_values(context.pointer, given, record))
        source, outputs = _outputs(context, theorem)
        found = _records.to_dict(context.library, record)
        details = {name: TheoremValue(name, value, *outputs.get(name, ("", ""))) for name, value in found.items()}
        return TheoremValues(theorem, source, details)
