"""Methods and functions of a model that run as one compiled program."""

import contextlib
import functools

import keras
import tensorflow as tf


class compiled_method:  # noqa: N801 (a decorator)
    """Decorates a model's method, or a function whose first argument is a model.

    It is traced once for each model and shape, and compiled as the model is: whether XLA does it
    follows the model's `compile_chains`, which `compile(jit_compile=...)` sets. Its programs go
    with the model. Pass counts that may change as tensors, or every new one is a new trace.

    Called while another program is traced, it becomes a part of that.
    """

    def __init__(self, method):
        functools.update_wrapper(self, method)
        self.method = method
        self.functions = {
            xla: tf.function(method, jit_compile=xla, autograph=False) for xla in (True, False)
        }

    def __get__(self, model, owner=None):
        if model is None:
            return self
        xla = model.compile_chains and tf.executing_eagerly()
        return self.functions[xla].__get__(model, owner)

    def __call__(self, model, *args, **kwargs):
        return self.__get__(model)(*args, **kwargs)


@contextlib.contextmanager
def without_xla(model: keras.Model):
    """A context in which XLA compiles no chain of a model: of few images that takes longer.

    Args:
      model: whose programs run as TensorFlow's graphs here, with other random numbers.
    """
    kept, model.compile_chains = model.compile_chains, False
    try:
        yield
    finally:
        model.compile_chains = kept
