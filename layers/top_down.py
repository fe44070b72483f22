"""Top-down generators with several layers of latents, and the encoders that mirror them."""

import math
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from layers.fold import fold
from layers.policy import made_by

BLOCKS = ("dense", "convolution")


@keras.saving.register_keras_serializable("zoo")
class TopDown(keras.Model):
    """A generator with L layers of latents, from standard normal noise [N, K] to images in [-1, 1].

    z_L ~ N(0, I), z_l given z_{l+1} ~ N(mu_l, diag sigma_l^2), x = tanh(o_0(h_0)), where the
    features h_l = d_l(p_l(z_{l+1})) + h_{l+1} give mu_l and sigma_l (Nijkamp et al. 2020, table 4).
    A call takes the noise (e_L, ..., e_1) of z_l = mu_l + sigma_l e_l: the non-centred form.

    With `hierarchical` the latents of all layers are independent, N(0, I), and are injected
    between the levels: gelu(W [mu_l, z_l] + b) stands in place of z_l (section 5.4; Zhao, Song and
    Ermon 2017).

    Args:
      event_shape: of an image, (height, width, channels); any shape with dense blocks.
      latent_dims: numbers of latents d_L, ..., d_1 of the layers, the top one first.
      width: units or channels of the features.
      blocks: "dense", or "convolution" as in the paper: features are maps, of a size that becomes
        the image's by one or more doublings, at most 16 by 16.
      hierarchical: whether latents are independent and injected.
      reference_scale: sigma as in the authors' code, exp(v / 2) of v = softplus(.) clipped to
        [0, 10], which is never below 1; else softplus(.).
      seed: of the initial weights.
      **kwargs: `name`, and `dtype`, the policy of all its layers; None for that of Keras.

    Raises:
      ValueError: for other blocks, no latents, or a height or width that is odd.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        latent_dims: Sequence[int],
        *,
        width: int = 64,
        blocks: str = "dense",
        hierarchical: bool = False,
        reference_scale: bool = False,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)  # noise and densities are not in half precision
        self.event_shape, self.latent_dims = tuple(event_shape), tuple(latent_dims)
        if not self.latent_dims or min(self.latent_dims) < 1:
            raise ValueError(f"latent_dims must be positive numbers; they were {latent_dims}.")
        self.settings = {
            "width": width,
            "blocks": blocks,
            "hierarchical": hierarchical,
            "reference_scale": reference_scale,
            "seed": seed,
        }
        self.hierarchical, self.reference_scale = hierarchical, reference_scale
        make = _blocks(blocks, self.event_shape, width, seed)
        with made_by(self.dtype_policy):
            self.projections = [make.projection() for _ in self.latent_dims]
            self.residuals = [make.residual() for _ in self.latent_dims]
            self.means = [make.head(size) for size in self.latent_dims[1:]]
            if hierarchical:
                self.injections = [make.dense(size, "gelu") for size in self.latent_dims[1:]]
            else:
                self.scales = [make.head(size) for size in self.latent_dims[1:]]
            self.image = make.image()
        self(tf.zeros([1, sum(self.latent_dims)], self.variable_dtype))

    @property
    def input_shape(self):
        return (None, sum(self.latent_dims))

    @property
    def output_shape(self):
        return (None, *self.event_shape)

    def call(self, noise):
        parts = iter(tf.split(noise, self.latent_dims, axis=-1))
        return self.descend(lambda mean, stddev: mean + stddev * next(parts))

    def descend(self, choose: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Walks from the top layer to the image.

        Args:
          choose: is called once for each layer, the top one first, with mean and standard
            deviation of its latents given those above, [..., d]; returns the latents.

        Returns:
          The image, [..., *event_shape], for latents [..., d].
        """
        leading = None

        def chosen(mean, stddev):
            nonlocal leading
            if leading is not None:
                mean, stddev = (_unfold(t, leading) for t in (mean, stddev))
            # Densities are in the type of the variables, features in that of the layers.
            z = choose(*(tf.cast(t, self.variable_dtype) for t in (mean, stddev)))
            leading = z.shape[:-1] if z.shape[:-1].is_fully_defined() else tf.shape(z)[:-1]
            return tf.cast(tf.reshape(z, [-1, z.shape[-1]]), dtype)

        dtype = self.compute_dtype
        size = self.latent_dims[0]
        z, features = chosen(tf.zeros([size], dtype), tf.ones([size], dtype)), 0.0
        for layer, (project, residual) in enumerate(
            zip(self.projections, self.residuals, strict=True)
        ):
            projected = project(z)
            features = features + projected + residual(projected)
            if layer < len(self.means):
                z = self._below(layer, features, chosen)
        return tf.cast(_unfold(self.image(features), leading), self.variable_dtype)

    def _below(self, layer, features, chosen):
        """The latents of the next layer below, or what the independent ones become."""
        mean = self.means[layer](features)
        if self.hierarchical:
            z = chosen(tf.zeros_like(mean), tf.ones_like(mean))
            return self.injections[layer](tf.concat([mean, z], -1))
        stddev = tf.nn.softplus(self.scales[layer](features))
        if self.reference_scale:
            stddev = tf.exp(tf.clip_by_value(stddev, 0.0, 10.0) / 2)
        return chosen(mean, stddev + 1e-4)

    def get_config(self):
        shapes = {"event_shape": self.event_shape, "latent_dims": self.latent_dims}
        dtype = keras.dtype_policies.serialize(self.dtype_policy)
        return {"name": self.name, "dtype": dtype} | shapes | self.settings


def descend(network, choose: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """`TopDown.descend` for any network from [N, K]: one without layers has one, N(0, I)."""
    if hasattr(network, "descend"):
        return network.descend(choose)
    # A loaded network says the type of its session of itself, and not that of its layers.
    size, dtype = network.input_shape[-1], network.variables[0].dtype
    return fold(network, choose(tf.zeros([size], dtype), tf.ones([size], dtype)))


def latent_dims(network) -> tuple[int, ...]:
    """How many latents each layer of a network has, the top one first."""
    return getattr(network, "latent_dims", (network.input_shape[-1],))


def bottom_up(
    event_shape: Sequence[int],
    latent_dims: Sequence[int],
    *,
    width: int = 64,
    blocks: str = "dense",
    initial_stddev: float = math.exp(-2),
    seed: int = 0,
    name: str = "encoder",
) -> keras.Model:
    """The encoder that mirrors `TopDown`: deterministic features, and two heads for every layer.

    Images in [0, 1], [N, *event_shape], to [N, 2 K]: means, then log standard deviations, the top
    layer first (the upward pass of Soenderby et al. 2016, eqs. 7 to 9).

    Args:
      event_shape: as `TopDown`.
      latent_dims: as `TopDown`, the top layer first.
      width: as `TopDown`.
      blocks: as `TopDown`.
      initial_stddev: what the standard deviations are near to begin with. Soenderby et al. have
        about 1; a VAE that begins with small ones can learn much faster.
      seed: of the initial weights.
      name: of the network.
    """
    make = _blocks(blocks, event_shape, width, seed + 5000)
    inputs = keras.Input(tuple(event_shape))
    features = make.stem()(inputs)
    means, scales = [], []
    for size in reversed(latent_dims):
        features = keras.layers.Add()([features, make.residual()(features)])
        means.insert(0, make.head(size)(features))
        scales.insert(0, make.head(size, bias=math.log(initial_stddev))(features))
    outputs = [*means, *scales]
    return keras.Model(inputs, keras.layers.Concatenate()(outputs), name=name)


def _unfold(tensor, leading):
    shape = tf.concat([leading, tf.shape(tensor)[1:]], 0)
    restored = tf.reshape(tensor, shape)
    if isinstance(leading, tf.TensorShape):
        restored.set_shape([*leading, *tensor.shape[1:]])
    return restored


class _Dense:
    """Blocks that are fully connected; features are vectors."""

    def __init__(self, event_shape, width, seed):
        self.event_shape, self.width, self.seed = tuple(event_shape), width, seed

    def initializer(self):
        self.seed += 1
        return keras.initializers.GlorotUniform(self.seed)

    def dense(self, units, activation=None, bias=0.0):
        return keras.layers.Dense(
            units,
            activation,
            kernel_initializer=self.initializer(),
            bias_initializer=keras.initializers.Constant(bias),
        )

    def stem(self):
        return keras.Sequential([keras.layers.Flatten(), self.dense(self.width, "gelu")])

    def projection(self):
        return self.dense(self.width, "gelu")

    def residual(self):
        return keras.Sequential([self.dense(self.width, "gelu") for _ in range(2)])

    def head(self, size, bias=0.0):
        return self.dense(size, bias=bias)

    def image(self):
        last = self.dense(math.prod(self.event_shape), "tanh")
        return keras.Sequential([last, keras.layers.Reshape(self.event_shape)])


class _Convolution(_Dense):
    """Blocks of the paper; features are maps of `width` channels."""

    def __init__(self, event_shape, width, seed):
        super().__init__(event_shape, width, seed)
        self.doublings, side = 1, max(self.event_shape[:2])
        while side > 16 * 2**self.doublings:
            self.doublings += 1
        step = 2**self.doublings
        if len(self.event_shape) != 3 or any(n % step for n in self.event_shape[:2]):
            near = "x".join(str(max(step, n // step * step)) for n in self.event_shape[:2])
            raise ValueError(
                "event_shape must be (height, width, channels), with height and width that "
                f"{step} divides; it was {self.event_shape}: images of size {near} are, and the "
                "blocks 'dense' take any."
            )
        self.map = [n // step for n in self.event_shape[:2]]

    def convolution(self, filters, size, activation="gelu", **kwargs):
        initializer = self.initializer()
        kwargs = {"padding": "same", "kernel_initializer": initializer} | kwargs
        return keras.layers.Conv2D(filters, size, activation=activation, **kwargs)

    def doubling(self, filters, activation):
        return keras.layers.Conv2DTranspose(
            filters, 4, 2, "same", activation=activation, kernel_initializer=self.initializer()
        )

    def stem(self):
        return keras.Sequential(
            [self.convolution(self.width, 4, strides=2) for _ in range(self.doublings)]
        )

    def projection(self):
        height, width = self.map
        return keras.Sequential(
            [
                self.dense(4 * height * width, "gelu"),
                keras.layers.Reshape((height, width, 4)),
                # With stride 1 a transposed convolution is one with its kernel turned.
                self.convolution(self.width, 5, use_bias=False),
            ]
        )

    def residual(self):
        return keras.Sequential([self.convolution(self.width, 5), self.convolution(self.width, 3)])

    def head(self, size, bias=0.0):
        side = min(5, *self.map)
        return keras.Sequential(
            [
                self.convolution(size, side, padding="valid"),
                keras.layers.Flatten(),
                self.dense(size, bias=bias),
            ]
        )

    def image(self):
        doublings = [self.doubling(self.width, "gelu") for _ in range(self.doublings - 1)]
        last = self.doubling(self.event_shape[-1], "tanh")
        return keras.Sequential([*doublings, last])


def _blocks(blocks, event_shape, width, seed):
    if blocks not in BLOCKS:
        raise ValueError(f"blocks must be one of {', '.join(BLOCKS)}; it was {blocks!r}.")
    return {"dense": _Dense, "convolution": _Convolution}[blocks](event_shape, width, seed)
