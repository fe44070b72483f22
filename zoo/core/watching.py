"""Chains that are watched: what a compiled program gives out before it has ended."""

import contextlib
import contextvars
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

_key = contextvars.ContextVar("key", default=None)  # of the one who watches, while a trace is made
_watchers, _keys = {}, itertools.count()


class _Watcher:
    def __init__(self, callback):
        self.callback, self.raised = callback, None

    def __call__(self, value):
        try:
            self.callback(value)
        except BaseException as error:
            self.raised = error
            raise


@contextlib.contextmanager
def watching(callback: Callable[[np.ndarray], None]) -> Iterator[tf.Tensor]:
    """A context in which programs give out what they show.

    Args:
      callback: takes each value, in order. What it raises ends the program, and the context.

    Yields:
      The key that `shown_to` takes; an input of the program, which so is traced once for all.
    """
    key, watcher = next(_keys), _Watcher(callback)
    _watchers[key] = watcher
    try:
        yield tf.constant(key, tf.int64)
    except tf.errors.OpError:
        if watcher.raised is None:
            raise
        raise watcher.raised from None
    finally:
        del _watchers[key]


@contextlib.contextmanager
def shown_to(key: tf.Tensor) -> Iterator[None]:
    """A context in which a program is traced that shows what passes `show`."""
    token = _key.set(key)
    try:
        yield
    finally:
        _key.reset(token)


def is_watched() -> bool:
    """Whether the program that is traced now gives out what it shows."""
    return _key.get() is not None


def show(value: tf.Tensor) -> None:
    """Gives a value to the one who watches, if anybody does; XLA could not."""
    if not is_watched():
        return
    key = _key.get()
    [told] = tf.numpy_function(_deliver, [key, value], [tf.int64], name="show")
    if told.graph is key.graph:  # what is shown within a later loop takes its key from here
        told.set_shape([])
        _key.set(told)


def _deliver(key, value):
    _watchers[int(key)](value)
    return key
