"""What a user asks of a model, whatever the model: seeds, flags, counts and their refusals."""

import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from linear_gaussian import linear_gaussian, linear_model

import samplers
import zoo
from zoo.core.annealing import Annealing, ImportanceSampling
from zoo.core.latent import LatentVariableModel
from zoo.core.mixing import warn_of_chains

LAW = linear_gaussian()
X = LAW.simulate(3)
VISIBLE = np.arange(6) < 3


@pytest.fixture(scope="module")
def model():
    return linear_model(zoo.VAE, LAW)


# Seeds.

ASKED = {
    "sample": lambda model, *seed: model.sample(2, *seed)["x"],
    "reconstruct": lambda model, *seed: model.reconstruct(X, *seed)["x"],
    "inpaint": lambda model, *seed: model.inpaint(X, VISIBLE, *seed, num_steps=2)["x"],
    "infer": lambda model, *seed: model.infer({"x": tf.constant(X)}, 2, *seed)[0].numpy(),
    "complete": lambda model, *seed: model.complete({"x": tf.constant(X)}, VISIBLE, 2, 2, *seed)[
        0
    ].numpy(),
}
FIXED = {
    "encode": lambda model, *seed: model.encode(X, *seed)["z"],
    "log_likelihood": lambda model, *seed: model.log_likelihood(X, *seed)["log_likelihood"],
}


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(ask, id=name, marks=[pytest.mark.slow] * (name == "complete"))
        for name, ask in ASKED.items()
    ],
)
def test_without_a_seed_draws_are_new(model, ask):
    """But for `keras.utils.set_random_seed`, by which they repeat, and for a seed that is given."""
    first, second = ask(model), ask(model)
    assert not np.array_equal(first, second)
    drawn = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        drawn.append([ask(model), ask(model, None)])
    np.testing.assert_array_equal(*drawn)
    assert not np.array_equal(*drawn[0])
    np.testing.assert_array_equal(ask(model, 3), ask(model, np.int64(3)))


@pytest.mark.parametrize("ask", FIXED.values(), ids=FIXED)
def test_scores_repeat_without_a_seed(model, ask):
    np.testing.assert_array_equal(ask(model), ask(model, 0))


def test_a_traced_function_must_give_a_seed(model):
    """Which would else be drawn once, for all calls."""
    batch = {"x": tf.constant(X)}
    with pytest.raises(zoo.UsageError, match="seed must be given inside a tf.function"):
        tf.function(lambda: model.infer(batch, 1)[0], autograph=False)()


@pytest.mark.parametrize("seed", ["0", 1.5, True, [1, 2, 3], np.zeros(2)])
def test_what_is_no_seed_is_refused(model, seed):
    with pytest.raises(zoo.UsageError, match="seed must be an int or an int32 tensor of shape"):
        model.sample(1, seed)


def test_every_methods_own_inference_takes_no_seed():
    """Also one that is written as if it were always given one, by its place or by its name."""

    class Stranger(LatentVariableModel):
        def infer(self, batch, num_samples, seed):
            return tf.cast(seed, tf.float64)[None], {}

        def complete(self, batch, visible, num_samples, seed):
            return self.infer(batch, num_samples, seed=seed)

    class Heir(Stranger):
        def infer(self, batch, num_samples, seed):
            return super().infer(batch, num_samples, seed)

    for stranger in (Stranger, Heir):
        model = object.__new__(stranger)
        seeds = [stranger.infer(model, {}, 1)[0].numpy() for _ in range(2)]
        assert seeds[0].shape == (1, 2) and not np.array_equal(*seeds)
        np.testing.assert_array_equal(stranger.infer(model, {}, 1, seed=4)[0], [[4, 0]])
        np.testing.assert_array_equal(stranger.infer(model, {}, 1, 4)[0], [[4, 0]])
        np.testing.assert_array_equal(stranger.complete(model, {}, None, 1, 4)[0], [[4, 0]])


# What is not finite.


class Holes(zoo.VAE):
    """Whose decoder gives NaN in the last pixel where a latent is large."""

    def decode(self, z):
        hole = (z[..., :1] > 0.5) & (tf.range(6) == 5)
        return tf.where(hole, np.nan, super().decode(z))

    def log_prob_where(self, batch, z, mask):
        return tf.reduce_sum(tf.where(mask, -tf.square(super().decode(z) - batch["x"]), 0.0), -1)


@pytest.mark.parametrize("question", ["sample", "reconstruct", "inpaint"])
def test_pixels_that_are_not_finite_are_flagged(question):
    model = linear_model(Holes, LAW)
    x = np.repeat(X, 5, 0)
    asked = {
        "sample": lambda: model.sample(15, 0),
        "reconstruct": lambda: model.reconstruct(x, 0),
        "inpaint": lambda: model.inpaint(x, VISIBLE, 0, num_steps=1),
    }
    told = rf"{question}: (\d+) of 15 images hold or come of numbers that are NaN or infinite"
    with pytest.warns(UserWarning, match=told) as warned:
        answer = asked[question]()
    bad = ~np.isfinite(answer["mean"]).all(1)
    np.testing.assert_array_equal(answer["finite"], ~bad)
    assert 0 < bad.sum() < 15 and warned[0].filename == __file__
    assert f" {bad.sum()} of 15 " in str(warned[0].message)


@pytest.mark.parametrize("question", ["encode", "reconstruct", "infer"])
def test_chains_that_are_stuck_are_flagged(question):
    """Their latents are where they were drawn: finite, whatever the image."""
    model = linear_model(zoo.HMCDLGM, LAW, num_steps=1)
    regular = model.log_joint
    hole = tf.constant([0.0, np.nan, 0.0])
    model.log_joint = lambda batch, z, visible=None: regular(batch, z, visible) + hole
    asked = {
        "encode": lambda: model.encode(X),
        "reconstruct": lambda: model.reconstruct(X, 0),
        "infer": lambda: model.infer({"x": tf.constant(X)}, 2, 0),
    }
    told = f"{question}: 1 of 3 images hold or come of numbers that are NaN or infinite"
    with pytest.warns(UserWarning, match=told) as warned:
        answer = asked[question]()
    assert warned[0].filename == __file__
    if question == "infer":
        assert np.isfinite(answer[0]).all()
    else:
        assert all(np.isfinite(value).all() for value in answer.values())
        np.testing.assert_array_equal(answer["finite"], [True, False, True])


# Whether weights tell.


@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        (Annealing(4, 1, 1), ["in 1 of 3 images fewer than 2 of 4 chains count effectively, .*"]),
        (
            ImportanceSampling(100),
            ["in 1 of 3 images fewer than 5 of 100 samples count effectively, .*", "the Pareto k"],
        ),
    ],
)
def test_weights_that_are_too_unequal_are_told(monkeypatch, protocol, told):
    """In a user's own call as in a report; the other two images' are equal."""
    spread = 100 * np.linspace(0, 1, protocol.num_weights, dtype=np.float32) ** 8
    weights = tf.constant(spread[:, None] * np.float32([1, 0, 0]))
    monkeypatch.setattr(type(protocol), "log_weights", lambda *_: weights)
    model = linear_model(zoo.VAE, LAW)
    model.protocol = protocol
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        answer = model.log_likelihood(X)
    assert [w.filename for w in warned] == [__file__] * len(told)
    for sentence, start in zip(warned, told, strict=True):
        assert re.match(f"log_likelihood: {start}", str(sentence.message))
        assert str(sentence.message).endswith(f"raise {protocol.remedy} of model.protocol.")
    assert ("pareto_k" in answer) == (protocol.num_weights >= samplers.FEWEST_FOR_A_TAIL)


# Whether chains agree.


def test_chains_of_an_image_are_held_against_each_other(model):
    """They do not agree after a few transitions, and do after many; one tells nothing."""
    assert set(model.inpaint(X, VISIBLE, 0, num_steps=2)) == {"x", "mean", "finite"}
    with pytest.warns(UserWarning, match=r"have not mixed, with an R-hat of .*; raise num_steps"):
        few = model.inpaint(X, VISIBLE, 0, num_steps=8, num_chains=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        many = model.inpaint(X, VISIBLE, 0, num_steps=2000, num_chains=4)
    assert (few["r_hat"] > many["r_hat"]).all() and (many["r_hat"] < 1.05).all()
    assert many["x"].shape == X.shape and many["r_hat"].shape == (3,)
    kept = many["mean"][:, VISIBLE]
    np.testing.assert_array_equal(kept, X[:, VISIBLE])


@pytest.mark.parametrize(
    ("r_hat", "told"),
    [
        ([1.0, np.nan], "inpaint: the R-hat of 1 of 2 images is NaN, so that it is not known"),
        ([1.0, np.inf], "the chains of 1 of 2 images have not mixed, with an R-hat of up to inf"),
        ([1.2, np.nan], "the chains of 1 of 2 images have not mixed, with an R-hat of up to 1.2"),
    ],
)
def test_agreement_that_is_not_known_is_told(r_hat, told):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        warn_of_chains("inpaint", np.array(r_hat, np.float32))
    assert any(told in str(w.message) for w in warned)
    assert {w.category for w in warned} == {UserWarning}


@pytest.mark.parametrize(("num_samples", "num_steps"), [(0, 1), (-1, 1), (1, 0), (1.5, 1)])
def test_numbers_of_samples_and_steps_are_checked(model, num_samples, num_steps):
    batch = {"x": tf.constant(X)}
    with pytest.raises(zoo.UsageError, match="num_s.* must be"):
        model.complete(batch, VISIBLE, num_samples, num_steps, 0)
    if num_steps:
        with pytest.raises(zoo.UsageError, match="num_samples must be"):
            model.infer(batch, num_samples, seed=0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"num_chains": 0}, "num_chains must be greater than 0; it was 0"),
        ({"num_chains": 2.5}, "num_chains must be a whole number"),
        ({"num_chains": 2, "num_steps": 6}, "num_steps must be at least 7 to tell whether num_ch"),
    ],
)
def test_chains_that_cannot_be_compared_are_refused(model, arguments, told):
    with pytest.raises(zoo.UsageError, match=told):
        model.inpaint(X, VISIBLE, 0, **arguments)
