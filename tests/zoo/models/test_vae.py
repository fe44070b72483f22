"""The VAE on linear-Gaussian models, of one and of two stochastic layers: all has a closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from checking import z_scores
from linear_gaussian import diagonal, gradients, linear_gaussian, linear_model, two_layers

import zoo

LAW = linear_gaussian()
SHEAR = np.array([[1, 0, 0], [0.7, 1, 0], [-0.4, 0.9, 1]])


def log_weights(model, x, num_samples=3):
    return model.log_weights({"x": tf.constant(x)}, num_samples, 0).numpy()


def test_log_weights_at_the_exact_posterior_are_log_p():
    """Every one of them, whatever the draw, of one layer and of two."""
    one = linear_model(zoo.VAE, diagonal(LAW), posterior="exact"), diagonal(LAW)
    for model, law in (one, two_layers(posterior="exact")):
        x = law.simulate(20)
        exact = law.log_likelihood(x)
        np.testing.assert_allclose(log_weights(model, x), np.tile(exact, [3, 1]), atol=1e-3)


@pytest.mark.parametrize("make", [lambda: (linear_model(zoo.VAE, LAW), LAW), two_layers])
def test_log_weights_of_a_wrong_posterior_are_right_on_average(make):
    model, law = make()
    x = law.simulate(2)
    weights = np.exp(log_weights(model, x, 40_000) - law.log_likelihood(x))
    assert np.abs(z_scores(weights, 1.0)).max() < 4
    assert weights.std(0).max() > 1 and np.log(weights).mean() < -0.2  # and not exact


def test_objective_is_the_mean_log_weight():
    """In all groups alike, and so is the metric; the encoder's gradient is of the draw, too."""
    model, law = two_layers()
    batch = {"x": tf.constant(law.simulate(4))}
    with tf.GradientTape(persistent=True) as tape:
        objectives, metrics = model.objectives(batch, model.amortise(batch, 3), None, 0)
        bound = tf.reduce_mean(model.log_weights(batch, 1, 3))
    np.testing.assert_allclose(objectives["elbo"], -bound, rtol=1e-6)
    np.testing.assert_allclose(metrics["bound"], bound, rtol=1e-6)
    for v in model.trainable_variables:
        a, b = tape.gradient(objectives["elbo"], v), -tape.gradient(bound, v)
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    assert len(model.trainable_variables) == 8


def test_missing_log_determinant_is_rejected():
    class WithoutJacobian(zoo.parts.likelihoods.Gaussian):
        def distribution(self, outputs):
            return tfp.bijectors.Inline(
                forward_fn=lambda y: (y + 1) / 2,
                inverse_fn=lambda x: 2 * x - 1,
                forward_log_det_jacobian_fn=tf.zeros_like,
                forward_min_event_ndims=0,
            )(tfp.distributions.Normal(outputs, self.scale))

    law = diagonal(LAW)
    wrong = linear_model(zoo.VAE, law, posterior="exact", likelihood=WithoutJacobian(law.scale))
    x = law.simulate(4)
    error = log_weights(wrong, x) - law.log_likelihood(x)
    np.testing.assert_allclose(error, -6 * np.log(2), atol=1e-3)


def test_shear_makes_a_mean_field_posterior_exact():
    """With W^T W = L^T D L and A = L^-1, the posterior of z is diagonal: the bound is log p(x)."""
    precision = LAW.weights.T @ LAW.weights
    # The Cholesky factor of the reversed matrix gives L^T D L with L unit lower-triangular.
    upper = np.linalg.cholesky(precision[::-1, ::-1])[::-1, ::-1]
    shear = np.linalg.inv((upper / np.diag(upper)).T)
    sheared = linear_gaussian()
    sheared.weights = LAW.weights @ shear
    model = linear_model(zoo.VAE, sheared, shear=shear, posterior="exact")
    x = sheared.simulate(50)
    exact = sheared.log_likelihood(x)
    np.testing.assert_allclose(log_weights(model, x), np.tile(exact, [3, 1]), atol=1e-3)
    plain = linear_model(zoo.VAE, LAW, posterior="exact")
    assert (LAW.log_likelihood(x) - log_weights(plain, x)).mean() > 0.01


def test_jacobian_of_a_linear_decoder():
    """The expected image's derivative is W A / 2 in pixels in [0, 1]."""
    model = linear_model(zoo.VAE, LAW, shear=SHEAR)
    z = tf.zeros([1, 3])
    with tf.GradientTape() as tape:
        tape.watch(z)
        mean = model.expected(z)
    jacobian = tape.jacobian(mean, z)[0, :, 0].numpy()
    np.testing.assert_allclose(jacobian, LAW.weights / 2, atol=1e-5)


def test_public_answers_are_those_of_the_law():
    """`encode` tells the exact posterior, and `log_likelihood` log p(x), by default annealed."""
    law = diagonal(LAW)
    model = linear_model(zoo.VAE, law, posterior="exact")
    x = law.simulate(5)
    answer = model.encode(x)
    np.testing.assert_allclose(answer["q_mean"], law.posterior_mean(x), atol=1e-4)
    stddev = np.sqrt(np.diag(law.posterior_covariance))
    np.testing.assert_allclose(answer["q_stddev"], np.tile(stddev, [5, 1]), atol=1e-4)
    assert model.protocol.start == "posterior" and model.can_be_annealed
    model.protocol = zoo.core.annealing.Annealing(num_chains=2, num_increments=3)
    found = model.log_likelihood(x)
    np.testing.assert_allclose(found["log_likelihood"], law.log_likelihood(x), atol=1e-3)
    np.testing.assert_allclose(found["stderr"], 0, atol=1e-3)


def test_parts_are_in_files(tmp_path):
    """A model of two layers, made of parts, loads as it was, and can be saved once more."""
    model, law = two_layers()
    x = law.simulate(3)
    for i in range(2):
        model.save(tmp_path / f"{i}.keras")
        loaded = keras.models.load_model(tmp_path / f"{i}.keras")
        for one, other in zip(model.weights, loaded.weights, strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(log_weights(model, x), log_weights(loaded, x))
        model = loaded
    found, expected = gradients(loaded, x), gradients(two_layers()[0], x)
    for group, values in expected.items():
        for a, b in zip(found[group], values, strict=True):
            np.testing.assert_array_equal(a, b)


def test_numbers_that_are_not_finite_end_the_fit():
    model = linear_model(zoo.VAE, LAW)
    model.compile(keras.optimizers.SGD(1e30), jit_compile=False)
    with pytest.raises(FloatingPointError, match="training diverged in epoch 1, step 2: .*elbo_"):
        model.fit(LAW.simulate(30), batch_size=10, epochs=3, verbose=0)


def dense(inputs, outputs):
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])


def test_mistakes_are_told(digits):
    upper = zoo.parts.TwoLayerPosterior(dense(4, 6))
    for message, arguments in {
        "upper_encoder is now given by the argument posterior, zoo.parts.TwoLayer": {
            "upper_encoder": dense(4, 6)
        },
        "upper_decoder is now given by the argument prior, zoo.parts.LayeredPrior": {
            "upper_decoder": dense(3, 8)
        },
        "give it, or them": {"upper_latent_dim": 3, "posterior": upper},
        "leave the decoder its 4 inputs; of the posterior's 7 latents it leaves 7": {
            "posterior": upper
        },
        "prior must be over as many latents as the posterior, 4; it is over 4 . 3": {
            "prior": zoo.parts.LayeredPrior(dense(3, 8))
        },
        "upper_encoder must take the 4 latents": {
            "posterior": zoo.parts.TwoLayerPosterior(dense(5, 6))
        },
        "upper_latent_dim must be a whole number": {"upper_latent_dim": 1.5},
        "hidden must be greater than 0": {"hidden": (0,)},
    }.items():
        with pytest.raises(zoo.UsageError, match=message):
            zoo.VAE.for_data(digits, **{"latent_dim": 4, "hidden": (16,)} | arguments)
