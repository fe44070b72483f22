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
    """What TensorBoard shows, once each."""
    found = {}
    for file in sorted((workdir / "tensorboard").rglob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                key = (file.parent.name, value.tag, event.step)
                assert key not in found, key
                found[key] = tf.make_ndarray(value.tensor).tolist()
    return found


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_costs_nothing(signum, status, whole, tmp_path, monkeypatch):
    """Neither a step, nor the means of the epoch, nor what TensorBoard shows."""
    original = zoo.Checkpoints.on_train_batch_begin

    def pressed(self, batch, logs=None):
        press(signum) if (self._epoch, batch) == (1, 7) else None
        original(self, batch, logs)

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(zoo.Checkpoints, "on_train_batch_begin", pressed)
        result = run_here("train", *VAE, f"--workdir={run}")
    assert result.returncode == status and "Traceback" not in result.stderr
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
NUM_KILLS = 20


@pytest.mark.slow
@pytest.mark.parametrize("config", SMALL)
def test_killed_at_random_moments(config, tmp_path):
    """By SIGKILL, at least five of the times in the middle of writing a checkpoint."""
    rng = random.Random(0)
    command = [sys.executable, ROOT / "scripts" / "train.py", f"--config={config}", *SMALL[config]]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def finish(workdir):
        subprocess.run([*command, f"--workdir={workdir}"], check=True, **quiet)

    finish(tmp_path / "whole")
    kills, workdir = collections.Counter(), tmp_path / "run0"
    num_runs = 0
    while kills.total() < NUM_KILLS:
        in_a_write = kills["in a write"] < 5 and kills.total() % 3 == 0
        before, begun, moment = _newest(workdir), time.time(), rng.uniform(2, 20)
        process = subprocess.Popen([*command, f"--workdir={workdir}"], **quiet)
        while process.poll() is None:
            # What an earlier kill left there is removed before metrics.csv is written to.
            writes = _modified(workdir) > begun and any(
                (workdir / "checkpoints").glob(".partial-*")
            )
            if writes if in_a_write else time.time() - begun > moment:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                kills["in a write" if writes else "elsewhere"] += 1
                break
        else:
            assert process.returncode == 0
            assert_same_run(tmp_path / "whole", workdir)
            num_runs += 1
            workdir = tmp_path / f"run{num_runs}"
            continue
        assert _newest(workdir) >= before  # nothing is lost
    finish(workdir)
    assert_same_run(tmp_path / "whole", workdir)
    print(f"{config}: {dict(kills)}, {num_runs + 1} runs ended with the same weights")


def _modified(workdir):
    path = workdir / "metrics.csv"
    return path.stat().st_mtime if path.exists() else 0


def _newest(workdir):
    return max((p.name for p in (workdir / "checkpoints").glob("epoch-*")), default="")
