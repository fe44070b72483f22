"""Runs a command, prints its processor and wall time, and fails where the first is too long."""

import resource
import subprocess
import sys
import time

MOST_SECONDS = 20 * 60

start = time.monotonic()
status = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = used.ru_utime + used.ru_stime
print(f"processor time {seconds / 60:.1f} min, wall time {(time.monotonic() - start) / 60:.1f} min")
if not status and seconds > MOST_SECONDS:
    print(f"error: the tests may take {MOST_SECONDS // 60} min of processor time", file=sys.stderr)
    status = 1
sys.exit(status)
