"""Functions that run op by op, where a test calls each but once and tracing would take longest."""

import contextlib

import tensorflow as tf


@contextlib.contextmanager
def eagerly():
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
