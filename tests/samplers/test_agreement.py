"""Split R-hat of running moments, against its formula on whole sequences and on known laws."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant

import samplers
from samplers import agreement

RNG = np.random.default_rng(0)


def running(shown, module=agreement):
    """Of what S chains showed, [N, S, B, ...], as a loop sees it."""
    shown = [tf.constant(part, tf.float32) for part in shown]
    num_steps = len(shown[0])

    @tf.function(autograph=False)
    def run(num_steps):
        halves = module.no_halves([part[0] for part in shown])
        return tf.while_loop(
            lambda i, _: i < num_steps,
            lambda i, halves: (
                i + 1,
                module.add_to_halves(halves, [part[i] for part in shown], i, num_steps),
            ),
            (0, halves),
        )[1]

    return module.split_r_hat(run(tf.constant(num_steps)), num_steps).numpy()


def whole(part):
    """The formula, of one part whose further axes are one."""
    length = (len(part) - len(part) // 2) // 2
    kept = part[len(part) - 2 * length :].astype(np.float64)
    sequences = np.concatenate([kept[:length], kept[length:]], 1)  # [n, 2 S, B, ...]
    within, between = sequences.var(0, ddof=1).mean(0), sequences.mean(0).var(0, ddof=1)
    within, between = (v.reshape(len(v), -1).sum(1) for v in (within, between))
    return np.sqrt((length - 1) / length + between / within)


@pytest.mark.parametrize("num_steps", [8, 9, 10, 11, 40])
def test_running_moments_give_the_formula(num_steps):
    """Of several parts the largest counts; the first half of the transitions does not."""
    one = 1000 + RNG.standard_normal((num_steps, 3, 2)) + 2 * RNG.standard_normal((3, 2))
    two = RNG.standard_normal((num_steps, 3, 2, 4, 1)) * [[1.0], [0.1], [3.0], [0.0]]
    one[: num_steps // 2] += 1e3
    expected = np.maximum(whole(one), whole(two))
    np.testing.assert_allclose(running([one, two]), expected, rtol=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        ("(num_steps - num_steps // 2) // 2", "num_steps // 2"),
        ("(value - mean) * (value - new_mean)", "(value - mean) * (value - mean)"),
        ("place % tf.maximum(length, 1) + 1", "i + 1"),
        (" * tf.cast(unbiased, mean.dtype)", ""),
    ],
    ids=["no warm-up", "squares", "count", "biased"],
)
def test_wrong_moments_are_rejected(change):
    part = np.random.default_rng(1).standard_normal((20, 3, 2))
    found = running([part], mutant("samplers.agreement", *change))
    assert not np.allclose(found, whole(part), rtol=1e-3)


def test_chains_that_agree_and_chains_that_do_not():
    """Independent draws of one law; of two laws; and a drift that all chains share."""
    same = RNG.standard_normal((2000, 4, 1))
    assert 0.99 < running([same])[0] < 1.01
    apart = same + np.array([0.0, 0.0, 0.0, 3.0])[:, None]
    # Between 4 chains, one of which is 3 standard deviations off: variance 9 / 4 of means.
    assert running([apart])[0] == pytest.approx((1 + 2 * 4 * 9 * 3 / 16 / 7) ** 0.5, rel=0.05)
    drift = same + np.linspace(0, 8, 2000)[:, None, None]
    assert running([drift])[0] > 1.3


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (np.ones((12, 2, 1)), (2 / 3) ** 0.5),  # where nothing moves, and all are at one place
        (np.ones((12, 2, 1)) * [[0.0], [1.0]], np.inf),
        (np.full((12, 2, 1), np.nan), np.nan),
        (RNG.standard_normal((6, 2, 1)), np.nan),  # too few
    ],
)
def test_edges(part, expected):
    np.testing.assert_allclose(running([part]), [expected], rtol=1e-6)


def test_samplers_show_their_states():
    """What they show changes nothing else."""
    start = samplers.normal([5, 2], 1)
    arguments = {"num_steps": 20, "step_size": 0.3, "seed": 2}

    def log_density(z):
        return -tf.reduce_sum(z**2, -1) / 2

    def show(z):
        return [z[..., None]]

    plain = samplers.langevin(log_density, start, **arguments)
    state, halves = samplers.langevin(log_density, start, show=show, **arguments)
    np.testing.assert_array_equal(state, plain)
    shown = samplers.hmc(log_density, start, num_leapfrog_steps=3, show=show, **arguments)
    plain = samplers.hmc(log_density, start, num_leapfrog_steps=3, **arguments)
    np.testing.assert_array_equal(shown.state, plain.state)
    assert plain.halves == ()
    for halves in (halves, shown.halves):  # noqa: B020
        assert samplers.split_r_hat(halves, 20).shape == (2,)


def test_compiled_too_one_part_that_is_not_known_makes_all_unknown():
    """Of two images, the first of which has a part that overflows."""
    known = tf.constant(RNG.standard_normal((2, 4, 2)), tf.float32)
    halves = samplers.Halves([known, known], [known**2, known**2 * [np.nan, 1.0]])
    found = tf.function(samplers.split_r_hat, jit_compile=True)(halves, tf.constant(20))
    assert np.isnan(found).tolist() == [True, False]
