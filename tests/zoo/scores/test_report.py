"""What a report holds of models of real numbers and of bits: each figure where it belongs."""

import numpy as np
import pytest
from linear_gaussian import linear_gaussian, linear_model

import zoo
from zoo import scores

LAW = linear_gaussian()
X = LAW.simulate(40)
SMALL = {"num_chains": 4, "num_increments": 20, "num_leapfrog_steps": 2, "verbose": False}
KEYS = {  # of evaluation.json
    "log_likelihood",
    "log_likelihood_stderr",
    "log_likelihood_chain_stderr",
    "bits_per_dim",
    "bdmc_gap",
    "bdmc_gap_stderr",
    "bound",
    "importance_weighted_bound",
    "effective_sample_size",
    "importance_pareto_k",
    "effective_chains",
    "pareto_k",
    "failed_chains",
    "warnings",
    "num_importance_samples",
    "accept_rate",
    "reconstruction_mse",
    "accuracy",
    "calibration_error",
    "particle_filter",
    "bootstrap_filter",
    "particle_filter_per_step",
    "bound_per_step",
    "share_at_floor",
    "num_images",
    "num_simulated",
    "protocol",
    "seed",
}


def test_real_latents():
    """All is there, and what has a closed form is near it."""
    model = linear_model(zoo.HMCDLGM, LAW, posterior="exact")
    figures, per_image = scores.report(
        model, X, num_simulated=20, num_importance_samples=50, seed=3, **SMALL
    )
    assert figures.keys() == KEYS
    exact = LAW.log_likelihood(X)
    np.testing.assert_allclose(per_image, exact, atol=0.5)
    assert figures["log_likelihood"] == pytest.approx(per_image.mean())
    assert figures["log_likelihood_stderr"] == pytest.approx(per_image.std(ddof=1) / 40**0.5)
    assert figures["importance_weighted_bound"] == pytest.approx(exact.mean(), abs=0.1)
    assert abs(figures["bdmc_gap"]) < 4 * figures["bdmc_gap_stderr"] < 0.5
    assert figures["pareto_k"] is None and 1 < figures["effective_chains"] <= 4
    assert figures["importance_pareto_k"] < 0.7 and figures["failed_chains"] == 0
    assert figures["bound"] < figures["importance_weighted_bound"]
    assert 1 < figures["effective_sample_size"] < 50 and 0 < figures["accept_rate"] <= 1
    # The decoder at posterior draws: their mean's residual, and their spread about it.
    mean = LAW.posterior_mean(X)
    residual = X - (1 + mean @ LAW.weights.T + LAW.bias) / 2
    spread = np.trace(LAW.weights @ LAW.posterior_covariance @ LAW.weights.T) / 4 / X.shape[1]
    assert figures["reconstruction_mse"] == pytest.approx(np.mean(residual**2) + spread, rel=0.2)
    assert figures["bits_per_dim"] is None  # of densities of real numbers
    settings = {"num_importance_samples": 50, "num_simulated": 20, "num_images": 40, "seed": 3}
    assert figures.items() >= settings.items()
    assert figures["protocol"].startswith("4 chains, 20 sigmoid increments from the posterior")


@pytest.fixture(scope="module")
def of_bits(digits, images):
    model = zoo.DVAE.for_data(digits, latent_dims=(2, 2), hidden=(4,), num_particles=4)
    model.compile(jit_compile=False)
    return model, scores.report(
        model, images[:6], num_importance_samples=200, num_simulated=3, verbose=False
    )


def test_bits(of_bits, images):
    """Nothing is annealed: the importance-weighted bound is the estimate; and log Z is told."""
    model, (figures, per_image) = of_bits
    told = {"log_normalizer": pytest.approx(4 * np.log(2)), "log_normalizer_stddev": 0}
    assert figures.keys() == KEYS | told.keys() and figures.items() >= told.items()
    assert {k for k, v in figures.items() if v is None} == {
        "bdmc_gap",
        "bdmc_gap_stderr",
        "effective_chains",
        "pareto_k",
        "accept_rate",
        "accuracy",
        "calibration_error",
        "particle_filter",
        "bootstrap_filter",
        "particle_filter_per_step",
        "bound_per_step",
        "share_at_floor",
    }
    assert figures["log_likelihood"] == figures["importance_weighted_bound"] == per_image.mean()
    assert figures["bits_per_dim"] == pytest.approx(-per_image.mean() / np.log(2) / 64)
    assert figures["protocol"] == "200 samples of the model's proposal"
    exact = scores.enumerate_latents(model, images[:6])
    error = figures["log_likelihood_chain_stderr"]
    assert abs(figures["log_likelihood"] - exact.log_likelihood.mean()) < 4 * error


def test_the_table_has_a_unit_for_each_number_that_is_not_a_setting(of_bits):
    figures = of_bits[1][0]
    settings = {"num_importance_samples", "num_images", "num_simulated", "protocol", "seed"}
    settings |= {"warnings"}
    assert set(scores.units()) == set(figures) - settings
