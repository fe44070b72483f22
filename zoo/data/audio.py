"""Recordings: waveforms in folders of WAV files."""

import collections
import functools
import math
import pathlib
import warnings

import numpy as np
import scipy.io.wavfile
import scipy.signal
from absl import logging

from zoo.core.checks import check_count
from zoo.core.choices import WAVE_FILES
from zoo.core.sequences import WaveformField
from zoo.data.folders import whole_files, with_classes
from zoo.data.registry import register_source
from zoo.data.sequences import padded, sequence_fields
from zoo.data.splits import Splits


@register_source("audio", path="DIR", fields=functools.partial(sequence_fields, WaveformField))
def read_audio(
    path: pathlib.Path,
    *,
    rate: int = 8000,
    frame: int = 200,
    max_length: int | None = None,
    verbose: bool = True,
) -> tuple[Splits, dict]:
    """Returns the splits of a folder of WAV files, as `zoo.data.load` tells, their rate and grid.

    Warns of files that are broken and skipped, of other rates, and of recordings that are cut.

    Args:
      path: of the folder.
      rate: samples in a second, in Hz; recordings of other rates are resampled.
      frame: samples of one step.
      max_length: in frames; longer recordings are cut there. None keeps them.
      verbose: whether a progress bar is shown.

    Raises:
      UsageError: for a folder that is missing or has no whole recording.
    """
    check_count(rate=rate, frame=frame)
    recordings, splits_of, folders = [], [], collections.defaultdict(list)
    rates, grid = collections.Counter(), 0.0
    for split, folder, recording in whole_files(
        path, WAVE_FILES, read_recording, "recording", verbose
    ):
        samples, found, step = recording
        rates[found] += 1
        grid = max(grid, step)
        if found != rate:
            divisor = math.gcd(found, rate)
            samples = scipy.signal.resample_poly(samples, rate // divisor, found // divisor)
        steps = -(-len(samples) // frame)
        samples = np.pad(samples, (0, steps * frame - len(samples)))
        recordings.append(samples.reshape(steps, frame))
        splits_of.append(split)
        folders[split].append(folder)
    if others := {other: number for other, number in sorted(rates.items()) if other != rate}:
        logging.warning(
            "data: resampled %d of %d recordings of %r to rate=%d Hz; they had %s Hz.",
            sum(others.values()),
            len(recordings),
            str(path),
            rate,
            ", ".join(map(str, others)),
        )
    all_of_them, splits_of = padded(recordings, max_length, str(path)), np.array(splits_of)
    splits = {
        split: {name: array[splits_of == split] for name, array in all_of_them.items()}
        for split in folders
    }
    return with_classes(splits, folders), {"rate": rate, "grid": grid}


def read_recording(path: pathlib.Path) -> tuple[np.ndarray, int, float]:
    """Reads a WAV file.

    Args:
      path: of a file of 8, 16, 24 or 32 bits, or of floats.

    Returns:
      The samples as float32, in [-1, 1], the mean over the channels; their rate in Hz; and the step
      of the grid on which each channel lies, 0 of floats.

    Raises:
      OSError, ValueError: and others that a broken file makes SciPy raise.
    """
    with warnings.catch_warnings():
        # Of chunks that are no samples, such as titles. A file that ends too soon is broken.
        warnings.simplefilter("ignore", scipy.io.wavfile.WavFileWarning)
        warnings.filterwarnings("error", "Reached EOF prematurely")
        rate, samples = scipy.io.wavfile.read(path)
    if not samples.size or rate < 1:
        raise ValueError(f"it has {len(samples)} samples at {rate} Hz")
    step = 0.0
    if samples.dtype.kind in "iu":
        bits = 8 * samples.dtype.itemsize
        if bits == 32 and not (samples & 0xFF).any():
            bits = 24  # which SciPy keeps in the upper bytes
        top = 2.0 ** (8 * samples.dtype.itemsize - 1)
        step = 2.0 ** (1 - bits)
        samples = (samples.astype(np.float64) - (top if samples.dtype.kind == "u" else 0)) / top
    if not np.isfinite(samples).all():
        raise ValueError("it holds NaN or infinite samples")
    samples = samples.reshape(len(samples), -1).mean(1)
    return samples.astype(np.float32), rate, step
