"""Wake-sleep: each network learns where it should, and from the law it should."""

import numpy as np
import pytest
import tensorflow as tf
from checking import z_scores
from linear_gaussian import diagonal, draws_of_gradients, linear_gaussian, linear_model
from small_dvaes import wrong

import samplers
import zoo
from zoo.models import wake_sleep

LAW = diagonal(linear_gaussian())
X = LAW.simulate(500)


def test_nothing_is_learned_where_the_encoder_is_the_posterior():
    """Fisher's identity: then the decoder climbs log p(x); asleep all gradients are scores."""
    model = linear_model(zoo.WakeSleep, LAW, posterior="exact")
    draws = draws_of_gradients(model, X, 60)
    for gradient in draws["inference"]:
        assert np.abs(z_scores(gradient, 0.0)).max() < 4.5
    bias = -draws["generation"][1]
    assert np.abs(z_scores(bias, LAW.bias_gradient(X).mean(0))).max() < 4


def sleeping(module=wake_sleep):
    """Where the encoder's biases, mean and log sigma, are drawn to, from a wrong start."""
    model = linear_model(module.WakeSleep, LAW)
    return -draws_of_gradients(model, X, 60)["inference"][1]


def expected_gradient():
    """Of E[log q(z given x)] over p(x, z), q = N(0.3, 0.6^2): the prior of z is N(0, 1)."""
    mean, scale = 0.3, 0.6
    of_mean = np.full(3, -mean / scale**2)
    of_log_scale = np.full(3, (1 + mean**2) / scale**2 - 1)
    return np.concatenate([of_mean, of_log_scale])


def test_the_encoder_learns_from_dreams():
    assert np.abs(z_scores(sleeping(), expected_gradient())).max() < 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("q.log_prob(latents.dreamt_z)", "q.log_prob(latents.z)"),
        ("-tf.reduce_mean(q.log_prob", "tf.reduce_mean(q.log_prob"),
    ],
    ids=["awake", "down"],
)
def test_wrong_sleep_is_noticed(old, new):
    module = wrong("zoo.models.wake_sleep", old, new)
    assert np.abs(z_scores(sleeping(module), expected_gradient())).max() > 8


def test_each_network_learns_alone_and_no_draw_has_a_gradient():
    """The decoder's gradient awake is that of log p(x, z) at z held fixed, the shear's too."""
    model = linear_model(zoo.WakeSleep, LAW, shear=np.eye(3))
    groups = {k: {v.path for v in vs} for k, vs in model.parameter_groups.items()}
    assert groups["generation"] >= {v.path for v in model.shear.trainable_variables}
    assert groups["inference"] == {v.path for v in model.encoder.trainable_variables}
    batch, seed = {"x": tf.constant(X)}, samplers.as_seed(1)
    with tf.GradientTape(persistent=True) as tape:
        with tape.stop_recording():
            latents, told = model.sample_latents(batch, {}, seed)
        objectives, _ = model.objectives(batch, {}, latents, seed)
    encoder = [v.value for v in model.encoder.trainable_variables]
    assert tape.gradient(objectives["generation"], encoder) == [None, None]
    decoder = [v.value for v in model.decoder.trainable_variables]
    assert tape.gradient(objectives["inference"], decoder) == [None, None]
    assert told["bound"].shape == (len(X),)
