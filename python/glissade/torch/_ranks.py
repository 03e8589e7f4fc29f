"""Norms of the gradients of the ranks of DistributedDataParallel, by a communication hook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from .._errors import UnsupportedError
from ._buckets import Buckets


class Ranks:
    """Norms of this rank's gradient and of the mean, bucket by bucket, of steps that are due.

    It knows neither model nor monitor: the model holds its hook where no collector of garbage sees it.
    """

    def __init__(self) -> None:
        self.own: list[Tensor] = []
        self.mean: list[Tensor] = []
        self.group: Any = None
        self._buckets = Buckets()
        self._due = False

    def begin(self, due: bool) -> None:
        """A step."""
        self._due = due
        self.own.clear()
        self.mean.clear()

    def hook(self, process_group: Any) -> Callable[[Any, Any], Any]:
        self.group = process_group

        def run(state: Any, bucket: Any) -> Any:
            buffer, looks = bucket.buffer(), self._due
            if looks:
                self.own.append(torch.linalg.vector_norm(buffer).double().square())
            group = process_group if process_group is not None else dist.group.WORLD
            buffer.div_(dist.get_world_size(group))
            sent = dist.all_reduce(buffer, group=group, async_op=True)

            def taken() -> Tensor:
                sent.wait()
                if looks:
                    self.mean.append(torch.linalg.vector_norm(buffer).double().square())
                return buffer

            return self._buckets.add(bucket, taken)

        run.__annotations__.clear()  # DistributedDataParallel refuses those that are texts.
        return run

    def gathered(self) -> tuple[Tensor, Tensor]:
        """[ranks] squared norms, and that of the mean."""
        if not self.own:
            raise UnsupportedError(
                "ranks: no gradient came by: expected ddp.register_comm_hook(None, communication_hook())"
            )
        own = torch.stack(self.own).sum()
        everybody = [torch.zeros_like(own) for _ in range(dist.get_world_size(self.group))]
        dist.all_gather(everybody, own, group=self.group)
        return torch.stack(everybody).cpu(), torch.stack(self.mean).sum().cpu()
