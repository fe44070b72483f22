"""Models whose prior is N(0, I): their latents are counted, and log p(x) is a sum over one."""

import types

import keras
import numpy as np
import pytest
import tensorflow_probability as tfp

import zoo
from zoo import scores
from zoo.scores.standard_normal import prior_quantiles

tfd = tfp.distributions


def networks(num_latents, num_pixels=2):
    decoder = keras.Sequential([keras.Input((num_latents,)), keras.layers.Dense(num_pixels)])
    encoder = keras.Sequential([keras.Input((num_pixels,)), keras.layers.Dense(2 * num_latents)])
    return encoder, decoder


def with_prior(law):
    class Model:
        name, prior = "other", property(lambda self: law)

    return Model()


def test_latents_are_counted():
    assert scores.num_latents(zoo.VAE(*networks(5))) == 5


@pytest.mark.parametrize(
    "model",
    [
        types.SimpleNamespace(name="other"),
        with_prior(tfd.Sample(tfd.Normal(0.0, 2.0), 3)),
        with_prior(tfd.Sample(tfd.Normal(0.5, 1.0), 3)),
        with_prior(tfd.Sample(tfd.Normal(0.0, 1.0), [3, 2])),
        with_prior(tfd.Normal(0.0, 1.0)),
    ],
)
def test_other_priors_are_refused(model):
    with pytest.raises(zoo.UsageError, match=r"with the prior N\(0, I\); 'other' has not"):
        scores.num_latents(model)


def test_quantiles():
    np.testing.assert_allclose(prior_quantiles(4), [-1.1503, -0.3186, 0.3186, 1.1503], atol=1e-4)


def test_quadrature_is_the_exact_log_likelihood():
    """One latent, a line in the plane: x ~ N(b, w w^T + s^2 I)."""
    scale, weights, bias = 0.3, np.array([[0.4, -0.2]]), np.array([0.1, 0.0])
    encoder, decoder = networks(1)
    decoder.set_weights([weights, bias])
    model = zoo.VAE(encoder, decoder, likelihood=zoo.parts.likelihoods.Gaussian(scale))
    x = np.random.default_rng(0).random((20, 2), dtype=np.float32)
    covariance = weights.T @ weights + scale**2 * np.eye(2)
    centred = 2 * x - 1 - bias
    quadratic = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(covariance), centred)
    exact = -0.5 * (quadratic + np.linalg.slogdet(2 * np.pi * covariance)[1]) + 2 * np.log(2)
    np.testing.assert_allclose(scores.quadrature_log_likelihood(model, x), exact, atol=2e-3)
