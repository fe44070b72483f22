"""The programs that hold us against a floor and against others: what they print, at tiny sizes."""

import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from eager import eagerly
from programs import run_here

import samplers
import zoo
from zoo import data
from zoo.core.fields import PixelField
from zoo.scripts import timing

TINY = ["--batch_size=4", "--latent_dim=2", "--units=4", "--pixels=9"]
TINY += ["--pairs=2", "--num_steps=2", "--num_leapfrog_steps=2"]
RATIO = r"\d+\.\d{3}  \(quartiles .*; medians .* ms\)"

SHORT_RUN = [
    "chain / floor",
    r"fit step / \(floor \+ pass\)",
    "fit step / that of a ladder VAE",
    "Lanczos gradient / chain",
]


def assert_told(titles, rows):
    """Each title begins a row of its own, in order, and a ratio follows it."""
    for title, row in zip(titles, rows, strict=True):
        assert re.search(rf"^{title} +{RATIO}$", row), row


HEADERS = {
    "hmc_dlgm": "2 transitions of 2 leapfrog steps, batch 4, 1 chains each, decoder 2-4-4-",
    "ais": "2 increments of 2 leapfrog steps, batch 4, 3 chains each, decoder 2-4-4-",
    "short_run": "2 Langevin steps, batch 4, 1 chains each, dense generator of 3 x 2 latents",
    "undirected": "2 Gibbs sweeps, batch 4, 3 chains each, RBMs of 2 + 2, 4 hidden units",
}
TOLD = {
    "hmc_dlgm": [
        "chain / floor",
        r"fit step / \(chain \+ VAE step\)",
        r"\d+ steps in a call / in \d+ calls",
        "fit of 100 steps / 10 such calls",
    ],
    "ais": ["chains / floor", r"fit step / \(floor \+ passes\)"],
    "short_run": [
        *SHORT_RUN,
        "exact gradient / chain",
        "exact grid / chain",
        "Lanczos / exact gradient",
    ],
    "undirected": [
        r"particles / \(products \+ numbers\)",
        r"posterior chains / \(products \+ numbers\)",
        "fit step / that of one group",
    ],
}
LONGER = ("hmc_dlgm", "short_run")


def benchmark(*arguments):
    """By method, the rows under its header, at tiny sizes."""
    result = run_here(
        "benchmark", *TINY, "--num_samples=3", "--memory=", "--nojit_compile", *arguments
    )
    assert result.returncode == 0, result.stderr
    parts = re.split(f"^({'|'.join(HEADERS)}): ", result.stdout, flags=re.M)[1:]
    told = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        first, *rows = text.splitlines()
        assert first.startswith(HEADERS[name])
        told[name] = rows
    return told


@pytest.mark.parametrize(
    "method",
    ["ais", "undirected", *(pytest.param(n, marks=pytest.mark.slow) for n in LONGER)],
)
def test_benchmark(method, monkeypatch):
    """Op by op, and without searches for step sizes and many steps, which take longest."""
    searches = []

    def update_of(model, batch, **search):
        searches.append(search)
        return lambda: tf.constant(0)

    monkeypatch.setattr(timing, "update_of", update_of)
    monkeypatch.setattr(timing, "STEPS", 1)
    monkeypatch.setattr(timing, "fit_of", lambda *_: lambda: tf.constant(0))
    with eagerly():
        told = benchmark("--pairs=1", f"--method={method}")
    assert_told(TOLD[method], told.pop(method))
    assert not told
    asked = [{"method": "gradient", "log_det": how} for how in ("exact", "lanczos")]
    assert searches == (method == "short_run") * [*asked, {"method": "grid"}]


def test_benchmark_of_flows():
    arguments = ["--units=4", "--pixels=9", "--side=4", "--width=3", "--depth=1", "--nojit_compile"]
    arguments += ["--pairs=1", "--batch_size=4", "--latent_dim=2", "--posteriors=planar 10,iaf 2"]
    with eagerly():
        result = run_here("benchmark_flows", *arguments)
    assert result.returncode == 0, result.stderr
    rows = result.stdout.splitlines()
    assert rows[0] == "VAE 9-4-4-2, batch 4, graph" and rows[2] == "  of multiply-adds 1.000"
    assert_told(["planar 10 / mean field", "iaf 2 / mean field"], rows[1:4:2])
    assert_told(["step / convolutions"], rows[6:])
    result = run_here("benchmark_flows", "--posteriors=iaf")
    assert result.returncode == 2 and "posteriors: unknown value 'iaf'" in result.stderr


def test_benchmark_of_chains():
    arguments = ["--units=4", "--pixels=9", "--nojit_compile", "--pairs=1", "--batch_size=4"]
    arguments += ["--latent_dim=2", "--lengths=1", "--method=AMCVAE"]
    with eagerly():
        result = run_here("benchmark_chains", *arguments)
    assert result.returncode == 0, result.stderr
    title, row, memory = result.stdout.splitlines()
    assert title == "AMCVAE 9-4-4-2, batch 4, graph"
    assert_told(["T = 1: step / floor"], [row])
    assert re.fullmatch(r"  compiled in .* s, peak memory \d+ MiB", memory)
    for flag, message in (("method=HMCDLGM", "method: unknown"), ("lengths=0", "lengths must be")):
        result = run_here("benchmark_chains", f"--{flag}")
        assert result.returncode == 2 and message in result.stderr


@pytest.mark.slow
def test_benchmark_of_digits():
    """With searches; and of 64 pixels the error of Lanczos' log-determinants is told."""
    told = benchmark("--pixels=64", "--epochs=1")
    assert list(told) == list(HEADERS)
    *told["short_run"], told_error, told_sizes = told["short_run"]
    for name, rows in told.items():
        assert_told(TOLD[name], rows)
    error, edge = re.search(
        r"^Lanczos' error after 1 epochs of digits: (.*) nats below the stability edge, (.*)$",
        told_error,
    ).groups()
    errors, sizes = np.array([row.split(" at ") for row in told_sizes.split(", ")], float).T
    assert float(error) == pytest.approx(errors.mean(), abs=0.01)
    assert 0 < errors[0] < 0.1 < errors[-1] and sizes[-1] < float(edge)


@pytest.mark.slow
def test_benchmark_of_convolutions():
    arguments = ["--method=short_run", "--blocks=convolution", "--pixels=64", "--memory="]
    result = run_here("benchmark", *TINY, *arguments, "--nojit_compile")
    assert result.returncode == 0, result.stderr
    header, *rows = result.stdout.splitlines()
    assert "convolution generator of 3 x 2 latents, width 4, 64 pixels, graph" in header
    assert_told(SHORT_RUN, rows)


def test_two_functions_are_timed_turn_and_turn_about(capsys):
    """After a call of each that compiles; the ratio is that of the times of pairs."""
    called, clock = [], iter(np.cumsum([0, 3, 0, 2, 0, 6, 0, 2, 0, 5, 0, 2.0]))

    def subject(name):
        return lambda: called.append(name) or tf.constant(0)

    timing.compare("one / two", subject("one"), subject("two"), 3, clock=lambda: next(clock))
    assert called == ["one", "two"] * 4
    told = "one / two +2.500  .quartiles 2.000 to 2.750; medians 5000.0 and 2000.0 ms."
    assert re.match(told, capsys.readouterr().out)


def test_memory_is_measured_in_processes_of_their_own(monkeypatch):
    """Of each length, of the method that is asked for, with the flags that were given."""
    commands = []

    def measured(command, text):
        commands.append(command)
        return f"{100 * len(commands)}\n"

    monkeypatch.setattr(subprocess, "check_output", measured)
    flags = [*TINY, "--pairs=1", "--method=ais", "--memory=3,7", "--nojit_compile"]
    with eagerly():
        result = run_here("benchmark", *flags)
    assert result.returncode == 0, result.stderr
    *_, peaks, ratio = result.stdout.splitlines()
    assert peaks == "peak memory: T = 3: 100 MiB, T = 7: 200 MiB"
    assert ratio == "  largest / smallest 2.000"
    for command, length in zip(commands, (3, 7), strict=True):
        assert command[0] == sys.executable and command[1].endswith("benchmark.py")
        assert command[2:-3] == flags
        assert command[-3:] == ["--method=ais", "--norivals", f"--memory_of={length}"]


def test_a_process_of_its_own_tells_its_peak():
    """Which is this one here, and has more than TensorFlow alone."""
    with eagerly():
        result = run_here(
            "benchmark", *TINY, "--method=undirected", "--memory_of=3", "--nojit_compile"
        )
    assert result.returncode == 0, result.stderr
    assert 200 < float(result.stdout) < 100_000


@pytest.mark.slow
def test_benchmark_measures_memory():
    result = run_here("benchmark", *TINY, "--method=ais", "--memory=3", "--nojit_compile")
    assert result.returncode == 0, result.stderr
    assert re.search(r"^peak memory: T = 3: \d+ MiB$", result.stdout, re.M)
    assert result.stdout.endswith("  largest / smallest 1.000\n")


def check_bias_of_tfp(num_increments):
    flags = [f"--num_increments={num_increments}", "--num_chains=2048", "--seed=3"]
    result = run_here("compare_tfp", *flags)
    assert result.returncode == 0, result.stderr
    row = result.stdout.splitlines()[-1]
    increments, *numbers = map(float, row.replace("+-", "").split())
    (ours, our_error), (tfps, tfps_error) = np.reshape(numbers, (2, 2))
    assert increments == num_increments
    assert abs(ours - 1) < 4 * our_error < 0.5
    assert abs(tfps - 1) > 4 * tfps_error


def test_tfp_is_biased_and_we_are_not():
    with eagerly():
        check_bias_of_tfp(10)


@pytest.mark.slow
def test_tfp_is_biased_where_it_is_compiled():
    check_bias_of_tfp(50)


def test_the_rival_samples_the_same():
    """Same densities, and the same mean of annealed weights from the same starts."""
    torch = pytest.importorskip("torch")
    from zoo.scripts import rivals_torch

    model = zoo.AnnealedVAE.for_data(
        data.Data(None, None, None, {"x": PixelField((9,))}, {}),
        latent_dim=2,
        hidden=(8, 8),
        activation="tanh",
    )
    rival = rivals_torch.AnnealedVAE(model)
    x = tf.cast(samplers.uniform([500, 9], 0) < 0.5, tf.float32)
    proposal = model.propose({"x": x}, 5, 1)
    z, mean, scale = proposal.z, proposal.q.mean(), proposal.q.stddev()
    as_torch = [torch.from_numpy(t.numpy().copy()) for t in (x, z, mean, scale)]
    np.testing.assert_allclose(
        model.log_joint({"x": x}, z), rival.log_joint(*as_torch[:2]).detach(), rtol=1e-4
    )
    ours = model.anneal({"x": x}, proposal, 0)
    _, theirs = rival.anneal(as_torch[0], *as_torch[2:], as_torch[1])
    # The starts are shared, so that what is left differs by the moves alone.
    difference = (ours.log_weights.numpy() - theirs.numpy()).mean(0)
    assert abs(difference.mean()) < 4 * difference.std() / 500**0.5
    before = rival.decoder[0].weight.clone()
    assert np.isfinite(rival.train_step(x.numpy()).item())
    assert not torch.equal(before, rival.decoder[0].weight)


@pytest.mark.parametrize("lean", [False, True])
def test_the_rival_in_jax_samples_the_same(lean):
    """Same density, and the same acceptance from the same starts."""
    pytest.importorskip("jax")
    pytest.importorskip("optax")
    from zoo.scripts import rivals_jax

    model = zoo.HMCDLGM.for_data(
        data.Data(None, None, None, {"x": PixelField((9,))}, {}),
        latent_dim=2,
        hidden=(8, 8),
        num_steps=3,
        step_size=1.0,
    )
    model.shear.kernel.assign([[5.0, 5.0], [0.7, 5.0]])
    model.compile(jit_compile=False)
    rival = rivals_jax.HMCDLGM(model, lean=lean)
    x = tf.cast(samplers.uniform([500, 9], 0) < 0.5, tf.float32)
    context = model.amortise({"x": x}, 1)
    z, parameters = context["proposal"].z[0], rival.state["parameters"]

    def log_joint(z):
        return rival.log_joint(parameters["generation"], parameters["inference"][1], x.numpy(), z)

    np.testing.assert_allclose(model.log_joint({"x": x}, z), log_joint(z.numpy()), rtol=1e-4)
    _, told = model.sample_latents({"x": x}, context, 2)
    scale = model.step_size * model.posterior_part.scale(context["features"])
    steps = rival.num_leapfrog_steps
    key = rival.state["key"]
    _, theirs = rival._refine(log_joint, z.numpy(), scale.numpy(), steps, key)
    difference = told["accept_rate"].numpy() - np.asarray(theirs)
    assert abs(difference.mean()) < 4 * difference.std() / 500**0.5
    assert np.isfinite(rival.train_step(x.numpy()))


def test_the_rival_of_numpyro_begins_as_our_model():
    """From our weights; with steps of no size its loss is minus our bound, summed over images."""
    pytest.importorskip("numpyro")
    import jax

    from zoo.scripts import rivals_numpyro

    model = zoo.VAE.for_data((9,), latent_dim=2, hidden=(8, 8))
    x = samplers.uniform([2000, 9], 0) < 0.5
    x = tf.cast(x, tf.float32)
    bound = model.log_weights({"x": x}, 1, 1).numpy().mean()
    svi = rivals_numpyro.inference(model, 2, eta_init=1e-6, eta_max=1e-5)
    state = svi.init(jax.random.key(0), x.numpy())
    _, loss = svi.update(state, x.numpy())
    assert abs(-loss / len(x) - bound) < 0.2


def test_rivals_need_their_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delitem(sys.modules, "zoo.scripts.rivals_jax", raising=False)
    result = run_here("benchmark", *TINY, "--rivals")
    assert result.returncode == 2 and not result.stdout
    assert result.stderr.splitlines()[-1] == ("error: rivals need jax: pip install -e '.[bench]'")


@pytest.mark.parametrize(
    ("script", "argument", "message"),
    [
        ("benchmark", "--method=vae", "'all', 'hmc_dlgm', 'ais', 'short_run', 'undirected'"),
        ("benchmark", "--num_samples=0", "num_samples must be greater than 0; it was 0"),
        ("benchmark", "--epochs=0", "epochs must be greater than 0; it was 0"),
        ("benchmark", "--memory_of=0", "memory_of must be greater than 0; it was 0"),
        ("compare_numpyro", "--epochs=0", "epochs must be greater than 0; it was 0"),
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
