"""Likelihoods: masses that sum to one, densities against TFP's, learned scales, bits."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import samplers
import zoo
from zoo.parts import likelihoods

tfd = tfp.distributions
LEVELS = np.arange(256, dtype=np.float64) / 255
LOCATIONS = np.array([-1.5, -0.99, -0.2, 0.0, 0.4, 0.999, 1.3])  # of images in [-1, 1]


@pytest.mark.parametrize("scale", [0.002, 0.02, 0.3])
def test_discretised_logistic_is_a_mass_function(scale):
    pixels = likelihoods.DiscretisedLogistic(scale).distribution(tf.constant(LOCATIONS))
    mass = np.exp(pixels.log_prob(LEVELS[:, None]))
    np.testing.assert_allclose(mass.sum(0), 1, atol=1e-10)
    np.testing.assert_allclose(pixels.mean(), LEVELS @ mass, atol=1e-10)
    # The mean's own gradient, against a difference.
    outputs, step = tf.constant(LOCATIONS), 1e-6
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        mean = likelihoods.DiscretisedLogistic(scale).distribution(outputs).mean()
    above, below = (
        likelihoods.DiscretisedLogistic(scale).distribution(outputs + d).mean()
        for d in (step, -step)
    )
    slope = (above - below) / (2 * step)
    np.testing.assert_allclose(tape.gradient(mean, outputs), slope, atol=1e-6, rtol=1e-4)
    # TFP's quantised distribution rounds up, to whole numbers.
    logistic = tfd.Logistic((LOCATIONS + 1) / 2 * 255 - 0.5, np.float64(scale) / 2 * 255)
    quantised = tfd.QuantizedDistribution(logistic, low=0.0, high=255.0)
    expected = quantised.log_prob(255 * LEVELS[:, None])
    likely = mass > 1e-30
    np.testing.assert_allclose(np.log(mass[likely]), expected.numpy()[likely], atol=1e-6)


def test_discretised_logistic_draws_its_levels():
    pixels = likelihoods.DiscretisedLogistic(0.2).distribution(tf.constant(LOCATIONS))
    draws = pixels.sample(20_000, seed=samplers.as_seed(0)).numpy()
    np.testing.assert_allclose(255 * draws, np.round(255 * draws), atol=1e-9)
    assert draws.min() == 0 and draws.max() == 1
    mean = np.exp(pixels.log_prob(LEVELS[:, None])).T @ LEVELS
    assert (abs(draws.mean(0) - mean) < 4 * draws.std(0) / np.sqrt(len(draws))).all()


def test_discretised_logistic_is_finite_far_away():
    """Also in float32, for a level that is hundreds of scales off, and so is its gradient."""
    outputs = tf.constant([-3.0, 0.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        pixels = likelihoods.DiscretisedLogistic(0.01).distribution(outputs)
        log_prob = pixels.log_prob(tf.constant([[0.0], [0.5], [1.0]]))
    assert np.isfinite(log_prob).all() and np.isfinite(tape.gradient(log_prob, outputs)).all()


def test_bits_per_dim():
    nats = -64 * np.log(2)
    assert likelihoods.Bernoulli().bits_per_dim(nats, 64) == pytest.approx(1)
    # A density that is uniform on the cells of all levels says nothing of the level: eight bits.
    uniform = 64 * np.log(255 / 256)
    assert likelihoods.Gaussian(levels=256).bits_per_dim(uniform, 64) == pytest.approx(8)
    assert likelihoods.Gaussian().bits_per_dim(0.0, 64) is None
    uniform = 64 * np.log(1 / 256)
    assert likelihoods.DiscretisedLogistic().bits_per_dim(uniform, 64) == pytest.approx(8)


def test_dequantisation_stays_in_its_level():
    x = tf.constant(np.arange(256, dtype=np.float32) / 255)
    likelihood = likelihoods.Gaussian(levels=256)
    y = np.array([likelihood.preprocess(x, samplers.as_seed(k)) for k in range(50)])
    noise = 255 * y - np.arange(256)
    assert noise.min() >= -0.5001 and noise.max() <= 0.5001
    assert abs(noise.mean()) < 4 * np.sqrt(1 / 12 / y.size)
    assert abs(noise.std() - np.sqrt(1 / 12)) < 0.01


def test_dequantised_density_bounds_the_mass():
    """With a density that is constant in each level, the bound is tight: the mass itself."""
    x = np.full(64, 100 / 255, np.float32)
    likelihood = likelihoods.Gaussian(scale=1e3, levels=256)
    density = likelihood.distribution(tf.zeros(64))
    y = likelihood.preprocess(tf.constant(x), samplers.as_seed(0))
    bits = likelihood.bits_per_dim(float(tf.reduce_sum(density.log_prob(y))), 64)
    mass = density.cdf(100.5 / 255) - density.cdf(99.5 / 255)
    assert bits == pytest.approx(-np.log2(tf.cast(mass, tf.float64)).mean(), abs=0.01)


def test_the_best_scale_is_that_of_the_residuals():
    rng = np.random.default_rng(0)
    outputs, x = rng.uniform(-1, 1, 500), rng.random(500)
    residual = np.sqrt(np.mean((2 * x - 1 - outputs) ** 2))
    likelihood = likelihoods.Gaussian(residual, learn_scale=True)
    with tf.GradientTape() as tape:
        log_prob = likelihood.distribution(tf.constant(outputs)).log_prob(x)
        mean = tf.reduce_mean(log_prob)
    assert abs(float(tape.gradient(mean, likelihood.log_scale.value))) < 1e-6


@pytest.mark.parametrize("name", ["gaussian", "discretised_logistic"])
def test_gradient_of_the_scale(name):
    """Against a difference, at pixels that are the law's own."""
    outputs = tf.constant(LOCATIONS)

    def log_prob(log_scale):
        likelihood = likelihoods.get_likelihood({"name": name, "learn_scale": True})
        likelihood.log_scale.assign(log_scale)
        with tf.GradientTape() as tape:
            pixels = likelihood.distribution(tf.cast(outputs, tf.float32))
            value = tf.reduce_sum(pixels.log_prob(tf.constant([[0.2], [0.6]])))
        return value, tape.gradient(value, likelihood.log_scale.value)

    (above, _), (below, _), (_, slope) = (log_prob(-0.5 + d) for d in (0.01, -0.01, 0))
    np.testing.assert_allclose(slope, (above - below) / 0.02, rtol=1e-3)


def test_a_learned_scale_belongs_to_the_decoder(digits, tmp_path):
    """It is trained where it is to be, and is saved."""
    likelihood = {"name": "discretised_logistic", "scale": 2.0, "levels": 17}
    tiny = {"latent_dim": 2, "hidden": (4,)}
    fixed = zoo.VAE.for_data(digits, likelihood=likelihood | {"learn_scale": False}, **tiny)
    assert not any(v is fixed.observation_model.log_scale for v in fixed.trainable_variables)
    model = zoo.HMCDLGM.for_data(digits, likelihood=likelihood, **tiny)
    scale = model.observation_model.log_scale
    groups = {k: any(v is scale for v in vs) for k, vs in model.parameter_groups.items()}
    assert groups == {"inference": False, "generation": True}
    scale.assign(0.3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.observation_model.get_config() == model.observation_model.get_config()
    assert loaded.observation_model.log_scale == scale
    assert loaded.bits_per_dim(-30.0) == pytest.approx(30 / 64 / np.log(2))


@pytest.mark.parametrize(
    ("likelihood", "message"),
    [
        ("normal", "likelihood: unknown value 'normal'"),
        ({"name": "gaussian", "scale": 0}, "scale must be greater than 0; it was 0"),
        ({"name": "discretised_logistic", "levels": 1}, "levels must be at least 2; it was 1"),
        ({"name": "bernoulli", "levels": 2.5}, "bernoulli does not take levels; it takes no arg"),
        ({"name": "gaussian", "annealed_from": 1, "learn_scale": True}, "and learn_scale trains"),
    ],
)
def test_what_is_refused(likelihood, message):
    with pytest.raises(zoo.UsageError, match=message):
        likelihoods.get_likelihood(likelihood)


@pytest.mark.parametrize("name", ["bernoulli", "gaussian", "discretised_logistic"])
def test_outputs_for_a_mean_have_that_mean(name):
    likelihood = likelihoods.get_likelihood(name)
    mean = np.array([0.1, 0.35, 0.5, 0.8], np.float32)
    outputs = tf.constant(likelihood.outputs_for_mean(mean), tf.float32)
    np.testing.assert_allclose(likelihood.distribution(outputs).mean(), mean, atol=0.02)
    assert np.isfinite(likelihood.outputs_for_mean(np.array([0.0, 1.0]))).all()
