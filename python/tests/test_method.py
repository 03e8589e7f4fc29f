"""Step rules on arrays, against their formulas."""

from __future__ import annotations

import numpy as np
import pytest

import glissade


def test_msgd_by_its_formula(dtype, tolerance):
    rng = np.random.default_rng(1)
    w = rng.normal(size=12).astype(dtype)
    wanted, u = w.astype(np.float64), np.zeros(12)
    method = glissade.method("msgd", 12, dtype=dtype, lr=0.1, beta=0.9)
    for _ in range(20):
        g = rng.normal(size=12).astype(dtype)
        report = method.step(w, g)
        u = 0.9 * u + g
        wanted -= 0.1 * u
        assert report.moved and not report.refused and report.lr == 0.1
        assert report.gradient_norm == pytest.approx(np.linalg.norm(g.astype(np.float64)), rel=1e-5)
    assert np.allclose(w, wanted, atol=20 * tolerance, rtol=0)
    assert method.steps == 20


def test_weights_move_in_place_whatever_library_they_are_of(dtype):
    method = glissade.method("sgd", 3, dtype=dtype, lr=1.0)
    numbers = bytearray(np.array([1, 2, 3], dtype).tobytes())
    view = memoryview(numbers).cast("f" if dtype == np.float32 else "d")
    method.step(view, [1, 1, 1])
    assert list(view) == [0, 1, 2]
    method.step(view, np.array([1, 9, 2, 9, 3, 9], dtype)[::2])
    assert list(view) == [-1, -1, -1]
    torch = pytest.importorskip("torch")
    w = torch.tensor([1.0, 2.0, 3.0], dtype=getattr(torch, dtype.name), requires_grad=True)
    method.step(w, torch.ones(3, dtype=w.dtype))
    assert w.tolist() == [0, 1, 2]


def test_weights_in_pieces_move_as_one_vector_does(dtype):
    rng = np.random.default_rng(3)
    layout = {"a": (2, 3), "empty": 0, "c": (), "b": 4}
    flat, whole = rng.normal(size=11).astype(dtype), glissade.method("sngm", layout, dtype=dtype, lr=0.1)
    pieces = {"a": flat[:6].reshape(2, 3).copy(), "empty": flat[:0], "c": np.array(flat[6]), "b": flat[7:].copy()}
    cut = glissade.method("sngm", layout, dtype=dtype, lr=0.1)
    for step in range(5):
        g = rng.normal(size=11).astype(dtype)
        given = {"a": g[:6].reshape(2, 3), "empty": g[:0], "c": g[6].reshape(()), "b": g[7:]}
        report = whole.step(flat, g)
        again = cut.step(pieces, given) if step % 2 else cut.step(list(pieces.values()), list(given.values()))
        assert report == again
    assert (np.concatenate([p.ravel() for p in pieces.values()]) == flat).all()
    with pytest.raises(glissade.BadInputError, match="'b'"):
        cut.step(pieces, {**given, "b": np.ones(3)})
    with pytest.raises(glissade.BadInputError, match=r"expected .*'empty'"):
        cut.step(pieces, {"a": given["a"]})
    with pytest.raises(glissade.BadInputError, match="each of the 4 blocks"):
        cut.step(list(pieces.values()), g)


def test_a_gradient_that_is_not_finite_is_refused(dtype):
    method = glissade.method("adam", 3, dtype=dtype)
    w = np.ones(3, dtype)
    method.step(w, np.ones(3, dtype))
    before, state = w.copy(), method.state_dict()
    report = method.step(w, np.array([1, np.nan, np.inf], dtype))
    assert report.refused and not report.moved and report.nonfinite == 2
    assert (w == before).all() and method.steps == 1
    after = method.state_dict()
    assert all((state[k] == after[k]).all() for k in state if "m" == k or "v" == k)


@pytest.mark.parametrize("name", [m.name for m in glissade.list("methods") if m.name not in ("ingd", "svrg", "singd")])
def test_state_goes_on_bit_for_bit(name, dtype):
    rng = np.random.default_rng(2)
    gradients = rng.normal(size=(8, 10)).astype(dtype)
    layout = {"a": (2, 3), "b": 4}

    def make():
        return glissade.method(name, layout, dtype=dtype, lr=0.01, seed=3, total_steps=8)

    whole, w = make(), np.ones(10, dtype)
    for g in gradients:
        whole.step(w, g)
    first, v = make(), np.ones(10, dtype)
    for g in gradients[:3]:
        first.step(v, g)
    second = make()
    second.load_state_dict(first.state_dict())
    for g in gradients[3:]:
        second.step(v, g)
    assert (w == v).all() and np.isfinite(w).all()


def test_groups_and_blocks_that_are_not_decayed(dtype):
    blocks = [glissade.Block("weight", (2,)), glissade.Block("bias", (1,), decay=False)]
    method = glissade.method(
        "sgd", blocks, dtype=dtype, lr=0.5, weight_decay=1.0, groups=[{"match": "bias", "lr": 0.25}]
    )
    w = np.ones(3, dtype)
    method.step(w, np.zeros(3, dtype))
    assert w.tolist() == [0.5, 0.5, 1]
    method.step(w, np.ones(3, dtype))
    assert w.tolist() == [-0.25, -0.25, 0.75]
    assert method.decay(np.ones(3, dtype)) == 1.0


def test_schedules_and_settings():
    method = glissade.method("sgd", 1, lr={"name": "poly", "from": 1.0, "power": 1}, total_steps=4)
    w = np.zeros(1, np.float32)
    assert [method.step(w, [1.0]).lr for _ in range(4)] == [1, 0.75, 0.5, 0.25]
    method = glissade.method("sgd", 1)
    method.set("lr", 0.5)
    assert method.step(w, [1.0]).lr == 0.5
    method.set("lr", "0.125")
    assert method.step(w, [1.0]).lr == 0.125


def test_a_method_that_asks_elsewhere_is_asked_what_it_wants():
    method = glissade.method("ingd", 2, dtype=np.float64, seed=1, L=1.5, gap=3, K=100)
    w = np.array([1.0, -2.0])
    with pytest.raises(glissade.UnsupportedError, match=r"ingd .* use step_by"):
        method.step(w, w)

    kinds = set()

    def answer(query):
        kinds.add(query.kind)
        value = float(np.abs(query.at).sum())
        return value if query.kind == "value" else (value, np.sign(query.at))

    for _ in range(200):
        if method.step_by(w, answer) is None:
            break
    assert "oracle" in kinds and np.abs(w).sum() < 3


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: glissade.method("sgdm", 2), "sgd"),
        (lambda: glissade.method("sgd", 2, momentum=0.9), "momentum"),
        (lambda: glissade.method("sgd", 2, lr=-1), "lr"),
        (lambda: glissade.method("sgd", 2, lr=object()), "lr: expected a number"),
        (lambda: glissade.method("sgd", 2, dtype=np.float16), "float16"),
        (lambda: glissade.method("sgd", {"a": 1, "b": "x"}), "block 'b'"),
        (lambda: glissade.method("sgd", 2).step(np.ones(3, np.float32), np.ones(3)), "expected 2 parameters"),
        (lambda: glissade.method("sgd", 2).step(np.ones(2), np.ones(2)), "expected float32"),
        (lambda: glissade.method("sgd", 2).step(np.ones(4, np.float32)[::2], np.ones(2)), "without gaps"),
        (lambda: glissade.method("adam", 2).load_state_dict({"nothing": 1}), "unknown"),
    ],
)
def test_what_is_wrong_is_said(call, word):
    with pytest.raises(ValueError, match=word) as caught:
        call()
    assert isinstance(caught.value, glissade.GlissadeError)


def test_shapes_are_those_of_the_blocks(dtype):
    w, g = np.zeros((2, 3), dtype), np.arange(6, dtype=dtype).reshape(2, 3)
    method = glissade.method("sgd", {"a": (2, 3), "b": 4}, dtype=dtype, lr=1.0)
    b = np.zeros(4, dtype)
    for pieces in ({"a": g.T, "b": b}, [g, b.reshape(2, 2)]):
        with pytest.raises(glissade.BadInputError, match="expected"):
            method.step([w, b], pieces)
    with pytest.raises(glissade.BadInputError, match=r"w of 'a': shape \[3, 2\]: expected \[2, 3\]"):
        method.step({"a": w.reshape(3, 2), "b": b}, [g, b])
    for layout in (6, {"a": (2, 3)}):
        with pytest.raises(glissade.BadInputError, match=r"g: shape \[3, 2\]"):
            glissade.method("sgd", layout, dtype=dtype).step(w, g.T)
    assert not w.any()
    method.step([w.ravel(), b], {"a": g, "b": b})
    glissade.method("sgd", 6, dtype=dtype, lr=1.0).step(w, g.ravel())
    assert (w == -2 * g).all()


def test_weights_that_may_not_be_written_are_refused():
    w = np.ones(2, np.float32)
    w.flags.writeable = False
    with pytest.raises(glissade.BadInputError, match="may be written"):
        glissade.method("sgd", 2).step(w, w)
    for w in (b"12345678", np.float32(1)):
        with pytest.raises(glissade.BadInputError, match="expected an array"):
            glissade.method("sgd", {"w": 1}).step([w], [1.0])


def test_for_people():
    text = str(glissade.method("sngm", {"a": (2, 3)}, lr=0.5))
    assert "sngm" in text and "lr" in text


@pytest.mark.parametrize(("state", "kind", "share"), [("bf16", np.uint16, 2), ("q8", np.uint8, 1)])
def test_narrow_state_takes_less_and_goes_on_bit_for_bit(dtype, state, kind, share):
    def made():
        return glissade.method("adam", {"a": (20, 30), "b": 7}, dtype=dtype, lr=0.01, seed=5, state=state)

    rng = np.random.default_rng(4)
    method, again = made(), made()
    w = rng.normal(size=607).astype(dtype)
    for _ in range(5):
        method.step(w, w)
    saved, other = method.state_dict(), w.copy()
    assert saved["m"].dtype == kind and saved["s"].shape == (607,)
    assert method.state_bytes == 2 * (607 * share + (4 * dtype.itemsize if state == "q8" else 0))
    again.load_state_dict(saved)
    for _ in range(5):
        method.step(w, w)
        again.step(other, other)
    assert (w == other).all()
    wide = glissade.method("adam", {"a": (20, 30), "b": 7}, dtype=dtype)
    wide.step(other, other)
    with pytest.raises(glissade.BadInputError, match="'m'" if state == "bf16" else "m.scale"):
        wide.load_state_dict(saved)
