"""The oracle of models of classes, in closed form: a mixture of ten linear-Gaussian laws.

y is uniform over 10 classes, z ~ N(0, I), x ~ N(W z + b_y, s^2 I) in the decoder's units, images in
[-1, 1]; W has orthogonal columns, so that p(z given x, y) has independent latents. Linear networks
are all that q(z given x, y) and q(y given x) need to be exact.
"""

import dataclasses

import keras
import numpy as np
import scipy.special
from linear_gaussian import NUM_LATENTS, NUM_PIXELS, LinearGaussian, diagonal, linear_gaussian

import zoo

NUM_CLASSES = 10


@dataclasses.dataclass
class LabelledGaussian:
    law: LinearGaussian  # of class 0 but for its bias
    biases: np.ndarray  # [C, D]

    def of_class(self, y):
        return dataclasses.replace(self.law, bias=self.biases[y])

    def simulate(self, num_images, seed=0):
        """Pixels and their labels."""
        y = np.random.default_rng(seed).integers(0, NUM_CLASSES, num_images)
        noise = dataclasses.replace(self.law, bias=0 * self.law.bias).simulate(num_images, seed)
        return np.clip(noise + self.biases[y] / 2, 0, 1).astype(np.float32), y.astype(np.int32)

    def log_likelihoods(self, x):
        """log p(x given y) of every image and class, [N, C]."""
        laws = [self.of_class(y) for y in range(NUM_CLASSES)]
        return np.stack([law.log_likelihood(x) for law in laws], axis=1)

    def log_likelihood(self, x):
        return scipy.special.logsumexp(self.log_likelihoods(x), axis=1) - np.log(NUM_CLASSES)

    def log_posterior(self, x):
        """log p(y given x), [N, C]."""
        return scipy.special.log_softmax(self.log_likelihoods(x), axis=1)


def labelled_gaussian(seed=0):
    law = diagonal(linear_gaussian(scale=0.3))
    biases = 0.3 * np.random.default_rng(seed).standard_normal((NUM_CLASSES, NUM_PIXELS))
    return LabelledGaussian(law, biases)


LAW = labelled_gaussian()


def _dense(inputs, kernel, bias):
    network = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(len(bias))])
    network.set_weights([kernel, bias])
    return network


def labelled_model(method=zoo.M2, *, posterior="exact", label_share=0.5, law=LAW, **kwargs):
    """A zoo model that is this law; q(z given x, y) is exact, or else N(0.3, 0.6^2) at all times.

    q(y given x) is exact, too.
    """
    one = law.law
    encoder = _dense(NUM_PIXELS, np.eye(NUM_PIXELS), np.zeros(NUM_PIXELS))
    weights = np.concatenate([one.weights.T, law.biases])
    decoder = _dense(NUM_LATENTS + NUM_CLASSES, weights, np.zeros(NUM_PIXELS))
    # log N(2 x - 1; b_y, C) is linear in x, but for a part that is the same for all classes.
    gain = np.linalg.solve(one.covariance, law.biases.T)
    quadratic = np.einsum("cd,dc->c", law.biases, gain)
    classifier = _dense(NUM_PIXELS, 2 * gain, -gain.sum(0) - quadratic / 2)
    kernel = np.zeros((NUM_PIXELS + NUM_CLASSES, 2 * NUM_LATENTS))
    bias = np.repeat([0.3, np.log(0.6)], NUM_LATENTS)
    if posterior == "exact":
        gain = one.weights @ one.posterior_covariance / one.scale**2
        kernel[:NUM_PIXELS, :NUM_LATENTS] = 2 * gain
        kernel[NUM_PIXELS:, :NUM_LATENTS] = -(1 + law.biases) @ gain
        log_scale = 0.5 * np.log(np.diag(one.posterior_covariance))
        bias = np.concatenate([np.zeros(NUM_LATENTS), log_scale])
    posterior_network = _dense(NUM_PIXELS + NUM_CLASSES, kernel, bias)
    model = method(
        encoder,
        decoder,
        classifier,
        posterior_network,
        likelihood=zoo.parts.likelihoods.Gaussian(one.scale),
        label_share=label_share,
        **kwargs,
    )
    model.compile("sgd", jit_compile=False)
    return model
