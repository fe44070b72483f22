"""Collecting images, and running a compiled program over many of them, a chunk at a time."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.batches import as_batch
from zoo.core.checks import UsageError, check_positive
from zoo.core.fields import check_batch


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
    fields = {name: field for name, field in model.fields.items() if not field.training_only}
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


def preprocessed(model, batch: dict[str, np.ndarray], seed: Seed) -> dict[str, np.ndarray]:
    """What the model explains of examples: grey levels are binarised once, if need be.

    Args:
      model: which says what it explains.
      batch: fields, [N, ...] each, pixels in [0, 1].
      seed: int or int32[2], of the binarisation.

    Returns:
      The batch, in which fields are replaced.
    """
    tensors = {name: tf.constant(value) for name, value in batch.items()}
    explained = model.preprocess(tensors, samplers.fold_in(seed, "observe"))
    return {name: value.numpy() for name, value in explained.items()}


def in_chunks(run: Callable, arrays, chunk_size: int, title: str, verbose: bool):
    """Calls `run(*chunk)` on chunks of equal size, the last one padded, with a progress bar.

    Args:
      run: takes arrays [chunk_size, ...] and returns a nest of tensors [..., chunk_size].
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
    bar = keras.utils.Progbar(len(starts), verbose=int(verbose), unit_name="chunk")
    results = []
    for k, start in enumerate(starts):
        # The last chunk is filled up with its own start again, so that nothing is compiled twice.
        index = np.resize(np.arange(start, min(start + chunk_size, size)), chunk_size)
        outputs = run(*tf.nest.map_structure(lambda a, i=index: tf.constant(a[i]), arrays))
        results.append(tf.nest.map_structure(lambda t: t.numpy(), outputs))
        bar.update(k + 1)
    return tf.nest.map_structure(
        lambda *parts: np.concatenate(parts, axis=-1)[..., :size], *results
    )
