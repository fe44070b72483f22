"""The figures program as a user runs it."""

import csv

import pytest
from programs import run_here

import zoo
from zoo.runs import experiment, outputs


def test_figures_are_listed(tmp_path):
    result = run_here("figures", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    names = [line.split()[0] for line in result.stdout.splitlines()]
    assert "jacobian_spectrum" in names and names == sorted(names)
    assert not list(tmp_path.iterdir())


def test_figures_of_runs(tmp_path, digits):
    for name in ("VAE", "HMCDLGM"):
        config = zoo.runs.config.digits_config(name=name)
        model = zoo.get_method(name).for_data(digits, latent_dim=2, hidden=(4,))
        model.compile(jit_compile=False)
        workdir = experiment.make_workdir(tmp_path / name)
        experiment.write_json(workdir / "config.json", config.to_dict())
        outputs.write_model(model, workdir)
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
        (["--figure=manifold", "--workdir=nowhere"], "cannot read 'nowhere/config.json'"),
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
