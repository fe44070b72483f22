"""Processes that serve exports: without the project, and without Keras."""

import functools
import json
import pathlib
import subprocess
import sys
import tempfile
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


# Imports TensorFlow once, which takes most of the time of a small program, and forks for each.
_FORK = """
import json, os, traceback
import numpy, tensorflow

for line in sys.stdin:
    request = json.loads(line)
    process = os.fork()
    if process == 0:
        os.chdir(request["cwd"])
        for stream, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT), stream)
        sys.argv[1:] = request["arguments"]
        try:
            exec(request["program"], {"__name__": "__main__"})
            status = 0
        except SystemExit as end:
            status = end.code or 0
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


@functools.cache
def _forking():
    return subprocess.Popen(
        [sys.executable, "-c", _HIDE + _FORK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def run_alone(program, *arguments, cwd):
    """A program in a process that finds neither the project nor Keras nor TFP; what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        request = {
            "program": textwrap.dedent(program),
            "arguments": [str(argument) for argument in arguments],
            "cwd": str(cwd),
            "stdout": f"{folder}/stdout",
            "stderr": f"{folder}/stderr",
        }
        process = _forking()
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        status = process.stdout.readline().strip()
        printed, told = (pathlib.Path(request[name]).read_text() for name in ("stdout", "stderr"))
    assert status == "0", told
    return printed


def with_signatures(model, *names):
    """The model, which gives away no other signatures: to trace all takes seconds."""
    kept = {name: model.signatures()[name] for name in names}
    model.signatures = lambda: dict(kept)
    return model
