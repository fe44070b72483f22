"""The recurrent step of long short-term memory."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("zoo")
class LSTM(keras.layers.Layer):
    """One step of long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    c' = sigmoid(f + 1) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c'), where (i, f, o, g) are
    linear in the inputs and h. (Keras's own cell holds a generator of noise, for its dropout.)

    Args:
      units: of h and of c.
      seed: of the initial weights, Glorot uniform.
      **kwargs: `name` and `dtype`.
    """

    def __init__(self, units: int, *, seed: int = 0, **kwargs):
        super().__init__(autocast=False, **kwargs)  # a state is not in half precision
        self.units, self.seed = units, seed
        self.gates = keras.layers.Dense(
            4 * units,
            kernel_initializer=keras.initializers.GlorotUniform(seed),
            name="gates",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape, *_):
        self.gates.build((None, input_shape[-1] + self.units))

    def call(self, inputs, hidden, cell):
        """Makes the next state.

        Args:
          inputs: [N, n].
          hidden: h, [N, units].
          cell: c, [N, units].

        Returns:
          The next h and c.
        """
        gates = self.gates(tf.concat([inputs, hidden], -1))
        enter, keep, leave, new = tf.split(tf.cast(gates, cell.dtype), 4, axis=-1)
        cell = tf.sigmoid(keep + 1) * cell + tf.sigmoid(enter) * tf.tanh(new)
        return tf.sigmoid(leave) * tf.tanh(cell), cell

    def start(self, size: int | tf.Tensor, dtype: str) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns h and c before the first step: zeros, [size, units]."""
        zeros = tf.zeros([size, self.units], dtype)
        return zeros, zeros

    def get_config(self):
        return super().get_config() | {"units": self.units, "seed": self.seed}
