"""Bounds of chains with a gradient through them: HVI, L-MCVAE, A-MCVAE and UHA."""

import contextlib
import functools
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
    no_prior = lambda self, batch, z, visible=None: self.likelihood(z).log_prob(batch["x"])  # noqa: E731
    real = module.RecordedChain.log_joint

    def forced(self, batch, z, visible=None):
        """log p(x, z), whose gradient lacks the prior's."""
        without = no_prior(self, batch, z)
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


@pytest.mark.parametrize("name", GRADIENT_SETTINGS)
def test_a_gradient_that_stops_in_the_leapfrog_is_noticed(name):
    stopped = "p + fraction * s * tf.stop_gradient(g)"
    with patched_leapfrog("p + fraction * s * g", stopped):
        assert gradient_error(name, recompute=False) > 1e-2


@pytest.mark.parametrize("name", METHODS)
def test_what_is_computed_once_more_is_the_same(name):
    found = []
    for recompute in (False, True):
        model = model_of(name, recompute=recompute, step_size=0.2)
        found.append(tf.nest.flatten(descended(model, IMAGES, samplers.as_seed(3))))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


# A-MCVAE: the gradient of an expectation over what is accepted.

STEP, NODES = 0.9, 61
BETAS = {1: [0.5], 2: [1 / 3, 2 / 3]}


def one_latent():
    """q(z given x) = N(0.2, 0.5^2) and x ~ N(0.6 z + 0.1, 0.3^2), of one pixel and one latent."""
    encoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    encoder.set_weights([np.zeros((1, 2)), np.array([0.2, np.log(0.5)])])
    decoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    decoder.set_weights([np.array([[0.6]]), np.array([0.1])])
    return encoder, decoder


X = 0.7


def enumerated(num_steps):
    """The gradient of E[log w] over the biases of encoder and decoder, and the weight: exactly.

    Written anew: an integral over all normal noise, and a sum over all accept patterns.
    """
    nodes = np.linspace(-5, 5, NODES)
    weight = np.exp(-(nodes**2) / 2)
    grid = np.meshgrid(*[nodes] * (num_steps + 1), indexing="ij")
    mass = functools.reduce(np.multiply.outer, [weight / weight.sum()] * (num_steps + 1)).ravel()
    noise = [tf.constant(g.ravel()) for g in grid]
    biases = tf.Variable([0.2, np.log(0.5), 0.1, 0.6], dtype=tf.float64)
    with tf.GradientTape() as tape:
        mean, log_scale, bias, slope = tf.unstack(tf.convert_to_tensor(biases))

        def log_q(z):
            return -(((z - mean) / tf.exp(log_scale)) ** 2) / 2 - log_scale

        def log_p(z):
            return -(z**2) / 2 - ((2 * X - 1 - slope * z - bias) / 0.3) ** 2 / 2

        def log_f(z, beta):
            return (1 - beta) * log_q(z) + beta * log_p(z)

        def force(z, beta):
            of_q = -(z - mean) / tf.exp(2 * log_scale)
            return (1 - beta) * of_q + beta * (-z + slope * (2 * X - 1 - slope * z - bias) / 0.09)

        def expected(z, t, log_weight):
            """Of the rest of the path, over what is accepted."""
            if t == num_steps:
                return log_weight + log_p(z)
            beta, p = BETAS[num_steps][t], noise[t + 1]
            half = p + STEP / 2 * force(z, beta)
            new = z + STEP * half
            end = half + STEP / 2 * force(new, beta)
            ratio = log_f(new, beta) - end**2 / 2 - log_f(z, beta) + p**2 / 2
            accept = tf.exp(tf.minimum(ratio, 0.0))
            kept = log_f(z, beta) - log_f(new, beta)
            return accept * expected(new, t + 1, log_weight + kept) + (1 - accept) * expected(
                z, t + 1, log_weight
            )

        start = mean + tf.exp(log_scale) * noise[0]
        value = tf.reduce_sum(mass * expected(start, 0, -log_q(start)))
    return tape.gradient(value, biases).numpy()


def estimated(num_steps, module=monte_carlo_vae, num_images=4000, num_seeds=20, num_samples=2):
    """Draws of the model's own estimate of that gradient, each a mean over images: [seeds, 4]."""
    encoder, decoder = one_latent()
    model = module.AMCVAE(
        encoder,
        decoder,
        likelihood=zoo.parts.likelihoods.Gaussian(0.3),
        num_steps=num_steps,
        num_samples=num_samples,
        step_size=STEP,
        max_step_size=1.0,
    )
    x = tf.fill([num_images, 1], X)

    @tf.function(autograph=False)
    def step(seed):
        with tf.GradientTape() as tape:
            context = model.amortise({"x": x}, seed)
            objective = model.objectives({"x": x}, context, (), seed)[0]["elbo"]
        variables = [v.value for v in model.trainable_variables]
        return tape.gradient(objective, variables)

    rows = []
    for seed in range(num_seeds):
        by_path = {
            v.path: g
            for v, g in zip(model.trainable_variables, step(samplers.as_seed(seed)), strict=True)
        }
        encoder_bias, decoder_bias, kernel = (
            by_path[v.path] for v in (encoder.weights[1], decoder.weights[1], decoder.weights[0])
        )
        rows.append(-np.concatenate([encoder_bias, decoder_bias, np.ravel(kernel)]))
    return np.array(rows)


@pytest.mark.parametrize("num_steps", [1, 2])
def test_the_adjusted_gradient_is_that_of_the_expectation(num_steps):
    found = estimated(num_steps, num_samples=num_steps)  # one alone, and two with their control
    assert np.abs(z_scores(found, enumerated(num_steps))).max() < 4


def test_a_missing_score_term_is_noticed():
    old, new = 'objectives["elbo"] - score', 'objectives["elbo"]'
    draws = estimated(1, wrong("zoo.models.monte_carlo_vae", old, new))
    assert np.abs(z_scores(draws, enumerated(1))).max() > 8


def test_the_control_variate_takes_variance_away():
    paired = estimated(1, num_samples=2, num_images=1000)
    module = wrong(
        "zoo.models.monte_carlo_vae", "others / (self.num_samples - 1)", "tf.zeros_like(others)"
    )
    alone = estimated(1, module, num_samples=2, num_images=1000)
    assert (paired.var(0) < alone.var(0)).all()


# HVI: networks that it makes, and those that are given.

DIGITS = np.random.default_rng(0).random((20, 4, 4, 1)).astype(np.float32)


def test_hvi_without_an_inference_network():
    """q(z_0) and q(v') are one law each, of both layers; r looks at x; and all of it learns."""
    model = zoo.HVI.for_data(
        DIGITS,
        latent_dim=3,
        hidden=(8,),
        upper_latent_dim=2,
        upper_hidden=(4,),
        num_transitions=2,
        inference_network=False,
    )
    model.compile("adam", jit_compile=False)
    features = model.features(tf.constant(DIGITS)).numpy()
    assert (features == features[0]).all()
    z = samplers.normal([1, 20, 5], 0)
    momenta = [
        model.momenta(network, tf.constant(DIGITS), z, 1).mean().numpy()
        for network in (model.momentum_network, model.reverse_network)
    ]
    assert (momenta[0] == 0).all() and (momenta[1] == 0).all()  # at the start
    before = {v.path: v.numpy() for v in model.trainable_variables}
    model.fit(DIGITS, epochs=3, batch_size=10, verbose=0)
    assert all((before[v.path] != v.numpy()).any() for v in model.trainable_variables)
    loaded = zoo.HVI.from_config(model.get_config())
    assert [v.shape for v in loaded.variables] == [v.shape for v in model.variables]


def test_networks_of_hvi_that_do_not_fit():
    layer = keras.layers.Dense(6)
    wrong_size = keras.Sequential([keras.Input((19,)), layer])
    right_size = keras.Sequential([keras.Input((19,)), keras.layers.Dense(6)])
    given = {"latent_dim": 3, "hidden": (8,)}
    for kwargs, message in (
        ({"momentum_network": layers.mlp((18,), (), (6,))}, r"must map \(19,\) .* maps \(18,\)"),
        ({"reverse_network": layers.mlp((19,), (), (3,))}, r"to \(6,\); it maps .* to \(3,\)"),
        ({"momentum_network": wrong_size, "reverse_network": wrong_size}, "must share no layer"),
        ({"inference_network": False, "momentum_network": right_size}, "must be left out without"),
        ({"step_size": 0.5}, "step_size must be less than max_step_size, 0.5; it was 0.5"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            zoo.HVI.for_data(DIGITS, **given, **kwargs)
    decoder = layers.mlp((7,), (8,), (4, 4, 1))
    encoder = layers.mlp((4, 4, 1), (8,), (14,))
    assert zoo.HVI.for_data(DIGITS, encoder=encoder, decoder=decoder).latent_dim == 7
