"""Whatever a user passes is either answered with finite numbers or refused by one clear error.

Inputs are drawn by hypothesis. Refused means `zoo.UsageError`, or TensorFlow's
`InvalidArgumentError` from an exported program; anything else counts as a crash, and a NaN in an
answer as a silent one.
"""

import re

import numpy as np
import pytest
import tensorflow as tf
from bad_input import COUNTS, JUNK, ask, inputs
from hypothesis import given
from hypothesis import strategies as st

import samplers
import zoo
from zoo.core.annealing import Annealing
from zoo.core.checks import check_choice, check_count
from zoo.core.fields import PixelField
from zoo.core.given import Given
from zoo.core.labels import LabelField
from zoo.core.request_fields import MaskField

SHAPE = (8, 8, 1)
FIELDS = {"x": PixelField(SHAPE)}

shapes = st.one_of(
    st.just((3, *SHAPE)),
    st.just((1, *SHAPE)),
    st.just((0, *SHAPE)),
    st.just(SHAPE),
    st.just((3, 8, 8)),
    st.sampled_from(
        [(), (1,), (9, 8), (2, 8, 1), (3, 8, 8, 3), (3, 9, 8, 1), (2, 8, 0, 1), (1, 3, *SHAPE)]
    ),
)
dtypes = st.sampled_from(["f4", "f8", "f2", "u1", "i4", "i8", "?", "c8", "U3", "O"])


@st.composite
def any_array(draw, shapes=shapes, dtypes=dtypes, bad=True):
    """An array that may or may not be a batch of images."""
    shape, dtype = draw(shapes), np.dtype(draw(dtypes))
    rng = np.random.default_rng(draw(st.sampled_from(range(100))))
    ranges = [(0, 1), (0, 1), (0, 1), (0, 255), (-1, 1), (0, 1e30)]
    low, high = draw(st.sampled_from(ranges if bad else ranges[:1]))
    x = low + (high - low) * rng.random(shape)
    if dtype.kind in "US":
        return x.astype(dtype)
    if dtype.kind == "O":
        return np.full(shape, None, object)
    with np.errstate(all="ignore"):
        x = np.asarray(x).astype(dtype)
    value = draw(st.sampled_from([None, None, None, np.nan, np.inf, -np.inf])) if bad else None
    if value is not None and dtype.kind == "f" and x.size:
        x.flat[draw(st.sampled_from(range(x.size)))] = value
    return x


# Two thirds are good, so that several together often are.
good = any_array(st.sampled_from([(1, *SHAPE), (3, *SHAPE)]), st.just("f4"), bad=False)
masks = st.one_of(
    st.sampled_from([np.ones((3, *SHAPE), bool), np.zeros((3, *SHAPE), bool)]),
    st.sampled_from([np.ones(SHAPE, bool), np.zeros(SHAPE, bool)]),
    any_array(dtypes=st.sampled_from(["?", "?", "i4", "f4"])),
)
junk = st.sampled_from(JUNK)


@pytest.fixture(scope="module", autouse=True)
def neither_all_nor_nothing_is_refused():
    COUNTS.clear()
    yield
    if COUNTS.total() > 500:
        assert 0.1 < COUNTS["answered"] / COUNTS.total() < 0.9, COUNTS


# Checks, which run no model.


@inputs(300)
@given(st.one_of(any_array(), good, junk))
def test_images(x):
    answer = ask(lambda: FIELDS["x"].check("x", x))
    if answer is not None:
        assert answer.shape[1:] == SHAPE and len(answer) and answer.dtype == np.float32
        assert np.isfinite(answer).all() and answer.min() >= 0 and answer.max() <= 1


@inputs(50)
@given(st.one_of(any_array(), good), any_array(), st.one_of(st.just(2), junk), st.booleans())
def test_pipelines(x, y, batch_size, training):
    x = ask(lambda: Given(FIELDS).batches(x, y, batch_size, training=training))
    for batch in x or ():
        assert batch["x"].shape[1:] == SHAPE and np.isfinite(batch["x"]).all()


@inputs(100)
@given(st.one_of(any_array(shapes=st.sampled_from([(3,), (1,), (0,), (), (3, 1)])), junk))
def test_labels(y):
    answer = ask(lambda: LabelField(num_classes=3).check("y", y))
    assert answer is None or (answer.ndim == 1 and answer.min() >= -1 and answer.max() < 3)


@inputs(100)
@given(st.one_of(masks, junk))
def test_masks(visible):
    answer = ask(lambda: MaskField(SHAPE).check("visible", visible, 3))
    assert answer is None or (answer.shape == (3, *SHAPE) and answer.dtype == bool)


@pytest.mark.parametrize(
    "question",
    [
        lambda value: check_count(value=value) or value,
        lambda value: check_choice("value", value, ["a", "b"]),
        lambda value: samplers.as_seed(value),
        lambda value: zoo.data.mask(value, SHAPE),
        lambda value: Annealing(num_chains=value, start=value),
        lambda value: zoo.data.load(value),
    ],
    ids=["count", "choice", "seed", "mask", "annealing", "source"],
)
def test_values(question):
    for value in JUNK:
        ask(lambda value=value: question(value))


# What a model is asked, itself and as an export; the methods and their checks are the base class's.


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A small model and the signatures of its export."""
    model = zoo.VAE.for_data(zoo.data.load("digits"), latent_dim=2, hidden=(2,))
    model.protocol = Annealing(num_chains=2, num_increments=1, num_leapfrog_steps=1)
    model.compile(jit_compile=False)
    path = tmp_path_factory.mktemp("export") / "export"
    zoo.export(model, path)
    return model, tf.saved_model.load(str(path)).signatures


half = st.sampled_from(range(20)).map(
    lambda seed: np.random.default_rng(seed).random((3, *SHAPE)) < 0.5
)
seeds = st.sampled_from([[0, 0]] * 3 + [[1, 2], [-(2**31), 2**31 - 1], [0], [0, 1, 2]])
NAMES = ["sample", "reconstruct", "inpaint", "encode"]


@inputs(60)
@given(
    st.sampled_from([*NAMES * 4, "log_likelihood"]),
    st.one_of(good, good, any_array(dtypes=st.sampled_from(["f4", "f4", "f8", "i4"]))),
    st.one_of(half, masks),
    seeds,
    st.sampled_from([1, 1, 2, 3, 0, -1]),
)
def test_signatures(served, name, x, visible, seed, count):
    _, endpoints = served
    offered = {"x": x, "visible": visible, "seed": seed, "num_steps": count, "num_samples": count}
    _, named = endpoints[name].structured_input_signature
    wanted = {key: tf.constant(offered[key]) for key in named}
    try:
        answer = endpoints[name](**wanted)
    except tf.errors.InvalidArgumentError as error:
        # By the name of an input, or, for a wrong dtype, by its position.
        assert re.search(
            r"(x|visible|seed|num_\w+) must|input #\d.* was expected to be", str(error)
        ), error
    else:
        check_answer(name, answer, x, visible, count)


@inputs(40)
@given(
    st.sampled_from(NAMES),
    st.one_of(good, good, any_array()),
    st.one_of(half, masks),
    st.one_of(st.just(0), st.sampled_from(range(100)), junk),
    st.one_of(st.sampled_from([1, 2, 3]), junk.filter(lambda n: not isinstance(n, int) or n < 9)),
)
def test_methods(served, name, x, visible, seed, count):
    model, _ = served
    answer = ask(
        {
            "sample": lambda: model.sample(count, seed),
            "reconstruct": lambda: model.reconstruct(x, seed),
            "inpaint": lambda: model.inpaint(x, visible, seed, count),
            "encode": lambda: model.encode(x, seed),
        }[name]
    )
    if answer is not None:
        check_answer(name, answer, x, visible, count)


def check_answer(name, answer, x, visible, count):
    length = count if name == "sample" else len(x)
    for key, value in answer.items():
        value = np.asarray(value)
        assert len(value) == length > 0 and np.isfinite(value).all(), f"silent NaN in {key}"
        if name == "inpaint" and key != "finite":
            shown = MaskField(SHAPE).check("visible", visible, len(x))
            np.testing.assert_array_equal(value[shown], x[shown].astype(np.float32))


def test_a_fit_of_anything_leaves_finite_weights(served):
    """Training on what is refused changes nothing; on what is taken, nothing becomes NaN."""
    model, _ = served

    @inputs(12)
    @given(any_array(shapes=st.sampled_from([(4, *SHAPE), (3, *SHAPE), (4, 8, 8), SHAPE])))
    def check(x):
        before = [v.numpy() for v in model.trainable_variables]
        answer = ask(lambda: model.fit(x, batch_size=4, verbose=0))
        for old, new in zip(before, model.trainable_variables, strict=True):
            assert np.isfinite(new).all()
            assert answer is not None or np.array_equal(old, new)

    check()
