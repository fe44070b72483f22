"""The programs that hold us against a floor and against others: what they print, at tiny sizes."""

import re
import sys

import numpy as np
import pytest
import tensorflow as tf
from programs import run_here

import samplers
import zoo
from zoo import data
from zoo.core.fields import PixelField

TINY = [
    "--pairs=2",
    "--batch_size=4",
    "--latent_dim=2",
    "--units=4",
    "--pixels=9",
    "--num_steps=2",
    "--num_leapfrog_steps=2",
]
RATIO = r"\d+\.\d{3}  \(quartiles .*; medians .* ms\)"

SHORT_RUN = [
    "chain / floor",
    r"fit step / \(floor \+ pass\)",
    "fit step / that of a ladder VAE",
    "Lanczos gradient / chain",
]


def test_benchmark_of_all_methods():
    arguments = ["--num_samples=3", "--pixels=64", "--epochs=1", "--memory=", "--nojit_compile"]
    result = run_here("benchmark", *TINY, *arguments)
    assert result.returncode == 0, result.stderr
    hmc_dlgm, ais, short_run, undirected = re.split(
        "^ais: |^short_run: |^undirected: ", result.stdout, flags=re.M
    )
    assert hmc_dlgm.startswith("hmc_dlgm: 2 transitions of 2 leapfrog steps, batch 4, 1 chains")
    assert re.search(rf"^chain / floor +{RATIO}$", hmc_dlgm, re.M)
    assert re.search(rf"^fit step / \(chain \+ VAE step\) +{RATIO}$", hmc_dlgm, re.M)
    assert ais.startswith("2 increments of 2 leapfrog steps, batch 4, 3 chains")
    assert re.search(rf"^chains / floor +{RATIO}$", ais, re.M)
    assert re.search(rf"^fit step / \(floor \+ passes\) +{RATIO}$", ais, re.M)
    assert short_run.startswith(
        "2 Langevin steps, batch 4, 1 chains each, dense generator of 3 x 2"
    )
    told = ["exact gradient / chain", "exact grid / chain", "Lanczos / exact gradient"]
    for title in [*SHORT_RUN, *told]:
        assert re.search(rf"^{title} +{RATIO}$", short_run, re.M)
    error, edge = re.search(
        r"^Lanczos' error after 1 epochs of digits: (.*) nats below the stability edge, (.*)$",
        short_run,
        re.M,
    ).groups()
    rows = [row.split(" at ") for row in short_run.splitlines()[-1].split(", ")]
    errors, sizes = np.array(rows, float).T
    assert float(error) == pytest.approx(errors.mean(), abs=0.01)
    assert 0 < errors[0] < 0.1 < errors[-1] and sizes[-1] < float(edge)
    assert undirected.startswith("2 Gibbs sweeps, batch 4, 3 chains each, RBMs of 2 + 2, 4 hidden")
    for title in (
        r"particles / \(products \+ numbers\)",
        r"posterior chains / \(products \+ numbers\)",
        "fit step / that of one group",
    ):
        assert re.search(rf"^{title} +{RATIO}$", undirected, re.M)
    assert "memory" not in result.stdout


@pytest.mark.slow
def test_benchmark_of_convolutions():
    arguments = ["--method=short_run", "--blocks=convolution", "--pixels=64", "--memory="]
    result = run_here("benchmark", *TINY, *arguments, "--nojit_compile")
    assert result.returncode == 0, result.stderr
    header, *rows = result.stdout.splitlines()
    assert "convolution generator of 3 x 2 latents, width 4, 64 pixels, graph" in header
    for title, row in zip(SHORT_RUN, rows, strict=True):
        assert re.search(rf"^{title} +{RATIO}$", row)


def test_benchmark_measures_memory():
    """Of a process of its own."""
    result = run_here("benchmark", *TINY, "--method=ais", "--memory=3", "--nojit_compile")
    assert result.returncode == 0, result.stderr
    assert re.search(r"^peak memory: T = 3: \d+ MiB$", result.stdout, re.M)
    assert result.stdout.endswith("  largest / smallest 1.000\n")


def test_tfp_is_biased_and_we_are_not():
    result = run_here("compare_tfp", "--num_increments=50", "--num_chains=2048", "--seed=3")
    assert result.returncode == 0, result.stderr
    row = result.stdout.splitlines()[-1]
    increments, *numbers = map(float, row.replace("+-", "").split())
    (ours, our_error), (tfps, tfps_error) = np.reshape(numbers, (2, 2))
    assert increments == 50
    assert abs(ours - 1) < 4 * our_error < 0.2
    assert abs(tfps - 1) > 4 * tfps_error


def test_the_rival_samples_the_same():
    """Same densities, and the same mean of annealed weights from the same starts."""
    torch = pytest.importorskip("torch")
    from zoo.scripts import rivals

    model = zoo.AnnealedVAE.for_data(
        data.Data(None, None, None, {"x": PixelField((9,))}, {}),
        latent_dim=2,
        hidden=(8, 8),
        activation="tanh",
    )
    rival = rivals.AnnealedVAE(model)
    x = tf.cast(samplers.uniform([500, 9], 0) < 0.5, tf.float32)
    posterior = model.posterior(x)
    mean, scale = posterior.mean(), posterior.stddev()
    z = mean + scale * samplers.normal([5, 500, 2], 1)
    as_torch = [torch.from_numpy(t.numpy().copy()) for t in (x, z, mean, scale)]
    np.testing.assert_allclose(
        model.log_joint(x, z), rival.log_joint(*as_torch[:2]).detach(), rtol=1e-4
    )
    ours = model.anneal(x, posterior, z, 0)
    _, theirs = rival.anneal(as_torch[0], *as_torch[2:], as_torch[1])
    # The starts are shared, so that what is left differs by the moves alone.
    difference = (ours.log_weights.numpy() - theirs.numpy()).mean(0)
    assert abs(difference.mean()) < 4 * difference.std() / 500**0.5
    before = rival.decoder[0].weight.clone()
    assert np.isfinite(rival.train_step(x.numpy()).item())
    assert not torch.equal(before, rival.decoder[0].weight)


def test_rivals_need_their_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "zoo.scripts.rivals", raising=False)
    monkeypatch.delattr("zoo.scripts.rivals", raising=False)
    result = run_here("benchmark", *TINY, "--rivals")
    assert result.returncode == 2 and not result.stdout
    assert result.stderr.splitlines()[-1] == (
        "error: rivals need torch; install the extra: pip install -e '.[bench]'"
    )


@pytest.mark.parametrize(
    ("script", "argument", "message"),
    [
        ("benchmark", "--method=vae", "all|hmc_dlgm|ais|short_run|undirected"),
        ("benchmark", "--num_samples=0", "num_samples must be greater than 0; it was 0"),
        ("benchmark", "--epochs=0", "epochs must be greater than 0; it was 0"),
        ("benchmark", "--memory_of=0", "memory_of must be greater than 0; it was 0"),
        ("compare_tfp", "--num_chains=0", "num_chains must be greater than 0; it was 0"),
        ("compare_tfp", "--num_increments=0", "num_increments must be greater than 0; it was 0"),
        ("compare_tfp", "--step_size=-1", "step_size must be greater than 0; it was -1"),
    ],
)
def test_mistakes_end_in_one_line(script, argument, message, tmp_path):
    result = run_here(script, argument, cwd=tmp_path)
    assert result.returncode == 2 and not result.stdout
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert message in line and "Traceback" not in result.stderr


def test_images_of_short_run_are_square():
    result = run_here("benchmark", "--method=short_run", "--pixels=10")
    assert result.returncode == 2 and not result.stdout
    assert "pixels must be a square number in short_run; it was 10." in result.stderr
