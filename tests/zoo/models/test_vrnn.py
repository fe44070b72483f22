"""VRNN on a linear dynamical system, of which the Kalman filter knows everything."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import mutant
from linear_dynamical import A, C, F, Q, R, kalman, optimal, sequences, system

import samplers
from zoo.models.recurrent import RecurrentModel
from zoo.parts.real_emissions import GaussianEmission

_MATRIX, _STDDEV = optimal()
WIDE = 0.9 * _MATRIX, 1.3 * _STDDEV


def exact(batch):
    """log p(x) of each sequence by the Kalman filter, [B]."""
    pairs = zip(batch["x"].numpy(), batch["length"].numpy(), strict=True)
    return np.array([kalman(x[:length]).sum() for x, length in pairs])


def weight_error(proposal=None):
    """How far log mean weights are from the Kalman filter's, in standard errors, [B]."""
    batch = sequences(4)
    weights = samplers.weight_summary(system(proposal).log_weights(batch, 10_000, 0))
    return (weights.log_mean - exact(batch)) / weights.stderr


@pytest.mark.parametrize("proposal", [None, WIDE], ids=["optimal", "wide"])
def test_the_mean_weight_is_the_likelihood(proposal):
    assert np.abs(weight_error(proposal)).max() < 4.5


def filter_error(proposal="posterior", threshold=0.5):
    """How far the mean of exp(estimate) of many small filters is from p(x), in standard errors."""
    batch = sequences(1)
    many = {name: tf.repeat(value, 3000, 0) for name, value in batch.items()}
    found = system(WIDE).filtered(many, 8, 0, proposal=proposal, threshold=threshold)
    ratio = np.exp(tf.reduce_sum(found.increments, 0) - exact(batch))
    again = samplers.log_mean_exp(found.log_weights)
    np.testing.assert_allclose(again, tf.reduce_sum(found.increments, 0), atol=1e-10)
    return (ratio.mean() - 1) / samplers.standard_error(ratio)


@pytest.mark.parametrize("proposal", ["posterior", "prior"])
@pytest.mark.parametrize("threshold", [0.5, 1.1], ids=["adaptive", "always"])
def test_filters_are_right_on_average(proposal, threshold):
    assert abs(filter_error(proposal, threshold)) < 4.5


def test_filters_tell_each_step():
    batch = sequences(2)
    found = system().filtered(batch, 20_000, 0)
    for k, length in enumerate(batch["length"].numpy()):
        increments = kalman(batch["x"][k, :length].numpy())
        np.testing.assert_allclose(found.increments[:length, k], increments, atol=0.03)
        assert not found.increments[length:, k].numpy().any()


WRONG = {
    "decoder off": (
        "log_weight = self.emission.log_prob(self.emission_outputs(latent, states[0]), x)",
        "log_weight = self.emission.log_prob(self.emission_outputs(latent, states[0]) + 0.1, x)",
    ),
    "emission sees h_t": (
        "self.emission_outputs(latent, states[0]), x)",
        "self.emission_outputs(latent, self.next_states(seen, latent, states)[0]), x)",
    ),
    "no prior": ("prior.log_prob(z) - law", "-law"),
    "no proposal": ("prior.log_prob(z) - law.log_prob(z)", "prior.log_prob(z)"),
    "padding counts": ("tf.where(counts, log_weight, 0.0)", "log_weight"),
    "steps beyond move the state": ("counts = is_step > 0", "counts = is_step > -1"),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_weights_are_rejected(change, monkeypatch):
    module = mutant("zoo.models.recurrent", *change)
    monkeypatch.setattr(RecurrentModel, "filtered", module.RecurrentModel.filtered)
    assert not np.abs(weight_error(WIDE)).max() < 4.5


def test_one_path_and_the_filter_agree():
    """The same noise in whatever is computed at once and step after step."""
    model, batch = system(WIDE), sequences(3)
    z, log_q, _ = model.propose(batch, 5, 1)
    log_weights = model.log_joint(batch, z) - log_q
    np.testing.assert_allclose(log_weights, model.log_weights(batch, 5, 1), atol=1e-10)
    path = model.unroll(batch, 4000, 1)
    bound = tf.reduce_sum(path.log_likelihood - model.kl_by_step(path), 0)
    difference = (bound - model.log_weights(batch, 4000, 1)).numpy()
    assert np.abs(difference.mean(0) / samplers.standard_error(difference)).max() < 4.5


def by_hand(x, num_samples, seed=0):
    """Log weights of one sequence by draws of the optimal proposal, in NumPy."""
    generator, z, total = np.random.default_rng(seed), np.zeros([num_samples, 2]), 0.0
    variance = 1 / (1 / Q + C**2 / R)
    for seen in x - A * np.append(np.zeros([1, 2]), x[:-1], 0):
        mean, total_variance = z @ F.T, C**2 * Q + R
        residual = seen - C * mean
        total -= 0.5 * (residual**2 / total_variance + np.log(2 * np.pi * total_variance)).sum(-1)
        mean = variance * (mean / Q + C * seen / R)
        z = mean + np.sqrt(variance) * generator.standard_normal(z.shape)
    return total


def test_the_optimal_proposal_spreads_as_a_filter_by_hand():
    batch = sequences(1)
    spread = [np.std(system(p).log_weights(batch, 20_000, 0)) for p in (None, WIDE)]
    expected = np.std(by_hand(batch["x"][0].numpy(), 20_000))
    assert abs(spread[0] / expected - 1) < 0.05
    assert spread[1] > 1.1 * expected


class _OfTheFirstTwo(GaussianEmission):
    """Steps of which other numbers than the first two are known beforehand."""

    def log_prob(self, outputs, x):
        return super().log_prob(outputs, x[..., :2])

    def start_outputs(self, num_dims):
        return super().start_outputs(2)


def test_the_smoothing_proposal_has_no_spread(monkeypatch):
    """p(z_t given z_{t-1}, x_t, ..., x_T): every weight is p(x). F is diagonal here."""
    diagonal = np.diag(F)
    monkeypatch.setattr("linear_dynamical.F", np.diag(diagonal))
    batch = sequences(1)
    x = batch["x"][0].numpy()
    precision, shift, told = np.zeros(2), np.zeros(2), []
    before = A * np.append(np.zeros([1, 2]), x[:-1], 0)
    for seen, shifted in zip(x[::-1], (x - before)[::-1], strict=True):
        # Backwards: p(x_t, ..., x_T given z_t) as a function of z_t.
        shrink = diagonal / (1 + Q * precision)
        precision, shift = diagonal * shrink * precision, shrink * shift
        precision, shift = precision + C**2 / R, shift + C * shifted / R
        variance = 1 / (1 / Q + precision)
        told.append(np.concatenate([seen, variance * shift, variance]))
    inputs = keras.Input((6 + 8,), dtype="float64")
    mean, variance, z = inputs[:, 2:4], inputs[:, 4:6], inputs[:, 12:14]
    outputs = [mean + variance * (diagonal / Q) * z, 0.5 * keras.ops.log(variance)]
    encoder = keras.Model(inputs, keras.ops.concatenate(outputs, -1))
    model = system(emission=_OfTheFirstTwo(dtype="float64"), num_dims=6, encoder=encoder)
    seen = {"x": tf.constant(np.stack(told[::-1])[None]), "length": batch["length"]}
    log_weights = model.log_weights(seen, 50, 0).numpy()
    np.testing.assert_allclose(log_weights, kalman(x).sum(), atol=1e-9)


def test_a_step_does_not_see_itself():
    """x_t acts on q of its own step, and on all else from the next one on alone."""
    model, batch, t = system(), sequences(2), 3
    batch["length"] = tf.fill([2], 6)
    changed = batch | {"x": batch["x"] + 0.1 * np.eye(6)[t][:, None]}
    one, two = (model.unroll(b, 3, 0) for b in (batch, changed))
    for before, after in (
        (one.summary, two.summary),
        (one.prior.mean(), two.prior.mean()),
        (one.prior.stddev(), two.prior.stddev()),
    ):
        np.testing.assert_array_equal(before[: t + 1], after[: t + 1])
    assert not np.array_equal(one.summary[t + 1], two.summary[t + 1])
    assert not np.array_equal(one.q.mean()[t], two.q.mean()[t])
    np.testing.assert_array_equal(one.log_likelihood[:t], two.log_likelihood[:t])


def everything(model, batch):
    """What a model computes of sequences, [B, ...] each."""
    path = model.unroll(batch, 2, 0)
    told = model.log_weights(batch, 3, 0), model.propose(batch, 2, 0).z
    told += tf.reduce_sum(path.log_likelihood - model.kl_by_step(path), 0), path.z
    told += (model.filtered(batch, 3, 0).increments[:, None],)
    return [np.asarray(value) for value in told]


def test_padding_does_not_matter():
    model, batch = system(), sequences(3)
    beyond = ~tf.sequence_mask(batch["length"], 6)[..., None]
    broken = batch | {"x": tf.where(beyond, np.nan, batch["x"])}
    for value, other in zip(everything(model, batch), everything(model, broken), strict=True):
        np.testing.assert_array_equal(value, other)
    observed = model.preprocess(broken, 0)
    np.testing.assert_array_equal(observed["x"], model.preprocess(batch, 0)["x"])


def test_neither_longer_padding_nor_others_matter():
    batch = sequences(3)
    log_weights = system().log_weights(batch, 3, 0)
    longer = {"x": tf.pad(batch["x"], [[0, 0], [0, 4], [0, 0]]), "length": batch["length"]}
    few = {name: value[:2] for name, value in batch.items()}
    found = system(max_length=10).log_weights(longer, 3, 0)
    np.testing.assert_allclose(found, log_weights, atol=1e-10)
    found = system().log_weights(few, 3, 0)
    np.testing.assert_allclose(found, log_weights[:, :2], atol=1e-10)
    emission = GaussianEmission(grid=0.5, dtype="float64")
    noisy, noisy_longer = (
        system(max_length=b["x"].shape[1], emission=emission).preprocess(b, 0)["x"]
        for b in (batch, longer)
    )
    np.testing.assert_array_equal(noisy, noisy_longer[:, :6])


def test_compiled_programs_agree():
    """XLA draws other numbers; the weights that need none agree."""
    model, batch = system(), sequences(2)
    z = model.propose(batch, 2, 0).z
    compiled = tf.function(model.log_joint, jit_compile=True, autograph=False)
    np.testing.assert_allclose(compiled(batch, z), model.log_joint(batch, z), rtol=1e-8)


@pytest.mark.slow
def test_compiled_filters_agree_with_the_exact_one():
    model, batch = system(), sequences(2)
    found = tf.function(
        lambda: model.filtered(batch, 20_000, samplers.as_seed(0)).increments,
        jit_compile=True,
        autograph=False,
    )()
    np.testing.assert_allclose(tf.reduce_sum(found, 0), exact(batch), atol=0.1)


def test_truncation_stops_gradients():
    """With blocks of 2 steps, x_s acts on what is climbed of its own block alone."""
    batch = sequences(1)
    for truncation, acts in ((0, np.tri(6) > 0), (2, np.kron(np.eye(3), np.tri(2)) > 0)):
        model = system(truncation=truncation)
        with tf.GradientTape() as tape:
            x = tf.constant(batch["x"])
            tape.watch(x)
            path = model.unroll(batch | {"x": x}, 1, 0)
            terms = (path.log_likelihood - model.kl_by_step(path))[:, 0, 0]
        found = tape.jacobian(terms, x)[:, 0]
        np.testing.assert_array_equal(tf.reduce_any(found != 0, -1), acts)
