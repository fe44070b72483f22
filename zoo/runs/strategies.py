"""Training on several devices and machines: strategies, and what their workers must agree on."""

import contextlib
import io
import json
import os
import socket
import sys
import threading
import time

import numpy as np
import tensorflow as tf

from zoo.core.checks import UsageError, check_choice
from zoo.core.choices import STRATEGIES
from zoo.core.replicas import is_multi_worker

_PING_SECONDS = 5.0
_LOST_AFTER = 3  # pings in a row without an answer
_LOST_STATUS = 3  # of the exit of a worker that has lost another


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Makes a strategy, which must come before anything else of TensorFlow.

    Args:
      name: "none"; "mirrored", over this machine's GPUs; or "multi_worker", over the machines that
        the environment variable TF_CONFIG names.

    Returns:
      The strategy.

    Raises:
      UsageError: for another name, or a TF_CONFIG that does not say who the workers are.
    """
    check_choice("strategy", name, STRATEGIES)
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "multi_worker":
        cluster()
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def cluster() -> tuple[list[str], int]:
    """Reads from TF_CONFIG who the workers are.

    Returns:
      The addresses of all workers, HOST:PORT, and the number of this process among them.

    Raises:
      UsageError: if TF_CONFIG is missing or does not say.
    """
    try:
        config = json.loads(os.environ["TF_CONFIG"])
        workers, task = config["cluster"]["worker"], config["task"]
        index = task["index"]
        fine = task["type"] == "worker" and workers[index] and index >= 0
        fine &= all(address.rpartition(":")[2].isdigit() for address in workers)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        fine = False
    if not fine:
        raise UsageError(
            "TF_CONFIG must name the workers and this one, as "
            '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
            '"task": {"type": "worker", "index": 0}}; '
            f"it was {os.environ.get('TF_CONFIG')!r}."
        )
    return workers, index


def broadcast(strategy: tf.distribute.Strategy, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Sends the chief's arrays to all workers, which must all call this at the same place.

    Args:
      strategy: what the workers train by.
      arrays: of the chief; the others pass any arrays of the same shapes.

    Returns:
      The chief's arrays.
    """
    if not is_multi_worker(strategy):
        return arrays

    @tf.function(autograph=False)
    def sent(values):
        def replica(values):
            context = tf.distribute.get_replica_context()
            chief = context.replica_id_in_sync_group == 0
            kept = [tf.where(chief, value, tf.zeros_like(value)) for value in values]
            return [context.all_reduce(tf.distribute.ReduceOp.SUM, value) for value in kept]

        return strategy.run(replica, args=(values,))

    received = sent([tf.constant(array) for array in arrays])
    return [strategy.experimental_local_results(value)[0].numpy() for value in received]


def broadcast_arrays(
    strategy: tf.distribute.Strategy, arrays: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """As `broadcast`, of arrays by name, of which the other workers need not know the shapes."""
    if not is_multi_worker(strategy):
        return arrays
    file = io.BytesIO()
    np.savez(file, **arrays)
    content = np.frombuffer(file.getvalue(), np.uint8).astype(np.int32)
    (size,) = broadcast(strategy, [np.asarray(len(content), np.int32)])
    (content,) = broadcast(strategy, [np.resize(content, int(size))])
    with np.load(io.BytesIO(content.astype(np.uint8).tobytes())) as file:
        return dict(file)


@contextlib.contextmanager
def watching_workers(strategy: tf.distribute.Strategy):
    """A context in which a worker that is gone ends the others, with one clear line.

    At its end all workers wait for each other. TensorFlow's own collective operations would wait
    for one that is gone, for minutes or for ever. Under other strategies nothing is watched.

    Args:
      strategy: what the workers train by.
    """
    if not is_multi_worker(strategy):
        yield
        return
    over = threading.Event()
    threading.Thread(target=_watch, args=(over,), daemon=True).start()
    try:
        yield
        broadcast(strategy, [np.zeros([], np.int32)])
    except tf.errors.OpError:
        # A collective operation that failed has noticed it first, if that is why.
        for _ in range(_LOST_AFTER):
            for address in _others():
                if not _answers(address):
                    _end(address)
            time.sleep(1)
        raise
    finally:
        over.set()


def _watch(over):
    missed = dict.fromkeys(_others(), 0)
    while not over.wait(_PING_SECONDS):
        for address in missed:
            missed[address] = 0 if _answers(address) else missed[address] + 1
            if missed[address] >= _LOST_AFTER and not over.is_set():
                _end(address)


def _end(address):
    """Ends this process at once, whatever it waits for."""
    print(
        f"error: worker {address} is gone; start all workers again, and the run goes on after the "
        "last epoch that was written.",
        file=sys.stderr,
        flush=True,
    )
    os._exit(_LOST_STATUS)


def _others():
    workers, index = cluster()
    return [address for k, address in enumerate(workers) if k != index]


def _answers(address):
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PING_SECONDS).close()
    except OSError:
        return False
    return True
