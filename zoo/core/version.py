"""Which version of the zoo wrote a file."""

from zoo.core.checks import UsageError

VERSION = "0.2.0"
__version__ = VERSION


def check(version: str | None, what: str) -> None:
    """Refuses what another version wrote; the first one, 0.1.0, did not say so in its files.

    Args:
      version: as the file says it; None where it does not.
      what: was read, the subject of the sentence.

    Raises:
      UsageError: naming the version that wrote it.
    """
    if version != VERSION:
        raise UsageError(
            f"{what} was written by version {version or '0.1.0'} of the zoo, and this is "
            f"{VERSION}; load it with that version, or train it again."
        )


def check_not_newer(version: str | None, what: str) -> None:
    """Refuses what a newer version wrote; what an older one wrote may still be read.

    Args:
      version: as the file says it; None where it does not.
      what: was read, the subject of the sentence.

    Raises:
      UsageError: naming the version that wrote it.
    """
    try:
        newer = _numbers(version) > _numbers(VERSION)
    except (ValueError, AttributeError):
        raise UsageError(f"{what} does not tell which version of the zoo wrote it.") from None
    if newer:
        raise UsageError(
            f"{what} was written by version {version} of the zoo, and this is {VERSION}; a newer "
            "one reads it."
        )


def is_before(version: str) -> bool:
    """Returns whether this version of the zoo is older than another one."""
    return _numbers(VERSION) < _numbers(version)


def _numbers(version):
    return [int(number) for number in version.split(".")]
