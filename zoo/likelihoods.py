"""p(x given z): what a decoder's outputs mean, in pixels in [0, 1]."""

import tensorflow as tf
import tensorflow_probability as tfp

import samplers

tfd = tfp.distributions


class Bernoulli:
    """Binary pixels; the decoder gives logits.

    Grey levels in [0, 1] are the probabilities from which binary images are drawn: training draws
    anew at every step (dynamic binarisation, as Burda, Grosse and Salakhutdinov 2016).
    """

    def observe(self, x: tf.Tensor, seed: samplers.random.Seed) -> tf.Tensor:
        """Draws binary images from grey levels; binary images stay what they are."""
        return tf.cast(samplers.uniform(tf.shape(x), seed, x.dtype) < x, x.dtype)

    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        """Independent pixels given the decoder's outputs."""
        return tfd.Bernoulli(logits=outputs, dtype=outputs.dtype)


class Gaussian:
    """Real pixels with noise of one fixed scale; the decoder gives means.

    Means and `scale` are in units of images mapped to [-1, 1]. The density is one over pixels in
    [0, 1]: the map's Jacobian, 2 per pixel, is in it.
    """

    def __init__(self, scale: float = 0.1):
        self.scale = scale

    def observe(self, x: tf.Tensor, seed: samplers.random.Seed) -> tf.Tensor:
        """Grey levels are observed as they are."""
        return x

    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        """Independent pixels given the decoder's outputs."""
        return tfd.Normal((outputs + 1) / 2, self.scale / 2)


LIKELIHOODS = {"bernoulli": Bernoulli, "gaussian": Gaussian}
