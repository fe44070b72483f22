"""Active units: against the exact posterior means of a linear-Gaussian model."""

import dataclasses

import numpy as np
import pytest
from checking import mutant
from linear_gaussian import NUM_LATENTS, linear_gaussian, linear_model

import zoo
from zoo import scores

LAW = linear_gaussian()
X = LAW.simulate(500)
# Few draws: noise that got into the variances would show.
FEW = {"num_chains": 2, "num_draws": 4, "num_adaptation_steps": 25}


def exact_variance(law):
    return law.posterior_mean(X).var(0, ddof=1)


def z_scores(variance, law, num_chains=4, num_draws=100):
    """How many standard errors `variance` is from that of the exact posterior means.

    The mean of a half of the chains is E[z_k given x] + e with Var e = tau C_kk / draws, C the
    posterior's covariance, and tau = 2 to allow for draws that remember the one before (it is 1 if
    they do not). Over N images the covariance of the two halves' means then has the
    variance (2 V Var e + (Var e)^2) / (N - 1), V that of the exact means.
    """
    exact, num_averaged = exact_variance(law), num_chains / 2 * num_draws
    noise = 2 * np.diag(law.posterior_covariance) / num_averaged
    stderr = np.sqrt((2 * exact * noise + noise**2) / (len(X) - 1))
    return abs(variance - exact) / stderr


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_hmc_finds_what_a_constant_encoder_hides(jit_compile):
    model = linear_model(zoo.VAE, LAW)
    model.compile(jit_compile=jit_compile)
    found = scores.active_units(model, X, chunk_size=250, verbose=False)
    assert z_scores(found.hmc_variance, LAW).max() < 4
    np.testing.assert_allclose(found.hmc_variance, exact_variance(LAW), rtol=0.04)
    np.testing.assert_allclose(found.encoder_variance, 0, atol=1e-12)
    assert (found.num_active_encoder, found.num_active_hmc) == (0, NUM_LATENTS)


def test_a_unit_that_the_decoder_ignores():
    """The encoder, exact before a unit was cut off, counts it; the chains do not."""
    model = linear_model(zoo.VAE, LAW, posterior="exact")
    cut = dataclasses.replace(LAW, weights=LAW.weights * [1, 0, 1])
    model.decoder.set_weights([cut.weights.T, cut.bias])
    found = scores.active_units(model, X, chunk_size=150, verbose=False)
    np.testing.assert_allclose(found.encoder_variance, exact_variance(LAW), rtol=1e-5)
    assert abs(found.hmc_variance[1]) < 1e-3 and z_scores(found.hmc_variance, cut).max() < 4
    assert (found.num_active_encoder, found.num_active_hmc) == (3, 2)


def with_few_draws(module=scores, **kwargs):
    return module.active_units(linear_model(zoo.VAE, LAW), X, verbose=False, **FEW | kwargs)


@pytest.fixture(scope="module")
def few():
    return with_few_draws()


def test_noise_does_not_add_to_the_variance(few):
    assert z_scores(few.hmc_variance, LAW, 2, 4).max() < 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("_covariance(*halves)", "_covariance(halves[0], halves[0])"),
        ("model.log_joint(batch, z)", "model.prior.log_prob(z)"),
    ],
)
def test_wrong_variances_are_found_out(old, new):
    wrong = with_few_draws(mutant("zoo.scores.active_units", old, new))
    assert z_scores(wrong.hmc_variance, LAW, 2, 4).max() > 5


@pytest.mark.slow
def test_seed(few):
    same, other = with_few_draws(), with_few_draws(seed=1)
    np.testing.assert_array_equal(same.hmc_variance, few.hmc_variance)
    assert (other.hmc_variance != few.hmc_variance).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_chains": 3}, r"^num_chains must be even, as two halves .*; it was 3\.$"),
        ({"num_chains": 0}, "num_chains must be greater than 0"),
        ({"num_draws": 1.5}, "num_draws must be a whole number"),
        ({"threshold": 0}, "threshold must be greater than 0"),
        ({"num_images": 1}, "data must hold at least two images"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(zoo.UsageError, match=message):
        scores.active_units(linear_model(zoo.VAE, LAW), X, **arguments)


def test_models_without_an_encoder_are_refused():
    model = zoo.ShortRun(linear_model(zoo.VAE, LAW).decoder)
    with pytest.raises(zoo.UsageError, match="model must have an encoder's posterior"):
        scores.active_units(model, X)
