"""The programs that ask a finished run: what they write, and mistakes that end in one line."""

import json
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from interrupting import press
from programs import ROOT, run_here

import zoo
from zoo import scores
from zoo.runs import manifest
from zoo.runs.run import open_run
from zoo.scores import chunks
from zoo.scripts import console

PROGRAMS = ("evaluate", "fid", "sample", "inpaint", "export", "serve_check")


def test_evaluate_again(trained, workdir):
    """By the run's own config the scores are the same, and flags change what they name."""
    result = run_here("evaluate", f"--workdir={workdir}")
    assert result.returncode == 0, result.stderr
    for name in ("evaluation.json", "log_likelihood.csv"):
        assert (workdir / name).read_text() == (trained[0] / name).read_text()


def test_evaluate_by_flags(trained, workdir, monkeypatch):
    asked = {}

    def report(model, data, **protocol):
        asked.update(protocol)
        figures = {"num_images": 2, "log_likelihood": -2.0, "protocol": "paper's", "seed": 7}
        return figures, np.array([-1.0, -3.0])

    monkeypatch.setattr(scores, "report", report)
    flags = ["--protocol=paper", "--num_chains=3", "--num_images=20", "--seed=7"]
    flags += ["--skip_failed"]
    result = run_here("evaluate", f"--workdir={workdir}", *flags)
    assert result.returncode == 0, result.stderr
    assert asked == {
        "num_chains": 3,
        "num_images": 20,
        "seed": 7,
        "skip_failed": True,
        # Of the protocol.
        "num_increments": 10_000,
        "num_leapfrog_steps": 10,
        "schedule": "linear",
        # Of the run.
        "num_simulated": 5,
        "num_importance_samples": 20,
        "start": "posterior",
        "chunk_size": 100,
    }
    name = "num_chains=3,num_images=20,num_increments=10000,num_leapfrog_steps=10,schedule=linear,"
    path = workdir / "evaluations" / f"{name}seed=7,skip_failed=True.json"
    assert json.loads(path.read_text())["log_likelihood"] == -2
    assert str(path) in result.stdout and "evaluations" in manifest.names(workdir)
    for name in ("evaluation.json", "log_likelihood.csv"):  # which are by its own config
        assert (workdir / name).read_text() == (trained[0] / name).read_text()
    own, other = open_run(str(workdir)).evaluations
    assert own[0]["num_images"] == 300 and other[1].tolist() == [-1.0, -3.0]
    assert json.loads((workdir / "config.json").read_text())["seed"] == 0  # which stays


def test_evaluate_against_another_run(trained, workdir):
    """Images are paired: of two runs that differ by the same on every image nothing is unsure."""
    path = workdir / "log_likelihood.csv"
    header, *rows = path.read_text().splitlines()
    values = [float(row.split(",")[1]) - 0.5 for row in rows]
    path.write_text("\n".join([header, *(f"{i},{value}" for i, value in enumerate(values))]))
    figures = json.loads((workdir / "evaluation.json").read_text())
    figures["log_likelihood"] -= 0.5
    (workdir / "evaluation.json").write_text(json.dumps(figures))
    command = ["evaluate", f"--workdir={trained[0]}", f"--against={workdir}"]
    result = run_here(*command)
    assert result.returncode == 0, result.stderr
    assert re.search(r"difference, paired by image +\+0\.500 \+- 0\.000\n", result.stdout)
    (workdir / "evaluations").mkdir()
    chunks = workdir / "evaluations" / "chunk_size=9"  # of the same protocol: its own counts
    chunks.with_suffix(".csv").write_text("\n".join([header, *rows]))
    chunks.with_suffix(".json").write_text((trained[0] / "evaluation.json").read_text())
    assert "+0.500" in run_here(*command).stdout
    more = workdir / "evaluations" / "num_increments=9"
    more.with_suffix(".csv").write_text(path.read_text())
    more.with_suffix(".json").write_text(json.dumps(figures | {"protocol": "9 steps"}))
    result = run_here(*command)
    assert result.returncode == 0 and result.stdout.count("difference") == 1
    assert f"{workdir} alone was scored by: 9 steps, 300 images, seed 0\n" in result.stdout
    result = run_here("evaluate", f"--workdir={workdir}", f"--against={workdir}")
    assert (
        result.stdout.count("difference") == 2
        and "\n9 steps, 300 images, seed 0\n" in result.stdout
    )
    shutil.rmtree(workdir / "evaluations")
    (workdir / "evaluation.json").write_text(json.dumps(figures | {"seed": 3}))
    result = run_here(*command)
    assert result.returncode == 2
    assert "workdir: seed must be the same in all runs; it was 0 in" in result.stderr


@pytest.mark.parametrize("chunk", [2])
def test_an_interrupted_evaluation_goes_on(chunk, trained, workdir, monkeypatch):
    """To the same numbers, letter by letter, and nothing is left of it."""
    original, written = chunks._write, []

    def pressed(path, arrays):
        original(path, arrays)
        written.append(path)
        press(signal.SIGINT) if len(written) == chunk + 1 else None

    before = {path.name for path in workdir.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(chunks, "_write", pressed)
        result = run_here("evaluate", f"--workdir={workdir}")
    assert result.returncode == 130 and "Traceback" not in result.stderr
    assert f"what was scored is kept. To go on: python {ROOT}/scripts/evaluate.py" in result.stderr
    first, written[:] = set(written), []
    with monkeypatch.context() as patch:
        patch.setattr(chunks, "_write", lambda path, arrays: written.append(path))
        result = run_here("evaluate", f"--workdir={workdir}")
    assert result.returncode == 0, result.stderr
    assert len(first) == chunk + 1 and not first & set(written)
    for name in ("evaluation.json", "log_likelihood.csv"):
        assert (workdir / name).read_text() == (trained[0] / name).read_text()
    assert {path.name for path in workdir.iterdir()} == before


def test_sample(workdir):
    result = run_here("sample", f"--workdir={workdir}", "--num_samples=7", "--seed=3")
    assert result.returncode == 0, result.stderr
    draws = np.load(workdir / "samples.npz")
    expected = zoo.load(str(workdir)).sample(7, 3)
    for name in ("x", "mean"):
        np.testing.assert_array_equal(draws[name], expected[name])
    assert "samples.npz" in manifest.names(workdir)


def test_a_new_seed_is_told_and_repeats(workdir):
    told, drawn = [], []
    for seed in ([], [], ["--seed={}"]):
        flags = [flag.format(told[0]) for flag in seed]
        result = run_here("sample", f"--workdir={workdir}", "--num_samples=2", *flags)
        assert result.returncode == 0, result.stderr
        told += re.findall(r"^seed (\d+)$", result.stdout, re.M)
        drawn.append(np.load(workdir / "samples.npz")["mean"])
    assert told[0] == told[2] != told[1]
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0], drawn[1])


@pytest.mark.parametrize("program", PROGRAMS)
def test_runs_of_version_0_1_0_are_refused(program, workdir):
    (workdir / "manifest.json").unlink()
    before = sorted(workdir.iterdir())
    result = run_here(program, f"--workdir={workdir}")
    assert result.returncode == 2
    told = f"error: workdir: '{workdir}' was written by version 0.1.0 of the zoo, and this is 0.2.0"
    assert told in result.stderr and sorted(workdir.iterdir()) == before


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        *((p, ["--workdir=nowhere"], "workdir: there is no run in 'nowhere'") for p in PROGRAMS),
        ("evaluate", [], "workdir"),
        ("evaluate", ["--workdir=.", "--against=."], "workdir: there is no run in '.'"),
        (
            "evaluate",
            ["--workdir=.", "--against=.", "--seed=1"],
            "seed must be left out with a",
        ),
        ("evaluate", ["--workdir=.", "--against=.", "--protocol=paper"], "protocol must be left o"),
        ("inpaint", ["--workdir=nowhere", "--mask=lft"], "left|right|top|bottom|box|random"),
        ("benchmark", ["--pairs=three"], "pairs"),
        ("benchmark", ["--pairs=0"], "pairs must be greater than 0; it was 0"),
        ("benchmark", ["--memory=a"], "memory"),
    ],
)
def test_mistakes_end_in_one_line(script, arguments, message, tmp_path):
    result = run_here(script, *arguments, cwd=tmp_path)
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert message in line and "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "script",
    [
        *("train", "figures", "benchmark", "benchmark_chains", "benchmark_flows"),
        *("benchmark_sequences", *PROGRAMS),
    ],
)
def test_help_tells_the_flags(script):
    result = run_here(script, "--help")
    assert result.returncode == 0
    assert "python scripts/" in result.stdout
    assert ("--pairs" if script.startswith("benchmark") else "--workdir") in result.stdout


@pytest.mark.slow
def test_the_command_runs_a_program_in_a_process_of_its_own(tmp_path):
    command = [sys.executable, "-c", "from zoo.scripts.console import main; main()"]
    command += ["sample", "--workdir=nowhere"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: workdir: there is no run in 'nowhere'")


def test_the_command_knows_all_programs(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["mcmc-zoo", "--help"])
    console.main()
    told = capsys.readouterr().out
    assert "inpaint              Completes half-seen test images" in told
    files = (ROOT / "scripts").glob("[!_]*.py")
    programs = {path.stem for path in files if "cli.run(main)" in path.read_text()}
    assert set(console.PROGRAMS) == programs - {"generate"}  # which writes the repository's files
    monkeypatch.setattr(sys, "argv", ["mcmc-zoo", "trian"])
    with pytest.raises(SystemExit):
        console.main()
    assert "error: program must be one of train, evaluate" in capsys.readouterr().err
