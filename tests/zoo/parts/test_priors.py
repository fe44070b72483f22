"""Gaussian priors; one of two linear layers is one Gaussian."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from checking import gaussian_moments, moments, z_scores
from scipy.stats import multivariate_normal
from small_dvaes import wrong

from zoo.core.checks import UsageError
from zoo.parts import priors

KERNEL = np.array([[0.5, -1.0, 0.3], [0.8, 0.2, -0.6]])  # z_2 to the mean of z_1
BIAS, SCALE = np.array([0.1, -0.2, 0.4]), 0.5
# Of z = (z_1, z_2).
MEAN = np.r_[BIAS, 0, 0]
COVARIANCE = np.block([[KERNEL.T @ KERNEL + SCALE**2 * np.eye(3), KERNEL.T], [KERNEL, np.eye(2)]])


def upper_decoder():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(6)])
    kernel = np.concatenate([KERNEL, np.zeros((2, 3))], 1)
    network.set_weights([kernel, np.r_[BIAS, [np.log(SCALE)] * 3]])
    return network


def errors(module):
    """Of log densities, and of moments of draws in standard errors."""
    p = module.LayeredPrior(upper_decoder()).distribution(5)
    z = np.random.default_rng(0).normal(size=(50, 5)).astype("f")
    density = np.abs(p.log_prob(z) - multivariate_normal(MEAN, COVARIANCE).logpdf(z)).max()
    drawn = p.sample([4000, 1], tf.constant([0, 1]))[:, 0].numpy()
    expected = gaussian_moments(MEAN, COVARIANCE)
    return density, np.abs(z_scores(moments(drawn), expected)).max()


def test_layered_prior():
    density, score = errors(priors)
    assert density < 1e-4
    assert score < 4
    assert priors.LayeredPrior(upper_decoder()).lowest(tf.zeros([2, 1, 5])).shape == (2, 1, 3)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("layers.fold(self.upper_decoder, z)", "layers.fold(self.upper_decoder, 0 * z)"),
        ("(upper, tf.ones_like(upper))", "(upper, 2 * tf.ones_like(upper))"),
    ],
)
def test_wrong_priors_are_rejected(old, new):
    density, score = errors(wrong(priors.__name__, old, new))
    assert density > 0.1 and score > 8


def test_what_does_not_fit_is_told():
    layered = priors.LayeredPrior(upper_decoder())
    layered.check_latents(5, 3)
    priors.StandardNormalPrior().check_latents(5, 5)
    for message, part, numbers in (
        ("must be over as many latents as the posterior, 6; it is over 3 . 2", layered, (6, 3)),
        ("leave the decoder its 4 inputs; of the posterior's 5 latents it", layered, (5, 4)),
        ("its 3 inputs; .* it leaves 5", priors.StandardNormalPrior(), (5, 3)),
    ):
        with pytest.raises(UsageError, match=message):
            part.check_latents(*numbers)
