"""The monitor on arrays against `glissade.measure` of the same gradients, and against sums written out here."""

from __future__ import annotations

import math

import numpy as np
import pytest

import glissade

N, D = 24, 11


def rows(look, dtype=np.float64):
    random = np.random.default_rng(look)
    g = random.standard_normal((N, D)) * (1 + np.arange(D) % 3)
    g[:, 2] += 2
    return g.astype(dtype)


def norms(g):
    return np.linalg.norm(g, axis=1)


def test_one_look_is_what_measure_says(dtype, tolerance):
    g = rows(0, dtype)
    expected = glissade.measure(g, "gradient_diversity", "norm_test", sample=True)
    bound = expected["gradient_diversity"]["batch_size_bound"]
    whole = glissade.Monitor(D, dtype=dtype)
    whole.look(gradients=g)
    blocks = glissade.Monitor({"a": (2, 2), "b": D - 4}, dtype=dtype)
    blocks.look(gradients={"b": g[:, 4:], "a": g[:, :4].reshape(N, 2, 2)})
    alone = glissade.Monitor()
    alone.look(norms=norms(g), mean_norm=np.linalg.norm(g.mean(0)))
    for monitor in (whole, blocks, alone):
        result = monitor.report()
        assert result["gradient_diversity"]["batch_size_bound"].value == pytest.approx(bound.value, rel=1e-4)
        assert monitor.figures["noise_scale"] == pytest.approx(bound.value - 1, rel=1e-4)
        assert result["norm_test"]["norm_test"].value == pytest.approx(
            expected["norm_test"]["norm_test"].value, rel=1e-4
        )
    for monitor in (whole, blocks):
        last = monitor.report()["gradient_diversity"]["last_batch_size_bound"]
        assert last.interval == pytest.approx(bound.interval, rel=1e-4)


def test_micro_batches_say_what_single_examples_say():
    """Over many looks both come to the noise scale of the distribution."""
    alone, grouped = glissade.Monitor(smoothing=1), glissade.Monitor(smoothing=1)
    for look in range(300):
        g = rows(look)
        means = g.reshape(4, N // 4, D).mean(1)
        alone.look(norms=norms(g), mean_norm=np.linalg.norm(g.mean(0)))
        grouped.look(norms=norms(means), mean_norm=np.linalg.norm(g.mean(0)), group=N // 4)
    truth = sum((1 + k % 3) ** 2 for k in range(D)) / 4
    for monitor in (alone, grouped):
        low, high = (monitor.figures["noise_scale_" + end] for end in ("low", "high"))
        assert low < truth < high and high - low < 0.5 * truth
    assert grouped.figures["noise_scale_high"] - grouped.figures["noise_scale_low"] > (
        alone.figures["noise_scale_high"] - alone.figures["noise_scale_low"]
    )


def test_intervals_cover():
    truth, covered = sum((1 + k % 3) ** 2 for k in range(D)) / 4, 0
    for run in range(100):
        monitor = glissade.Monitor(smoothing=1)
        for look in range(12):
            g = rows(1000 + 12 * run + look)
            monitor.look(norms=norms(g), mean_norm=np.linalg.norm(g.mean(0)))
        covered += monitor.figures["noise_scale_low"] < truth < monitor.figures["noise_scale_high"]
    assert covered >= 88  # of 95 expected: below it once in 500


def feed(monitor, looks):
    for look in looks:
        monitor.step()
        g = rows(look, np.float32)
        factors = np.where(np.arange(N) % 5 == look % 5, 0.5, 1.0)
        indices = (7 * np.arange(N) + look) % 50
        monitor.look(gradients=g, factors=factors, losses=np.arange(float(N)), indices=indices)
        monitor.moved(step_norm=1 + look, change_norm=2.0, gradient_norm=3.0 + look)


def test_a_resumed_monitor_goes_on_to_the_same_bits():
    whole, first, second = (glissade.Monitor(D, examples=50) for _ in range(3))
    feed(whole, range(40))
    feed(first, range(17))
    second.load_state_dict(first.state_dict())
    feed(second, range(17, 40))
    for name, array in whole.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[name], array, err_msg=name)
    a, b = whole.results(), second.results()
    assert set(a) == {
        *("gradient_diversity", "noise_scale", "norm_test", "tail_index"),
        *("clip_frequency", "smoothness", "dragger"),
    }
    for name in a:
        assert {**a[name], "seconds": 0} == {**b[name], "seconds": 0}
    with pytest.raises(glissade.BadInputError, match="unknown"):
        glissade.Monitor().load_state_dict(first.state_dict())


def test_suspects_and_clips():
    monitor = glissade.Monitor(examples=10, list=2, smoothing=1)
    monitor.look(norms=[1.0, 4.0, 2.0], factors=[1.0, 0.25, 0.5], indices=[7, 2, 9])  # no mean: for suspects alone
    monitor.look(factors=[1.0, 1.0, 1.0])
    report = monitor.report()
    assert set(report) == {"clip_frequency", "dragger"}
    assert report["dragger"]["suspects"].value.tolist() == [2, 9]
    assert report["dragger"]["suspect_norms"].value.tolist() == [4, 2]
    assert report.headlines["clip_frequency"].value == pytest.approx(1 / 3)
    assert math.isnan(monitor.figures["noise_scale"])


def test_cadence():
    monitor = glissade.Monitor(cost=0.35)
    assert [step for step in range(20) if monitor.step()] == [0, 4, 8, 12, 16]
    monitor, due = glissade.Monitor(cost=0), []
    for step in range(20):  # The first look costs more than the others, and is known to only when it is over.
        if monitor.step():
            due.append(step)
            monitor.set(cost=0.7 if step == 0 else 0.35)
    assert due == [0, 7, 11, 15, 19]
    monitor = glissade.Monitor(every=7, cost=100)
    assert [step for step in range(20) if monitor.step()] == [0, 7, 14]


def test_what_is_refused():
    monitor = glissade.Monitor()
    with pytest.raises(glissade.BadInputError, match="at least two"):
        monitor.look(norms=[1.0], mean_norm=1.0)
    with pytest.raises(glissade.BadInputError, match="norm of group 1"):
        monitor.look(norms=[1.0, -2.0], mean_norm=1.0)
    with pytest.raises(glissade.BadInputError, match="squared norm of the mean"):
        monitor.look(norms=[1.0, 2.0], mean_norm=-1.0)
    with pytest.raises(glissade.BadInputError, match="not that of the sum"):
        monitor.look(norms=[1.0, 2.0], mean_norm=3.0)
    with pytest.raises(glissade.BadInputError, match="group 0"):
        glissade.Monitor(examples=9).look(norms=[1.0, 2.0], mean_norm=1.0, group=0, indices=[])
    with pytest.raises(glissade.BadInputError, match="one for each of 2 groups"):
        monitor.look(norms=[1.0, 2.0], mean_norm=1.0, factors=[1.0])
    with pytest.raises(glissade.BadInputError, match="without a layout"):
        monitor.look(gradients=rows(0))
    with pytest.raises(glissade.BadInputError, match="number of examples"):
        monitor.look(norms=[1.0, 2.0], mean_norm=1.0, indices=[0, 1])
    with pytest.raises(glissade.BadInputError, match="smoothing"):
        glissade.Monitor(smoothin=0.5)
    with pytest.raises(glissade.BadInputError, match=r"expected \[groups, 11\]"):
        glissade.Monitor(D).look(gradients=rows(0)[:, :5])
    with pytest.raises(glissade.BadInputError, match="needs norms"):
        monitor.look()
    monitor.look(norms=[1.0, math.inf], mean_norm=1.0)
    monitor.look(norms=[1.0, 2.0], mean_norm=1e200)
    assert monitor.figures["refused_looks"] == 2 and monitor.figures["looks"] == 0
