"""Structured prediction, against sums over all bits."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from checking import z_scores
from small_dvaes import wrong
from small_structured import BATCH, MODELS, VISIBLE, X, exact, make, posterior

import zoo
from zoo.models import structured

tfd = tfp.distributions
each = pytest.mark.parametrize("name", MODELS)


def log_weights(model, size, times):
    """Of `size` draws at a time, [times, size, B]."""
    run = tf.function(lambda seed: model.log_weights({"x": X}, size, seed), autograph=False)
    return np.stack([run(tf.constant([0, k])) for k in range(times)]).astype(np.float64)


def estimate_error(model):
    """Of p(x_hidden given x_visible), estimated by 20,000 draws, in standard errors."""
    estimates = np.exp(log_weights(model, 1000, 20)).mean(1)
    return np.abs(z_scores(estimates / exact(model), 1)).max()


@each
def test_bound_grows_to_the_log_likelihood(name):
    model = MODELS[name]()
    truth, bounds = np.log(exact(model)), []
    for num_samples in (1, 5, 25, 125):
        values = log_weights(model, 125, 40).reshape(-1, num_samples, BATCH)
        values = np.logaddexp.reduce(values, 1) - np.log(num_samples)
        error = 4 * values.std(0) / len(values) ** 0.5
        assert (values.mean(0) < truth + error).all()
        bounds.append(values.mean(0))
    assert (np.diff(bounds, axis=0) > 0).all()
    assert (bounds[-1] > truth - error - 0.02).all()


def objective_errors(model):
    """Of the value, and of its gradient in the encoder and q, by hand of a single group."""
    variables = model.encoder.trainable_variables + model.posterior_part.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        context = model.amortise({"x": X}, 0)
        value = model.objectives({"x": X}, context, None, 1)[0]["bound"]
        zeta = model.relaxed_draw(context, None, 1, "expectation").zeta
        log_p = model.log_prob_where({"x": X}, zeta, ~VISIBLE)
        shares = np.exp(log_p - np.logaddexp.reduce(log_p, 0))
        q = tfd.Bernoulli(logits=model.posterior_part.heads[0](context["parameters"]))
        entropy = 0.05 * tf.reduce_mean(tf.reduce_sum(q.entropy(), -1))
        descended = -tf.reduce_mean(tf.reduce_sum(shares * log_p, 0)) - entropy
    expected = -np.mean(np.logaddexp.reduce(log_p, 0) - np.log(len(log_p))) - entropy
    gradients = zip(*(tape.gradient(y, variables) for y in (value, descended)), strict=True)
    return np.abs(expected - value), max(np.abs(a - b).max() for a, b in gradients)


@each
def test_estimate(name):
    assert estimate_error(MODELS[name]()) < 4


@pytest.mark.parametrize("num_samples", [1, 5])
def test_objective(num_samples):
    """log mean p + w H, whose gradient weighs samples by their shares, not by squares of them."""
    assert max(objective_errors(make(num_samples=num_samples))) < 1e-5


SQUARED = "tf.reduce_sum(tf.stop_gradient(tf.nn.softmax(log_likelihood, 0)) ** 2 * log_likelihood)"
BOUND = "tf.reduce_mean(samplers.log_mean_exp(log_likelihood))"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("rbm", "(parameters, z) - log_q", "(parameters, z)"),
        ("rbm", "+ log_weights - samplers.log_mean_exp(log_weights)", ""),
        ("one", "batch, z, ~self.visible)", "batch, z, self.visible)"),
        ("one", "batch, z, ~self.visible)", "batch, z, tf.ones_like(self.visible))"),
    ],
)
def test_wrong_estimates_are_rejected(name, old, new):
    assert estimate_error(MODELS[name](module=wrong(structured.__name__, old, new))) > 4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (BOUND, f"{SQUARED} / {BATCH}"),
        ("- self.warmdown * entropy", "+ self.warmdown * entropy"),
        ("draw.zeta, ~self.visible)", "draw.zeta, self.visible)"),
    ],
)
def test_wrong_objectives_are_rejected(old, new):
    model = make(module=wrong(structured.__name__, old, new), num_samples=5)
    assert objective_errors(model)[1] > 1e-3


def entropy_gained(model):
    """By training in which the entropy has by far the most weight, nats, [B]."""
    before = posterior(model)
    for _ in range(5):
        model.train_step({"x": X, "index": tf.range(BATCH)})
    return sum(sign * np.sum(q * np.log(q), 0) for sign, q in ((1, before), (-1, posterior(model))))


@each
def test_entropy_is_raised(name):
    assert (entropy_gained(MODELS[name](entropy_weight=5.0)) > 0).all()
    module = wrong(structured.__name__, "- self.warmdown", "+ self.warmdown")
    assert (entropy_gained(MODELS[name](entropy_weight=5.0, module=module)) < 0).all()


@each
def test_hidden_pixels_are_not_looked_at(name):
    model = MODELS[name]()
    for ask in (
        lambda x: model.inpaint(x, VISIBLE, 3),
        lambda x: model.reconstruct(x, 3),
        lambda x: model.sample(4, 3, x_visible=x[0]),
        lambda x: model.encode(x, 3),
    ):
        one, two = ask(X.numpy()), ask(np.where(VISIBLE, X, 1 - X))
        assert all(np.array_equal(one[key], two[key]) for key in one)


def test_warmdown():
    model = make(entropy_steps=100, entropy_weight=0.1)
    for iteration, weight in {0: 1.0, 50: 0.5, 90: 0.1, 200: 0.1}.items():
        model.training_step.assign(iteration)
        np.testing.assert_allclose(model.warmdown, weight, rtol=1e-6)


def test_refusals():
    model = make()
    for message, ask in {
        "visible must be the mask 'bottom' that": lambda: model.inpaint(X, ~VISIBLE),
        "num_steps must be left out: .* completes images in one pass": lambda: model.inpaint(
            X, VISIBLE, num_steps=3
        ),
        "num_chains must be left out: .* it was 2": lambda: model.inpaint(X, VISIBLE, num_chains=2),
        "x_visible must be given": lambda: model.sample(1),
        "x_visible must have the shape": lambda: model.sample(1, x_visible=X),
        "relaxation must be .* it was 'power'": lambda: make(relaxation="power"),
        "entropy_weight must be greater than 0": lambda: make(entropy_weight=-1.0),
        "entropy_steps must be a whole": lambda: make(entropy_steps=1.5),
        "mask: unknown value 'botom'; did you mean 'bottom'": lambda: make(mask="botom"),
    }.items():
        with pytest.raises(zoo.UsageError, match=message):
            ask()
    with pytest.raises(zoo.UsageError, match="is now zoo.StructuredPrediction.posterior="):
        zoo.get_method("UndirectedStructuredPrediction")


def test_one_mask_is_known():
    """Any program that takes masks is told which; scores are of what it hides."""
    model = make()
    field = model.visible_field
    np.testing.assert_array_equal(field.only, VISIBLE)
    assert field.called == "bottom" and not model.can_be_annealed
    assert bool(field.allows(VISIBLE[None])) and not bool(field.allows(~VISIBLE[None]))
    bits = model.bits_per_dim(-3.0)
    np.testing.assert_allclose(bits, 1 / np.log(2))
    z = model.infer({"x": X}, 1, 0)[0]
    error = np.square(model.expected(z)[0] - X)[:, ~VISIBLE].mean(1)
    np.testing.assert_allclose(model.squared_error({"x": X}, z), error, rtol=1e-5)
