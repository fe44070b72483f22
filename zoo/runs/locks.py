"""Locks on files, which the system releases when their process ends, however it ends."""

import contextlib
import errno
import fcntl
import os
import pathlib
import socket
import sys

from zoo.core.checks import UsageError

_RUN, _MANIFEST = ".lock", ".manifest.lock"
_HAS_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextlib.contextmanager
def locked_run(workdir: str | pathlib.Path):
    """A context in which no other program trains or scores the run of a work directory.

    Raises:
      UsageError: naming the process that does.
    """
    told = f"{pathlib.Path(sys.argv[0]).name}, process {os.getpid()} on {socket.gethostname()}"
    try:
        with _locked(pathlib.Path(workdir) / _RUN, fcntl.LOCK_EX | fcntl.LOCK_NB) as file:
            file.truncate(0)
            file.write(told)
            file.flush()
            yield
    except _Taken as taken:
        raise UsageError(
            f"workdir: {str(workdir)!r} is in use by {taken.holder or 'another process'}; wait "
            "for its end, or give another directory."
        ) from None


@contextlib.contextmanager
def locked_manifest(workdir: str | pathlib.Path):
    """A context in which no other program changes the manifest, once those before have done."""
    with _locked(pathlib.Path(workdir) / _MANIFEST, fcntl.LOCK_EX):
        yield


class _Taken(Exception):  # noqa: N818 (no error)
    def __init__(self, holder):
        self.holder = holder


@contextlib.contextmanager
def _locked(path, how):
    """The open file of a lock; it is removed in the end, and left by a process that is killed."""
    while True:
        file = path.open("a+")
        try:
            fcntl.flock(file, how)
        except BlockingIOError:
            file.seek(0)
            raise _Taken(file.read()) from None
        except OSError as error:
            if error.errno not in _HAS_NO_LOCKS:  # of the file system, where nobody can lock
                raise
        # Whoever held it before may have removed it meanwhile.
        if _is(file, path):
            break
        file.close()
    try:
        yield file
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _is(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
