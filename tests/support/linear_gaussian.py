"""The oracle of every method, in closed form: p(z) = N(0, I), p(x given z) = N(W A z + b, s^2 I).

In the units of the decoder, images in [-1, 1]; densities are over pixels in [0, 1], so they carry
log 2 per pixel.
"""

import dataclasses

import keras
import numpy as np

import zoo

NUM_PIXELS, NUM_LATENTS = 6, 3


@dataclasses.dataclass
class LinearGaussian:
    weights: np.ndarray  # [D, K], W A in one
    bias: np.ndarray
    scale: float

    def simulate(self, num_images, seed=0):
        """Pixels in [0, 1] (what would leave that range is clipped: any image will do)."""
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((num_images, NUM_LATENTS))
        noise = self.scale * rng.standard_normal((num_images, NUM_PIXELS))
        y = z @ self.weights.T + self.bias + noise
        return np.clip((y + 1) / 2, 0, 1).astype(np.float32)

    @property
    def covariance(self):
        return self.weights @ self.weights.T + self.scale**2 * np.eye(NUM_PIXELS)

    @property
    def posterior_covariance(self):
        precision = np.eye(NUM_LATENTS) + self.weights.T @ self.weights / self.scale**2
        return np.linalg.inv(precision)

    def posterior_mean(self, x):
        return (2 * x - 1 - self.bias) @ self.weights @ self.posterior_covariance / self.scale**2

    def log_likelihood(self, x):
        """log p(x) of every image, nats."""
        centred = 2 * x.astype(np.float64) - 1 - self.bias
        quadratic = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(self.covariance), centred)
        _, log_det = np.linalg.slogdet(2 * np.pi * self.covariance)
        return -0.5 * (quadratic + log_det) + NUM_PIXELS * np.log(2)

    def bias_gradient(self, x):
        """d log p(x) / d bias of every image."""
        return np.linalg.solve(self.covariance, (2 * x.astype(np.float64) - 1 - self.bias).T).T


def linear_gaussian(scale=0.2, seed=0):
    rng = np.random.default_rng(seed)
    weights = 0.15 * rng.standard_normal((NUM_PIXELS, NUM_LATENTS))
    return LinearGaussian(weights, 0.1 * rng.standard_normal(NUM_PIXELS), scale)


def linear_model(method, law, *, shear=None, posterior="wrong", **kwargs):
    """A zoo model that is `law`, with decoder weights `law.weights shear^-1`.

    The encoder gives the exact posterior's mean and marginal scale in the sheared coordinates,
    or, `posterior="wrong"`, N(0.3, 0.6^2) whatever it is shown.
    """
    unshear = np.eye(NUM_LATENTS) if shear is None else np.linalg.inv(shear)
    decoder = keras.Sequential([keras.Input((NUM_LATENTS,)), keras.layers.Dense(NUM_PIXELS)])
    decoder.set_weights([(law.weights @ unshear).T, law.bias])
    encoder = keras.Sequential([keras.Input((NUM_PIXELS,)), keras.layers.Dense(2 * NUM_LATENTS)])
    kernel = np.zeros((NUM_PIXELS, 2 * NUM_LATENTS))
    if posterior == "exact":
        # mean = C W^T (2 x - 1 - b) / s^2, linear in x.
        gain = law.weights @ law.posterior_covariance / law.scale**2
        kernel[:, :NUM_LATENTS] = 2 * gain
        log_scale = -0.5 * np.log(np.diag(np.linalg.inv(law.posterior_covariance)))
        encoder.set_weights([kernel, np.concatenate([-(1 + law.bias) @ gain, log_scale])])
    else:
        encoder.set_weights([kernel, np.repeat([0.3, np.log(0.6)], NUM_LATENTS)])
    kwargs = {"likelihood": zoo.parts.likelihoods.Gaussian(law.scale)} | kwargs
    model = method(encoder, decoder, shear=shear is not None, **kwargs)
    if shear is not None:
        model.shear.kernel.assign(shear)
    model.compile("sgd", jit_compile=False)
    return model
