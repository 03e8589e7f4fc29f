"""The monitor in the Trainer of transformers."""

from __future__ import annotations

import math

import pytest

import glissade

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")
gh = pytest.importorskip("glissade.transformers")
gt = pytest.importorskip("glissade.torch")
if not hasattr(gt, "GradientMonitor"):
    pytest.skip("this build of glissade.torch has no GradientMonitor", allow_module_level=True)


class Rows(torch.utils.data.Dataset):
    def __init__(self):
        self.tokens = torch.randint(0, 4, (64, 8), generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, i):
        return {"input_ids": self.tokens[i], "labels": self.tokens[i]}


def trained(folder, callback, steps, resume=False, save=0):
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=30, n_positions=8, n_embd=16, n_layer=1, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
    )
    arguments = transformers.TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=4, gradient_accumulation_steps=4, max_steps=steps,
        logging_steps=1, report_to=[], save_strategy="steps" if save else "no", save_steps=save or 500, use_cpu=True,
        seed=3, disable_tqdm=True, lr_scheduler_type="constant", learning_rate=1e-3,
    )  # fmt: skip
    trainer = transformers.Trainer(
        transformers.GPT2LMHeadModel(config), arguments, train_dataset=Rows(), callbacks=[callback] if callback else []
    )
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


@pytest.mark.parametrize("source", ["microbatches", "examples"])
def test_the_monitor_watches_and_changes_nothing(source, tmp_path):
    callback = gh.GradientMonitorCallback(source=source, every=1, folder=tmp_path / "run")
    trainer = trained(tmp_path / "a", callback, 5)
    scale = callback.monitor.noise_scale
    assert scale.looks == 5 and math.isfinite(scale.value) and scale.source == source
    logged = [entry["noise_scale"] for entry in trainer.state.log_history if "noise_scale" in entry]
    assert len(logged) >= 4 and logged[-1] == pytest.approx(scale.value, nan_ok=True)
    assert (tmp_path / "run" / "metrics.jsonl").is_file()
    assert torch.equal(weights(trainer), weights(trained(tmp_path / "b", None, 5)))


def loads_optimizers():
    """transformers loads a Trainer's optimizer by torch.load, which it refuses under PyTorch before 2.6."""
    try:
        getattr(transformers.utils.import_utils, "check_torch_load_is_safe", lambda: None)()
    except ValueError:
        return False
    return True


@pytest.mark.skipif(not loads_optimizers(), reason="this transformers loads no checkpoint under this PyTorch")
def test_it_goes_on_from_a_checkpoint(tmp_path):
    whole, first, second = (gh.GradientMonitorCallback(source="microbatches", every=1) for _ in range(3))
    trained(tmp_path / "a", whole, 6)
    trained(tmp_path / "b", first, 3, save=3)
    trained(tmp_path / "b", second, 6, resume=True, save=3)
    assert second.monitor.noise_scale.looks == 6
    assert second.monitor.figures == pytest.approx(whole.monitor.figures, nan_ok=True)


def test_what_is_the_trainers():
    with pytest.raises(glissade.BadInputError, match="it is the Trainer's"):
        gh.GradientMonitorCallback(model=None)
