"""Discrete VAEs of 4 + 4 bits and 6 pixels, of which every sum can be taken."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import moments, z_scores
from eager import eagerly
from small_dvaes import (
    BATCH,
    LATENT_DIMS,
    images,
    log_joint,
    networks,
    small,
    wrong,
)
from small_rbms import probabilities

import zoo
from zoo.models import dvae
from zoo.parts import (
    DirectedPosterior,
    IndependentPrior,
    StandardNormalPrior,
    UndirectedPosterior,
    rbm_prior,
)

X = images()
MODELS = {
    "one group": lambda **kwargs: small(DirectedPosterior(LATENT_DIMS), **kwargs),
    "two groups": lambda **kwargs: small(
        DirectedPosterior(LATENT_DIMS, num_groups=2), relaxation="concrete", **kwargs
    ),
    "independent": lambda **kwargs: small(
        DirectedPosterior(LATENT_DIMS), prior="independent", **kwargs
    ),
    "four groups": lambda **kwargs: small(
        DirectedPosterior(LATENT_DIMS, num_groups=4), relaxation="power", **kwargs
    ),
} | {
    f"undirected, {t} increments": lambda t=t, **kwargs: small(
        UndirectedPosterior(LATENT_DIMS, num_examples=1, num_increments=t), scale=0.15, **kwargs
    )
    for t in (1, 5)
}


def exact_log_likelihood(model):
    return np.logaddexp.reduce(log_joint(model, X)[1], 0)


# Scores.


def weight_error(model):
    """Of the mean weight of many draws, which is p(x), in standard errors."""
    log_weights = model.log_weights({"x": X}, 10_000, 0)
    return np.abs(z_scores(np.exp(log_weights - exact_log_likelihood(model)), 1)).max()


@pytest.mark.parametrize("label", MODELS)
def test_weights(label):
    model = MODELS[label]()
    assert weight_error(model) < 4
    if label != "independent":  # whose log Z is no estimate
        model.prior_part.log_normalizer.assign_add(0.1)
        assert weight_error(model) > 4


def bound_change(module, num_samples=1, warmup_steps=0, seed=0):
    """What 1 nat of log Z takes from the bound in training, and from log weights."""
    arguments = {"num_samples": num_samples, "warmup_steps": warmup_steps}
    model = small(DirectedPosterior(LATENT_DIMS), module, **arguments)
    model.training_step.assign(1)
    values = []
    for _ in range(2):
        context = model.amortise({"x": X}, seed)
        objectives, metrics = model.objectives({"x": X}, context, None, seed)
        # Of several samples the objectives are surrogates, whose values mean nothing.
        climbed = -objectives["bound"] if num_samples == 1 else metrics["bound"]
        told = metrics["bound"], *model.log_weights({"x": X}, 1, seed)[0]
        values.append(np.r_[climbed, told])
        model.prior_part.log_normalizer.assign_add(1.0)
    return values[0] - values[1]


@pytest.mark.parametrize(
    ("num_samples", "warmup_steps", "weight"), [(1, 0, 1), (3, 0, 1), (1, 4, 0.25), (3, 4, 1)]
)
def test_log_normalizer_lowers_the_bound(num_samples, warmup_steps, weight):
    change = bound_change(dvae, num_samples, warmup_steps)
    np.testing.assert_allclose(change, [weight, 1, 1, 1, 1], atol=1e-4)


@pytest.mark.parametrize("sign", ["", "+"])
def test_wrong_log_normalizers_are_rejected(sign):
    line, term = "log_density(*sides)", "self.prior_part.log_normalizer_surrogate()"
    other = f"{line} + {term}" if sign else line
    change = f"{line} - {term}", other
    assert bound_change(wrong("zoo.models.dvae", *change))[0] < 0.1


# Completion.


def completion_error(model, visible, num_steps=30):
    """Of the chain's moments of z given the visible pixels, in standard errors."""

    @functools.partial(tf.function, autograph=False)
    def chain(x):
        return model.complete({"x": x}, visible, 2000, num_steps, 2)

    z, diagnostics = chain(X)
    np.testing.assert_array_equal(z, chain(tf.where(visible, X, 1 - X))[0])
    assert (diagnostics["accept_rate"].numpy() > 0.1).all()
    states, log_density = log_joint(model, X, visible)
    exact = [probabilities(p) @ moments(states) for p in log_density.T]
    scores = [z_scores(moments(z[:, b].numpy()), exact[b]) for b in range(BATCH)]
    return np.abs(scores).max()


HALF, ALL = np.arange(6) < 3, np.full(6, True)


@pytest.mark.parametrize(
    ("kind", "visible"),
    [("one group", HALF), ("four groups", ALL), ("undirected, 5 increments", HALF)],
)
def test_completion(kind, visible):
    assert completion_error(MODELS[kind](), visible) < 4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("log_ratio += self", "log_ratio -= self", id="ratio of the joint flipped"),
        pytest.param(
            *("(visible, x, pixels)", "(visible, x, 0 * pixels)"),
            id="hidden pixels 0",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("tf.where(accept[..., None], new, flat)", "new"),
            id="all accepted",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_wrong_completions_are_rejected(old, new):
    model = small(DirectedPosterior(LATENT_DIMS), wrong("zoo.models.dvae", old, new))
    assert completion_error(model, HALF) > 8


# Bad input.


def build(encoder=None, decoder=None, **kwargs):
    pair = networks()
    arguments = {"latent_dims": LATENT_DIMS, "num_particles": 10}
    return zoo.DVAE(encoder or pair[0], decoder or pair[1], **arguments | kwargs)


def dense(inputs, outputs):
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])


UNDIRECTED = {"name": "undirected", "num_examples": 10}
BAD = {
    "latent_dims must be two numbers": {"latent_dims": (3,)},
    "num_groups must be 1, or even": {"posterior": {"name": "directed", "num_groups": 3}},
    "num_groups is now given by the argument posterior": {"num_groups": 2},
    "posterior must be over latent_dims, .4, 4.; it is over .3, 5.": {
        "posterior": DirectedPosterior((3, 5))
    },
    "num_examples must be given, of the training data": {"posterior": "undirected"},
    "relaxation: unknown value 'picewise_linear'; did you mean 'piecewise_linear'": {
        "relaxation": "picewise_linear"
    },
    "relaxation: unknown value 'xyz'; known are": {"relaxation": "xyz"},
    "for an undirected posterior; it was 'power'": {
        "posterior": UNDIRECTED,
        "relaxation": "power",
    },
    r"decoder must give \(6,\), the encoder's input": {"decoder": dense(8, 5)},
    "decoder must take 8 latents": {"decoder": dense(7, 6)},
    "particles: unknown value 'persist'": {"particles": "persist"},
    "warmup_steps must be a whole number": {"warmup_steps": 2.5},
    "prior: unknown value 'rmb'; did you mean 'rbm'": {"prior": "rmb"},
    "prior must be over latent_dims, .4, 4.; it is over .3, 5.": {
        "prior": IndependentPrior((3, 5))
    },
    "kl: unknown value 'bit'; did you mean 'bits'": {"kl": "bit"},
    "kl must be 'bits' where the relaxation, PiecewiseLinear, or the": {"kl": "relaxed"},
    "kl must be 'bits' for an RBM as the prior": {"kl": "relaxed", "relaxation": "concrete"},
    "prior must be over bits, 'rbm' or 'independent'": {"prior": StandardNormalPrior()},
    "num_samples must be 1 where kl is of bits and draws of either bit overlap": {
        "num_samples": 2,
        "kl": "bits",
        "relaxation": "exponential",
    },
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input(message):
    with pytest.raises(zoo.UsageError, match=message) as error:
        build(**BAD[message])
    assert str(error.value).count(". ") == 0


def test_names_of_before():
    with pytest.raises(zoo.UsageError, match=r"'UndirectedDVAE' is now zoo.DVAE\(posterior="):
        zoo.get_method("UndirectedDVAE")


def test_latents_cannot_be_annealed():
    model = build()
    assert not model.can_be_annealed
    with pytest.raises(zoo.UsageError, match="no latents of a prior that can be annealed"):
        zoo.scores.log_likelihood(model, X)


@pytest.mark.parametrize("label", ["independent", "two groups", "undirected, 1 increments"])
def test_answers_by_weights_that_are_nan_are_told(label, monkeypatch):
    """Drawn as bits, NaN would be 0, of which the decoder makes images like others."""
    monkeypatch.setattr(rbm_prior._RBMDistribution, "num_increments", 2)
    model = MODELS[label]()
    asked = {
        "sample": (model.prior_part, lambda: model.sample(3, 0)),
        "reconstruct": (model.encoder, lambda: model.reconstruct(X, 0)),
    }
    for name, (part, ask) in asked.items():
        for variable in part.trainable_variables:
            kept = variable.numpy()
            marked = kept.copy()
            marked.flat[0] = np.nan
            variable.assign(marked)
            told = f"{name}: 3 of 3 images hold or come of numbers that are NaN"
            with eagerly(), pytest.warns(UserWarning, match=told):
                assert not ask()["finite"].any()
            variable.assign(kept)


@pytest.mark.parametrize("method", [zoo.DVAE, zoo.StructuredPrediction])
def test_undirected_posteriors_are_in_files(method, tmp_path):
    """With their chains, which go on."""
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((2, 3, 1)), layers.Flatten(), layers.Dense(5)])
    decoder = keras.Sequential([keras.Input((8,)), layers.Dense(6), layers.Reshape((2, 3, 1))])
    model = method(encoder, decoder, latent_dims=LATENT_DIMS, posterior=UNDIRECTED, num_samples=2)
    model.compile("adam", jit_compile=False)
    batch = {"x": tf.reshape(X, [3, 2, 3, 1]), "index": tf.constant([7, 0, 3])}
    model.train_step(batch)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for both in (model, loaded):
        both.train_step(batch)
    for one, other in zip(model.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_posterior_by_name_is_that_part():
    model = build(posterior=UNDIRECTED | {"num_relaxed_sweeps": 3}, num_samples=2)
    part = model.posterior_part
    assert isinstance(part, UndirectedPosterior) and part.num_relaxed_sweeps == 3
    assert set(model.fields) == {"x", "index"} and model.fields["index"].num_examples == 10
    assert part.chains.states.shape == (10, 2, 4)
    copy = zoo.DVAE.from_config(model.get_config())
    assert copy.get_config() == model.get_config()
    np.testing.assert_array_equal(copy.posterior_part.chains.states, part.chains.states)


@pytest.mark.parametrize("kind", ["posterior", "prior"])
def test_a_part_belongs_to_one_model(kind):
    parts = {"posterior": DirectedPosterior, "prior": IndependentPrior}
    part = parts[kind](LATENT_DIMS)
    build(**{kind: part})
    with pytest.raises(zoo.UsageError, match=f"{kind} must be another object for each model"):
        build(**{kind: part})
