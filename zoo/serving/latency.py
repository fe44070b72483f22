"""How fast an export answers: requests and their latencies, by TensorFlow alone."""

import pathlib
import time
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError, check_count, check_positive

_NUM_WARMUPS = 3  # the first trace and allocate


class Latencies(NamedTuple):
    """How long requests took that were made one after the other.

    Attributes:
      requests_per_second: how many were answered in a second.
      p50: the median latency, milliseconds.
      p95: 95 % took at most so long, milliseconds.
      p99: 99 % took at most so long, milliseconds.
    """

    requests_per_second: float
    p50: float
    p95: float
    p99: float


def warmup_requests(path: str | pathlib.Path) -> dict[str, dict[str, np.ndarray]]:
    """Reads the smallest request for each signature, which an export carries.

    Args:
      path: of an export of `zoo.export`.

    Returns:
      The inputs by name, of each signature by name.

    Raises:
      UsageError: if there is no export of `zoo.export` at `path`.
    """
    from tensorflow_serving.apis import prediction_log_pb2  # slow to import, and only used here

    file = pathlib.Path(path) / "assets.extra" / "tf_serving_warmup_requests"
    if not file.is_file():
        raise UsageError(f"export: {str(path)!r} is no export of zoo; write one by `export`.")
    requests = {}
    for record in tf.data.TFRecordDataset(str(file)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        requests[request.model_spec.signature_name] = inputs
    return requests


def latencies(signature, request: dict, batch_size: int, *, seconds: float, **counts) -> Latencies:
    """Asks a signature for some time, one request after the other, each with another seed.

    Args:
      signature: one of a loaded SavedModel.
      request: as `warmup_requests` gives it; its images are repeated.
      batch_size: images in a request, or that it asks for.
      seconds: how long it is asked, at least for one request, after a warm-up.
      **counts: values of other inputs, such as `num_steps`.

    Returns:
      The rate of the requests and their latencies, without those of the warm-up.

    Raises:
      UsageError: for a number that is not positive.
    """
    check_count(batch_size=batch_size, **counts)
    check_positive(seconds=seconds)
    counts = {"num_samples": batch_size} | counts
    specs = signature.structured_input_signature[1]
    inputs = {
        name: tf.constant(
            np.repeat(value, batch_size, 0) if specs[name].shape.as_list()[:1] == [None] else value
        )
        for name, value in request.items()
    }
    inputs |= {k: tf.constant(v, tf.int32) for k, v in counts.items() if k in inputs}

    def ask(number):
        inputs["seed"] = tf.constant([0, number])
        start = time.perf_counter()
        for output in signature(**inputs).values():
            output.numpy()
        return time.perf_counter() - start

    for number in range(_NUM_WARMUPS):
        ask(number)
    taken, end = [], time.perf_counter() + seconds
    while not taken or time.perf_counter() < end:
        taken.append(ask(_NUM_WARMUPS + len(taken)))
    return Latencies(len(taken) / sum(taken), *np.percentile(np.array(taken) * 1e3, (50, 95, 99)))
