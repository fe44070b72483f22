"""Locks: one program at a time, whichever way the one before has ended."""

import subprocess
import sys
import threading

import pytest

import zoo
from zoo.runs import manifest
from zoo.runs.locks import locked_run

HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "a+")
fcntl.flock(file, fcntl.LOCK_EX)
file.write("train.py, process 7 on elsewhere")
file.flush()
print("held", flush=True)
time.sleep(60)
"""


def test_the_second_program_is_told_of_the_first(tmp_path):
    with locked_run(tmp_path):
        told = r"is in use by .*, process \d+ on .+; wait for its end, or give another directory"
        with pytest.raises(zoo.UsageError, match=told), locked_run(tmp_path):
            pass
        with pytest.raises(zoo.UsageError, match=told), locked_run(str(tmp_path)):
            pass
    with locked_run(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_the_system_releases_what_a_killed_program_held(tmp_path):
    command = [sys.executable, "-c", HOLD, tmp_path / ".lock"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        told = "by train.py, process 7 on elsewhere; wait"
        with pytest.raises(zoo.UsageError, match=told), locked_run(tmp_path):
            pass
        process.kill()
        process.wait()
        assert (tmp_path / ".lock").exists()
        with locked_run(tmp_path):
            pass
    assert not list(tmp_path.iterdir())


def test_a_lock_ends_with_an_error(tmp_path):
    with pytest.raises(KeyError), locked_run(tmp_path):
        raise KeyError
    with locked_run(tmp_path):
        pass


def test_programs_that_claim_files_at_once_lose_none(tmp_path):
    manifest.create(tmp_path)
    names = [f"file{k}" for k in range(24)]
    begin = threading.Barrier(len(names))

    def claim(name):
        begin.wait()
        manifest.claim(tmp_path, name)

    threads = [threading.Thread(target=claim, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(manifest.names(tmp_path)) == sorted(names)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
