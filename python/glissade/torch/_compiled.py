"""The step rules in the compiled library, over parameters of PyTorch in place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._errors import BadInputError
from .._layout import Block
from .._method import Method, StepReport

COUNTERS = ("steps", "refused", "zero_gradients")
DTYPES = {torch.float32: np.float32, torch.float64: np.float64}


def reachable(parameters: Sequence[Tensor]) -> bool:
    """All of them are in this machine's memory, in one type that the library computes in."""
    first = parameters[0].dtype
    return first in DTYPES and all(
        p.device.type == "cpu" and p.dtype is first and type(p.grad) is Tensor for p in parameters
    )


def _dense(t: Tensor) -> bool:
    """Its numbers lie without gaps, in whichever order."""
    return t.is_contiguous() or (t.dim() == 4 and t.is_contiguous(memory_format=torch.channels_last))


def _option(key: str, value: Any) -> Any:
    """As the library takes it. Schedulers begin and end at a rate of 0; the library wants one above: the smallest
    number moves nothing either."""
    number = float(value) if isinstance(value, Tensor) else value
    return 5e-324 if key == "lr" and number == 0 else number


def _like(t: Tensor, p: Tensor) -> Tensor:
    """The same numbers in the order in which p has them."""
    if t.stride() == p.stride() or (t.is_contiguous() and p.is_contiguous()):
        return t
    return torch.empty_strided(p.shape, p.stride(), dtype=t.dtype).copy_(t)


class Engine:
    """A method of the library over given parameters; `views` are its state vectors, shaped as they are."""

    def __init__(
        self,
        rule: str,
        groups: Sequence[tuple[Mapping[str, Any], Sequence[Tensor]]],
        whole: frozenset[str],
        threads: int,
        state: str = "float",
    ) -> None:
        self.parameters = [p for _, parameters in groups for p in parameters]
        self._groups = [dict(options) for options, _ in groups]
        blocks = [
            Block(f"{i}.{j}", (p.numel(),))
            for i, (_, parameters) in enumerate(groups)
            for j, p in enumerate(parameters)
        ]
        own = [
            {"match": f"{i}.*", **{k: _option(k, v) for k, v in options.items() if k not in whole}}
            for i, (options, parameters) in enumerate(groups)
            if parameters
        ]
        self._whole = whole
        self._numbers = {i: n for n, i in enumerate(i for i, (_, parameters) in enumerate(groups) if parameters)}
        base = {k: _option(k, v) for k, v in groups[0][0].items()}
        self.method = Method(
            rule,
            blocks,
            dtype=DTYPES[self.parameters[0].dtype],
            threads=threads,
            options={**base, "groups": own, **({} if state == "float" else {"state": state})},
        )
        self._is_narrow = state != "float"
        self._arrays = self.method.state_views()
        self._count = len(self.parameters)

    def vectors(self) -> dict[str, list[Tensor]]:
        """Its state vectors by name, a view for every parameter; none where they are kept narrow."""
        found: dict[str, list[Tensor]] = {}
        for name, array in self._arrays.items():
            if name in COUNTERS or self._is_narrow:
                continue
            flat, begin, views = torch.from_numpy(array), 0, []
            for p in self.parameters:
                part = flat[begin : begin + p.numel()]
                strides = p.stride() if _dense(p) else torch.empty(p.shape, device="meta").stride()
                views.append(torch.as_strided(part, p.shape, strides))
                begin += p.numel()
            found[name] = views
        return found

    def counters(self) -> dict[str, int]:
        return {name: int(self._arrays[name][0]) for name in COUNTERS}

    def narrow(self) -> dict[str, Tensor]:
        """Copies of state vectors that are kept narrow; 16 bits as int16, since PyTorch 2.4 saves no uint16."""
        vectors = {name: array for name, array in self._arrays.items() if self._is_narrow and name not in COUNTERS}
        plain = {n: a.view(np.int16) if a.dtype == np.uint16 else a for n, a in vectors.items()}
        return {name: torch.from_numpy(array.copy()) for name, array in plain.items()}

    def set_narrow(self, vectors: Mapping[str, Tensor]) -> None:
        """Fills them; BadInputError for those of other parameters."""
        for name, value in vectors.items():
            array = self._arrays.get(name)
            if array is None or array.shape != tuple(value.shape):
                raise BadInputError(f"state '{name}': shape {list(value.shape)}: is it one of these parameters?")
            array[...] = value.numpy().view(array.dtype)

    def set_counters(self, counters: Mapping[str, int]) -> None:
        for name, value in counters.items():
            self._arrays[name][0] = value

    def set_options(self, groups: Sequence[Mapping[str, Any]]) -> None:
        """Brings the options up to date where a scheduler or a caller has changed them."""
        for i, options in enumerate(groups):
            known = self._groups[i]
            for key, value in options.items():
                number = _option(key, value)
                if number == _option(key, known[key]):
                    continue
                if i == 0:
                    self.method.set(key, number)  # The rate of a report is that of no group.
                if i in self._numbers and key not in self._whole:
                    self.method.set(key, number, group=self._numbers[i])
                known[key] = number

    def step(self, norm: float = math.nan) -> StepReport:
        """Moves the parameters by their gradients, of that norm where it is known. What lies with gaps is copied."""
        w, g = np.empty(self._count, np.uint64), np.empty(self._count, np.uint64)
        keep, back = [], []
        for i, p in enumerate(self.parameters):
            assert p.grad is not None
            moved = p if _dense(p) else p.contiguous()
            grad = _like(p.grad, moved)
            keep.append(grad)
            if moved is not p:
                back.append((p, moved))
            w[i], g[i] = moved.data_ptr(), grad.data_ptr()
        report = self.method.step_at(w, g, norm * norm)
        for p, moved in back:
            p.copy_(moved)
        return report
