"""A loop of one's own under the monitor: how many examples are worth a step, and how sure that is, as training goes on.

Usage: monitored_loop.py [STEPS [FOLDER]]. With a folder: `glissade report FOLDER` draws what was seen.
"""

from __future__ import annotations

import sys

import torch
from torch import nn

import glissade.torch


def batches(steps: int, size: int = 32) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Points in two interleaved spirals, and which of the two each is of."""
    generator = torch.Generator().manual_seed(0)
    side = torch.randint(0, 2, (steps, size), generator=generator)
    turn = 1 + 8 * torch.rand(steps, size, generator=generator)
    angle = turn + torch.pi * side
    points = torch.stack([turn * angle.cos(), turn * angle.sin()], 2) / 5
    points += 0.05 * torch.randn(points.shape, generator=generator)
    return list(zip(points, side, strict=True))


def train(steps: int = 400, folder: str | None = None) -> list[float]:
    """Losses along the way."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    found = []
    with glissade.torch.GradientMonitor(model, optimizer, every=10, smoothness=True, folder=folder) as monitor:
        for step, (x, y) in enumerate(batches(steps)):  # the loop as it was
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            found.append(loss.item())
            if step % 50 == 0:
                scale = monitor.noise_scale
                low, high = scale.interval
                print(f"step {step}: loss {found[-1]:.3f}, noise scale {scale.value:.3g} ({low:.3g} to {high:.3g}), "
                      f"smoothness {monitor.figures['smoothness']:.3g}, cost {scale.cost:.1%}")  # fmt: skip
    return found


if __name__ == "__main__":
    train(*map(int, sys.argv[1:2]), *sys.argv[2:3])
