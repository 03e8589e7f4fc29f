"""The monitor on hooks against explicit gradients of single examples by torch.func."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import glissade

torch = pytest.importorskip("torch")
gt = pytest.importorskip("glissade.torch")
nn, functional = torch.nn, torch.nn.functional
B, T, V, W = 8, 12, 29, 16


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(W), nn.LayerNorm(W)
        self.qkv, self.out = nn.Linear(W, 3 * W), nn.Linear(W, W)
        self.up, self.down = nn.Linear(W, 4 * W), nn.Linear(4 * W, W)

    def forward(self, x):
        q, k, v = (t.reshape(*x.shape[:2], 2, W // 2).transpose(1, 2) for t in self.qkv(self.ln1(x)).split(W, 2))
        scores = (q @ k.mT / math.sqrt(W // 2)).masked_fill(torch.ones(T, T).triu(1).bool(), -math.inf)
        x = x + self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
        return x + self.down(functional.gelu(self.up(self.ln2(x))))


class Gpt(nn.Module):
    """A small GPT whose table of words is its last layer too."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(V, W)
        self.blocks = nn.Sequential(Block(), Block())
        self.last = nn.LayerNorm(W)
        self.head = nn.Linear(W, V, bias=False)
        self.head.weight = self.words.weight

    def forward(self, x):
        return self.head(self.last(self.blocks(self.words(x))))


def loss_of(model, x, y):
    return functional.cross_entropy(model(x).flatten(0, 1), y.flatten())


def exact(model, x, y):
    """Squared norms of every example's gradient, [examples], and that of their mean, by parameter."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def one(parameters, x, y):
        z = torch.func.functional_call(model, parameters, (x[None],))
        return functional.cross_entropy(z.flatten(0, 1), y)

    found = torch.func.vmap(torch.func.grad(one), (None, 0, 0))(parameters, x, y)
    norm2 = {name: g.double().flatten(1).square().sum(1) for name, g in found.items()}
    return norm2, {name: float(g.double().mean(0).square().sum()) for name, g in found.items()}


def batches(count, seed=0, size=B):
    random = torch.Generator().manual_seed(seed)
    for _ in range(count):
        # Later words follow from the first ones, so that there is something to learn.
        x = torch.randint(0, V, (size, 1), generator=random) + torch.arange(T + 1)
        x = torch.where(
            torch.rand(size, T + 1, generator=random) < 0.3, torch.randint(0, V, (size, T + 1), generator=random), x % V
        )
        yield x[:, :-1], x[:, 1:]


def make(seed=0):
    torch.manual_seed(seed)
    model = Gpt()
    return model, torch.optim.AdamW(model.parameters(), lr=1e-3)


def train(model, optimizer, data, accumulate=1, clip=None):
    losses = []
    for x, y in data:
        for part in range(accumulate):
            rows = slice(part * len(x) // accumulate, (part + 1) * len(x) // accumulate)
            loss = loss_of(model, x[rows], y[rows]) / accumulate
            loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("clip", [None, 0.01])
def test_a_look_is_exact(accumulate, clip):
    """Tied words included; the gradients are read before they are clipped."""
    model, optimizer = make()
    ((x, y),) = batches(1)
    norm2, mean2 = exact(model, x, y)
    expected = glissade.Monitor()
    expected.look(norms=sum(norm2.values()).sqrt(), mean_norm=math.sqrt(sum(mean2.values())))
    with gt.GradientMonitor(model, optimizer) as monitor:
        train(model, optimizer, [(x, y)], accumulate, clip)
    assert monitor.figures["noise_scale"] == pytest.approx(expected.figures["noise_scale"], rel=1e-4)
    assert monitor.noise_scale.covered == 1 and monitor.noise_scale.looks == 1
    assert monitor.figures["clip_frequency"] == (1 if clip else 0)
    got, wanted = (m.report()["gradient_diversity"]["second_moment"].value for m in (monitor, expected))
    assert got == pytest.approx(wanted, rel=1e-4)


def test_the_loop_is_not_disturbed():
    losses = []
    for watched in (False, True):
        model, optimizer = make()
        monitor = gt.GradientMonitor(model, optimizer, every=3) if watched else None
        losses.append(train(model, optimizer, batches(12)))
        if monitor:
            assert monitor.noise_scale.looks == 4
            monitor.close()
            assert not model._forward_pre_hooks and not optimizer._optimizer_step_post_hooks
    assert losses[0] == losses[1]


def test_one_micro_batch_is_refused_and_unequal_ones_are_said():
    model, optimizer = make()
    gt.GradientMonitor(model, optimizer, source="microbatches")
    with pytest.raises(glissade.UnsupportedError, match="at least two"):
        train(model, optimizer, batches(1))
    model, optimizer = make()
    monitor = gt.GradientMonitor(model, optimizer, source="microbatches", every=1)
    train(model, optimizer, batches(2), accumulate=4)
    with pytest.warns(gt.MonitorWarning, match=r"\[2, 2, 3\]"):
        train(model, optimizer, batches(1, size=7), accumulate=3)
    assert monitor.noise_scale.looks == 2


def test_micro_batches_against_their_gradients():
    model, optimizer = make()
    ((x, y),) = batches(1)
    expected = glissade.Monitor(sum(p.numel() for p in model.parameters()))
    found = []
    for rows in range(0, B, 2):
        found.append(torch.autograd.grad(loss_of(model, x[rows : rows + 2], y[rows : rows + 2]), model.parameters()))
    expected.look(gradients=np.stack([np.concatenate([t.flatten().numpy() for t in g]) for g in found]), group=2)
    monitor = gt.GradientMonitor(model, optimizer, source="microbatches")
    train(model, optimizer, [(x, y)], accumulate=4)
    assert monitor.figures["noise_scale"] == pytest.approx(expected.figures["noise_scale"], rel=1e-3)


@pytest.mark.parametrize("looks", [2, 3, 6])
def test_few_looks_cover_what_is_known(looks):
    """Targets y = a x + e of normal x: at weights of zero an example's gradient is -y x, of mean -a and second moment
    |a|^2 (d + 2) + s^2 d; so far apart that few looks tell nothing but a lower end, if that."""
    d, s2 = 4, 1.0
    truth, covered, random = (1.0 * (d + 2) + s2 * d) / 1.0 - 1, 0, torch.Generator().manual_seed(4)
    model = nn.Linear(d, 1, bias=False)
    nn.init.zeros_(model.weight)
    for _ in range(100):
        with gt.GradientMonitor(model, every=2, smoothing=1) as monitor:
            for _ in range(2 * looks):
                x = torch.randn(16, d, generator=random)
                y = x.sum(1) / math.sqrt(d) + math.sqrt(s2) * torch.randn(16, generator=random)
                (model(x)[:, 0] - y).square().mean().div(2).backward()
                monitor.finish()
                model.zero_grad()
        assert monitor.noise_scale.looks == looks
        low, high = monitor.noise_scale.interval
        covered += low <= truth <= high
    assert covered >= 90


def test_normalisation_layers_are_scaled_by_a_line_that_is_shown(monkeypatch):
    monkeypatch.setattr(gt._monitor, "CALIBRATE", 4)
    model, optimizer = make()
    whole = gt.GradientMonitor(model, optimizer, every=1, smoothing=0.9)
    monitor = gt.GradientMonitor(model, optimizer, source="norm_layers", every=1, smoothing=0.9)
    x, y = next(batches(1))
    norm2, mean2 = exact(model, x, y)
    layers = [name for name in norm2 if "ln" in name or "last" in name]
    assert len(layers) == 10
    expected = glissade.Monitor()
    expected.look(norms=sum(norm2[n] for n in layers).sqrt(), mean_norm=math.sqrt(sum(mean2[n] for n in layers)))
    train(model, optimizer, [(x, y)])
    assert monitor.figures["norm_layers_noise_scale"] == pytest.approx(expected.figures["noise_scale"], rel=1e-3)
    train(model, optimizer, batches(23, 3, 16))
    line = monitor.regression
    assert 4 <= line.points <= 6  # looks 0, 4, 8, ...
    assert line.slope == pytest.approx(float(line.x @ line.y / (line.x @ line.x)))
    assert line.interval[0] < line.slope < line.interval[1]
    scale = monitor.noise_scale
    assert scale.value == pytest.approx(line.slope * monitor.figures["norm_layers_noise_scale"])
    assert scale.value == pytest.approx(whole.noise_scale.value, rel=0.5)
    assert monitor.figures["batch_size_bound"] == pytest.approx(scale.value + 1)
    assert scale.cost < whole.noise_scale.cost


class Outside(nn.Module):
    """A weight that is used beside its layer, and a parameter of no layer."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.randn(4))

    def forward(self, x):
        return functional.linear(self.b(self.a(x).relu()) * self.scale, self.a.weight)


def test_what_is_not_known_is_left_out_of_both_sides():
    torch.manual_seed(0)
    model = Outside()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(B, 4), torch.randn(B, 4) + 4
    monitor = gt.GradientMonitor(model, optimizer, every=1)
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def one(parameters, x, y):
        return (torch.func.functional_call(model, parameters, (x[None],))[0] - y).square().mean()

    found = torch.func.vmap(torch.func.grad(one), (None, 0, 0))(parameters, x, y)
    known = torch.cat([found[n].flatten(1) for n in ("a.bias", "b.weight", "b.bias")], 1)
    expected = glissade.measure(known, "noise_scale", sample=True)["noise_scale"]["noise_scale"].value
    with pytest.warns(gt.MonitorWarning, match="a.weight.*outside of its layer"):
        (model(x) - y).square().mean().backward()
        optimizer.step()
    assert monitor.figures["noise_scale"] == pytest.approx(expected, rel=1e-4)
    assert monitor.noise_scale.covered == pytest.approx((4 + 16 + 4) / (16 + 4 + 16 + 4 + 4))


def test_passes_that_lead_nowhere_do_not_count():
    model, optimizer = make()
    ((x, y),) = batches(1)
    monitor = gt.GradientMonitor(model, optimizer)
    model(x)  # nobody asks for its gradients
    with torch.no_grad():
        model(x)
    train(model, optimizer, [(x, y)])
    other, other_optimizer = make()
    plain = gt.GradientMonitor(other, other_optimizer)
    train(other, other_optimizer, [(x, y)])
    assert monitor.figures["noise_scale"] == plain.figures["noise_scale"]
    model, optimizer = make()
    gt.GradientMonitor(model, optimizer)
    with pytest.warns(gt.MonitorWarning, match="not zero"):
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        train(model, optimizer, [(x, y)])


def test_two_forward_passes_before_one_backward_pass_are_said():
    model, optimizer = make()
    ((x, y),) = batches(1)
    monitor = gt.GradientMonitor(model, optimizer)
    with pytest.warns(gt.MonitorWarning, match="forward pass began before"):
        (loss_of(model, x, y) + loss_of(model, y, x)).backward()
        optimizer.step()
    assert math.isnan(monitor.figures["noise_scale"])


def test_suspects_have_the_indices_of_the_data():
    model, optimizer = make()
    monitor = gt.GradientMonitor(model, optimizer, examples=100, every=1, list=3)
    ((x, y),) = batches(1)
    norm2, _ = exact(model, x, y)
    total = sum(norm2.values())
    monitor.note(indices=torch.arange(B) * 10, losses=torch.arange(float(B)))
    train(model, optimizer, [(x, y)])
    found = monitor.report()["dragger"]
    assert found["suspects"].value.tolist() == (total.argsort(descending=True)[:3] * 10).tolist()
    assert found["suspect_losses"].value[0] == int(total.argmax())


def test_with_micro_batch_clipping():
    model, optimizer = make()
    monitor = gt.GradientMonitor(model, optimizer, examples=B, every=1)
    clipping = gt.MicroBatchClipping(model)
    ((x, y),) = batches(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", gt.MonitorWarning)
        losses = functional.cross_entropy(model(x).transpose(1, 2), y, reduction="none").mean(1)
        report = clipping.backward(losses)
        monitor.take(report, indices=torch.arange(B))
        optimizer.step()
    assert monitor.figures["clip_frequency"] == pytest.approx((B - 1) / B)
    assert monitor.report()["dragger"]["suspects"].value[0] == int(report.norms.argmax())


@pytest.mark.parametrize("source", ["examples", "norm_layers", "microbatches"])
def test_a_resumed_loop_equals_the_undisturbed_one(source, tmp_path):
    options = {"source": source, "examples": 500, "every": 2, "smoothness": source != "norm_layers"}

    def run(folder, model, optimizer, data, state=None, end=True):
        monitor = gt.GradientMonitor(model, optimizer, folder=folder, **options)
        if state:
            monitor.load_state_dict(state)
        train(model, optimizer, data, accumulate=2)
        saved = monitor.state_dict()
        if end:
            monitor.close()
        return monitor, saved

    data = list(batches(16, 2))
    model, optimizer = make()
    whole, _ = run(tmp_path / "whole", model, optimizer, data)
    model, optimizer = make()
    _, state = run(tmp_path / "parts", model, optimizer, data[:9], end=False)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "monitor": state}, tmp_path / "saved")
    train(model, optimizer, data[9:12], accumulate=2)  # what the killed run did after its checkpoint
    saved = torch.load(tmp_path / "saved", weights_only=False)
    model, optimizer = make(7)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    resumed, _ = run(tmp_path / "parts", model, optimizer, data[9:], saved["monitor"])
    assert repr(whole.figures) == repr(resumed.figures)
    for name, array in whole.monitor.state_dict().items():
        np.testing.assert_array_equal(resumed.monitor.state_dict()[name], array, err_msg=name)

    def lines(folder):
        text = (tmp_path / folder / "metrics.jsonl").read_text()
        return [{**json.loads(line), "time": 0} for line in text.splitlines()]

    assert lines("whole") == lines("parts")
    with pytest.raises(glissade.BadInputError, match="figures of another run"):
        model, optimizer = make()
        run(tmp_path / "whole", model, optimizer, data[:1])


def test_the_command_reports_its_folder(tmp_path):
    command = os.environ.get("GLISSADE") or shutil.which("glissade")
    if not command:
        pytest.skip("the command glissade is not there (GLISSADE names it)")
    model, optimizer = make()
    with gt.GradientMonitor(model, optimizer, source="norm_layers", examples=500, every=1, folder=tmp_path / "a") as m:
        train(model, optimizer, batches(20))
    run = glissade.Run(tmp_path / "a")
    assert run.metrics["noise_scale"].value[-1] == pytest.approx(m.noise_scale.value)
    found = subprocess.run(
        [command, "report", tmp_path / "a", "--out", tmp_path / "page.html"], capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    page = (tmp_path / "page.html").read_text()
    assert "norm_layers" in page and "batch_size_bound" in page


class Writer:
    def __init__(self):
        self.seen = {}

    def add_scalar(self, name, value, step):
        self.seen.setdefault(name, []).append((step, value))

    def flush(self):
        self.flushed = True


def test_tensorboard():
    model, optimizer = make()
    writer = Writer()
    with gt.GradientMonitor(model, optimizer, every=2, tensorboard=writer) as monitor:
        train(model, optimizer, batches(6))
    steps, values = zip(*writer.seen["gradients/noise_scale"], strict=True)
    assert steps == (1, 3, 5) and values[-1] == monitor.noise_scale.value and writer.flushed
    with pytest.raises(glissade.BadInputError, match="folder"):
        gt.GradientMonitor(model, tensorboard=True)
    with pytest.raises(glissade.BadInputError, match="expected one of"):
        gt.GradientMonitor(model, source="layers")


def test_half_precision_and_a_scaler():
    """Under autocast in bfloat16, and with losses scaled as a GradScaler scales them."""

    class Scaler:
        def get_scale(self):
            return 1024.0

    model, optimizer = make()
    ((x, y),) = batches(1)
    norm2, _ = exact(model, x, y)
    monitor = gt.GradientMonitor(model, optimizer, scaler=Scaler(), clips=False)
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(model, x, y)
    (1024 * loss).backward()
    optimizer.step()
    moment = monitor.report()["gradient_diversity"]["second_moment"].value
    assert monitor.noise_scale.covered > 0.99
    assert moment == pytest.approx(float(sum(norm2.values()).mean()), rel=0.05)


RANKS = """
import sys, torch, glissade, glissade.torch as gt, numpy as np
from torch.nn.parallel import DistributedDataParallel
sys.path.insert(0, sys.argv[3])
from ranks import meet, part


def compare(rank):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3))
    wrapped = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    monitor = gt.GradientMonitor(wrapped, optimizer, source="ranks", every=1)
    wrapped.register_comm_hook(None, monitor.communication_hook())
    expected = glissade.Monitor(sum(p.numel() for p in model.parameters()))
    for step in range(6):
        x = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(step))
        own = [torch.autograd.grad(model(x[r]).square().mean(), model.parameters()) for r in range(2)]
        expected.look(gradients=np.stack([np.concatenate([t.flatten().numpy() for t in g]) for g in own]), group=4)
        wrapped(x[rank]).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    a, b = monitor.figures, expected.figures
    for name in ("noise_scale", "noise_scale_high", "norm_test"):
        assert abs(a[name] - b[name]) <= 1e-3 * abs(b[name]), (name, a[name], b[name])
    assert a["looks"] == 6


meet(int(sys.argv[1]), 2, sys.argv[2])
compare(int(sys.argv[1]))
part()
"""


def test_ranks(tmp_path):
    pytest.importorskip("torch.distributed")
    tests = str(Path(__file__).parent)
    (tmp_path / "monitored.py").write_text(RANKS)
    args = [[str(tmp_path / "monitored.py"), str(rank), str(tmp_path / "meeting"), tests] for rank in range(2)]
    started = [subprocess.Popen([sys.executable, *given], stderr=subprocess.PIPE, text=True) for given in args]
    for process in started:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
