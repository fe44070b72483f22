import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.core.pipeline import epoch_variable, pipeline


def order(dataset):
    return np.concatenate([element["index"].numpy() for element in dataset])


def test_digits(digits):
    assert digits.shape == (8, 8, 1) and digits.num_classes == 10
    assert digits.num_examples == {"train": 1297, "validation": 200, "test": 300}
    for split in (digits.train, digits.validation, digits.test):
        element = next(iter(split))
        assert element["x"].shape == (50, 8, 8, 1)
        assert element["x"].numpy().min() == 0 and element["x"].numpy().max() == 1
    assert digits.train.cardinality() == 25
    assert len(order(digits.train)) == 1250
    np.testing.assert_array_equal(order(digits.test), np.arange(300))


def test_splits_do_not_share_images(digits):
    splits = [
        {e.tobytes() for element in split for e in element["x"].numpy()}
        for split in (digits.train, digits.validation, digits.test)
    ]
    assert not splits[0] & splits[2] and not splits[1] & splits[2]


def test_order_is_a_function_of_seed_and_epoch():
    arrays = {"x": np.arange(20.0)}
    dataset, same, other = (
        pipeline(arrays, 4, seed=seed, drop_remainder=True) for seed in (0, 0, 1)
    )
    orders = []
    for epoch in (0, 1, 2):
        epoch_variable().assign(epoch)
        orders.append(order(dataset))
        np.testing.assert_array_equal(orders[-1], order(dataset))
        np.testing.assert_array_equal(orders[-1], order(same))
        assert not np.array_equal(orders[-1], order(other))
        np.testing.assert_array_equal(np.sort(orders[-1]), np.arange(20))
    epoch_variable().assign(0)
    assert len({tuple(o) for o in orders}) == 3


def test_epoch_reaches_a_pipeline_that_a_user_transformed(digits):
    seen = []

    def look(batch):
        seen.append(batch)
        return batch

    model = zoo.VAE.for_data(digits, latent_dim=2, hidden=(4,))
    model.compile(jit_compile=False)
    orders = []
    train_step = model.train_step

    def recorded(batch):
        tf.py_function(lambda index: orders.append(index.numpy()), [batch["index"]], [])
        return train_step(batch)

    model.train_step = recorded
    model.fit(digits.train.map(look).take(1), epochs=2, verbose=0)
    assert len(orders) == 2 and not np.array_equal(*orders)


def test_index_goes_with_its_example():
    arrays = {"x": np.arange(20.0), "y": 10 * np.arange(20)}
    for element in pipeline(arrays, 3, seed=5):
        np.testing.assert_array_equal(element["x"], element["index"].numpy().astype(float))
        np.testing.assert_array_equal(element["y"], 10 * element["index"].numpy())


@pytest.mark.parametrize("name", zoo.data.MASKS)
def test_masks(name):
    visible = zoo.data.mask(name, (8, 6, 3))
    assert visible.shape == (8, 6, 3) and visible.dtype == bool
    assert (visible == visible[..., :1]).all()
    assert 0.2 < visible.mean() < 0.8
    hidden = {"left": (4, 0), "right": (4, 5), "top": (0, 3), "bottom": (7, 3), "box": (4, 3)}
    if name in hidden:
        assert not visible[hidden[name]].any()
        assert visible.mean() == pytest.approx(0.67 if name == "box" else 0.5, abs=0.02)


def test_what_load_refuses():
    with pytest.raises(zoo.UsageError, match="data: unknown value 'digit'; did you mean 'digits'"):
        zoo.data.load("digit")
    with pytest.raises(zoo.UsageError, match="batch_size must be greater than 0; it was 0"):
        zoo.data.load("digits", batch_size=0)
    with pytest.raises(zoo.UsageError, match="batch_size must be at most 1297; it was 2000"):
        zoo.data.load("digits", batch_size=2000)
    with pytest.raises(zoo.UsageError, match="mask: unknown value 'leftt'; did you mean 'left'"):
        zoo.data.mask("leftt", (8, 8, 1))
