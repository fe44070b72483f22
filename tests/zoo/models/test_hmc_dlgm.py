"""What is special to the HMC-DLGM: who learns from which sample, and how the chain is tuned."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import gaussian_moments, moments, z_scores
from linear_gaussian import linear_gaussian, linear_model
from small_dvaes import wrong

import samplers
import zoo
from zoo.models import hmc_dlgm

LAW = linear_gaussian()
SHEAR = np.array([[1, 0, 0], [0.7, 1, 0], [-0.4, 0.9, 1]])


def model_of(method=zoo.HMCDLGM, **kwargs):
    return linear_model(method, LAW, shear=SHEAR, **kwargs)


# Who learns from which sample.


class OneObjective(zoo.HMCDLGM):
    """Descends one of its two objectives; the other is constant."""

    kept = None

    def objectives(self, batch, context, latents, seed):
        objectives, metrics = super().objectives(batch, context, latents, seed)
        return {k: v if k == self.kept else 0.0 * v for k, v in objectives.items()}, metrics


@pytest.mark.parametrize("kept", ["inference", "generation"])
def test_each_objective_moves_its_own_variables(kept):
    model = model_of(OneObjective, num_steps=1, max_num_leapfrog_steps=1)
    model.kept = kept
    groups = {k: {v.path for v in vs} for k, vs in model.parameter_groups.items()}
    assert groups["generation"] == {v.path for v in model.decoder.trainable_variables}
    assert groups["inference"] >= {v.path for v in model.shear.trainable_variables}
    before = {k: [v.numpy() for v in vs] for k, vs in model.parameter_groups.items()}
    model.train_step({"x": tf.constant(LAW.simulate(10))})
    for group, variables in model.parameter_groups.items():
        moved = [not np.array_equal(a, b) for a, b in zip(before[group], variables, strict=True)]
        assert all(moved) if group == kept else not any(moved)


IMAGES = LAW.simulate(3)


def refined(num_seeds=8):
    """Ends of chains of three images, [draws, 3, K]; what the decoder's bias climbs there, and at
    z_0, [seeds, 2, 6].
    """
    model = model_of(num_steps=12, step_size=0.5)
    batch = {"x": tf.constant(np.repeat(IMAGES, 100, axis=0))}

    @tf.function(autograph=False)
    def run(seed):
        context = model.amortise(batch, samplers.fold_in(seed, "amortise"))
        z, _ = model.sample_latents(batch, context, samplers.fold_in(seed, "latents"))
        climbed = []
        for latents in (z, context["proposal"].z):
            with tf.GradientTape() as tape:
                objectives, _ = model.objectives(batch, context, latents, seed)
            bias = model.decoder.trainable_variables[1]
            climbed.append(-tape.gradient(objectives["generation"], bias))
        return z[0], tf.stack(climbed)

    z, climbed = zip(*(run(samplers.as_seed(k)) for k in range(num_seeds)), strict=True)
    z = np.stack(z).reshape(num_seeds, len(IMAGES), 100, -1).swapaxes(1, 2)
    return z.reshape(-1, *z.shape[2:]), np.stack(climbed)


def moments_error(z):
    scores = [
        z_scores(moments(z[:, i]), gaussian_moments(mean, LAW.posterior_covariance))
        for i, mean in enumerate(LAW.posterior_mean(IMAGES))
    ]
    return np.abs(scores).max()


def test_chains_reach_the_posterior_and_teach_the_decoder():
    """Fisher's identity: there the decoder climbs log p(x); at z_0 it does not."""
    z, climbed = refined()
    assert moments_error(z) < 4
    truth = LAW.bias_gradient(IMAGES).mean(0)
    assert np.abs(z_scores(climbed[:, 0], truth)).max() < 4
    assert np.abs(z_scores(climbed[:, 1], truth)).max() > 8


def test_inference_is_that_of_training():
    """The chain from the encoder's own draw, with its diagnostics."""
    model = model_of(num_steps=12, step_size=0.5)
    infer = tf.function(lambda x: model.infer({"x": x}, 1000, 0), autograph=False)
    z, diagnostics = infer(tf.constant(IMAGES))
    assert moments_error(z.numpy()) < 4
    assert {k: v.shape for k, v in diagnostics.items()}.items() >= {
        "accept_rate": (3,),
        "energy_error": (3,),
    }.items()
    assert (np.abs(diagnostics["accept_rate"] - 0.9) < 0.1).all()
    assert (diagnostics["energy_error"].numpy() < 1).all()


def geweke_error(module):
    """Of the law of z after chains in turn with redrawn images, which stays the prior."""
    rng = np.random.default_rng(0)
    decoder = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(10)]
    )
    decoder.set_weights([1.5 * rng.standard_normal(w.shape) for w in decoder.get_weights()])
    encoder = keras.Sequential([keras.Input((10,)), keras.layers.Dense(4)])
    sizes = {"num_steps": 2, "step_size": 0.6, "trajectory": 1.8}
    model = module.HMCDLGM(encoder, decoder, **sizes)

    def alternate(k, z):
        seed = samplers.fold_in(1, k)
        x = model.likelihood(z).sample(seed=samplers.fold_in(seed, "x"))[0]
        features = tf.zeros([tf.shape(x)[0], 4])  # steps of one scale
        context = {"features": features, "proposal": zoo.Proposal(z, None)}
        return k + 1, model.sample_latents({"x": x}, context, seed)[0]

    @tf.function(autograph=False)
    def run():
        z = samplers.normal([1, 4000, 2], 0)
        return tf.while_loop(lambda k, _: k < 6, alternate, (0, z))[1][0]

    return np.abs(z_scores(moments(run().numpy()), gaussian_moments(np.zeros(2), np.eye(2)))).max()


def test_geweke():
    assert geweke_error(hmc_dlgm) < 4
    chain = 'lambda z: {},\n            context["proposal"].z,'
    wrong_density = 'self.likelihood(z).log_prob(batch["x"])'
    prior = chain.format("self.log_joint(batch, z)"), chain.format(wrong_density)
    assert geweke_error(wrong(hmc_dlgm.__name__, *prior)) > 8


# Step sizes.


@pytest.mark.parametrize(
    ("worst", "expected"), [(0.24, 0.1 * 0.98), (0.26, 0.1 * 1.02)], ids=["shrinks", "grows"]
)
def test_step_size_follows_the_worst_example(worst, expected):
    model = model_of()
    accept_rate = tf.constant([0.99, worst, 0.9])
    ((variable, value),) = model.next_state({"accept_rate": accept_rate})
    assert variable is model.step_size
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_number_of_leapfrog_steps():
    model = model_of()
    for step_size, steps in {1.0: 2, 0.5: 3, 0.1: 15, 0.01: 25}.items():
        model.step_size.assign(step_size)
        assert model.num_leapfrog_steps == steps


def test_step_size_adapts_in_training_alone():
    model = model_of(num_steps=1, step_size=0.8)
    batch = {"x": tf.constant(IMAGES)}
    for _ in range(2):
        metrics = model.train_step(batch)
    np.testing.assert_allclose(model.step_size, 0.8 * 1.02**2, rtol=1e-5)
    assert metrics["leapfrog_steps"] == 2
    frozen = model.step_size.numpy()
    model.test_step(batch)
    model.infer(batch, 1, 0)
    assert model.step_size == frozen


def test_steps_are_in_units_of_the_posterior():
    """With sigma(x) and the target's scale a hundred times as large, the same is accepted."""
    batch = {"x": tf.constant(IMAGES)}

    def accept_rate(units):
        model = model_of(num_steps=1, step_size=1.0)
        model.log_joint = lambda batch, z: -0.5 * tf.reduce_sum((z / (0.6 * units)) ** 2, -1)
        features = model.encoder(batch["x"]) + np.repeat([0, np.log(units)], 3).astype("f")
        z = units * samplers.normal([50, 3, 3], 1)
        scale = model.posterior_part.scale(features)
        log_joint = functools.partial(model.log_joint, batch)
        return model.refine(log_joint, z, scale, 2).accept_prob

    small, large = accept_rate(1.0), accept_rate(100.0)
    np.testing.assert_allclose(small, large, atol=1e-3)
    assert np.ptp(small) > 0.05


# Of its objective, and of chains that fail.


def test_regularisers_count_once():
    """A Keras regulariser of the decoder is descended with the decoder's own objective."""

    def step(factor):
        penalty = keras.regularizers.L2(factor)
        dense = keras.layers.Dense(6, kernel_regularizer=penalty)
        decoder = keras.Sequential([keras.Input((3,)), dense])
        decoder.set_weights([LAW.weights.T, LAW.bias])
        model = zoo.AnnealedVAE(
            model_of().encoder, decoder, likelihood="gaussian", num_increments=1, last_move=False
        )
        model.compile(keras.optimizers.SGD(0.01), jit_compile=False)
        model.train_step({"x": tf.constant(IMAGES)})
        return model.decoder.get_weights()[0] - LAW.weights.T

    change = step(0.5) - step(0.0)
    np.testing.assert_allclose(change, -0.01 * 2 * 0.5 * LAW.weights.T, atol=1e-6)


@pytest.mark.parametrize("method", [zoo.HMCDLGM, zoo.AnnealedVAE])
def test_diagnostics_tell_of_chains_that_fail(method):
    """Of steps far too long all diverge and none is accepted, and of very short ones all."""
    batch, found = {"x": tf.constant(IMAGES)}, {}
    for size in (0.01, 300.0):
        kwargs = {"step_size": size, "min_step_size": size, "max_step_size": size}
        if method is zoo.HMCDLGM:
            kwargs |= {"num_steps": 2, "max_num_leapfrog_steps": 2}
        else:
            kwargs |= {"num_samples": 1, "num_increments": 2}
        model = model_of(method, **kwargs)
        diagnostics = model.sample_latents(batch, model.amortise(batch, 0), 1)[1]
        found[size] = {k: v.numpy() for k, v in diagnostics.items()}
    assert (found[0.01]["accept_rate"] > 0.95).all() and (found[300.0]["accept_rate"] < 0.01).all()
    assert (found[0.01]["energy_error"] < 0.1).all()
    np.testing.assert_array_equal(found[0.01]["divergences"], [0, 0, 0])
    np.testing.assert_array_equal(found[300.0]["divergences"], [2, 2, 2])
