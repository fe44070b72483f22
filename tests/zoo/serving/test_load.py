"""The program `serve` under load, in a process of its own: clients at once, memory, and its end."""

import contextlib
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from asking import ask_json
from checking import z_scores

import zoo

ROOT = pathlib.Path(__file__).parents[3]
PRESET = "hmc_dlgm_digits"
PREDICT = f"/v1/models/{PRESET}:predict"

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def serving(tmp_path, *flags):
    """The program and its address."""
    command = [sys.executable, "-m", "zoo.scripts.console", "serve", "--port=0", *flags]
    command[1:3] = ["-c", "from zoo.scripts.console import main; main()"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=tmp_path
        )
    try:
        line = process.stdout.readline()
        yield process, re.search(r"http://[\d.:]+", line)[0]
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def model():
    return zoo.from_preset(PRESET)


@pytest.fixture(scope="module")
def x():
    return next(iter(zoo.data.load("digits").test))["x"].numpy()[:4]


def inpaint(x, seed, num_steps=100):
    visible = np.broadcast_to(zoo.data.mask("left", (8, 8, 1)), x.shape)
    inputs = {"x": x.tolist(), "visible": visible.tolist(), "seed": [seed, 0]}
    return {"signature_name": "inpaint", "inputs": inputs | {"num_steps": num_steps}}


def test_eight_clients_for_a_minute(tmp_path, x, capsys):
    """Without an error, and with the same answer to the same question."""
    taken, failed, answers = [], [], [{} for _ in range(8)]

    def client(number):
        for k in range(10**9):
            start = time.monotonic()
            if start > end:
                return
            status, answer = ask_json(address, PREDICT, inpaint(x, k % 50))
            taken.append(time.monotonic() - start)
            if status != 200 or answer != answers[number].setdefault(k % 50, answer):
                failed.append((status, answer))

    with serving(tmp_path, f"--preset={PRESET}") as (_, address):
        ask_json(address, PREDICT, inpaint(x, 0))
        end = time.monotonic() + 60
        clients = [threading.Thread(target=client, args=(n,)) for n in range(8)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
    assert not failed
    assert all(answers[0][k] == other[k] for other in answers for k in other if k in answers[0])
    p50, p99 = np.percentile(taken, [50, 99]) * 1e3
    with capsys.disabled():
        print(f"\n{len(taken) / 60:.0f} requests/s of 4 images, p50 {p50:.0f} ms, p99 {p99:.0f} ms")


def test_memory_does_not_grow(tmp_path, x, capsys):
    """Over 10,000 requests, after the first thousand: within 5 %."""

    def resident(process):
        pages = pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096

    def asked(number):
        for k in range(number):
            status, _ = ask_json(address, PREDICT, inpaint(x[: 1 + k % 4], k, 1 + k % 3))
            assert status == 200
            body = {"signature_name": "reconstruct", "inputs": {"x": [[k]], "seed": [0, 0]}}
            assert ask_json(address, PREDICT, body)[0] == 400

    with serving(tmp_path, f"--preset={PRESET}") as (process, address):
        asked(500)
        before = resident(process)
        asked(5000)
        after = resident(process)
    with capsys.disabled():
        print(f"\n{before / 1e6:.1f} MB, then {after / 1e6:.1f} MB")
    assert after < 1.05 * before


def test_it_finishes_what_it_has_begun(tmp_path, x):
    flags = f"--preset={PRESET}", "--max_steps=10000"
    with serving(tmp_path, *flags) as (process, address):
        ask_json(address, PREDICT, inpaint(x, 0, 2))
        answers = []
        body = inpaint(x, 0, 10_000)
        thread = threading.Thread(target=lambda: answers.append(ask_json(address, PREDICT, body)))
        thread.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        thread.join()
        assert process.wait(30) == 0
    ((status, answer),) = answers
    assert status == 200
    assert np.isfinite(answer["outputs"]["mean"]).all()
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_port_in_use_is_told(tmp_path):
    with serving(tmp_path, f"--preset={PRESET}") as (_, address):
        port = address.rpartition(":")[2]
        command = [sys.executable, "-c", "from zoo.scripts.console import main; main()", "serve"]
        command += [f"--preset={PRESET}", f"--port={port}"]
        second = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert second.returncode == 2
    assert f"error: port: nothing can listen at 127.0.0.1:{port}" in second.stderr


def test_the_model_uncompiled_agrees(tmp_path, model, x):
    """To 1e-5 on reconstructions and two transitions; beyond that in distribution."""
    visible = zoo.data.mask("left", (8, 8, 1))
    many = np.concatenate([batch["x"] for batch in zoo.data.load("digits").test])[:64]
    with serving(tmp_path, f"--preset={PRESET}") as (_, address):

        def mean(body):
            return np.array(ask_json(address, PREDICT, body)[1]["outputs"]["mean"])

        inputs = {"x": x.tolist(), "seed": [7, 0]}
        served = mean({"signature_name": "reconstruct", "inputs": inputs})
        two, sixty = mean(inpaint(x, 7, 2)), mean(inpaint(many, 7, 60))
    tf.config.run_functions_eagerly(True)
    try:
        np.testing.assert_allclose(model.reconstruct(x, 7)["mean"], served, atol=1e-5)
        np.testing.assert_allclose(model.inpaint(x, visible, 7, 2)["mean"], two, atol=1e-5)
        own = model.inpaint(many, visible, 8, 60)["mean"]
    finally:
        tf.config.run_functions_eagerly(False)
    difference = (own - sixty)[:, ~visible]
    assert np.abs(z_scores(difference, 0.0)).max() < 4
