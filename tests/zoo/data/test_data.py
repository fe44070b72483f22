"""The embedded digits, and pipelines that models are trained on."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.core.fields import IndexField, PixelField
from zoo.core.labels import LabelField


def gathered(dataset):
    batches = list(dataset.as_numpy_iterator())
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def test_digits(digits):
    assert digits.shape == (8, 8, 1) and digits.num_classes == 10
    assert digits.num_examples == {"train": 1297, "validation": 200, "test": 300}
    assert digits.fields == {
        "x": PixelField((8, 8, 1)),
        "y": LabelField(num_classes=10),
        "index": IndexField(num_examples=1297),
    }
    assert digits.train.cardinality() == 25
    splits = [gathered(split) for split in (digits.train, digits.validation, digits.test)]
    assert [len(split["x"]) for split in splits] == [1250, 200, 300]
    for split in splits:
        for name, field in digits.fields.items():
            np.testing.assert_array_equal(field.check(name, split[name]), split[name])
        assert split["x"].min() == 0 and split["x"].max() == 1
    np.testing.assert_array_equal(splits[2]["index"], np.arange(300))
    seen = [{x.tobytes() for x in split["x"]} for split in splits]
    assert not seen[0] & seen[2] and not seen[1] & seen[2], "splits do not share images"


def test_mean_image(digits):
    x = gathered(digits.train)["x"]
    np.testing.assert_allclose(digits.mean_image, x.mean(0), atol=1e-6)


class Classifier(zoo.TrainableModel):
    """A stub: its logits are a linear function; what is not labelled does not count."""

    def __init__(self, fields, **kwargs):
        super().__init__(fields=fields, **kwargs)
        self.dense = keras.layers.Dense(fields["y"].num_classes)
        self.dense.build((None, int(np.prod(fields["x"].shape))))
        self.seen = []

    @property
    def parameter_groups(self):
        return {"nll": self.trainable_variables}

    def objectives(self, batch, context, latents, seed):
        tf.py_function(
            lambda *values: self.seen.append([v.numpy() for v in values]),
            [batch["index"], batch["y"]],
            [],
        )
        logits = self.dense(tf.reshape(batch["x"], [-1, self.dense.kernel.shape[0]]))
        labelled = batch["y"] >= 0
        y = tf.where(labelled, batch["y"], 0)
        nll = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        share = tf.reduce_mean(tf.cast(labelled, tf.float32))
        return {"nll": tf.reduce_mean(tf.where(labelled, nll, 0.0))}, {"labelled": share}


def fitted(data, *arguments, **options):
    model = Classifier({name: data.fields[name] for name in ("x", "y")})
    model.compile(jit_compile=False)
    history = model.fit(*arguments, verbose=0, **options).history
    return model, history


def test_the_epoch_reaches_a_pipeline_that_a_user_transformed(digits):
    model, _ = fitted(digits, digits.train.map(lambda batch: batch).take(1), epochs=2)
    (first, _), (second, _) = model.seen
    assert not np.array_equal(first, second)


def test_labels_may_be_missing(tmp_path):
    """From a file through pipelines and arrays to the training step: -1 is not labelled."""
    x = np.random.default_rng(0).integers(0, 256, (20, 4, 3), np.uint8)
    y = np.where(np.arange(20) % 4, -1, np.arange(20) % 3)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x[:5])
    data = zoo.data.load(f"npz:{tmp_path / 'a.npz'}", batch_size=6)
    assert data.num_classes == 3 and data.fields["y"] == LabelField(num_classes=3)
    assert (gathered(data.test)["y"] == -1).all(), "a split without labels has none"
    model, history = fitted(data, data.train)
    batch = gathered(data.train)
    label_of = dict(zip(batch["index"], batch["y"], strict=True))
    for index, seen in model.seen:
        assert seen.tolist() == [label_of[number] for number in index]
    assert history["labelled"] == [pytest.approx(np.mean(batch["y"] >= 0))]
    pixels = x[..., None] / np.float32(255)
    _, history = fitted(data, pixels, y, batch_size=20)
    assert history["labelled"] == [pytest.approx(5 / 20)]
    for wrong in (y - 1, np.where(y == 2, 3, y)):
        with pytest.raises(zoo.UsageError, match="y must hold labels from 0 to 2, or -1 for not"):
            fitted(data, pixels, wrong, batch_size=20)


def test_data_of_which_nothing_is_labelled(tmp_path):
    x = np.zeros((20, 4, 3))
    np.savez(tmp_path / "a.npz", x_train=x, y_train=np.full(20, -1), x_test=x)
    data = zoo.data.load(f"npz:{tmp_path / 'a.npz'}", batch_size=6)
    assert data.num_classes == 0 and set(data.fields) == {"x", "index"}


def test_what_load_refuses():
    for source, options, message in (
        ("digit", {}, "data: unknown value 'digit'; did you mean 'digits'"),
        ("nothing", {}, "data: unknown value 'nothing'; it may be 'audio:DIR', 'cluttered:SO"),
        ("digits", {"batch_size": 0}, "batch_size must be greater than 0; it was 0"),
        ("digits", {"size": 1.5}, "size must be a whole number; it was 1.5"),
        (
            "digits",
            {"data_dir": "."},
            "'digits' does not take data_dir; it takes channels, crop",
        ),
        ("digits:8", {}, "data: 'digits' must be written 'digits'; it was 'digits:8'"),
        ("npz:", {}, "data: 'npz' must be written 'npz:PATH'; it was 'npz:'"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            zoo.data.load(source, **options)
