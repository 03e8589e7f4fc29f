"""Gradients quantised at random and packed into bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


def _mixed(key: tuple[int, ...]) -> int:
    """One number of 63 bits for a key, by SplitMix64's finaliser over its parts."""
    mask, state = (1 << 64) - 1, 0
    for part in key:
        state = (state + part + 0x9E3779B97F4A7C15) & mask
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
        state ^= state >> 31
    return state >> 1


def generator(key: tuple[int, ...], device: torch.device) -> torch.Generator:
    """The draws of a key."""
    made = torch.Generator(device=device)
    made.manual_seed(_mixed(key))
    return made


def pack(codes: Tensor, bits: int) -> Tensor:
    """Numbers in [0, 2^bits) as bytes, 8/bits in each; the last byte is filled with zeros."""
    count = 8 // bits
    if count == 1:
        return codes
    padded = torch.nn.functional.pad(codes, (0, -len(codes) % count)).view(-1, count)
    packed = padded[:, 0].clone()
    for i in range(1, count):
        packed |= padded[:, i] << (bits * i)
    return packed


def unpack(packed: Tensor, bits: int, count: int) -> Tensor:
    """The first `count` numbers of what `pack` made."""
    if bits == 8:
        return packed[:count]
    mask = (1 << bits) - 1
    return torch.stack([(packed >> shift) & mask for shift in range(0, 8, bits)], dim=1).flatten()[:count]


@dataclass(frozen=True)
class Form:
    """How a bucket of parameters of these sizes travels: packed codes, then the norms of the blocks."""

    levels: int
    block: int
    sizes: tuple[int, ...]

    @property
    def bits(self) -> int:
        return 2 if self.levels == 1 else 4 if self.levels <= 7 else 8

    def blocks(self, size: int) -> int:
        """How many blocks a parameter of this size has."""
        return math.ceil(size / self.block) if self.block else min(size, 1)

    def _cut(self, size: int) -> tuple[int, int]:
        """Blocks and coordinates of each, with what fills the last one."""
        blocks = self.blocks(size)
        return blocks, min(self.block, size) if self.block and blocks > 1 else size

    def _padded(self, v: Tensor) -> Tensor:
        blocks, width = self._cut(len(v))
        return torch.nn.functional.pad(v, (0, blocks * width - len(v))).view(blocks, width)

    def _quantise(self, v: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Codes in [0, 2 levels], and norms, which carry what is not finite."""
        rows = self._padded(v)
        norms = torch.linalg.vector_norm(rows, dim=1)
        scaled = (rows.abs() * (self.levels / norms)[:, None]).nan_to_num(0, 0, 0).clamp(max=self.levels)
        low = scaled.floor()
        low += torch.rand(rows.shape, generator=draws, dtype=rows.dtype, device=rows.device) < scaled - low
        codes = torch.where(rows < 0, -low, low) + self.levels
        return codes.flatten()[: len(v)].to(torch.uint8), norms

    def encode(self, buffer: Tensor, draws: list[torch.Generator]) -> Tensor:
        """The message, as bytes."""
        codes, norms = [], []
        for v, own in zip(torch.split(buffer, self.sizes), draws, strict=True):
            if len(v):
                code, norm = self._quantise(v, own)
                codes.append(code)
                norms.append(norm)
        return torch.cat([torch.cat(norms).view(torch.uint8), pack(torch.cat(codes), self.bits)])

    def add(self, message: Tensor, buffer: Tensor, weight: float) -> None:
        """Adds what a message says, times a weight."""
        count = sum(self.blocks(size) for size in self.sizes)
        norms = message[: count * buffer.element_size()].view(buffer.dtype)
        codes = unpack(message[count * buffer.element_size() :], self.bits, sum(self.sizes))
        for v, code in zip(torch.split(buffer, self.sizes), torch.split(codes, self.sizes), strict=True):
            blocks = self.blocks(len(v))
            if blocks:
                rows = self._padded(code.to(buffer.dtype) - self.levels)
                rows *= (norms[:blocks] * (weight / self.levels))[:, None]
                v += rows.flatten()[: len(v)]
                norms = norms[blocks:]
