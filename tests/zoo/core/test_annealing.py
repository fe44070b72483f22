"""The annealing that scores models, on linear-Gaussian ones, whose log p(x) has a closed form."""

import numpy as np
import pytest
from checking import z_scores
from linear_gaussian import linear_gaussian, linear_model, two_layers

import samplers
import zoo
from zoo.core.annealing import Annealing

LAW = linear_gaussian()
SHEAR = np.array([[1, 0, 0], [0.7, 1, 0], [-0.4, 0.9, 1]])


@pytest.mark.parametrize(
    ("make", "start", "schedule"),
    [
        (lambda: (linear_model(zoo.VAE, LAW, shear=SHEAR), LAW), "prior", "sigmoid"),
        (two_layers, "posterior", "linear"),
    ],
    ids=["one layer, with a shear", "two layers"],
)
def test_weights_of_both_directions(make, start, schedule):
    """The forward estimate's mean weight is p(x), and the reverse one's 1 / p(x)."""
    model, law = make()
    z = model.prior.sample([1, 200], samplers.as_seed(0))
    batch = {"x": model.likelihood(z).sample(seed=samplers.as_seed(1))[0]}
    protocol = Annealing(8, 10, num_leapfrog_steps=2, start=start, schedule=schedule)
    forward, backward = protocol.run(model, batch, samplers.as_seed(2), exact=z[0])
    exact = law.log_likelihood(batch["x"].numpy())
    # One number per image is independent of the others: chains share the exact start.
    over, under = np.exp(forward.log_weights - exact), np.exp(backward.log_weights + exact)
    assert abs(z_scores(over.mean(0), 1.0)) < 4
    assert abs(z_scores(under.mean(0), 1.0)) < 4
    assert np.log(over).mean() < -0.05 and np.log(under).mean() < -0.05
    assert 0.4 < np.mean(forward.accept_prob) < 0.95


def test_mistakes_are_told():
    for message, arguments in {
        "num_chains must be greater than 0": {"num_chains": 0},
        "num_leapfrog_steps must be a whole": {"num_leapfrog_steps": 1.5},
        "start: unknown value 'post'": {"start": "post"},
        "schedule: unknown value 'jump'": {"schedule": "jump"},
    }.items():
        with pytest.raises(zoo.UsageError, match=message):
            Annealing(**arguments)
    assert "8 chains, 200 sigmoid increments from the prior" in str(Annealing(8, start="prior"))
