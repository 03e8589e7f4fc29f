"""Micro-batches one after another, against the same by hand, and in the Trainer of transformers."""

from __future__ import annotations

import math

import pytest

import glissade

torch = pytest.importorskip("torch")
gt = pytest.importorskip("glissade.torch")


def parts(groups=5, spoil=None):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(groups, 4, 6, generator=generator, dtype=torch.float64)
    y = (
        torch.randn(groups, 4, 2, generator=generator, dtype=torch.float64)
        * (10.0 ** torch.arange(groups))[:, None, None]
    )
    if spoil is not None:
        y[1] = spoil
    return list(zip(x, y, strict=True))


def model():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)).double()


def explicit(given):
    found = []
    for x, y in given:
        module = model()
        (module(x) - y).square().mean().backward()
        found.append(torch.cat([p.grad.flatten() for p in module.parameters()]))
    return found


def accumulated(given, **options):
    module = model()
    accumulation = gt.MicroBatchAccumulation(module.parameters(), **options)
    for x, y in given:
        (module(x) - y).square().mean().backward()
        accumulation.add()
    report = accumulation.finish()
    return torch.cat([p.grad.flatten() for p in module.parameters()]), report


@pytest.mark.parametrize("options", [{}, {"reduce": "sum"}, {"bound": 30.0}], ids=str)
def test_against_the_same_by_hand(options):
    own = explicit(parts())
    norms = torch.stack([g.norm() for g in own])
    bound = options.get("bound", float(norms.min()))
    factors = (bound / norms).clamp(max=1)
    wanted = sum(g * f for g, f in zip(own, factors, strict=True)) / (1 if "reduce" in options else len(own))
    got, report = accumulated(parts(), **options)
    assert torch.allclose(got, wanted, rtol=1e-12, atol=0)
    assert torch.allclose(report.norms, norms, rtol=1e-12) and torch.allclose(report.factors, factors, rtol=1e-12)
    assert report.bound == pytest.approx(bound) and report.groups == 5
    assert report.clipped_share == pytest.approx(float((norms > bound).double().mean()))


def test_agrees_with_one_backward_pass():
    module, given = model(), parts()
    clipping = gt.MicroBatchClipping(module, microbatch=4)
    x, y = (torch.cat(t) for t in zip(*given, strict=True))
    clipping.backward((module(x) - y).square().mean(1))
    wanted = torch.cat([p.grad.flatten() for p in module.parameters()])
    assert torch.allclose(accumulated(given)[0], wanted, rtol=1e-10)


def test_what_is_not_finite():
    given = parts(spoil=math.nan)
    got, report = accumulated(given)
    assert torch.isnan(got).all() and report.nonfinite_groups == 1 and math.isnan(float(report.factors[1]))
    got, report = accumulated(given, nonfinite="skip_group")
    wanted, _ = accumulated([part for i, part in enumerate(given) if i != 1])
    assert torch.allclose(got, wanted, rtol=1e-12) and float(report.factors[1]) == 0
    with pytest.raises(glissade.NonfiniteError, match="1 of 5 micro-batches"):
        accumulated(given, nonfinite="stop")


def test_zero_gradients_and_parameters_without_one():
    module = torch.nn.ModuleList([torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)])
    accumulation = gt.MicroBatchAccumulation(module.parameters())
    x = torch.ones(3, 2)
    for scale, layer in ((1.0, 0), (0.0, 0), (2.0, 1)):
        (scale * module[layer](x).sum()).backward()
        accumulation.add()
    report = accumulation.finish()
    assert report.zero_groups == 1 and report.bound == pytest.approx(float(report.norms[0]))
    for layer in module:
        assert torch.allclose(layer.weight.grad, torch.full((1, 2), 1.0)) and torch.allclose(
            layer.bias.grad, torch.ones(1)
        )
    with pytest.raises(glissade.BadInputError, match="no micro-batch was added"):
        accumulation.finish()
    for options, word in (({"bound": 0}, "bound"), ({"reduce": "no"}, "reduce"), ({"nonfinite": "no"}, "nonfinite")):
        with pytest.raises(glissade.BadInputError, match=word):
            gt.MicroBatchAccumulation(module.parameters(), **options)


# ---- the Trainer ----


class Rows(torch.utils.data.Dataset):
    def __init__(self, n, source):
        generator = torch.Generator().manual_seed(7)
        self.tokens = torch.randint(3, 40, (n, 9), generator=generator)
        self.source = source

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, i):
        tokens = self.tokens[i]
        return {"input_ids": tokens, "labels": tokens[:5] if self.source else tokens}


def language_model(kind, transformers):
    torch.manual_seed(2)
    if kind == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=40, n_positions=16, n_embd=16, n_layer=2, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
        )
        return transformers.GPT2LMHeadModel(config)
    config = transformers.T5Config(
        vocab_size=40, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, dropout_rate=0, decoder_start_token_id=0
    )
    return transformers.T5ForConditionalGeneration(config)


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
@pytest.mark.parametrize("microbatch", [0, 2])
def test_the_trainer_clips_accumulated_micro_batches(kind, microbatch, tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    gh = pytest.importorskip("glissade.transformers")

    class Clipping(gh.MicroBatchClippingMixin, transformers.Trainer):
        pass

    data, seen = Rows(24, kind == "t5"), []
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        per_device_train_batch_size=4,
        gradient_accumulation_steps=3,
        max_steps=2,
        learning_rate=0.5,
        optim="sgd",
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        seed=3,
        disable_tqdm=True,
    )

    def collate(rows):
        batch = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
        seen.append(batch)
        return batch

    module, twin = language_model(kind, transformers), language_model(kind, transformers)
    trainer = Clipping(module, arguments, train_dataset=data, data_collator=collate, microbatch=microbatch)
    trainer.train()
    for step in range(2):
        gradients = []
        for batch in seen[3 * step : 3 * step + 3]:
            for begin in range(0, 4, microbatch or 4):
                twin.zero_grad()
                twin(**{name: t[begin : begin + (microbatch or 4)] for name, t in batch.items()}).loss.backward()
                gradients.append([p.grad.clone() for p in twin.parameters()])
        norms = [math.sqrt(sum(float(g.double().square().sum()) for g in group)) for group in gradients]
        with torch.no_grad():
            for i, p in enumerate(twin.parameters()):
                mean = sum(g[i] * (min(norms) / norm) for g, norm in zip(gradients, norms, strict=True)) / len(norms)
                p -= 0.5 * mean
    for p, wanted in zip(module.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(p, wanted, rtol=1e-4, atol=1e-6)
    assert trainer.clipping_report.bound == pytest.approx(min(norms), rel=1e-4)
    assert trainer.clipping_report.groups == 3 * (4 // (microbatch or 4))
    logs = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert logs[-1]["clip_bound"] == pytest.approx(min(norms), rel=1e-4) and 0 < logs[-1]["clip_share"] < 1
