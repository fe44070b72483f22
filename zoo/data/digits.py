"""The embedded digits: scikit-learn's 1,797 handwritten ones of 8 by 8 pixels, whole or by rows."""

import functools

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from zoo.core.sequences import RowsField
from zoo.data.registry import register_source
from zoo.data.sequences import sequence_fields
from zoo.data.splits import Preparation, Splits, collected

_LEVELS = 17  # of grey


@register_source("digits", levels=_LEVELS)
def read_digits(*, prepare: Preparation) -> Splits:
    """Returns 1,297 digits to train on, 200 to choose by and 300 to test on, always the same."""
    digits = load_digits()
    x = tf.data.Dataset.from_tensor_slices((digits.images / 16)[..., None].astype(np.float32))
    x = collected(x.map(prepare))
    order = np.random.default_rng(0).permutation(len(x))
    test, validation, train = np.split(order, [300, 500])
    return {
        name: {"x": x[index], "y": digits.target[index].astype(np.int32)}
        for name, index in {"train": train, "validation": validation, "test": test}.items()
    }


@register_source(
    "digit_rows",
    fields=functools.partial(sequence_fields, RowsField, grid=1 / (_LEVELS - 1)),
    levels=_LEVELS,
)
def read_digit_rows() -> Splits:
    """Returns the same digits, each a sequence of its rows from the top."""
    return {
        name: {"x": arrays["x"][..., 0], "length": np.full(len(arrays["x"]), 8, np.int32)}
        | {"y": arrays["y"]}
        for name, arrays in read_digits(prepare=Preparation()).items()
    }
