"""Exchanges between ranks over gloo, against explicit computation from each rank's gradient."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

import glissade

torch = pytest.importorskip("torch")
gt = pytest.importorskip("glissade.torch")
if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
    pytest.skip("this PyTorch has no gloo", allow_module_level=True)
sys.path.insert(0, str(Path(__file__).parent))
import ranks as script  # noqa: E402

RANKS = script.RANKS


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What each rank's process has found."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, script.__file__]
    jobs = [subprocess.Popen([*command, str(rank), str(RANKS), str(folder)]) for rank in range(RANKS)]
    assert [job.wait(timeout=240) for job in jobs] == [0] * RANKS
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(RANKS)]


def gradients(step):
    """Each rank's own gradient, by a pass without an exchange."""
    found = []
    for rank in range(RANKS):
        module = script.model()
        script.loss(module, rank, step).backward()
        found.append(script.gradient(module).double())
    return found


@pytest.mark.parametrize("name", script.CLIPPING)
def test_a_rank_is_a_micro_batch(outcomes, name):
    options = script.CLIPPING[name]
    for step in range(2):
        own = gradients(step)
        norms = [float(g.norm()) for g in own]
        bound = options.get("bound", min(norms))
        wanted = sum(g * min(1, bound / norm) for g, norm in zip(own, norms, strict=True))
        if options.get("reduce") != "sum":
            wanted /= RANKS
        for rank, found in enumerate(outcomes):
            got, report = found[name][step]
            assert torch.allclose(got.double(), wanted, rtol=1e-5, atol=1e-6 * float(wanted.abs().max()))
            assert report.norm == pytest.approx(norms[rank], rel=1e-5)
            assert report.bound == pytest.approx(bound, rel=1e-5) and report.nonfinite_ranks == 0
            assert report.factor == pytest.approx(min(1, bound / norms[rank]), rel=1e-5)
    assert max(norms) > 5 * min(norms)


def test_a_rank_without_a_gradient_neither_counts_for_the_bound_nor_hides_another(outcomes):
    own = gradients(0)
    bound = min(float(own[0].norm()), float(own[2].norm()))
    wanted = sum(own[rank] * (bound / own[rank].norm()) for rank in (0, 2)) / RANKS
    for found in outcomes:
        got, report = found["zero"][0]
        assert torch.allclose(got.double(), wanted, rtol=1e-5, atol=1e-7) and report.bound == pytest.approx(bound)


def test_a_gradient_that_is_not_finite(outcomes):
    own = gradients(0)
    bound = min(float(own[0].norm()), float(own[2].norm()))
    wanted = sum(own[rank] * (bound / own[rank].norm()) for rank in (0, 2)) / 2
    for rank, found in enumerate(outcomes):
        got, report = found["nan skip_step"][0]
        assert torch.isnan(got).all() and report.nonfinite_ranks == 1
        got, report = found["nan skip_group"][0]
        assert torch.allclose(got.double(), wanted, rtol=1e-5, atol=1e-7) and report.nonfinite_ranks == 1
        assert math.isnan(report.norm) == (rank == 1)
        assert "1 of 3 ranks" in found["nan stop"]


def test_accumulated_gradients_are_one_micro_batch(outcomes):
    own = [(a + b) / 2 for a, b in zip(gradients(0), gradients(1), strict=True)]
    bound = min(float(g.norm()) for g in own)
    wanted = sum(g * (bound / g.norm()) for g in own) / RANKS
    for found in outcomes:
        assert torch.allclose(found["accumulated"].double(), wanted, rtol=1e-5, atol=1e-7)


def explicit(v, levels, block, key):
    """The formula, coordinate by coordinate."""
    from glissade.torch._packing import generator

    out, width = torch.zeros_like(v), block if 0 < block < len(v) else len(v)
    rows = -(-len(v) // width)
    draws = torch.rand(rows, width, generator=generator(key, v.device)).flatten()
    for begin in range(0, len(v), width):
        part = v[begin : begin + width]
        norm = float(part.norm())
        for i, x in enumerate(part.tolist()):
            at = levels * abs(x) / norm
            low = math.floor(at)
            k = low + (float(draws[begin + i]) < at - low)
            out[begin + i] = math.copysign(norm * k / levels, x)
    return out


@pytest.mark.parametrize(("levels", "block"), [(1, 0), (5, 64), (100, 7)])
def test_quantised_gradients_are_the_mean_of_what_ranks_draw(outcomes, levels, block):
    sizes = [p.numel() for p in script.model().parameters()]
    for step in (0, 3):
        wanted = torch.zeros(sum(sizes))
        for rank, g in enumerate(gradients(step)):
            parts = enumerate(g.float().split(sizes))
            wanted += torch.cat([explicit(v, levels, block, (9, step, rank, i)) for i, v in parts]) / RANKS
        for found in outcomes:
            got = found[f"quant {levels} {block}"][step]
            # A draw on the edge of its probability may fall on the other side by a rounding.
            close = torch.isclose(got, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))
            assert int((~close).sum()) <= 1
    for found in outcomes:
        resumed = found[f"resumed {levels} {block}"]
        assert all(torch.equal(a, b) for a, b in zip(found[f"quant {levels} {block}"][2:], resumed, strict=True))


@pytest.mark.parametrize("levels", [1, 3, 100])
def test_quantisation_is_unbiased_and_has_the_stated_variance(levels):
    from glissade.torch import _packing

    v = torch.randn(50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    draws, form = 4000, _packing.Form(levels, 0, (50,))
    total, spread = torch.zeros_like(v), 0.0
    for k in range(draws):
        once = torch.zeros_like(v)
        message = form.encode(v, [_packing.generator((3, k), v.device)])
        assert len(message) == 8 + math.ceil(50 * form.bits / 8)
        form.add(message, once, 1.0)
        total += once
        spread += float((once - v).square().sum())
    at = levels * v.abs() / v.norm()
    variance = (v.norm() / levels) ** 2 * (at - at.floor()) * (1 - (at - at.floor()))
    assert ((total / draws - v).abs() <= 5 * (variance / draws).sqrt() + 1e-12).all()
    assert spread / draws == pytest.approx(float(variance.sum()), rel=0.05)
    assert float(variance.sum()) <= min(50 / levels**2, math.sqrt(50) / levels) * float(v.norm()) ** 2


def test_blocks_zeros_and_what_is_not_finite():
    from glissade.torch import _packing

    v = torch.tensor([1.0, -2.0, 0.0, 0.0, math.nan, 1.0, math.inf])
    form = _packing.Form(1, 2, (7, 0))
    out = torch.zeros(7)
    form.add(form.encode(v, [_packing.generator((1,), v.device)] * 2), out, 1.0)
    norm = math.sqrt(5)
    assert torch.isin(out[:2], torch.tensor([0.0, norm, -norm])).all()
    assert out[2] == out[3] == 0 and not torch.isfinite(out[4:]).any()


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_packing(bits):
    from glissade.torch import _packing

    codes = torch.randint(0, 2**bits, (37,), dtype=torch.uint8)
    packed = _packing.pack(codes, bits)
    assert len(packed) == math.ceil(37 * bits / 8) and torch.equal(_packing.unpack(packed, bits, 37), codes)


def test_mistakes():
    for make, word in [
        (lambda: gt.MicroBatchExchange(bound=0), "bound"),
        (lambda: gt.MicroBatchExchange(reduce="max"), "expected mean or sum"),
        (lambda: gt.MicroBatchExchange(nonfinite="go"), "skip_step"),
        (lambda: gt.QuantizedExchange(levels=0), "levels"),
        (lambda: gt.QuantizedExchange(seed=-1), "seed"),
        (lambda: gt.QuantizedExchange().load_state_dict({"seed": 1}), "expected"),
        (lambda: gt.QuantizedExchange().load_state_dict(gt.QuantizedExchange(levels=2).state_dict()), "levels"),
    ]:
        with pytest.raises(glissade.BadInputError, match=word):
            make()
