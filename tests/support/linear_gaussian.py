"""The oracle of every method, in closed form: p(z) = N(0, I), p(x given z) = N(W A z + b, s^2 I).

In the units of the decoder, images in [-1, 1]; densities are over pixels in [0, 1], so they carry
log 2 per pixel.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

import samplers
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


def diagonal(law):
    """A law like this, of latents that are independent given x: a mean-field posterior is exact."""
    return dataclasses.replace(law, weights=np.linalg.qr(law.weights)[0] * [0.2, 0.15, 0.1])


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


def two_layers(method=zoo.VAE, *, posterior="wrong", **kwargs):
    """A model with two linear stochastic layers, and the law of its images.

    z_2 ~ N(0, I), z_1 ~ N(V z_2, s^2 I), x ~ N(W z_1 + b, ...); p(z_1, z_2 given x) is layers of
    independent latents, which the posterior "exact" is.
    """
    law, scale = diagonal(linear_gaussian()), 0.5
    v = np.array([[0.8, 0.0], [0.0, 0.5], [0.0, 0.0]])
    prior = v @ v.T + scale**2 * np.eye(3)  # covariance of z_1, diagonal
    # z_1 = C e with e ~ N(0, I), so the images are those of the weights W C.
    marginal = dataclasses.replace(law, weights=law.weights @ np.sqrt(prior))
    lower = linear_model(zoo.VAE, marginal, posterior=posterior)
    kernel, bias = lower.encoder.get_weights()
    if posterior == "exact":  # of e, in the units of z_1
        units = np.sqrt(np.diag(prior))
        kernel[:, :3], bias[:3], bias[3:] = (
            kernel[:, :3] * units,
            bias[:3] * units,
            bias[3:] + np.log(units),
        )
        lower.encoder.set_weights([kernel, bias])
        gain = np.linalg.solve(prior, v)
        upper_weights = gain, np.zeros(2), 0.5 * np.log(np.diag(np.eye(2) - v.T @ gain))
    else:
        upper_weights = np.zeros((3, 2)), np.full(2, 0.1), np.full(2, np.log(0.8))
    upper_encoder = _gaussian_layer(3, *upper_weights)
    upper_decoder = _gaussian_layer(2, v.T, np.zeros(3), np.full(3, np.log(scale)))
    lower.decoder.set_weights([law.weights.T, law.bias])
    model = method(
        lower.encoder,
        lower.decoder,
        likelihood=zoo.parts.likelihoods.Gaussian(law.scale),
        posterior=zoo.parts.TwoLayerPosterior(upper_encoder),
        prior=zoo.parts.LayeredPrior(upper_decoder),
        **kwargs,
    )
    model.compile("sgd", jit_compile=False)
    return model, marginal


def _gaussian_layer(inputs, kernel, mean, log_scale):
    network = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(2 * len(mean))])
    kernel = np.concatenate([kernel, np.zeros_like(kernel)], 1)
    network.set_weights([kernel, np.concatenate([mean, log_scale])])
    return network


def descended(model, x, seed):
    """What a training step on x descends: each group's gradients, as tensors.

    Of a model of one group those of the two groups that others have.
    """
    batch = {"x": tf.convert_to_tensor(x)}
    with tf.GradientTape(persistent=True) as tape:
        context = model.amortise(batch, samplers.fold_in(seed, "amortise"))
        with tape.stop_recording():
            latents, _ = model.sample_latents(batch, context, samplers.fold_in(seed, "latents"))
        objectives, _ = model.objectives(batch, context, latents, seed)
    groups = model.inference_and_generation if "elbo" in objectives else model.parameter_groups
    return {
        group: tape.gradient(objectives.get(group, objectives.get("elbo")), variables)
        for group, variables in groups.items()
    }


def gradients(model, x, seed=0):
    """The same in numpy."""
    return tf.nest.map_structure(np.array, descended(model, x, samplers.as_seed(seed)))


def draws_of_gradients(model, x, num_seeds):
    """The same of many seeds, by one program: [seeds, ...]."""
    step = tf.function(lambda seed: descended(model, x, seed), autograph=False)
    draws = [step(samplers.as_seed(seed)) for seed in range(num_seeds)]
    return tf.nest.map_structure(lambda *values: np.stack(values), *draws)
