"""The embedded digits: scikit-learn's 1,797 handwritten ones of 8 by 8 pixels."""

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from zoo.data.registry import register_source
from zoo.data.splits import Preparation, Splits, collected


@register_source("digits", levels=17)
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
