"""The importance-weighted autoencoder: its bound, and two estimators of one gradient."""

import numpy as np
import pytest
import tensorflow as tf
from checking import gaussian_moments, moments, z_scores
from linear_gaussian import (
    diagonal,
    draws_of_gradients,
    gradients,
    linear_gaussian,
    linear_model,
    two_layers,
)
from small_dvaes import wrong

import samplers
import zoo
from zoo.models import iwae

LAW = linear_gaussian()
SHEAR = np.array([[1, 0, 0], [0.7, 1, 0], [-0.4, 0.9, 1]])


def plain_error(module, shear=SHEAR):
    """Of plain gradients, from those of the bound, written down and differentiated."""
    model = linear_model(module.IWAE, LAW, shear=shear, gradient="plain", num_samples=3)
    x = LAW.simulate(8)
    found = gradients(model, x)
    with tf.GradientTape(persistent=True) as tape:
        seed = samplers.fold_in(samplers.as_seed(0), "amortise")
        log_weights = model.log_weights({"x": tf.constant(x)}, 3, seed)
        objective = -tf.reduce_mean(tf.reduce_logsumexp(log_weights, 0) - np.log(3))
    return max(
        np.abs(a - tape.gradient(objective, v)).max() / (1 + np.abs(a).max())
        for group, variables in model.parameter_groups.items()
        for a, v in zip(found[group], variables, strict=True)
    )


def test_the_bound_is_climbed():
    assert plain_error(iwae) < 1e-4
    assert plain_error(iwae, shear=None) < 1e-4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "shares=tf.cast(tf.nn.softmax(log_weights, 0)",
            "shares=tf.cast(tf.nn.softmax(log_weights, 1)",
        ),
        (
            "tf.cast(log_p - log_q, tf.float64)\n        weighed",
            "tf.cast(log_p, tf.float64)\n        weighed",
        ),
        ("(self.log_joint(batch, z) - log_q), 0)", "(self.log_joint(batch, z)), 0)"),
    ],
    ids=["shares of the batch", "shares without q", "climbs without q"],
)
def test_wrong_bounds_are_rejected(old, new):
    assert plain_error(wrong(iwae.__name__, old, new)) > 0.01


def test_both_gradients_are_of_one_generator():
    x, both = LAW.simulate(8), []
    for gradient in iwae.GRADIENTS:
        model = linear_model(zoo.IWAE, LAW, shear=SHEAR, gradient=gradient, num_samples=3)
        both.append(gradients(model, x)["generation"])
        assert len(both[-1]) == 3  # the shear is the generator's, too
    assert all(map(np.array_equal, *both))


def test_dreg_has_no_variance_at_the_exact_posterior():
    """Of one layer and of two, where the plain one has."""
    largest = {}
    for gradient in iwae.GRADIENTS:
        for kind in ("one", "two"):
            if kind == "one":
                law = diagonal(LAW)
                model = linear_model(zoo.IWAE, law, posterior="exact", gradient=gradient)
            else:
                model, law = two_layers(zoo.IWAE, posterior="exact", gradient=gradient)
            groups = gradients(model, law.simulate(20))
            largest[gradient, kind] = max(np.abs(g).max() for g in groups["inference"])
    assert max(largest["dreg", kind] for kind in ("one", "two")) < 2e-3
    assert min(largest["plain", kind] for kind in ("one", "two")) > 0.1


def inference_draws(module, gradient, num_layers, num_seeds=40):
    """Gradients in the biases of all encoders, of one image, [seeds, n]."""
    x = np.repeat(LAW.simulate(1), 100, axis=0)
    arguments = {"num_samples": 4, "gradient": gradient}
    if num_layers == 2:
        model = two_layers(module.IWAE, **arguments)[0]
    else:
        model = linear_model(module.IWAE, LAW, **arguments)
    biases = draws_of_gradients(model, x, num_seeds)["inference"][1::2]
    assert len(biases) == num_layers
    return np.concatenate(biases, 1)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_dreg_equals_the_plain_gradient_with_less_variance(num_layers):
    dreg, plain = (inference_draws(iwae, gradient, num_layers) for gradient in ("dreg", "plain"))
    assert np.abs(z_scores(dreg - plain, 0.0)).max() < 4  # the noise is shared
    assert (dreg.std(0) < plain.std(0)).mean() > 0.8
    assert np.abs(z_scores(dreg, 0.0)).max() > 4
    if num_layers == 1:
        once = wrong(iwae.__name__, "latents.shares**2 * moved", "latents.shares * moved")
        assert np.abs(z_scores(inference_draws(once, "dreg", 1) - plain, 0.0)).max() > 8


def test_inferred_latents_are_those_of_the_posterior():
    """Draws of q_IS, from a wrong q, tend to p(z given x) as their number grows."""
    image = LAW.simulate(1)
    truth = gaussian_moments(LAW.posterior_mean(image)[0], LAW.posterior_covariance)
    error = {}
    for num_samples in (1, 1000):
        model = linear_model(zoo.IWAE, LAW, num_samples=num_samples)
        z = model.infer({"x": tf.constant(image)}, 1500, 0)[0].numpy()[:, 0]
        error[num_samples] = np.abs(z_scores(moments(z), truth)).max()
    assert error[1000] < 6 < 20 < error[1]


def test_mistakes_are_told():
    for message, arguments in {
        "gradient: unknown value 'drag'; did you mean 'dreg'": {"gradient": "drag"},
        "num_samples must be greater than 0": {"num_samples": 0},
    }.items():
        with pytest.raises(zoo.UsageError, match=message):
            linear_model(zoo.IWAE, LAW, **arguments)
