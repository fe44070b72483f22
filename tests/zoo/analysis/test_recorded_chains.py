"""Figures of methods that learn through a chain, of runs that are not read from disk."""

import numpy as np
import pytest
from runs import FakeRun, image_run, scored_run

import samplers
import zoo
from zoo import analysis


@pytest.fixture(scope="module")
def data():
    return zoo.data.load("digits", verbose=False)


def run_of(method, data, **kwargs):
    model = method.for_data(data, latent_dim=2, hidden=(8,), **kwargs)
    model.compile(jit_compile=False)
    return FakeRun(method.__name__, model, data)


def test_trajectories(data):
    hvi = run_of(zoo.HVI, data, num_leapfrog_steps=3, step_size=0.3)
    uha = run_of(zoo.UHA, data, num_steps=3, step_size=0.3)
    plot = analysis.draw("trajectories", [hvi, uha], num_images=2, num_chains=4)
    assert len(plot.rows) == 2 * 2 * 4 * 4
    states = np.array([row[4:] for row in plot.rows]).reshape(2, 2, 4, 4, 2)
    for run, found in zip((hvi, uha), states, strict=True):
        x = next(iter(data.test))["x"][:2]
        batch = run.model.preprocess({"x": x}, samplers.as_seed(0))
        ends = run.model.infer(batch, 4, samplers.as_seed(0))[0]
        np.testing.assert_allclose(found[:, :, -1], np.swapaxes(ends, 0, 1), atol=1e-5)
        assert (np.abs(np.diff(found, axis=2)).max(-1) > 1e-3).all()  # every step moves
    # Of HVI the first momentum leads all the way: a nearly straight line at first.
    assert len(plot.figure.axes) == 4


def test_bound_by_num_leapfrog_steps():
    def run(label, bound, **model):
        scores = {"log_likelihood": bound + 2, "log_likelihood_stderr": 0.1, "bound": bound}
        scores["importance_weighted_bound"] = bound + 1
        return scored_run(label, **scores, **({"name": "HVI"} | model))

    runs = [
        run("a", -30.0, blocks="dense", name="VAE"),
        run("b", -29.0, blocks="dense", num_leapfrog_steps=4, inference_network=True),
        run("c", -28.0, blocks="convolution"),
        run("d", -27.0, blocks="convolution", num_leapfrog_steps=2, num_transitions=2),
        run("e", -33.0, blocks="dense", num_leapfrog_steps=4, inference_network=False),
    ]
    plot = analysis.draw("bound_by_num_leapfrog_steps", runs)
    assert [row[1:5] for row in plot.rows] == [
        ("fully connected", 0, -30.0, -29.0),
        ("fully connected", 4, -29.0, -28.0),
        ("convolutional", 0, -28.0, -27.0),
        ("convolutional", 4, -27.0, -26.0),
        ("fully connected, without inference network", 4, -33.0, -32.0),
    ]
    lines = [line.get_xydata().tolist() for line in plot.figure.axes[0].get_lines()]
    assert lines == [
        [[0, -30], [4, -29]],
        [[0, -29], [4, -28]],
        [[0, -28], [4, -27]],
        [[0, -27], [4, -26]],
        [[4, -33]],
        [[4, -32]],
    ]

    runs = [
        run("f", -28.0, blocks="convolution", name="VAE"),
        run("g", -29.0, blocks="dense", num_leapfrog_steps=4),
    ]
    plot = analysis.draw("bound_by_num_leapfrog_steps", runs)
    lines = [line.get_xydata().tolist() for line in plot.figure.axes[0].get_lines()]
    assert lines == [[[0, -28]], [[0, -27]], [[4, -29]], [[4, -28]]]  # of two kinds
    with pytest.raises(zoo.UsageError, match="runs must be of HVI or VAE; 'runs/h' is of UHA"):
        analysis.draw("bound_by_num_leapfrog_steps", [run("h", -30.0, name="UHA")])


def test_learned_temperatures(data):
    uha = run_of(zoo.UHA, data, num_steps=2)
    uha.model.increment_logits.assign([0.0, np.log(3)])
    plot = analysis.draw("learned_temperatures", [uha, run_of(zoo.LMCVAE, data, num_steps=1)])
    np.testing.assert_allclose([row[2] for row in plot.rows], [0, 0.25, 1, 0, 0.5, 1], rtol=1e-6)
    with pytest.raises(zoo.UsageError, match="model must be one such as zoo.UHA or zoo.LMCVAE; V"):
        analysis.draw("learned_temperatures", [run_of(zoo.VAE, data)])
    with pytest.raises(zoo.UsageError, match="model must be one such as zoo.HVI or zoo.UHA; a is"):
        analysis.draw("trajectories", [image_run("a")])
    with pytest.raises(zoo.UsageError, match="must have 2 latents for trajectories; HVI has 3"):
        other = zoo.HVI.for_data(data, latent_dim=3, hidden=(8,))
        analysis.draw("trajectories", [FakeRun("HVI", other, data)])
