import numpy as np
import pytest
import tensorflow as tf
from linear_gaussian import linear_gaussian, linear_model

import zoo
from zoo import scores
from zoo.scores.chunks import in_chunks

LAW = linear_gaussian()
SMALL = {"num_chains": 4, "num_increments": 10, "num_leapfrog_steps": 2, "verbose": False}


@pytest.mark.parametrize("chunk_size", [1, 3, 7, 10, 100])
def test_chunks_of_any_size(chunk_size):
    x = np.arange(10.0)
    shapes = set()

    def run(x):
        shapes.add(x.shape[0])
        return x, tf.stack([x, 2 * x])

    one, two = in_chunks(run, (x,), chunk_size, "", verbose=False)
    np.testing.assert_array_equal(one, x)
    np.testing.assert_array_equal(two, [x, 2 * x])
    assert shapes == {min(chunk_size, 10)}


def test_chunk_size_does_not_matter_to_the_estimate():
    model, x = linear_model(zoo.VAE, LAW), LAW.simulate(20)
    options = dict(num_chains=32, num_increments=40, num_leapfrog_steps=4, verbose=False)
    one, two = (scores.log_likelihood(model, x, chunk_size=c, **options) for c in (20, 6))
    error = np.hypot(one.chain_stderr, two.chain_stderr)
    assert abs(one.mean - two.mean) < 4 * error


def test_standard_error_over_chains_is_that_of_repeated_runs():
    model, x = linear_model(zoo.VAE, LAW), LAW.simulate(10)
    runs = [scores.log_likelihood(model, x, seed=s, **SMALL | {"num_chains": 32}) for s in range(8)]
    observed = np.std([r.mean for r in runs], ddof=1)
    claimed = np.mean([r.chain_stderr for r in runs])
    assert 0.5 < claimed / observed < 2


def test_report(digits, images):
    keys = {
        "log_likelihood",
        "log_likelihood_stderr",
        "bdmc_gap",
        "bound",
        "accept_rate",
        "reconstruction_mse",
    }
    for method in (zoo.VAE, zoo.HMCDLGM):
        model = method.for_data(digits, **method.tiny)
        model.compile(jit_compile=False)
        figures, per_image = scores.report(
            model, images[:6], num_simulated=4, num_importance_samples=8, **SMALL
        )
        assert keys <= set(figures)
        assert (figures["accept_rate"] is None) == (method is zoo.VAE)
        assert per_image.shape == (6,) and figures["bound"] < figures["log_likelihood"]
        assert figures["log_likelihood"] == pytest.approx(per_image.mean())


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
def test_what_log_likelihood_refuses(arguments, message):
    model = linear_model(zoo.VAE, LAW)
    with pytest.raises(zoo.UsageError, match=message):
        scores.log_likelihood(model, LAW.simulate(5), **SMALL | arguments)


def test_binarisation_is_fixed(digits):
    """Two evaluations see the same binary images; another seed sees others."""
    model = zoo.VAE.for_data(digits, latent_dim=2, hidden=(4,))
    one, two, other = (
        scores.importance_weighted_bound(model, digits.test, num_samples=50, seed=s)
        for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.per_image, two.per_image)
    assert not np.array_equal(one.per_image, other.per_image)
