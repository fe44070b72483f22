"""Signals to this process, as a user or a cluster sends them."""

import os
import time

from zoo.core import signals


def press(signum):
    """Sends a signal, once, and waits until it has been noted."""
    if not signals.asked_to_end():
        os.kill(os.getpid(), signum)
    while not signals.asked_to_end():
        time.sleep(0.001)
