"""Methods that run as one compiled program."""

import functools

import tensorflow as tf


class compiled_method:  # noqa: N801 (a decorator)
    """Decorates a model's method: it is traced once per shape, and compiled as the model is.

    Whether XLA compiles it follows the model's `compile_chains`, which `compile(jit_compile=...)`
    sets. Pass counts that may change as tensors, or every new one is a new trace.
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
        return self.functions[model.compile_chains].__get__(model, owner)
