import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import samplers
from samplers.random import noise_like


def test_seeds():
    assert samplers.as_seed(5).dtype == tf.int32
    np.testing.assert_array_equal(samplers.as_seed(-1), [-1, -1])
    np.testing.assert_array_equal(samplers.as_seed(2**32 + 7), [7, 1])
    np.testing.assert_array_equal(samplers.as_seed(np.array([3, 4])), [3, 4])


@pytest.mark.parametrize("seed", ["0", 1.5, True, None, [1, 2, 3], np.zeros(3, int), np.zeros(2)])
def test_what_is_no_seed(seed):
    with pytest.raises(ValueError, match="seed must be an int"):
        samplers.as_seed(seed)


def test_roles_steps_and_replicas_differ():
    seeds = [
        samplers.fold_in(seed, role, step, replica)
        for seed in (0, 1)
        for role in ("train", "test")
        for step in (0, 1)
        for replica in (0, 1)
    ]
    assert len({tuple(s.numpy()) for s in seeds}) == 16
    np.testing.assert_array_equal(seeds[0], samplers.fold_in(samplers.fold_in(0, "train"), 0, 0))


def test_seeds_agree_between_eager_and_graph():
    def derived(step):
        return samplers.fold_in(0, "role", step)

    np.testing.assert_array_equal(tf.function(derived)(tf.constant(3)), derived(3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("compiled", [False, True])
def test_noise_is_standard_normal(compiled, dtype):
    @tf.function(jit_compile=compiled, autograph=False)
    def draw(seed):
        return noise_like([tf.zeros([100_001], dtype), tf.zeros([3, 7], dtype)], seed)

    noise, small = (part.numpy() for part in draw(samplers.as_seed(0)))
    other = draw(samplers.as_seed(1))[0].numpy()
    assert noise.dtype == dtype and small.shape == (3, 7) and np.isfinite(noise).all()
    assert stats.kstest(noise, "norm").pvalue > 1e-4
    for power, (mean, variance) in {1: (0, 1), 2: (1, 2), 3: (0, 15), 4: (3, 96)}.items():
        assert abs((noise**power).mean() - mean) < 4 * (variance / noise.size) ** 0.5
    for others in (noise[1:], noise[50_001:], small.ravel(), other):
        size = others.size
        assert abs((noise[:size] * others).mean()) < 4 / size**0.5
    np.testing.assert_array_equal(noise, draw(samplers.as_seed(0))[0])


@pytest.mark.parametrize("schedule", [samplers.linear_schedule, samplers.sigmoid_schedule])
@pytest.mark.parametrize("num_increments", [1, 2, 17])
def test_schedules(schedule, num_increments):
    betas = schedule(num_increments).numpy()
    assert len(betas) == num_increments + 1 and betas.dtype == np.float64
    assert betas[0] == 0 and betas[-1] == 1
    assert np.all(np.diff(betas) > 0)
    np.testing.assert_allclose(betas, 1 - betas[::-1], atol=1e-12)


@pytest.mark.parametrize("num_increments", [0, -1, 2.0, "3"])
def test_what_is_no_count(num_increments):
    with pytest.raises(ValueError, match="num_increments must be a positive int"):
        samplers.linear_schedule(num_increments)
