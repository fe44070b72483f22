"""Exact scores of small discrete VAEs against importance sampling, and as a figure."""

import numpy as np
import pytest
import tensorflow as tf

import samplers
import zoo
from zoo import analysis, scores
from zoo.runs.run import Run


def build(name, digits, **kwargs):
    """A model whose prior and networks are not symmetric any more."""
    tiny = {"latent_dims": (4, 4), "hidden": (16,), "num_particles": 20, "num_sweeps": 1}
    model = zoo.get_method(name).for_data(digits, **tiny | kwargs)
    model.compile(jit_compile=False)
    for i, variable in enumerate(model.trainable_variables):
        variable.assign_add(0.1 * samplers.normal(variable.shape, i))
    exact = samplers.exact_log_normalizer(model.rbm_prior.rbm)
    model.rbm_prior.log_normalizer.assign(exact)
    return model


@pytest.mark.parametrize(
    ("name", "kwargs"), [("DVAE", {}), ("DVAE", {"num_groups": 2}), ("UndirectedDVAE", {})]
)
def test_exact_scores(digits, images, name, kwargs):
    """log p(x) is that of importance sampling, and less the divergence the one-sample bound."""
    model = build(name, digits, **kwargs)
    x = tf.constant(np.round(images[:7]))
    exact = scores.enumerate_latents(model, x.numpy(), chunk_size=3)
    log_weights = model.log_weights(x, 4000, 0).numpy()
    top = log_weights.max(0)
    weights = np.exp(log_weights - top)
    error = weights.std(0) / weights.mean(0) / 4000**0.5
    np.testing.assert_array_less(
        abs(np.log(weights.mean(0)) + top - exact.log_likelihood), 4 * error + 1e-4
    )
    if name == "DVAE":  # of the other, log q at a draw has an error of its own
        error = log_weights.std(0) / 4000**0.5
        bound = exact.log_likelihood - exact.divergence
        np.testing.assert_array_less(abs(log_weights.mean(0) - bound), 4 * error)
    assert (exact.divergence > 0).all() and (exact.prior_divergence > 0).all()
    assert ((exact.num_states >= 1) & (exact.num_states < 256)).all()


def test_bits_that_are_few(digits, images):
    vae = zoo.VAE.for_data(digits, latent_dim=2, hidden=(4,))
    for model in (vae, build("DVAE", digits, latent_dims=(11, 10))):
        with pytest.raises(zoo.UsageError, match="model must have at most 20 binary latents"):
            scores.enumerate_latents(model, images)


def test_figure(digits):
    models = [build("DVAE", digits), build("UndirectedDVAE", digits)]
    runs = [Run("", None, f"run {i}") for i in range(2)]
    for run, model in zip(runs, models, strict=True):
        run.model, run.data = model, digits
    plot = analysis.draw("enumerated_bounds", runs, num_images=9)
    table = [dict(zip(plot.columns, row, strict=True)) for row in plot.rows]
    exact = scores.enumerate_latents(models[1], digits.test, num_images=9)
    assert table[1]["log_likelihood"] == pytest.approx(exact.log_likelihood.mean())
    assert table[0]["gain"] == 0 == table[0]["gain_stderr"]
    difference = table[1]["log_likelihood"] - table[0]["log_likelihood"]
    assert table[1]["gain"] == pytest.approx(difference)
