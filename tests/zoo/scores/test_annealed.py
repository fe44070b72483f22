"""Annealed estimates and their errors against the closed form of a linear-Gaussian model."""

import types

import numpy as np
import pytest
from linear_gaussian import NUM_PIXELS, linear_gaussian, linear_model

import zoo
from zoo import scores
from zoo.core import annealing

LAW = linear_gaussian()
SMALL = {"num_chains": 4, "num_increments": 10, "num_leapfrog_steps": 2, "verbose": False}


@pytest.fixture(scope="module")
def model():
    return linear_model(zoo.VAE, LAW)


def test_errors_are_those_from_the_closed_form(model):
    """In chunks, the last of which is not full."""
    x, settings = LAW.simulate(300), SMALL | {"num_chains": 32, "num_increments": 20}
    found = scores.log_likelihood(model, x, chunk_size=160, **settings)
    errors = found.per_image - LAW.log_likelihood(x)
    assert found.mean == pytest.approx(found.per_image.mean())
    assert abs(errors.mean()) < 4 * found.chain_stderr
    assert errors.std() / 300**0.5 == pytest.approx(found.chain_stderr, rel=0.2)
    assert found.stderr == pytest.approx(found.per_image.std(ddof=1) / 300**0.5)
    assert 0.5 < found.accept_rate < 1 and found.warnings == ()
    assert np.isfinite(found.pareto_k).all() and found.effective_sample_size.mean() > 8
    assert found.protocol == "32 chains, 20 sigmoid increments from the posterior, 2 leapfrog steps"


def test_the_truth_lies_between_both_bounds(model):
    """Which are far apart with a single increment."""
    settings = SMALL | {"num_increments": 1, "num_images": 400}
    bounds = scores.bidirectional(model, chunk_size=400, **settings)
    # E[log p(x)] of x ~ p(x), and its standard error over as many images.
    expected = LAW.log_likelihood(np.tile((1 + LAW.bias) / 2, (1, 1)))[0] - NUM_PIXELS / 2
    error = 4 * (NUM_PIXELS / 2) ** 0.5 / 400**0.5
    assert bounds.lower < expected + error and bounds.upper > expected - error
    assert bounds.gap == pytest.approx(bounds.upper - bounds.lower)
    assert bounds.gap > 4 * bounds.gap_stderr > 0


def test_one_program_serves_all_runs(model):
    """Of a shape, whatever chunk comes last and whoever asks: evaluations do not compile anew."""
    programs = annealing._anneal.__get__(model)
    before = programs.experimental_get_tracing_count()
    for seed in range(2):
        scores.log_likelihood(model, LAW.simulate(7), chunk_size=4, seed=seed, **SMALL)
        scores.bidirectional(model, num_images=6, chunk_size=4, seed=seed, **SMALL)
    assert programs.experimental_get_tracing_count() == before + 1
    model.protocol = annealing.Annealing(4, 10, 2)
    model.log_likelihood(LAW.simulate(4))
    assert programs.experimental_get_tracing_count() == before + 1
    model.protocol = None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_chains": 0}, "num_chains must be greater than 0; it was 0"),
        ({"num_increments": 2.5}, "num_increments must be a whole number; it was 2.5"),
        ({"start": "posteriour"}, "start: unknown value 'posteriour'; did you mean 'posterior'"),
        ({"schedule": "cubic"}, "schedule: unknown value 'cubic'; known are 'linear', 'sigmoid'"),
        ({"num_images": 9}, "num_images must be at most 5, all of them; it was 9"),
        ({"chunk_size": -1}, "chunk_size must be greater than 0"),
    ],
)
def test_what_is_refused(model, arguments, message):
    with pytest.raises(zoo.UsageError, match=message):
        scores.log_likelihood(model, LAW.simulate(5), **SMALL | arguments)


def test_discrete_latents_are_refused():
    bits = types.SimpleNamespace(name="bits", can_be_annealed=False)
    with pytest.raises(zoo.UsageError, match="'bits' has no latents .*use importance_weigh"):
        scores.bidirectional(bits)
