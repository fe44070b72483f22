"""Images among clutter: where the ink is from, that all is repeated, and what is refused."""

import numpy as np
import pytest

import zoo
from zoo.data.cluttered import clutter


def test_an_image_lies_whole_on_its_canvas():
    """Anywhere: without distractors all other pixels are dark."""
    images = np.random.default_rng(0).integers(1, 256, (300, 3, 2, 1), np.uint8)
    x = clutter(images, np.random.default_rng(1), 6, 0, 0)
    places = set()
    for image, drawn in zip(images, x, strict=True):
        rows, columns = (np.nonzero(drawn[..., 0].any(axis))[0] for axis in (1, 0))
        inside = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        np.testing.assert_array_equal(inside, image)
        places.add((rows[0], columns[0]))
    assert places == {(row, column) for row in range(4) for column in range(5)}


def test_distractors_are_pieces_of_others():
    """Here each image is of one level, which nothing but its own pieces has."""
    levels = np.arange(1, 61, dtype=np.uint8)
    images = np.broadcast_to(levels[:, None, None, None], (60, 4, 4, 1))
    x = clutter(images, np.random.default_rng(0), 40, 5, 2)
    for level, drawn in zip(levels, x, strict=True):
        found, counts = np.unique(drawn, return_counts=True)
        counts = dict(zip(found.tolist(), counts.tolist(), strict=True))
        assert counts.pop(int(level)) <= 16  # a piece may lie on it, and none is its own
        assert sum(n for other, n in counts.items() if other) <= 5 * 4
    visible = sum((x == level).sum() for level in levels)
    assert visible > 0.9 * 60 * (16 + 5 * 4)  # little is hidden on so large a canvas


def test_the_source_is_always_the_same():
    first, again, plain = (
        zoo.data.load(source, verbose=False, **options)
        for source, options in (
            ("cluttered:digits", {"canvas": 20, "distractor_size": 3}),
            ("cluttered:digits", {"canvas": 20, "distractor_size": 3, "seed": 5}),
            ("digits", {}),
        )
    )
    assert first.shape == (20, 20, 1)
    assert first.num_classes == 10
    assert first.num_examples == plain.num_examples
    one, two, inner = (next(iter(data.test)) for data in (first, again, plain))
    np.testing.assert_array_equal(one["x"], two["x"])
    np.testing.assert_array_equal(one["y"], inner["y"])
    ink = [np.sum(batch["x"], axis=(1, 2, 3)) for batch in (one, inner)]
    assert (ink[0] >= ink[1] - 0.2).all()  # of pieces, too; bytes are rounded


def test_an_inner_path_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = zoo.data.absolute_source("cluttered:npz:a.npz")
    assert found == f"cluttered:npz:{tmp_path / 'a.npz'}"
    assert zoo.data.absolute_source("cluttered:digits") == "cluttered:digits"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"canvas": 7}, "canvas must be at least as large as the images, 8; it was 7"),
        ({"canvas": 20.5}, "canvas must be a whole number"),
        ({"distractor_size": 9}, "distractor_size must be at most that of the images, 8"),
        ({"num_distractors": -1}, "num_distractors must be at least 0; it was -1"),
        ({"size": 12}, "data: 'cluttered' does not take size"),
    ],
)
def test_mistakes_are_told(options, message):
    with pytest.raises(zoo.UsageError, match=message):
        zoo.data.load("cluttered:digits", verbose=False, **options)


def test_a_source_is_needed():
    with pytest.raises(zoo.UsageError, match="'cluttered' must be written 'cluttered:SOURCE'"):
        zoo.data.load("cluttered")


def test_what_is_no_image_or_alone_is_refused(tmp_path):
    np.savez(tmp_path / "one.npz", x_train=np.zeros((5, 8, 8)), x_test=np.zeros((1, 8, 8)))
    with pytest.raises(zoo.UsageError, match="num_distractors must be 0 for a test split of a sin"):
        zoo.data.load(f"cluttered:npz:{tmp_path / 'one.npz'}", verbose=False)
