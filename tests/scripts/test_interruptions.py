"""A training that is killed at any moment goes on, by the same command, to the same weights."""

import collections
import errno
import os
import random
import shlex
import signal
import subprocess
import sys
import time

import keras
import pytest
import tensorflow as tf
from interrupting import press
from programs import ROOT, TINY, Killed, assert_same_run, run_here

import zoo
from zoo.runs import callbacks, writers

VAE = ["--config=vae", *TINY, "--config.epochs=3"]


def kill(*_, **__):
    raise Killed


@pytest.fixture(scope="module", autouse=True)
def only_the_model():
    """Of what a training leaves and draws, all but in processes of its own, the model is enough."""
    only = [writer for writer in writers._WRITERS if writer.files == ("model.keras",)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writers, "_WRITERS", only)
        patch.setattr(callbacks.PictureLogger, "on_epoch_end", lambda *_, **__: None)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    assert run_here("train", *VAE, f"--workdir={workdir}").returncode == 0
    return workdir


def goes_on(workdir, done):
    result = run_here("train", *VAE, f"--workdir={workdir}")
    assert result.returncode == 0, result.stderr
    assert f"goes on after epoch {done}." in result.stdout


def test_goes_on_after_an_epoch(whole, tmp_path, monkeypatch):
    """Killed before the second checkpoint, when the second row of metrics is written."""
    original = zoo.Checkpoints.on_epoch_end

    def second(self, epoch, logs=None):
        kill() if epoch else original(self, epoch, logs)

    run = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(zoo.Checkpoints, "on_epoch_end", second)
        run_here("train", *VAE, f"--workdir={run}")
    assert len((run / "metrics.csv").read_text().splitlines()) == 3
    left = {p: p.read_bytes() for p in (run / "checkpoints").iterdir()}
    other = ["--config=vae", *TINY, "--config.epochs=1", f"--workdir={run}"]
    result = run_here("train", *other)
    assert result.returncode == 2
    assert "holds an unfinished run whose epochs is 3, not 1; give another" in result.stderr
    assert left == {p: p.read_bytes() for p in (run / "checkpoints").iterdir()}
    goes_on(run, 1)
    assert_same_run(whole, run)


@pytest.mark.slow
def test_goes_on_with_what_is_written_in_the_end(whole, tmp_path, monkeypatch):
    """And a run can be overwritten, finished or not."""
    run = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(zoo.VAE, "save", kill)
        run_here("train", *VAE, f"--workdir={run}")
    assert (run / "checkpoints").exists()
    goes_on(run, 3)
    assert_same_run(whole, run)
    (run / "notes.txt").write_text("mine")
    other = ["--config=vae", *TINY, "--config.epochs=1", f"--workdir={run}"]
    assert run_here("train", *other, "--overwrite").returncode == 0
    assert len((run / "metrics.csv").read_text().splitlines()) == 2
    assert (run / "notes.txt").read_text() == "mine" and not (run / "checkpoints").exists()


def test_a_full_disk_ends_in_one_line(whole, tmp_path, monkeypatch):
    """Met by a logger that is not ours; nothing of the epochs before is lost."""

    def full(self, epoch, logs=None):
        if epoch == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(keras.callbacks.TensorBoard, "on_epoch_end", full)
        result = run_here("train", *VAE, f"--workdir={run}")
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert "error: cannot read or write: No space left on device." in result.stderr
    goes_on(run, 2)
    assert_same_run(whole, run)


def scalars(workdir):
    """What TensorBoard shows: the same however often it was written."""
    found = {}
    for file in sorted((workdir / "tensorboard").rglob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                key = (file.parent.name, value.tag, event.step)
                shown = tf.make_ndarray(value.tensor).tolist()
                assert found.setdefault(key, shown) == shown, key
    return found


def test_a_signal_costs_nothing(whole, tmp_path, monkeypatch):
    """Neither a step, nor the means of the epoch, nor what TensorBoard shows."""
    original = zoo.Checkpoints.on_train_batch_begin

    def pressed(self, batch, logs=None):
        press(signal.SIGTERM) if (self._epoch, batch) == (1, 7) else None
        original(self, batch, logs)

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(zoo.Checkpoints, "on_train_batch_begin", pressed)
        result = run_here("train", *VAE, f"--workdir={run}")
    assert result.returncode == 143 and "Traceback" not in result.stderr
    told = "interrupted: training had done 1 epochs and 7 batches, and goes on from "
    told += f"'{run / 'checkpoints' / 'epoch-000001.npz'}'. To go on: python "
    (again,) = [line for line in result.stderr.splitlines() if line.startswith(told)]
    # Its brackets and blanks are for the shell to be copied to.
    assert shlex.split(again.removeprefix(told))[1:] == [*VAE, f"--workdir={run}"]
    goes_on(run, "1, batch 7")
    assert_same_run(whole, run)
    assert scalars(whole) == scalars(run)


def test_ctrl_c_elsewhere_ends_in_one_line(whole, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(zoo.VAE, "sample", interrupt)
    result = run_here("sample", f"--workdir={whole}")
    assert (result.returncode, result.stderr) == (130, "interrupted.\n")


# The real thing.

SMALL = {
    "hmc_dlgm": [*TINY, "--config.epochs=12"],
    "dvae_undirected": [
        "--config.epochs=12",
        "--config.jit_compile=False",
        "--config.model.hidden=(8,)",
        "--config.model.latent_dims=(3,3)",
        "--config.model.num_particles=20",
        "--config.evaluation.num_importance_samples=20",
    ],
}
NUM_TIMES = 20
MOST_SECONDS = 600.0
STATUS = {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130, signal.SIGTERM: 143}


def program(name, *arguments):
    return [sys.executable, ROOT / "scripts" / f"{name}.py", *arguments]


def start(command):
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=pipe, text=True)


def interrupt(command, workdir, signum, wait):
    """Ends a program after it has taken its work directory and `wait()` returns; if it still runs.

    Returns:
      Whether it did.
    """
    (workdir / ".lock").unlink(missing_ok=True)  # which a killed one has left
    process = start(command)
    while process.poll() is None and not (workdir / ".lock").exists():
        time.sleep(0.01)
    wait(process)
    process.send_signal(signum)
    _, told = process.communicate()
    ended = (0, STATUS[signum], -signum)  # the last one of Python itself, when all is done
    assert process.returncode in ended and "Traceback" not in told, told
    return process.returncode == STATUS[signum]


def finish(command):
    process = start(command)
    _, told = process.communicate()
    assert process.returncode == 0, told


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("config", SMALL)
def test_training_ended_at_random_moments(config, signum, tmp_path):
    """Some of them, where nothing is told before, in the middle of writing a checkpoint."""
    rng, ends = random.Random(0), time.monotonic() + MOST_SECONDS
    command = program("train", f"--config={config}", *SMALL[config])
    whole = tmp_path / "whole"
    begun = time.monotonic()
    finish([*command, f"--workdir={whole}"])
    longest = 0.7 * (time.monotonic() - begun)
    times, num_runs = collections.Counter(), 0
    workdir = tmp_path / "run0"

    def wait(process):
        if in_a_write:
            while process.poll() is None and not any(workdir.glob("checkpoints/.partial-*")):
                pass
        else:
            time.sleep(rng.uniform(0, longest))

    while times.total() < NUM_TIMES and time.monotonic() < ends:
        in_a_write = signum == signal.SIGKILL and times.total() % 4 == 0
        before = _newest(workdir)
        for left in workdir.glob("checkpoints/.partial-*"):
            left.unlink()
        if interrupt([*command, f"--workdir={workdir}"], workdir, signum, wait):
            times["in a write" if in_a_write else "elsewhere"] += 1
            assert _newest(workdir) >= before or not _newest(workdir)  # nothing is lost
            continue
        assert_same_run(whole, workdir)
        num_runs += 1
        workdir = tmp_path / f"run{num_runs}"
    finish([*command, f"--workdir={workdir}"])
    assert_same_run(whole, workdir)
    assert scalars(whole) == scalars(workdir)
    print(f"{config}, {signum.name}: {dict(times)}, {num_runs + 1} runs ended the same")


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_evaluation_ended_at_random_moments(signum, tmp_path):
    """Whatever is there is whole, and in the end the numbers are the same, letter by letter."""
    rng, ends = random.Random(0), time.monotonic() + MOST_SECONDS
    chunks = ["--config.evaluation.chunk_size=10", "--config.evaluation.num_increments=60"]
    finish(program("train", "--config=hmc_dlgm", *TINY, *chunks, f"--workdir={tmp_path}"))
    names = ("evaluation.json", "log_likelihood.csv")
    whole = {name: (tmp_path / name).read_text() for name in names}
    command = program("evaluate", f"--workdir={tmp_path}")
    begun = time.monotonic()
    finish(command)
    longest = 0.7 * (time.monotonic() - begun)
    times, num_ended, kept = 0, 0, 0
    while times < NUM_TIMES and time.monotonic() < ends:
        wait = rng.uniform(0, longest)
        if interrupt(command, tmp_path, signum, lambda _, wait=wait: time.sleep(wait)):
            times += 1
            before, kept = kept, len(list(tmp_path.glob("chunks/*/*.npz")))
            assert kept >= before or not (tmp_path / "chunks").exists()  # all was done
        else:
            num_ended, kept = num_ended + 1, 0
            assert not (tmp_path / "chunks").exists()
        assert whole == {name: (tmp_path / name).read_text() for name in names}
    finish(command)
    assert whole == {name: (tmp_path / name).read_text() for name in names}
    assert not list(tmp_path.glob(".*")) and not (tmp_path / "chunks").exists()
    print(f"evaluate, {signum.name}: {times} times, {num_ended + 1} ended the same")


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_an_evaluation_within_its_chunk(signum, tmp_path):
    """Which takes minutes; nothing half-written stays."""

    def files():
        found = {path for path in tmp_path.rglob("*") if path.is_file()}
        return {p: p.read_bytes() for p in found if p.name not in (".lock", "manifest.json")}

    finish(program("train", "--config=hmc_dlgm", *TINY, f"--workdir={tmp_path}"))
    left = files()
    many = [f"--workdir={tmp_path}", "--num_increments=200000"]
    process = start(program("evaluate", *many))
    time.sleep(30)
    assert process.poll() is None
    process.send_signal(signum)
    while f"{signum.name}: ends when" not in process.stderr.readline():
        pass
    begun = time.monotonic()
    process.send_signal(signum)
    _, told = process.communicate()
    seconds = time.monotonic() - begun
    print(f"a second {signum.name}: ended {seconds:.2f} s later")
    assert process.returncode == STATUS[signum] and "Traceback" not in told and seconds < 5
    assert left == files()
    finish(program("evaluate", f"--workdir={tmp_path}"))


def _newest(workdir):
    return max((p.name for p in (workdir / "checkpoints").glob("epoch-*")), default="")
