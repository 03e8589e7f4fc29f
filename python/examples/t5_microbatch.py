"""A small T5 learns to reverse sequences, some of them wrongly labelled, with adaptive micro-batch clipping.

Usage: t5_microbatch.py [STEPS]
"""

from __future__ import annotations

import sys
import warnings

import torch
from transformers import T5Config, T5ForConditionalGeneration

import glissade.torch

WORDS, LENGTH, BATCH = 20, 6, 16


def batch(generator: torch.Generator, wrong: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of words, and the same backwards; a share of the targets is of other words."""
    x = torch.randint(2, WORDS, (BATCH, LENGTH), generator=generator)
    y = x.flip(1).clone()
    bad = torch.rand(BATCH, generator=generator) < wrong
    y[bad] = torch.randint(2, WORDS, (int(bad.sum()), LENGTH), generator=generator)
    return x, y


def train(steps: int = 300) -> list[float]:
    """Losses along the way."""
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=WORDS, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, dropout_rate=0.0,
        decoder_start_token_id=0, pad_token_id=0,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config)
    clipping = glissade.torch.MicroBatchClipping(model, microbatch=4)
    optimizer = glissade.torch.Adam(model.parameters(), lr=3e-3)
    generator, found = torch.Generator().manual_seed(1), []
    for step in range(steps):
        x, y = batch(generator)
        logits = model(input_ids=x, labels=y).logits
        losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), y, reduction="none").mean(1)
        optimizer.zero_grad()
        report = clipping.backward(losses)
        optimizer.step()
        found.append(losses.mean().item())
        if step % 50 == 0:
            print(f"step {step}: loss {found[-1]:.3f}, bound {report.bound:.3g}, clipped {report.clipped_share:.2f}")
    return found


if __name__ == "__main__":
    warnings.simplefilter("once")
    train(*map(int, sys.argv[1:]))
