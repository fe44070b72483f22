"""One step of a model of sequences: a recurrent state, and latents of each step."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import layers
from zoo.core.annealing import ImportanceSampling
from zoo.core.checks import (
    UsageError,
    check_choice,
    check_count,
    check_count_or_0,
    check_counts,
    check_seed,
)
from zoo.core.dtypes import density_dtype, networks_of
from zoo.core.latent import LatentVariableModel
from zoo.core.networks import as_cell, as_network, check_input, check_unshared, check_vectors
from zoo.core.sequences import LengthField, WaveformField
from zoo.data import as_data
from zoo.parts.emission import Emission
from zoo.parts.emissions import emission_for, get_emission, takes_moments
from zoo.parts.gaussians import gaussian_of

tfd = tfp.distributions
CELLS = {"lstm": keras.layers.LSTMCell, "gru": keras.layers.GRUCell}


class Recurrence(LatentVariableModel):
    """The base of models x_t ~ p(x_t given z_t, h_{t-1}), h_t = f(x_t, z_t, h_{t-1}), h_0 = 0.

    A method says what the latents z_t are: their prior p(z_t given h_{t-1}), their posterior
    q(z_t given x_t, h_{t-1}), and what other networks see of them; here there are none. What is
    beyond the length of a sequence is not looked at, and counts nothing. The noise of a step
    depends on its number and not on T.

    Args:
      cell: a Keras cell such as `keras.layers.LSTMCell`, the f; h is its first state.
      x_features: Keras model from steps [N, D], standardised, to features [N, F].
      decoder: Keras model from h, behind what it sees of z_t, to the outputs that the emission
        takes.
      emission: "bernoulli", "gaussian", "pen_strokes", a dictionary of such a `name` and arguments,
        or an object of `zoo.parts.emissions`.
      max_length: T, to which sequences are padded.
      truncation: gradients go through the state for so many steps at a time (truncated
        backpropagation, with the state carried on); 0 for all.
      **kwargs: `seed`, of training and of default draws, and `dtype`.

    Raises:
      UsageError: if the networks do not fit each other, or a value is not one of the above.
    """

    latent_dim = 0

    def __init__(
        self,
        cell: keras.layers.Layer,
        x_features: keras.Model,
        decoder: keras.Model,
        *,
        emission: str | dict | Emission,
        max_length: int,
        truncation: int = 0,
        **kwargs,
    ):
        check_count(max_length=max_length)
        check_count_or_0(truncation=truncation)
        x_features = as_network("x_features", x_features)
        decoder = as_network("decoder", decoder)
        cell = as_cell("cell", cell)
        dtype = density_dtype(kwargs.pop("dtype", None))
        emission = get_emission(emission, dtype)
        check_vectors(x_features=x_features)
        (num_dims,) = x_features.input_shape[1:]
        length = LengthField(max_length=max_length)
        fields = {"x": emission.field((max_length, num_dims)), "length": length}
        super().__init__(fields=fields, dtype=dtype, **kwargs)
        self.cell, self.x_features, self.decoder = cell, x_features, decoder
        self.emission = emission
        self.max_length, self.truncation = max_length, truncation
        self.protocol = ImportanceSampling(num_samples=40)
        outputs = (len(emission.start_outputs(num_dims)),)
        if decoder.output_shape[1:] != outputs:
            raise UsageError(
                f"decoder must give {outputs}, what the emission takes; it gives "
                f"{decoder.output_shape[1:]}."
            )
        check_unshared(cell=cell, x_features=x_features, decoder=decoder)

    def connect(self, num_latent_features: int = 0) -> int:
        """Builds the cell; a constructor calls it.

        Args:
          num_latent_features: G, of what networks see of z_t.

        Returns:
          U, the size of h.

        Raises:
          UsageError: if the decoder does not take G + U numbers.
        """
        num_inputs = self.x_features.output_shape[-1] + num_latent_features
        if not self.cell.built:
            self.cell.build((None, num_inputs))
        try:
            states = [tf.cast(part, self.cell.compute_dtype) for part in self.start_states(1)]
            self.cell(tf.zeros([1, num_inputs], self.cell.compute_dtype), states)
        except (ValueError, tf.errors.InvalidArgumentError):
            raise UsageError(
                f"cell must take {(num_inputs,)}, features of x_t and of z_t; it was built for "
                "others."
            ) from None
        size = tf.nest.flatten(self.cell.state_size)[0]
        check_input("decoder", self.decoder, num_latent_features + size)
        self.built = True
        return size

    @classmethod
    def parts_for(
        cls,
        data,
        *,
        units: int,
        hidden: Sequence[int],
        activation: str,
        cell: str | keras.layers.Layer,
        emission: str | dict | Emission | None,
        dtype: str | None,
        seed: int,
        latent_features: int = 0,
    ) -> dict:
        """Makes for sequences what all of their models have; the arguments are those of `for_data`.

        Args:
          data: as `as_data` takes sequences.
          units: of the cell.
          hidden: units of each hidden layer of each network.
          activation: of the hidden layers.
          cell: "lstm" or "gru", or a Keras cell.
          emission: as the constructor; None for what is made for such data.
          dtype: of networks and densities.
          seed: of the initial weights.
          latent_features: G, of what networks see of z_t.

        Returns:
          Arguments of the constructor.

        Raises:
          UsageError: for a value out of its range.
        """
        data = as_data(data, sequences=True)
        check_seed(seed=seed)
        check_count(units=units)
        check_counts(hidden=hidden)
        max_length, num_dims = data.shape
        field = data.fields["x"]
        known = {"waveform": isinstance(field, WaveformField), "grid": field.grid}
        emission = emission or emission_for(field)
        if data.train is not None and takes_moments(emission):  # and not the shape alone
            mean, scale = data.moments
            changes = scale > 1e-6 * max(scale.max(), np.abs(mean).max())
            known |= {"mean": mean.tolist(), "scale": np.where(changes, scale, 1.0).tolist()}
        emission = get_emission(emission, density_dtype(dtype), **known)
        start = emission.start_outputs(num_dims)
        common = {"activation": activation, "seed": seed}
        with networks_of(dtype):
            if isinstance(cell, str):
                cell = CELLS[check_choice("cell", cell, CELLS)](
                    units,
                    kernel_initializer=keras.initializers.GlorotUniform(seed + 5000),
                    recurrent_initializer=keras.initializers.Orthogonal(seed=seed + 5001),
                    seed=seed,  # of a dropout that there is not, whose state is a variable
                    name="cell",
                )
            size = tf.nest.flatten(as_cell("cell", cell).state_size)[0]
            x_features = layers.mlp((num_dims,), hidden, None, name="x_features", **common)
            decoder = layers.mlp(
                (latent_features + size,),
                hidden,
                start.shape,
                output_bias=start,
                name="decoder",
                **common | {"seed": seed + 1000},
            )
        return {
            "cell": cell,
            "x_features": x_features,
            "decoder": decoder,
            "emission": emission,
            "max_length": max_length,
        }

    # What a method says of its latents; leading axes are any.

    def latent_prior(self, summary: tf.Tensor) -> tfd.Distribution:
        """p(z_t given h_{t-1}), given h_{t-1} [..., U], over [K]."""
        return gaussian_of(summary[..., :0])

    def encoded(self, features: tf.Tensor, summary: tf.Tensor) -> tf.Tensor:
        """mu and then log sigma of q(z_t given x_t, h_{t-1}), [..., 2 K], given features of x_t
        [..., F] and h_{t-1} [..., U].
        """
        return summary[..., :0]

    def latent_features(self, z: tf.Tensor) -> tf.Tensor:
        """What other networks see of z_t [..., K]: [..., G]."""
        return z

    # One step.

    def start_states(self, *shape) -> list[tf.Tensor]:
        """h_0 = 0, and whatever else the cell keeps, of sequences [*shape]."""
        sizes = tf.nest.flatten(self.cell.state_size)
        return [tf.zeros([*shape, size], self.dtype) for size in sizes]

    def next_states(
        self, features: tf.Tensor, latent: tf.Tensor, states: list[tf.Tensor]
    ) -> list[tf.Tensor]:
        """h_t = f(x_t, z_t, h_{t-1}), given features of x_t and of z_t: [..., U] each."""
        inputs = tf.concat([features, latent], -1)
        if inputs.shape.rank == 2:
            _, new = self.cell(inputs, states)
            return [tf.cast(part, old.dtype) for part, old in zip(new, states, strict=True)]
        flat = [tf.reshape(part, [-1, part.shape[-1]]) for part in (inputs, *states)]
        _, new = self.cell(flat[0], flat[1:])
        return [
            tf.ensure_shape(tf.reshape(tf.cast(part, old.dtype), tf.shape(old)), old.shape)
            for part, old in zip(new, states, strict=True)
        ]

    def features(self, x: tf.Tensor) -> tf.Tensor:
        """What networks see of steps [..., D]: [..., F]."""
        return layers.fold(self.x_features, self.emission.standardised(x))

    def emission_outputs(self, latent: tf.Tensor, summary: tf.Tensor) -> tf.Tensor:
        """The outputs that the emission takes, given features of z_t and h_{t-1}."""
        return layers.fold(self.decoder, tf.concat([latent, summary], -1))

    # Sequences.

    def preprocess(self, batch, seed):
        is_step = tf.sequence_mask(batch["length"], self.max_length)[..., None]
        x = self.emission.preprocess(batch["x"], seed)
        return batch | {"x": tf.where(is_step, x, 0.0)}

    def _by_step(self, batch):
        """Steps [T, B, D], 0 beyond the length, and 1 within it and 0 beyond, [T, 1, B]."""
        is_step = tf.sequence_mask(batch["length"], self.max_length)
        # NaN must not even enter a product.
        x = tf.where(is_step[..., None], batch["x"], 0.0)
        return tf.transpose(x, [1, 0, 2]), tf.cast(tf.transpose(is_step)[:, None], x.dtype)

    def get_config(self):
        parts = {
            name: getattr(self, name) for name in ("cell", "x_features", "decoder", "emission")
        }
        serialized = {k: keras.saving.serialize_keras_object(v) for k, v in parts.items()}
        kept = {"max_length": self.max_length, "truncation": self.truncation}
        return super().get_config() | serialized | kept
