"""The policy by which a part of the code makes layers."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def made_by(policy: keras.DTypePolicy) -> Iterator[None]:
    """A context in which Keras makes layers by a policy, whatever the global one is.

    Args:
      policy: of their numbers' types.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
