"""Ctrl-C and SIGTERM: a program ends where its work can be kept, or else at once."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_received: list[int] = []
_watched = False  # whether a context of `deferred` is entered


class Interrupted(KeyboardInterrupt):
    """The end of what was asked to end by a signal; its text says what is kept.

    Args:
      told: what is kept, in words.
      signum: the signal.
    """

    def __init__(self, told: str = "", signum: int = signal.SIGINT):
        super().__init__(told)
        self.signum = signum


@contextlib.contextmanager
def raised():
    """A context in which SIGTERM ends the program as Ctrl-C does, by an exception.

    Raises:
      Interrupted: when it comes.
    """

    def handle(signum, _):
        raise Interrupted(signum=signum)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def asked_to_end() -> int | None:
    """The first signal that came within a context of `deferred`, if one has come."""
    return _received[0] if _received else None


def end(told: str) -> None:
    """Ends what was asked to end.

    Args:
      told: what is kept, in words.

    Raises:
      Interrupted: always.
    """
    raise Interrupted(told, _received.pop(0))


@contextlib.contextmanager
def deferred(step: Callable[[], str] = lambda: "this step is done"):
    """A context in which a first signal is noted for `asked_to_end`, and a second ends at once.

    A signal that nobody has asked for is sent once more when the context is left. Signals that the
    process ignores stay ignored, and in another thread than the main one nothing changes.

    Args:
      step: tells when a first signal ends the program, as a user then reads.
    """
    global _watched
    if _watched or threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    # Python calls handlers when it runs again, which may be long after; a thread hears at once.
    thread = threading.Thread(target=_listen, args=(reader, step), daemon=True)
    watched = [s for s in _SIGNALS if signal.getsignal(s) not in (signal.SIG_IGN, None)]
    handlers = {signum: signal.signal(signum, lambda *_: None) for signum in watched}
    descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    _watched = True
    thread.start()
    try:
        yield
    finally:
        _watched = False
        signal.set_wakeup_fd(descriptor)
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
        writer.close()
        thread.join()
        reader.close()
        left, _received[:] = _received[:1], []
    for signum in left:
        signal.raise_signal(signum)


def _listen(reader, step):
    while received := reader.recv(1):
        if received[0] not in _SIGNALS:
            continue
        if _received:
            os._exit(128 + received[0])
        _received.append(received[0])
        name = signal.Signals(received[0]).name
        print(f"{name}: ends when {step()}; once more ends at once.", file=sys.stderr)
