"""Every number that a model or a part takes is refused where it cannot be right, whatever it is.

The arguments are found by their defaults, so that those of a new method are tested, too.
"""

import collections
import dataclasses
import itertools
import math

import keras
import pytest

import samplers
import zoo
from zoo.core import registry
from zoo.core.annealing import Annealing, ImportanceSampling
from zoo.parts.likelihoods import get_likelihood
from zoo.parts.rbm_prior import RBMPrior
from zoo.parts.step_size_search import StepSizeSearch
from zoo.runs.defaults import method_defaults

L = keras.layers
SHAPE = (2, 3, 1)
NEVER = [-1, math.nan, math.inf, -math.inf, True, "3", [1]]  # right for no number
NO_COUNT = [*NEVER, 1e9, 2.5, 2**31, None]
NO_SEED = [math.nan, True, "3", [1], 1e9, 2.5, None, 2**63, 10**30]


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def arguments_of(method):
    """Defaults of the numbers that a method takes, and of the lists of numbers."""
    found = method_defaults(method.cls) | {"seed": 0}
    if method.cls in (zoo.ABP, zoo.GLO, zoo.MCEM):
        found["num_examples"] = 5
    return {
        name: value
        for name, value in found.items()
        if is_number(value) or (isinstance(value, tuple | list) and all(map(is_number, value)))
    }


def cases():
    """A wrong value for each argument of each method, in turn, up to three times an argument."""
    turns = {"seed": itertools.cycle(NO_SEED), int: itertools.cycle(NO_COUNT)}
    turns[float] = itertools.cycle(NEVER)
    times = collections.Counter()
    for name, method in registry.methods().items():
        for argument, default in arguments_of(method).items():
            times[argument] += 1
            if times[argument] > 3:
                continue
            several = isinstance(default, tuple | list)
            kind = type(default[0] if several else default)
            value = next(turns["seed" if argument == "seed" else kind])
            yield name, argument, (value, *default[1:]) if several else value
            if several and times[argument] == 1:
                yield name, argument, 3


def facts(method):
    """What a method looks at of data, without any."""
    if method.data == "digit_rows":
        return zoo.data.as_data(SHAPE[:2], sequences=True)
    data = zoo.data.Data(None, None, None, {"x": zoo.core.fields.PixelField(SHAPE)}, {"train": 5})
    object.__setattr__(data, "mean_image", 0.5)
    return data


@pytest.mark.parametrize(("method", "argument", "value"), cases())
def test_numbers_of_methods(method, argument, value):
    method = registry.methods()[method]
    data = facts(method)
    with pytest.raises(zoo.UsageError, match=rf"^{argument}\b.*must ") as told:
        method.cls.for_data(data, **method.tiny | {argument: value})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("method", "argument"),
    [
        (name, argument)
        for name, method in registry.methods().items()
        for argument, default in method_defaults(method.cls).items()
        if isinstance(default, bool)
    ],
)
def test_flags_of_methods(method, argument):
    """Such as "False", which Python takes for true."""
    method = registry.methods()[method]
    for value in ("False", None, 1.5):
        with pytest.raises(zoo.UsageError, match=f"^{argument} must be True or False; it was"):
            method.cls.for_data(facts(method), **method.tiny | {argument: value})


PARTS = {
    "Annealing": Annealing,
    "ImportanceSampling": ImportanceSampling,
    "StepSizeSearch": StepSizeSearch,
    "gaussian": lambda **kwargs: get_likelihood({"name": "gaussian"} | kwargs),
    "logistic": lambda **kwargs: get_likelihood({"name": "discretised_logistic"} | kwargs),
    "RBMPrior": lambda **kwargs: RBMPrior((2, 2), **{"num_particles": 2} | kwargs),
}


@pytest.mark.parametrize(
    ("part", "argument", "kind"),
    [
        *((n, f.name, type(f.default)) for n, cls in list(PARTS.items())[:3]
          for f in dataclasses.fields(cls) if is_number(f.default)),
        ("gaussian", "scale", float),
        ("gaussian", "annealed_from", float),
        ("gaussian", "annealing_steps", int),
        ("logistic", "levels", int),
        ("RBMPrior", "num_particles", int),
        ("RBMPrior", "num_sweeps", int),
        ("RBMPrior", "seed", "seed"),
    ],
)  # fmt: skip
def test_numbers_of_parts(part, argument, kind):
    for value in {float: [0, *NEVER], int: [0, *NO_COUNT], "seed": NO_SEED}[kind]:
        with pytest.raises(zoo.UsageError, match=f"{argument} must "):
            PARTS[part](**{argument: value})


@pytest.mark.parametrize(
    ("part", "argument"), [("StepSizeSearch", "per_step"), ("gaussian", "learn_scale")]
)
def test_flags_of_parts(part, argument):
    for value in ("False", None, 0):
        with pytest.raises(zoo.UsageError, match=f"{argument} must be True or False; it was"):
            PARTS[part](**{argument: value})


@pytest.mark.parametrize("method", ["HMCDLGM", "AnnealedVAE", "MHHMC"])
@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((0.1, 0.5, 0.2), "min_step_size must be at most max_step_size, 0.2; it was 0.5"),
        ((1.5, 0.1, 1.0), "step_size must be from min_step_size, 0.1, to max_step_size, 1.0; it"),
        ((0.01, 0.1, 1.0), "step_size must be from min_step_size, 0.1, to max_step_size, 1.0; it"),
    ],
)
def test_relations(method, numbers, message):
    names = ("step_size", "min_step_size", "max_step_size")
    method = registry.methods()[method]
    with pytest.raises(zoo.UsageError, match=f"^{message}"):
        method.cls.for_data(SHAPE, **method.tiny | dict(zip(names, numbers, strict=True)))


def test_a_trajectory_of_any_length_has_bounded_steps():
    """Which a cast to int32 turned into minus two thousand millions."""
    model = zoo.HMCDLGM.for_data(SHAPE, latent_dim=2, hidden=(2,), trajectory=1e9)
    assert model.num_leapfrog_steps == 25
    model.chain["max_num_leapfrog_steps"] = 2**31 - 1
    assert model.num_leapfrog_steps == 2**30
    for trajectory, steps in ((1.5, 15), (0.01, 1), (1e30, 2**30)):
        model.chain["trajectory"] = trajectory
        assert model.num_leapfrog_steps == steps


def test_numbers_that_may_be_0():
    data = (SHAPE, {"latent_dims": (2,), "width": 2})
    assert zoo.LadderVAE.for_data(data[0], **data[1], warmup_steps=0).warmup_steps == 0
    assert samplers.as_seed(2**62).shape == (2,)
