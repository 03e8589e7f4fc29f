"""Norms of the gradients of the ranks of DistributedDataParallel, by a communication hook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .._errors import UnsupportedError


class Ranks:
    """Norms of this rank's gradient and of the mean, bucket by bucket."""

    def __init__(self) -> None:
        self.own: list[Tensor] = []
        self.mean: list[Tensor] = []
        self.group: Any = None

    def begin(self) -> None:
        self.own.clear()
        self.mean.clear()

    def hook(self, process_group: Any, due: Callable[[], bool]) -> Callable[[Any, Any], Any]:
        from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

        self.group = process_group

        def taken(future: Any) -> Tensor:
            value = future.value()
            reduced: Tensor = value[0] if isinstance(value, (list, tuple)) else value
            self.mean.append(torch.linalg.vector_norm(reduced.detach()).double().square())
            return reduced

        def run(state: Any, bucket: Any) -> Any:
            if not due():
                return allreduce_hook(process_group, bucket)
            self.own.append(torch.linalg.vector_norm(bucket.buffer()).double().square())
            return allreduce_hook(process_group, bucket).then(taken)

        run.__annotations__.clear()  # DistributedDataParallel refuses those that are texts.
        return run

    def gathered(self) -> tuple[Tensor, Tensor]:
        """[ranks] squared norms, and that of the mean."""
        import torch.distributed as dist

        if not self.own:
            raise UnsupportedError(
                "ranks: no gradient came by: expected ddp.register_comm_hook(None, communication_hook())"
            )
        own = torch.stack(self.own).sum()
        everybody = [torch.zeros_like(own) for _ in range(dist.get_world_size(self.group))]
        dist.all_gather(everybody, own, group=self.group)
        return torch.stack(everybody).cpu(), torch.stack(self.mean).sum().cpu()
