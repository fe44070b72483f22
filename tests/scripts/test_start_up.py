"""What programs tell of flags and names of configs does not wait for TensorFlow.

All are asked in one process, which must not load it, as the answers of each are seen by.
"""

import json
import pathlib
import subprocess
import sys

import pytest
from running import run_here

from zoo.scripts import console

ROOT = pathlib.Path(__file__).parents[2]
SLOW = ("tensorflow", "keras", "tensorflow_probability", "tensorflow_datasets")
SLOW += ("sklearn", "matplotlib", "layers", "samplers")
ASK = f"""
import json, sys
from running import run_here
for case in json.load(sys.stdin):
    print(json.dumps([*run_here(*case), [name for name in {SLOW} if name in sys.modules]]))
"""
PROGRAMS = (*console.PROGRAMS, "generate")
CASES = {
    ("train", "--list"): "    :mnist                :paper :small",
    ("train", "--config=hmc_dlmg"): (
        "config: unknown value 'hmc_dlmg'; did you mean 'hmc_dlgm' or 'hmc_m2' or 'hmc_draw'?"
    ),
    ("train", "--config", "vae_mnist"): "config: 'vae_mnist' is now 'vae:mnist'.",
    ("train", "--config=vae:minst"): "data: unknown value 'minst'; did you mean 'mnist'?",
    ("train", "--config=vae:mnist:smal"): "preset: unknown value 'smal'; did you mean 'small'?",
    ("train", "--config_folder=nowhere"): "config_folder: there is no folder 'nowhere'.",
    # Whatever is said of the config beside it.
    ("train", "--config.epochs", "3", "--workdirr=x"): "Unknown command line flag 'workdirr'.",
    ("train", "--strategy=many"): "strategy: unknown value 'many'; known are 'none',",
    ("evaluate", "--workdir=x", "--start=nowhere"): "start: unknown value 'nowhere'; known are",
    ("evaluate", "--workdir=x", "--schedule=x"): "known are 'linear', 'sigmoid'.",
    ("evaluate", "--workdir=x", "--protocol=x"): "known are 'quick', 'paper'.",
    ("sample", "--num_samples=3"): "workdir or preset must be given; --help tells what they may",
    (
        "sample",
        "--preset=vae_digts",
    ): "preset: unknown value 'vae_digts'; did you mean 'vae_digits'",
    ("export", "--preset=no/where"): "preset: there is no folder 'no/where'.",
    ("serve", "--port=1"): "preset, workdir or export must be given; --help tells what they may be",
    ("serve", "--preset=vae_digts"): "did you mean 'vae_digits'",
    ("demo", "--port=70000"): "port must be",
    ("figures", "--preset=vae_digits,hf://x"): "preset must be hf://OWNER/NAME or hf://OWNER/NAME@",
    ("train", "--init=../nowhere"): "preset: there is no folder '../nowhere'.",
    ("fid", "--workdir=x", "--latents=x"): "known are 'prior', 'fitted'.",
    ("inpaint", "--workdir=x", "--mask=lft"): "must be of left|right|top|bottom|box|random|pattern",
    ("benchmark", "--blocks=x"): "blocks: unknown value 'x'; known are 'dense', 'convolution'.",
} | {(program, "--wrong=1"): "Unknown command line flag 'wrong'." for program in PROGRAMS}
HELP = {(program, "--help"): "\nflags:\n" for program in PROGRAMS}


@pytest.fixture(scope="module")
def answers():
    asked = [*CASES, *HELP]
    result = subprocess.run(
        [sys.executable, "-c", ASK],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}"},
    )
    assert result.returncode == 0, result.stderr
    return dict(zip(asked, map(json.loads, result.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_answers_are_at_once(case, answers):
    status, stdout, stderr, slow = answers[case]
    assert (status, CASES[case] in stdout) == (0, True) or (
        status == 2 and stderr.startswith("error: ") and CASES[case] in stderr
    ), (status, stdout, stderr)
    assert not slow


@pytest.mark.parametrize("case", HELP, ids=" ".join)
def test_help_is_at_once(case, answers):
    status, stdout, _, slow = answers[case]
    assert status == 0 and HELP[case] in stdout
    assert not slow


def test_a_program_whose_imports_are_quick_need_not_parse_first(tmp_path):
    (tmp_path / "own.py").write_text(
        "from absl import flags\n"
        "from zoo.runs import cli\n"
        "NUMBER = flags.DEFINE_integer('number', 1, 'Any.')\n"
        "cli.run(lambda: print(NUMBER.value + 1))\n"
    )
    assert run_here(tmp_path / "own", "--number=2") == (0, "3\n", "")
    status, _, stderr = run_here(tmp_path / "own", "--number=two")
    assert (status, stderr) == (2, "error: number must be a whole number; it was 'two'.\n")
