"""Glow: its density by quadrature, its completions by enumeration, its start from data."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import z_scores
from eager import eagerly
from small_dvaes import wrong
from training import two_replicas

import layers
import samplers
import zoo

# Shape, whether pixels are squeezed, levels, and how far the couplings are from where they start.
CELLS = {"[1, 1, 2]": ((1, 1, 2), False, 3, 0.3), "[2, 2, 1]": ((2, 2, 1), True, 2, 0.6)}


def toy(shape, squeeze, levels, scale, cls=zoo.Glow):
    """A model of a few pixels, far from where it starts, most of whose mass is in [0, 1)."""
    network = layers.GlowNetwork(shape, num_scales=1, depth=1, width=6, squeeze=squeeze)
    rng = np.random.default_rng(3)
    for coupling in network.scales[0][2::3]:
        for variable in coupling.outputs.trainable_variables:
            variable.assign(variable + rng.normal(0, scale, variable.shape))
    with layers.started_from_data():
        network(tf.constant(rng.uniform(-0.4, 0.4, (500, *shape)), tf.float32))
    model = cls(network, levels=levels)
    model.compile(jit_compile=False)
    return model


def densities(model, low, high, num):
    """p(u) at the midpoints of a grid, an axis for each pixel; and the volume of its cells."""
    size = model.latent_dim
    axis = low + (high - low) * (np.arange(num) + 0.5) / num
    grid = np.stack(np.meshgrid(*[axis] * size, indexing="ij"), -1)
    u = grid.reshape(-1, *model.fields["x"].shape).astype("f")
    log_prob = model.log_prob({"x": tf.constant(u)}).numpy() + size * np.log(model.levels)
    return np.exp(log_prob).reshape([num] * size), ((high - low) / num) ** size


def test_it_integrates_to_one():
    model = toy(*CELLS["[1, 1, 2]"])
    density, volume = densities(model, -4.0, 5.0, 600)
    assert abs(density.sum() * volume - 1) < 2e-3


def masses(model, per_cell):
    """The probability of every image, an axis for each pixel: of u in its cell."""
    density, volume = densities(model, 0.0, 1.0, model.levels * per_cell)
    for axis in range(model.latent_dim):
        shape = density.shape
        density = density.reshape(*shape[:axis], model.levels, per_cell, *shape[axis + 1 :])
        density = density.sum(axis + 1)
    return density * volume


def test_mean_weight_is_the_probability_of_an_image():
    model = toy(*CELLS["[1, 1, 2]"])
    levels = np.stack(np.meshgrid(range(3), range(3), indexing="ij"), -1).reshape(9, 1, 1, 2)
    batch = {"x": tf.constant(((levels + 0.5) / 3).astype("f"))}
    weights = np.exp(model.log_weights(batch, 4000, 0))
    assert np.abs(z_scores(weights, masses(model, 80).reshape(9))).max() < 4
    told = model.log_likelihood((levels / 2).astype("f"), 0)
    exact = np.log(masses(model, 80)).reshape(9)
    np.testing.assert_allclose(told["log_likelihood"], exact, atol=1)
    assert model.bits_per_dim(-2 * np.log(2)) == 1.0


def completion_error(kind, cls=zoo.Glow, num_images=4000):
    """Of the frequencies of what the last pixels are given the first, in standard errors."""
    shape, _, levels, _ = CELLS[kind]
    model = toy(*CELLS[kind], cls)
    size = model.latent_dim
    mass = masses(model, 60 if size == 2 else 10)
    first = size // 2
    given = mass[(1,) * first]
    given = (given / given.sum()).reshape(-1)
    x = np.full((num_images, *shape), 1 / (levels - 1), "f")
    visible = (np.arange(size) < first).reshape(shape)
    completed = model.inpaint(x, visible, 0, num_steps=40)["x"]
    np.testing.assert_array_equal(completed[:, visible], x[:, visible])
    hidden = np.rint(completed[:, ~visible] * (levels - 1)).astype(int)
    index = np.ravel_multi_index(hidden.T, (levels,) * (size - first))
    found = np.bincount(index, minlength=len(given)) / num_images
    assert np.abs(given - 1 / len(given)).max() > 0.05, "or nothing would be to be found"
    return np.abs((found - given) / np.sqrt(given * (1 - given) / num_images)).max()


@pytest.mark.parametrize("kind", CELLS)
def test_completions_are_of_the_conditional_law(kind):
    assert completion_error(kind) < 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("jacobian = tf.math.log_sigmoid(logits) + tf", "jacobian = 0 * logits + tf"),
        ("(level + within) / self.levels, within)", "(level + 0.01) / self.levels, within)"),
    ],
    ids=["half of the Jacobian", "no noise of visible pixels"],
)
def test_wrong_completions_are_rejected(old, new):
    base = wrong("zoo.models.exact_density", old, new).ExactDensityModel

    class Wrong(zoo.Glow):
        complete = base.complete

    assert completion_error("[1, 1, 2]", Wrong) > 6


def fitted(data, epochs=1, **kwargs):
    model = zoo.Glow.for_data(data, num_scales=1, depth=1, width=4, **kwargs)
    model.compile("sgd", jit_compile=False)
    model.optimizer.learning_rate = 0.0
    model.fit(data.train.take(2), epochs=epochs, verbose=0)
    return model


def norms(model):
    return [flow.log_scale.numpy() for flow in model.network.scales[0][:1]]


def test_it_starts_from_the_first_batch_once(digits, tmp_path):
    with eagerly():
        model = fitted(digits)
        once = norms(model)
        first = model.preprocess(next(iter(digits.train)), start_seed(model))["x"] - 0.5
        outputs = model.network.scales[0][0](tf.nn.space_to_depth(first, 2))[0]
        np.testing.assert_allclose(tf.math.reduce_std(outputs, [0, 1, 2]), 1, atol=2e-3)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        for again in (model, loaded):
            again.fit(digits.train.skip(3).take(1), verbose=0)
            np.testing.assert_array_equal(norms(again)[0], once[0])


def start_seed(model):
    return samplers.fold_in(model.seed, "start")


def test_no_batch_of_a_generator_is_lost(digits):
    model = zoo.Glow.for_data(digits, num_scales=1, depth=1, width=4)
    model.compile("sgd", run_eagerly=True)
    seen = []
    model.train_step = lambda data: seen.append(1) or zoo.Glow.train_step(model, data)
    x = next(iter(digits.train))["x"].numpy()
    model.fit((batch for batch in [x, x]), steps_per_epoch=2, verbose=0)
    assert len(seen) == 2 and int(model.network.is_started.numpy()) == 1


def test_a_model_that_was_trained_is_not_started(digits):
    """Nor one whose network was, nor by a fit that is refused."""
    batch = {k: v[:4] for k, v in next(iter(digits.train)).items()}
    model = zoo.Glow.for_data(digits, num_scales=1, depth=1, width=4, seed=-1)
    model.compile("sgd", run_eagerly=True)
    with pytest.raises(zoo.UsageError, match="validation_data"):
        model.fit(batch, batch_size=2, validation_data=(), verbose=0)
    assert model.needs_start
    model.train_on_batch(batch)
    assert not model.needs_start
    with eagerly():
        other = zoo.Glow(fitted(digits).network)
    assert not other.needs_start


def test_cells_of_many_levels(digits):
    model = zoo.Glow.for_data(digits, num_scales=1, depth=1, width=4, levels=65_536)
    u = model.preprocess({"x": tf.ones([500, 8, 8, 1])}, 0)["x"]
    np.testing.assert_array_equal(tf.floor(u * 65_536), 65_535)


@pytest.mark.slow
def test_replicas_start_alike(digits):
    with two_replicas().scope():
        two = fitted(digits)
    np.testing.assert_allclose(norms(two)[0], norms(fitted(digits))[0], rtol=1e-4)


def test_temperature(digits):
    model = zoo.Glow.for_data(digits, num_scales=1, depth=1, width=4)
    with eagerly():
        cold, warm = (model.sample(50, 0, temperature=t)["mean"] for t in (0.1, 0.3))
        assert 2 < warm.std() / cold.std() < 4
        with pytest.raises(zoo.UsageError, match="not temperatur."):
            model.sample(5, 0, temperatur=1.0)
        with pytest.raises(zoo.UsageError, match="temperature must be greater than 0"):
            model.sample(5, 0, temperature=0.0)
        batch = model.preprocess({"x": next(iter(digits.test))["x"]}, 0)
        z, _ = model.infer(batch, 1, 0)
        pixels = (batch["x"] * 17 - 0.5) / 16
        np.testing.assert_allclose(model.expected(z)[0], np.clip(pixels, 0, 1), atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_scales": 4}, "num_scales must halve height and width"),
        ({"coupling": "afine"}, "did you mean 'affine'"),
        ({"levels": 0}, "levels must be"),
        ({"depth": 0}, "depth must be greater than 0"),
        ({"levels": 1}, "levels must be at least 2; it was 1"),
        ({"dtype": "mixed_bfloat16"}, "network must be of the model's dtype, float32"),
    ],
)
def test_what_is_refused(arguments, message, digits):
    with pytest.raises(zoo.UsageError, match=message):
        zoo.Glow.for_data(digits, **arguments)
    with pytest.raises(zoo.UsageError, match="network must be a layers.GlowNetwork"):
        zoo.Glow(keras.Sequential())


def test_levels_are_those_of_the_data(digits):
    assert digits.levels == 17 == zoo.Glow.for_data(digits, depth=1).levels
    assert zoo.Glow.for_data((8, 8, 1), depth=1, num_scales=1).levels == 256
