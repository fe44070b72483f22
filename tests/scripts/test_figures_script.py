"""The figures program as a user runs it."""

import csv

import pytest
from eager import eagerly
from programs import digits_config, make_run, run_here

from zoo import analysis


def test_figures_are_listed(tmp_path):
    result = run_here("figures", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    listed = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert listed == analysis.descriptions() and list(listed) == sorted(listed)
    shown = "How well one latent fills the unit square"  # a study of scripts/studies
    assert listed["unit_square"].startswith(shown)
    assert not list(tmp_path.iterdir())


def test_figures_of_runs(tmp_path, digits):
    for name in ("VAE", "HMCDLGM"):
        make_run(tmp_path / name, digits_config(name=name), digits)
    result = run_here(
        "figures",
        "--figure=manifold,jacobian_spectrum",
        "--workdir=HMCDLGM,VAE",
        "--out=out",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    written = {path.name for path in (tmp_path / "out").iterdir()}
    names = ("manifold", "jacobian_spectrum")
    assert written == {f"{name}.{ending}" for name in names for ending in ("png", "csv")}
    with (tmp_path / "out" / "jacobian_spectrum.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["model", "index", "singular_value", "rms_singular_value"]
    assert [row[:2] for row in rows] == [[m, k] for m in ("HMCDLGM", "VAE") for k in "12"]


def test_settings_reach_the_figure(tmp_path):
    """Numbers, tuples and words as Python writes them, and the seed."""
    settings = {"settings": ((2, 3, 1),), "num_draws": 5, "jit_compile": False}
    flags = [f"--set={name}={value}" for name, value in settings.items()]
    with eagerly():
        result = run_here(
            "figures", "--figure=implicit_posteriors", *flags, "--seed=3", "--out=.", cwd=tmp_path
        )
        expected = analysis.draw("implicit_posteriors", **settings, seed=3)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "implicit_posteriors.png, implicit_posteriors.csv\n"
    with (tmp_path / "implicit_posteriors.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert rows == [[str(value) for value in row] for row in expected.rows]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--figure=jacobian_spectra"], "figure: unknown value 'jacobian_spectra'; did you mean"),
        (
            ["--figure=unit_square", "--set=seeds=1"],
            "settings of unit_square: unknown value 'seeds'",
        ),
        (["--figure=unit_square", "--set=seed"], "set must be NAME=VALUE; it was 'seed'"),
        (["--figure=manifold"], "workdir must be given for manifold"),
        (["--figure=manifold", "--workdir=nowhere"], "there is no run in 'nowhere'"),
        (["--figure=unit_square", "--out=/proc/nowhere"], "cannot write to '/proc/nowhere'"),
        (["--figure=unit_square,manifold"], "workdir must be given for manifold"),
    ],
)
def test_mistakes_end_in_one_line(arguments, message, tmp_path):
    result = run_here("figures", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())
