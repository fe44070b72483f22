"""What weights tell of an estimate: how many count, how heavy their tail is, and what to raise."""

import re

import numpy as np
import pytest
import tensorflow as tf

import samplers
from zoo.scores import estimates

NOISE = np.random.default_rng(0).standard_normal((1000, 40))


def estimate(scale, num_chains=1000, num_bad=40):
    """Of 40 images, of which some have log weights of this scale, and the others of 0.3."""
    scales = np.where(np.arange(40) < num_bad, scale, 0.3)
    weights = samplers.weight_summary(tf.constant(scales * NOISE[:num_chains]))
    return estimates.log_likelihood_of(
        samplers.WeightSummary(*(np.array(value) for value in weights)),
        what="log_likelihood",
        num_chains=num_chains,
        chains="chains",
        remedy="num_increments",
        skip_failed=False,
        accept_rate=0.5,
        protocol="",
    )


def test_light_tails_are_let_be():
    found = estimate(0.5)
    assert found.warnings == () and (found.pareto_k < 0.7).all()
    assert (found.effective_sample_size > 500).all() and found.failed_chains == 0


@pytest.mark.parametrize("num_bad", [14, 40])
def test_heavy_tails_are_told_with_the_number_to_raise(num_bad):
    """Where the error over chains is off itself: the truth is scale^2 / 2."""
    found = estimate(5.0, num_bad=num_bad)
    few, heavy = found.warnings
    assert re.match(r"log_likelihood: in \d+ of 40 images fewer than 5 of 1000 chains count", few)
    assert heavy.startswith("log_likelihood: the Pareto k of the weights is above 0.7 for ")
    assert "of 40 images, so that it is too low" in heavy
    assert few.endswith("raise num_increments.") and heavy.endswith("raise num_increments.")
    assert (12.5 - found.per_image[:num_bad]).mean() > 1


def test_few_images_in_many_are_chance():
    assert estimate(5.0, num_bad=7).warnings == ()


@pytest.mark.parametrize(("num_chains", "few"), [(16, "5"), (8, "4"), (3, "1.5")])
def test_few_chains_tell_how_many_count_and_nothing_of_tails(num_chains, few):
    found = estimate(20.0, num_chains)
    assert np.isnan(found.pareto_k).all() and estimates.mean_shape(found.pareto_k) is None
    (told,) = found.warnings
    assert f"fewer than {few} of {num_chains} chains count" in told
