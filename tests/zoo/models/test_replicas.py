"""Two replicas take the step of one with the whole batch: given equal noise, and on average."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from training import BATCH, build, two_replicas

import samplers
import zoo
from zoo.core import registry
from zoo.core.fields import PixelField
from zoo.testing.specimen import load_data


def deterministic_chain(log_density, state, *, step_size, **_):
    """Instead of HMC: one gradient step, and acceptance rates that differ between examples."""
    _, gradient = samplers.density.value_and_gradient(log_density, state)
    accept_prob = tf.sigmoid(tf.reduce_sum(100 * gradient, -1))
    moved = state + 0.01 * step_size * gradient
    none = tf.zeros_like(accept_prob, tf.int32)
    return samplers.HMCResult(moved, accept_prob, accept_prob, none, accept_prob)


def trained(images, scope, monkeypatch):
    monkeypatch.setattr(samplers, "normal", lambda shape, *_: 0.3 * tf.ones(shape))
    monkeypatch.setattr(samplers, "hmc", deterministic_chain)
    facts = zoo.data.Data(None, None, None, {"x": PixelField(images.shape[1:])}, {})
    with scope:
        model = zoo.HMCDLGM.for_data(facts, latent_dim=4, hidden=(16,), likelihood="gaussian")
        model.compile(keras.optimizers.SGD(1e-4), jit_compile=False)
    # The last batch is one image, so that a replica has none.
    pipeline = tf.data.Dataset.from_tensor_slices(images[:21]).batch(10)
    history = model.fit(pipeline, epochs=2, verbose=0).history
    scores = [model.evaluate(images[:n], batch_size=2, verbose=0, return_dict=True) for n in (1, 3)]
    scores.append(model.test_on_batch(images[:3], return_dict=True))
    return model, history, scores, model.predict(images[:3], batch_size=2, verbose=0)


def test_same_step_as_one_replica(images, monkeypatch):
    one, one_history, one_scores, one_means = trained(
        images, tf.distribute.get_strategy().scope(), monkeypatch
    )
    two, two_history, two_scores, two_means = trained(images, two_replicas().scope(), monkeypatch)
    assert two.distribute_strategy.num_replicas_in_sync == 2
    for a, b in zip(one.variables, two.variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7, err_msg=a.path)
    for name, values in one_history.items():
        np.testing.assert_allclose(values, two_history[name], rtol=1e-4, err_msg=name)
    for scores, others in zip(one_scores, two_scores, strict=True):
        for name, value in scores.items():
            np.testing.assert_allclose(value, others[name], rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(one_means, two_means, rtol=1e-4)
    fresh = zoo.HMCDLGM.from_config(one.get_config())
    assert not np.allclose(one.trainable_variables[0], fresh.trainable_variables[0])


NUM_STEPS = 200


class Steps(keras.callbacks.Callback):
    """Collects what each step writes, and takes it back but for the number of steps: equal steps
    of independent noise."""

    def on_train_begin(self, logs=None):
        self.variables = [v for v in self.model.variables if v is not self.model.training_step]
        self.start, self.written = [v.numpy() for v in self.variables], []

    def on_train_batch_end(self, batch, logs=None):
        self.written.append([v.numpy() for v in self.variables])
        for variable, value in zip(self.variables, self.start, strict=True):
            variable.assign(value)

    def changes(self):
        """By variable, what the steps add to it, [NUM_STEPS, numbers in it]."""
        for variable, start, *ends in zip(self.variables, self.start, *self.written, strict=True):
            if start.dtype.kind == "f":
                yield variable.path, np.reshape(np.float64(ends) - start, [NUM_STEPS, -1])


def steps_of(method, data, strategy, start=None, **kwargs):
    """Steps of plain gradient descent on one batch, from the start of another model if given."""
    with strategy.scope():
        model = build(method, data, optimizer="sgd", **kwargs)
    if start is not None:
        owned = [v for v in model.variables if v is not model.training_step]
        for variable, value in zip(owned, start, strict=True):
            variable.assign(value)
    steps = Steps()
    batch = data.train.take(1).unbatch().batch(BATCH, drop_remainder=True).take(1)
    model.fit(batch.repeat(NUM_STEPS), callbacks=[steps], verbose=0)
    return steps


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.method_names())
def test_same_mean_step_as_one_replica(name):
    """Of every variable, chains and step sizes, too: along the mean change that a third run of
    other seeds finds, where an error of scale shows, and along a random direction.
    """
    method, one = zoo.get_method(name), tf.distribute.get_strategy()
    data = load_data(registry.methods()[name].data)
    two = steps_of(method, data, two_replicas())
    whole, third = (steps_of(method, data, one, two.start, seed=seed) for seed in (1, 2))
    random, largest, sharpest = np.random.default_rng(0), 0.0, 0.0
    for (path, x), (_, y), (_, z) in zip(
        two.changes(), whole.changes(), third.changes(), strict=True
    ):
        for direction in (z.mean(0), random.normal(size=z.shape[1])):
            a, b = x @ direction, y @ direction
            if not np.ptp([a, b]):
                continue
            error = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / NUM_STEPS)
            error += 1e-4 * abs(b.mean())  # rounding, where a step has no noise at all
            difference = abs(a.mean() - b.mean()) / error
            largest, sharpest = max(largest, difference), max(sharpest, abs(b.mean()) / error)
            assert difference < 4, path
    print(f"{name}: at most {largest:.1f} standard errors, where a mean has up to {sharpest:.0f}")
    assert sharpest > 8  # so that twice or half the step would be seen
