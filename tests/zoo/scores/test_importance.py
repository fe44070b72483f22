"""Importance-weighted bounds against the closed form of a linear-Gaussian model."""

import math

import numpy as np
import pytest
from linear_gaussian import linear_gaussian, linear_model

import zoo
from zoo import scores

LAW = linear_gaussian()
X = LAW.simulate(300)


@pytest.fixture(scope="module")
def model():
    """Whose encoder is nearly exact."""
    return linear_model(zoo.VAE, LAW, posterior="exact")


def test_many_samples_estimate_the_log_likelihood(model):
    """Several rounds of them, of which the last is cut."""
    found = scores.importance_weighted_bound(model, X, num_samples=150, chunk_size=300)
    errors = found.per_image - LAW.log_likelihood(X)
    assert abs(errors.mean()) < 4 * found.chain_stderr < 0.1
    assert errors.std() / 300**0.5 == pytest.approx(found.chain_stderr, rel=0.2)
    assert 75 < found.effective_sample_size.mean() < 150 and math.isnan(found.accept_rate)
    assert found.protocol == "150 samples of the model's proposal"


def test_one_sample_gives_the_bound(model):
    """Which is lower than log p(x) by the divergence between two Gaussians."""
    found = scores.importance_weighted_bound(model, X, chunk_size=300)
    covariance = LAW.posterior_covariance
    factorised = np.diag(1 / np.diag(np.linalg.inv(covariance)))
    kl = 0.5 * (np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(factorised)[1])
    gap = LAW.log_likelihood(X) - found.per_image
    assert abs(gap.mean() - kl) < 4 * gap.std() / 300**0.5 and kl > 4 * gap.std() / 300**0.5
    assert (found.effective_sample_size == 1).all() and math.isnan(found.chain_stderr)


@pytest.mark.parametrize("arguments", [{"num_samples": 0}, {"chunk_size": 1.5}])
def test_what_is_refused(model, arguments):
    (name,) = arguments
    with pytest.raises(zoo.UsageError, match=f"{name} must be"):
        scores.importance_weighted_bound(model, X, **arguments)
