"""Emissions: densities that integrate to one in the data's units, and draws that follow them."""

import numpy as np
import pytest
import tensorflow as tf

import samplers
from zoo.core.checks import UsageError
from zoo.parts.emissions import BernoulliEmission
from zoo.parts.real_emissions import GaussianEmission, PenStrokesEmission

MIXTURE = GaussianEmission(num_components=3, mean=[1.0, -2.0], scale=[0.5, 2.0], dtype="float64")
STROKES = PenStrokesEmission(
    num_components=2, mean=[1.0, -2.0, 0.3], scale=[0.5, 2.0, 0.1], dtype="float64"
)


def outputs(emission, num_dims, seed=0):
    """Outputs [F] around those of a new network."""
    start = emission.start_outputs(num_dims)
    return tf.constant(start + 0.5 * np.random.default_rng(seed).standard_normal(start.shape))


def moments(emission, given, last=()):
    """The integral of the density over two numbers, and their means, on a grid in data's units."""
    one, two = np.linspace(-8, 10, 301), np.linspace(-30, 26, 301)
    cell = (one[1] - one[0]) * (two[1] - two[0])
    grid = np.stack(np.meshgrid(one, two, indexing="ij"), -1).reshape(-1, 2)
    x = np.concatenate([grid, np.broadcast_to(last, (len(grid), len(last)))], 1)
    density = np.exp(emission.log_prob(given[None], tf.constant(x))) * cell
    return density.sum(), density @ grid


def test_a_mixture_integrates_to_one():
    given = outputs(MIXTURE, 2)
    mass, mean = moments(MIXTURE, given)
    assert abs(mass - 1) < 1e-5
    np.testing.assert_allclose(mean, MIXTURE.expected(given[None])[0], atol=1e-4)


def test_strokes_integrate_to_one():
    given = outputs(STROKES, 3)
    up, down = (moments(STROKES, given, [pen]) for pen in (1.0, 0.0))
    assert abs(up[0] + down[0] - 1) < 1e-5
    expected = STROKES.expected(given[None])[0]
    np.testing.assert_allclose(up[1] + down[1], expected[:2], atol=1e-4)
    assert abs(up[0] - expected[2]) < 1e-5


@pytest.mark.parametrize("emission", [MIXTURE, STROKES], ids=["mixture", "strokes"])
def test_draws_follow_the_density(emission):
    """Means, and the mean log density, whose other side is that of importance weights."""
    num_dims = 2 if emission is MIXTURE else 3
    given = tf.repeat(outputs(emission, num_dims)[None], 20_000, 0)
    x = emission.draw(given, 1).numpy()
    z_scores = (x.mean(0) - emission.expected(given)[0]) / samplers.standard_error(x)
    assert np.abs(z_scores).max() < 4.5
    # E[p(x) / q(x)] = 1 for a narrower p.
    narrow = outputs(emission, num_dims) - (emission.start_outputs(num_dims) > 0) * 1.0
    ratio = np.exp(emission.log_prob(narrow[None], x) - emission.log_prob(given, x))
    assert abs((ratio.mean() - 1) / samplers.standard_error(ratio)) < 4.5


def test_correlation_is_between_dx_and_dy():
    emission = PenStrokesEmission(num_components=1, dtype="float64")
    start = emission.start_outputs(3)
    start[-1] = 1.0  # before tanh
    x = emission.draw(tf.repeat(tf.constant(start)[None], 20_000, 0), 0).numpy()
    assert abs(np.corrcoef(x[:, 0], x[:, 1])[0, 1] - 0.999 * np.tanh(1)) < 0.02


def test_noise_is_as_wide_as_the_grid():
    x = tf.zeros([3, 50, 3], tf.float64)
    noisy = PenStrokesEmission(grid=0.5, dtype="float64").preprocess(x, 0).numpy()
    assert np.abs(noisy[..., :2]).max() <= 0.25 and not noisy[..., 2].any()
    assert abs(noisy[..., :2].std() - 0.5 / np.sqrt(12)) < 0.02


def test_scales_at_the_floor_are_counted():
    for emission, num_dims in (
        (GaussianEmission(num_components=2), 3),
        (PenStrokesEmission(num_components=2), 3),
    ):
        start = emission.start_outputs(num_dims)
        low = np.where(start > 0, -20.0, start)
        shares = emission.share_at_floor(tf.constant(np.stack([start, low]), tf.float32))
        np.testing.assert_array_equal(shares, [0, 1])


def test_bernoulli_rows():
    emission = BernoulliEmission()
    assert np.allclose(emission.log_prob(tf.zeros([4, 8]), tf.ones([4, 8])), -8 * np.log(2))
    grey = tf.fill([200, 8, 8], 0.3)
    drawn = emission.preprocess(grey, 0).numpy()
    assert set(np.unique(drawn)) == {0, 1} and abs(drawn.mean() - 0.3) < 0.02


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PenStrokesEmission().start_outputs(2), "3 numbers"),
        (lambda: GaussianEmission(num_components=0), "num_components must be"),
        (lambda: GaussianEmission(grid=-1.0), "grid must be"),
        (lambda: GaussianEmission(scale=[1.0, 0.0]), "scale must be"),
        (lambda: GaussianEmission(floor=0.0), "floor must be"),
    ],
)
def test_mistakes_are_told(make, message):
    with pytest.raises(UsageError, match=message):
        make()
