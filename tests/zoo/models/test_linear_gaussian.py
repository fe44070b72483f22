"""Exactness on linear-Gaussian models: everything here has a closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from checking import gaussian_moments, moments, mutant, z_scores
from hmc_kernels import annealing_kernel, tfp_kernel
from linear_gaussian import linear_gaussian, linear_model

import samplers
import zoo
from zoo import scores
from zoo.core import annealing

LAW = linear_gaussian()
SHEAR = np.array([[1, 0, 0], [0.7, 1, 0], [-0.4, 0.9, 1]])
PROTOCOL = {"num_leapfrog_steps": 5, "verbose": False}


@pytest.mark.parametrize("start", annealing.STARTS)
@pytest.mark.parametrize("schedule", annealing.SCHEDULES)
def test_annealed_importance_sampling(start, schedule):
    """AIS finds log p(x), from a wrong posterior or the prior, with a shear in the model."""
    model = linear_model(zoo.VAE, LAW, shear=SHEAR)
    x = LAW.simulate(40)
    estimate = scores.log_likelihood(
        model, x, num_chains=64, num_increments=50, start=start, schedule=schedule, **PROTOCOL
    )
    error = estimate.per_image.mean() - LAW.log_likelihood(x).mean()
    assert abs(error) < 4 * estimate.chain_stderr
    assert estimate.chain_stderr < 0.02


def test_bidirectional_bounds_bracket_the_truth():
    model = linear_model(zoo.VAE, LAW, shear=SHEAR)
    estimate = scores.bidirectional(
        model, num_images=300, num_chains=8, num_increments=6, start="prior", **PROTOCOL
    )
    # The mean of log p(x) over simulated images is minus the entropy of x.
    _, log_det = np.linalg.slogdet(2 * np.pi * np.e * LAW.covariance)
    truth = -0.5 * log_det + len(LAW.bias) * np.log(2)
    stderr = np.sqrt(len(LAW.bias) / 2 / 300) + estimate.gap_stderr
    assert estimate.lower - 4 * stderr < truth < estimate.upper + 4 * stderr
    assert estimate.gap > 4 * estimate.gap_stderr
    longer = scores.bidirectional(
        model, num_images=300, num_chains=8, num_increments=100, start="prior", **PROTOCOL
    )
    assert abs(longer.gap) < estimate.gap / 3


@pytest.mark.parametrize("increments", [20, 100])
def test_both_bounds_on_the_same_images(increments):
    """Image by image: the forward estimate's mean weight, and the reverse one's, are exact."""
    model = linear_model(zoo.VAE, LAW)
    rng = np.random.default_rng(1)
    z = rng.standard_normal((50, 3)).astype(np.float32)
    x = model.likelihood(tf.constant(z)).sample(seed=[0, 1])
    protocol = annealing.Annealing(num_chains=64, num_increments=increments, start="prior")

    @tf.function(jit_compile=True, autograph=False)
    def run():
        forward, backward = protocol.run(model, x, samplers.as_seed(2), exact=tf.constant(z))
        return forward.log_weights, backward.log_weights

    forward, backward = (t.numpy() for t in run())
    exact = LAW.log_likelihood(x.numpy())
    # One number per image is independent of the others: chains share the exact start.
    assert abs(z_scores(np.exp(forward - exact).mean(0), 1.0)) < 4
    assert abs(z_scores(np.exp(backward + exact).mean(0), 1.0)) < 4


def test_importance_weighted_bounds():
    """With the exact posterior every log weight is log p(x); with a wrong one they lie below."""
    diagonal = linear_gaussian()
    diagonal.weights = np.linalg.qr(diagonal.weights)[0] * [0.2, 0.15, 0.1]
    exact = linear_model(zoo.VAE, diagonal, posterior="exact")
    wrong = linear_model(zoo.VAE, diagonal)
    x = diagonal.simulate(50)
    truth = diagonal.log_likelihood(x)
    bound = scores.importance_weighted_bound(exact, x)
    np.testing.assert_allclose(bound.per_image, truth, atol=1e-4)
    one, many = (scores.importance_weighted_bound(wrong, x, num_samples=n).mean for n in (1, 5000))
    assert one < many - 0.5
    assert abs(many - truth.mean()) < 0.05


def test_shear_makes_a_mean_field_posterior_exact():
    """With W^T W = L^T D L and A = L^-1, the posterior of z is diagonal: the bound is log p(x)."""
    precision = LAW.weights.T @ LAW.weights
    # The Cholesky factor of the reversed matrix gives L^T D L with L unit lower-triangular.
    upper = np.linalg.cholesky(precision[::-1, ::-1])[::-1, ::-1]
    unit = (upper / np.diag(upper)).T
    shear = np.linalg.inv(unit)
    sheared = linear_gaussian()
    sheared.weights = LAW.weights @ shear
    model = linear_model(zoo.VAE, sheared, shear=shear, posterior="exact")
    x = sheared.simulate(50)
    np.testing.assert_allclose(
        scores.importance_weighted_bound(model, x).per_image,
        sheared.log_likelihood(x),
        atol=1e-4,
    )
    plain = linear_model(zoo.VAE, LAW, posterior="exact")
    gap = (
        LAW.log_likelihood(x)
        - scores.importance_weighted_bound(plain, x, num_samples=1, seed=1).per_image
    )
    assert gap.mean() > 0.01


def test_chain_reaches_the_posterior():
    model = linear_model(zoo.HMCDLGM, LAW, shear=SHEAR, num_steps=40, step_size=0.5)
    x = LAW.simulate(1)
    z, diagnostics = model.infer(tf.constant(x), 8000, samplers.as_seed(0))
    expected = gaussian_moments(LAW.posterior_mean(x)[0], LAW.posterior_covariance)
    assert np.abs(z_scores(moments(z.numpy()[:, 0]), expected)).max() < 4
    assert 0.5 < diagnostics["accept_rate"].numpy().mean() < 1


def test_decoder_gradient_is_that_of_the_log_likelihood():
    """Fisher's identity: after many transitions the decoder climbs log p(x); at z_0 it does not."""
    model = linear_model(zoo.HMCDLGM, LAW, shear=SHEAR, num_steps=30, step_size=0.5)
    images = LAW.simulate(4)
    batch = {"x": tf.constant(np.repeat(images, 200, axis=0))}

    @tf.function(autograph=False)
    def gradients(seed):
        """Minus what the decoder's bias descends, at z_M and at z_0."""
        context = model.amortise(batch, samplers.fold_in(seed, "amortise"))
        refined, _ = model.sample_latents(batch, context, samplers.fold_in(seed, "latents"))
        results = []
        for latents in (refined, context["z"]):
            with tf.GradientTape() as tape:
                objectives, _ = model.objectives(batch, context, latents, seed)
            bias = model.decoder.trainable_variables[1]
            results.append(-tape.gradient(objectives["generation"], bias))
        return tf.stack(results)

    draws = np.array([gradients(samplers.as_seed(k)) for k in range(20)])
    truth = LAW.bias_gradient(images).mean(0)
    assert np.abs(z_scores(draws[:, 0], truth)).max() < 4
    assert np.abs(z_scores(draws[:, 1], truth)).max() > 4


def test_missing_log_determinant_is_rejected():
    """The Gaussian likelihood is a density over pixels in [0, 1]; without the Jacobian not."""

    class WithoutJacobian(zoo.parts.likelihoods.Gaussian):
        def distribution(self, outputs):
            return tfp.bijectors.Inline(
                forward_fn=lambda y: (y + 1) / 2,
                inverse_fn=lambda x: 2 * x - 1,
                forward_log_det_jacobian_fn=tf.zeros_like,
                forward_min_event_ndims=0,
            )(tfp.distributions.Normal(outputs, self.scale))

    x = LAW.simulate(20)

    def deviation(likelihood):
        model = linear_model(zoo.VAE, LAW, likelihood=likelihood)
        estimate = scores.log_likelihood(model, x, num_chains=64, num_increments=50, **PROTOCOL)
        return abs(estimate.mean - LAW.log_likelihood(x).mean()) / estimate.chain_stderr

    assert deviation(zoo.parts.likelihoods.Gaussian(LAW.scale)) < 4
    assert deviation(WithoutJacobian(LAW.scale)) > 4


def test_jacobian_of_a_linear_decoder():
    """The expected image's derivative is W A / 2 in pixels in [0, 1]."""
    model = linear_model(zoo.VAE, LAW, shear=SHEAR)
    z = tf.zeros([1, 3])
    with tf.GradientTape() as tape:
        tape.watch(z)
        mean = model.likelihood(z).mean()
    jacobian = tape.jacobian(mean, z)[0, :, 0].numpy()
    np.testing.assert_allclose(
        np.linalg.svd(jacobian)[1], np.linalg.svd(LAW.weights / 2)[1], rtol=1e-5
    )


def test_geweke():
    """Alternating chain and redrawn image keeps the prior, on a small Bernoulli decoder."""
    decoder = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(10)]
    )
    decoder.set_weights(
        [
            1.5 * np.random.default_rng(k).standard_normal(w.shape)
            for k, w in enumerate(decoder.get_weights())
        ]
    )
    encoder = keras.Sequential([keras.Input((10,)), keras.layers.Dense(4)])
    model = zoo.VAE(encoder, decoder)

    def deviation(kernel):
        @tf.function(jit_compile=True, autograph=False)
        def run():
            def alternate(k, z):
                seed = samplers.fold_in(1, k)
                x = model.likelihood(z).sample(seed=samplers.fold_in(seed, "x"))[0]
                return k + 1, kernel(lambda z: model.log_joint(x, z), z, seed, 0.6, 3, 2)[0]

            z = samplers.normal([1, 20_000, 2], 0)
            return tf.while_loop(lambda k, _: k < 8, alternate, (0, z))[1]

        draws = run().numpy()[0]
        return np.abs(z_scores(moments(draws), gaussian_moments(np.zeros(2), np.eye(2)))).max() / 4

    assert deviation(tfp_kernel) < 1
    assert deviation(annealing_kernel()) < 1
    wrong = mutant("samplers.annealed", "noise < tf.exp", "noise < 2 + tf.exp")
    assert deviation(annealing_kernel(wrong)) > 1
