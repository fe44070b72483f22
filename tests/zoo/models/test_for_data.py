"""Models are made for data as a user has them, or it is told what is missing."""

import numpy as np
import pytest
import tensorflow as tf
from eager import eagerly

import zoo
from zoo.core import registry

X = np.random.default_rng(0).random((30, 4, 6, 1)).astype(np.float32)
Y = np.arange(30) % 3
METHODS = registry.methods()
NEEDS_THE_MEAN = ("DVAE", "StructuredPrediction", "VIMCO")
NEEDS_THE_NUMBER = ("ABP", "GLO", "MCEM")


def dataset(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays[0] if len(arrays) == 1 else arrays)


GIVEN = {
    "array": lambda x=X: x,
    "float64": lambda x=X: x.astype(np.float64),
    "tensor": lambda x=X: tf.constant(x),
    "pair": lambda x=X: (x, Y),
    "dictionary": lambda x=X: {"x": x, "y": Y},
    "pipeline": lambda x=X: dataset(x).batch(7),
    "pairs": lambda x=X: dataset(x, Y).batch(7, drop_remainder=True),
    "dictionaries": lambda x=X: dataset({"x": x, "y": Y}).batch(7),
    "shape": lambda x=X: x.shape[1:],
    "shape of a batch": lambda x=X: (None, *x.shape[1:]),
    "tensor shape": lambda x=X: tf.TensorShape(x.shape[1:]),
}


LABELLED = ("pair", "dictionary")


@pytest.mark.parametrize("given", GIVEN)
def test_what_is_known_of_data(given):
    data = zoo.data.as_data(GIVEN[given]())
    # Of arrays all labels are known.
    assert data.shape == (4, 6, 1) and data.num_classes == (3 if given in LABELLED else 0)
    if "shape" in given:
        with pytest.raises(zoo.UsageError, match="data must hold images, and not their shape alon"):
            data.mean_image  # noqa: B018
        return
    assert data.num_examples == (
        {} if given.startswith("pip") or given[-1] == "s" else {"train": 30}
    )
    kept = X[:28] if given == "pairs" else X
    np.testing.assert_allclose(data.mean_image, kept.mean(0), atol=0.1)


@pytest.mark.parametrize("given", ["array", "pipeline", "shape"])
@pytest.mark.parametrize("method", METHODS)
def test_all_methods_take_them(method, given):
    """The networks are made for them; where the mean or the number is missing, it is told."""
    x = X[..., 0] if METHODS[method].data == "digit_rows" else X

    def made(**kwargs):
        return METHODS[method].cls.for_data(GIVEN[given](x), **METHODS[method].tiny | kwargs)

    if method in NEEDS_THE_MEAN and given == "shape":
        with pytest.raises(zoo.UsageError, match="data must .* mean is needed"):
            made()
    elif method in NEEDS_THE_NUMBER and given != "array":
        with pytest.raises(zoo.UsageError, match="num_examples must be given"):
            made()
        assert made(num_examples=5).fields["index"].num_examples == 5
    else:
        model = made()
        assert model.fields["x"].shape == x.shape[1:]
        if method in NEEDS_THE_NUMBER:
            assert model.fields["index"].num_examples == len(X)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("digits", "it was a str"),
        (None, "it was a NoneType"),
        (28, "it was a int"),
        (np.zeros(5), r"it was a ndarray of the shape \[5\]"),
        ((), "it was a tuple"),
        (X.tolist(), "it was a list"),
        ((28, 0, 1), "it was a tuple"),
        ((28, None, 1), "it was a tuple"),
        ({"images": X}, "it was a dict"),
        (255 * X, r"^x must hold pixels in \[0, 1\]; they run from .* to 25"),
        ((255 * X).astype(np.uint8), r"^x must hold pixels in \[0, 1\]"),
        (np.full((3, 4), np.nan), "^x must be finite"),
        (np.zeros((0, 4, 6, 1)), "^x must be a batch of at least one"),
        (lambda: dataset(X), r"was \[4, 6, 1\], an image by itself: give data.batch\(32\)"),
        (lambda: dataset(X[0, 0, 0]), r"batches \[N, ...event\] of a known shape"),
        (
            lambda: tf.data.Dataset.from_generator(lambda: iter([X]), output_types=tf.float32),
            "of a known shape; the pipeline's x was <unknown>",
        ),
        (lambda: dataset({"images": X}).batch(3), "of a known shape"),
        (iter([X]), "it was a list_iterator"),
    ],
)
def test_what_is_no_data(given, message):
    given = given() if callable(given) else given
    with pytest.raises(zoo.UsageError, match=message):
        zoo.VAE.for_data(given)


def test_data_stay_what_they_are(digits):
    assert zoo.data.as_data(digits) is digits
    endless = zoo.data.as_data(dataset(X).batch(7).repeat())
    with pytest.raises(zoo.UsageError, match="data must have an end, since their mean is needed"):
        endless.mean_image  # noqa: B018


@pytest.mark.parametrize("method", ["VAE", "ShortRun", "StructuredPrediction"])
def test_images_need_not_be_square(method):
    """In colours, too: of each base class one takes a step, draws images and completes some."""
    shape = (4, 6, 3)
    x = np.random.default_rng(0).random((20, *shape)).astype(np.float32)
    with eagerly():
        model = METHODS[method].cls.for_data(x, **METHODS[method].tiny)
        model.compile(jit_compile=False, run_eagerly=True)
        model.train_step({"x": tf.constant(x), "index": tf.range(20)})
        given = dict.fromkeys(model.sample_fields, x[0])
        assert model.sample(2, seed=0, **given)["x"].shape == (2, *shape)
        steps = {"num_steps": 1} if model.completes_by_a_chain else {}
        for visible in zoo.data.completion_masks(model).values():
            assert model.inpaint(x[:2], visible, seed=0, **steps)["x"].shape == (2, *shape)
