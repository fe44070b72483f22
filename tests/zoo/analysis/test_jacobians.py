"""Average Jacobians, and images of leading directions, against closed forms."""

import keras
import numpy as np
import pytest
import tensorflow_probability as tfp
from linear_gaussian import NUM_LATENTS, NUM_PIXELS, linear_gaussian, linear_model

import zoo
from zoo.analysis.jacobians import jacobian, leading_directions, spectrum
from zoo.scores.standard_normal import prior_quantiles

LAW = linear_gaussian()
SHEAR = np.array([[1, 0, 0], [0.5, 1, 0], [-0.7, 0.4, 1]])
# Of pixels in [0, 1], half of those of images in [-1, 1].
SINGULAR_VALUES = np.linalg.svd(LAW.weights / 2, compute_uv=False)


def model_of(*decoder, event_shape=(NUM_PIXELS,), **kwargs):
    """A VAE with these layers as its decoder, from three latents."""
    decoder = keras.Sequential([keras.Input((NUM_LATENTS,)), *decoder])
    outputs = keras.layers.Dense(2 * NUM_LATENTS)
    encoder = keras.Sequential([keras.Input(event_shape), keras.layers.Flatten(), outputs])
    model = zoo.VAE(encoder, decoder, **kwargs)
    model.compile(jit_compile=False)
    return model


# The Jacobian and its spectrum.


@pytest.mark.parametrize(("shear", "jit_compile"), [(None, False), (SHEAR, False), (SHEAR, True)])
def test_spectrum_of_a_linear_decoder(shear, jit_compile):
    model = linear_model(zoo.VAE, LAW, shear=shear)
    model.compile(jit_compile=jit_compile)
    found = spectrum(jacobian(model, num_draws=7, chunk_size=3))
    np.testing.assert_allclose(found.singular_values, SINGULAR_VALUES, atol=1e-5)
    np.testing.assert_allclose(found.rms_singular_values, SINGULAR_VALUES, atol=1e-5)
    # The columns of W A V are orthogonal, and as long as the singular values.
    rotated = LAW.weights / 2 @ found.rotation
    np.testing.assert_allclose(rotated.T @ rotated, np.diag(SINGULAR_VALUES**2), atol=1e-5)


def test_the_expectation_is_after_the_sigmoid():
    """All pixels have the logit s, the sum of the latents: the slope is sigmoid'(s)."""
    model = model_of(keras.layers.Dense(NUM_PIXELS, kernel_initializer="ones"))
    num_draws = 4000
    average = jacobian(model, num_draws=num_draws, chunk_size=1000, seed=1)
    s = np.sqrt(NUM_LATENTS) * prior_quantiles(10_000)
    slope = 1 / (2 + np.exp(s) + np.exp(-s))
    np.testing.assert_allclose(
        average.mean, slope.mean(), atol=4 * slope.std() / np.sqrt(num_draws)
    )


def test_signs_cancel_in_the_mean_jacobian_only():
    """Pixel k is (z_k^2 + 1) / 2, of slope z_k: 0 on average, 1 in root mean square."""
    square = keras.layers.Lambda(lambda z: z**2)
    model = model_of(square, event_shape=(NUM_LATENTS,), likelihood="gaussian")
    num_draws = 4000
    average = jacobian(model, num_draws=num_draws, chunk_size=500)
    found = spectrum(average)
    assert abs(average.mean).max() < 4 / np.sqrt(num_draws)
    # No pixel depends on two latents.
    np.testing.assert_allclose(average.gram, np.diag(np.diag(average.gram)), atol=1e-9)
    np.testing.assert_allclose(found.rms_singular_values, 1.0, atol=4 * np.sqrt(0.5 / num_draws))


@pytest.mark.parametrize(("num_draws", "chunk_size"), [(1, 5), (5, 5), (6, 5)])
def test_chunks_do_not_change_the_number_of_draws(num_draws, chunk_size):
    model = linear_model(zoo.VAE, LAW)
    average = jacobian(model, num_draws=num_draws, chunk_size=chunk_size)
    np.testing.assert_allclose(average.mean, LAW.weights / 2, atol=1e-6)


def test_more_latents_than_pixels():
    model = model_of(keras.layers.Dense(2), event_shape=(2,))
    found = spectrum(jacobian(model, num_draws=2))
    assert found.singular_values.shape == (NUM_LATENTS,) and found.singular_values[-1] == 0
    np.testing.assert_allclose(found.rotation.T @ found.rotation, np.eye(NUM_LATENTS), atol=1e-6)


def test_another_prior_is_refused():
    class Wide(zoo.VAE):
        @property
        def prior(self):
            return tfp.distributions.Sample(tfp.distributions.Normal(0.0, 2.0), self.latent_dim)

    model = linear_model(Wide, LAW)
    for call in (jacobian, lambda model: leading_directions(model, np.eye(NUM_LATENTS), [1])):
        with pytest.raises(zoo.UsageError, match=r"prior N\(0, I\)"):
            call(model)


# Leading directions.


def test_leading_directions_of_a_linear_decoder():
    """The kept part of z is V_C V_C^T z; the rest has the mean zero."""
    model = linear_model(zoo.VAE, LAW, shear=SHEAR)
    rotation = spectrum(jacobian(model, num_draws=1)).rotation
    num_kept, num_averaged = [0, 1, 2, 3], 20_000
    images = leading_directions(model, rotation, num_kept, num_draws=4, num_averaged=num_averaged)
    centre = (1 + LAW.bias) / 2
    z = np.linalg.lstsq(LAW.weights / 2, (images[:, -1] - centre).T, rcond=None)[0].T
    np.testing.assert_allclose(images[:, -1], centre + z @ LAW.weights.T / 2, atol=1e-5)
    for c, image in zip(num_kept, np.moveaxis(images, 1, 0), strict=True):
        kept = rotation[:, :c] @ rotation[:, :c].T
        noise = np.linalg.norm(LAW.weights / 2 @ rotation[:, c:], axis=1) / np.sqrt(num_averaged)
        error = image - centre - z @ kept @ LAW.weights.T / 2
        assert (abs(error) <= 4 * noise + 1e-5).all(), c


def test_all_and_none_of_the_directions():
    """All of them give the image of the draw, none the average image, not that of average z."""
    model = model_of(
        keras.layers.Dense(NUM_PIXELS, kernel_initializer="ones", bias_initializer="ones")
    )
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal([NUM_LATENTS] * 2))[0]

    def images(num_kept, num_averaged):
        return leading_directions(model, rotation, num_kept, num_draws=4, num_averaged=num_averaged)

    none, whole = np.moveaxis(images([0, NUM_LATENTS], 5000), 1, 0)
    np.testing.assert_allclose(whole, images([NUM_LATENTS], 1)[:, 0], atol=1e-5)
    s = 1 + np.sqrt(NUM_LATENTS) * prior_quantiles(10_000)
    pixels = 1 / (1 + np.exp(-s))
    np.testing.assert_allclose(none, pixels.mean(), atol=4 * pixels.std() / np.sqrt(5000))
    assert abs(whole - none).max() > 0.1


@pytest.mark.parametrize("num_kept", [[-1], [0, 4]])
def test_numbers_of_directions_out_of_range(num_kept):
    with pytest.raises(zoo.UsageError, match="num_kept must lie between 0 and 3"):
        leading_directions(linear_model(zoo.VAE, LAW), np.eye(3), num_kept)
