"""Masks of several coverages, and the error on what they hide."""

import types

import numpy as np
import pytest

import zoo
from zoo.core.request_fields import MaskField, PrefixField
from zoo.data.masks import HALVES, MASKS, completion_masks, hidden_mse, mask, within

SHAPES = [(8, 8, 1), (28, 28, 1), (9, 14, 3)]
SHARES = [0.1, 0.3, 0.5, 0.75, 0.9]
PATTERN = [3, 4, 5, 8, 9, 13, 16, 17, 18, 19]  # what that of 4 by 5 pixels and seed 7 hides


def hidden(name, shape, coverage=None, seed=0):
    visible = mask(name, shape, seed, coverage)
    assert visible.shape == shape and visible.dtype == bool
    assert (visible == visible[..., :1]).all()
    return ~visible[..., 0]


@pytest.mark.parametrize(
    ("name", "coverage", "tall", "wide"),
    [
        ("left", None, ["##..", "##..", "##..", "##..", "##.."], ["##...", "##...", "##..."]),
        ("right", None, ["..##", "..##", "..##", "..##", "..##"], ["...##", "...##", "...##"]),
        ("top", None, ["####", "####", "....", "....", "...."], ["#####", ".....", "....."]),
        ("bottom", None, ["....", "....", "....", "####", "####"], [".....", ".....", "#####"]),
        ("box", None, ["....", ".##.", ".##.", ".##.", "...."], [".....", ".###.", "....."]),
        ("box", 0.1, ["....", ".#..", ".#..", "....", "...."], [".....", ".##..", "....."]),
    ],
)
def test_what_is_hidden(name, coverage, tall, wide):
    for rows in (tall, wide):
        covered = hidden(name, (len(rows), len(rows[0]), 3), coverage)
        assert ["".join(".#"[int(bit)] for bit in row) for row in covered] == rows


def test_random_masks_are_as_ever():
    """Those of version 0.1.0, which figures were made with."""
    covered = hidden("random", (4, 5, 1), seed=7)
    np.testing.assert_array_equal(covered, np.random.default_rng(7).random((4, 5)) < 0.5)
    assert np.flatnonzero(hidden("pattern", (4, 5, 1), seed=7)).tolist() == PATTERN


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("coverage", SHARES)
def test_a_box_has_its_share_in_the_middle(shape, coverage):
    covered = hidden("box", shape, coverage)
    rows, columns = covered.any(1), covered.any(0)
    np.testing.assert_array_equal(covered, np.outer(rows, columns))
    # Whole columns: off by half a column at most.
    assert abs(covered.sum() - coverage * covered.size) <= rows.sum() / 2
    for side in (rows, columns):
        before, after = side.argmax(), side[::-1].argmax()
        assert after - before in (0, 1)
        assert side.sum() == pytest.approx(len(side) * coverage**0.5, abs=1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("coverage", SHARES)
def test_a_pattern_has_exactly_its_share(shape, coverage):
    for seed in range(5):
        covered = hidden("pattern", shape, coverage, seed)
        assert covered.sum() == round(coverage * covered.size)


def test_a_pattern_is_of_blobs():
    """A pixel is as its neighbour far more often than at random."""
    alike = {
        name: np.mean(
            [
                (c[1:] == c[:-1]).mean()
                for c in (hidden(name, (28, 28, 1), 0.5, s) for s in range(10))
            ]
        )
        for name in ("pattern", "random")
    }
    assert alike["pattern"] > 0.85 and alike["random"] < 0.55


@pytest.mark.parametrize("coverage", SHARES)
def test_pixels_are_hidden_at_random(coverage):
    share = hidden("random", (100, 100, 1), coverage).mean()
    assert abs(share - coverage) < 4 * np.sqrt(coverage * (1 - coverage) / 1e4)


@pytest.mark.parametrize("name", ["random", "pattern"])
def test_a_mask_is_a_function_of_its_seed(name):
    first, same, other, negative = (hidden(name, (28, 28, 1), 0.4, seed) for seed in (3, 3, 4, -3))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other) and not np.array_equal(first, negative)
    assert not (hidden(name, (28, 28, 1), 0.3, 3) & ~first).any()  # more coverage hides more


def test_the_smallest_and_the_largest_coverage():
    for name in ("box", "pattern"):
        assert hidden(name, (8, 8, 1), 1e-6).sum() == 1
        assert hidden(name, (8, 8, 1), 0.999).all()


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 1.5, 30, np.nan, np.inf, "half", True])
def test_a_coverage_is_a_share(coverage):
    for name in set(MASKS) - set(HALVES):
        with pytest.raises(
            zoo.UsageError, match="coverage must be (greater than 0|less than 1); it"
        ):
            mask(name, (8, 8, 1), coverage=coverage)


@pytest.mark.parametrize("name", HALVES)
def test_halves_refuse_a_coverage(name):
    with pytest.raises(zoo.UsageError, match=f"coverage must be left out with the mask '{name}'"):
        mask(name, (8, 8, 1), coverage=0.5)


def test_hidden_mse_is_of_hidden_pixels_only():
    rng = np.random.default_rng(0)
    x = rng.random((3, 4, 5, 2)).astype(np.float32)
    completed = rng.random((6, 3, 4, 5, 2)).astype(np.float32)
    visible = mask("random", (4, 5, 2), coverage=0.3)
    errors = hidden_mse(x, completed, visible)
    assert errors.shape == (6, 3) and errors.dtype == np.float64
    expected = np.mean((completed[4, 2] - x[2])[~visible] ** 2)
    np.testing.assert_allclose(errors[4, 2], expected, rtol=1e-6)
    for value in (0.0, 100.0, np.nan):
        np.testing.assert_array_equal(
            hidden_mse(x, np.where(visible, value, completed), visible), errors
        )
    assert (hidden_mse(x, np.where(visible, completed, x), visible) == 0).all()
    np.testing.assert_allclose(hidden_mse(x, x + 0.5, visible), 0.25, rtol=1e-6)


def test_hidden_mse_with_a_mask_for_each_image():
    x = np.zeros((2, 4, 5, 1))
    visible = np.stack([mask("top", (4, 5, 1)), mask("box", (4, 5, 1), coverage=0.3)])
    completed = np.where(visible, 7.0, np.array([0.1, 0.2]).reshape(2, 1, 1, 1))
    np.testing.assert_allclose(hidden_mse(x, completed, visible), [0.01, 0.04])
    visible[1] = True
    with pytest.raises(zoo.UsageError, match="visible must hide at least one pixel of each image"):
        hidden_mse(x, completed, visible)


def test_what_a_model_completes():
    top, shape = mask("top", (4, 5, 1)), (4, 5, 1)
    anything = types.SimpleNamespace(visible_field=MaskField(shape))
    one = types.SimpleNamespace(visible_field=MaskField(shape, only=top, called="top"))
    for model, arguments, names in (
        (anything, {}, ["left"]),
        (anything, {"default": "bottom"}, ["bottom"]),
        (anything, {"names": ["box", "random"], "coverage": 0.3, "seed": 3}, ["box", "random"]),
        (one, {}, ["top"]),
        (one, {"names": ["top"], "default": "bottom"}, ["top"]),
    ):
        masks = completion_masks(model, **arguments)
        assert list(masks) == names
        options = {k: v for k, v in arguments.items() if k in ("seed", "coverage")}
        for name, visible in masks.items():
            np.testing.assert_array_equal(visible, mask(name, shape, **options))
    for arguments, message in (
        ({"names": ["left"]}, "mask: unknown value 'left'; known are 'top'"),
        (
            {"coverage": 0.3},
            "coverage must be left out for a model that has a mask of its own; it was",
        ),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            completion_masks(one, **arguments)


@pytest.mark.parametrize(
    ("coverage", "seen"), [(None, 4), (0.25, 6), (0.01, 7), (0.99, 1), (0.6, 3)]
)
def test_the_rest_of_a_sequence_is_hidden(coverage, seen):
    visible = mask("rest", (8, 3), coverage=coverage)
    assert visible.shape == (8, 3) and visible[:seen].all() and not visible[seen:].any()
    assert PrefixField((8, 3)).allows(visible)


def test_the_rest_is_of_each_sequence_by_its_length():
    length = np.array([8, 4, 3, 2, 1])
    visible = mask("rest", (8, 3), length=length)
    assert visible.shape == (5, 8, 3)
    np.testing.assert_array_equal(visible[..., 2].sum(1), [4, 2, 2, 1, 0])
    there = within({"x": np.zeros((5, 8, 3)), "length": length})
    np.testing.assert_array_equal(there[..., 0].sum(1), length)
    assert (~visible & there).any((1, 2)).all()  # something is left to be completed of all
    PrefixField((8, 3)).check("visible", visible, 5)
    assert within({"x": np.zeros((5, 8, 3))}).all()


def test_what_a_model_of_sequences_completes():
    model = types.SimpleNamespace(visible_field=PrefixField((8, 3)))
    for arguments in ({}, {"default": "bottom"}, {"names": ["rest"], "coverage": 0.25}):
        ((name, visible),) = completion_masks(model, **arguments).items()
        assert name == "rest"
        np.testing.assert_array_equal(visible, mask("rest", (8, 3), 0, arguments.get("coverage")))
    images = types.SimpleNamespace(visible_field=MaskField((8, 3, 1)))
    for asked, arguments, message in (
        (model, {"names": ["left"]}, "mask: unknown value 'left'; .*'rest'"),
        (model, {"names": ["hole.png"]}, "mask: unknown value 'hole.png'; .*'rest'"),
        (model, {"coverage": 1.0}, "coverage must be less than 1; it was 1.0"),
        (images, {"names": ["rest"]}, "mask: unknown value 'rest'"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            completion_masks(asked, **arguments)
    with pytest.raises(zoo.UsageError, match=r"shape must be \(T, D\) for the mask 'rest'"):
        mask("rest", (8, 8, 1))


@pytest.mark.parametrize("seen", ["####", "##..", "....", "#.#.", "..##", "##._"])
def test_prefixes_are_of_whole_steps(seen):
    """The last has a step of which a part is seen."""
    visible = np.array([[step == "#", step in "#_"] for step in seen])
    field = PrefixField((4, 2))
    if seen in ("####", "##..", "...."):
        assert field.check("visible", visible, 3).shape == (3, 4, 2)
        assert field.check("visible", np.stack([visible, ~visible[::-1]]), 2).shape == (2, 4, 2)
        return
    message = "visible must be a mask that is True for the first steps and False after them; it was"
    for given in (visible, np.stack([np.ones_like(visible), visible])):
        with pytest.raises(zoo.UsageError, match=message):
            field.check("visible", given, 2)
