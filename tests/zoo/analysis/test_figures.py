"""Analyses against closed forms, and the figures made of them."""

import csv
import dataclasses
import pathlib
import re

import keras
import numpy as np
import pytest
import tensorflow_probability as tfp
from linear_gaussian import NUM_LATENTS, NUM_PIXELS, linear_gaussian, linear_model
from programs import digits_config, make_run

import zoo
from zoo import analysis
from zoo.analysis import latents
from zoo.core.files import write_json
from zoo.runs.run import open_runs

LAW = linear_gaussian()
SHEAR = np.array([[1, 0, 0], [0.5, 1, 0], [-0.7, 0.4, 1]])
# Of pixels in [0, 1], half of those of images in [-1, 1].
SINGULAR_VALUES = np.linalg.svd(LAW.weights / 2, compute_uv=False)


def model_of(*decoder, event_shape=(NUM_PIXELS,), **kwargs):
    """A VAE with these layers as its decoder, from three latents."""
    decoder = keras.Sequential([keras.Input((NUM_LATENTS,)), *decoder])
    outputs = keras.layers.Dense(2 * NUM_LATENTS)
    encoder = keras.Sequential([keras.Input(event_shape), keras.layers.Flatten(), outputs])
    return zoo.VAE(encoder, decoder, **kwargs)


# The Jacobian and its spectrum.


@pytest.mark.parametrize("shear", [None, SHEAR])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_spectrum_of_a_linear_decoder(shear, jit_compile):
    model = linear_model(zoo.VAE, LAW, shear=shear)
    model.compile(jit_compile=jit_compile)
    found = latents.spectrum(latents.jacobian(model, num_draws=7, chunk_size=3))
    np.testing.assert_allclose(found.singular_values, SINGULAR_VALUES, atol=1e-5)
    np.testing.assert_allclose(found.rms_singular_values, SINGULAR_VALUES, atol=1e-5)
    # The columns of W A V are orthogonal, and as long as the singular values.
    rotated = LAW.weights / 2 @ found.rotation
    np.testing.assert_allclose(rotated.T @ rotated, np.diag(SINGULAR_VALUES**2), atol=1e-5)


def test_the_expectation_is_after_the_sigmoid():
    """All pixels have the logit s, the sum of the latents: the slope is sigmoid'(s)."""
    model = model_of(keras.layers.Dense(NUM_PIXELS, kernel_initializer="ones"))
    num_draws = 4000
    average = latents.jacobian(model, num_draws=num_draws, chunk_size=1000, seed=1)
    s = np.sqrt(NUM_LATENTS) * latents.prior_quantiles(10_000)
    slope = 1 / (2 + np.exp(s) + np.exp(-s))
    np.testing.assert_allclose(
        average.mean, slope.mean(), atol=4 * slope.std() / np.sqrt(num_draws)
    )


def test_signs_cancel_in_the_mean_jacobian_only():
    """Pixel k is (z_k^2 + 1) / 2, of slope z_k: 0 on average, 1 in root mean square."""
    square = keras.layers.Lambda(lambda z: z**2)
    model = model_of(square, event_shape=(NUM_LATENTS,), likelihood="gaussian")
    num_draws = 4000
    average = latents.jacobian(model, num_draws=num_draws, chunk_size=500)
    found = latents.spectrum(average)
    assert abs(average.mean).max() < 4 / np.sqrt(num_draws)
    # No pixel depends on two latents.
    np.testing.assert_allclose(average.gram, np.diag(np.diag(average.gram)), atol=1e-9)
    np.testing.assert_allclose(found.rms_singular_values, 1.0, atol=4 * np.sqrt(0.5 / num_draws))


@pytest.mark.parametrize(("num_draws", "chunk_size"), [(1, 5), (5, 5), (6, 5)])
def test_chunks_do_not_change_the_number_of_draws(num_draws, chunk_size):
    model = linear_model(zoo.VAE, LAW)
    average = latents.jacobian(model, num_draws=num_draws, chunk_size=chunk_size)
    np.testing.assert_allclose(average.mean, LAW.weights / 2, atol=1e-6)


def test_more_latents_than_pixels():
    model = model_of(keras.layers.Dense(2), event_shape=(2,))
    found = latents.spectrum(latents.jacobian(model, num_draws=2))
    assert found.singular_values.shape == (NUM_LATENTS,) and found.singular_values[-1] == 0
    np.testing.assert_allclose(found.rotation.T @ found.rotation, np.eye(NUM_LATENTS), atol=1e-6)


def test_another_prior_is_refused():
    class Wide(zoo.VAE):
        @property
        def prior(self):
            return tfp.distributions.Sample(tfp.distributions.Normal(0.0, 2.0), self.latent_dim)

    with pytest.raises(zoo.UsageError, match=r"prior N\(0, I\)"):
        latents.jacobian(linear_model(Wide, LAW))


# Leading directions.


def test_leading_directions_of_a_linear_decoder():
    """The kept part of z is V_C V_C^T z; the rest has the mean zero."""
    model = linear_model(zoo.VAE, LAW, shear=SHEAR)
    rotation = latents.spectrum(latents.jacobian(model, num_draws=1)).rotation
    num_kept, num_averaged = [0, 1, 2, 3], 20_000
    images = latents.leading_directions(
        model, rotation, num_kept, num_draws=4, num_averaged=num_averaged
    )
    centre = (1 + LAW.bias) / 2
    z = np.linalg.lstsq(LAW.weights / 2, (images[:, -1] - centre).T, rcond=None)[0].T
    np.testing.assert_allclose(images[:, -1], centre + z @ LAW.weights.T / 2, atol=1e-5)
    for c, image in zip(num_kept, np.moveaxis(images, 1, 0), strict=True):
        kept = rotation[:, :c] @ rotation[:, :c].T
        noise = np.linalg.norm(LAW.weights / 2 @ rotation[:, c:], axis=1) / np.sqrt(num_averaged)
        error = image - centre - z @ kept @ LAW.weights.T / 2
        assert (abs(error) <= 4 * noise + 1e-5).all(), c


def test_all_and_none_of_the_directions():
    """All of them give the image of the draw, none the average image, not that of average z."""
    model = model_of(
        keras.layers.Dense(NUM_PIXELS, kernel_initializer="ones", bias_initializer="ones")
    )
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal([NUM_LATENTS] * 2))[0]

    def images(num_kept, num_averaged):
        return latents.leading_directions(
            model, rotation, num_kept, num_draws=4, num_averaged=num_averaged
        )

    none, whole = np.moveaxis(images([0, NUM_LATENTS], 5000), 1, 0)
    np.testing.assert_allclose(whole, images([NUM_LATENTS], 1)[:, 0], atol=1e-5)
    s = 1 + np.sqrt(NUM_LATENTS) * latents.prior_quantiles(10_000)
    pixels = 1 / (1 + np.exp(-s))
    np.testing.assert_allclose(none, pixels.mean(), atol=4 * pixels.std() / np.sqrt(5000))
    assert abs(whole - none).max() > 0.1


@pytest.mark.parametrize("num_kept", [[-1], [0, 4]])
def test_numbers_of_directions_out_of_range(num_kept):
    with pytest.raises(zoo.UsageError, match="num_kept must lie between 0 and 3"):
        latents.leading_directions(linear_model(zoo.VAE, LAW), np.eye(3), num_kept)


# Quadrature.


def test_quadrature_is_the_exact_log_likelihood():
    """One latent, a line in the plane: x ~ N(b, w w^T + s^2 I)."""
    scale, weights, bias = 0.3, np.array([[0.4, -0.2]]), np.array([0.1, 0.0])
    decoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    decoder.set_weights([weights, bias])
    encoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model = zoo.VAE(encoder, decoder, likelihood=zoo.parts.likelihoods.Gaussian(scale))
    x = np.random.default_rng(0).random((20, 2), dtype=np.float32)
    covariance = weights.T @ weights + scale**2 * np.eye(2)
    centred = 2 * x - 1 - bias
    quadratic = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(covariance), centred)
    exact = -0.5 * (quadratic + np.linalg.slogdet(2 * np.pi * covariance)[1]) + 2 * np.log(2)
    np.testing.assert_allclose(latents.quadrature_log_likelihood(model, x), exact, atol=2e-3)


# Figures.


@dataclasses.dataclass
class FakeRun:
    """What a figure asks of a run, without a work directory."""

    label: str
    model: keras.Model


def image_run(label, num_latents=2):
    """Images of 4 by 3 pixels: the latents, padded with zeros."""
    decoder = keras.Sequential(
        [
            keras.Input((num_latents,)),
            keras.layers.Dense(12, kernel_initializer=keras.initializers.Identity()),
            keras.layers.Reshape((4, 3, 1)),
        ]
    )
    outputs = keras.layers.Dense(2 * num_latents)
    encoder = keras.Sequential([keras.Input((4, 3, 1)), keras.layers.Flatten(), outputs])
    return FakeRun(label, zoo.VAE(encoder, decoder))


def test_jacobian_spectrum():
    runs = [FakeRun(label, linear_model(zoo.VAE, LAW)) for label in ("one", "two")]
    plot = analysis.draw("jacobian_spectrum", runs, num_draws=2)
    assert [row[:2] for row in plot.rows] == [(m, k) for m in ("one", "two") for k in (1, 2, 3)]
    values = np.array([row[2:] for row in plot.rows]).reshape(2, 3, 2)
    np.testing.assert_allclose(values, np.tile(SINGULAR_VALUES[:, None], (2, 1, 2)), atol=1e-5)
    for axes in plot.figure.axes:
        assert axes.get_yscale() == "log"
        for line in axes.get_lines():
            np.testing.assert_allclose(line.get_ydata(), SINGULAR_VALUES, atol=1e-5)


def test_leading_directions():
    runs = [image_run("two", 2), image_run("five", 5)]
    plot = analysis.draw("leading_directions", runs, num_draws=20, num_averaged=50, num_shown=3)
    assert [row[:2] for row in plot.rows] == [
        *(("two", c) for c in (0, 1, 2)),
        *(("five", c) for c in (0, 1, 2, 4, 5)),
    ]
    for label in ("two", "five"):
        distances = [row[2] for row in plot.rows if row[0] == label]
        assert distances == sorted(distances, reverse=True)
        assert distances[0] > 0.001 and distances[-1] == 0
    ticks = [[text.get_text() for text in axes.get_xticklabels()] for axes in plot.figure.axes]
    assert ticks == [["0", "1", "2"], ["0", "1", "2", "4", "5"]]


def test_seed():
    runs = [image_run("two")]
    one, two, other = (
        analysis.draw("jacobian_spectrum", runs, num_draws=5, seed=s).rows for s in (0, 0, 1)
    )
    assert one == two and one != other


def test_manifold():
    side = 4
    plot = analysis.draw("manifold", [image_run("a"), image_run("b")], side=side)
    assert len(plot.rows) == 2 * side**2
    values = {row[:3]: row[3:] for row in plot.rows}
    assert values["a", 0, 0] == pytest.approx((-1.1503, 1.1503), abs=1e-4)  # 1/8 and 7/8
    assert values["b", 3, 2] == pytest.approx((0.3186, -1.1503), abs=1e-4)
    # The first two pixels of an image show z_0 and z_1: both grow as the axes say.
    picture = plot.figure.axes[0].get_images()[0].get_array()[..., 0]
    height, width = (size // side for size in picture.shape)
    first, second = (picture[2::height, 2 + k * width // 3 :: width] for k in (0, 1))
    assert first.shape == second.shape == (side, side)
    assert (np.diff(first, axis=1) > 0.05).all() and np.ptp(first, axis=0).max() == 0
    assert (np.diff(second, axis=0) < -0.05).all() and np.ptp(second, axis=1).max() == 0


def test_what_figures_of_images_refuse():
    with pytest.raises(zoo.UsageError, match="model must have 2 latents.*; c has 3"):
        analysis.draw("manifold", [image_run("c", 3)])
    flat = [FakeRun("flat", linear_model(zoo.VAE, LAW))]
    for name in ("manifold", "leading_directions"):
        with pytest.raises(zoo.UsageError, match=r"model must be one of images"):
            analysis.draw(name, flat)


@pytest.fixture
def workdir(tmp_path):
    """A function that makes a work directory with a config and an evaluation."""

    def make(folder, log_likelihood=-20.0, protocol="16 chains", **model):
        path = tmp_path / folder
        make_run(path, digits_config(**model))
        scores = {"log_likelihood": log_likelihood, "log_likelihood_stderr": 0.5}
        scores |= {"num_images": 2, "protocol": protocol}
        write_json(path / "evaluation.json", scores)
        rows = f"0,{log_likelihood - 1}\n1,{log_likelihood + 1}\n"
        (path / "log_likelihood.csv").write_text("index,log_likelihood\n" + rows)
        return str(path)

    return make


def test_log_likelihood_by_num_steps(workdir):
    workdirs = [
        workdir("hmc_2", -21.0, name="HMCDLGM", num_steps=2),
        workdir("vae", -24.0, name="VAE"),
        workdir("hmc_2_again", -22.0, name="HMCDLGM", num_steps=2),
        workdir("hmc_default", -20.0, name="HMCDLGM"),
    ]
    plot = analysis.draw("log_likelihood_by_num_steps", open_runs(workdirs))
    scores = [(2, -21.0, 0.5), (0, -24.0, 0.5), (2, -22.0, 0.5), (5, -20.0, 0.5)]
    assert plot.rows == [(path, *score) for path, score in zip(workdirs, scores, strict=True)]
    means = plot.figure.axes[0].get_lines()[-1].get_xydata()
    np.testing.assert_allclose(means, [[0, -24], [2, -21.5], [5, -20]])


def test_runs_scored_differently_are_refused(workdir):
    workdirs = [workdir("a", -1.0, name="VAE"), workdir("b", -1.0, "8 chains", name="VAE")]
    with pytest.raises(zoo.UsageError, match="protocol must be the same in all runs"):
        analysis.draw("log_likelihood_by_num_steps", open_runs(workdirs))
    (pathlib.Path(workdirs[1]) / "log_likelihood.csv").write_text("index,log_likelihood\n0,-1.0\n")
    with pytest.raises(zoo.UsageError, match="evaluation.json and log_likelihood.csv of .* differ"):
        analysis.draw("log_likelihood_by_num_steps", open_runs(workdirs))


def test_unit_square():
    """A small one; the scores in the titles are those of the curves in the table."""
    scale = 0.2
    plot = analysis.draw(
        "unit_square", num_points=500, epochs=2, units=20, scale=scale, jit_compile=False
    )
    for axes in plot.figure.axes:
        label, value, stderr = re.match(r"(.*): (\S+) ± (\S+) nats", axes.get_title()).groups()
        error = 4 * float(stderr) + 0.01
        assert float(value) == pytest.approx(score(plot, label, scale), abs=error)


@pytest.mark.slow
def test_hmc_dlgm_fills_the_unit_square_better():
    plot = analysis.draw("unit_square")
    vae, hmc_dlgm = (
        score(plot, axes.get_title().split(":")[0], 0.075) for axes in plot.figure.axes
    )
    assert hmc_dlgm > vae + 0.2


def score(plot, label, scale):
    """Mean log density on a lattice in the square, where the curve of the table has N(0, scale)."""
    curve = np.array([row[2:] for row in plot.rows if row[0] == label])
    assert curve.shape == (1000, 2)
    middles = (np.arange(40) + 0.5) / 40
    x = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 1, 2)
    exponent = -0.5 * np.square(x - curve).sum(axis=-1) / scale**2
    return np.log(np.exp(exponent).mean(axis=1) / (2 * np.pi * scale**2)).mean()


# The registry, and files.


def test_registry():
    names = {
        "active_units",
        "enumerated_bounds",
        "gibbs_gradient_toy",
        "implicit_posteriors",
        "jacobian_spectrum",
        "layer_by_layer",
        "leading_directions",
        "log_likelihood_by_num_steps",
        "manifold",
        "rbm_log_normalizer_error",
        "rbm_modes",
        "reconstruction_by_num_layers",
        "reconstruction_by_num_steps",
        "step_size_objective",
        "step_size_trajectories",
        "unit_square",
    }
    assert set(analysis.descriptions()) == names
    assert all(shows.endswith(".") for shows in analysis.descriptions().values())
    with pytest.raises(zoo.UsageError, match="figure: unknown value 'manifolds'; did you mean"):
        analysis.draw("manifolds")
    with pytest.raises(zoo.UsageError, match="workdir must be given for manifold"):
        analysis.draw("manifold")


def test_labels_are_short_where_they_can_be(workdir):
    one, two, other = (workdir(folder, name="VAE") for folder in ("x/a", "x/b", "y/a"))
    assert [run.label for run in open_runs([one, f"{two}/"])] == ["a", "b"]
    assert [run.label for run in open_runs([one, other])] == [one, other]


def test_files(tmp_path):
    plot = analysis.draw("manifold", [image_run("a, b")], side=2)
    analysis.write(plot, tmp_path, "map")
    assert {path.name for path in tmp_path.iterdir()} == {"map.png", "map.csv"}
    assert keras.utils.img_to_array(keras.utils.load_img(tmp_path / "map.png")).std() > 10
    with (tmp_path / "map.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == plot.columns
    assert rows == [[str(value) for value in row] for row in plot.rows]


def test_a_failure_leaves_the_older_table(tmp_path):
    (tmp_path / "map.csv").write_text("older")
    plot = analysis.draw("manifold", [image_run("a")], side=2)
    with pytest.raises(csv.Error):
        analysis.write(plot._replace(rows=[*plot.rows, 0]), tmp_path, "map")
    assert (tmp_path / "map.csv").read_text() == "older"
    assert not list(tmp_path.glob(".*"))
