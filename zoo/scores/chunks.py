"""Running a compiled program over many images, a chunk at a time."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.checks import UsageError, check_positive
from zoo.core.pipeline import as_batch


def collect(model, data, num_images: int | None = None) -> np.ndarray:
    """The first `num_images` images (all by default) of an array or a pipeline, checked.

    Raises:
      UsageError: for images that the model does not take, or fewer than `num_images`.
    """
    if num_images is not None:
        check_positive(num_images=num_images)
    if isinstance(data, tf.data.Dataset):
        batches, size = [], 0
        for element in data:
            batches.append(np.asarray(as_batch(element)["x"]))
            size += len(batches[-1])
            if num_images is not None and size >= num_images:
                break
        if not batches:
            raise UsageError("data must hold at least one image; the pipeline was empty.")
        data = np.concatenate(batches)
    x = model.fields["x"].check("data", as_batch(data)["x"])
    if num_images is not None and len(x) < num_images:
        raise UsageError(f"num_images must be at most {len(x)}, all of them; it was {num_images}.")
    return x[:num_images]


def observed(model, x: np.ndarray, seed: Seed) -> np.ndarray:
    """What the model explains of images, [N, ...event]: binarised once, by `seed`, if need be."""
    batch = model.preprocess({"x": tf.constant(x)}, samplers.fold_in(seed, "observe"))
    return batch["x"].numpy()


def in_chunks(run: Callable, arrays, chunk_size: int, title: str, verbose: bool):
    """Calls `run(*chunk)` on chunks of equal size, the last one padded, with a progress bar.

    Args:
      run: from arrays [chunk_size, ...] to a nest of tensors [..., chunk_size].
      arrays: arrays that share their first axis.
      chunk_size: images at a time.
      title: of the progress bar.
      verbose: whether to show it.

    Returns:
      The nest as NumPy arrays [..., N].
    """
    size = len(arrays[0])
    chunk_size = min(chunk_size, size)
    starts = range(0, size, chunk_size)
    if verbose:
        print(title, flush=True)
    bar = keras.utils.Progbar(len(starts), verbose=int(verbose), unit_name="chunk")
    results = []
    for k, start in enumerate(starts):
        # The last chunk is filled up with its own start again, so that nothing is compiled twice.
        index = np.resize(np.arange(start, min(start + chunk_size, size)), chunk_size)
        outputs = run(*(tf.constant(a[index]) for a in arrays))
        results.append(tf.nest.map_structure(lambda t: t.numpy(), outputs))
        bar.update(k + 1)
    return tf.nest.map_structure(
        lambda *parts: np.concatenate(parts, axis=-1)[..., :size], *results
    )
