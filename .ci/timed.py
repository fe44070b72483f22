"""Runs a command, prints its processor and wall time, and fails where the first is too long.

The speed of cores differs, and the tests are mostly Python: the bound is for a machine that takes
half a second for a fixed loop, and grows on slower ones. (Where it was set the loop took a quarter
of a second: one that takes 1.0 s needs 3.8 times as long for the same tests.)
"""

import resource
import subprocess
import sys
import time

MOST_SECONDS = 20 * 60
LOOP_SECONDS = 0.5


def loop_seconds() -> float:
    """Processor time of a fixed loop of Python, the best of five."""
    best = float("inf")
    for _ in range(5):
        start, counts = time.process_time(), {}
        for i in range(2_000_000):
            counts[i % 1000] = counts.get(i % 1000, 0) + i
        best = min(best, time.process_time() - start)
    return best


slowness = max(1.0, loop_seconds() / LOOP_SECONDS)
start = time.monotonic()
status = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = used.ru_utime + used.ru_stime
print(
    f"processor time {seconds / 60:.1f} min, wall time {(time.monotonic() - start) / 60:.1f} min, "
    f"on a machine {slowness:.2f} times as slow as the reference"
)
if not status and seconds > MOST_SECONDS * slowness:
    told = f"{MOST_SECONDS * slowness / 60:.0f} min of processor time"
    print(f"error: the tests may take {told}", file=sys.stderr)
    status = 1
sys.exit(status)
