"""Annealed training and its special cases, on models with closed forms and against each other."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import gaussian_moments, moments, z_scores
from linear_gaussian import (
    diagonal,
    draws_of_gradients,
    gradients,
    linear_gaussian,
    linear_model,
    two_layers,
)
from small_dvaes import wrong

import samplers
import zoo
from zoo.models import annealed_vae

LAW = linear_gaussian()
STILL = {"num_increments": 1, "last_move": False}  # no move


# Special cases.


SPECIAL_CASES = {
    "VAE": (zoo.VAE, {}, STILL | {"num_samples": 1}),
    "IWAE": (zoo.IWAE, {}, STILL),
    "MH-HMC": (
        zoo.MHHMC,
        {"num_samples": 3},
        {"num_samples": 3, "schedule": "jump", "weights": "equal"},
    ),
    "MH-HMC, one chain, annealed weights": (
        zoo.MHHMC,
        {"num_samples": 1},
        {"num_samples": 1, "schedule": "jump"},
    ),
}


@pytest.mark.parametrize("name", SPECIAL_CASES)
def test_special_cases(name, digits, images):
    """With the same noise the general algorithm's gradients are those of the case, bit for bit."""
    special, own, settings = SPECIAL_CASES[name]
    x = np.round(images[:20])
    sizes = {"latent_dim": 4, "hidden": (16,)}
    case, general = (
        gradients(method.for_data(digits, **sizes, **kwargs), x)
        for method, kwargs in ((special, own), (zoo.AnnealedVAE, settings))
    )
    for group in ["generation"] if special is zoo.IWAE else ["generation", "inference"]:
        for a, b in zip(case[group], general[group], strict=True):
            np.testing.assert_array_equal(a, b)
            assert np.abs(a).max() > 0


def test_mh_hmc_is_the_mean_over_chains():
    """Written down: chains that make every move at temperature 1, and the mean of log p(x, z)."""
    model = linear_model(zoo.MHHMC, LAW, num_samples=3, num_increments=2)
    x, seed = LAW.simulate(10), samplers.as_seed(0)
    batch = {"x": tf.constant(x)}
    z, _, q = model.propose(batch, 3, samplers.fold_in(seed, "amortise"))
    result = samplers.annealed_importance_sampling(
        q.log_prob,
        lambda z: model.log_joint(batch, z),
        z,
        tf.ones([3], tf.float64),
        move=samplers.hamiltonian_move(5),
        step_size=0.1,
        seed=samplers.fold_in(seed, "latents"),
    )
    with tf.GradientTape() as tape:
        objective = -tf.reduce_mean(model.log_joint(batch, result.state))
    expected = tape.gradient(objective, model.decoder.trainable_variables)
    for a, b in zip(gradients(model, x)["generation"], expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


# Annealing.


def models(law, **arguments):
    """An annealed VAE of one layer and one of two, and the laws of their images."""
    arguments = {"num_leapfrog_steps": 2} | arguments
    return (
        (linear_model(zoo.AnnealedVAE, law, **arguments), law),
        two_layers(zoo.AnnealedVAE, **arguments),
    )


@pytest.mark.parametrize("schedule", annealed_vae.SCHEDULES)
def test_an_exact_posterior_has_no_variance(schedule):
    for model, law in models(diagonal(LAW), posterior="exact", schedule=schedule):
        batch = {"x": tf.constant(law.simulate(5))}
        context = model.amortise(batch, 0)
        latents, diagnostics = model.sample_latents(batch, context, 1)
        bound = diagnostics["importance_weighted_bound"]
        np.testing.assert_allclose(bound, law.log_likelihood(batch["x"].numpy()), atol=1e-3)
        np.testing.assert_allclose(latents.weights, 0.2, atol=1e-3)
        np.testing.assert_allclose(diagnostics["effective_sample_size"], 5, atol=1e-2)


def weights_of(model, law):
    """Annealed weights from a wrong q on a schedule of few steps, over p(x)."""
    x = law.simulate(3)
    batch = {"x": tf.constant(x)}
    result = model.anneal(batch, model.propose(batch, 4000, 0), 1)
    return np.exp(result.log_weights.numpy() - law.log_likelihood(x))


def test_mean_weight_is_the_likelihood():
    arguments = {"num_increments": 3, "step_size": 0.25}
    for model, law in models(LAW, **arguments):
        weights = weights_of(model, law)
        assert np.abs(z_scores(weights, 1.0)).max() < 4
        raw = model.log_weights({"x": tf.constant(law.simulate(3))}, 4000, 0)
        raw -= law.log_likelihood(law.simulate(3))
        assert (np.log(weights).mean(0) > np.mean(raw, 0) + 0.1).all()
    q = ("proposal.q.log_prob,", "lambda z: 0.8 * proposal.q.log_prob(z),")
    method = wrong(annealed_vae.__name__, *q).AnnealedVAE
    weights = weights_of(linear_model(method, LAW, **arguments), LAW)
    assert np.abs(z_scores(weights, 1.0)).max() > 8


def test_inferred_latents_are_those_of_the_posterior():
    """Draws of q_AIS from a wrong q; chains of equal weight that never move stay at q."""
    image = LAW.simulate(1)
    truth = gaussian_moments(LAW.posterior_mean(image)[0], LAW.posterior_covariance)
    error = {}
    for name, kwargs in {
        "annealed": {"num_samples": 4, "num_increments": 12, "step_size": 0.2},
        "weighed alone": {"num_samples": 4} | STILL,
        "moved alone": {"num_samples": 1, "num_increments": 3, "step_size": 0.2},
        "neither": {"num_samples": 4, "weights": "equal"} | STILL,
    }.items():
        model = linear_model(zoo.AnnealedVAE, LAW, **kwargs)
        z, diagnostics = model.infer({"x": tf.constant(image)}, 2000, 0)
        assert ("accept_rate" in diagnostics) == (kwargs["num_increments"] > 1)
        error[name] = np.abs(z_scores(moments(z.numpy()[:, 0]), truth)).max()
    assert error["annealed"] < 4
    assert 8 < error["weighed alone"] < error["neither"]
    assert 8 < error["moved alone"] < error["neither"]


def test_bias_falls_with_the_number_of_increments():
    """The decoder's gradient tends to that of log p(x) (Fisher's identity) as T grows."""
    image = LAW.simulate(1)
    truth = LAW.bias_gradient(image)[0]
    bias, error = {}, {}
    for num_increments in (1, 12):  # with one, there is no move
        model = linear_model(
            zoo.AnnealedVAE,
            LAW,
            num_samples=2,
            num_increments=num_increments,
            last_move=False,
            step_size=0.2,
        )
        x = np.repeat(image, 500, axis=0)
        draws = -draws_of_gradients(model, x, 24)["generation"][1]
        bias[num_increments] = np.linalg.norm(draws.mean(0) - truth)
        error[num_increments] = np.linalg.norm(draws.std(0, ddof=1)) / np.sqrt(len(draws))
    assert bias[1] > 16 * error[1]
    assert bias[12] < 4 * error[12] < 0.05 * np.linalg.norm(truth)


# Step sizes, and files.


def test_each_move_has_a_step_size_of_its_own():
    model = linear_model(zoo.AnnealedVAE, LAW, num_increments=3)
    statistics = {"accept_prob": tf.constant([[0.5, 0.9, 0.59], [0.6, 0.4, 0.6]])}
    ((variable, value),) = model.next_state(statistics)
    assert variable is model.step_size
    np.testing.assert_allclose(value, 0.1 * np.array([0.998, 1.002, 0.998]), rtol=1e-6)
    # Each is the step of its own move: one that is far too long is never accepted.
    model.step_size.assign([0.01, 30.0, 0.01])
    batch = {"x": tf.constant(LAW.simulate(20))}
    latents, _ = model.sample_latents(batch, model.amortise(batch, 0), 1)
    accepted = model.state_statistics(batch, latents, {})["accept_prob"].numpy()
    assert accepted.shape == (20, 3)
    assert (accepted[:, [0, 2]] > 0.9).all() and (accepted[:, 1] < 0.1).all()


def test_without_moves_there_is_nothing_to_adapt(tmp_path):
    """Step sizes of no number are trained, saved, loaded, and gone on with."""
    x = LAW.simulate(20)
    model = linear_model(zoo.AnnealedVAE, LAW, num_samples=2, **STILL)
    model.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    assert model.step_size.shape == (0,) and model.num_moves == 0
    checkpoints = zoo.Checkpoints(tmp_path / "checkpoints")
    history = model.fit(x, batch_size=20, verbose=0, callbacks=[checkpoints]).history
    assert not {"accept_rate", "mean_step_size"} & history.keys()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for both in (model, loaded):
        both.train_step({"x": tf.constant(x)})
    for one, other in zip(model.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    assert checkpoints.restore(model) == 1
    model.train_step({"x": tf.constant(x)})
    for one, other in zip(model.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_mistakes_are_told(digits):
    for message, method, arguments in (
        ("target_accept must be less than 1; it was 1.5", zoo.MHHMC, {"target_accept": 1.5}),
        ("step_size must be from min_step_size, 0.001", zoo.AnnealedVAE, {"step_size": 0.5}),
        ("weights: unknown value 'equals'", zoo.AnnealedVAE, {"weights": "equals"}),
        ("schedule: unknown value 'lin'; did you", zoo.AnnealedVAE, {"schedule": "lin"}),
        ("num_increments must be greater than 0", zoo.MHHMC, {"num_increments": 0}),
        ("num_leapfrog_steps must be a whole", zoo.MHHMC, {"num_leapfrog_steps": 1.5}),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            method.for_data(digits, latent_dim=4, hidden=(16,), **arguments)
