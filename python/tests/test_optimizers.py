"""The step rules as PyTorch optimizers: against the library, PyTorch's own, and the path through its operations."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

import glissade

torch = pytest.importorskip("torch")
gt = pytest.importorskip("glissade.torch")

CLASSES = [cls for cls in vars(gt).values() if isinstance(cls, type) and getattr(cls, "rule", "")]
SHAPES = {"a": (3, 5), "scalar": (), "empty": (0, 4), "b": (7,), "c": (2, 3, 2, 2)}


def parameters(dtype, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(s, generator=generator, dtype=dtype)) for s in SHAPES.values()]


def give(params, seed):
    generator = torch.Generator().manual_seed(1000 + seed)
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator, dtype=p.dtype)


def numbers(params):
    return torch.cat([p.detach().flatten().double() for p in params])


def through_operations(monkeypatch):
    from glissade.torch import _optimizers

    monkeypatch.setattr(_optimizers, "reachable", lambda parameters: False)


@pytest.fixture(params=[torch.float32, torch.float64], ids=str)
def kind(request):
    return request.param


@pytest.mark.parametrize("cls", CLASSES)
def test_the_library_moves_parameters_in_place(cls, kind):
    params, options = parameters(kind), {"lr": 0.05, "weight_decay": 0.01}
    addresses = [p.data_ptr() for p in params]
    optimizer = cls(params, **options)
    name = str(kind).removeprefix("torch.")
    method = glissade.method(cls.rule, SHAPES, dtype=name, **options)
    w = [p.detach().clone().numpy() for p in params]
    for step in range(6):
        give(params, step)
        optimizer.step()
        report = method.step(w, [p.grad.numpy() for p in params])
        assert optimizer.report == report
    for p, wanted in zip(params, w, strict=True):
        assert np.array_equal(p.detach().numpy(), wanted)
    assert addresses == [p.data_ptr() for p in params]


@pytest.mark.parametrize("compiled", [True, False])
def test_the_report_has_the_present_rate_of_the_first_group(compiled, monkeypatch):
    if not compiled:
        through_operations(monkeypatch)
    params = parameters(torch.float64)
    optimizer = gt.SGD([{"params": params[:2]}, {"params": params[2:], "lr": 0.5}], lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    for step, wanted in enumerate((0.1, 0.05, 0.01)):
        if step == 2:
            optimizer.param_groups[0]["lr"] = 0.01
        give(params, step)
        optimizer.step()
        assert optimizer.report.lr == wanted
        scheduler.step()


@pytest.mark.parametrize("cls", CLASSES)
def test_operations_do_the_same(cls, kind, monkeypatch):
    """Two groups, None gradients, a zero gradient."""
    tolerance = 1e-6 if kind == torch.float32 else 1e-12

    def run():
        params = parameters(kind)
        groups = [{"params": params[:2]}, {"params": params[2:], "lr": 0.02, "weight_decay": 0.1}]
        optimizer = cls(groups, lr=0.05)
        for step in range(8):
            give(params, step)
            if step == 3:
                params[0].grad = None
            if step == 5:
                for p in params:
                    p.grad = torch.zeros_like(p)
            optimizer.step()
        return numbers(params), optimizer

    compiled, first = run()
    through_operations(monkeypatch)
    generic, second = run()
    assert torch.allclose(compiled, generic, rtol=tolerance, atol=tolerance)
    assert first.counters() == second.counters()
    assert first.counters()["steps"] == 8


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (gt.SNGM, {"per_block": True}),
        (gt.SNGD, {"per_block": True}),
        (gt.Clip, {"gamma": 0.5, "tau": 0.1}),
        (gt.NGD, {"beta": 0.0}),
        (gt.GClip, {"tau": 0.5, "tau_exponent": 0.3}),
        (gt.CClip, {"tau": 0.1, "tau_exponent": 0.3}),
        (gt.ACClip, {"alpha": 2.0}),
        (gt.ACClip, {"alpha": 1.4, "tau0": 0.5}),
        (gt.ACClip, {"bias_correction": True}),
        (gt.LARS, {"zero_weights": "stay"}),
        (gt.Adam, {"decoupled_weight_decay": 0.1, "weight_decay": 0.01}),
    ],
)
def test_options_mean_the_same_by_operations(cls, options, monkeypatch):
    def run():
        params = parameters(torch.float64)
        params[3].data.zero_()
        optimizer = cls(params, lr=0.05, **options)
        for step in range(5):
            give(params, step)
            optimizer.step()
        return numbers(params)

    compiled = run()
    through_operations(monkeypatch)
    assert torch.allclose(compiled, run(), rtol=1e-12, atol=1e-12)


PAIRS = [
    (gt.SGD, {"weight_decay": 0.1}, torch.optim.SGD, {"weight_decay": 0.1}),
    (gt.MomentumSGD, {"beta": 0.8}, torch.optim.SGD, {"momentum": 0.8}),
    (gt.NAG, {"beta": 0.8}, torch.optim.SGD, {"momentum": 0.8, "nesterov": True}),
    (gt.Adam, {"weight_decay": 0.1}, torch.optim.Adam, {"weight_decay": 0.1}),
    (gt.AdamW, {"weight_decay": 0.1}, torch.optim.AdamW, {"weight_decay": 0.1}),
    (gt.AMSGrad, {}, torch.optim.Adam, {"amsgrad": True}),
    (gt.RMSprop, {}, torch.optim.RMSprop, {}),
    (gt.Adagrad, {}, torch.optim.Adagrad, {}),
]


@pytest.mark.parametrize(("cls", "own", "peer", "theirs"), PAIRS)
def test_against_torchs_own(cls, own, peer, theirs, kind):
    tolerance = 1e-6 if kind == torch.float32 else 1e-12
    ours, others = parameters(kind), parameters(kind)
    first, second = cls(ours, lr=0.01, **own), peer(others, lr=0.01, **theirs)
    for step in range(20):
        give(ours, step), give(others, step)
        first.step(), second.step()
    assert torch.allclose(numbers(ours), numbers(others), rtol=10 * tolerance, atol=tolerance)


@pytest.mark.parametrize(("cls", "own", "peer", "theirs"), PAIRS)
def test_states_of_torchs_own_are_taken_over(cls, own, peer, theirs):
    ours, others = parameters(torch.float64), parameters(torch.float64)
    second = peer(others, lr=0.01, **theirs)
    for step in range(3):
        give(others, step)
        second.step()
    first = cls(ours, lr=0.5)
    with torch.no_grad():
        for p, q in zip(ours, others, strict=True):
            p.copy_(q)
    first.load_state_dict(second.state_dict())
    for step in range(3, 8):
        give(ours, step), give(others, step)
        first.step(), second.step()
    assert torch.allclose(numbers(ours), numbers(others), rtol=1e-11, atol=1e-12)


def test_states_that_do_not_fit_are_refused():
    params = parameters(torch.float32)
    give(params, 0)
    for peer, options in [
        (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        (torch.optim.SGD, {"momentum": 0.9, "dampening": 0.5}),
        (torch.optim.Adam, {}),
    ]:
        saved = peer(params, lr=0.1, **options)
        saved.step()
        with pytest.raises(glissade.BadInputError, match="saved state"):
            gt.MomentumSGD(params).load_state_dict(saved.state_dict())
    with pytest.raises(glissade.BadInputError, match="rule sngm"):
        gt.Adam(params).load_state_dict(gt.SNGM(params).state_dict())


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("generic", [False, True])
def test_a_resumed_run_has_the_same_bits(cls, generic, monkeypatch, tmp_path):
    if generic:
        through_operations(monkeypatch)
    whole = parameters(torch.float32)
    optimizer = cls([{"params": whole[:2]}, {"params": whole[2:], "lr": 0.01}], lr=0.05)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    for step in range(9):
        if step == 4:
            saved = {"w": [p.detach().clone() for p in whole], "o": optimizer.state_dict(), "s": scheduler.state_dict()}
            torch.save(saved, tmp_path / "saved.pt")
        give(whole, step)
        optimizer.step(), scheduler.step()
    loaded = torch.load(tmp_path / "saved.pt")
    again = [torch.nn.Parameter(w) for w in loaded["w"]]
    resumed = cls([{"params": again[:2]}, {"params": again[2:]}], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(resumed, 10)
    resumed.load_state_dict(loaded["o"])
    scheduler.load_state_dict(loaded["s"])
    for step in range(4, 9):
        give(again, step)
        resumed.step(), scheduler.step()
    assert all(torch.equal(p, q) for p, q in zip(whole, again, strict=True))
    assert resumed.counters() == optimizer.counters()


@pytest.mark.parametrize("generic", [False, True])
def test_a_gradient_that_is_not_finite_is_refused(generic, monkeypatch):
    if generic:
        through_operations(monkeypatch)
    params = parameters(torch.float32)
    optimizer = gt.Adam(params)
    give(params, 0)
    optimizer.step()
    before, state = numbers(params), copy.deepcopy(optimizer.state_dict()["state"])
    give(params, 1)
    params[3].grad[2:4] = torch.tensor([float("nan"), float("inf")])
    with pytest.warns(gt.StepRefusedWarning, match="2 coordinates"):
        optimizer.step()
    assert optimizer.report.refused and optimizer.report.nonfinite == 2
    assert torch.equal(numbers(params), before)
    for i, vectors in optimizer.state_dict()["state"].items():
        assert all(torch.equal(vectors[k], state[i][k]) for k in vectors)
    assert optimizer.counters() == {"steps": 1, "refused": 1, "zero_gradients": 0}
    give(params, 2)
    optimizer.step()
    assert not torch.equal(numbers(params), before)


def test_none_gradients_leave_a_parameter_and_its_state():
    params = parameters(torch.float64)
    optimizer = gt.MomentumSGD(params, lr=0.1, weight_decay=0.1)
    give(params, 0)
    optimizer.step()
    still, v = params[0].detach().clone(), optimizer.state[params[0]]["v"].clone()
    other = optimizer.state[params[3]]["v"].clone()
    give(params, 1)
    params[0].grad = None
    optimizer.step()
    assert torch.equal(params[0], still) and torch.equal(optimizer.state[params[0]]["v"], v)
    assert not torch.equal(optimizer.state[params[3]]["v"], other)
    give(params, 2)
    g = params[0].grad + 0.1 * params[0].detach()
    optimizer.step()
    assert torch.allclose(optimizer.state[params[0]]["v"], 0.9 * v + g, atol=1e-12)
    for p in params:
        p.grad = None
    before = numbers(params)
    optimizer.step()
    assert torch.equal(numbers(params), before)


def test_parameters_with_gaps_and_in_other_orders():
    def run(change):
        torch.manual_seed(3)
        w = torch.nn.Parameter(change(torch.randn(4, 3, 2, 2, dtype=torch.float64)))
        base = torch.randn(6, 4, dtype=torch.float64)
        v = torch.nn.Parameter(base[::2].t() if change is not torch.clone else base[::2].t().contiguous())
        optimizer = gt.Adam([w, v], lr=0.1)
        for step in range(4):
            torch.manual_seed(step)
            w.grad, v.grad = torch.randn(4, 3, 2, 2).double(), torch.randn(4, 3).double()
            if step % 2 and change is not torch.clone:
                w.grad = w.grad.contiguous(memory_format=torch.channels_last)
                v.grad = v.grad.t().contiguous().t()
            optimizer.step()
        return torch.cat([w.detach().flatten(), v.detach().flatten()]), optimizer.state[w]["m"].flatten()

    plain = run(torch.clone)
    last = run(lambda t: t.contiguous(memory_format=torch.channels_last))
    gaps = run(lambda t: t.repeat_interleave(2, 1)[:, ::2])
    for other in (last, gaps):
        assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(plain, other, strict=True))


def test_schedulers_groups_closures_and_hooks():
    params = parameters(torch.float64)
    optimizer = gt.SGD(params[:2], lr=1.0)
    optimizer.add_param_group({"params": params[2:], "lr": 0.5})
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: [0.0, 1.0, 0.25][step])
    calls = []
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))

    def closure():
        optimizer.zero_grad()
        loss = sum((p**2).sum() / 2 for p in params)
        loss.backward()
        return loss

    before = numbers(params)
    first = optimizer.step(closure)
    scheduler.step()
    assert torch.equal(numbers(params), before) and first.item() == pytest.approx(float(before @ before) / 2)
    optimizer.step(closure)
    scheduler.step()
    assert numbers(params[:2]).abs().max() == 0
    assert torch.allclose(numbers(params[2:]), before[16:] / 2)
    optimizer.step(closure)
    assert torch.allclose(numbers(params[2:]), before[16:] / 2 * (1 - 0.125))
    assert calls == ["after"] * 3


@pytest.mark.parametrize("generic", [False, True])
def test_a_norm_that_is_known_is_taken(generic, monkeypatch):
    if generic:
        through_operations(monkeypatch)
    params, others = parameters(torch.float64), parameters(torch.float64)
    optimizer, other = gt.SNGM(params, lr=0.1), gt.SNGM(others, lr=0.1)
    for step in range(3):
        give(params, step)
        give(others, step)
        norm = torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in params]))
        optimizer.step(norm=norm)
        other.step()
        assert optimizer.report.gradient_norm == pytest.approx(other.report.gradient_norm, rel=1e-14)
    assert torch.allclose(numbers(params), numbers(others), rtol=1e-13, atol=0)
    optimizer.step(norm=2 * norm)
    assert optimizer.report.gradient_norm == pytest.approx(2 * float(norm))
    before = numbers(params)
    params[0].grad[0, 0] = torch.nan
    with pytest.warns(gt.StepRefusedWarning):
        optimizer.step(norm=torch.tensor(torch.nan))
    assert torch.equal(before, numbers(params))
    for wrong in (lambda: optimizer.step(norm=-1), lambda: optimizer.step(lambda: 0, norm=1)):
        with pytest.raises(glissade.BadInputError, match="norm"):
            wrong()


def test_copies_and_pickles_go_on(tmp_path):
    params = parameters(torch.float32)
    optimizer = gt.SNGM(params, lr=0.1)
    give(params, 0)
    optimizer.step()
    twin = copy.deepcopy({"p": params, "o": optimizer})
    for step in range(1, 4):
        give(params, step), give(twin["p"], step)
        optimizer.step(), twin["o"].step()
    assert torch.equal(numbers(params), numbers(twin["p"]))
    views = [state["u"] for state in optimizer.state.values()]
    del optimizer
    assert all(torch.isfinite(v).all() for v in views)


def test_what_is_wrong_is_said():
    params = parameters(torch.float32)
    for call, word in [
        (lambda: gt.SNGM(params, momentum=0.9), "momentum"),
        (lambda: gt.SNGM(params, lr=-1.0), "lr"),
        (lambda: gt.SNGM(params, project={"ball": 1}), "project"),
        (lambda: gt.SNGM([{"params": params, "bta": 0.1}]), "bta"),
    ]:
        with pytest.raises(ValueError, match=word):
            call()
    embedding = torch.nn.Embedding(5, 2, sparse=True)
    optimizer = gt.SGD(embedding.parameters())
    embedding(torch.tensor([1, 2])).sum().backward()
    with pytest.raises(glissade.UnsupportedError, match="sparse"):
        optimizer.step()


def test_other_types_take_the_path_through_operations():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        params = parameters(torch.bfloat16)
        optimizer = gt.SNGM(params, lr=0.5)
        give(params, 0)
        before = numbers(params)
        optimizer.step()
    g = torch.cat([p.grad.flatten().double() for p in params])
    assert torch.allclose(numbers(params), before - 0.5 * g / g.norm(), atol=0.02)
    assert optimizer.state[params[0]]["u"].dtype == torch.bfloat16


@pytest.mark.parametrize("generic", [False, True])
def test_a_compiled_step_is_the_same(generic, monkeypatch):
    """torch.compile leaves the step as it is, and compiles around it."""
    if generic:
        through_operations(monkeypatch)

    def run(compiled):
        params = parameters(torch.float32)
        optimizer = gt.SNGM(params, lr=0.1)

        def move():
            loss = sum((p * p).sum() for p in params)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss

        move = torch.compile(move, backend="eager") if compiled else move
        losses = [move().item() for _ in range(4)]
        assert optimizer.report.moved and optimizer.counters()["steps"] == 4
        return losses, numbers(params)

    (plain, w), (compiled, v) = run(False), run(True)
    assert plain == compiled and torch.equal(w, v) and plain[3] < plain[0]


def with_state(cls, kept):
    try:
        return cls(parameters(torch.float32), lr=0.05, state=kept)
    except ValueError:
        return None


@pytest.mark.parametrize("kept", ["bf16", "q8"])
def test_state_in_less_memory(kept, tmp_path):
    """As the library's own, in memory and through a file; there alone where it can be kept so."""
    made = {cls: optimizer for cls in CLASSES if (optimizer := with_state(cls, kept)) is not None}
    assert {"adam", "sngm", "acclip"} <= {cls.rule for cls in made} and gt.SGD not in made
    for cls, optimizer in made.items():
        params = optimizer.param_groups[0]["params"]
        method = glissade.method(cls.rule, SHAPES, lr=0.05, state=kept)
        w = [p.detach().clone().numpy() for p in params]
        for step in range(6):
            if step == 3:
                torch.save(optimizer.state_dict(), tmp_path / "saved")
                optimizer = cls(params, lr=0.05, state=kept)
                optimizer.load_state_dict(torch.load(tmp_path / "saved"))
            if step == 4:
                params, optimizer = copy.deepcopy((params, optimizer))
            give(params, step)
            optimizer.step()
            method.step(w, [p.grad.numpy() for p in params])
        for p, wanted in zip(params, w, strict=True):
            assert np.array_equal(p.detach().numpy(), wanted), cls.rule
        assert not any(optimizer.state.values())


def test_where_a_narrow_state_is_refused(tmp_path):
    optimizer = with_state(gt.Adam, "bf16")
    params = optimizer.param_groups[0]["params"]
    give(params, 0)
    optimizer.step()
    params[0].grad = None
    with pytest.raises(glissade.UnsupportedError, match="other parameters have gradients"):
        optimizer.step()
    with pytest.raises(glissade.BadInputError, match="kept as bf16, not as float"):
        gt.Adam(parameters(torch.float32)).load_state_dict(optimizer.state_dict())
    other = gt.Adam(params[:1], state="bf16")
    with pytest.raises(ValueError):
        other.load_state_dict(optimizer.state_dict())
    with pytest.raises(glissade.BadInputError, match="state"):
        gt.Adam(params, state="q4")
    for kind in (torch.float64, torch.bfloat16):
        params = parameters(kind)
        optimizer = gt.Adam(params, state="q8")
        give(params, 0)
        with pytest.raises(glissade.UnsupportedError, match="all float32"):
            optimizer.step()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("cls", CLASSES)
def test_a_gpu_does_the_same(cls):
    def run(device):
        params = [torch.nn.Parameter(p.detach().to(device)) for p in parameters(torch.float32)]
        optimizer = cls(params, lr=0.05)
        for step in range(6):
            for p, q in zip(params, parameters(torch.float32, 1000 + step), strict=True):
                p.grad = q.detach().to(device)
            optimizer.step()
        return numbers([p.cpu() for p in params])

    assert torch.allclose(run("cpu"), run("cuda"), rtol=1e-5, atol=1e-6)
