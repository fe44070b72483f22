"""Runs a command, prints its processor and wall time, and fails where the first is too long.

The speed of a shared core varies, and the tests are mostly Python: the bound is for a core that
takes a quarter of a second for a fixed loop, as where it was set, and grows with what the loop
takes while the command runs. (A core of a whole second needs 3.8 times as long for the same tests.)
"""

import resource
import statistics
import subprocess
import sys
import threading
import time

MOST_SECONDS = 20 * 60
LOOP_SECONDS = 0.25  # of two million rounds
ROUNDS = 100_000


def loop_seconds() -> float:
    """Processor time of two million rounds, by a twentieth of them."""
    start, counts = time.thread_time(), {}
    for i in range(ROUNDS):
        counts[i % 1000] = counts.get(i % 1000, 0) + i
    return 20 * (time.thread_time() - start)


def measure(found: list[float], ended: threading.Event) -> None:
    """Appends what the loop takes, every few seconds until the command has ended."""
    found.append(loop_seconds())
    while not ended.wait(5):
        found.append(loop_seconds())


loops, ended = [], threading.Event()
measuring = threading.Thread(target=measure, args=(loops, ended))
start = time.monotonic()
measuring.start()
status = subprocess.run(sys.argv[1:]).returncode
ended.set()
measuring.join()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = used.ru_utime + used.ru_stime
slowness = max(1.0, statistics.median(loops) / LOOP_SECONDS)
print(
    f"processor time {seconds / 60:.1f} min, wall time {(time.monotonic() - start) / 60:.1f} min, "
    f"on cores {slowness:.2f} times as slow as where the bound was set"
)
if not status and seconds > MOST_SECONDS * slowness:
    told = f"{MOST_SECONDS * slowness / 60:.0f} min of processor time"
    print(f"error: the tests may take {told}", file=sys.stderr)
    status = 1
sys.exit(status)
