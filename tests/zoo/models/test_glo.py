"""Generative latent optimisation: steps by hand, a linear case in closed form, and its samples."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import gaussian_moments, moments, z_scores
from eager import eagerly
from small_dvaes import wrong
from training import two_replicas

import samplers
import zoo
from zoo.core.abilities import defines
from zoo.models import glo
from zoo.scores.registry import registered_scores

NUM_PIXELS, NUM_LATENTS, NUM_EXAMPLES = 6, 3, 30
RNG = np.random.default_rng(0)
X = RNG.random((NUM_EXAMPLES, NUM_PIXELS)).astype(np.float32)
WEIGHTS = 0.8 * RNG.standard_normal((NUM_LATENTS, NUM_PIXELS)).astype(np.float32)
RATE = 0.7


def linear(module=glo, num_examples=NUM_EXAMPLES, **kwargs):
    """g(z) = z W, a decoder whose gradients are known."""
    decoder = keras.Sequential([keras.Input((NUM_LATENTS,)), keras.layers.Dense(NUM_PIXELS)])
    decoder.set_weights([WEIGHTS, np.zeros(NUM_PIXELS)])
    model = module.GLO(decoder, num_examples=num_examples, latent_learning_rate=RATE, **kwargs)
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    return model


def numpy_step(z, x, weights, radius):
    """The latents and the weights after a step of both from the same gradient."""
    error = z @ weights - (2 * x - 1)
    moved = z - RATE * 2 / NUM_PIXELS * error @ weights.T
    moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True) / radius, 1)
    return moved, weights - 0.1 * 2 / error.size * z.T @ error


def step_error(module=glo, radius=1.0, size=7):
    """How far a training step of some rows is from NumPy's; all other rows stay."""
    model, index = linear(module, radius=radius), np.arange(size) * 3
    before = model.latents.states.numpy()
    with eagerly():
        model.train_step({"x": tf.constant(X[index]), "index": tf.constant(index, tf.int32)})
    after = model.latents.states.numpy()
    others = np.setdiff1d(np.arange(NUM_EXAMPLES), index)
    np.testing.assert_array_equal(after[others], before[others])
    z, weights = numpy_step(before[index], X[index], WEIGHTS, radius)
    return max(
        np.abs(after[index] - z).max(), np.abs(model.decoder.get_weights()[0] - weights).max()
    )


@pytest.mark.parametrize("radius", [0.5, 1.0, 100.0])
@pytest.mark.parametrize("size", [1, 7])
def test_a_step_is_that_of_numpy(radius, size):
    """Whatever the number of rows: each descends the loss of its own image."""
    assert step_error(radius=radius, size=size) < 1e-5


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("project_to_ball(z - rate * gradient, radius)", "z - rate * gradient"),
        ("project_to_ball(z - rate", "project_to_ball(z + rate"),
        ("loss = self.loss_of(batch, z)\n", "loss = tf.reduce_mean(self.loss_of(batch, z))\n"),
    ],
    ids=["no ball", "uphill", "a mean over the batch"],
)
def test_wrong_steps_are_noticed(old, new):
    assert step_error(wrong(glo.__name__, old, new)) > 1e-3


def test_replicas_take_the_steps_of_one():
    """Two replicas with halves of a batch, by plain gradient descent."""
    data = {"x": X[:20], "index": np.arange(20)[::-1].astype(np.int32)}
    ends = []
    for strategy in (tf.distribute.get_strategy(), two_replicas()):
        with strategy.scope():
            model = linear()
        model.fit(data, batch_size=10, epochs=2, verbose=0)
        ends.append([model.latents.states.numpy(), *model.decoder.get_weights()])
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def largest_angle(x, **kwargs):
    """From the decoder's directions, after full-batch descent, to the principal ones, degrees."""
    model = linear(num_examples=len(x), **kwargs)
    rate = keras.optimizers.SGD(2.0)
    model.compile(rate, jit_compile=False, steps_per_execution=100)
    data = tf.data.Dataset.from_tensors({"x": x, "index": np.arange(len(x))}).repeat(1500)
    model.fit(data, verbose=0)
    found = np.linalg.qr(model.decoder.get_weights()[0].T)[0]
    expected = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:NUM_LATENTS].T
    cosines = np.linalg.svd(found.T @ expected, compute_uv=False)
    return np.degrees(np.arccos(np.clip(cosines.min(), 0, 1)))


def test_a_linear_generator_spans_the_principal_subspace():
    """With the squared error and a ball that is large; in one that is too small it cannot."""
    directions = np.linalg.qr(RNG.standard_normal((NUM_PIXELS, NUM_PIXELS)))[0]
    scales = [0.2, 0.17, 0.14, 0.05, 0.04, 0.03]
    x = 0.5 + RNG.standard_normal((60, NUM_PIXELS)) @ (directions * scales).T
    x = np.clip(x, 0, 1).astype(np.float32)
    assert largest_angle(x, radius=1e3) < 1
    assert largest_angle(x, radius=0.1) > 1


def test_latents_start_at_principal_components(digits):
    """Projected to the ball; or at draws of N(0, I), where there is nothing to look at."""
    x = np.concatenate([batch["x"] for batch in digits.test])
    model = zoo.GLO.for_data(x, latent_dim=5, width=8)
    rows = (2 * x - 1).reshape(len(x), -1).astype(np.float64)
    centred = rows - rows.mean(0)
    expected = centred @ np.linalg.svd(centred, full_matrices=False)[2][:5].T
    expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1)
    states = model.latents.states.numpy()
    signs = np.sign(np.sum(states * expected, 0))
    np.testing.assert_allclose(states, expected * signs, atol=1e-4)
    for given in ({"num_pca": 0, "data": x}, {"num_examples": 300, "data": (8, 8, 1)}):
        states = zoo.GLO.for_data(given.pop("data"), latent_dim=5, width=8, **given).latents.states
        np.testing.assert_allclose(np.linalg.norm(states, axis=1).max(), 1, rtol=1e-6)
        assert abs(z_scores(states.numpy(), np.zeros(5))).max() < 4
    config = model.get_config()
    assert not {"num_pca", "start"} & config.keys()


def test_latents_follow_the_examples(digits):
    """Through two epochs in different orders; examples left out of an epoch stay."""
    model = zoo.GLO.for_data(digits, latent_dim=3, width=4)
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    expected = model.latents.states.numpy()
    start = expected.copy()
    for epoch in range(2):
        zoo.core.pipeline.epoch_variable().assign(epoch)
        for batch in digits.train.take(5):
            # The generator stands still, so that each visit is the same map.
            z = tf.constant(expected[batch["index"]])
            with tf.GradientTape() as tape:
                tape.watch(z)
                loss = tf.reduce_sum(model.loss_of(batch, z))
            expected[batch["index"]] = model.moved(z, tape.gradient(loss, z))
    zoo.core.pipeline.epoch_variable().assign(0)
    model.fit(digits.train.take(5), epochs=2, verbose=0)
    np.testing.assert_allclose(model.latents.states, expected, atol=1e-5)
    assert (np.abs(expected - start).max(1) > 0).sum() > 250


def test_files_hold_the_latents(tmp_path):
    model = linear()
    model.latents.states.assign(RNG.standard_normal((NUM_EXAMPLES, NUM_LATENTS)))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.latents.states, model.latents.states)
    np.testing.assert_array_equal(loaded.sample(5, 3)["mean"], model.sample(5, 3)["mean"])


def with_law(mean, root):
    """A model whose decoder shows its latents, and whose latents have these moments exactly."""
    decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    decoder.set_weights([np.eye(3), np.zeros(3)])
    model = glo.GLO(decoder, num_examples=40)
    model.compile(jit_compile=False)  # XLA draws other numbers from a seed
    rows = RNG.standard_normal((40, 3))
    rows = np.linalg.qr(rows - rows.mean(0))[0] * 39**0.5
    model.latents.states.assign(mean + rows @ root.T)
    return model


def test_samples_have_the_moments_of_the_latents():
    """And not those of N(0, I), nor independent ones."""
    mean, root = np.array([0.1, -0.2, 0.0]), np.array([[0.2, 0, 0], [0.15, 0.1, 0], [0, -0.1, 0.1]])
    drawn = 2 * with_law(mean, root).sample(20_000, 1)["x"].astype(np.float64) - 1
    covariance = root @ root.T

    def deviation(mean, covariance):
        return np.abs(z_scores(moments(drawn), gaussian_moments(mean, covariance))).max()

    assert deviation(mean, covariance) < 4.5
    assert deviation(mean, np.diag(np.diag(covariance))) > 10
    assert deviation(np.zeros(3), np.eye(3)) > 10


def test_exports_hold_the_law_of_the_latents_and_not_the_latents():
    model = with_law(np.zeros(3), np.diag([0.3, 0.2, 0.1]))
    for name, inputs in (("sample", {"num_samples": 50}), ("reconstruct", {"x": X[:4, :3]})):
        function, fields = model.signatures()[name]
        specs = {key: field.spec(key) for key, field in fields.items()}
        traced = tf.function(function, autograph=False).get_concrete_function(**specs)
        assert not any(v is model.latents.states.value for v in traced.variables)
        seed = samplers.as_seed(3)
        served = traced(**{k: tf.constant(v) for k, v in inputs.items()}, seed=seed)
        asked = getattr(model, name)(*inputs.values(), seed=seed)
        np.testing.assert_allclose(served["mean"], asked["mean"], atol=1e-6)
    model.latents.states.assign(0.1 * model.latents.states)  # what is trained on moves the law
    assert model.sample(500, 1)["x"].std() < 0.2 * 2 * 0.3


@pytest.mark.parametrize("loss", glo.LOSSES)
def test_new_images_find_their_latents(digits, loss):
    """The loss falls, given all of an image, and the squared error, given its visible pixels."""
    rate = 1.0 if loss == "l2" else 0.02
    options = {"latent_learning_rate": rate, "loss": loss, "num_pca": 0}
    model = zoo.GLO.for_data(digits, latent_dim=3, width=16, **options)
    z = 0.3 * RNG.standard_normal((1, 10, 3)).astype(np.float32)
    batch = {"x": model.expected(tf.constant(z))[0]}
    visible = tf.reshape(tf.range(64) % 3 > 0, [8, 8, 1])
    inferred, completed = [], []
    for num_steps in (1, 300):
        model.num_inference_steps = num_steps
        found = tf.function(model.infer, autograph=False)(batch, 2, samplers.as_seed(1))[0]
        inferred.append(np.mean(model.loss_of(batch, found)))
        complete = tf.function(model.complete, autograph=False)
        found = complete(batch, visible, 2, num_steps, samplers.as_seed(1))[0]
        completed.append(np.mean(model.loss_of(batch, found, visible)))
        assert found.shape == (2, 10, 3)
    assert inferred[1] < 0.5 * inferred[0] and completed[1] < 0.9 * completed[0]


def test_hidden_pixels_do_not_count():
    model = linear()
    visible = np.arange(NUM_PIXELS) < 4
    other = np.where(visible, X[:5], 1 - X[:5])
    found = [model.complete({"x": x}, visible, 1, 5, seed=1)[0] for x in (X[:5], other)]
    np.testing.assert_array_equal(*found)
    z = tf.constant(RNG.standard_normal((2, 5, NUM_LATENTS)), tf.float32)
    error = np.square(z.numpy() @ WEIGHTS - (2 * X[:5] - 1))
    np.testing.assert_allclose(
        model.loss_of({"x": X[:5]}, z, visible), error[..., :4].mean(-1), rtol=1e-5
    )


def test_the_pyramid_weighs_levels():
    """Level j has 4^j times fewer pixels: equal weights of means are 2^(2j) of sums."""
    x = RNG.random((2, 8, 8, 1)).astype(np.float32)
    model = zoo.GLO.for_data(x, latent_dim=3, width=4, loss="laplacian_pyramid")
    z = tf.zeros([3, 2, 3])
    difference = model.decode(z)[0] - (2 * x - 1)
    levels = glo.layers.laplacian_pyramid(difference, 3)
    sums = [4**j * np.abs(level).sum((1, 2, 3)) for j, level in enumerate(levels)]
    loss = model.loss_of({"x": x}, z)
    assert loss.shape == (3, 2)
    np.testing.assert_allclose(loss[1], sum(sums) / 64, rtol=1e-5)
    model.settings["level_weights"] = (0.0, 0.0, 2.0)
    np.testing.assert_allclose(model.loss_of({"x": x}, z)[0], 2 * sums[2] / 64, rtol=1e-5)


def test_it_has_no_density():
    absent = ("log_joint", "log_weights", "log_prob", "bits_per_dim", "log_likelihood", "protocol")
    assert not any(defines(zoo.GLO, name) for name in (*absent, "prior", "likelihood", "propose"))
    model = linear()
    assert set(model.signatures()) == {"sample", "reconstruct", "inpaint", "encode"}
    scores = {n for s in registered_scores() if s.applies(model) for n in s.units}
    assert {"reconstruction_mse"} < scores
    assert not {"log_likelihood", "bdmc_gap", "bound", "importance_weighted_bound"} & scores
    assert model.selected_by == ("mse", 1.0)


@pytest.mark.parametrize(("shape", "base"), [((8, 8, 1), 4), ((28, 28, 1), 7), ((32, 32, 3), 4)])
def test_generators(shape, base):
    for blocks in ("convolution", "dcgan"):
        given = {"blocks": blocks, "width": 2, "latent_dim": 5, "num_examples": 4}
        model = zoo.GLO.for_data(shape, **given)
        assert model.decoder.output_shape[1:] == shape and model.decoder.input_shape == (None, 5)
    maps = [layer.output.shape[1:] for layer in model.decoder.layers if "reshape" in layer.name]
    assert maps[0][0] == base


MISTAKES = {
    "loss: unknown value 'l1'": {"loss": "l1"},
    "blocks: unknown value 'gan'": {"blocks": "gan"},
    "level_weights must be a list of numbers": {"level_weights": []},
    "level_weights must be greater than 0": {"level_weights": (1.0, -1.0)},
    "a pyramid of 3 levels needs images .* that 4 divides": {
        "loss": "laplacian_pyramid",
        "data": (6, 6, 1),
    },
    "event_shape must be .* of 4 to 7 that are doubled": {"blocks": "dcgan", "data": (9, 9, 1)},
    r"decoder must give images in \[-1, 1\]; .* only numbers from 0 to 1": {
        "decoder": keras.Sequential([keras.Input((24,)), keras.layers.Dense(5, "sigmoid")])
    },
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes(message):
    given = {"num_examples": 5, "data": (5,), "width": 4} | MISTAKES[message]
    with pytest.raises(zoo.UsageError, match=message):
        zoo.GLO.for_data(given.pop("data"), **given)
