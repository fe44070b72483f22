"""How much of its progress a program shows."""

import sys


def verbosity(verbose: bool = True) -> int:
    """What Keras calls `verbose`: bars on a terminal or in a notebook, and lines in a file.

    Args:
      verbose: whether anything is shown.

    Returns:
      0, 1 for bars, or 2 for a line at the end of each.
    """
    if not verbose:
        return 0
    return 1 if sys.stdout.isatty() or "ipykernel" in sys.modules else 2
