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


def test_benchmark_of_all_methods():
    result = run_here("benchmark", *TINY, "--num_samples=3", "--memory=", "--nojit_compile")
    assert result.returncode == 0, result.stderr
    hmc_dlgm, ais, short_run = re.split("^ais: |^short_run: ", result.stdout, flags=re.M)
    assert hmc_dlgm.startswith("hmc_dlgm: 2 transitions of 2 leapfrog steps, batch 4, 1 chains")
    assert re.search(rf"^chain / floor +{RATIO}$", hmc_dlgm, re.M)
    assert re.search(rf"^fit step / \(chain \+ VAE step\) +{RATIO}$", hmc_dlgm, re.M)
    assert ais.startswith("2 increments of 2 leapfrog steps, batch 4, 3 chains")
    assert re.search(rf"^chains / floor +{RATIO}$", ais, re.M)
    assert re.search(rf"^fit step / \(floor \+ passes\) +{RATIO}$", ais, re.M)
    assert short_run.startswith(
        "2 Langevin steps, batch 4, 1 chains each, dense generator of 3 x 2"
    )
    titles = [
        "chain / floor",
        r"fit step / \(floor \+ pass\)",
        "Lanczos gradient / chain",
        "exact gradient / chain",
        "exact grid / chain",
        "Lanczos / exact gradient",
    ]
    assert len(short_run.splitlines()) == 1 + len(titles)
    for title in titles:
        assert re.search(rf"^{title} +{RATIO}$", short_run, re.M)
    assert "memory" not in result.stdout


@pytest.mark.parametrize("blocks", ["dense", "convolution"])
def test_benchmark_of_short_run(blocks):
    """On digits the log-determinants are compared, where they are cheap."""
    arguments = ["--pixels=64", "--pairs=1", "--epochs=1", f"--blocks={blocks}"]
    result = run_here(
        "benchmark", *TINY, "--method=short_run", *arguments, "--memory=", "--nojit_compile"
    )
    assert result.returncode == 0, result.stderr
    assert f"{blocks} generator of 3 x 2 latents, width 4, 64 pixels, graph" in result.stdout
    assert ("exact" in result.stdout) == (blocks == "dense")
    error = re.search(
        r"^Lanczos' error after 1 epochs of digits: (.*) nats below the stability edge, (.*)\n  (.*)$",
        result.stdout,
        re.M,
    )
    assert bool(error) == (blocks == "dense")
    if error:
        mean, edge, told = error.groups()
        errors, sizes = zip(
            *(map(float, one.split(" at ")) for one in told.split(", ")), strict=True
        )
        assert float(mean) == pytest.approx(np.mean(errors), abs=0.01)
        # Five products of six latents leave little out.
        assert max(errors) < 1 and max(sizes) < float(edge)


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
        data.Data(None, None, None, (9,), 0, {}), latent_dim=2, hidden=(8, 8), activation="tanh"
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
        ("benchmark", "--method=vae", "all|hmc_dlgm|ais|short_run"),
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
