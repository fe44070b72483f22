"""Inpainting as a user runs it, on a model of the digits that is not trained."""

import json
import re

import keras
import numpy as np
import pytest
from PIL import Image
from programs import digits_config, get_config, make_run, run_here

import zoo
from zoo.analysis import pictures
from zoo.core.fields import PixelField
from zoo.data.masks import hidden_mse
from zoo.runs import manifest, writers


@pytest.fixture(scope="module")
def workdir(tmp_path_factory, digits):
    """What a training leaves, as far as inpainting reads it."""
    path = tmp_path_factory.mktemp("runs") / "vae_digits"
    make_run(path, digits_config(name="VAE"), digits)
    return path


def test_inpaint(workdir, images):
    flags = ["--num_images=3", "--num_completions=3", "--num_steps=7", "--seed=5"]
    flags += ["--num_chains=2"]
    masks = ["--mask=random,box,pattern", "--coverage=0.3"]
    result = run_here("inpaint", f"--workdir={workdir}", *masks, *flags)
    assert result.returncode == 0, result.stderr
    assert re.search(
        r"^warning: inpaint: the chains of \d of 3 images have not", result.stdout, re.M
    )
    assert "raise num_steps" in result.stdout
    for name in ("random", "box", "pattern"):
        assert {f"inpainting_{name}.npz", f"inpainting_{name}.png"} <= set(manifest.names(workdir))
        arrays = np.load(workdir / f"inpainting_{name}.npz")
        x, visible, means = arrays["x"], arrays["visible"], arrays["means"]
        np.testing.assert_array_equal(x, images[:3])
        np.testing.assert_array_equal(visible, zoo.data.mask(name, (8, 8, 1), 5, 0.3))
        assert (means == x)[..., visible].all() and (arrays["completions"] == x)[..., visible].all()
        assert arrays["r_hat"].shape == (3, 3)
        # The error of one completion is that of their mean and their variance together.
        variance = hidden_mse(means.mean(0), means, visible).mean(0)
        assert (variance > 0).all()
        np.testing.assert_allclose(
            arrays["hidden_mse"].mean(0), arrays["hidden_mse_of_mean"] + variance, rtol=1e-5
        )
        told = re.search(
            rf"^{name}: ([\d.]+)% hidden.* ([\d.]+) of .* ([\d.]+) of", result.stdout, re.M
        )
        share, of_mean, of_one = map(float, told.groups())
        assert share == pytest.approx(100 * (1 - visible.mean()), abs=0.06)
        assert of_mean == pytest.approx(arrays["hidden_mse_of_mean"].mean(), abs=6e-5)
        assert of_one == pytest.approx(arrays["hidden_mse"].mean(), abs=6e-5)
        picture = keras.utils.img_to_array(
            keras.utils.load_img(workdir / f"inpainting_{name}.png", color_mode="grayscale")
        )
        rows, _ = pictures.inpainting(PixelField(x.shape[1:]), x, visible, {"mean": means})
        grid = pictures.image_grid(rows)
        assert picture.shape[0] == grid.shape[0] and picture.shape[1] > grid.shape[1]  # with names


def test_a_conditional_model_completes_what_it_is_for(tmp_path, digits):
    config = get_config("structured_pwl")
    config.model.update(latent_dims=(2, 2), hidden=(4,), mask="random")
    config.seed, config.jit_compile = 3, False
    workdir = tmp_path / "run"
    make_run(workdir, config, digits)
    result = run_here("inpaint", f"--workdir={workdir}", "--num_images=2")
    assert result.returncode == 0, result.stderr
    arrays = np.load(workdir / "inpainting_random.npz")
    np.testing.assert_array_equal(arrays["visible"], zoo.data.mask("random", (8, 8, 1), 3))
    result = run_here("inpaint", f"--workdir={workdir}", "--coverage=0.3")
    assert result.returncode == 2
    assert (
        "coverage must be left out for a model that has a mask of its own; it was 0.3"
        in result.stderr
    )


def test_steps_are_the_models_by_default(workdir, monkeypatch):
    asked = []

    def inpaint(self, x, visible, seed=0, num_steps=100):
        asked.append(num_steps)
        return {"x": x["x"], "mean": x["x"]}

    monkeypatch.setattr(zoo.VAE, "inpaint", inpaint)
    result = run_here("inpaint", f"--workdir={workdir}", "--num_images=2", "--num_completions=1")
    assert result.returncode == 0, result.stderr
    assert asked == [None] and "--num_chains=2 and more tell it" in result.stdout
    assert (workdir / "inpainting_left.png").is_file()


def test_completions_of_one_image_fill_a_square_each_with_its_name(workdir):
    flags = ["--mask=pattern", "--num_images=1", "--num_completions=6", "--num_steps=2"]
    result = run_here("inpaint", f"--workdir={workdir}", *flags)
    assert result.returncode == 0, result.stderr
    picture = keras.utils.load_img(workdir / "inpainting_pattern.png", color_mode="grayscale")
    # Nine, three by three: the image, what is seen, six, their deviation. Left of each is a margin.
    thirds = np.split(np.asarray(picture), 3, axis=1)
    margin = picture.width // 3 - picture.height // 3
    assert margin > 0 and all((part[:, : margin // 2] > 0).mean() > 0.7 for part in thirds)


def test_few_test_images_are_all(tmp_path, images):
    """Ten are shown where there are ten."""
    np.savez(tmp_path / "a.npz", x_train=images[:20], x_test=images[:3])
    config = digits_config(name="VAE")
    config.data.update(source=f"npz:{tmp_path / 'a.npz'}", batch_size=10)
    run = make_run(tmp_path / "run", config, zoo.data.load(config.data.source, batch_size=10))
    result = run_here("inpaint", f"--workdir={tmp_path / 'run'}", "--num_steps=1")
    assert result.returncode == 0, result.stderr
    assert "4 completions of 3 images" in result.stdout
    assert len(writers._test_examples(run)["x"]) == 3


def test_an_own_picture_and_an_own_mask(workdir, tmp_path):
    """A photo in colours, three times as large, with a mask that was drawn for it."""
    rng = np.random.default_rng(0)
    picture = tmp_path / "mine.JPG"
    Image.fromarray(rng.integers(0, 256, (24, 30, 3), np.uint8)).save(picture, "jpeg")
    hole = np.full((24, 30), 255, np.uint8)
    hole[:, :15] = 0
    Image.fromarray(hole).save(tmp_path / "hole.png")
    flags = [f"--image={picture}", f"--mask={tmp_path / 'hole.png'}", "--num_steps=1"]
    result = run_here("inpaint", f"--workdir={workdir}", *flags)
    assert result.returncode == 0, result.stderr
    assert "4 completions of 1 images" in result.stdout and "hole: 50.0% hidden" in result.stdout
    arrays = np.load(workdir / "inpainting_mine_hole.npz")
    np.testing.assert_array_equal(arrays["visible"], zoo.data.mask("left", (8, 8, 1)))
    assert arrays["x"].shape == (1, 8, 8, 1) and arrays["x"].std() > 0
    assert (workdir / "inpainting_mine_hole.png").is_file()
    assert (workdir / "completed_mine_hole.png").is_file()
    # A mask that was drawn for another picture, and one that hides nothing.
    for size, level, message in (
        ((20, 30), 0, "picture's, 8 by 8 or 24 by 30; it was 20 by 30"),
        ((24, 30), 255, "must hide something: black is completed, white is visible"),
    ):
        Image.fromarray(np.full(size, level, np.uint8)).save(tmp_path / "hole.png")
        result = run_here("inpaint", f"--workdir={workdir}", *flags)
        assert result.returncode == 2 and re.search(message, result.stderr), result.stderr


def test_masks_are_squeezed_with_images_that_were(workdir, tmp_path):
    """By the run's own preparation, whether pictures are given or not."""
    config = json.loads((workdir / "config.json").read_text())
    config["data"]["crop"] = False
    (workdir / "config.json").write_text(json.dumps(config))
    hole = np.full((8, 16), 255, np.uint8)
    hole[:, :4] = 0  # outside the middle
    Image.fromarray(hole).save(tmp_path / "hole.png")
    flags = [f"--mask={tmp_path / 'hole.png'}", "--num_steps=1", "--num_images=2"]
    result = run_here("inpaint", f"--workdir={workdir}", *flags)
    assert result.returncode == 0 and "hole: 25.0% hidden" in result.stdout, result.stderr
    Image.fromarray(hole[:, :9]).save(tmp_path / "a.png")
    result = run_here("inpaint", f"--workdir={workdir}", f"--image={tmp_path / 'a.png'}", *flags)
    assert "8 by 8 or 8 by 9; it was 8 by 16." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image=no.png"], "image: there is no file 'no.png'"),
        (["--mask=no.npy"], "mask: there is no file 'no.npy'"),
        (["--mask=hole"], "or files such as mask.png or mask.npy"),
        (["--mask=box", "--coverage=1.5"], "coverage must be less than 1; it was 1.5"),
        (["--mask=box", "--coverage=0"], "coverage must be greater than 0; it was 0"),
        (["--mask=box", "--coverage=much"], "coverage"),
        (["--mask=box,left", "--coverage=0.3"], "coverage must be left out with the mask 'left'"),
        (["--mask=random", "--coverage=1e-9"], "coverage must be larger: the mask 'random' hides"),
        (["--mask=box,patern"], "left|right|top|bottom|box|random|pattern"),
        (["--mask="], "left|right|top|bottom|box|random|pattern"),
        (["--mask={white}"], "must hide something: black is completed, white is visible"),
        (["--num_steps=0"], "num_steps must be greater than 0; it was 0"),
    ],
)
def test_mistakes_end_in_one_line(workdir, arguments, message, tmp_path):
    Image.fromarray(np.full((8, 8), 255, np.uint8)).save(tmp_path / "white.png")
    arguments = [argument.format(white=tmp_path / "white.png") for argument in arguments]
    before = sorted(workdir.iterdir())
    result = run_here("inpaint", f"--workdir={workdir}", *arguments)
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert message in line and "Traceback" not in result.stderr
    assert sorted(workdir.iterdir()) == before
