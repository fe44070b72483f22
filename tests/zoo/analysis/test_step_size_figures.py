"""The figures of learned step sizes, against what searches and models give."""

import keras
import ml_collections
import numpy as np
import pytest
import tensorflow as tf
from linear_gaussian import linear_gaussian, linear_model
from runs import FakeRun

import zoo
from zoo import analysis
from zoo.parts.step_size_search import StepSizeSearch
from zoo.scores.chunks import collect

WEIGHTS = 0.2 * np.random.default_rng(0).standard_normal((3, 64))
SCALE = 0.5


def short_run():
    """Images in [-1, 1] are `WEIGHTS` times the latents."""
    decoder = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(64), keras.layers.Reshape((8, 8, 1))]
    )
    decoder.set_weights([WEIGHTS, np.zeros(64)])
    likelihood = {"name": "gaussian", "scale": SCALE}
    return zoo.ShortRun(decoder, num_steps=3, step_size=0.1, likelihood=likelihood)


# Step sizes over epochs.


@pytest.fixture
def learned(tmp_path, monkeypatch):
    """A function that makes a run whose step sizes were these, epoch by epoch."""
    monkeypatch.chdir(tmp_path)

    def make(label, sizes=(), **arguments):
        run = FakeRun(label, config=ml_collections.ConfigDict({"model": arguments}))
        if sizes:
            folder = tmp_path / run.workdir
            folder.mkdir(parents=True)
            rows = "".join(f"{epoch},{size}\n" for epoch, size in enumerate(sizes))
            (folder / "metrics.csv").write_text("epoch,step_size\n" + rows)
        return run

    return make


def test_step_size_trajectories(learned):
    searches = {
        "a": {"method": "gradient"},
        "b": {"method": "grid", "entropy": "marginal", "num_chains": 4},
        "c": {"method": "gradient"},
    }
    runs = [
        learned(label, sizes=(0.1 * k, 0.01 * k), step_size_search=search)
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


def test_runs_without_learned_step_sizes_are_refused(learned):
    for label, search in (("default", {}), ("fixed", {"method": "fixed"})):
        run = learned(label, sizes=(0.1,), step_size_search=search)
        with pytest.raises(zoo.UsageError, match=f"learn its step size; that of {label} is fixed"):
            analysis.draw("step_size_trajectories", [run])
    run = learned("lost", step_size_search={"method": "grid"})
    with pytest.raises(zoo.UsageError, match="lost' has no metrics.csv with step sizes"):
        analysis.draw("step_size_trajectories", [run])


# The objective.


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_step_size_objective(digits, jit_compile):
    """What the search and the model give; the linear model's curvature is the same everywhere."""
    model, seed, num_images = short_run(), 3, 40
    model.compile(jit_compile=jit_compile)
    fitted = FakeRun("linear", model, digits)
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

    x = collect(model, digits.test, num_images)
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
            per_image = search.objective(
                model, {"x": x}, tf.constant(row["step_size"]), seed
            ).numpy()
            assert row[name] == pytest.approx(per_image.mean(), abs=1e-3)
            stderr = per_image.std(ddof=1) / np.sqrt(num_images)
            assert row[f"{name}_stderr"] == pytest.approx(stderr, rel=1e-3)
    # The chain with the model's own step size is the model's own.
    z, _ = model.infer({"x": tf.constant(x)}, 1, seed)
    mse = np.square(model.expected(z)[0] - x).mean()
    assert table[1]["mse"] == pytest.approx(mse, rel=1e-4)
    assert table[0]["mse"] != pytest.approx(mse, rel=1e-2)
    # As many Lanczos steps as latents: right on average, and here within its errors.
    for row in table:
        assert row["lanczos"] != row["conditional"]
        difference = row["lanczos"] - row["conditional"]
        assert abs(difference) < 4 * row["lanczos_stderr"] + 1e-3


def test_what_the_objective_refuses():
    vae = FakeRun("other", linear_model(zoo.VAE, linear_gaussian()))
    with pytest.raises(zoo.UsageError, match="a Langevin chain, as zoo.ShortRun; that of other"):
        analysis.draw("step_size_objective", [vae])
    with pytest.raises(zoo.UsageError, match="grid must be greater than 0"):
        analysis.draw("step_size_objective", [vae], grid=(0.0, 0.1))
