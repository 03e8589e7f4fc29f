"""A small GPT learns the characters of this file, with ACClip: each coordinate has a threshold that adapts.

Usage: gpt_acclip.py [STEPS]
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

import glissade.torch

CONTEXT, BATCH = 32, 16


class Block(nn.Module):
    """Causal attention and a feed-forward layer, each behind a norm."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.project, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.forth, self.back = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (t.unflatten(2, (self.heads, -1)).transpose(1, 2) for t in self.project(self.norm1(x)).chunk(3, 2))
        h = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + self.out(h)
        return x + self.back(functional.gelu(self.forth(self.norm2(x))))


class GPT(nn.Module):
    """Characters in, logits of the next ones out."""

    def __init__(self, words: int, dim: int = 64, depth: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, dim), nn.Embedding(CONTEXT, dim)
        self.blocks = nn.Sequential(*(Block(dim, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, words, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.words(x) + self.places.weight[: x.shape[1]])))


def train(steps: int = 300) -> list[float]:
    """Losses along the way."""
    torch.manual_seed(0)
    text = Path(__file__).read_text(encoding="utf-8")
    known = sorted(set(text))
    codes = torch.tensor([known.index(c) for c in text])
    model = GPT(len(known))
    optimizer = glissade.torch.ACClip(model.parameters(), lr=2.0, weight_decay=1e-5)
    generator, found = torch.Generator().manual_seed(1), []
    for step in range(steps):
        begin = torch.randint(0, len(codes) - CONTEXT - 1, (BATCH,), generator=generator)
        rows = codes[begin[:, None] + torch.arange(CONTEXT + 1)]
        loss = functional.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
        if step % 50 == 0 and optimizer.report is not None:
            print(f"step {step}: loss {found[-1]:.3f}, coordinates clipped {optimizer.report.clipped:.3g}")
    return found


if __name__ == "__main__":
    train(*map(int, sys.argv[1:]))
