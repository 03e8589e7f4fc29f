"""A small Conformer reads sequences of tones under CTC, with adaptive micro-batch clipping.

Usage: conformer_microbatch.py [STEPS]
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn
from torch.nn import functional

import glissade.torch

TONES, FRAMES, BINS, BATCH = 5, 40, 16, 16


class Attention(nn.Module):
    """Self-attention of separate projections, whose gradients are clipped without a pass for each micro-batch."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (f(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for f in (self.query, self.key, self.value))
        return self.out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Convolution(nn.Module):
    """Gated, depthwise; group norm in the place of batch norm, which would mix examples."""

    def __init__(self, dim: int, width: int = 7) -> None:
        super().__init__()
        self.widen = nn.Conv1d(dim, 2 * dim, 1)
        self.depthwise = nn.Conv1d(dim, dim, width, padding=width // 2, groups=dim)
        self.norm = nn.GroupNorm(4, dim)
        self.narrow = nn.Conv1d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = functional.glu(self.widen(x.transpose(1, 2)), dim=1)
        return self.narrow(functional.silu(self.norm(self.depthwise(h)))).transpose(1, 2)


class Block(nn.Module):
    """Half a feed-forward layer, attention, convolution, half a feed-forward layer, norm."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.first, self.last = (
            nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.SiLU(), nn.Linear(4 * dim, dim))
            for _ in range(2)
        )
        self.attention = nn.Sequential(nn.LayerNorm(dim), Attention(dim, heads))
        self.convolution = nn.Sequential(nn.LayerNorm(dim), Convolution(dim))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.first(x) / 2
        x = x + self.attention(x)
        x = x + self.convolution(x)
        return self.norm(x + self.last(x) / 2)


class Conformer(nn.Sequential):
    """[rows, frames, bins] to log-probabilities of blank and tones [rows, frames, 1 + tones]."""

    def __init__(self, dim: int = 32, depth: int = 2, heads: int = 2) -> None:
        blocks = [Block(dim, heads) for _ in range(depth)]
        super().__init__(nn.Linear(BINS, dim), *blocks, nn.Linear(dim, 1 + TONES), nn.LogSoftmax(2))


def batch(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Four tones a row, each a ridge over ten frames, under noise."""
    y = torch.randint(1, 1 + TONES, (BATCH, 4), generator=generator)
    x = 0.3 * torch.randn(BATCH, FRAMES, BINS, generator=generator)
    ridge = functional.one_hot(3 * y.repeat_interleave(FRAMES // 4, dim=1), BINS)
    return x + ridge, y


def train(steps: int = 150) -> list[float]:
    """Losses along the way."""
    torch.manual_seed(0)
    model = Conformer()
    clipping = glissade.torch.MicroBatchClipping(model, microbatch=4)
    optimizer = glissade.torch.Adam(model.parameters(), lr=3e-3)
    generator, found = torch.Generator().manual_seed(1), []
    frames, tones = torch.full((BATCH,), FRAMES), torch.full((BATCH,), 4)
    for step in range(steps):
        x, y = batch(generator)
        losses = functional.ctc_loss(model(x).transpose(0, 1), y, frames, tones, reduction="none")
        optimizer.zero_grad()
        report = clipping.backward(losses)
        optimizer.step()
        found.append(losses.mean().item())
        if step % 25 == 0:
            print(f"step {step}: loss {found[-1]:.3f}, bound {report.bound:.3g}, clipped {report.clipped_share:.2f}")
    return found


if __name__ == "__main__":
    train(*map(int, sys.argv[1:]))
