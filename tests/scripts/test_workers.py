"""Training on several machines, which are processes of this one."""

import os
import signal
import time

import keras
import numpy as np
import pytest
import workers
from programs import ROOT, TINY, assert_same_run, run_here
from training import build, fit, two_replicas, weights

import zoo
from zoo.core import replicas
from zoo.runs import strategies


@pytest.mark.parametrize(
    "config",
    [
        None,
        "",
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}',
        '{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_wrong_cluster_is_told(config, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    result = run_here("train", "--strategy=multi_worker", *TINY)
    assert result.returncode == 2
    assert "TF_CONFIG must name the workers and this one, as" in result.stderr
    assert result.stderr.strip().count("\n") == 0


def test_one_process_is_the_chief_and_hears_itself():
    strategy = strategies.make_strategy("none")
    assert replicas.is_chief(strategy) and not replicas.is_multi_worker(strategy)
    with strategies.watching_workers(strategy):
        assert strategies.broadcast(strategy, [np.ones(2)])[0].sum() == 2


@pytest.mark.slow
def test_workers_end_with_the_same_weights(digits, tmp_path):
    """All models; the VAE, which has no chain, with those of two replicas, too."""
    processes = workers.start(ROOT / "tests/support/workers.py", tmp_path)
    for process in processes:
        _, told = process.communicate(timeout=1200)
        assert process.returncode == 0, told[-2000:]
    for name in zoo.method_names():
        one, other = (np.load(tmp_path / f"{name}-{k}.npz") for k in range(2))
        for key in one.files:
            np.testing.assert_array_equal(one[key], other[key], err_msg=f"{name} {key}")
    print(f"{len(zoo.method_names())} models: the same weights on both workers")
    with two_replicas().scope():
        model = build(zoo.VAE, digits, jit_compile=True)
    fit(model, digits, epochs=2)
    trained = np.load(tmp_path / "VAE-0.npz")
    for key, value in zip(trained.files, weights(model), strict=True):
        np.testing.assert_allclose(trained[key], value, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_a_killed_worker_ends_the_other(tmp_path):
    """With one clear line, in less than a minute; started again, they end as without it."""
    command = [ROOT / "scripts/train.py", "--strategy=multi_worker", "--config=hmc_dlgm"]
    command += [*TINY, "--config.epochs=30"]
    for process in workers.start(*command, f"--workdir={tmp_path / 'whole'}"):
        _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told[-2000:]
    run = tmp_path / "run"
    for victim in (1, 0):
        processes = workers.start(*command, f"--workdir={run}")
        ends = time.monotonic() + 120
        done = len(epochs(run))
        while len(epochs(run)) < done + 3 and time.monotonic() < ends:
            time.sleep(0.1)
        os.kill(processes[victim].pid, signal.SIGKILL)
        killed = time.monotonic()
        _, told = processes[1 - victim].communicate(timeout=60)
        processes[victim].communicate()
        assert processes[1 - victim].returncode == 3
        assert "is gone; start all workers again" in told.strip().splitlines()[-1]
        seconds = time.monotonic() - killed
        print(f"worker {victim} killed; the other ended after {seconds:.1f} seconds")
    for process in workers.start(*command, f"--workdir={run}"):
        _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told[-2000:]
    assert_same_run(tmp_path / "whole", run)
    assert keras.models.load_model(run / "model.keras").optimizer.iterations == 30 * 25


def epochs(workdir):
    path = workdir / "metrics.csv"
    return path.read_text().splitlines() if path.exists() else []
