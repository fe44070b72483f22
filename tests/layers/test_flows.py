"""Flows against the Jacobians that automatic differentiation finds, and against their inverses."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_dvaes import wrong

import layers
from layers import flows

SIZE, CONTEXT = 5, 3
RNG = np.random.default_rng(0)
POINTS = RNG.normal(0, 1.5, (7, SIZE))


def context_of(flow):
    size = {"Planar": 2 * SIZE + 1}.get(type(flow).__name__, CONTEXT)
    return tf.constant(RNG.normal(0, 1.5, (7, size)))


KINDS = {
    "planar": lambda module: (module.Planar(dtype="float64"), False),
    "planar, amortised": lambda module: (module.Planar(amortised=True, dtype="float64"), True),
    "coupling": lambda module: (module.AdditiveCoupling((4,), dtype="float64"), False),
    "coupling, context": lambda module: (module.AdditiveCoupling((4,), dtype="float64"), True),
    "permutation": lambda module: (module.Mixing(dtype="float64"), False),
    "orthogonal": lambda module: (module.Mixing("orthogonal", dtype="float64"), False),
    "iaf": lambda module: (module.InverseAutoregressive((6, 9), dtype="float64"), False),
    "iaf, reversed, context": lambda module: (
        module.InverseAutoregressive((6, 9), reverse=True, dtype="float64"),
        True,
    ),
}
INVERTIBLE = [kind for kind in KINDS if not kind.startswith("planar")]


def made(kind, module=flows):
    """A flow whose weights are far from where they start, and its context."""
    flow, has_context = KINDS[kind](module)
    context = context_of(flow) if has_context else None
    if has_context and not kind.startswith("planar"):
        flow.build((None, SIZE), context.shape)
    else:
        flow.build((None, SIZE))
    for variable in flow.trainable_variables:
        variable.assign(variable + np.random.default_rng(1).normal(0, 0.6, variable.shape))
    return flow, context


def row(context, i):
    return None if context is None else context[i : i + 1]


def log_det_error(kind, module=flows):
    """The largest, in nats, over points."""
    flow, context = made(kind, module)
    z = tf.constant(POINTS)
    with tf.GradientTape() as tape:
        tape.watch(z)
        moved, log_det = flow(z, context)
    signs, expected = np.linalg.slogdet(tape.batch_jacobian(moved, z).numpy())
    assert (signs > 0).all() or "permutation" in kind or "orthogonal" in kind
    return np.abs(expected - log_det).max()


@pytest.mark.parametrize("kind", KINDS)
def test_log_determinants(kind):
    assert log_det_error(kind) < 1e-8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("planar", "(1 - h * h) * stretch", "(1 - h * h) * (1 + along)"),
        ("planar", "h * h + (1", "h + (1"),
        ("iaf", "tf.math.log_sigmoid(logit)", "logit"),
        ("iaf", "tf.sigmoid(logit)\n        return", "1 - tf.sigmoid(logit)\n        return"),
    ],
)
def test_wrong_log_determinants_are_found_out(kind, old, new):
    assert not log_det_error(kind, wrong("layers.flows", old, new)) < 1e-3  # NaN, too


@pytest.mark.parametrize("kind", INVERTIBLE)
def test_inverses(kind):
    flow, context = made(kind)
    moved = flow(tf.constant(POINTS), context)[0]
    assert np.abs(moved - POINTS).max() > 0.1
    np.testing.assert_allclose(flow.inverse(moved, context), POINTS, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_does_not_depend_on_the_others(kind):
    """A sum over the batch is the classic fault; and contexts serve all samples of an example."""
    flow, context = made(kind)
    many = [t.numpy() for t in flow(tf.constant(POINTS), context)]
    one = [t.numpy()[0] for t in flow(tf.constant(POINTS[2:3]), row(context, 2))]
    twice = [t.numpy()[1] for t in flow(tf.constant(np.stack([POINTS + 1, POINTS])), context)]
    for a, b, c in zip(many, one, twice, strict=True):
        np.testing.assert_allclose(b, a[2], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(c, a, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_made_sees_what_comes_before(reverse, size):
    """All of it, and nothing else; what it is conditional on reaches every output."""
    made = layers.MADE(2, (7, 6), reverse=reverse, activation="tanh", dtype="float64")
    z, context = tf.constant(POINTS[:1, :size]), tf.constant(POINTS[:1, :2])
    made.build((None, size), (None, 2))
    np.testing.assert_array_equal(made(z, context), 0)
    for variable in made.trainable_variables:
        variable.assign(variable + np.random.default_rng(1).normal(0, 0.6, variable.shape))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([z, context])
        outputs = made(z, context)[0]
    jacobian = tape.jacobian(outputs, z).numpy().reshape(2, size, size)
    order = slice(None, None, -1) if reverse else slice(None)
    for block in jacobian:
        seen = block[order, order] != 0
        np.testing.assert_array_equal(seen, np.tri(size, k=-1, dtype=bool))
    assert (tape.jacobian(outputs, context).numpy() != 0).all()


def test_planar_flows_are_invertible_whatever_the_parameters():
    """w' u_hat > -1, also where u points far against w; and w = 0 makes no NaN."""
    flow = layers.Planar(amortised=True)
    rng = np.random.default_rng(2)
    parameters = rng.normal(0, 10, (1000, 2 * SIZE + 1)).astype("f")
    parameters[0, SIZE : 2 * SIZE] = 0
    z = rng.normal(0, 0.01, (1000, SIZE)).astype("f")
    w = parameters[:, SIZE : 2 * SIZE]
    parameters[:, -1] = -(w * z).sum(-1)  # where tanh is steepest
    moved, log_det = (t.numpy() for t in flow(z, parameters))
    assert np.isfinite(moved).all() and np.isfinite(log_det).all()
    assert log_det.min() < -5 < 1 < log_det.max()


def test_couplings_and_planar_flows_start_as_the_identity():
    for flow in (layers.Planar(), layers.AdditiveCoupling()):
        flow.build((None, SIZE))
        moved, log_det = flow(tf.constant(POINTS, tf.float32))
        np.testing.assert_allclose(moved, POINTS, atol=1e-5)
        np.testing.assert_allclose(log_det, 0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_configs(kind):
    flow, _ = KINDS[kind](flows)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(flow))
    assert type(copy) is type(flow) and copy.get_config() == flow.get_config()
