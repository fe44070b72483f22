"""Few labels of many: which are kept, and that every batch has its share."""

import numpy as np
import pytest

import zoo
from zoo.core.pipeline import pipeline
from zoo.data.labels import few_labels


def load(**kwargs):
    return zoo.data.load("digits", verbose=False, **kwargs)


def labels_of(dataset):
    return [batch["y"].numpy() for batch in dataset]


def by_index(data):
    found = [(batch["index"].numpy(), batch["y"].numpy()) for batch in data.train]
    index, y = map(np.concatenate, zip(*found, strict=True))
    return dict(zip(index.tolist(), y.tolist(), strict=True))


def test_as_many_of_each_class():
    data = load(num_labels=100)
    assert data.label_counts == (10,) * 10
    assert data.label_share == 100 / data.num_examples["train"]
    full, few = by_index(load()), by_index(data)
    assert all(few[k] in (-1, full.get(k, few[k])) for k in few)
    for split in (data.validation, data.test):
        assert min(map(np.min, labels_of(split))) >= 0
    assert sum(load().label_counts) == load().num_examples["train"]


def test_the_seed_chooses_them():
    kept = [{k for k, y in by_index(load(num_labels=50, seed=s)).items() if y >= 0} for s in (0, 1)]
    assert kept[0] != kept[1]
    again = {k for k, y in by_index(load(num_labels=50, seed=0)).items() if y >= 0}
    assert kept[0] == again


def test_the_other_labels_are_not_there():
    """What they were, nothing that follows can know."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 40)
    fields = {"y": zoo.core.labels.LabelField(num_classes=3)}
    split = {"x": np.zeros((120, 2)), "y": rng.permutation(y)}
    few = few_labels(split, fields, 30, 0)["y"]
    assert np.bincount(few[few >= 0]).tolist() == [10, 10, 10]
    assert (few[few >= 0] == split["y"][few >= 0]).all()


@pytest.mark.parametrize(("size", "labelled"), [(100, 20), (100, 7), (90, 89), (64, 1)])
def test_batches_have_their_share(size, labelled):
    y = np.where(np.arange(size) < labelled, 0, -1)
    dataset = pipeline({"x": np.zeros((size, 1)), "y": y}, 10, seed=0, drop_remainder=True)
    counts = [int((batch >= 0).sum()) for batch in labels_of(dataset)]
    share = 10 * labelled / size
    assert max(counts) - min(counts) <= 2 and abs(np.mean(counts) - share) < 1
    assert max(counts) <= np.ceil(share) + 1
    orders = [np.concatenate([b["index"] for b in dataset]) for _ in range(2)]
    np.testing.assert_array_equal(*orders)
    assert len(set(orders[0].tolist())) == len(orders[0])


def test_bad_numbers_are_told():
    for num_labels, message in (
        (105, "num_labels must be a multiple of the number of classes, 10; it was 105"),
        (5000, "num_labels must be at most 1210: class 8 has 121; it was 5000"),
        (-10, "num_labels must be at least 0"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            load(num_labels=num_labels)
    with pytest.raises(
        zoo.UsageError, match="num_labels must be left out: the data have no labels"
    ):
        few_labels({"x": np.zeros((3, 2))}, {}, 10, 0)
