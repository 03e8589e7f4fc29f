"""Layers and models whose gradients of single examples are known to MicroBatchClipping, and some that are not."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

B = 11


class Tied(nn.Module):
    """An embedding whose table is the last layer too, positions, and a layer that is used twice."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(13, 6, padding_idx=0)
        self.positions = nn.Embedding(5, 6)
        self.twice = nn.Linear(6, 6)
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 13, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, x):
        h = self.tokens(x) + self.positions(torch.arange(5)[None])
        h = self.norm(h + self.twice(torch.tanh(self.twice(h))))
        return self.head(h).transpose(1, 2).log_softmax(1)[:, :, 1:].mean(2)


class Outside(nn.Module):
    """A weight that is used beside its layer, and a parameter of no layer."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.randn(4))

    def forward(self, x):
        return functional.linear(self.a(x).relu() * self.scale, self.a.weight)


class Residual(nn.Module):
    """Outputs that are changed in place behind their layer."""

    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(4, 4, 3, padding=1)
        self.n1 = nn.GroupNorm(2, 4)
        self.c2 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.last = nn.Linear(4, 5)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        h = self.c2(self.relu(self.n1(self.c1(x))))
        h += x
        return self.last(self.relu(h).mean((2, 3)))


class _Double(torch.autograd.Function):
    """Its node keeps what it saw under a name that leaves' nodes have."""

    @staticmethod
    def forward(x):
        return 2 * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.variable = inputs[0]

    @staticmethod
    def backward(ctx, g):
        return 2 * g


class Custom(nn.Module):
    """A function of the user's between two layers."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.b(_Double.apply(self.a(x)))


class Attention(nn.Module):
    """Of queries to other keys and values, with masks of positions and of padding, behind attention to itself."""

    def __init__(self, bias=True):
        super().__init__()
        self.first = nn.MultiheadAttention(8, 2, bias=bias, batch_first=True)
        self.second = nn.MultiheadAttention(8, 4, bias=bias, batch_first=True)
        self.other = nn.Linear(8, 8)

    def forward(self, x):
        causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        h, weights = self.first(x, x, x, attn_mask=causal, average_attn_weights=False)
        keys = self.other(h)
        padding = torch.arange(x.shape[1]).expand(len(x), -1) >= 3
        padding = torch.zeros(padding.shape, dtype=x.dtype).masked_fill(padding, -float("inf"))
        own = 0.1 * torch.ones(4 * len(x), x.shape[1], x.shape[1], dtype=x.dtype).cumsum(2)
        out, _ = self.second(h, keys, keys + x, key_padding_mask=padding, attn_mask=own, need_weights=False)
        return out + weights.sum((1, 2))[:, :, None]


class Recurrent(nn.Module):
    """Two layers in both directions from a state of its own, which also gives its last state."""

    def __init__(self):
        super().__init__()
        self.start = nn.Linear(3, 8)
        self.inner = nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, x):
        state = self.start(x[:, 0]).unflatten(1, (2, 4)).transpose(0, 1).repeat(2, 1, 1)
        out, (last, cell) = self.inner(x, (state.contiguous(), torch.zeros_like(state)))
        return torch.cat([out.flatten(1), last.transpose(0, 1).flatten(1), cell.transpose(0, 1).flatten(1)], 1)


class Block(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        self.c1, self.n1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.GroupNorm(2, outer)
        self.c2, self.n2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False), nn.GroupNorm(2, outer)
        self.short = nn.Identity()
        if stride > 1 or inner != outer:
            self.short = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.GroupNorm(2, outer))

    def forward(self, x):
        return torch.relu(self.n2(self.c2(torch.relu(self.n1(self.c1(x))))) + self.short(x))


def resnet18():
    """Narrow: 4 to 32 channels."""
    stages = [(4, 4, 1), (4, 8, 2), (8, 16, 2), (16, 32, 2)]
    blocks = [block for a, b, stride in stages for block in (Block(a, b, stride), Block(b, b, 1))]
    stem = [nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.GroupNorm(2, 4), nn.ReLU()]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5))


def images(channels, size):
    return torch.randn(B, channels, size, size)


CASES = {
    "linear": (
        lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5, bias=False)),
        lambda: torch.randn(B, 6),
    ),
    "a function between": (Custom, lambda: torch.randn(B, 4)),
    "linear of sequences": (
        lambda: nn.Sequential(nn.Linear(3, 7), nn.Tanh(), nn.Linear(7, 2)),
        lambda: torch.randn(B, 9, 3),
    ),
    "conv": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 2), nn.Flatten()),
        lambda: images(2, 9),
    ),
    "conv grouped dilated": (
        lambda: nn.Sequential(nn.Conv2d(4, 6, 3, groups=2, dilation=2, padding="same"), nn.Flatten()),
        lambda: images(4, 7),
    ),
    "conv reflected depthwise": (
        lambda: nn.Sequential(nn.Conv2d(4, 4, (3, 2), groups=4, padding=1, padding_mode="reflect"), nn.Flatten()),
        lambda: images(4, 6),
    ),
    "conv1d": (
        lambda: nn.Sequential(nn.Conv1d(3, 4, 5, stride=3, padding=2, groups=1), nn.Tanh(), nn.Flatten()),
        lambda: torch.randn(B, 3, 17),
    ),
    "embedding": (
        lambda: nn.Sequential(nn.Embedding(7, 4, padding_idx=2), nn.Flatten(), nn.Linear(24, 3)),
        lambda: torch.randint(0, 7, (B, 6)),
    ),
    "norms": (
        lambda: nn.Sequential(
            nn.LayerNorm((3, 4)), nn.Linear(4, 6), nn.GroupNorm(1, 3), nn.Tanh(), nn.LayerNorm(6, bias=False)
        ),
        lambda: torch.randn(B, 3, 4),
    ),
    "group norm": (lambda: nn.Sequential(nn.GroupNorm(2, 4), nn.Conv2d(4, 2, 1), nn.Flatten()), lambda: images(4, 3)),
    "batch norm, evaluated": (
        lambda: nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.Flatten()).eval(),
        lambda: images(2, 4),
    ),
    "tied": (Tied, lambda: torch.randint(0, 13, (B, 5))),
    "changed in place": (Residual, lambda: images(4, 5)),
    "attention": (Attention, lambda: torch.randn(B, 5, 8)),
    "attention without bias": (lambda: Attention(bias=False), lambda: torch.randn(B, 5, 8)),
    "encoder": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True),
        lambda: torch.randn(B, 5, 8),
    ),
    "lstm": (lambda: _First(nn.LSTM(3, 4, batch_first=True)), lambda: torch.randn(B, 6, 3)),
    "lstm without bias": (lambda: _First(nn.LSTM(3, 4, bias=False, batch_first=True)), lambda: torch.randn(B, 6, 3)),
    "lstm of several": (Recurrent, lambda: torch.randn(B, 5, 3)),
    "resnet-18": (resnet18, lambda: images(3, 16)),
}
UNKNOWN = {
    "outside": (Outside, lambda: torch.randn(B, 4)),
    "conv3d": (lambda: nn.Sequential(nn.Conv3d(1, 2, 2), nn.Flatten()), lambda: torch.randn(B, 1, 3, 3, 3)),
    "attention of more": (
        lambda: _First(nn.MultiheadAttention(6, 2, add_bias_kv=True, batch_first=True), 3),
        lambda: torch.randn(B, 5, 6),
    ),
    "gru": (lambda: _First(nn.GRU(3, 4, batch_first=True)), lambda: torch.randn(B, 6, 3)),
}


class _First(nn.Module):
    def __init__(self, inner, times=1):
        super().__init__()
        self.inner, self.times = inner, times

    def forward(self, x):
        return self.inner(*[x] * self.times)[0]
