"""What is special to the ladder VAE: its bound in closed form by layers, and its warm-up."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import z_scores
from small_dvaes import wrong

import layers
import samplers
import zoo
from zoo.models import ladder_vae
from zoo.parts.gaussians import diagonal_gaussian

SHAPE, DIMS = (4, 4, 1), (2, 3)
X = tf.constant(np.random.default_rng(0).random((3, *SHAPE)), tf.float32)


@functools.cache
def networks(initial_stddev):
    """Which no test changes."""
    encoder = layers.bottom_up(SHAPE, DIMS, width=6, initial_stddev=initial_stddev, seed=1)
    return encoder, layers.TopDown(SHAPE, DIMS, width=6, seed=1)


def ladder(module=ladder_vae, initial_stddev=0.8, **kwargs):
    kwargs = {"likelihood": {"name": "gaussian", "scale": 1.0}} | kwargs
    model = module.LadderVAE(*networks(initial_stddev), **kwargs)
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    return model


def test_one_layer_is_the_vae():
    """In its weights, and with the KL in closed form in its gradient."""
    decoder = layers.TopDown(SHAPE, (4,), width=8)
    encoder = layers.bottom_up(SHAPE, (4,), width=8)
    one, two = (m(encoder, decoder, likelihood="gaussian") for m in (zoo.LadderVAE, zoo.VAE))
    weights = [model.log_weights({"x": X}, 3, 0) for model in (one, two)]
    np.testing.assert_allclose(*weights, rtol=1e-5)
    with tf.GradientTape(persistent=True) as tape:
        context = one.amortise({"x": X}, 0)
        objective, metrics = one.objectives({"x": X}, context, None, 0)
        q = two.posterior_distribution({"x": X})
        kl = q.kl_divergence(diagonal_gaussian(tf.zeros([4]), tf.ones([4])))
        log_p = two.likelihood(context["proposal"].z).log_prob(X)
        expected = tf.reduce_mean(kl - log_p)
    np.testing.assert_allclose(metrics["kl"], tf.reduce_mean(kl), rtol=1e-4)
    np.testing.assert_allclose(metrics["bound"], -expected, rtol=1e-5)
    for v in one.trainable_variables:
        a, b = tape.gradient(objective["elbo"], v), tape.gradient(expected, v)
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def objective_error(module):
    """Of minus the bound, from the mean of log weights at the same draws, in standard errors."""
    model = ladder(module)
    batch = {"x": tf.repeat(X[:1], 3000, 0)}
    context = model.amortise(batch, 0)
    z, log_q, _ = context["proposal"]
    log_weights = model.log_joint(batch, z) - log_q
    bound = model.objectives(batch, context, None, 0)[0]["elbo"]
    return np.abs(z_scores(log_weights[0], -bound))


def test_objective_is_the_bound():
    assert objective_error(ladder_vae) < 4
    wrong_sign = ("self.warmup * kl - log_likelihood", "-self.warmup * kl - log_likelihood")
    assert objective_error(wrong(ladder_vae.__name__, *wrong_sign)) > 8


def test_weights_are_those_of_the_model():
    """The mean weight is p(x), which draws of the prior tell, too, of wide pixels."""
    model = ladder(initial_stddev=2.0)  # wider than p(z given x)
    weights = tf.exp(model.log_weights({"x": X}, 5000, 0))
    z = model.prior.sample([20_000, 3], samplers.as_seed(1))
    likelihood = tf.exp(model.likelihood(z).log_prob(X))
    means, errors = zip(
        *((np.mean(w, 0), np.std(w, 0) / len(w) ** 0.5) for w in (weights, likelihood)),
        strict=True,
    )
    assert (np.abs(means[0] - means[1]) < 4 * np.hypot(*errors)).all()
    assert (errors[0] < 0.1 * means[0]).all()


def test_warmup_weighs_the_kl():
    """It is 1 in evaluation, and in the metric."""
    model, found = ladder(warmup_steps=4), []
    for _ in range(6):
        metrics = {k: float(v) for k, v in model.train_step({"x": X}).items()}
        found.append((metrics["elbo_objective"] + metrics["bound"]) / metrics["kl"] + 1)
        model.reset_metrics()  # those of an epoch
    np.testing.assert_allclose(found, [0, 0.25, 0.5, 0.75, 1, 1], atol=1e-3)


@pytest.mark.parametrize(("blocks", "hierarchical"), [("dense", False), ("convolution", True)])
def test_all_variables_learn(blocks, hierarchical, digits, images):
    arguments = {"latent_dims": (2, 2, 2), "width": 4, "blocks": blocks}
    model = zoo.LadderVAE.for_data(digits, hierarchical=hierarchical, **arguments)
    batch = {"x": tf.constant(images[:5])}
    with tf.GradientTape() as tape:
        value = model.objectives(batch, model.amortise(batch, 0), None, 0)[0]["elbo"]
    for variable, gradient in zip(
        model.trainable_variables, tape.gradient(value, model.trainable_variables), strict=True
    ):
        assert np.abs(gradient).max() > 0, variable.path


def test_mistakes_are_told():
    for name in ("posterior", "prior", "shear", "annealing_steps"):
        with pytest.raises(zoo.UsageError, match=f"{name} must be left out: a ladder VAE has its"):
            ladder(**{name: None})
    with pytest.raises(zoo.UsageError, match="warmup_steps must be a whole number"):
        ladder(warmup_steps=1.5)
    model = ladder(warmup_steps=3)
    assert zoo.LadderVAE.from_config(model.get_config()).warmup_steps == 3
