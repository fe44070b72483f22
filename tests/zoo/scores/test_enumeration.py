"""Exact scores of small discrete VAEs against importance sampling."""

import numpy as np
import pytest
import tensorflow as tf

import samplers
import zoo
from zoo import scores

TWO_GROUPS = {"name": "directed", "num_groups": 2}


def dvae(digits, **kwargs):
    """A model whose prior and networks are not symmetric any more."""
    tiny = {"latent_dims": (4, 4), "hidden": (16,), "num_particles": 20, "num_sweeps": 1}
    model = zoo.DVAE.for_data(digits, **tiny | kwargs)
    model.compile(jit_compile=False)
    for i, variable in enumerate(model.trainable_variables):
        variable.assign_add(0.1 * samplers.normal(variable.shape, i))
    model.prior_part.log_normalizer.assign(samplers.exact_log_normalizer(model.prior_rbm))
    return model


@pytest.mark.parametrize("posterior", ["directed", TWO_GROUPS, "undirected"], ids=str)
def test_exact_scores(digits, images, posterior):
    """log p(x) is that of importance sampling, and less the divergence the one-sample bound."""
    model = dvae(digits, posterior=posterior)
    x = np.round(images[:7])
    exact = scores.enumerate_latents(model, x, chunk_size=3)
    log_weights = model.log_weights({"x": tf.constant(x)}, 4000, 0).numpy()
    top = log_weights.max(0)
    weights = np.exp(log_weights - top)
    error = weights.std(0) / weights.mean(0) / 4000**0.5
    np.testing.assert_array_less(
        abs(np.log(weights.mean(0)) + top - exact.log_likelihood), 4 * error + 1e-4
    )
    if posterior != "undirected":  # whose log q at a draw has an error of its own
        error = log_weights.std(0) / 4000**0.5
        bound = exact.log_likelihood - exact.kl
        np.testing.assert_array_less(abs(log_weights.mean(0) - bound), 4 * error)
    assert (exact.kl > 0).all() and (exact.prior_kl > 0).all()
    assert ((exact.num_states >= 1) & (exact.num_states < 256)).all()


def test_the_posterior_of_pixels_that_tell_nothing_is_the_prior(digits, images):
    """So KL(q || p(z given x)) is that to the prior, whose states are counted by hand."""
    model = dvae(digits)
    model.decoder.set_weights([0 * w for w in model.decoder.get_weights()])
    exact = scores.enumerate_latents(model, images, num_images=3)
    np.testing.assert_allclose(exact.log_likelihood, -64 * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(exact.kl, exact.prior_kl, rtol=1e-6)
    z1, z2 = tf.split(samplers.binary_states(8), 2, axis=-1)
    log_prior = tf.nn.log_softmax(model.prior_rbm.log_density(z1, z2)).numpy()
    entropy = -np.sum(np.exp(log_prior) * log_prior)
    np.testing.assert_allclose(exact.num_states, np.exp(entropy), rtol=1e-4)


def test_bits_that_are_few(digits, images):
    vae = zoo.VAE.for_data(digits, latent_dim=2, hidden=(4,))
    for model in (vae, dvae(digits, latent_dims=(11, 10))):
        with pytest.raises(zoo.UsageError, match="model must have at most 20 binary latents"):
            scores.enumerate_latents(model, images)
