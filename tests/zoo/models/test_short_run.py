"""What is special to short-run MCMC: its chain, who learns from it, and how its step is learned."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import gaussian_moments, moments, z_scores
from linear_gaussian import NUM_LATENTS, linear_gaussian

import layers
import zoo
from zoo.parts.step_size_search import StepSizeSearch

LAW = linear_gaussian()
TINY = {"latent_dims": (2, 3), "width": 8, "num_steps": 4, "step_size": 0.1}


def linear_short_run(**kwargs):
    """A short-run model of LAW."""
    decoder = keras.Sequential([keras.Input((NUM_LATENTS,)), keras.layers.Dense(6)])
    decoder.set_weights([LAW.weights.T, LAW.bias])
    likelihood = zoo.parts.likelihoods.Gaussian(LAW.scale)
    model = zoo.ShortRun(decoder, likelihood=likelihood, **kwargs)
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    return model


def closed_form(x, step_sizes):
    """Mean and covariance after the steps: m <- m + s^2 / 2 (b - A m), and so on."""
    precision = np.linalg.inv(LAW.posterior_covariance)
    pull = precision @ LAW.posterior_mean(x)[0]
    mean, covariance = np.zeros(NUM_LATENTS), np.eye(NUM_LATENTS)
    for step_size in step_sizes:
        factor = np.eye(NUM_LATENTS) - step_size**2 / 2 * precision
        mean = factor @ mean + step_size**2 / 2 * pull
        covariance = factor @ covariance @ factor + step_size**2 * np.eye(NUM_LATENTS)
    return mean, covariance


@pytest.mark.parametrize(
    "step_size", [0.3, (0.5, 0.4, 0.3, 0.2, 0.1)], ids=["one size", "one per step"]
)
def test_inference_is_the_closed_form(step_size):
    x = LAW.simulate(1)
    model = linear_short_run(num_steps=5, step_size=step_size)
    z, _ = model.infer(tf.constant(x), 20_000, 0)
    sizes = step_size if isinstance(step_size, tuple) else [step_size] * 5
    expected = gaussian_moments(*closed_form(x, sizes))
    assert np.abs(z_scores(moments(z[:, 0].numpy()), expected)).max() < 4
    wrong = gaussian_moments(*closed_form(x, sizes[:-2]))
    assert np.abs(z_scores(moments(z[:, 0].numpy()), wrong)).max() > 4


def test_generator_learns_from_the_chains_end_alone(digits, images):
    """The step is that of log p(x, z) at a constant z_K: nothing comes back through the chain."""
    model = zoo.ShortRun.for_data(digits, **TINY)
    model.compile(keras.optimizers.SGD(1e-4), jit_compile=False)
    before = [v.numpy() for v in model.trainable_variables]
    batch = {"x": tf.constant(images)}
    seed = model.seed_of("train", model.optimizer.iterations.value)
    z, _ = model.sample_latents(batch, {}, zoo.core.trainable.samplers.fold_in(seed, "latents"))
    with tf.GradientTape() as tape:
        objective = -tf.reduce_mean(model.log_joint(images, tf.constant(z.numpy())))
    gradients = tape.gradient(objective, model.trainable_variables)
    model.train_step(batch)
    for old, new, gradient in zip(before, model.trainable_variables, gradients, strict=True):
        np.testing.assert_allclose(new - old, -1e-4 * gradient, rtol=1e-2, atol=1e-6)


def test_chains_do_not_see_each_other(digits, images):
    model = zoo.ShortRun.for_data(digits, **TINY)
    model.compile()
    z = model.encode(images, 0)["z"]
    other = model.encode(np.concatenate([images[:7], 1 - images[7:]]), 0)["z"]
    np.testing.assert_array_equal(z[:7], other[:7])
    assert (np.abs(z[7:] - other[7:]) > 1e-4).any(axis=1).all()


def test_centred_latents_are_the_same_model(digits, images):
    """The same images from the same noise, and the same log p(x)."""
    decoder = layers.TopDown(digits.shape, (2, 3), width=8, seed=3)
    model, centred = (zoo.ShortRun(decoder, centred=c, num_steps=4) for c in (False, True))
    noise = tf.random.stateless_normal([2, 3, 5], (0, 0))
    z = centred.prior.transform(noise)
    np.testing.assert_allclose(centred.decode(z), model.decode(noise), atol=1e-5)
    assert not np.allclose(z, noise)
    # p(z) dz = p(noise) d noise.
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(noise)
        z = centred.prior.transform(noise)
    _, log_det = np.linalg.slogdet(
        tf.einsum("abcabd->abcd", tape.jacobian(z, noise, experimental_use_pfor=False))
    )
    density = centred.prior.log_prob(z)
    np.testing.assert_allclose(density, model.prior.log_prob(noise) - log_det, rtol=1e-4)
    with tf.GradientTape() as tape:  # a centred prior has weights to learn
        value = tf.reduce_mean(centred.prior.log_prob(z))
    head = decoder.means[0].trainable_variables[0]
    assert tf.reduce_any(tape.gradient(value, head) != 0)


def test_scale_is_annealed(digits, images):
    likelihood = {"name": "gaussian", "scale": 0.1, "annealed_from": 0.5, "annealing_steps": 4}
    model = zoo.ShortRun.for_data(digits, likelihood=likelihood, **TINY)
    model.compile(jit_compile=False)
    scales = [float(model.pixels.scale)]
    for _ in range(5):
        model.fit(images, batch_size=50, verbose=0)
        scales.append(float(model.pixels.scale))
    np.testing.assert_allclose(scales, [0.5, 0.4, 0.3, 0.2, 0.1, 0.1], rtol=1e-5)


# The search for a step size.


def conditional_objective(x, step_size, num_steps):
    """In closed form, up to log p(x): E[-log p(x, z_K)] - (E[-log p(z_0)] + log |det|)."""
    mean, covariance = closed_form(x, [step_size] * num_steps)
    precision = np.linalg.inv(LAW.posterior_covariance)
    centred = mean - LAW.posterior_mean(x)[0]
    energy = 0.5 * (centred @ precision @ centred + np.trace(precision @ covariance))
    factors = 1 - step_size**2 / 2 * np.linalg.eigvalsh(precision)
    return energy - num_steps * np.log(np.abs(factors)).sum()


def test_grid_takes_the_best_step_size():
    x = LAW.simulate(1)
    grid = (0.02, 0.05, 0.08, 0.11, 0.15, 0.2, 0.3)
    search = StepSizeSearch("grid", grid=grid, interval=2, num_images=400)
    model = linear_short_run(num_steps=10, step_size=0.5, step_size_search=search)
    best = grid[np.argmin([conditional_objective(x, s, 10) for s in grid])]
    assert grid[0] < best < grid[-1]
    model.train_step({"x": tf.constant(np.repeat(x, 400, axis=0))})
    assert model.step_size == 0.5  # not yet due
    model.train_step({"x": tf.constant(np.repeat(x, 400, axis=0))})
    np.testing.assert_allclose(model.step_size, best)


@pytest.mark.parametrize("log_det", ["exact", "lanczos"])
def test_gradient_finds_the_best_step_size(log_det):
    x = LAW.simulate(1)
    sizes = np.geomspace(0.02, 0.3, 500)
    best = sizes[np.argmin([conditional_objective(x, s, 10) for s in sizes])]
    search = {"method": "gradient", "log_det": log_det, "num_images": 1000, "interval": 1}
    model = linear_short_run(num_steps=10, step_size=0.05, step_size_search=search)
    step = tf.function(model.train_step, autograph=False)
    for _ in range(100):
        step({"x": tf.constant(np.repeat(x, 1000, axis=0))})
    np.testing.assert_allclose(model.step_size, best, rtol=0.02)


def test_every_step_can_have_its_own_size(digits, images):
    search = {"method": "gradient", "interval": 1, "num_images": 10, "entropy": "marginal"}
    search |= {"num_chains": 8, "per_step": True}
    model = zoo.ShortRun.for_data(digits, step_size_search=search, **TINY)
    model.compile(jit_compile=False)
    model.fit(images, batch_size=50, verbose=0)
    changed = model.step_size.numpy() / 0.1 - 1
    assert (np.abs(changed) > 0.01).all() and (np.abs(changed) < 0.06).all()
    assert model.get_config()["step_size_search"]["entropy"] == "marginal"


def test_bad_arguments_are_told(digits):
    per_step = TINY | {"step_size": [0.1] * 4}
    for message, arguments in {
        "step_size must be one number, or one for each of the 4": TINY | {"step_size": [0.1, 0.2]},
        "step_size must be greater than 0": TINY | {"step_size": -1.0},
        "method must be 'gradient' for per_step": TINY
        | {"step_size_search": {"method": "grid", "per_step": True}},
        "a grid is for one step size": per_step | {"step_size_search": {"method": "grid"}},
        "step_size_search does not take this": TINY | {"step_size_search": {"every": 2}},
        "entropy: unknown value 'margin'; did": TINY | {"step_size_search": {"entropy": "margin"}},
        "num_chains must be at least 2": TINY | {"step_size_search": {"entropy": "marginal"}},
        "blocks must be one of dense, convolution": TINY | {"blocks": "convolutions"},
        "width must be greater than 0": TINY | {"width": 0},
    }.items():
        with pytest.raises(zoo.UsageError, match=message):
            zoo.ShortRun.for_data(digits, **arguments)


def test_there_is_no_encoder_to_ask(digits, images):
    model = zoo.ShortRun.for_data(digits, **TINY)
    model.compile(jit_compile=False)
    for ask in (zoo.scores.active_units, zoo.scores.log_likelihood):
        arguments = {"start": "posterior"} if ask is zoo.scores.log_likelihood else {}
        with pytest.raises(zoo.UsageError, match="has no encoder, hence no q"):
            ask(model, images[:4], verbose=False, **arguments)
    figures, _ = zoo.scores.report(
        model, images[:4], num_chains=2, num_increments=2, num_simulated=4, verbose=False
    )
    assert figures["bound"] is None and figures["importance_weighted_bound"] is None
    assert "from the prior" in figures["protocol"]


def test_one_outlier_does_not_stop_the_search():
    search = StepSizeSearch("gradient")
    step_size, moments = tf.constant(0.1), tf.zeros([2])
    for count, gradient in enumerate([1e30, np.nan, -np.inf] + [-50.0] * 60, start=1):
        evidence = tf.constant(gradient, tf.float32)
        step_size, moments = search.improved(step_size, moments, evidence, tf.constant(count))
    assert step_size > 0.2
