"""A CIFAR-shaped ResNet-18 with SNGM, which takes large mini-batches: accumulated from small ones.

[N] trains at batches of 4,096 and more; the accumulated mean is that of the whole
mini-batch. The pictures here are made, so that nothing is fetched.

Usage: resnet_sngm.py [STEPS [BATCH]]
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn
from torch.nn import functional

import glissade.torch

PART = 64


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outer)
        self.second = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outer)
        self.short = nn.Identity()
        if stride > 1 or inner != outer:
            self.short = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm2(self.second(functional.relu(self.norm1(self.first(x)))))
        return functional.relu(h + self.short(x))


def resnet18(width: int, classes: int = 10) -> nn.Module:
    """For pictures of 32 by 32; width 64 is the usual one."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    inner = width
    for stage in range(4):
        outer = width << stage
        layers += [Block(inner, outer, 1 if stage == 0 else 2), Block(outer, outer, 1)]
        inner = outer
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inner, classes))


def pictures(rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Stripes, whose direction and number are the class, under noise."""
    y = torch.randint(0, 10, (rows,), generator=generator)
    angle, number = (y % 5) * torch.pi / 5, 2.0 + 4.0 * (y // 5)
    grid = torch.linspace(0, 1, 32)
    along = (
        torch.cos(angle)[:, None, None] * grid[None, :, None] + torch.sin(angle)[:, None, None] * grid[None, None, :]
    )
    x = torch.sin(2 * torch.pi * number[:, None, None] * along)[:, None].repeat(1, 3, 1, 1)
    return x + 0.5 * torch.randn(x.shape, generator=generator), y


def train(steps: int = 60, batch: int = 256, width: int = 16) -> list[float]:
    """Losses along the way."""
    torch.manual_seed(0)
    model = resnet18(width)
    optimizer = glissade.torch.SNGM(model.parameters(), lr=0.5, beta=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, steps, 1.1)
    generator, found = torch.Generator().manual_seed(1), []
    for step in range(steps):
        x, y = pictures(batch, generator)
        optimizer.zero_grad()
        total = 0.0
        for part in torch.arange(batch).split(PART):
            loss = functional.cross_entropy(model(x[part]), y[part], reduction="sum") / batch
            loss.backward()
            total += loss.item()
        optimizer.step()
        schedule.step()
        found.append(total)
        if step % 10 == 0 and optimizer.report is not None:
            print(f"step {step}: loss {total:.3f}, gradient norm {optimizer.report.gradient_norm:.3g}")
    return found


if __name__ == "__main__":
    train(*map(int, sys.argv[1:]))
