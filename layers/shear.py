"""The shear of Hoffman (2017), section 3.1."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("zoo")
class Shear(keras.layers.Layer):
    """Multiplies by a learned unit lower-triangular matrix: z -> A z, shapes [..., K] -> [..., K].

    It gives a mean-field posterior of z correlations in A z. Its determinant is one, and ones on
    the diagonal keep it from switching latents off.
    """

    def build(self, input_shape):
        size = input_shape[-1]
        self.kernel = self.add_weight(name="kernel", shape=(size, size), initializer="zeros")

    @property
    def matrix(self) -> tf.Tensor:
        """A, shape [K, K]; only the strictly lower triangle of the kernel enters."""
        kernel = tf.convert_to_tensor(self.kernel)
        strictly_lower = tf.linalg.band_part(kernel, -1, 0) - tf.linalg.band_part(kernel, 0, 0)
        return strictly_lower + tf.eye(kernel.shape[0], dtype=kernel.dtype)

    def call(self, z):
        return tf.linalg.matmul(z, self.matrix, transpose_b=True)

    def compute_output_shape(self, input_shape):
        return input_shape
