"""Flow posteriors: their densities by change of variables, their bounds on a known log p(x)."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from checking import z_scores
from eager import eagerly
from linear_gaussian import linear_gaussian, linear_model
from small_dvaes import wrong

import zoo
from zoo.core.checks import UsageError
from zoo.parts import flow_posteriors
from zoo.parts.posteriors import get_posterior

tfd = tfp.distributions
BATCH, SIZE = 3, 2
RNG = np.random.default_rng(0)
WIDE = np.array([[2.0, 1.5, 0.0], [0.0, 1.5, 1.0], [0.0, 0.0, 1.0]])  # correlates the latents
KINDS = {
    "planar": {"name": "planar", "num_flows": 3},
    "planar, amortised": {"name": "planar", "num_flows": 3, "amortised": True},
    "nice, permutation": {"name": "nice", "num_flows": 4, "hidden": (5,)},
    "nice, orthogonal": {"name": "nice", "num_flows": 3, "mixing": "orthogonal", "hidden": (5,)},
    "iaf": {"name": "iaf", "num_flows": 2, "hidden": (6,), "context_dim": 4},
    "iaf, no context": {"name": "iaf", "num_flows": 2, "hidden": (6,), "context_dim": 0},
}


def made(kind, module=flow_posteriors):
    """A posterior in double precision, far from where it starts; and features of a few examples."""
    arguments = dict(KINDS[kind])
    cls = {
        "planar": module.PlanarPosterior,
        "nice": module.NICEPosterior,
        "iaf": module.IAFPosterior,
    }[arguments.pop("name")]
    part = cls(**arguments, dtype="float64")
    start = part.start_features(SIZE)
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(len(start))])
    assert part.check_encoder(encoder, SIZE) == SIZE
    for variable in part.trainable_variables:
        variable.assign(variable + np.random.default_rng(1).normal(0, 0.5, variable.shape))
    features = start + RNG.normal(0, 0.5, (BATCH, len(start)))
    features[:, :SIZE] += 0.3
    features[:, SIZE : 2 * SIZE] += 2  # sigma near 1
    return part, tf.constant(features)


def total_mass(kind, module=flow_posteriors):
    """E[p(z) / q(z)] of a p narrower than q, in standard errors from 1."""
    part, features = made(kind, module)
    z, log_q, _ = part.propose(features, 20_000, 0)
    mean = tf.reduce_mean(z, 0)
    p = tfd.MultivariateNormalDiag(mean, 0.3 * tf.ones_like(mean))
    ratios = tf.exp(p.log_prob(z) - log_q).numpy()
    return np.abs(z_scores(ratios, 1.0)).max()


@pytest.mark.parametrize("kind", KINDS)
def test_draws_have_the_density_that_is_told(kind):
    assert total_mass(kind) < 4


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("planar", "log_q -= log_det", "log_q += log_det"),
        ("iaf", "log_q -= log_det", "log_q -= 0 * log_det"),
        ("planar", "log_q -= log_det", "log_q -= tf.reduce_sum(log_det, -1, keepdims=True)"),
    ],
)
def test_wrong_densities_are_rejected(kind, old, new):
    assert total_mass(kind, wrong(flow_posteriors.__name__, old, new)) > 8


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("nice")])
def test_those_with_a_density_score_any_z(kind):
    part, features = made(kind)
    z, log_q, q = part.propose(features, 5, 0)
    np.testing.assert_allclose(q.log_prob(z), log_q, rtol=1e-10)
    np.testing.assert_allclose(part.log_prob(z, features), log_q, rtol=1e-10)
    drawn = q.sample(4000, tf.constant([1, 2]))
    for told, exact in ((q.mean(), drawn.numpy().mean(0)), (q.stddev(), drawn.numpy().std(0))):
        np.testing.assert_allclose(told, exact, atol=1.0, rtol=0.6)  # of 16 draws
    np.testing.assert_array_equal(part.scale(features), q.stddev())


@pytest.mark.parametrize("kind", ["planar", "iaf"])
def test_the_others_say_that_they_do_not(kind):
    model = zoo.VAE.for_data(digits(), latent_dim=SIZE, hidden=(3,), posterior=KINDS[kind])
    assert model.protocol.start == "prior"
    with eagerly():
        assert set(model.encode(digits_x())) == {"z", "finite"}
    message = "posterior must be one that can score any z, such as 'mean_field' or 'nice'; it was a"
    with pytest.raises(UsageError, match=message):
        model.posterior_distribution({"x": tf.constant(digits_x())})
    for method in (zoo.IWAE, zoo.AnnealedVAE):
        with pytest.raises(UsageError, match=message):
            method.for_data(digits(), latent_dim=SIZE, hidden=(3,), posterior=KINDS[kind])


def take_a_step(model):
    """Eagerly."""
    model.compile(jit_compile=False)
    model.compile_chains = False
    return model.train_step({"x": tf.constant(digits_x())})


def digits():
    return zoo.data.load("digits", batch_size=50, verbose=False)


def digits_x():
    return next(iter(digits().test))["x"][:4].numpy()


@pytest.mark.parametrize("method", ["AnnealedVAE", "IWAE"])
def test_methods_that_score_any_z_take_those_that_can(method):
    model = zoo.get_method(method).for_data(
        digits(), latent_dim=SIZE, hidden=(3,), posterior=KINDS["nice, permutation"]
    )
    before = model.posterior_part.flows[1].get_weights()
    take_a_step(model)
    after = model.posterior_part.flows[1].get_weights()
    assert any((a != b).any() for a, b in zip(before, after, strict=True))


def test_the_plain_gradient_of_iwae_takes_any():
    model = zoo.IWAE.for_data(
        digits(), latent_dim=SIZE, hidden=(3,), posterior="planar", gradient="plain"
    )
    take_a_step(model)


@pytest.mark.parametrize("kind", ["planar", "iaf"])
def test_hmc_refines_any(kind):
    model = zoo.HMCDLGM.for_data(
        digits(), latent_dim=SIZE, hidden=(3,), num_steps=1, posterior=KINDS[kind]
    )
    told = take_a_step(model)
    assert 0 < told["accept_rate"] <= 1 and np.isfinite(told["bound"])
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert loaded.posterior_part.get_config() == model.posterior_part.get_config()


def test_each_model_has_its_own():
    part = get_posterior("planar", seed=-1)
    zoo.VAE.for_data(digits(), latent_dim=SIZE, hidden=(3,), posterior=part)
    with pytest.raises(UsageError, match="posterior must be another object for each model"):
        zoo.VAE.for_data(digits(), latent_dim=SIZE, hidden=(3,), posterior=part)
    for other in (keras.layers.Dense(3), object(), zoo.VAE):
        with pytest.raises(UsageError, match="posterior must be one of 'mean_field', 'planar'"):
            get_posterior(other)


@pytest.mark.parametrize("name", ["planar", "nice", "iaf"])
def test_none_is_the_mean_field_bit_for_bit(name):
    batch = {"x": tf.constant(digits_x())}
    models = [
        zoo.VAE.for_data(digits(), latent_dim=SIZE, hidden=(3,), posterior=posterior)
        for posterior in ("mean_field", {"name": name, "num_flows": 0})
    ]
    plain, flow = (model.propose(batch, 2, 0) for model in models)
    np.testing.assert_array_equal(plain.z, flow.z)
    np.testing.assert_array_equal(plain.log_q, flow.log_q)


LAW = dataclasses.replace(linear_gaussian(), weights=linear_gaussian().weights @ WIDE)


def bound_gap(posterior, num_steps=1500):
    """log p(x) less the bound of a fitted posterior of one image, and its error; in nats."""
    model, x = linear_model(zoo.VAE, LAW), LAW.simulate(1)
    batch = {"x": tf.constant(x)}
    part = get_posterior(posterior)
    start = part.start_features(model.latent_dim)
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(len(start))])
    part.check_encoder(encoder, model.latent_dim)
    features = tf.Variable(start[None].astype("f"))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, num_steps))
    variables = [features, *part.trainable_variables]
    optimizer.build(variables)

    def log_weights(num_samples, seed):
        z, log_q, _ = part.propose(features, num_samples, seed)
        return model.log_joint(batch, z) - log_q

    @tf.function(jit_compile=True, autograph=False)
    def step(k):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(log_weights(64, tf.stack([k, 0])))
        optimizer.apply(tape.gradient(loss, variables), variables)

    for k in range(num_steps):
        step(tf.constant(k))
    found = log_weights(20_000, 1).numpy()[:, 0]
    return LAW.log_likelihood(x)[0] - found.mean(), found.std() / np.sqrt(len(found))


SLOWER = (
    {"name": "planar", "num_flows": 12},
    {"name": "nice", "num_flows": 6, "mixing": "orthogonal", "hidden": (16,)},
)


@pytest.mark.parametrize(
    "posterior",
    [
        "mean_field",
        {"name": "iaf", "num_flows": 1, "hidden": (16,), "context_dim": 0},
        *(pytest.param(value, marks=pytest.mark.slow) for value in SLOWER),
    ],
    ids=lambda value: value if isinstance(value, str) else value["name"],
)
def test_flows_close_the_gap_that_the_mean_field_has_to_a_correlated_posterior(posterior):
    precision = np.linalg.inv(LAW.posterior_covariance)
    known = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    gap, stderr = bound_gap(posterior)
    assert known > 0.3 and stderr < 0.012
    expected = known if posterior == "mean_field" else 0.0
    assert abs(gap - expected) < 0.02 + 3 * stderr * (posterior == "mean_field")
