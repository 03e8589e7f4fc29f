"""Micro-batch clipping against explicit gradients of single examples by torch.func."""

from __future__ import annotations

import math
import warnings

import pytest

import glissade

torch = pytest.importorskip("torch")
gt = pytest.importorskip("glissade.torch")
from layer_cases import CASES, UNKNOWN, B  # noqa: E402 - it needs torch

nn, functional = torch.nn, torch.nn.functional


def losses_of(output):
    """Of each example, a function of its own output alone."""
    flat = output.flatten(1)
    return (flat.sin() * torch.linspace(0.5, 1.5, flat.shape[1], dtype=flat.dtype)).sum(1)


def explicit(model, x):
    """[examples, parameters] by torch.func, one example after the other."""
    names = dict(model.named_parameters())

    def loss(parameters, row):
        return losses_of(torch.func.functional_call(model, parameters, (row[None],), tie_weights=True))[0]

    plain = {name: p.detach() for name, p in names.items()}
    rows = []
    for row in x:
        g = torch.func.grad(loss)(plain, row)
        rows.append(torch.cat([g[name].flatten() for name in names]))
    return torch.stack(rows)


def clipped(each, of, bound, reduce):
    groups = sorted(set(of))
    means = torch.stack([each[[i for i, g in enumerate(of) if g == j]].mean(0) for j in groups])
    sizes = torch.tensor([of.count(j) for j in groups], dtype=each.dtype)
    norms = means.norm(dim=1)
    at = norms.min() if bound is None else bound
    factors = (at / norms).clamp(max=1)
    share = sizes / len(of) if reduce == "mean" else torch.ones_like(sizes)
    return (share * factors) @ means, norms


def gradient(model):
    return torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(7)
    yield
    torch.set_default_dtype(torch.float32)


def make(name):
    model, x = {**CASES, **UNKNOWN}[name]
    model = model()
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_(), m.running_var.uniform_(0.5, 2)
    return model, x()


def check(model, x, each, microbatch, bound=None, reduce="mean", keys=None, tolerance=1e-10):
    of = [i // (microbatch or B) for i in range(B)] if keys is None else keys.tolist()
    wanted, norms = clipped(each, of, bound, reduce)
    with gt.MicroBatchClipping(model, microbatch, bound=bound, reduce=reduce) as clipping:
        model.zero_grad()
        report = clipping.backward(losses_of(model(x)), keys=keys)
    assert torch.allclose(report.norms.to(norms.dtype), norms, rtol=tolerance, atol=tolerance / 100)
    assert torch.allclose(gradient(model), wanted, rtol=tolerance, atol=tolerance / 10)
    assert report.groups == len(norms)
    return report


@pytest.mark.parametrize("name", CASES)
def test_known_layers(name):
    model, x = make(name)
    each = explicit(model, x)
    keys = torch.arange(B) * 5 % 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for microbatch in (1, 3, 8, B, 0):
            check(model, x, each, microbatch)
        median = float(each.norm(dim=1).median())
        assert 0 < check(model, x, each, 1, bound=median).clipped_share < 1
        check(model, x, each, 3, bound=median / 2, reduce="sum")
        check(model, x, each, 1, keys=keys)


@pytest.mark.parametrize("name", ["conv", "conv grouped dilated", "conv1d", "group norm", "lstm", "lstm of several"])
def test_single_precision(name):
    """In which PyTorch has other operations."""
    torch.set_default_dtype(torch.float32)
    model, x = make(name)
    each = explicit(model, x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for microbatch in (1, 3, 8):
            check(model, x, each, microbatch, tolerance=1e-4)


@pytest.mark.parametrize("name", UNKNOWN)
def test_other_layers_are_done_micro_batch_by_micro_batch_and_named_once(name):
    model, x = make(name)
    each = explicit(model, x)
    with gt.MicroBatchClipping(model, 3) as clipping:
        with pytest.warns(gt.FallbackWarning, match="micro-batch by micro-batch"):
            clipping.backward(losses_of(model(x)))
        model.zero_grad()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            clipping.backward(losses_of(model(x)))
    wanted, _ = clipped(each, [i // 3 for i in range(B)], None, "mean")
    assert torch.allclose(gradient(model), wanted, rtol=1e-10, atol=1e-11)


def test_large_intermediate_results_are_made_in_parts(monkeypatch):
    from glissade.torch import _factors

    monkeypatch.setattr(_factors, "ROOM", 40)
    for name in ("linear of sequences", "conv", "conv grouped dilated"):
        model, x = make(name)
        check(model, x, explicit(model, x), 3)


def test_group_gradients_are_kept_where_they_take_no_more_memory():
    from glissade.torch import _factors, _groups

    left, right = torch.randn(12, 20, 3), torch.randn(12, 20, 5)
    for size in (1, 4, 5):
        groups = _groups.consecutive(12, size, left.device)
        for factor in (_factors.Products(left, right), _factors.Products(right, left, transposed=True)):
            norm2, kept = factor.measured(groups)
            assert isinstance(kept, _factors.Grouped)
            assert torch.allclose(norm2, factor.norm2(groups), rtol=1e-12)
            weights = torch.rand(groups.count)[groups.of]
            wanted = torch.einsum("b,bnp,bnq->pq", weights, left, right)
            assert torch.allclose(kept.weighted(weights), wanted, rtol=1e-12, atol=1e-13)
            weights[0:size] = 0
            kept.each[0] = math.nan
            assert torch.isfinite(kept.weighted(weights)).all()
    narrow = _factors.Products(left[:, :1], right[:, :1])
    assert narrow.measured(_groups.consecutive(12, 1, left.device))[1] is narrow


def test_layers_that_draw_at_random_are_not_run_again():
    model = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
    with gt.MicroBatchClipping(model, 3) as clipping, pytest.warns(gt.FallbackWarning, match="in_proj_weight"):
        clipping.backward(losses_of(model(torch.randn(B, 5, 8))))


def test_gradients_are_added_and_frozen_parameters_left_alone():
    model, x = make("linear")
    model[0].weight.requires_grad_(False)
    with gt.MicroBatchClipping(model, 1) as clipping:
        clipping.backward(losses_of(model(x)))
        once = model[2].weight.grad.clone()
        clipping.backward(losses_of(model(x)))
    assert torch.allclose(model[2].weight.grad, 2 * once) and model[0].weight.grad is None


@pytest.mark.parametrize("policy", ["skip_step", "skip_group", "stop"])
def test_micro_batches_that_are_not_finite(policy):
    model, x = make("linear")
    each = explicit(model, x)
    x = x.clone()
    x[4, 2] = math.nan
    with gt.MicroBatchClipping(model, 1, nonfinite=policy) as clipping:
        losses = losses_of(model(x))
        if policy == "stop":
            with pytest.raises(glissade.NonfiniteError, match="1 of 11"):
                clipping.backward(losses)
            return
        report = clipping.backward(losses)
    assert report.nonfinite_groups == 1
    if policy == "skip_step":
        assert not torch.isfinite(gradient(model)).all()
        optimizer = gt.SNGM(model.parameters())
        with pytest.warns(gt.StepRefusedWarning):
            optimizer.step()
        return
    rest = torch.cat([each[:4], each[5:]])
    wanted, _ = clipped(rest, list(range(B - 1)), None, "mean")
    assert torch.allclose(gradient(model), wanted, rtol=1e-10, atol=1e-12)


def test_a_parameter_that_the_losses_use_too():
    """As a decay in them: its gradient is then not that of its layer alone."""
    model, x = make("linear")
    weight = model[0].weight
    with gt.MicroBatchClipping(model, 1, bound=0.5) as clipping:
        clipping.backward(losses_of(model(x)))
        model.zero_grad()
        with pytest.warns(gt.FallbackWarning, match=r"of 0\.weight are"):
            clipping.backward(losses_of(model(x)) + 0.3 * weight.square().sum())
    found = gradient(model)
    each = explicit(model, x)
    each[:, : weight.numel()] += 0.6 * weight.detach().flatten()
    wanted, _ = clipped(each, list(range(B)), 0.5, "mean")
    assert torch.allclose(found, wanted, rtol=1e-10, atol=1e-12)


def test_losses_of_a_pass_before_the_latest_one():
    model, x = make("linear")
    wanted, norms = clipped(explicit(model, x), [i // 3 for i in range(B)], None, "mean")
    with gt.MicroBatchClipping(model, 3) as clipping:
        losses = losses_of(model(x))
        model(torch.randn(B, 6))
        with pytest.warns(gt.FallbackWarning):
            report = clipping.backward(losses)
    assert torch.allclose(report.norms, norms, rtol=1e-10)
    assert torch.allclose(gradient(model), wanted, rtol=1e-10, atol=1e-11)


def test_a_pass_without_gradients_in_between_changes_nothing():
    model, x = make("linear")
    wanted, _ = clipped(explicit(model, x), [i // 3 for i in range(B)], None, "mean")
    with gt.MicroBatchClipping(model, 3) as clipping, warnings.catch_warnings():
        warnings.simplefilter("error")
        losses = losses_of(model(x))
        with torch.no_grad():
            model(torch.randn(B, 6))
        clipping.backward(losses)
    assert torch.allclose(gradient(model), wanted, rtol=1e-10, atol=1e-11)


def test_losses_of_two_passes():
    """The latest pass alone would be counted once, and the parameters are used twice."""
    model, x = make("linear")
    wanted, _ = clipped(2 * explicit(model, x), [i // 3 for i in range(B)], None, "mean")
    with gt.MicroBatchClipping(model, 3) as clipping, pytest.warns(gt.FallbackWarning):
        clipping.backward(losses_of(model(x)) + losses_of(model(x)))
    assert torch.allclose(gradient(model), wanted, rtol=1e-10, atol=1e-11)


def test_one_micro_batch_is_the_plain_gradient_scaled():
    model, x = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), torch.randn(B, 3)
    losses_of(model(x)).mean().backward()
    plain = gradient(model)
    with gt.MicroBatchClipping(model, 0) as clipping:
        model.zero_grad()
        assert clipping.backward(losses_of(model(x))).clipped_share == 0
        assert torch.allclose(gradient(model), plain, rtol=1e-12, atol=1e-14)
        clipping.bound = float(plain.norm()) / 2
        model.zero_grad()
        report = clipping.backward(losses_of(model(x)))
    assert torch.allclose(gradient(model), plain / 2, rtol=1e-12, atol=1e-14)
    assert report.norms.item() == pytest.approx(plain.norm().item())


def test_clipped_by_example():
    model, x = make("linear")
    wanted, _ = clipped(explicit(model, x), list(range(B)), 0.5, "sum")
    with gt.clip_per_example(model, 0.5, reduce="sum") as clipping:
        clipping.backward(losses_of(model(x)))
    assert torch.allclose(gradient(model), wanted, rtol=1e-10, atol=1e-12)


def test_zero_gradients():
    model, x = make("linear")
    with gt.MicroBatchClipping(model, 1) as clipping:
        weights = (torch.arange(B) != 2).double()
        report = clipping.backward(losses_of(model(x)) * weights)
    assert report.zero_groups == 1 and report.factors[2] == 0 and report.bound > 0


def test_it_is_the_librarys_estimator():
    model, x = make("conv")
    each = explicit(model, x)
    found = glissade.estimate(each, "microbatch", microbatch=3)
    check(model, x, each, 3)
    assert torch.allclose(gradient(model), torch.from_numpy(found.g), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["conv", "norms", "embedding", "encoder"])
def test_under_autocast(name):
    """In bfloat16 where PyTorch chooses it: the norms are those in single precision but for its rounding."""
    torch.set_default_dtype(torch.float32)
    model, x = make(name)
    found = []
    for enabled in (False, True):
        model.zero_grad()
        with gt.MicroBatchClipping(model, 3) as clipping, warnings.catch_warnings():
            warnings.simplefilter("error", gt.FallbackWarning)
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                losses = losses_of(model(x).float())
                found.append((clipping.backward(losses).norms, gradient(model)))
    assert torch.allclose(found[0][0], found[1][0], rtol=0.05)
    off = (found[0][1] - found[1][1]).norm() / found[0][1].norm()
    assert 0 < off < 0.05


def test_what_is_refused():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    x = torch.randn(B, 3)
    with gt.MicroBatchClipping(model, 4) as clipping:
        with pytest.raises(glissade.UnsupportedError, match="batch norm"):
            clipping.backward(losses_of(model(x)))
        with pytest.raises(glissade.BadInputError, match="one for each example"):
            clipping.backward(losses_of(model(x)).mean())
        with pytest.raises(glissade.BadInputError, match="keys"):
            clipping.backward(losses_of(model.eval()(x)), keys=torch.zeros(3))
        for keys in ([0] * B, torch.zeros(B, dtype=torch.int64).numpy()):
            with pytest.raises(glissade.BadInputError, match="expected a tensor of integers"):
                clipping.backward(losses_of(model(x)), keys=keys)
    for options in ({"microbatch": -1}, {"microbatch": 1.5}, {"bound": 0.0}, {"reduce": "max"}, {"nonfinite": "skip"}):
        with pytest.raises(glissade.BadInputError):
            gt.MicroBatchClipping(model, **options)


def test_an_input_that_is_changed_in_place_is_refused():
    model, x = make("linear")
    with gt.MicroBatchClipping(model, 1) as clipping:
        losses = losses_of(model(x))
        x.add_(1)
        with pytest.raises(glissade.UnsupportedError, match="in place"):
            clipping.backward(losses)


def of_transformers(kind, transformers):
    """A model, and its losses [examples] of rows of tokens."""
    small = {"vocab_size": 50, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2}
    if kind == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=50, n_positions=16, n_embd=12, n_layer=2, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
        )
        model = transformers.GPT2LMHeadModel(config)
    elif kind == "llama":
        model = transformers.LlamaForCausalLM(
            transformers.LlamaConfig(intermediate_size=20, num_key_value_heads=1, **small)
        )
    elif kind == "bert":
        config = transformers.BertConfig(
            intermediate_size=20, hidden_dropout_prob=0, attention_probs_dropout_prob=0, **small
        )
        model = transformers.BertForMaskedLM(config)
    else:
        config = transformers.T5Config(
            vocab_size=50, d_model=12, d_kv=6, d_ff=20, num_layers=2, num_heads=2, dropout_rate=0,
            decoder_start_token_id=0,
        )  # fmt: skip
        model = transformers.T5ForConditionalGeneration(config)

    def losses(batch):
        logits = model(input_ids=batch, labels=batch).logits if kind == "t5" else model(batch).logits
        return functional.cross_entropy(logits.transpose(1, 2), batch.roll(1, 1), reduction="none").mean(1)

    return model, losses


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert", "t5"])
def test_models_of_transformers(kind):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(3)
    model, losses = of_transformers(kind, transformers)
    tokens = torch.randint(0, 50, (5, 7))
    means = []
    for begin in (0, 2, 4):
        model.zero_grad()
        losses(tokens[begin : begin + 2]).mean().backward()
        means.append(gradient(model))
    means = torch.stack(means)
    norms = means.norm(dim=1)
    wanted = (torch.tensor([2.0, 2.0, 1.0]) / 5 * norms.min() / norms) @ means
    model.zero_grad()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with gt.MicroBatchClipping(model, 2) as clipping:
            report = clipping.backward(losses(tokens))
    fallbacks = [str(w.message) for w in said if w.category is gt.FallbackWarning]
    # The bias by relative position is the same for all examples: it has no gradient of one example at hand.
    assert len(fallbacks) == (kind == "t5") and all("relative_attention_bias" in text for text in fallbacks)
    # Its norms compute in single precision, whatever the model's is.
    tolerance = 1e-6 if kind in ("t5", "llama") else 1e-9
    assert torch.allclose(report.norms, norms, rtol=tolerance)
    assert torch.allclose(gradient(model), wanted, rtol=tolerance, atol=tolerance * float(wanted.abs().max()))
