"""Code on README and on the site: all of it is parsed and its names checked; `slow` runs it."""

import contextlib
import io
import os
import subprocess
import sys

import pytest
import shell
from blocks import (
    PAGES,
    ROOT,
    blocks,
    check_command,
    commands,
    prose_names,
    python_names,
    resolve,
)

ALL = [block for path in PAGES for block in blocks(path)]
PYTHON = [block for block in ALL if block.language == "python"]
SHELL = [block for block in ALL if block.language == "sh"]
FOREIGN = ("mymethods/configs/langevin_vae.py",)  # which test_adding_a_method.py writes
CHEAP = ("docs/numbers.md", "docs/choosing_settings.md", "docs/data.md")  # a second each, or two


def ids(block):
    return f"{block.page}:{block.line}"


@pytest.mark.parametrize("block", PYTHON, ids=ids)
def test_python_names_what_there_is(block):
    for name in python_names(block.text):
        if not name.startswith("zoo.likelihoods."):
            resolve(name)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_names_what_there_is(path):
    for name in prose_names(path):
        resolve(name)


@pytest.mark.parametrize("block", SHELL, ids=ids)
def test_commands_have_such_flags_and_keys(block):
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
    for program, arguments in commands(block.text):
        check_command(program, arguments, FOREIGN)


def test_a_wrong_name_and_a_wrong_flag_are_told():
    with pytest.raises(AttributeError, match="zoo.data.lode"):
        resolve("zoo.data.lode")
    with pytest.raises(AssertionError, match="no flag --num_increment"):
        check_command("evaluate", ["--workdir=runs/m2", "--num_increment=3"])
    with pytest.raises(Exception, match="trajectory"):
        check_command("train", ["--config=hmc_dlgm", "--config.model.trajektory=1"])


@pytest.mark.parametrize("page", CHEAP)
def test_cheap_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for block in PYTHON:
            if block.page == page:
                exec(compile(block.text, ids(block), "exec"), names)


# What takes longer.

# What a page takes as given.
BEFORE = {
    "docs/programs.md": """
import keras, zoo
data = zoo.data.load("digits")
model = zoo.VAE.for_data(data, latent_dim=2, hidden=(8,))
model.compile()
""",
    "docs/elsewhere.md": """
import zoo
for name in ("onnx", "litert"):  # which the commands of the page write
    model = zoo.from_preset("hmc_dlgm_digits")
    zoo.export(model, f"runs/presets/hmc_dlgm_digits/{name}", format=name)
""",
}
BEFORE_SHELL = {"docs/serving.md": "mcmc-zoo train"}
# Blocks that are run elsewhere: by test_adding_a_method.py, by zoo/serving/test_serving.py, which
# asks a server, and by scripts/test_workers.py, which has two machines.
APART = ("mymethods", "LangevinVAE", "import grpc", "multi_worker")
NEEDS = {
    "docs/elsewhere.md": ("ai_edge_litert", "arviz", "onnxruntime"),
    "docs/howto/optuna.md": ("optuna",),
    "docs/howto/tracking.md": ("mlflow", "wandb"),
}
TO_RUN = [
    block
    for block in PYTHON
    if ".noeval" not in block.info and not any(word in block.text for word in APART)
]
# Pages of results have commands of hours; on the others trainings are of one epoch.
TYPED = [b for b in SHELL if not b.page.startswith("docs/results/")]


def pages(some):
    return sorted({block.page for block in some})


@pytest.mark.slow
@pytest.mark.parametrize("page", pages(TO_RUN))
def test_python_runs(page, tmp_path):
    """All blocks of a page but those marked `.noeval`, one after the other in one process."""
    for package in NEEDS.get(page, ()):
        pytest.importorskip(package)
    texts = [block.text for block in TO_RUN if block.page == page]
    program = tmp_path / "page.py"
    program.write_text("\n".join([BEFORE.get(page, ""), *texts]), encoding="utf-8")
    quiet = {"MPLBACKEND": "agg", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, program],
        cwd=tmp_path,
        env=os.environ | quiet,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("page", pages(TYPED))
def test_shell_runs(page, tmp_path):
    """All blocks of a page, one after the other in one folder."""
    texts = [block.text for block in TYPED if block.page == page and "mymethods" not in block.text]
    shell.make_folder(tmp_path)
    ended = shell.run_shell(tmp_path, "\n".join([BEFORE_SHELL.get(page, ""), *texts]))
    assert ended.returncode == 0, ended.stdout[-1000:] + ended.stderr[-3000:]
