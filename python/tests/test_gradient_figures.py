"""What the monitor on hooks says: intervals that cover, smoothness along steps, layers of several operations."""

from __future__ import annotations

import math

import numpy as np
import pytest

import glissade

torch = pytest.importorskip("torch")
gt = pytest.importorskip("glissade.torch")
nn = torch.nn


def binomial_floor(trials, share, doubt):
    """The largest count below which a binomial falls with a probability of at most `doubt`."""
    below = 0.0
    for count in range(trials + 1):
        below += math.comb(trials, count) * share**count * (1 - share) ** (trials - count)
        if below > doubt:
            return count
    return trials


@pytest.mark.parametrize(("source", "accumulate", "trials"), [("examples", 1, 150), ("microbatches", 4, 60)])
def test_intervals_of_the_noise_scale_cover(source, accumulate, trials):
    """Weights that stand still, and mini-batches that are drawn from 32 examples: the noise scale is known. Fails once
    in a thousand draws of seeds if the intervals cover 95%; the seeds are fixed."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1))
    x = torch.randn(32, 5)
    y = x.sum(1, keepdim=True) + 0.5 * torch.randn(32, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    each = []
    for row in range(32):
        g = torch.autograd.grad((model(x[row]) - y[row]).square().sum(), model.parameters())
        each.append(torch.cat([t.flatten() for t in g]).double())
    each = torch.stack(each)
    truth = float(each.square().sum(1).mean() / each.mean(0).square().sum()) - 1
    random = torch.Generator().manual_seed(3)
    covered, values = 0, []
    for _ in range(trials):
        with gt.GradientMonitor(model, optimizer, source=source, every=1, smoothing=1, clips=False) as monitor:
            for _ in range(16):
                rows = torch.randint(0, 32, (16,), generator=random)
                for part in rows.chunk(accumulate):
                    ((model(x[part]) - y[part]).square().mean() / accumulate).backward()
                optimizer.step()
                optimizer.zero_grad()
            scale = monitor.noise_scale
        covered += scale.interval[0] < truth < scale.interval[1]
        values.append(scale.value)
    assert covered >= binomial_floor(trials, 0.95, 1e-3), (covered, trials)
    assert float(np.median(values)) == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize("source", ["examples", "microbatches"])
def test_smoothness_along_steps(source):
    """Of one mini-batch again and again; the gradient is the one before it was clipped."""
    torch.manual_seed(0)
    model = nn.Linear(4, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.4)
    x = torch.randn(64, 4)
    y = x @ torch.tensor([[2.0], [-1.0], [1.0], [2.0]]) + 0.1 * torch.randn(64, 1)
    monitor = gt.GradientMonitor(model, optimizer, source=source, every=2, smoothness=True, smoothing=1)
    seen = []
    for _ in range(4):
        w = model.weight.detach().clone()
        for part in range(2):
            rows = slice(32 * part, 32 * part + 32)
            ((model(x[rows]) - y[rows]).square().mean() / 2).backward()
        seen.append((w, model.weight.grad.clone()))
        nn.utils.clip_grad_norm_(model.parameters(), 6.0)
        optimizer.step()
        optimizer.zero_grad()
    expected = glissade.Monitor(smoothing=1)
    for k in (0, 2):
        (w, g), (w1, g1) = seen[k], seen[k + 1]
        each = 2 * (x @ w.T - y) * x
        if source == "examples":
            expected.look(norms=each.norm(dim=1), mean_norm=float(g.norm()))
        else:
            expected.look(norms=each.unflatten(0, (2, 32)).mean(1).norm(dim=1), mean_norm=float(g.norm()), group=32)
        expected.moved(
            step_norm=float((w1 - w).norm()), change_norm=float((g1 - g).norm()), gradient_norm=float(g.norm()),
            examples=64,
        )  # fmt: skip
    assert monitor.figures["smoothness"] == pytest.approx(expected.figures["smoothness"], rel=1e-3)
    assert math.isfinite(monitor.figures["smoothness"])
    counts = [m.results()["smoothness"]["refused_moves"] for m in (monitor.monitor, expected)]
    assert counts[0] == counts[1] < 2
    with pytest.raises(glissade.BadInputError, match="smoothness"):
        gt.GradientMonitor(model, source="norm_layers", smoothness=True)


class Sequence(nn.Module):
    """Attention and an LSTM, which are operations of several parts."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.lstm = nn.LSTM(6, 4, batch_first=True)

    def forward(self, x):
        h, _ = self.attention(x, x, x, need_weights=False)
        return self.lstm(x + h)[0]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_attention_and_lstm(accumulate):
    torch.manual_seed(0)
    model, x = Sequence(), torch.randn(8, 5, 6)
    each = []
    for row in x:
        g = torch.autograd.grad((model(row[None])[0] - 1).square().mean(), model.parameters())
        each.append(torch.cat([t.flatten() for t in g]))
    each = torch.stack(each)
    expected = glissade.Monitor()
    expected.look(norms=each.norm(dim=1), mean_norm=float(each.mean(0).norm()))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    monitor = gt.GradientMonitor(model, optimizer)
    for rows in x.chunk(accumulate):
        ((model(rows) - 1).square().mean() / accumulate).backward()
    optimizer.step()
    assert monitor.noise_scale.covered == 1
    assert monitor.figures["noise_scale"] == pytest.approx(expected.figures["noise_scale"], rel=1e-4)
