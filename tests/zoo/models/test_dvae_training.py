"""What trains a discrete VAE: the gradient of several samples, and chains that go on."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import z_scores
from small_dvaes import DENSITIES, LATENT_DIMS, images, small, wrong

import layers
import samplers
import zoo
from zoo.models import dvae
from zoo.parts import binary_posteriors
from zoo.parts.binary_posteriors import DirectedPosterior

X = images()


# The gradient of several samples.


def inference_gradients(model, num_copies=4000):
    """Gradients in the features of copies of an image: of the objective, and of minus the bound."""
    x = tf.repeat(X[:1], num_copies, 0)
    features = tf.repeat(model.encoder(X[:1]), num_copies, 0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(features)
        objectives, metrics = model.objectives({"x": x}, {"parameters": features}, None, 0)
        bound = -metrics["bound"]
    values = objectives["inference"], bound
    return [num_copies * tape.gradient(value, features).numpy() for value in values]


def doubly_error(module, relaxation, warmup):
    """Of the encoder's gradient from that of the annealed bound itself, in standard errors."""
    arguments = {"num_samples": 3, "warmup_steps": 10, "relaxation": relaxation, "scale": 0.5}
    whole = wrong("zoo.parts.binary_posteriors", "held = tf.stop_gradient(logits)", "held = logits")
    gradients = []
    for which, parts in enumerate((binary_posteriors, whole)):
        model = small(parts.DirectedPosterior(LATENT_DIMS), module, **arguments)
        weights = model.rbm_prior.parameters[2]
        weights.assign(0.3 * weights)  # so that five steps of mean field are enough
        model.optimizer.iterations.assign(round(10 * warmup))
        gradients.append(inference_gradients(model)[which])
    return np.abs(z_scores(np.round(gradients[0] - gradients[1], 5), 0)).max()


@pytest.mark.parametrize("warmup", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("relaxation", DENSITIES, ids=lambda r: r["name"])
def test_encoder_gradient_is_that_of_the_annealed_bound(relaxation, warmup):
    assert doubly_error(dvae, relaxation, warmup) < 4


@pytest.mark.parametrize(
    ("change", "warmup"),
    [
        (("self.warmup * shares**2 + (1 - self.warmup) * shares", "shares**2"), 0.3),
        (("self.warmup * shares**2 + (1 - self.warmup) * shares", "shares"), 1.0),
        (("tf.nn.softmax(log_weights, 0)", "tf.nn.softmax(log_weights, 1)"), 1.0),
    ],
    ids=["squares alone", "no squares", "shares of the batch"],
)
def test_wrong_shares_are_rejected(change, warmup):
    assert doubly_error(wrong("zoo.models.dvae", *change), DENSITIES[1], warmup) > 6


def generation_error(module):
    """Of the generator's gradient from that of the bound, which it is draw by draw."""
    model = small(DirectedPosterior(LATENT_DIMS), module, num_samples=3)
    variables = model.parameter_groups["generation"]
    with tf.GradientTape(persistent=True) as tape:
        context = model.amortise({"x": X}, 0)
        objectives, metrics = model.objectives({"x": X}, context, None, 0)
        bound = -metrics["bound"]
    pairs = zip(
        *(tape.gradient(v, variables) for v in (objectives["generation"], bound)), strict=True
    )
    return max(np.abs(a - b).max() for a, b in pairs)


def test_generator_gradient_is_that_of_the_bound():
    assert generation_error(dvae) < 1e-5
    axis = ("tf.nn.softmax(log_weights, 0)", "tf.nn.softmax(log_weights, 1)")
    assert generation_error(wrong("zoo.models.dvae", *axis)) > 0.01


# Chains.


class Drift(zoo.UndirectedDVAE):
    """In place of Gibbs sweeps: every visit adds the image's mean, twice to the second chain."""

    def sample_latents(self, batch, context, seed):
        start = tf.transpose(
            tf.gather(tf.convert_to_tensor(self.chains), batch["index"]), [1, 0, 2]
        )
        mean = tf.reduce_mean(batch["x"], [1, 2, 3])
        return start + tf.constant([1.0, 2.0])[:, None, None] * mean[:, None], {}

    def prepare_scores(self, seed):
        return {}


def test_chains_follow_the_examples(digits):
    """Through two epochs in different orders; examples left out of an epoch stay."""
    arguments = zoo.UndirectedDVAE.tiny | {"num_samples": 2, "likelihood": "gaussian"}
    model = Drift.for_data(digits, **arguments)
    model.compile(keras.optimizers.SGD(1e-9), jit_compile=False)
    start = model.chains.numpy()
    added = np.zeros(len(start))
    for epoch in range(2):
        zoo.core.pipeline.epoch_variable().assign(epoch)
        for batch in digits.train:
            added[batch["index"]] += batch["x"].numpy().mean((1, 2, 3))
    zoo.core.pipeline.epoch_variable().assign(0)
    model.fit(digits.train, epochs=2, verbose=0)
    assert (added == 0).any()  # a last batch that is not full is left out
    expected = start + added[:, None, None] * np.array([1, 2])[:, None]
    np.testing.assert_allclose(model.chains, expected, rtol=1e-5, atol=1e-6)


def test_chains_are_saved(digits, tmp_path, monkeypatch):
    """Of two samples, and the particles; what goes on from a file is what goes on."""
    monkeypatch.setattr(zoo.UndirectedDVAE, "prepare_scores", lambda *_: {})
    model = zoo.UndirectedDVAE.for_data(digits, **zoo.UndirectedDVAE.tiny | {"num_samples": 2})
    model.compile(jit_compile=False)
    start = model.chains.numpy()
    history = model.fit(digits.train.take(2), verbose=0).history
    assert 1 < history["effective_sample_size"][0] < 2
    assert set(np.unique(model.chains)) == {0, 1}
    assert 0 < (model.chains.numpy() != start).any((1, 2)).sum() <= 2 * 50
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is zoo.UndirectedDVAE
    for both in (model, loaded):
        both.fit(digits.train.take(2), verbose=0)
    for one, other in zip(model.variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_log_normalizer_is_fresh_in_validation(digits):
    """And in the end, though persistent particles do not tell it."""
    model = zoo.DVAE.for_data(digits, **zoo.DVAE.tiny | {"particles": "persistent"})
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    errors = []

    def compare(logs=None):
        exact = samplers.exact_log_normalizer(model.rbm_prior.rbm)
        errors.append(float(exact - model.rbm_prior.log_normalizer))

    compared = keras.callbacks.LambdaCallback(on_test_end=compare)
    model.fit(
        digits.train, validation_data=digits.validation, epochs=2, callbacks=[compared], verbose=0
    )
    compare()
    assert len(errors) == 3 and np.abs(errors).max() < 0.05
    assert abs(float(model.rbm_prior.log_normalizer) - 8 * np.log(2)) > 0.1


def test_networks_start_at_the_mean_image(digits, images):
    model = zoo.DVAE.for_data(digits, **zoo.DVAE.tiny)
    mean = digits.mean_image
    assert mean.shape == digits.shape and 0.2 < mean.mean() < 0.4
    bias = model.decoder.get_weights()[-1].reshape(mean.shape)
    inner = (mean > 1e-3) & (mean < 1 - 1e-3)
    np.testing.assert_allclose(tf.sigmoid(bias)[inner], mean[inner], rtol=1e-4)
    arguments = {"activation": "tanh", "layer_normalisation": True, "input_mean": mean}
    expected = layers.mlp(digits.shape, zoo.DVAE.tiny["hidden"], None, **arguments)
    np.testing.assert_allclose(model.encoder(images), expected(images), rtol=1e-5, atol=1e-6)
