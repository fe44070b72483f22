"""What tests of bad input share: the inputs, and what counts as an answer."""

import collections
import contextlib
import os
import pathlib

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

import zoo

# A list, and no strategies of numbers and texts: those also draw constants of whatever modules are
# imported, so that what is tested would hang on what ran before.
JUNK = [None, True, False, -1, 0, 1, 2, 3, 10**6, 2**31, 2**63, 10**30, -(2**63)]
JUNK += [0.0, -0.5, 0.5, 2.0, 1e-300, 1e308, np.nan, np.inf, -np.inf]
JUNK += ["", "a", "0", "nan", "NaN ", "é", "\x00", "../..", "digits", "left", "%s", "{}"]
JUNK += [[], [1], [0, 0], [1, 2, 3], ["a"], {}, {"a": 1}, {"name": None}, {"": {}}]

COUNTS = collections.Counter()  # of inputs that were answered, and of those refused


TIMES = int(os.environ.get("BAD_INPUTS", "1"))


def inputs(number: int) -> settings:
    """So many inputs, the same ones in every run; times `BAD_INPUTS` of the environment."""
    return settings(
        max_examples=number * TIMES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def ask(question):
    """The answer, or None where the question was refused by one clear error."""
    try:
        answer = question()
    except (ValueError, FloatingPointError) as error:
        # The samplers' own check of a seed comes as a plain ValueError.
        told = isinstance(error, zoo.UsageError | FloatingPointError)
        polite = told or str(error).startswith("seed must be an int")
        assert polite and str(error).strip(), error
        COUNTS["refused"] += 1
        return None
    COUNTS["answered"] += 1
    return answer


damages = st.tuples(
    st.sampled_from(range(1000)).map(lambda k: k / 1000), st.sampled_from(["cut", "byte"])
)


@contextlib.contextmanager
def with_damage(path: pathlib.Path, damage):
    """A context in which a file is cut off, or a byte is wrong, at a share of its length."""
    whole = path.read_bytes()
    where, how = damage
    position = int(where * len(whole))
    broken = bytearray(whole)
    broken[position] ^= 0xFF
    try:
        path.write_bytes(whole[:position] if how == "cut" else bytes(broken))
        yield
    finally:
        path.write_bytes(whole)
