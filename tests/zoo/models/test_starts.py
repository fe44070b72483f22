"""Chains that only infer start where the density is finite; those that are scored stay as drawn."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from eager import eagerly
from linear_gaussian import NUM_LATENTS, linear_gaussian, linear_model
from small_dvaes import LATENT_DIMS, images, networks

import samplers
import zoo
from zoo.core.annealing import Annealing
from zoo.parts import rbm_prior

LAW = linear_gaussian()
X = tf.constant(LAW.simulate(2))
BITS = images(2)
VISIBLE = np.arange(6) < 3
NUM_SAMPLES = 8


def gaussian(method, **kwargs):
    return lambda: linear_model(method, LAW, **kwargs)


def short_run(**kwargs):
    decoder = keras.Sequential([keras.Input((NUM_LATENTS,)), keras.layers.Dense(6)])
    model = zoo.ShortRun(decoder, num_steps=2, **kwargs)
    model.compile("sgd", jit_compile=False)
    return model


def bits():
    model = zoo.DVAE(*networks(), latent_dims=LATENT_DIMS, num_particles=2)
    model.compile("sgd", jit_compile=False)
    return model


@pytest.fixture(autouse=True)
def short_annealing(monkeypatch):
    """Where an RBM is drawn from; its modes do not matter here."""
    monkeypatch.setattr(rbm_prior._RBMDistribution, "num_increments", 3)


def infer(model, x):
    return model.infer({"x": x}, NUM_SAMPLES, 0)


def complete(model, x):
    return model.complete({"x": x}, VISIBLE, NUM_SAMPLES, 2, 0)


CHAINS = {
    "HMCDLGM, infer": (gaussian(zoo.HMCDLGM, num_steps=1), X, infer),
    "AnnealedVAE, infer": (gaussian(zoo.AnnealedVAE, num_increments=2), X, infer),
    "MHHMC, infer": (gaussian(zoo.MHHMC, num_increments=2), X, infer),
    "ShortRun, infer": (short_run, X, infer),
    "VAE, complete": (gaussian(zoo.VAE), X, complete),
    "ShortRun, complete": (short_run, X, complete),
    "DVAE, complete": (bits, BITS, complete),
}


def with_bad_starts(model, bad, where):
    """The model, whose density is bad there; it notes where chains start."""
    regular, seen = model.log_joint, []

    def log_joint(batch, z, visible=None):
        seen.append(z.numpy())
        return tf.where(where(z), tf.constant(bad, z.dtype), regular(batch, z, visible))

    model.log_joint = log_joint
    return model, seen


@pytest.mark.parametrize("bad", [np.nan, pytest.param(-np.inf, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("make", "x", "ask"), CHAINS.values(), ids=CHAINS)
def test_chains_start_again(make, x, ask, bad):
    """And tell how often; none is stuck, and a model without bad places draws as it did."""
    with eagerly():
        model, seen = with_bad_starts(make(), bad, lambda z: z[..., 0] > 0.5)
        z, diagnostics = ask(model, x)
        first = seen[0][..., 0] > 0.5
        assert (np.asarray(z)[..., 0] <= 0.6).any() and np.isfinite(z).all()
        assert diagnostics["restarts"].numpy().sum() >= first.sum() > 0
        assert not diagnostics["stuck"].numpy().any()
        assert ("r_hat" in diagnostics) == (ask is complete)  # by which its chains are compared
        np.testing.assert_array_equal(diagnostics["restarts"].numpy() > 0, first.any(0))


@pytest.mark.parametrize(("make", "x", "ask"), CHAINS.values(), ids=CHAINS)
def test_chains_that_find_no_start_are_counted(make, x, ask):
    with eagerly():
        model, _ = with_bad_starts(make(), np.nan, lambda z: z[..., 0] > -np.inf)
        _, diagnostics = ask(model, x)
    draws = diagnostics["stuck"].numpy()
    assert (draws >= NUM_SAMPLES).all()
    np.testing.assert_array_equal(diagnostics["restarts"], 20 * draws)


def test_scored_and_training_chains_stay_as_drawn(monkeypatch):
    """To start again would make an estimate of p(x) too high."""
    monkeypatch.setattr(samplers, "finite_start", lambda *_, **__: 1 / 0)
    model, _ = with_bad_starts(linear_model(zoo.HMCDLGM, LAW), np.nan, lambda z: z[..., 0] > 0.5)
    with eagerly():
        log_weights = Annealing(8, 2, 1, start="prior").log_weights(model, {"x": X}, 0)
        assert 0 < np.isnan(log_weights).mean() < 1
        model.train_step({"x": X})
        model.log_weights({"x": X}, 3, 0)
