"""Parts by name, and in configs."""

import keras
import numpy as np
import pytest

import samplers
from zoo import parts
from zoo.core.checks import UsageError
from zoo.parts.binary_posteriors import get_binary_posterior
from zoo.parts.likelihoods import get_likelihood
from zoo.parts.posteriors import get_posterior
from zoo.parts.priors import get_prior
from zoo.parts.relaxations import get_relaxation, relaxation_config
from zoo.parts.step_size_search import get_step_size_search


def get_binary(posterior):
    return get_binary_posterior(posterior, latent_dims=(4, 4), seed=1, name="posterior")


def network(inputs, outputs):
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])


def test_what_a_model_knows_serves_those_that_take_it():
    directed = get_binary({"name": "directed", "num_groups": 2, "seed": 7})
    assert type(directed) is parts.DirectedPosterior and directed.name == "posterior"
    assert (directed.latent_dims, directed.seed, directed.num_groups) == ((4, 4), 7, 2)
    undirected = get_binary_posterior("undirected", latent_dims=(4, 4), num_examples=5)
    assert undirected.num_examples == 5
    assert get_binary(directed) is directed
    assert get_step_size_search(None) == parts.StepSizeSearch()
    assert get_step_size_search({"method": "grid"}).method == "grid"
    for relaxation in (samplers.Power(3.0), samplers.PiecewiseLinear()):
        assert get_relaxation(relaxation_config(relaxation)) == relaxation


MISTAKES = {
    "posterior: unknown value 'undirectd'; did you mean 'undirected'": (get_binary, "undirectd"),
    "posterior: unknown value 'planer'; did you mean 'planar'": (get_posterior, "planer"),
    "posterior: unknown value 3; known are 'directed', 'undirected'": (get_binary, 3),
    "likelihood must say its name, one of .bernoulli.*; it was": (get_likelihood, {"scale": 1}),
    "prior does not take scale; it takes no arguments": (
        get_prior,
        {"name": "standard_normal", "scale": 1},
    ),
    "posterior: directed does not take num_sweeps; it takes latent_dims, num_groups, seed": (
        get_binary,
        {"name": "directed", "num_sweeps": 2},
    ),
    "num_groups must be 1, or even and split": (get_binary, {"name": "directed", "num_groups": 3}),
    "relaxation: power does not take this: beta must be": (
        get_relaxation,
        {"name": "power", "beta": -1.0},
    ),
    "step_size_search does not take every; it takes clip": (get_step_size_search, {"every": 2}),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes_are_told_in_one_sentence(message):
    get, part = MISTAKES[message]
    with pytest.raises(UsageError, match=message) as error:
        get(part)
    assert str(error.value).count(". ") == 0


PARTS = [
    parts.likelihoods.Bernoulli(),
    parts.likelihoods.Gaussian(0.3, levels=17, annealed_from=0.5, annealing_steps=7),
    parts.likelihoods.DiscretisedLogistic(0.3, learn_scale=False, levels=17),
    parts.MeanFieldPosterior(),
    parts.TwoLayerPosterior(network(3, 4)),
    parts.StandardNormalPrior(),
    parts.LayeredPrior(network(2, 6)),
    parts.RBMPrior((2, 3), num_particles=5, num_sweeps=6, particles="persistent", seed=7),
    parts.DirectedPosterior((2, 4), num_groups=2, seed=3),
    parts.UndirectedPosterior(
        (2, 3), num_examples=4, num_posterior_sweeps=5, num_relaxed_sweeps=6, num_increments=7
    ),
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_configs(part):
    """They make the same part again, twice; its weights are those of an untrained one."""
    config = keras.saving.serialize_keras_object(part)
    for _ in range(2):
        copy = keras.saving.deserialize_keras_object(config)
        assert type(copy) is type(part)
        assert copy.get_config() == part.get_config()
    for one, other in zip(part.weights, copy.weights, strict=True):
        assert one.name == other.name and one.shape == other.shape


def test_every_argument_is_in_the_config():
    """None of those that a part was made with above is lost, nor at its default."""
    given = {
        1: {"scale": 0.3, "levels": 17, "annealed_from": 0.5, "annealing_steps": 7},
        2: {"scale": 0.3, "learn_scale": False, "levels": 17},
        7: {"num_particles": 5, "num_sweeps": 6, "particles": "persistent", "seed": 7},
        8: {"num_groups": 2, "seed": 3},
        9: {"num_examples": 4, "num_posterior_sweeps": 5, "num_relaxed_sweeps": 6},
    }
    for i, arguments in given.items():
        assert arguments.items() <= PARTS[i].get_config().items()
        np.testing.assert_array_equal(PARTS[i].get_config().get("latent_dims", (2,))[0], 2)
