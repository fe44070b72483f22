"""A folder in which the shell code of pages runs as it is typed, with shorter trainings."""

import os
import pathlib
import subprocess
import sys

import numpy as np
from PIL import Image

from zoo.scripts import generate

ROOT = generate.ROOT
BIN = pathlib.Path(sys.executable).parent
# Programs that need a network, a terminal or another machine end at once.
ABSENT = ("pip", "docker", "curl", "tensorboard", "ruff", "sphinx-build", "jupytext", "nvidia-smi")
SHORT = {
    "train": "--config.epochs=1 --config.save_freq=1 --config.validation_freq=1 "
    "--config.steps_per_execution=1 --config.jit_compile=False --config.evaluation.num_images=3 "
    "--config.evaluation.num_chains=2 --config.evaluation.num_increments=3 "
    "--config.evaluation.num_leapfrog_steps=1 --config.evaluation.num_simulated=0 "
    "--config.evaluation.num_importance_samples=20",
    "serve_check": "--seconds=0.1",
}
# Servers and timings tell their flags instead, and what is to be downloaded is left out.
PROGRAM = """#!/bin/bash
program=$1; shift
case "$program $*" in
  *:mnist*) exit 0 ;;
  serve\\ *|demo\\ *|benchmark*|compare_*) set -- --help ;;
  {short}
esac
exec "{bin}/mcmc-zoo" "$program" "$@"
"""
PYTHON = """#!/bin/bash
case "$1 $2" in
  scripts/generate.py*) exit 0 ;;
  scripts/*) name=$(basename "$1" .py); shift; exec mcmc-zoo "$name" "$@" ;;
  "-m venv") mkdir -p "$3/bin" && cp "$(dirname "$0")"/* "$3/bin" && touch "$3/bin/activate" ;;
  "-m "*|*tensorflow_datasets*) exit 0 ;;
  *) exec "{python}" "$@" ;;
esac
"""


def make_folder(folder):
    """Writes stand-ins of programs, and the pictures and packages that pages name."""
    programs = folder / "programs"
    programs.mkdir()
    short = "\n  ".join(f'{name}\\ *) set -- "$@" {flags} ;;' for name, flags in SHORT.items())
    texts = dict.fromkeys(ABSENT, "#!/bin/bash\n")
    texts["mcmc-zoo"] = PROGRAM.format(bin=BIN, short=short)
    texts["python"] = texts["python3"] = PYTHON.format(python=sys.executable)
    for name, text in texts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (folder / "docs").symlink_to(ROOT / "docs")
    random = np.random.default_rng(0)
    for name in ("photos", "mine"):
        (folder / name).mkdir()
        for number in range(30):
            pixels = random.integers(0, 256, (40, 60, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    Image.fromarray(pixels).save(folder / "photos" / "mine.jpg")
    Image.fromarray(pixels).save(folder / "mine.png")
    mask = np.full((40, 60), 255, np.uint8)
    mask[10:30, 20:40] = 0
    for name in ("hole.png", "mask.png"):
        Image.fromarray(mask).save(folder / name)


def run_shell(folder, text):
    """Runs shell code there, up to its first error."""
    path = f"{folder / 'programs'}:{BIN}:{os.environ['PATH']}"
    changed = {"PATH": path, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        ["bash", "-e", "-c", text],
        cwd=folder,
        env=os.environ | changed,
        capture_output=True,
        text=True,
    )
