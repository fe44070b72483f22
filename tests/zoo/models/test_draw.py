"""What is special to DRAW: its bound in closed form by glimpses, and what it shows of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import z_scores
from small_dvaes import wrong

import samplers
import zoo
from zoo.models import draw

SHAPE = (4, 4, 1)
X = tf.constant(np.random.default_rng(0).random((3, *SHAPE)) < 0.5, tf.float32)
SMALL = {"latent_dim": 2, "num_glimpses": 3, "units": 5, "read_size": 2, "write_size": 2}


def model_of(module=draw, **kwargs):
    return module.DRAW.for_data(X.numpy(), **SMALL | kwargs)


def objective_error(module=draw):
    """Of minus the bound, from the mean of log weights at the same draws, in standard errors."""
    model, batch = model_of(module), {"x": tf.repeat(X[:1], 3000, 0)}
    model.posterior_part.gaussian.bias.assign([0.5, 0.0, -1.0, 0.3])
    context = model.amortise(batch, samplers.as_seed(0))
    z, log_q, _ = context["proposal"]
    log_weights = model.log_joint(batch, z) - log_q
    bound = model.objectives(batch, context, None, 0)[0]["elbo"]
    return np.abs(z_scores(log_weights[0], -bound))


def test_objective_is_the_bound():
    assert objective_error() < 4
    half = "kl, log_likelihood = tf.reduce_mean", "kl, log_likelihood = 0.5 * tf.reduce_mean"
    assert objective_error(wrong(draw.__name__, *half)) > 8


def gradients_of(model):
    """A function that computes those of a training step's objective."""

    def gradients():
        with tf.GradientTape() as tape:
            context = model.amortise({"x": X}, samplers.as_seed(0))
            value = model.objectives({"x": X}, context, None, 0)[0]["elbo"]
        return tape.gradient(value, model.trainable_variables)

    return gradients


@pytest.mark.parametrize("attention", [True, False])
def test_all_variables_learn(attention):
    model = model_of(attention=attention)
    found = tf.function(gradients_of(model), autograph=False)()
    for variable, gradient in zip(model.trainable_variables, found, strict=True):
        assert np.abs(gradient).max() > 0, variable.path


@pytest.mark.slow
def test_a_compiled_step_has_the_same_gradients():
    gradients = gradients_of(model_of())
    plain, compiled = (
        tf.function(gradients, autograph=False, jit_compile=xla)() for xla in (False, True)
    )
    for one, other in zip(plain, compiled, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_glimpses_add_up():
    model = model_of()
    by_glimpse = model.kl_by_glimpse({"x": X}, 0)
    assert by_glimpse.shape == (3, 3)
    kl = model.amortise({"x": X}, 0)["kl"]
    np.testing.assert_allclose(tf.reduce_sum(by_glimpse, 0), kl[0], rtol=1e-4)
    means, windows = model.draw_in_glimpses(5, 0)
    assert means.shape == (3, 5, *SHAPE)
    assert windows.centre_x.shape == (3, 5)
    z = model.prior.sample(5, samplers.as_seed(0))
    np.testing.assert_allclose(means[-1], model.expected(z), rtol=1e-5)


def test_other_generators_have_one_glimpse():
    """Of any likelihood, and of an encoder that changes the image before it is read."""
    decoder = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(16), keras.layers.Reshape(SHAPE)]
    )
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(16)])
    model = zoo.DRAW(encoder, decoder, units=4, likelihood="gaussian")
    assert model.log_weights({"x": X}, 2, 0).shape == (2, 3)
    assert model.draw_in_glimpses(2, 0)[1] is None


def test_refined_latents_are_an_option():
    model = zoo.HMCDRAW.for_data(X.numpy(), **SMALL, num_steps=2, max_num_leapfrog_steps=3)
    assert set(model.parameter_groups) == {"inference", "generation"}
    again = zoo.HMCDRAW.from_config(model.get_config())
    assert again.chain["num_steps"] == 2
    assert again.posterior_part.arguments == model.posterior_part.arguments


def test_mistakes_are_told():
    for arguments, message in (
        ({"shear": True}, "shear must be left out: DRAW has its own"),
        ({"posterior": "iaf"}, "posterior must be left out: DRAW has its own"),
        ({"num_glimpses": 0}, "num_glimpses must be greater than 0; it was 0"),
        ({"attention": "no"}, "attention must be True or False; it was 'no'"),
        ({"write_size": 2.5}, "write_size must be a whole number; it was 2.5"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            model_of(**arguments)
    with pytest.raises(zoo.UsageError, match="data must be images"):
        zoo.DRAW.for_data(np.zeros((3, 4), np.float32))
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(5)])
    with pytest.raises(zoo.UsageError, match=r"encoder must give \(16,\), the image that is read"):
        model_of(encoder=encoder)
