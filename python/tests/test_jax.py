"""The step rules in JAX against the library's trajectories, and micro-batch clipping on several devices."""

from __future__ import annotations

import os

import numpy as np
import pytest

import glissade

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")
jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
gj = pytest.importorskip("glissade.jax")
jnp = jax.numpy

RULES = [
    "sgd", "msgd", "nag", "adagrad", "rmsprop", "adam", "adamw", "amsgrad", "lars", "lamb", "sngd", "sngm", "clip",
    "ngd", "gclip", "cclip", "acclip",
]  # fmt: skip
SHAPES = {"a": (3, 5), "b": (7,), "c": (2, 3, 2), "scalar": ()}


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def arrays(seed, dtype):
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=shape).astype(dtype) for name, shape in SHAPES.items()}


def steps(transformation, dtype, gradients):
    params = jax.tree.map(jnp.asarray, arrays(0, dtype))
    state = transformation.init(params)

    @jax.jit
    def step(params, state, g):
        updates, state = transformation.update(g, state, params)
        return optax.apply_updates(params, updates), state

    for g in gradients:
        params, state = step(params, state, jax.tree.map(jnp.asarray, g))
    return params, state


OPTIONS = {
    "plain": {},
    "decay": {"weight_decay": 0.01},
    "own": {"decoupled_weight_decay": 0.02},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("rule", RULES)
def test_rules_follow_the_library(rule, options, dtype):
    known = {o.key for m in glissade.list("methods") if m.name == rule for o in m.options}
    if not options.keys() <= known:
        pytest.skip(f"{rule} has no such option")
    method = glissade.method(rule, SHAPES, dtype=dtype, lr=0.05, **options)
    w, gradients = arrays(0, dtype), [arrays(k + 1, dtype) for k in range(12)]
    for g in gradients:
        method.step(w, g)
    params, state = steps(getattr(gj, rule)(0.05, **options), dtype, gradients)
    tolerance = 1e-6 if dtype == np.float32 else 1e-12
    for name, wanted in w.items():
        assert params[name].dtype == dtype
        assert np.allclose(params[name], wanted, rtol=0, atol=tolerance), name
    assert int(state.steps) == 12


@pytest.mark.parametrize(
    ("rule", "options"),
    [
        ("sngm", {"per_block": True}),
        ("clip", {"gamma": 0.5, "tau": 0.1}),
        ("ngd", {"beta": 0.3}),
        ("gclip", {"tau": 0.2}),
        ("cclip", {"tau": 0.3, "tau_exponent": 0.25}),
        ("acclip", {"alpha": 1.5, "tau0": 0.7, "bias_correction": False}),
        ("amsgrad", {"beta2": 0.9}),
    ],
)
def test_options(rule, options):
    method = glissade.method(rule, SHAPES, dtype="float64", lr=0.1, **options)
    w, gradients = arrays(0, np.float64), [arrays(k + 1, np.float64) for k in range(8)]
    for g in gradients:
        method.step(w, g)
    params, _ = steps(gj.rule(rule, 0.1, **options), np.float64, gradients)
    assert all(np.allclose(params[name], wanted, rtol=0, atol=1e-12) for name, wanted in w.items())


def test_schedules_count_from_zero():
    schedule = optax.polynomial_schedule(0.1, 0.0, 1, 5)
    method = glissade.method("msgd", SHAPES, dtype="float64", lr=0.1)
    w, gradients = arrays(0, np.float64), [arrays(k + 1, np.float64) for k in range(4)]
    for k, g in enumerate(gradients):
        method.set("lr", float(schedule(k)))
        method.step(w, g)
    params, _ = steps(gj.msgd(schedule), np.float64, gradients)
    assert all(np.allclose(params[name], wanted, atol=1e-9) for name, wanted in w.items())


@pytest.mark.parametrize("rule", RULES)
def test_a_gradient_that_is_not_finite_is_refused(rule):
    good, bad = [arrays(k + 1, np.float64) for k in range(4)], arrays(9, np.float64)
    bad["b"][2] = np.nan
    wanted, state = steps(gj.rule(rule, 0.1), np.float64, good)
    found, other = steps(gj.rule(rule, 0.1), np.float64, [*good[:2], bad, *good[2:]])
    for a, b in zip(jax.tree.leaves((wanted, state.leaves)), jax.tree.leaves((found, other.leaves)), strict=True):
        assert np.array_equal(a, b)
    assert (int(other.refused), int(other.steps)) == (1, 4)


@pytest.mark.parametrize("rule", RULES)
def test_zero_gradients(rule):
    zero = jax.tree.map(np.zeros_like, arrays(1, np.float64))
    gradients = [zero, arrays(1, np.float64), zero]
    method = glissade.method(rule, SHAPES, dtype="float64", lr=0.1)
    w = arrays(0, np.float64)
    for g in gradients:
        method.step(w, g)
    params, _ = steps(gj.rule(rule, 0.1), np.float64, gradients)
    assert all(np.allclose(params[name], wanted, rtol=0, atol=1e-12) for name, wanted in w.items())


def test_chains_and_mistakes():
    chain = optax.chain(optax.scale(0.5), gj.sgd(0.1))
    params, _ = steps(chain, np.float64, [arrays(1, np.float64)])
    wanted = {name: a - 0.05 * arrays(1, np.float64)[name] for name, a in arrays(0, np.float64).items()}
    assert all(np.allclose(params[name], a, atol=1e-14) for name, a in wanted.items())
    for make, word in [
        (lambda: gj.rule("sgdd", 0.1), "sgdd"),
        (lambda: gj.sgd(0.1, bta=1), "bta"),
        (lambda: gj.msgd(0.1, beta=2.0), "beta"),
        (lambda: gj.sgd(-1.0), "lr"),
        (lambda: gj.sgd(0.1).update({}, gj.sgd(0.1).init({})), "parameters"),
    ]:
        with pytest.raises(glissade.BadInputError, match=word):
            make()


# ---- micro-batch clipping ----


def loss(params, rows):
    x, y = rows
    return jnp.mean(jnp.square(jnp.tanh(x @ params["w"]) @ params["v"] - y))


def problem(rows=24):
    generator = np.random.default_rng(5)
    params = {"w": jnp.asarray(generator.normal(size=(3, 4))), "v": jnp.asarray(generator.normal(size=4))}
    y = generator.normal(size=rows) * 10.0 ** np.linspace(0, 2, rows)
    return params, (jnp.asarray(generator.normal(size=(rows, 3))), jnp.asarray(y))


def explicit(params, batch, size, options):
    """The library's own estimator on the micro-batches' gradients."""
    x, y = batch
    rows = []
    for i in range(len(y)):
        g = jax.grad(loss)(params, (x[i : i + 1], y[i : i + 1]))
        rows.append(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(g)]))
    return glissade.estimate(np.stack(rows), "microbatch", microbatch=size, **options)


@pytest.mark.parametrize("options", [{}, {"bound": 3.0}, {"reduce": "sum"}], ids=str)
@pytest.mark.parametrize("size", [1, 3, 24])
def test_clipping_is_the_librarys(size, options):
    params, batch = problem()
    wanted = explicit(params, batch, size, options)
    found, report = jax.jit(lambda p, b: gj.clipped_gradient(loss, p, b, size, **options))(params, batch)
    flat = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(found)])
    assert np.allclose(flat, wanted.g, rtol=1e-10)
    assert int(report.groups) == 24 // size and int(report.nonfinite) == 0 and len(report.norms) == 24 // size


def spread(batch, mesh):
    """The rows over the devices of a mesh."""
    return jax.device_put(batch, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("rows")))


@pytest.mark.parametrize("size", [1, 3, 6])
def test_clipping_inside_of_shard_map(size):
    if len(jax.devices()) < 4:
        pytest.skip("JAX was started with fewer than 4 devices")
    params, batch = problem()
    mesh = jax.make_mesh((4,), ("rows",))
    spec = jax.sharding.PartitionSpec

    def local(params, batch):
        return gj.clipped_gradient(loss, params, batch, size, axis_name="rows")

    report = gj.ClippingReport(spec("rows"), spec(), spec(), spec())
    sharded = jax.shard_map(local, mesh=mesh, in_specs=(spec(), spec("rows")), out_specs=(spec(), report))
    found, figures = jax.jit(sharded)(params, spread(batch, mesh))
    wanted = explicit(params, batch, size, {})
    flat = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(found)])
    assert np.allclose(flat, wanted.g, rtol=1e-10)
    assert int(figures.groups) == 24 // size and float(figures.bound) == pytest.approx(float(figures.norms.min()))


def test_a_device_is_a_micro_batch():
    if len(jax.devices()) < 4:
        pytest.skip("JAX was started with fewer than 4 devices")
    params, batch = problem()
    mesh, spec = jax.make_mesh((4,), ("rows",)), jax.sharding.PartitionSpec

    def local(params, batch):
        own = jax.tree.map(lambda p: jax.lax.pcast(p, "rows", to="varying"), params)
        return gj.clip_microbatches(jax.grad(loss)(own, batch), "rows")[0]

    found = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=(spec(), spec("rows")), out_specs=spec()))(
        params, spread(batch, mesh)
    )
    flat = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(found)])
    assert np.allclose(flat, explicit(params, batch, 6, {}).g, rtol=1e-10)


def test_micro_batches_that_are_not_finite_or_zero():
    params, (x, y) = problem(8)
    spoilt = (x, y.at[2].set(jnp.nan))
    found, report = gj.clipped_gradient(loss, params, spoilt, 2)
    assert all(np.isnan(leaf).all() for leaf in jax.tree.leaves(found)) and int(report.nonfinite) == 1
    found, _ = gj.clipped_gradient(loss, params, spoilt, 2, nonfinite="skip_group")
    keep = np.r_[0:2, 4:8]
    wanted, _ = gj.clipped_gradient(loss, params, (x[keep], y[keep]), 2)
    assert all(np.allclose(a, b, rtol=1e-12) for a, b in zip(*map(jax.tree.leaves, (found, wanted)), strict=True))
    found, report = gj.clipped_gradient(lambda p, rows: 0.0 * loss(p, rows), params, (x, y), 2)
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(found)) and np.isnan(report.bound)
    for options, word in (({"microbatch": 3}, "divisor"), ({"microbatch": 2, "bound": 0}, "bound")):
        with pytest.raises(glissade.BadInputError, match=word):
            gj.clipped_gradient(loss, params, (x, y), **options)
