"""Grids of images, and what is shown of a model in them."""

import types

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

import zoo
from zoo.analysis import pictures
from zoo.core.fields import PixelField
from zoo.core.labels import LabelField
from zoo.core.sequences import LengthField, RowsField, StrokesField

RNG = np.random.default_rng(0)
X = RNG.random((2, 8, 8, 1), dtype=np.float32)
IMAGES = PixelField((8, 8, 1))


def test_grids_are_enlarged_by_whole_factors():
    """Each image stands above and left of a grey line."""
    rows = RNG.random((2, 3, 4, 5, 1))
    grid = pictures.image_grid(rows, smallest=100)  # of 2 x 4 by 3 x 5 pixels: a factor of 13
    assert grid.shape == (2 * (4 * 13 + 1), 3 * (5 * 13 + 1), 1)
    second = grid[4 * 13 + 1 :, 5 * 13 + 1 : 2 * (5 * 13 + 1)]
    np.testing.assert_array_equal(second[:-1:13, :-1:13], rows[1, 1])
    assert (second[-1] == 0.5).all() and (second[:, -1] == 0.5).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_rows_have_names(channels):
    """Black on a white margin, each in the height of its row; the images are as without."""
    rows = RNG.random((3, 2, 4, 5, channels), dtype=np.float32)
    plain = pictures.image_grid(rows)
    named = pictures.image_grid(rows, names=["image", "", "a much longer name"])
    width = named.shape[1] - plain.shape[1]
    np.testing.assert_array_equal(named[:, width:], plain)
    margins = named[:, :width].reshape(3, -1, width, channels)
    assert [margin.min() < 0.2 for margin in margins] == [True, False, True]
    assert [round(float(margin.max()), 6) for margin in margins] == [1, 1, 1]
    assert (margins[:, :, 0] == 1).all() and (margins[:, 0] == 1).all()  # none is cut off


def test_each_image_has_a_name_where_there_are_so_many():
    rows = RNG.random((2, 3, 4, 5, 1), dtype=np.float32)
    names = ["a", "b", "c", "d", "e", ""]
    named = pictures.image_grid(rows, names=names)
    height, width = named.shape[0] // 2, named.shape[1] // 3
    for k, name in enumerate(names):
        row, column = divmod(k, 3)
        plain = pictures.image_grid(rows[row : row + 1, column : column + 1], smallest=200)
        there = named[row * height : (row + 1) * height, column * width : (column + 1) * width]
        np.testing.assert_array_equal(there[:, -plain.shape[1] :], plain)
        assert (there[:, : -plain.shape[1]].min() < 0.2) == bool(name)


def test_files_have_the_pixels_as_they_are(tmp_path):
    """Neither stretched to black and white nor wrapped around where they leave [0, 1]."""
    pictures.save_grid(tmp_path / "grid.png", np.array([0.2, 0.6, 1.4]).reshape(1, 3, 1, 1, 1))
    found = keras.utils.load_img(tmp_path / "grid.png", color_mode="grayscale")
    middle = keras.utils.img_to_array(found)[200, 200::450, 0]
    np.testing.assert_allclose(middle, [51, 153, 255], atol=1)


def test_squares_are_filled_with_white():
    square = pictures.square(0.5 * np.ones((5, 2, 2, 1)))
    assert square.shape == (2, 3, 2, 2, 1)
    assert (square.reshape(6, -1) == [[0.5]] * 5 + [[1.0]]).all()


def test_grids_inside_figures():
    axes = Figure().subplots()
    pictures.show_grid(axes, RNG.random((2, 3, 4, 4, 1)), ["a", "b", 3])
    picture = axes.get_images()[0].get_array()
    assert picture.shape[-1] == 3 and [t.get_text() for t in axes.get_xticklabels()] == [*"ab3"]
    places = axes.get_xticks() / picture.shape[1]
    np.testing.assert_allclose(places, [1 / 6, 3 / 6, 5 / 6], atol=0.01)


def test_only_images_are_shown():
    for shape in ((8, 8), (8, 8, 2)):
        model = types.SimpleNamespace(name="flat", fields={"x": PixelField(shape)})
        with pytest.raises(zoo.UsageError, match="model must be one of images .*; 'flat' is one"):
            pictures.check_image_model(model)


class Recorder:
    """Stands for a model; keeps what it is asked."""

    fields = {"x": IMAGES}
    sample_fields = {"x_visible": PixelField((8, 8, 1)), "y": LabelField(num_classes=3)}

    def __init__(self):
        self.asked = []

    def sample(self, num_samples, seed, **given):
        self.asked.append((num_samples, seed, given))

    def reconstruct(self, x, seed):
        self.asked.append((x, seed))
        return {"mean": 1 - X}

    def inpaint(self, x, visible, seed, num_steps):
        self.asked.append((tuple(seed.numpy()), num_steps))
        return {"x": X, "mean": X}


def test_samples_of_a_conditional_model_are_given_the_first_example():
    model = Recorder()
    pictures.samples(model, {"x": X, "y": np.array([2, 1])}, 7, seed=3)
    ((num_samples, seed, given),) = model.asked
    assert (num_samples, seed, given["y"], len(given)) == (7, 3, 2, 2)
    np.testing.assert_array_equal(given["x_visible"], X[0])
    model.sample_fields = {}
    pictures.samples(model, None, 7)
    assert model.asked[1] == (7, 0, {})


@pytest.mark.parametrize("asked", [X, {"x": X, "y": np.array([2, 1])}])
def test_reconstructions_stand_below_images(asked):
    model = Recorder()
    np.testing.assert_array_equal(pictures.reconstructions(model, asked, 5), [X, 1 - X])
    assert model.asked == [(asked, 5)] or model.asked[0][0] is asked


def test_picture_of_completions():
    visible = zoo.data.mask("box", (8, 8, 1))
    completions = np.where(visible, X, RNG.random((5, 2, 8, 8, 1), dtype=np.float32))
    rows, names = pictures.inpainting(IMAGES, X, visible, {"mean": completions})
    assert rows.shape == (8, 2, 8, 8, 1)
    completed = [f"completion {k}" for k in range(1, 6)]
    assert names == ["image", "seen", *completed, "deviation, 0 to 0.5"]
    np.testing.assert_array_equal(rows[0], X)
    np.testing.assert_array_equal(rows[1], np.where(visible, X, 0.5))
    np.testing.assert_array_equal(rows[2:7], completions)
    np.testing.assert_allclose(rows[7] / 2, completions.std(0), rtol=1e-6)
    assert np.where(visible, rows[7], 0).max() < 1e-6
    apart = np.stack([np.zeros_like(X), np.ones_like(X)])
    assert (pictures.inpainting(IMAGES, X, visible, {"mean": apart})[0][-1] == 1).all()
    rows, names = pictures.inpainting(IMAGES, X, visible, {"mean": completions[:1]})
    assert rows.shape == (3, 2, 8, 8, 1) and names == ["image", "seen", "completion 1"]
    # Of one image they are beside each other, too, and each is named.
    (first, others), named = pictures.inpainting(
        IMAGES, X[:1], visible, {"mean": completions[:1, :1]}
    )
    assert named == [*names, ""] and (others[1] == 1).all()
    np.testing.assert_array_equal([*first, others[0]], rows[:, 0])


def test_picture_of_completed_sequences():
    """Draws, without their deviation, which is none of ink; what is hidden leaves none."""
    field = StrokesField((4, 3))
    x = np.array([[0, 0, 0], [8, 0, 0], [0, 8, 0], [0, 0, 1]], np.float32)[None]
    visible = zoo.data.mask("rest", (4, 3))
    draws = np.stack([x, np.where(visible, x, -x)])
    rows, names = pictures.inpainting(field, x, visible, {"x": draws, "mean": 7 * draws})
    assert names == ["image", "seen", "completion 1", "completion 2"]
    assert rows.shape == (2, 2, 64, 64, 1)
    rows = rows.reshape(4, 1, 64, 64, 1)
    np.testing.assert_array_equal(rows[0], field.picture(x))
    np.testing.assert_array_equal(rows[1], field.picture(x * [1, 1, 0] * visible))
    np.testing.assert_array_equal(rows[3], field.picture(draws[1]))
    model = types.SimpleNamespace(fields={"x": RowsField((2, 3))})
    answer = {"x": X[0, :2, :3, 0][None], "mean": X[1, :2, :3, 0][None]}
    np.testing.assert_array_equal(pictures.drawn(model, answer), X[1:, :2, :3])


def test_examples_are_shown_with_their_length_and_without_labels():
    fields = {"x": StrokesField((4, 3)), "length": LengthField(max_length=4)}
    model = types.SimpleNamespace(fields=fields | {"y": LabelField(num_classes=2)})
    given = {"x": np.zeros((3, 4, 3)), "length": np.array([1, 2, 3]), "y": np.array([0, 1, 1])}
    batch = pictures.shown(model, given, 2)
    assert list(batch) == ["x", "length"] and batch["length"].tolist() == [1, 2]


def test_number_of_steps_is_the_models_unless_given():
    model = Recorder()
    pictures.completions(model, X, X == 0, num_completions=2)
    drawn = pictures.completions(model, X, X == 0, num_completions=2, num_steps=7)
    assert drawn["x"].shape == drawn["mean"].shape == (2, *X.shape)
    assert [steps for _, steps in model.asked] == [None, None, 7, 7]
    seeds = [seed for seed, _ in model.asked]
    assert seeds[:2] == seeds[2:] and seeds[0] != seeds[1]
