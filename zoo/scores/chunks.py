"""Collecting images, and running a compiled program over many of them, a chunk at a time."""

import contextlib
import itertools
import pathlib
import time
import zipfile
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core import signals
from zoo.core.batches import as_batch
from zoo.core.checks import UsageError, check_positive
from zoo.core.fields import check_batch, inference_fields
from zoo.core.files import atomic_write
from zoo.core.progress import verbosity


def collect(model, data, num_images: int | None = None) -> np.ndarray:
    """The first images of some data, checked.

    Args:
      model: whose fields are asked for.
      data: an array of images, a dictionary of the model's fields, or a pipeline.
      num_images: so many images are taken; all by default.

    Returns:
      The field `x` of `collect_batch`, [N, ...event].

    Raises:
      UsageError: as `collect_batch`.
    """
    return collect_batch(model, data, num_images)["x"]


def collect_batch(model, data, num_images: int | None = None) -> dict[str, np.ndarray]:
    """The first examples of some data as one batch of the fields that inference takes, checked.

    Args:
      model: whose fields are asked for.
      data: an array of images, a dictionary of the model's fields, or a pipeline.
      num_images: so many examples are taken; all by default.

    Returns:
      The fields by name, [N, ...] each.

    Raises:
      UsageError: for a field that is missing or that its check refuses, or fewer than `num_images`.
    """
    if num_images is not None:
        check_positive(num_images=num_images)
    fields = inference_fields(model.fields)
    if isinstance(data, tf.data.Dataset):
        batches, size = [], 0
        for element in data:
            batches.append({k: v for k, v in as_batch(element).items() if k in fields})
            size += len(batches[-1]["x"])
            if num_images is not None and size >= num_images:
                break
        if not batches:
            raise UsageError("data must hold at least one image; the pipeline was empty.")
        data = tf.nest.map_structure(lambda *parts: np.concatenate(parts), *batches)
    batch = check_batch(fields, as_batch(data))
    size = len(batch["x"])
    if num_images is not None and size < num_images:
        raise UsageError(f"num_images must be at most {size}, all of them; it was {num_images}.")
    return {name: value[:num_images] for name, value in batch.items()}


def prepare(model, seed: Seed) -> dict[str, float]:
    """Lets a model estimate what its scores need, such as log Z, unless it is known.

    Args:
      model: that is scored.
      seed: int or int32[2], of the score.

    Returns:
      What the model tells of it.
    """
    return model.prepare_for_scores(samplers.fold_in(seed, "prepare"))


def preprocessed(model, batch: dict[str, np.ndarray], seed: Seed) -> dict[str, np.ndarray]:
    """What the model explains of examples: grey levels are binarised once, if need be, and what it
    is to tell, such as labels, is not in it.

    Args:
      model: which says what it explains.
      batch: fields, [N, ...] each, pixels in [0, 1].
      seed: int or int32[2], of the binarisation.

    Returns:
      The batch, in which fields are replaced.
    """
    tensors = {name: tf.constant(value) for name, value in batch.items()}
    explained = model.preprocess(model.without_answers(tensors), samplers.fold_in(seed, "observe"))
    return {name: value.numpy() for name, value in explained.items()}


@contextlib.contextmanager
def kept_in(folder: pathlib.Path):
    """A context in which the chunks of `in_chunks` are kept, and not run where they were kept.

    A program that is asked to end does so after a chunk, and loses none. Whoever enters the context
    again must run the same in the same order.

    Args:
      folder: where they are kept; it is made if missing.

    Raises:
      Interrupted: after Ctrl-C or SIGTERM.
    """
    global _kept
    before, _kept = _kept, _Kept(folder)
    try:
        with signals.deferred(_kept.step):
            yield
    finally:
        _kept = before


def in_chunks(run: Callable, arrays, chunk_size: int, title: str, verbose: bool):
    """Calls `run(*chunk)` on chunks of equal size, the last one padded, with a progress bar.

    Args:
      run: a function of arrays [chunk_size, ...], which returns a nest of tensors
        [..., chunk_size].
      arrays: a sequence of arrays, or of dictionaries of arrays, that share their first axis.
      chunk_size: examples at a time.
      title: of the progress bar.
      verbose: whether it is shown.

    Returns:
      The nest as NumPy arrays [..., N].
    """
    size = len(tf.nest.flatten(arrays)[0])
    chunk_size = min(chunk_size, size)
    starts = range(0, size, chunk_size)
    if verbose:
        print(title, flush=True)
    bar = keras.utils.Progbar(len(starts), verbose=verbosity(verbose), unit_name="chunk")
    paths = _kept.paths() if _kept else itertools.repeat(None)
    results, outputs = [], None
    for k, (start, path) in enumerate(zip(starts, paths, strict=False)):
        # The last chunk is filled up with its own start again, so that nothing is compiled twice.
        index = np.resize(np.arange(start, min(start + chunk_size, size)), chunk_size)
        chunk = tf.nest.map_structure(lambda a, i=index: tf.constant(a[i]), arrays)
        found = _read(path)
        if found is None:
            began = time.monotonic()
            outputs = run(*chunk)
            found = [tensor.numpy() for tensor in tf.nest.flatten(outputs)]
            _write(path, found)
            if _kept:
                _kept.seconds = time.monotonic() - began
        results.append(found)
        bar.update(k + 1)
        if path and signals.asked_to_end():
            signals.end("what was scored is kept")
    if outputs is None:  # for their structure
        traced = tf.function(run, autograph=False).get_concrete_function(*chunk)
        outputs = traced.structured_outputs
    whole = [np.concatenate(parts, axis=-1)[..., :size] for parts in zip(*results, strict=True)]
    return tf.nest.pack_sequence_as(outputs, whole)


class _Kept:
    """Files for the chunks of each call of `in_chunks`, and how long the last one took."""

    def __init__(self, folder):
        self._folder, self._calls = folder, itertools.count()
        self.seconds = None

    def step(self):
        """When a program ends that is asked to: no chunk can be left in its middle and be kept."""
        last = "" if self.seconds is None else f", of which the last took {self.seconds:.0f} s"
        return f"this chunk of images is done{last}"

    def paths(self):
        call = next(self._calls)
        return (self._folder / f"{call}-{chunk}.npz" for chunk in itertools.count())


_kept: _Kept | None = None


def _read(path):
    if path is None or not path.exists():
        return None
    try:
        with np.load(path) as file:
            return [file[f"arr_{k}"] for k in range(len(file.files))]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # it is damaged, and run again


def _write(path, arrays):
    if path is not None:
        with atomic_write(path) as partial:
            np.savez(partial, *arrays)
