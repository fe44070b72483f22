"""Bounds of chains with a gradient through them: HVI, L-MCVAE, A-MCVAE and UHA."""

import contextlib
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import mutant, z_scores
from linear_gaussian import (
    NUM_LATENTS,
    NUM_PIXELS,
    descended,
    diagonal,
    linear_gaussian,
    linear_model,
)
from small_dvaes import wrong

import layers
import samplers
import zoo
from zoo.models import hvi, monte_carlo_vae, uha

LAW = linear_gaussian()
IMAGES = LAW.simulate(3)
START = 0.9  # standard deviation of q, which is above those of p(z given x)
METHODS = ("HVI", "LMCVAE", "AMCVAE", "UHA")
MODULES = {
    "HVI": hvi,
    "LMCVAE": monte_carlo_vae,
    "AMCVAE": monte_carlo_vae,
    "UHA": uha,
}


def model_of(name, num_steps=3, law=LAW, module=None, flat=False, **kwargs):
    """A linear model of a method; `num_steps` of HVI are leapfrog steps."""
    method = getattr(module or MODULES[name], name)
    if name != "HVI":
        return widened(linear_model(method, law, num_steps=num_steps, **kwargs), kwargs)
    size = NUM_PIXELS + NUM_LATENTS
    size += kwargs.get("num_transitions", 1) * (kwargs.get("num_transitions", 1) > 1)

    def momenta(seed):
        network = layers.mlp((size,), (), (2 * NUM_LATENTS,), seed=seed)
        kernel, bias = network.get_weights()
        network.set_weights([kernel * (0.0 if flat else 0.3), bias])
        return network

    def made(encoder, decoder, **kwargs):
        networks = {"momentum_network": momenta(1), "reverse_network": momenta(2)}
        return method(encoder, decoder, **networks, num_leapfrog_steps=num_steps, **kwargs)

    return widened(linear_model(made, law, **kwargs), kwargs)


def widened(model, kwargs):
    if kwargs.get("posterior") != "exact":
        kernel, bias = model.encoder.get_weights()
        bias[NUM_LATENTS:] = np.log(START)
        model.encoder.set_weights([kernel, bias])
    return model


def randomise(model, seed):
    """Step sizes, temperatures, damping and momenta at random; decoder and encoder stay."""
    rng = np.random.default_rng(seed)
    kept = (model.encoder, model.decoder, model.observation_model)
    kept = {id(v) for part in kept for v in part.variables} | {id(model.training_step)}
    networks = [getattr(model, f"{name}_network", None) for name in ("momentum", "reverse")]
    networks = {id(v) for network in networks if network for v in network.variables}
    for variable in model.variables:
        if id(variable) in kept:
            continue
        if "adaptation" in variable.path:
            variable.assign(rng.uniform(0.05, 0.4, variable.shape))
        elif id(variable) in networks:
            variable.assign(rng.normal(0, 0.05, variable.shape))
        else:  # logits of step sizes up to 0.5, of temperatures and of damping
            variable.assign(rng.normal(-0.5, 1, variable.shape))


def weigher(model, num_samples=20_000):
    batch = {"x": tf.constant(IMAGES)}
    return tf.function(lambda seed: model.log_weights(batch, num_samples, seed), autograph=False)


def deviations(name, module=None, num_settings=5, **kwargs):
    """Of the mean weight from p(x), in standard errors, where enough draws count; and the bounds.

    Two arrays of [settings, images]; the second is the mean of log w minus log p(x).
    """
    model = model_of(name, module=module, **kwargs)
    weigh, found, bounds = weigher(model), [], []
    for seed in range(num_settings):
        randomise(model, seed)
        log_weights = weigh(samplers.as_seed(seed)).numpy().astype(np.float64)
        log_weights -= LAW.log_likelihood(IMAGES)
        weights = np.exp(log_weights)
        size = weights.sum(0) ** 2 / np.square(weights).sum(0)
        scores = np.abs(z_scores(weights, np.ones(len(IMAGES))))
        found.append(np.where(size >= 200, scores, np.nan))
        bounds.append(log_weights.mean(0))
    return np.array(found), np.array(bounds)


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [("HVI", {"num_transitions": 2}), *((name, {}) for name in METHODS if name != "HVI")],
)
def test_the_mean_weight_is_p_of_x_for_any_kernels(name, kwargs):
    found, bounds = deviations(name, **kwargs)
    assert np.isfinite(found).mean() > 0.8  # in so many settings enough draws count
    assert np.nanmax(found) < 4
    assert (bounds < 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("r.log_prob(end) - q.log_prob(momentum)", "q.log_prob(momentum) - r.log_prob(end)"),
        ("r.log_prob(end) - q", "r.log_prob(momentum) - q"),
    ],
    ids=["q and r swapped", "r of the momentum at the start"],
)
def test_wrong_weights_of_hvi_are_noticed(old, new):
    assert np.nanmax(deviations("HVI", wrong("zoo.models.hvi", old, new), 2)[0]) > 6


@pytest.mark.parametrize("name", METHODS)
def test_without_a_step_it_is_the_bound_of_the_vae(name):
    model, batch = model_of(name, num_steps=0), {"x": tf.constant(IMAGES)}
    seed = samplers.as_seed(4)
    vae = widened(linear_model(zoo.VAE, LAW), {})
    expected = vae.log_weights(batch, 7, samplers.fold_in(seed, "start"))
    np.testing.assert_allclose(model.log_weights(batch, 7, seed), expected, rtol=1e-6)
    # And so is a training step, which then learns nothing else.
    tf.function(model.train_step, autograph=False)(batch)
    assert len(model.trainable_variables) == len(vae.trainable_variables)


def bounds(name, steps=(0, 4, 16)):
    return [
        weigher(model_of(name, num_steps=n, step_size=0.2), 2000)(samplers.as_seed(1))
        .numpy()
        .mean()
        for n in steps
    ]


@pytest.mark.parametrize("name", ["LMCVAE", "UHA"])
def test_more_steps_of_annealing_tighten_the_bound(name):
    found, truth = bounds(name), LAW.log_likelihood(IMAGES).mean()
    assert found[0] + 0.1 < found[1] < found[2] - 0.1 < truth - 0.1


FORCES = {
    "wrong sign": ("p + fraction * s * g", "p - fraction * s * g"),
    "no half kick": ("kick(momentum, point, 0.5)),", "kick(momentum, point, 0.0)),"),
}


def spread(name, step_size=0.05):
    """Of log w about log p(x) where q is the posterior, and so nothing is to be gained."""
    law = diagonal(LAW)
    kwargs = {"flat": True} if name == "HVI" else {}
    model = model_of(name, 8, law, posterior="exact", step_size=step_size, **kwargs)
    log_weights = weigher(model, 200)(samplers.as_seed(2)).numpy()
    return np.abs(log_weights - law.log_likelihood(IMAGES)).max()


@pytest.mark.parametrize("name", METHODS)
def test_nothing_changes_what_is_the_posterior(name):
    """Energy is conserved but for the error of the leapfrog steps, if forces are right."""
    assert spread(name) < 0.05
    if name in ("AMCVAE", "LMCVAE"):
        return  # right by its choices, whatever the force; as UHA without damping
    for old, new in FORCES.values():
        with patched_leapfrog(old, new):
            assert spread(name) > 0.2
    module = MODULES[name] if name == "HVI" else monte_carlo_vae
    real = module.RecordedChain.log_joint

    def forced(self, batch, z, visible=None):
        """log p(x, z), whose gradient lacks the prior's."""
        without = self.likelihood(z).log_prob(batch["x"])
        return without + tf.stop_gradient(real(self, batch, z) - without)

    with mock.patch.object(module.RecordedChain, "log_joint", forced):
        assert spread(name) > 0.2


@contextlib.contextmanager
def patched_leapfrog(old, new):
    leapfrog = mutant("samplers.integrators", old, new).leapfrog
    with (
        mock.patch.object(samplers, "leapfrog", leapfrog),
        mock.patch("samplers.scored_paths.leapfrog", leapfrog),
    ):
        yield


# Gradients.


@contextlib.contextmanager
def double_precision():
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")  # inputs of networks
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def gradient_error(name, recompute):
    """Of every variable's gradient along a random direction, by finite differences."""
    with double_precision():
        model = model_of(name, recompute=recompute, step_size=0.2, **GRADIENT_SETTINGS[name])
    seed, x = samplers.as_seed(6), tf.constant(IMAGES, tf.float64)

    @tf.function(autograph=False)
    def objective():
        context = model.amortise({"x": x}, seed)
        return model.objectives({"x": x}, context, (), seed)[0]["elbo"]

    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        value = objective()
    found, errors = tape.gradient(value, [v.value for v in variables]), []
    rng, h = np.random.default_rng(0), 1e-5
    for variable, gradient in zip(variables, found, strict=True):
        direction, ends = rng.standard_normal(variable.shape), []
        before = variable.numpy()
        for sign in (1, -1):
            variable.assign(before + sign * h * direction)
            ends.append(float(objective()))
        variable.assign(before)
        expected = (ends[0] - ends[1]) / (2 * h)
        gradient = 0.0 if gradient is None else gradient
        errors.append(abs(np.sum(gradient * direction) - expected) / (1e-3 + abs(expected)))
    return max(errors)


GRADIENT_SETTINGS = {
    "HVI": {"num_transitions": 2},
    "UHA": {"shear": np.eye(3)},
}


@pytest.mark.parametrize("name", GRADIENT_SETTINGS)
def test_gradients_are_those_of_the_bound(name):
    assert gradient_error(name, recompute=True) < 1e-5


@pytest.mark.slow
def test_a_gradient_that_stops_in_the_leapfrog_is_noticed():
    stopped = "p + fraction * s * tf.stop_gradient(g)"
    with patched_leapfrog("p + fraction * s * g", stopped):
        assert gradient_error("HVI", recompute=False) > 1e-2


@pytest.mark.parametrize("name", METHODS)
def test_what_is_computed_once_more_is_the_same(name):
    found = []
    for recompute in (False, True):
        model = model_of(name, recompute=recompute, step_size=0.2)
        found.append(tf.nest.flatten(descended(model, IMAGES, samplers.as_seed(3))))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
