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
from zoo.parts import DirectedPosterior, UndirectedPosterior, directed_posterior

X = images()


# The gradient of several samples.


def inference_gradients(model, num_copies=4000):
    """Gradients in the features of copies of an image: of the objective, and of minus the bound."""
    x = tf.repeat(X[:1], num_copies, 0)
    features = tf.repeat(model.encoder(X[:1]), num_copies, 0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(features)
        objectives, metrics = model.objectives({"x": x}, {"parameters": features}, None, 0)
        bound = -tf.reduce_mean(metrics["importance_weighted_bound"])
    values = objectives["inference"], bound
    return [num_copies * tape.gradient(value, features).numpy() for value in values]


CONCRETE = {"name": "concrete", "beta": 1.5}


def doubly_error(module, relaxation, warmup, num_groups=1, posteriors=directed_posterior):
    """Of the encoder's gradient from that of the annealed bound itself, in standard errors."""
    arguments = {"num_samples": 3, "warmup_steps": 10, "relaxation": relaxation, "scale": 0.5}
    arguments |= {"prior": "independent" if relaxation == CONCRETE else "rbm", "kl": "relaxed"}
    held = ("held = self._held(zeta, logits)", "held = logits")
    whole = wrong(directed_posterior.__name__, *held)
    gradients = []
    # What is reported has no warm-up in it.
    warm = ("log_mean_exp(log_likelihood - kl)", "log_mean_exp(log_weights)")
    annealed = wrong("zoo.models.dvae", *warm)
    for which, (parts, of) in enumerate(((posteriors, module), (whole, annealed))):
        model = small(parts.DirectedPosterior(LATENT_DIMS, num_groups=num_groups), of, **arguments)
        if relaxation != CONCRETE:
            weights = model.prior_part.parameters[2]
            weights.assign(0.3 * weights)  # so that five steps of mean field are enough
        model.training_step.assign(round(10 * warmup))
        gradients.append(inference_gradients(model)[which])
    return np.abs(z_scores(np.round(gradients[0] - gradients[1], 5), 0)).max()


@pytest.mark.parametrize(
    ("relaxation", "warmup", "num_groups"),
    [(DENSITIES[0], 0.3, 1), (DENSITIES[1], 0.0, 1), (CONCRETE, 0.3, 1), (CONCRETE, 1.0, 4)],
)
def test_encoder_gradient_is_that_of_the_annealed_bound(relaxation, warmup, num_groups):
    assert doubly_error(dvae, relaxation, warmup, num_groups) < 4


def test_groups_that_hold_what_they_have_seen_are_rejected():
    held = "held = self._held(zeta, logits)", "held = tf.stop_gradient(logits)"
    posteriors = wrong(directed_posterior.__name__, *held)
    assert doubly_error(dvae, CONCRETE, 1.0, 4, posteriors) > 6


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
        bound = -tf.reduce_mean(metrics["importance_weighted_bound"])
    pairs = zip(
        *(tape.gradient(v, variables) for v in (objectives["generation"], bound)), strict=True
    )
    return max(np.abs(a - b).max() for a, b in pairs)


def test_generator_gradient_is_that_of_the_bound():
    assert generation_error(dvae) < 1e-5
    axis = ("tf.nn.softmax(log_weights, 0)", "tf.nn.softmax(log_weights, 1)")
    assert generation_error(wrong("zoo.models.dvae", *axis)) > 0.01


# Chains.


class Drift(UndirectedPosterior):
    """In place of Gibbs sweeps: every visit adds the image's mean, twice to the second chain."""

    def sample_latents(self, parameters, batch, seed):
        start = tf.transpose(self.chains.at(batch["index"]), [1, 0, 2])
        mean = tf.reduce_mean(batch["x"], 1)
        return start + tf.constant([1.0, 2.0])[:, None, None] * mean[:, None]


def test_chains_follow_the_examples():
    """A visit moves both chains of an example, whatever its place in the batch."""
    model = small(Drift(LATENT_DIMS, num_examples=10), num_samples=2, likelihood="gaussian")
    start = model.posterior_part.chains.states.numpy()
    x, added = np.random.default_rng(0).random((10, 6), np.float32), np.zeros(10)
    for index in ([3, 0, 7], [7, 1, 2]):
        model.train_step({"x": tf.constant(x[index]), "index": tf.constant(index)})
        added[index] += x[index].mean(1)
    expected = start + added[:, None, None] * np.array([1, 2])[:, None]
    np.testing.assert_allclose(model.posterior_part.chains.states, expected, rtol=1e-5, atol=1e-6)


def test_log_normalizer_is_fresh_in_validation(digits):
    """And in the end, though persistent particles do not tell it."""
    model = zoo.DVAE.for_data(
        digits, latent_dims=(4, 4), hidden=(16,), num_particles=20, particles="persistent"
    )
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    errors = []

    def compare(logs=None):
        exact = samplers.exact_log_normalizer(model.prior_part.rbm)
        errors.append(float(exact - model.prior_part.log_normalizer))

    compared = keras.callbacks.LambdaCallback(on_test_end=compare)
    model.fit(
        digits.train.take(20),
        validation_data=digits.validation.take(1),
        callbacks=[compared],
        verbose=0,
    )
    compare()
    assert len(errors) == 2 and np.abs(errors).max() < 0.05
    assert abs(float(model.prior_part.log_normalizer) - 8 * np.log(2)) > 0.1


def test_networks_start_at_the_mean_image(digits, images):
    model = zoo.DVAE.for_data(digits, latent_dims=(4, 4), hidden=(16,))
    mean = digits.mean_image
    assert mean.shape == digits.shape and 0.2 < mean.mean() < 0.4
    bias = model.decoder.get_weights()[-1].reshape(mean.shape)
    inner = (mean > 1e-3) & (mean < 1 - 1e-3)
    np.testing.assert_allclose(tf.sigmoid(bias)[inner], mean[inner], rtol=1e-4)
    arguments = {"activation": "tanh", "layer_normalisation": True, "input_mean": mean}
    expected = layers.mlp(digits.shape, (16,), None, **arguments)
    np.testing.assert_allclose(model.encoder(images), expected(images), rtol=1e-5, atol=1e-6)
