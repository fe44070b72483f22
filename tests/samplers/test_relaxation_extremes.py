"""Relaxations in float32 at extreme logits and uniform numbers."""

import numpy as np
import pytest
import tensorflow as tf
from checking import mutant

import samplers
from samplers import relaxations

EXTREME_U = np.array([0.0, 1e-30, 6e-8, 0.5, 1 - 2**-24], np.float32)
EXTREME_LOGITS = np.array([0.0, 1.0, 16.0, 60.0, 88.0, 104.0, 1e4, 1e30], np.float32)


def all_finite(relaxation, compiled):
    """Whether draws, what can be computed of them, and gradients are, and draws in [0, 1]."""

    @tf.function(jit_compile=compiled, autograph=False)
    def evaluate(logits, u):
        values = []
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(logits)
            values.append(relaxation(logits, u))
            for name in ("log_prob", "log_ratio", "log_prob_given_0", "logit"):
                if hasattr(relaxation, name):
                    arguments = {"log_prob": (values[0], logits), "logit": (logits, u)}
                    values.append(getattr(relaxation, name)(*arguments.get(name, values[:1])))
        return [*values, *(tape.gradient(value, logits) for value in values)]

    logits = np.concatenate([EXTREME_LOGITS, -EXTREME_LOGITS])
    pairs = np.meshgrid(logits, EXTREME_U)
    values = [value.numpy() for value in evaluate(*map(tf.constant, pairs))]
    assert all(value.dtype == np.float32 for value in values)
    inside = (values[0] >= 0).all() and (values[0] <= 1).all()
    return inside and all(np.isfinite(value).all() for value in values)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", samplers.RELAXATIONS)
def test_extremes_are_finite(name, compiled):
    assert all_finite(samplers.RELAXATIONS[name](), compiled)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("Concrete", "np.finfo(zeta.dtype.as_numpy_dtype).eps", "0"),
        ("Power", "np.finfo(zeta.dtype.as_numpy_dtype).eps", "0"),
        ("Power", "** self.beta\n", "** self.beta + tf.math.log(q)\n"),
    ],
)
def test_infinite_extremes_are_rejected(name, old, new):
    assert not all_finite(getattr(mutant("samplers.relaxations", old, new), name)(), False)


def extreme_quantile_error(module):
    """Of the exponential's draws at extreme logits in float32, as probabilities."""
    relaxation = module.Exponential()
    logits = tf.constant(np.append(EXTREME_LOGITS, -EXTREME_LOGITS)[:, None])
    u = tf.constant(np.append(np.linspace(0, 1, 9, endpoint=False), EXTREME_U), tf.float32)
    return abs(relaxation.cdf(relaxation(logits, u), logits) - u).numpy().max()


def test_extreme_quantiles():
    assert extreme_quantile_error(relaxations) < 2e-5


def test_wrong_extreme_quantiles_are_rejected():
    wrong = mutant("samplers.relaxations", "-60.0, 60.0", "-600.0, 600.0")
    assert not extreme_quantile_error(wrong) < 0.5
