"""The figures of short-run chains and of layers, against closed forms and what models do."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from programs import make_run

import zoo
from zoo import analysis
from zoo.core.files import write_json
from zoo.parts.step_size_search import StepSizeSearch
from zoo.scores.chunks import collect
from zoo.scripts.configs import _nijkamp

DIMS = (1, 2)
WEIGHTS = 0.2 * np.random.default_rng(0).standard_normal((sum(DIMS), 64))
SCALE = 0.5


def linear_decoder(latent_dims=DIMS):
    """Images in [-1, 1] are `WEIGHTS` times the noise of layers with so many latents."""
    decoder = keras.Sequential(
        [keras.Input((sum(DIMS),)), keras.layers.Dense(64), keras.layers.Reshape((8, 8, 1))]
    )
    decoder.set_weights([WEIGHTS, np.zeros(64)])
    decoder.latent_dims = latent_dims
    return decoder


def short_run(decoder=None, **kwargs):
    likelihood = {"name": "gaussian", "scale": SCALE}
    kwargs = {"num_steps": 3, "step_size": 0.1, "likelihood": likelihood} | kwargs
    model = zoo.ShortRun(decoder or linear_decoder(), **kwargs)
    model.compile("adam", jit_compile=False)
    return model


@pytest.fixture
def run_of(tmp_path):
    """A function that makes a work directory of a config, a model and what it was scored."""

    def make(label, model=None, *, mse=None, num_images=2, sizes=(), source="digits", **config):
        path = tmp_path / label
        family = _nijkamp.config if config.get("name") == "LadderVAE" else _nijkamp.short_run_config
        config = family("digits", "", **{"name": "ShortRun"} | config)
        config.data.source = source
        run = make_run(path, config, model=model)
        if mse is not None:
            scores = {"log_likelihood": 1.0, "num_images": num_images, "reconstruction_mse": mse}
            write_json(path / "evaluation.json", scores)
            rows = "".join(f"{index},1.0\n" for index in range(num_images))
            (path / "log_likelihood.csv").write_text("index,log_likelihood\n" + rows)
        if sizes:
            rows = "".join(f"{epoch},{size}\n" for epoch, size in enumerate(sizes))
            (path / "metrics.csv").write_text("epoch,step_size\n" + rows)
        return run

    return make


# Against steps and layers.


def test_reconstruction_by_num_steps(run_of):
    runs = [
        run_of("a", mse=0.02, num_steps=5),
        run_of("b", mse=0.01),  # 25, the default
        run_of("c", mse=0.04, num_steps=5),
        run_of("d", mse=0.03, name="LadderVAE"),
    ]
    plot = analysis.draw("reconstruction_by_num_steps", runs)
    assert plot.columns[2:] == ("num_steps", "mse", "mse_in_minus_one_to_one")
    assert [row[1:4] for row in plot.rows] == [
        ("ShortRun", 5, 0.02),
        ("ShortRun", 25, 0.01),
        ("ShortRun", 5, 0.04),
        ("LadderVAE", 0, 0.03),
    ]
    assert [row[4] for row in plot.rows] == pytest.approx([0.08, 0.04, 0.16, 0.12])
    _, short_run_means, _, ladder_means = plot.figure.axes[0].get_lines()
    np.testing.assert_allclose(short_run_means.get_xydata(), [[5, 0.03], [25, 0.01]])
    np.testing.assert_allclose(ladder_means.get_xydata(), [[0, 0.03]])


def test_reconstruction_by_num_layers(run_of):
    """As many as the config says; the methods' defaults are three, and a VAE has one or two."""
    configs = {
        "five": {"latent_dims": (4, 5, 5, 5, 5)},
        **{name: {"name": name} for name in ("ShortRun", "LadderVAE", "ABP", "VAE")},
        "two": {"name": "VAE", "upper_latent_dim": 3},
    }
    runs = [run_of(label, mse=0.1, **config) for label, config in configs.items()]
    for run in runs[1:]:
        del run.config.model.latent_dims
    plot = analysis.draw("reconstruction_by_num_layers", runs)
    assert [row[2] for row in plot.rows] == [5, 3, 3, 3, 1, 2]
    labels = [text.get_text() for text in plot.figure.axes[0].get_legend().get_texts()]
    assert labels == ["ShortRun", "LadderVAE", "ABP", "VAE"]


def test_other_images_and_missing_scores_are_refused(run_of):
    first = run_of("first", mse=0.1)
    for other in ({"num_images": 3}, {"source": "mnist"}):
        runs = [first, run_of("other", mse=0.1, **other)]
        with pytest.raises(zoo.UsageError, match="on the same images; first was .* and other"):
            analysis.draw("reconstruction_by_num_steps", runs)
    with pytest.raises(zoo.UsageError, match="has no evaluation to read"):
        analysis.draw("reconstruction_by_num_layers", [first, run_of("unscored")])


# Step sizes over epochs.


def test_step_size_trajectories(run_of):
    searches = {
        "a": {"method": "gradient"},
        "b": {"method": "grid", "entropy": "marginal", "num_chains": 4},
        "c": {"method": "gradient"},
    }
    runs = [
        run_of(label, sizes=(0.1 * k, 0.01 * k), step_size_search=search)
        for k, (label, search) in enumerate(searches.items(), 1)
    ]
    plot = analysis.draw("step_size_trajectories", runs)
    rows = [(*row[:-1], round(row[-1], 9)) for row in plot.rows]
    assert rows == [
        ("a", "gradient", "conditional", 1, 0.1),
        ("a", "gradient", "conditional", 2, 0.01),
        ("b", "grid", "marginal", 1, 0.2),
        ("b", "grid", "marginal", 2, 0.02),
        ("c", "gradient", "conditional", 1, 0.3),
        ("c", "gradient", "conditional", 2, 0.03),
    ]
    panels = {axes.get_title(): axes.get_lines() for axes in plot.figure.axes}
    assert {title: [line.get_label() for line in lines] for title, lines in panels.items()} == {
        "grid": ["b"],
        "gradient": ["a", "c"],
    }
    np.testing.assert_allclose(panels["grid"][0].get_xydata(), [[1, 0.2], [2, 0.02]])
    limits = {axes.get_ylim() for axes in plot.figure.axes}  # the same, and all is seen
    ((low, high),) = limits
    assert low == 0 and high > 0.3


def test_runs_without_learned_step_sizes_are_refused(run_of):
    for label, search in (("default", {}), ("fixed", {"method": "fixed"})):
        run = run_of(label, sizes=(0.1,), step_size_search=search)
        with pytest.raises(zoo.UsageError, match=f"learn its step size; that of {label} is fixed"):
            analysis.draw("step_size_trajectories", [run])
    run = run_of("lost", step_size_search={"method": "grid"})
    with pytest.raises(zoo.UsageError, match="lost' has no metrics.csv with step sizes"):
        analysis.draw("step_size_trajectories", [run])


# The objective.


@pytest.fixture
def fitted(run_of):
    return run_of("linear", short_run())


@pytest.mark.parametrize("jit_compile", [False, True])
def test_step_size_objective(fitted, jit_compile):
    """What the search and the model give; the linear model's curvature is the same everywhere."""
    model, seed, num_images = fitted.model, 3, 40
    model.compile(jit_compile=jit_compile)
    plot = analysis.draw(
        "step_size_objective",
        [fitted],
        num_images=num_images,
        grid=(0.05, 0.1),
        num_chains=4,
        lanczos=not jit_compile,  # slow to compile
        seed=seed,
    )
    table = [dict(zip(plot.columns, row, strict=True)) for row in plot.rows]
    assert [row["step_size"] for row in table] == [0.05, 0.1]
    curvature = 1 + np.linalg.eigvalsh(WEIGHTS @ WEIGHTS.T).max() / SCALE**2
    for column, value in (
        ("trained_with", 0.1),
        ("first_fold", np.sqrt(2 / curvature)),
        ("median_fold", np.sqrt(2 / curvature)),
    ):
        assert [row[column] for row in table] == pytest.approx([value] * 2, rel=1e-4)

    x = collect(model, fitted.data.test, num_images)
    assert min(row["mse_stderr"] for row in table) > 0
    labels = [text.get_text() for text in plot.figure.axes[1].get_legend().get_texts()]
    assert "trained with 0.1" in labels and len(labels) == (6 if jit_compile else 7)
    for name in ("conditional", "marginal", "mse"):
        least = min(table, key=lambda row: row[name])["step_size"]
        assert f"{name}: least at {least:g}" in labels
    if jit_compile:  # which draws other numbers
        return
    for name, search in (
        ("conditional", StepSizeSearch()),
        ("marginal", StepSizeSearch(entropy="marginal", num_chains=4)),
    ):
        for row in table:
            per_image = search.objective(model, x, tf.constant(row["step_size"]), seed).numpy()
            assert row[name] == pytest.approx(per_image.mean(), abs=1e-3)
            stderr = per_image.std(ddof=1) / np.sqrt(num_images)
            assert row[f"{name}_stderr"] == pytest.approx(stderr, rel=1e-3)
    # The chain with the model's own step size is the model's own.
    z, _ = model.infer(x, 1, seed)
    mse = np.square(model.likelihood(z).mean()[0] - x).mean()
    assert table[1]["mse"] == pytest.approx(mse, rel=1e-4)
    assert table[0]["mse"] != pytest.approx(mse, rel=1e-2)
    # As many Lanczos steps as latents: right on average, and here within its errors.
    for row in table:
        assert row["lanczos"] != row["conditional"]
        difference = row["lanczos"] - row["conditional"]
        assert abs(difference) < 4 * row["lanczos_stderr"] + 1e-3


def test_what_the_objective_refuses(run_of):
    with pytest.raises(zoo.UsageError, match="model must be a ShortRun; other is a ABP"):
        analysis.draw("step_size_objective", [run_of("other", name="ABP")])
    with pytest.raises(zoo.UsageError, match="model.keras' is missing; did the training finish"):
        analysis.draw("step_size_objective", [run_of("untrained")])
    with pytest.raises(zoo.UsageError, match="grid must be greater than 0"):
        analysis.draw("step_size_objective", [run_of("zero")], grid=(0.0, 0.1))


# Layers.


class FakeRun:
    """What `layer_by_layer` asks of a run, without a work directory."""

    def __init__(self, label, model):
        self.label, self.model = label, model


def test_layer_by_layer():
    """Fresh noise of a layer moves a linear image by sqrt(2) times its own part of it."""
    run = FakeRun("linear", short_run())
    plot = analysis.draw("layer_by_layer", [run], num_columns=4, num_rows=2, num_draws=4000)
    assert [row[:3] for row in plot.rows] == [
        ("linear", 2, 1),
        ("linear", 1, 2),
        ("linear", "all", 3),
    ]
    # Of pixels in [0, 1], half of those of images in [-1, 1].
    parts = 2 * np.square(WEIGHTS / 2).sum(1) / 64
    for row, part in zip(plot.rows, (parts[0], parts[1:].sum(), parts.sum()), strict=True):
        assert row[3] == pytest.approx(part, abs=4 * row[4])
        assert 0 < row[4] < 0.1 * part
    pictures = [axes.get_images()[0].get_array() for axes in plot.figure.axes]
    kept = [picture[:, : picture.shape[1] // 6] for picture in pictures]  # of 1 + gap + 4 columns
    np.testing.assert_array_equal(*kept)
    assert abs(pictures[0] - pictures[1]).max() > 0.1


@pytest.mark.parametrize("hierarchical", [False, True])
def test_top_down_decoders(hierarchical, digits):
    """By seed; and the picture of noise is that of latents, for models that work in these."""

    def run(centred=False):
        model = zoo.ShortRun.for_data(
            digits, latent_dims=(2, 3, 4), width=8, hierarchical=hierarchical, centred=centred
        )
        return FakeRun("model", model)

    settings = {"num_columns": 2, "num_rows": 1, "num_draws": 20}
    plot = analysis.draw("layer_by_layer", [run()], **settings)
    assert [row[1:3] for row in plot.rows] == [(3, 2), (2, 3), (1, 4), ("all", 9)]
    assert all(row[3] > 0 for row in plot.rows)
    assert analysis.draw("layer_by_layer", [run(centred=True)], **settings).rows == plot.rows
    assert analysis.draw("layer_by_layer", [run()], seed=1, **settings).rows != plot.rows


def test_decoders_of_different_depth():
    runs = [FakeRun("two", short_run()), FakeRun("three", short_run(linear_decoder((1, 1, 1))))]
    plot = analysis.draw("layer_by_layer", runs, num_columns=2, num_rows=1, num_draws=5)
    assert [row[:2] for row in plot.rows] == [
        *(("two", layer) for layer in (2, 1, "all")),
        *(("three", layer) for layer in (3, 2, 1, "all")),
    ]


def test_one_layer_is_refused():
    runs = [FakeRun("flat", short_run(linear_decoder((3,))))]
    with pytest.raises(zoo.UsageError, match="several layers of latents; that of flat has one"):
        analysis.draw("layer_by_layer", runs)
