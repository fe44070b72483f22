"""Discrete VAEs of 4 + 4 bits and 6 pixels, of which every sum can be taken."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import moments, z_scores
from small_dvaes import (
    BATCH,
    DENSITIES,
    LATENT_DIMS,
    exact_log_normalizer,
    images,
    log_joint,
    networks,
    small,
    wrong,
)
from small_rbms import probabilities

import zoo
from zoo.models import dvae
from zoo.parts import binary_posteriors, rbm_prior
from zoo.parts.binary_posteriors import DirectedPosterior, RelaxedDraw, UndirectedPosterior

X = images()
MODELS = {
    "one group": lambda **kwargs: small(DirectedPosterior(LATENT_DIMS), **kwargs),
    "two groups": lambda **kwargs: small(
        DirectedPosterior(LATENT_DIMS, num_groups=2), relaxation="concrete", **kwargs
    ),
    "four groups": lambda **kwargs: small(
        DirectedPosterior(LATENT_DIMS, num_groups=4), relaxation="power", **kwargs
    ),
} | {
    f"undirected, {t} increments": lambda t=t, **kwargs: small(
        UndirectedPosterior(LATENT_DIMS, num_increments=t), scale=0.15, **kwargs
    )
    for t in (1, 5, 100)
}


def exact_log_likelihood(model):
    return np.logaddexp.reduce(log_joint(model, X)[1], 0)


# Scores.


def weight_error(model):
    """Of the mean weight of many draws, which is p(x), in standard errors."""
    log_weights = tf.function(lambda: model.log_weights(X, 10_000, 0), autograph=False)()
    return np.abs(z_scores(np.exp(log_weights - exact_log_likelihood(model)), 1)).max()


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_weights(make):
    model = make()
    assert weight_error(model) < 4
    model.rbm_prior.log_normalizer.assign_add(0.1)
    assert weight_error(model) > 4


@pytest.mark.parametrize(
    ("module", "change"),
    [
        (rbm_prior, ("log_density(*sides) - self._log_normalizer", "log_density(*sides)")),
        (rbm_prior, ("log_density(*sides) - self", "log_density(*sides) + self")),
        (dvae, ("self.log_joint(x, z) - log_q", "self.log_joint(x, z) + log_q")),
        (binary_posteriors, ("chains.z2) - log_weights", "chains.z2)")),
    ],
    ids=["log Z left out", "sign of log Z", "sign of log q", "annealing's weight left out"],
)
def test_wrong_weights_are_rejected(module, change, monkeypatch):
    changed = wrong(module.__name__, *change)
    if module is rbm_prior:
        monkeypatch.setattr(dvae, "RBMPrior", changed.RBMPrior)
    parts = changed if module is binary_posteriors else binary_posteriors
    posterior = parts.UndirectedPosterior(LATENT_DIMS, num_increments=5)
    model = small(posterior, changed if module is dvae else dvae, scale=0.15)
    assert weight_error(model) > 8


@pytest.mark.parametrize("kind", ["four groups", "undirected, 5 increments"])
def test_importance_weighted_bound(kind):
    model = MODELS[kind]()
    score = zoo.scores.importance_weighted_bound(model, X, num_samples=5000)
    assert abs(score.mean - exact_log_likelihood(model).mean()) < 4 * score.chain_stderr
    one = zoo.scores.importance_weighted_bound(model, np.repeat(X, 300, 0)).per_image
    assert one.mean() < score.mean - 0.02


def bound_change(module, num_samples=1, warmup_steps=0, seed=0):
    """What 1 nat of log Z takes from the bound in training, and from log weights."""
    arguments = {"num_samples": num_samples, "warmup_steps": warmup_steps}
    model = small(DirectedPosterior(LATENT_DIMS), module, **arguments)
    model.optimizer.iterations.assign(1)
    values = []
    for _ in range(2):
        context = model.amortise({"x": X}, seed)
        bound = model.objectives({"x": X}, context, None, seed)[1]["bound"]
        values.append(np.r_[bound, model.log_weights(X, 1, seed)[0]])
        model.rbm_prior.log_normalizer.assign_add(1.0)
    return values[0] - values[1]


@pytest.mark.parametrize(
    ("num_samples", "warmup_steps", "weight"), [(1, 0, 1), (3, 0, 1), (1, 4, 0.25), (3, 4, 0.25)]
)
def test_log_normalizer_lowers_the_bound(num_samples, warmup_steps, weight):
    change = bound_change(dvae, num_samples, warmup_steps)
    np.testing.assert_allclose(change, [weight, 1, 1, 1], atol=1e-4)


@pytest.mark.parametrize("sign", ["", " + log_normalizer"])
def test_wrong_log_normalizers_are_rejected(sign):
    line = "rbm.log_density(draw.mean1, draw.mean2)"
    assert bound_change(wrong("zoo.models.dvae", f"{line} - log_normalizer", line + sign))[0] < 0.1


# The prior of relaxed bits in DVAE#.


def relaxed_prior_gaps(module, relaxation, coupling):
    """The log of the sum over bits less what the model makes of it, at random zeta."""
    model = small(DirectedPosterior(LATENT_DIMS), module, relaxation=relaxation)
    weights = model.rbm_prior.parameters[2]
    weights.assign(coupling * weights)
    model.rbm_prior.log_normalizer.assign(exact_log_normalizer(model.rbm_prior))
    zeta = tf.random.stateless_uniform([20, BATCH, 8], [0, 0], 0.01, 0.99)
    states = log_joint(model, X)[0]
    log_prior = model.prior.log_prob(tf.constant(states, tf.float32)).numpy()
    given = [model.relaxation.log_prob_given_0(z).numpy() for z in (zeta, 1 - zeta)]
    exact = np.logaddexp.reduce(given[0] @ (1 - states.T) + given[1] @ states.T + log_prior, -1)
    return exact - model._log_prior(RelaxedDraw(zeta, zeta, zeta, 0.0)).numpy()


@pytest.mark.parametrize("relaxation", DENSITIES, ids=lambda r: r["name"])
def test_prior_of_relaxed_bits_is_a_bound(relaxation):
    """By mean field; without couplings it is exact."""
    gaps = relaxed_prior_gaps(dvae, relaxation, 1.0)
    assert gaps.min() > -1e-4
    assert 0.01 < gaps.max() < 0.5
    assert np.abs(relaxed_prior_gaps(dvae, relaxation, 0.0)).max() < 1e-4


@pytest.mark.parametrize(
    "change",
    [
        ("[b + g for", "[b - g for"),
        ("given_0 - samplers", "given_0 + samplers"),
        ("given_0 - samplers.mean", "-samplers.mean"),
        ("*means) - log_normalizer", "*means)"),
        ("*means) - log_normalizer", "*means) + log_normalizer"),
    ],
    ids=["sign of the ratio", "sign of the divergence", "no densities", "no log Z", "sign of it"],
)
def test_wrong_priors_of_relaxed_bits_are_rejected(change):
    gaps = relaxed_prior_gaps(wrong("zoo.models.dvae", *change), DENSITIES[0], 0.0)
    assert np.abs(gaps).max() > 0.1


# Completion.


def completion_error(model, visible, num_steps=30):
    """Of the chain's moments of z given the visible pixels, in standard errors."""
    chain = tf.function(lambda x: model.infer(x, 2000, 2, visible, num_steps), autograph=False)
    z, diagnostics = chain(X)
    np.testing.assert_array_equal(z, chain(tf.where(visible, X, 1 - X))[0])
    assert (diagnostics["accept_rate"].numpy() > 0.1).all()
    states, log_density = log_joint(model, X, visible)
    exact = [probabilities(p) @ moments(states) for p in log_density.T]
    scores = [z_scores(moments(z[:, b].numpy()), exact[b]) for b in range(BATCH)]
    return np.abs(scores).max()


VISIBLE = {"half": np.arange(6) < 3, "all": np.full(6, True)}


@pytest.mark.parametrize("visible", VISIBLE.values(), ids=VISIBLE)
@pytest.mark.parametrize("kind", ["one group", "four groups", "undirected, 5 increments"])
def test_completion(kind, visible):
    assert completion_error(MODELS[kind](), visible) < 4


RATIO = "rbm.log_density(z1, z2) - rbm.log_density(new1, new2)"
BACK = "rbm.log_density(new1, new2) - rbm.log_density(z1, z2)"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("zoo.parts.binary_posteriors", "return new, self.", "return new, -self."),
        ("zoo.parts.binary_posteriors", RATIO, BACK),
        ("zoo.models.dvae", "log_ratio += self", "log_ratio -= self"),
        ("zoo.models.dvae", "(visible, x, pixels)", "(visible, x, 0 * pixels)"),
    ],
    ids=["ratio of a mass", "ratio flipped", "ratio of the joint flipped", "hidden pixels 0"],
)
def test_wrong_completions_are_rejected(name, old, new):
    changed = wrong(name, old, new)
    parts, module = (changed, dvae) if "posteriors" in name else (binary_posteriors, changed)
    kind = parts.UndirectedPosterior if old == RATIO else parts.DirectedPosterior
    assert completion_error(small(kind(LATENT_DIMS), module), VISIBLE["half"]) > 8


# Bad input.


def build(method, encoder=None, decoder=None, **kwargs):
    pair = networks()
    arguments = {"latent_dims": LATENT_DIMS, "num_particles": 10}
    if method is zoo.UndirectedDVAE:
        arguments["num_examples"] = 10
    return method(encoder or pair[0], decoder or pair[1], **arguments | kwargs)


def dense(inputs, outputs):
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])


BAD = {
    "latent_dims must be two numbers": lambda: build(zoo.DVAE, latent_dims=(3,)),
    "num_groups must be 1, or even": lambda: build(zoo.DVAE, num_groups=3),
    "split sides of \\(4, 4\\) units": lambda: build(zoo.DVAE, num_groups=6),
    "relaxation: unknown value 'picewise_linear'; did you mean 'piecewise_linear'": lambda: build(
        zoo.DVAE, relaxation="picewise_linear"
    ),
    "relaxation: unknown value 'PWL'; known are": lambda: build(zoo.DVAE, relaxation="PWL"),
    "relaxation: power does not take this": lambda: build(
        zoo.DVAE, relaxation={"name": "power", "beta": -1.0}
    ),
    "for an undirected posterior; it was 'power'": lambda: build(
        zoo.UndirectedDVAE, relaxation="power"
    ),
    "decoder must give \\(6,\\), the encoder's input": lambda: build(zoo.DVAE, decoder=dense(8, 5)),
    "decoder must take 8 latents": lambda: build(zoo.DVAE, decoder=dense(7, 6)),
    "particles: unknown value 'persist'": lambda: build(zoo.DVAE, particles="persist"),
    "cannot be annealed": lambda: zoo.scores.log_likelihood(build(zoo.DVAE), X),
    "use importance_weighted_bound": lambda: zoo.scores.bidirectional(build(zoo.DVAE)),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input(message):
    with pytest.raises(zoo.UsageError, match=message) as error:
        BAD[message]()
    assert str(error.value).count(". ") == 0
