"""Ctrl-C and SIGTERM where work can be kept: noted the first time, and an end the second time."""

import signal
import subprocess
import sys

import pytest
from interrupting import press
from programs import ROOT

from zoo.core import signals

# By its path: it needs nothing of the zoo, whose import would take longest.
PROGRAM = """
import runpy, signal, sys, time
if sys.argv[1] == "ignored":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
signals = runpy.run_path(f"{ROOT}/zoo/core/signals.py")
try:
    with signals["raised"](), signals["deferred"]():
        print("within", flush=True)
        until = time.monotonic() + 60
        while not signals["asked_to_end"]() and time.monotonic() < until:
            time.sleep(0.01)
        print("asked", flush=True)
        if sys.argv[1] == "ends":
            signals["end"]("kept")
        if sys.argv[1] != "leaves":
            time.sleep(60)
except KeyboardInterrupt as ended:
    print(type(ended).__name__, ended, flush=True)
    sys.exit(128 + getattr(ended, "signum", signal.SIGINT))
""".replace("{ROOT}", str(ROOT))
INT, TERM = signal.SIGINT, signal.SIGTERM


@pytest.mark.parametrize(
    ("kind", "sent", "status", "told"),
    [
        ("stays", [INT, INT], 130, ["asked"]),
        ("stays", [INT, TERM], 143, ["asked"]),
        ("stays", [TERM, TERM], 143, ["asked"]),
        ("ends", [INT], 130, ["asked", "Interrupted kept"]),
        ("ends", [TERM], 143, ["asked", "Interrupted kept"]),
        ("leaves", [INT], 130, ["asked", "KeyboardInterrupt "]),
        ("leaves", [TERM], 143, ["asked", "Interrupted "]),
        ("ignored", [INT, TERM, TERM], 143, ["asked"]),
    ],
)
def test_signals(kind, sent, status, told):
    command = [sys.executable, "-c", PROGRAM, kind]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "within\n"
        heard = []
        for signum in sent:
            process.send_signal(signum)
            if not heard and not (kind == "ignored" and signum == INT):
                heard.append(process.stdout.readline().strip())
        # Not `communicate`, which would not see what the last `readline` had read ahead.
        rest, errors = process.stdout.read(), process.stderr.read()
    assert (process.returncode, heard + rest.splitlines()) == (status, told)
    assert "ends when this step is done; once more ends at once" in errors
    assert "Traceback" not in errors


def test_a_signal_that_nobody_asks_for_is_not_lost():
    with pytest.raises(KeyboardInterrupt), signals.deferred(), signals.deferred():
        press(signal.SIGINT)
    assert not signals.asked_to_end()
