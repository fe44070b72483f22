"""What is special to short-run MCMC: its chain, who learns from it, and how its step is learned."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import gaussian_moments, moments, z_scores
from linear_gaussian import NUM_LATENTS, linear_gaussian
from small_dvaes import wrong

import layers
import samplers
import zoo
from zoo.core.abilities import defines
from zoo.models import short_run
from zoo.parts import step_size_search
from zoo.parts.step_size_search import StepSizeSearch

LAW = linear_gaussian()
IMAGE = LAW.simulate(1)
SHAPE = (4, 4, 1)
X = tf.constant(np.random.default_rng(0).random((6, *SHAPE)), tf.float32)


def linear(module=short_run, **kwargs):
    """A short-run model of LAW."""
    decoder = keras.Sequential([keras.Input((NUM_LATENTS,)), keras.layers.Dense(6)])
    decoder.set_weights([LAW.weights.T, LAW.bias])
    likelihood = zoo.parts.likelihoods.Gaussian(LAW.scale)
    model = module.ShortRun(decoder, likelihood=likelihood, **kwargs)
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    return model


def of_images(**kwargs):
    """A model of two layers."""
    decoder = layers.TopDown(SHAPE, (2, 3), width=6, seed=3)
    model = zoo.ShortRun(decoder, **{"num_steps": 4} | kwargs)
    model.compile(keras.optimizers.SGD(1e-4), jit_compile=False)
    return model


# The chain.


def closed_form(step_sizes, start=None, visible=None):
    """Mean and covariance after the steps: m <- m + s^2 / 2 (b - A m), and so on."""
    shown = LAW.weights if visible is None else LAW.weights[visible]
    centred = (2 * IMAGE[0] - 1 - LAW.bias)[slice(None) if visible is None else visible]
    precision = np.eye(NUM_LATENTS) + shown.T @ shown / LAW.scale**2
    pull = shown.T @ centred / LAW.scale**2
    mean, covariance = np.zeros(NUM_LATENTS), np.eye(NUM_LATENTS)
    for step_size in step_sizes:
        factor = np.eye(NUM_LATENTS) - step_size**2 / 2 * precision
        mean = factor @ mean + step_size**2 / 2 * pull
        covariance = factor @ covariance @ factor + step_size**2 * np.eye(NUM_LATENTS)
    return mean, covariance


def chain_error(z, *expected):
    return np.abs(z_scores(moments(z[:, 0].numpy()), gaussian_moments(*expected))).max()


def test_chains_are_the_closed_form():
    """Those of inference, of one size or one per step, and of completion, of any length."""
    sizes = (0.5, 0.4, 0.3, 0.2, 0.1)
    visible = np.array([True, False, True, True, False, False])
    batch = {"x": tf.constant(IMAGE)}
    one, several = linear(num_steps=5, step_size=0.3), linear(num_steps=5, step_size=sizes)
    assert chain_error(one.infer(batch, 10_000, 0)[0], *closed_form([0.3] * 5)) < 4
    z, _ = several.infer(batch, 10_000, 0)
    assert chain_error(z, *closed_form(sizes)) < 4 < 8 < chain_error(z, *closed_form(sizes[:2]))
    z, _ = one.complete(batch, visible, 10_000, 3, 0)
    assert chain_error(z, *closed_form([0.3] * 3, visible=visible)) < 4
    assert chain_error(z, *closed_form([0.3] * 3)) > 8
    hidden = np.where(visible, IMAGE, 1 - IMAGE)
    np.testing.assert_array_equal(one.complete({"x": hidden}, visible, 10_000, 3, 0)[0], z)
    assert one.num_completion_steps == 5


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.log_joint(batch, z, visible)", 'self.likelihood(z).log_prob(batch["x"])'),
        ("(batch, start.state, num_steps", "(batch, 0 * start.state, num_steps"),
    ],
    ids=["prior forgotten", "starts at zero"],
)
def test_wrong_chains_are_rejected(old, new):
    model = linear(wrong(short_run.__name__, old, new), num_steps=5, step_size=0.3)
    z, _ = model.infer({"x": tf.constant(IMAGE)}, 10_000, 0)
    assert chain_error(z, *closed_form([0.3] * 5)) > 8


def test_chains_do_not_see_each_other():
    model = of_images(step_size=0.1)
    z = model.infer({"x": X}, 1, 0)[0][0].numpy()
    other = model.infer({"x": tf.concat([X[:2], 1 - X[2:]], 0)}, 1, 0)[0][0].numpy()
    np.testing.assert_allclose(z[:2], other[:2], rtol=1e-6)
    assert (np.abs(z[2:] - other[2:]) > 1e-4).any(axis=1).all()


def test_generator_learns_from_the_chains_end_alone():
    """The step is that of log p(x, z) at a constant z_K: nothing comes back through the chain."""
    model, batch = of_images(), {"x": X}
    before = [v.numpy() for v in model.trainable_variables]
    seed = model.seed_of("train", model.training_step.value)
    z, _ = model.sample_latents(batch, {}, samplers.fold_in(seed, "latents"))
    with tf.GradientTape() as tape:
        objective = -tf.reduce_mean(model.log_joint(batch, tf.constant(z.numpy())))
    gradients = tape.gradient(objective, model.trainable_variables)
    model.train_step(batch)
    for old, new, gradient in zip(before, model.trainable_variables, gradients, strict=True):
        np.testing.assert_allclose(new - old, -1e-4 * gradient, rtol=1e-2, atol=1e-6)


def test_centred_latents_are_the_same_model():
    """The same images from the same noise, and the same log p(x)."""
    model, centred = of_images(), of_images(centred=True)
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
    head = centred.decoder.means[0].trainable_variables[0]
    assert tf.reduce_any(tape.gradient(value, head) != 0)


def test_scale_is_annealed():
    likelihood = {"name": "gaussian", "scale": 0.1, "annealed_from": 0.5, "annealing_steps": 4}
    model = of_images(likelihood=likelihood)
    scales = [float(model.observation_model.scale)]
    for _ in range(5):
        model.train_step({"x": X})
        scales.append(float(model.observation_model.scale))
    np.testing.assert_allclose(scales, [0.5, 0.4, 0.3, 0.2, 0.1, 0.1], rtol=1e-5)


def test_there_is_no_encoder_to_ask():
    model = of_images()
    for ability in ("posterior_distribution", "propose", "log_weights"):
        assert not defines(model, ability)
    assert model.can_be_annealed and model.protocol.start == "prior"
    assert set(model.encode(X.numpy())) == {"z", "finite"}


# The search for a step size.


def exact_objective(step_size, num_steps):
    """In closed form: E[-log p(x, z_K)] + E[log p(z_0)] - log |det|."""
    mean, covariance = closed_form([step_size] * num_steps)
    precision = np.linalg.inv(LAW.posterior_covariance)
    centred = mean - LAW.posterior_mean(IMAGE)[0]
    energy = 0.5 * (centred @ precision @ centred + np.trace(precision @ covariance))
    energy -= 0.5 * np.linalg.slogdet(precision)[1] + LAW.log_likelihood(IMAGE)[0]
    factors = 1 - step_size**2 / 2 * np.linalg.eigvalsh(precision)
    return energy - NUM_LATENTS / 2 - num_steps * np.log(np.abs(factors)).sum()


def value_error(module, log_det="exact"):
    """Of the objective, in standard errors."""
    search = module.StepSizeSearch("gradient", log_det=log_det)
    batch = {"x": tf.constant(np.repeat(IMAGE, 400, axis=0))}
    value = search.objective(linear(num_steps=3), batch, tf.constant(0.15), 0)
    return abs(z_scores(value, exact_objective(0.15, 3)))


@pytest.mark.parametrize("log_det", step_size_search.LOG_DETS)
def test_objective(log_det):
    assert value_error(step_size_search, log_det) < 4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("initial=model.prior.log_prob", "initial=lambda z: 0 * z[..., 0]"),
        ("model.log_joint(batch, z)", 'model.likelihood(z).log_prob(batch["x"])'),
    ],
    ids=["no density of the start", "prior forgotten"],
)
def test_wrong_objectives_are_rejected(old, new):
    assert value_error(wrong(step_size_search.__name__, old, new)) > 8


def test_slope_of_the_objective():
    """In log s, against the closed form: what Adam descends."""
    search = StepSizeSearch("gradient", num_images=100)
    model, batch = linear(num_steps=3), {"x": tf.constant(np.repeat(IMAGE, 200, axis=0))}
    run = tf.function(
        lambda seed: search.statistics(model, batch, tf.constant(0.15), seed), autograph=False
    )
    slopes = np.array([run(samplers.as_seed(k)) for k in range(12)])
    above, below = (exact_objective(0.15 * np.exp(d), 3) for d in (1e-4, -1e-4))
    assert abs(z_scores(slopes, (above - below) / 2e-4)) < 4 < 10 < abs(z_scores(slopes, 0.0))


def test_grid_takes_the_best_step_size_when_it_is_due():
    grid = (0.05, 0.2, 0.6)
    search = StepSizeSearch("grid", grid=grid, interval=2, num_images=50)
    model = linear(num_steps=2, step_size=0.5, step_size_search=search)
    best = grid[np.argmin([exact_objective(s, 2) for s in grid])]
    assert grid[0] < best < grid[-1]
    batch = {"x": tf.constant(np.repeat(IMAGE, 50, axis=0))}
    model.train_step(batch)
    assert model.step_size == 0.5  # not yet due
    model.train_step(batch)
    np.testing.assert_allclose(model.step_size, best)


def test_every_step_can_have_its_own_size():
    search = {"method": "gradient", "interval": 1, "num_images": 5, "entropy": "marginal"}
    search |= {"num_chains": 4, "per_step": True}
    model = linear(num_steps=3, step_size=0.1, step_size_search=search)
    model.train_step({"x": tf.constant(np.repeat(IMAGE, 5, axis=0))})
    changed = model.step_size.numpy() / 0.1 - 1
    assert changed.shape == (3,)
    assert (np.abs(changed) > 0.01).all() and (np.abs(changed) < 0.06).all()
    assert zoo.ShortRun.from_config(model.get_config()).search == model.search


def test_a_search_is_made_by_its_method():
    assert step_size_search.get_step_size_search("grid") == StepSizeSearch("grid")


def test_one_outlier_does_not_stop_the_search():
    search = StepSizeSearch("gradient")
    step_size, moments = tf.constant(0.1), tf.zeros([2])
    for count, gradient in enumerate([1e30, np.nan, -np.inf] + [-50.0] * 60, start=1):
        statistics = tf.constant(gradient, tf.float32)
        step_size, moments = search.improved(step_size, moments, statistics, tf.constant(count))
    assert step_size > 0.2


def test_bad_arguments_are_told(digits):
    tiny = {"latent_dims": (2, 3), "width": 8, "num_steps": 4}
    for message, arguments in {
        "step_size must be one number, or one for each of the 4": {"step_size": [0.1, 0.2]},
        "step_size must be greater than 0": {"step_size": -1.0},
        "method must be 'gradient' for per_step": {
            "step_size_search": {"method": "grid", "per_step": True}
        },
        "a grid is for one step size": {
            "step_size": [0.1] * 4,
            "step_size_search": {"method": "grid"},
        },
        "step_size_search does not take every; it takes": {"step_size_search": {"every": 2}},
        "method: unknown value 'gird'; did you mean 'grid'": {"step_size_search": "gird"},
        "entropy: unknown value 'margin'; did": {"step_size_search": {"entropy": "margin"}},
        "num_chains must be at least 2": {"step_size_search": {"entropy": "marginal"}},
        "blocks must be one of dense, convolution": {"blocks": "convolutions"},
        "width must be greater than 0": {"width": 0},
        "latent_dims must be greater than 0": {"latent_dims": (0,)},
    }.items():
        with pytest.raises(zoo.UsageError, match=message):
            zoo.ShortRun.for_data(digits, **tiny | arguments)


def test_searches_of_two_replicas_count_by_their_images():
    """What the first finds best wins where it has most of the images, and else what the second."""
    search = {"method": "grid", "grid": (0.1, 0.2), "interval": 1}
    model = of_images(step_size_search=search)
    for num_images, best in (([24.0, 1.0], 0.1), ([3.0, 1.0], 0.2), ([0.0, 1.0], 0.2)):
        statistics = {"step_size": [[1.0, 2.0], [4.0, 0.0]], "num_images": num_images}
        told = {name: tf.constant(value) for name, value in statistics.items()}
        np.testing.assert_allclose(model.next_state(told)[0][1], best)
