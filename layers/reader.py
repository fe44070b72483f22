"""A recurrent network that looks at an image in glimpses, and gives numbers of what it saw."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from layers import attention
from layers.canvas import linear
from layers.policy import made_by
from layers.recurrent import LSTM
from layers.scan import scan


@keras.saving.register_keras_serializable("zoo")
class RecurrentReader(keras.Model):
    """A network from images [N, height, width, channels] to [N, num_outputs], in T glimpses.

    h_t = LSTM(read_t, h_{t-1}), where a linear layer of h_{t-1} says the window that is read; the
    outputs are linear in h_T (Gregor et al. 2015, section 4.1).

    Args:
      event_shape: of an image.
      num_outputs: such as the logits of classes.
      num_glimpses: T.
      units: of the recurrent network.
      read_size: filters along a side of the window.
      seed: of the initial weights.
      **kwargs: `name`, and `dtype`, the policy of all its layers; None for that of Keras.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        num_outputs: int,
        num_glimpses: int,
        *,
        units: int = 256,
        read_size: int = 12,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self.settings = {
            "event_shape": tuple(event_shape),
            "num_outputs": num_outputs,
            "num_glimpses": num_glimpses,
            "units": units,
            "read_size": read_size,
            "seed": seed,
        }
        self.num_glimpses, self.read_size = num_glimpses, read_size
        with made_by(self.dtype_policy):
            self.recurrent = LSTM(units, seed=seed, name="recurrent")
            start = attention.start_parameters(read_size, *event_shape[:2])
            bias = keras.initializers.Constant(start)
            self.where = linear(attention.NUM_PARAMETERS, seed + 1, "where", bias_initializer=bias)
            self.head = linear(num_outputs, seed + 2, "head")
        self(tf.zeros([1, *event_shape], self.variable_dtype))

    @property
    def input_shape(self):
        return (None, *self.settings["event_shape"])

    @property
    def output_shape(self):
        return (None, self.settings["num_outputs"])

    def call(self, images):
        images = tf.cast(images, self.variable_dtype)
        (hidden, _), _ = self._look(images, outputs=lambda before, after: ())
        return self.head(hidden)

    def glimpses(self, images: tf.Tensor) -> tuple[tf.Tensor, attention.Window]:
        """Looks at images, and says after each glimpse what the outputs would be.

        Args:
          images: [N, ...event].

        Returns:
          Outputs [T, N, num_outputs], and the windows, [T, N] each.
        """
        _, (before, after) = self._look(images, outputs=lambda *hidden: hidden)
        return self.head(after), self._window(before, images)

    def _look(self, images, outputs):
        """The last state, and what `outputs` makes of h_{t-1} and h_t in each glimpse."""

        def glimpse(state, _):
            hidden, cell = state
            read = attention.read(images, self._window(hidden, images), self.read_size)
            patch = tf.reshape(read, [-1, attention.num_patch(self.read_size, images.shape[1:])])
            following = self.recurrent(patch, hidden, cell)
            return following, outputs(hidden, following[0])

        start = self.recurrent.start(tf.shape(images)[0], images.dtype)
        return scan(glimpse, start, tf.range(self.num_glimpses), outputs(start[0], start[0]))

    def _window(self, hidden, images):
        parameters = tf.cast(self.where(hidden), images.dtype)
        return attention.window(parameters, self.read_size, *images.shape[1:3])

    def get_config(self):
        dtype = keras.dtype_policies.serialize(self.dtype_policy)
        return {"name": self.name, "dtype": dtype} | self.settings
