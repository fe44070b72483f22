"""Networks of the user: of any kind, built or not; what of them cannot be right is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.core.networks import as_network, output_range

L = keras.layers
SHAPE, SIZE = (4, 6, 1), 3


@keras.saving.register_keras_serializable("tests")
class Encoder(keras.Model):
    def __init__(self, units=2 * SIZE, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = [L.Flatten(), L.Dense(8, "softplus"), L.Dense(units)]

    def call(self, x):
        for layer in self.inner:
            x = layer(x)
        return x

    def get_config(self):
        return super().get_config() | {"units": self.units}


@keras.saving.register_keras_serializable("tests")
class Decoder(keras.Model):
    """Its layers are made in another order than they are called."""

    def __init__(self, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.activation = activation
        self.last = L.Dense(24, activation, name="last")
        self.first = L.Dense(8, "relu")

    def call(self, z):
        return tf.reshape(self.last(self.first(z)), [-1, *SHAPE])

    def get_config(self):
        return super().get_config() | {"activation": self.activation}


def sequential(*layers, shape=(SIZE,), inputs=True):
    return keras.Sequential([*([keras.Input(shape)] if inputs else []), *layers])


def functional(make, shape=(SIZE,)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, make(inputs))


def data():
    rng = np.random.default_rng(0)
    x = rng.random((20, *SHAPE)).astype(np.float32)
    return zoo.data.Data(None, None, None, {"x": zoo.core.fields.PixelField(SHAPE)}, {}), x


BUILDS = {
    "subclassed": lambda: (Encoder(), Decoder()),
    "sequential without input": lambda: (
        sequential(L.Flatten(), L.Dense(2 * SIZE), inputs=False),
        sequential(L.Dense(24), L.Reshape(SHAPE), inputs=False),
    ),
    "one of each": lambda: (
        Encoder(),
        functional(lambda z: L.Reshape(SHAPE)(L.Dense(24)(L.Dense(8, "tanh")(z)))),
    ),
    "a layer used twice": lambda: (
        Encoder(),
        functional(lambda z: L.Reshape(SHAPE)(L.Dense(24)((d := L.Dense(SIZE, "tanh"))(d(z))))),
    ),
}


@pytest.mark.parametrize("build", BUILDS)
def test_networks_of_any_kind(build, tmp_path):
    """They are built, trained, saved and loaded."""
    facts, x = data()
    encoder, decoder = BUILDS[build]()
    model = zoo.VAE.for_data(facts, latent_dim=SIZE, encoder=encoder, decoder=decoder)
    model.compile(jit_compile=False)
    before = [v.numpy() for v in decoder.trainable_variables]
    model.train_step({"x": tf.constant(x)})
    after = [v.numpy() for v in decoder.trainable_variables]
    assert not all(np.array_equal(*pair) for pair in zip(before, after, strict=True))
    model.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    for network in ("encoder", "decoder"):
        z = np.ones((2, *getattr(model, network).input_shape[1:]), np.float32)
        values = [getattr(m, network)(z) for m in (model, again)]
        np.testing.assert_array_equal(*values)


@pytest.mark.parametrize(
    "method",
    [zoo.HMCDLGM, zoo.IWAE, zoo.AnnealedVAE, zoo.LadderVAE, zoo.ShortRun, zoo.ABP, zoo.DVAE],
    ids=lambda method: method.__name__,
)
def test_every_method_builds_them(method):
    facts, x = data()
    facts.num_examples["train"] = len(x)
    sizes = {"latent_dim": SIZE} if issubclass(method, zoo.VAE) else {"latent_dims": (SIZE,)}
    if method is zoo.LadderVAE:
        sizes = {"latent_dims": (SIZE,)}
    if method is zoo.DVAE:
        sizes, facts = {"latent_dims": (1, 2)}, facts
        object.__setattr__(facts, "mean_image", x.mean(0))
    networks = {"decoder": Decoder()}
    if not issubclass(method, zoo.ShortRun):
        networks["encoder"] = Encoder()
    model = method.for_data(facts, **sizes, **networks)
    assert model.decoder.output_shape == (None, *SHAPE)
    model._check_parameter_groups()


def test_networks_that_were_called_are_built():
    encoder, decoder = Encoder(), Decoder()
    decoder(tf.zeros([2, SIZE]))
    assert zoo.VAE(encoder, decoder).latent_dim == SIZE, "the encoder takes what the decoder gives"
    with pytest.raises(zoo.UsageError, match="decoder must be built, .* 'other' once on a batch"):
        zoo.VAE(Encoder(), Decoder(name="other"))


class Noisy(L.Layer):
    def call(self, x):
        return x + tf.random.normal(tf.shape(x))


class Sampling(L.Layer):
    """As the tutorials of Keras have it."""

    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x), seed=self.seeds)


class OfTheBatch(L.Layer):
    def call(self, x):
        return x - tf.reduce_mean(x, 0)


class AddsLoss(L.Layer):
    def call(self, x):
        self.add_loss(tf.reduce_mean(x))
        return x


class WithDropout(keras.Model):
    def __init__(self):
        super().__init__()
        self.parts = {"a": [L.Dense(24), L.Dropout(0.5, name="hidden_dropout"), L.Reshape(SHAPE)]}

    def call(self, z):
        for layer in self.parts["a"]:
            z = layer(z)
        return z


def ending(*layers):
    return lambda: sequential(L.Dense(24), *layers, L.Reshape(SHAPE))


@pytest.mark.parametrize(
    ("decoder", "message"),
    [
        (WithDropout, "must not hold .*'hidden_dropout'"),
        (ending(L.Dropout(0.5)), "must not hold .*dropout"),
        (ending(L.Reshape((24, 1)), L.SpatialDropout1D(0.5)), "must not hold .*spatial"),
        (ending(L.Reshape((4, 6)), L.GRU(24, dropout=0.5)), "must not hold .*gru"),
        (ending(L.GaussianNoise(1.0)), "must not hold .*gaussian_noise"),
        (ending(L.SpectralNormalization(L.Dense(24))), "must not hold"),
        (ending(Sampling()), "must not hold .*sampling"),
        (ending(Noisy()), "must give the same each time it is called; it draws noise"),
        (
            ending(L.Lambda(lambda x: x * tf.random.uniform(tf.shape(x)))),
            "must give the same each time",
        ),
        (ending(L.Lambda(lambda x: tf.cast(x, tf.uint8))), "must give floats; it gives tf.uint8"),
        (ending(AddsLoss()), "decoder must not add losses, .*; 'adds_loss' adds one"),
        (ending(OfTheBatch()), "must look at each example alone"),
        (
            lambda: functional(lambda z: [L.Dense(24)(z), L.Dense(24)(z)]),
            "one output, .*; it has 2",
        ),
        (lambda: functional(lambda z: {"a": L.Dense(24)(z)}), "one output, .*; it has 1"),
        (lambda: functional(lambda z: {"a": z, "b": z, "c": z}), "one output, .*; it has 3"),
        (
            lambda: keras.Model(
                (ins := [keras.Input((SIZE,)), keras.Input((SIZE,))]), L.Add()(ins)
            ),
            "one input, .*; it has 2",
        ),
        (
            lambda: functional(L.Conv2D(1, 3), (None, None, 1)),
            r"input of a known shape; it is \[None, None, None, 1\]",
        ),
        (lambda: sequential(L.Reshape((5, 7, 1)), shape=(35,)), r"must give \(4, 6, 1\), the enc"),
        (lambda: "mlp", "must be a Keras model; it was a str"),
        (lambda: lambda z: z, "must be a Keras model; it was a function"),
    ],
)
def test_what_is_no_decoder(decoder, message):
    facts, _ = data()
    with pytest.raises(zoo.UsageError, match=f"^decoder .*{message}"):
        zoo.VAE.for_data(facts, latent_dim=SIZE, decoder=decoder())


def test_a_network_that_does_not_take_the_data():
    facts, _ = data()

    class Broken(keras.Model):
        def call(self, x):
            raise RuntimeError("a bug of the user's")

    with pytest.raises(zoo.UsageError, match=r"encoder must take \[N, 4, 6, 1\]; 'broken' does no"):
        zoo.VAE.for_data(facts, latent_dim=SIZE, encoder=Broken(name="broken"))


def test_networks_that_share_layers():
    shared = L.Dense(SIZE, name="shared")
    encoder = sequential(L.Flatten(), L.Dense(SIZE), shared, L.Dense(2 * SIZE), shape=SHAPE)
    decoder = sequential(shared, L.Dense(24), L.Reshape(SHAPE))
    with pytest.raises(zoo.UsageError, match="decoder must share no layer with encoder; .*shared"):
        zoo.VAE(encoder, decoder)


# What the last activation of a decoder can give.

BOUNDS = {
    "sigmoid": (0, 1),
    "hard_sigmoid": (0, 1),
    "tanh": (-1, 1),
    "softplus": (0, np.inf),
    "relu": (0, np.inf),
    "relu6": (0, 6),
    "exponential": (0, np.inf),
    "elu": (-1, np.inf),
    "softsign": (-1, 1),
    "log_softmax": (-np.inf, 0),
    "softmax": (0, 1),
    None: (-np.inf, np.inf),
    "leaky_relu": (-np.inf, np.inf),
}


class Traced(Decoder):
    """As people speed up what they write."""

    call = tf.function(Decoder.call, autograph=False)


def joined(activation):
    def make(z):
        halves = [L.Reshape((2, 6, 1))(L.Dense(12, activation)(z)) for _ in range(2)]
        return L.Concatenate(axis=1)(halves)

    return functional(make)


def resized(*layers):
    return lambda a: sequential(L.Dense(24, a), L.Reshape(SHAPE), *layers)


ENDINGS = {
    "in a traced function": lambda a: as_network("decoder", Traced(a), (SIZE,)),
    "joined": joined,
    "enlarged": resized(L.UpSampling2D(), L.UpSampling2D(interpolation="bilinear")),
    "cut": resized(L.Cropping2D(1), L.Permute((2, 1, 3))),
    "pooled": resized(L.MaxPooling2D(2), L.AveragePooling2D(1)),
    "in the layer": lambda a: sequential(L.Dense(24, a), L.Reshape(SHAPE)),
    "by itself": lambda a: sequential(L.Dense(24), L.Activation(a), L.Reshape(SHAPE), L.Flatten()),
    "nested": lambda a: sequential(sequential(L.Dense(24, a)), L.Reshape(SHAPE)),
    "subclassed": lambda a: as_network("decoder", Decoder(a), (SIZE,)),
}


@pytest.mark.parametrize("ends", ENDINGS)
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", None])
def test_the_last_activation_is_found(ends, activation):
    network = ENDINGS[ends](activation)
    low, high, layer = output_range(network)
    assert (low, high) == BOUNDS[activation]
    named = {"nested": lambda: network.layers[0].layers[0].name, "subclassed": lambda: "last"}
    named["in the layer"] = lambda: network.layers[0].name
    if activation and ends in named:
        assert layer == named[ends]()


@pytest.mark.parametrize("activation", BOUNDS)
def test_ranges_of_activations(activation):
    network = sequential(L.Dense(24, activation))
    low, high, layer = output_range(network)
    np.testing.assert_allclose([low, high], BOUNDS[activation], rtol=1e-6)
    outputs = network(10 * np.random.default_rng(0).standard_normal((100, SIZE)))
    assert low <= np.min(outputs) and np.max(outputs) <= high


@pytest.mark.parametrize(
    ("layer", "bounds"),
    [
        (L.Lambda(lambda x: 2 * tf.sigmoid(x) - 1), (-1, 1)),
        (L.Lambda(lambda x: 1 - tf.sigmoid(x)), (0, 1)),
        (L.Lambda(lambda x: tf.clip_by_value(x, -20.0, 10.0)), (-20, 10)),
        (L.Lambda(lambda x: 30 * tf.tanh(x)), (-30, 30)),
        (L.Lambda(lambda x: tf.sigmoid(x) * x), (-np.inf, np.inf)),
        (L.Rescaling(2.0, -1.0), (-np.inf, np.inf)),
    ],
)
def test_ranges_of_arithmetic(layer, bounds):
    np.testing.assert_allclose(output_range(sequential(layer))[:2], bounds, rtol=1e-6)


@pytest.mark.parametrize(
    ("likelihood", "activation", "refused"),
    [
        *(("bernoulli", activation, True) for activation in ("sigmoid", "tanh", "relu", "softmax")),
        ("bernoulli", None, False),
        ("gaussian", "tanh", False),
        ("gaussian", "elu", False),
        ("gaussian", "sigmoid", True),
        ("discretised_logistic", "sigmoid", True),
        ("discretised_logistic", "relu", True),
        ({"name": "gaussian", "scale": 0.3}, None, False),
    ],
)
def test_a_decoder_gives_what_the_likelihood_takes(likelihood, activation, refused):
    facts, _ = data()
    decoder = ENDINGS["in the layer"](activation)

    def make():
        return zoo.VAE.for_data(facts, latent_dim=SIZE, decoder=decoder, likelihood=likelihood)

    if not refused:
        assert make().decoder is decoder
        return
    name = decoder.layers[0].name
    message = f"^decoder must give (logits|means in .*) for .* {name!r} .* give that layer activati"
    with pytest.raises(zoo.UsageError, match=message):
        make()
