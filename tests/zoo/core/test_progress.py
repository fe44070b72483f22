"""Bars on a terminal and in a notebook, and in a file a line for each."""

import io
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.core.progress import verbosity
from zoo.scores.chunks import in_chunks


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stdout", "notebook", "verbose", "expected"),
    [
        (io.StringIO(), False, True, 2),
        (Terminal(), False, True, 1),
        (io.StringIO(), True, True, 1),
        (Terminal(), False, False, 0),
        (io.StringIO(), False, False, 0),
    ],
)
def test_verbosity(stdout, notebook, verbose, expected, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setitem(sys.modules, "ipykernel", keras) if notebook else None
    assert verbosity(verbose) == expected


def test_chunks_are_one_line_in_a_file(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    in_chunks(tf.identity, (np.arange(10.0),), 2, "Numbers", verbose=True)
    told = sys.stdout.getvalue()
    assert "\b" not in told and told.startswith("Numbers\n5/5 - ") and told.count("\n") == 2
