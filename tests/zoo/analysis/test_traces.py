"""Traces of chains: exact on a linear Gaussian, and what ArviZ is given of them."""

import sys

import numpy as np
import pytest
from linear_gaussian import linear_gaussian, linear_model

import zoo

LAW = linear_gaussian(scale=0.3)


@pytest.fixture(scope="module")
def trace():
    model = linear_model(zoo.VAE, LAW)
    return zoo.trace(model, LAW.simulate(3), num_chains=8, num_steps=400, num_warmup=80, seed=0)


def test_chains_have_the_moments_of_the_posterior(trace):
    assert trace.z.shape == (8, 400, 3, 3) and trace.log_joint.shape == (8, 400, 3)
    mean, scale = LAW.posterior_mean(LAW.simulate(3)), np.diag(LAW.posterior_covariance) ** 0.5
    of_chains = trace.z.mean(1)  # [8, 3, 3], independent of each other
    stderr = of_chains.std(0, ddof=1) / 8**0.5
    assert (stderr < 0.1 * scale).all()
    np.testing.assert_array_less(np.abs(of_chains.mean(0) - mean) / stderr, 5)
    np.testing.assert_allclose(trace.z.std((0, 1)), np.tile(scale, (3, 1)), rtol=0.1)
    assert 0.6 < trace.accept_prob.mean() < 0.98 and trace.is_divergent.mean() < 0.02
    assert (np.diff(trace.z, axis=1) != 0).any(-1).mean() > 0.5


def test_to_arviz(trace):
    arviz = pytest.importorskip("arviz", reason="needs pip install 'mcmc-zoo[arviz]'")
    data = zoo.to_arviz(trace)
    assert data.posterior["z"].dims == ("chain", "draw", "example", "latent")
    np.testing.assert_array_equal(data.posterior["z"], trace.z)
    np.testing.assert_array_equal(data.sample_stats["lp"], trace.log_joint)
    assert float(arviz.rhat(data)["z"].max()) < 1.05 and float(arviz.ess(data)["z"].min()) > 400


def test_mistakes(trace, monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(zoo.UsageError, match=r"to_arviz needs arviz; pip install 'mcmc-zoo\["):
        zoo.to_arviz(trace)
    with pytest.raises(zoo.UsageError, match="has no continuous latents"):
        zoo.trace(zoo.DVAE.for_data(np.full((4, 8, 8, 1), 0.5), hidden=(8,)), LAW.simulate(3))
