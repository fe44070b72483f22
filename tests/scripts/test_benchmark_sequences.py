"""The benchmark of models of sequences: what it tells, of a model of a few units."""

import re

from eager import eagerly
from programs import run_here


def test_benchmark_of_sequences():
    arguments = ["--units=4", "--hidden=4", "--nojit_compile", "--pairs=1", "--batch_size=4"]
    with eagerly():
        result = run_here("benchmark_sequences", *arguments, "--lengths=2", "--components=2")
    assert result.returncode == 0, result.stderr
    title, row, memory = result.stdout.splitlines()
    assert title.startswith("VRNN, batch_size 4, num_dims 3") and title.endswith("graph")
    assert re.match(r"T = 2: step / floor +\d+\.\d+ ", row)
    assert re.fullmatch(r"  compiled in .* s, peak memory \d+ MiB", memory)
    result = run_here("benchmark_sequences", "--lengths=0")
    assert result.returncode == 2 and "lengths must be" in result.stderr
