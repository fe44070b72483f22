"""A user's own code that programs run: what it raises is told in a sentence, with its place."""

import contextlib
import pathlib
import traceback
from collections.abc import Iterator

from zoo.core.checks import UsageError

_ZOO = pathlib.Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def told(sentence: str, folder: str | pathlib.Path) -> Iterator[None]:
    """A context in which a user's own code runs, which may raise anything, and may exit.

    Args:
      sentence: how the error begins, which the reason ends.
      folder: of the code, whose last line that was run is told.

    Raises:
      UsageError: with the reason, whatever was raised.
    """
    try:
        yield
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{sentence}: {_reason(error, pathlib.Path(folder))}.") from None


def _reason(error, folder):
    words = " ".join(str(error).split()).removesuffix(".")
    if isinstance(error, SyntaxError):
        return words  # which tell the place
    if not isinstance(error, ImportError):
        words = ": ".join(filter(None, [type(error).__name__, words]))
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if (file := pathlib.Path(frame.filename).resolve()).is_relative_to(folder.resolve())
        and file.is_file()
        and not file.is_relative_to(_ZOO)
    ]
    if not frames:
        return words
    return f"{words} ({pathlib.Path(frames[-1].filename).name}, line {frames[-1].lineno})"
