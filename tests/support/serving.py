"""Processes that serve exports: without the project, and without Keras."""

import subprocess
import sys
import textwrap

_HIDE = """
import sys

finders = sys.meta_path[:]


class Hidden:
    # Not found, rather than refused: TensorFlow looks for Keras, and goes on without it.
    def find_spec(self, name, *rest):
        hidden = {"zoo", "layers", "samplers", "keras", "tf_keras", "tensorflow_probability"}
        if name.split(".")[0] not in hidden:
            return next(filter(None, (f.find_spec(name, *rest) for f in finders)), None)


sys.meta_path[:] = [Hidden()]
"""


def run_alone(program, *arguments, cwd):
    """A program in a process that finds neither the project nor Keras nor TFP."""
    program = _HIDE + textwrap.dedent(program)
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout
