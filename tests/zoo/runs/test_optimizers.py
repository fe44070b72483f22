"""Learning rates, which fall as configs say."""

import numpy as np
import pytest

import zoo
from zoo.runs.optimizers import make_optimizer


def rates(steps, **arguments):
    """The learning rate at some steps."""
    rate = make_optimizer(name="Adam", **arguments)._learning_rate
    return [float(rate(step)) for step in steps]


def test_one_rate_stays():
    optimizer = make_optimizer("SGD", 100, 0.1, momentum=0.9)
    assert float(optimizer.learning_rate) == pytest.approx(0.1) and optimizer.momentum == 0.9


def test_one_rate_falls_for_the_last_fifth():
    found = rates((0, 80, 81), num_steps=100, learning_rate=0.1, final_learning_rate=0.01)
    np.testing.assert_allclose(found, [0.1, 0.1, 0.01], rtol=1e-6)


def test_several_rates_last_equally_long():
    found = rates((0, 30, 31, 60, 61), num_steps=90, learning_rate=(0.3, 0.2, 0.1))
    np.testing.assert_allclose(found, [0.3, 0.3, 0.2, 0.2, 0.1], rtol=1e-6)


def test_boundaries():
    """Learning rates of unequal numbers of steps."""
    arguments = {"learning_rate": (3e-4, 3e-3, 1e-3), "boundaries": (0.02, 0.6)}
    found = rates((0, 20, 21, 600, 601, 999), num_steps=1000, **arguments)
    np.testing.assert_allclose(found, [3e-4, 3e-4, 3e-3, 3e-3, 1e-3, 1e-3], rtol=1e-6)


def test_stages_last_three_times_as_long_each():
    """Stage i lasts 3^i epochs at 10^(-3 - i / 7), as in the configs of Ding and Freedman."""
    arguments = {"learning_rate": 1e-3, "final_learning_rate": 1e-4, "num_stages": 8}
    inside = [int(10 * (sum(3**j for j in range(i)) + 3**i / 2)) for i in range(8)]
    found = rates(inside, num_steps=10 * sum(3**i for i in range(8)), **arguments)
    np.testing.assert_allclose(found, [1e-3 * 10 ** (-i / 7) for i in range(8)], rtol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "Adm"}, "optimizer: unknown value 'Adm'; did you mean 'Adam'"),
        ({"learning_rate": 0.0}, "learning_rate must be greater than 0"),
        ({"learning_rate": (0.1, -1.0)}, "learning_rate must be greater than 0"),
        ({"final_learning_rate": 0.0}, "final_learning_rate must be greater than 0"),
        ({"learning_rate": (0.1, 0.2), "final_learning_rate": 0.1}, "is for one learning_rate"),
        ({"boundaries": (0.5,)}, "boundaries must be one fewer"),
        ({"learning_rate": (0.1, 0.2, 0.3), "boundaries": (0.5,)}, "boundaries must be one fewer"),
        (
            {"learning_rate": (0.1, 0.2), "boundaries": (2.0,)},
            "boundaries must rise and be be",
        ),
        ({"learning_rate": (1.0, 2.0, 3.0), "boundaries": (0.5, 0.4)}, "boundaries must rise and"),
        ({"learning_rate": (0.1, 0.2), "boundaries": ("a",)}, "must be greater than 0; it was 'a'"),
        ({"clipnorm": -1}, "clipnorm must be greater than 0; it was -1"),
        ({"clipvalue": "a"}, "clipvalue must be greater than 0; it was 'a'"),
        ({"epsilon": 0}, "epsilon must be greater than 0; it was 0"),
        ({"beta_1": 2}, "beta_1 must be from 0 to below 1; it was 2"),
        ({"beta_2": "a"}, "beta_2 must be from 0 to below 1; it was 'a'"),
        ({"name": "SGD", "momentum": -0.1}, "momentum must be from 0 to below 1; it was -0.1"),
        ({"weight_decay": float("nan")}, "weight_decay must be from 0 to below 1; it was nan"),
        ({"num_stages": 1, "final_learning_rate": 0.1}, "num_stages must be at least 2"),
        ({"num_stages": 3}, "num_stages must be at least 2, and comes with final_learning_rate"),
    ],
)
def test_what_does_not_fit(wrong, message):
    with pytest.raises(zoo.UsageError, match=message):
        make_optimizer(**{"name": "Adam", "num_steps": 100, "learning_rate": 0.1} | wrong)
