"""M1+M2: greedy training, which units are used, and densities of features."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import samplers
import zoo
from zoo.parts.feature_prior import replaced

DATA = zoo.data.load("digits", num_labels=100, batch_size=50, verbose=False)
SIZES = {"latent_dim": 3, "hidden": (16,)}


def vae(latent_dim=4):
    model = zoo.VAE.for_data(DATA, latent_dim=latent_dim, hidden=(16,))
    model.compile("adam", jit_compile=False)
    return model


def dead(model, unit):
    """The same model, whose posterior mean of one unit is the same for all images."""
    last = model.encoder.layers[-2]
    kernel, bias = last.get_weights()
    kernel[:, unit] = 0
    last.set_weights([kernel, bias])
    return model


def on(features, **kwargs):
    model = zoo.M1M2.for_data(DATA, features=features, **SIZES | kwargs)
    model.compile(keras.optimizers.SGD(1e-3), jit_compile=False)
    return model


BATCH = next(iter(DATA.train))


def test_a_trained_vae_stays_as_it_is():
    features = vae()
    before = [v.numpy() for v in features.variables]
    model = on(features, min_stddev=1e-3)
    assert set(model.parameter_groups) == {"bound"}
    classes = [v.numpy() for v in model.classes_model.trainable_variables]
    model.train_step(BATCH)
    for variable, value in zip(features.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    moved = [
        not np.array_equal(v, old)
        for v, old in zip(model.classes_model.trainable_variables, classes, strict=True)
    ]
    assert np.mean(moved) > 0.9


def test_one_that_is_trained_along_climbs_its_own_bound_alone():
    model = on({"latent_dim": 4, "hidden": (16,)})
    batch, seed = model.preprocess(BATCH, samplers.as_seed(0)), samplers.as_seed(1)
    with tf.GradientTape(persistent=True) as tape:
        context = model.amortise(batch, seed)
        objectives, _ = model.objectives(batch, context, None, seed)
    first, second = (model.parameter_groups[name] for name in ("features", "bound"))
    assert all(g is None for g in tape.gradient(objectives["bound"], first))
    assert all(g is None for g in tape.gradient(objectives["features"], second))
    vae_alone = model.features_model
    with tf.GradientTape() as alone:
        own = vae_alone.amortise(batch, samplers.fold_in(seed, "features"))
        objective = vae_alone.objectives(batch, own, None, seed)[0]["elbo"]
    expected = alone.gradient(objective, first)
    for one, other in zip(tape.gradient(objectives["features"], first), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_units_that_are_not_used_keep_their_prior():
    model = on(dead(vae(), 2), min_stddev=1e-3)
    assert model.units == [0, 1, 3]
    z = model.prior.sample(4000, samplers.as_seed(0)).numpy()
    assert abs(z[:, 2].mean()) < 4 / 4000**0.5
    assert abs(z[:, 2].var() - 1) < 4 * (2 / 4000) ** 0.5
    with pytest.raises(zoo.UsageError, match="min_stddev must be below the largest"):
        on(vae(), min_stddev=100.0)


def test_replaced_units():
    z, values = tf.zeros([2, 3, 5]), tf.reshape(tf.range(12.0), [2, 3, 2])
    found = replaced(z, values, [4, 1])
    np.testing.assert_array_equal(found[..., 4], values[..., 0])
    np.testing.assert_array_equal(found[..., 1], values[..., 1])
    np.testing.assert_array_equal(found[..., 0], 0)


def test_the_prior_of_features_is_normalised():
    """Of one used unit and one style it is a density of two numbers, and its draws follow it."""
    features = dead(dead(dead(vae(), 0), 1), 2)
    model = on(features, latent_dim=1, min_stddev=1e-3)
    grid = np.linspace(-15, 15, 401, dtype=np.float32)
    z_1, z_2 = np.meshgrid(grid, grid, indexing="ij")
    z = np.zeros((grid.size**2, 5), np.float32)
    z[:, 3], z[:, 4] = z_1.ravel(), z_2.ravel()
    log_others = 3 * -0.5 * np.log(2 * np.pi)
    density = np.exp(model.prior.log_prob(z).numpy().astype(np.float64) - log_others)
    cell = (grid[1] - grid[0]) ** 2
    assert density.sum() * cell == pytest.approx(1, abs=2e-3)
    draws = model.prior.sample(4000, samplers.as_seed(1)).numpy()[:, 3]
    mean = (density * z[:, 3]).sum() * cell
    variance = (density * z[:, 3] ** 2).sum() * cell - mean**2
    assert abs(draws.mean() - mean) < 4 * (variance / 4000) ** 0.5


def test_what_is_missing_is_told():
    with pytest.raises(zoo.UsageError, match="features must be given: a trained VAE"):
        zoo.M1M2.for_data(DATA, **SIZES)
    shape = DATA.shape
    with pytest.raises(zoo.UsageError, match="data must hold images, and not their shape alone"):
        zoo.M1M2.for_data(shape, features=vae(), num_classes=10, label_share=0.1, **SIZES)


def test_features_that_do_not_fit():
    two = zoo.VAE.for_data(DATA, latent_dim=4, hidden=(8,), upper_latent_dim=2, upper_hidden=(4,))
    for features, message in (
        ("runs/m1", "features must be a trained VAE, or a dictionary"),
        (two, "features must be a VAE of one layer of latents"),
        (zoo.M2.for_data(DATA, **SIZES), "features must be a VAE of one layer of latents"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            on(features)
    for units in ([0, 0, 1], [0, 7]):
        with pytest.raises(zoo.UsageError, match="units must be different numbers below 4"):
            on(vae(), units=units)
    with pytest.raises(zoo.UsageError, match="train_features must be False"):
        on(zoo.HMCDLGM.for_data(DATA, latent_dim=4, hidden=(8,)), train_features=True)


def test_a_vae_trained_along_goes_by_its_own_schedules():
    model = on({"latent_dim": 4, "hidden": (16,), "annealing_steps": 10})
    model.train_step(BATCH)
    assert int(model.features_model.training_step) == 1
    assert float(model.features_model.annealed(1.0)) == pytest.approx(0.11)
