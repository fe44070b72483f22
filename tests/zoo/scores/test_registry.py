"""Which scores a report has, whose figure counts where two give the same, and their units."""

import math

import numpy as np
import pytest

import zoo
from zoo import scores
from zoo.core.fields import PixelField
from zoo.scores import registry

X = np.full((4, 2, 3), 0.5, np.float32)


class Model:
    """What a report asks of a model that has no score of the zoo."""

    fields = {"x": PixelField((2, 3))}
    steady = True

    def prepare_for_scores(self, seed):
        return {"prepared": 3.0}

    def guess(self):
        """A method by whose definition a score applies."""


@pytest.fixture(autouse=True)
def emptied(monkeypatch):
    monkeypatch.setattr(registry, "_SCORES", [])


def figures(model, **settings):
    return scores.report(model, X, verbose=False, **settings)[0]


SETTINGS = {"num_images": 4, "num_simulated": 100, "num_importance_samples": 5000, "seed": 0}
SETTINGS |= {"warnings": []}


def test_scores_apply_by_abilities():
    """Methods that a class defines, and properties that are true."""

    class Unsteady(Model):
        steady = False

    class Silent(Model):
        guess = None

    @scores.register_score(units={"guessed": "nats"}, needs=("guess", "steady"))
    def guessed(scoring):
        return {"guessed": 1.0}

    assert figures(Model()) == SETTINGS | {"guessed": 1.0}
    for other in (Unsteady(), Silent()):
        assert figures(other) == SETTINGS | {"guessed": None}


def test_the_smaller_rank_counts():
    """Whichever was registered first; the other's further figures are told, too."""

    @scores.register_score(units={"log_likelihood": "nats", "bound": "nats"}, rank=3)
    def rough(scoring):
        return {"log_likelihood": 1.0, "bound": 2.0}

    @scores.register_score(units={"log_likelihood": "nats"}, rank=1)
    def fine(scoring):
        return {"log_likelihood": np.array([3.0, 5.0, 5.0, 7.0])}

    @scores.register_score(units={"log_likelihood": "nats"}, needs=("unknown",), rank=0)
    def best(scoring):
        raise AssertionError

    told, per_image = scores.report(Model(), X, verbose=False)
    assert told == SETTINGS | {"log_likelihood": 5.0, "bound": 2.0}
    np.testing.assert_array_equal(per_image, [3, 5, 5, 7])


def test_what_a_score_is_given():
    given = []

    @scores.register_score(units={})
    def look(scoring):
        given.append(scoring)
        return {"word": "said", "unknown": math.nan}

    told, per_image = scores.report(
        Model(), {"x": X}, num_images=3, seed=7, num_chains=5, num_simulated=9, chunk_size=2
    )
    assert told == SETTINGS | {
        "num_images": 3,
        "num_simulated": 9,
        "seed": 7,
        "word": "said",
        "unknown": None,
    }
    assert per_image is None
    (scoring,) = given
    assert scoring.annealing == {"num_chains": 5} and scoring.prepared == {"prepared": 3.0}
    assert (scoring.chunk_size, scoring.seed, scoring.verbose) == (2, 7, True)
    np.testing.assert_array_equal(scoring.batch["x"], X[:3])


def test_units_are_in_the_order_of_ranks():
    scores.register_score(units={"b": "nats", "c": "bits"})(print)
    scores.register_score(units={"a": "nats"}, rank=1)(print)
    assert list(scores.units().items()) == [("a", "nats"), ("b", "nats"), ("c", "bits")]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_samples": 3}, "evaluation does not take num_samples"),
        ({"num_simulated": -1}, "num_simulated must be .*; it was -1"),
        ({"num_importance_samples": 2.5}, "num_importance_samples must be a whole number"),
        ({"chunk_size": 0}, "chunk_size must be greater than 0"),
        ({"num_chains": 0}, "num_chains must be greater than 0"),
        ({"num_images": 0}, "num_images must be greater than 0"),
    ],
)
def test_what_a_report_refuses(settings, message):
    for ask in (scores.check_protocol, lambda **settings: figures(Model(), **settings)):
        with pytest.raises(zoo.UsageError, match=message):
            ask(**settings)
