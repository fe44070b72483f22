"""Several training steps as one program of XLA, with no call of TensorFlow between them."""

import math
from collections.abc import Callable

import keras
import tensorflow as tf

from zoo.core.pipeline import num_batches

# What the calls between short steps take is more than what loops of XLA lose: these compute longer
# steps slower than calls do, and convolutions several times as slow (docs/speed.md).
_MOST_PRODUCTS = 30_000_000  # examples of a batch times numbers of a model


def steps_of_program(model: keras.Model, train, steps_per_epoch: int | None) -> int:
    """How many training steps of a fit can be one program.

    Args:
      model: that is fitted, compiled.
      train: its data.
      steps_per_epoch: as of `fit`.

    Returns:
      The most that divide both an execution (`steps_per_execution`) and an epoch, so that none is
      left over; 1 where XLA does not compile the step, where batches may differ in shape, and where
      a step is long or convolves.
    """
    known = num_batches(train)
    if not model.jit_compile or model.run_eagerly or known is None:
        return 1
    specs = train.element_spec.values()
    if not all(isinstance(spec, tf.TensorSpec) and spec.shape.is_fully_defined() for spec in specs):
        return 1
    if any(len(weight.shape) > 2 for weight in model.trainable_variables):
        return 1
    size = sum(math.prod(variable.shape) for variable in model.variables)
    if train.element_spec["x"].shape[0] * size > _MOST_PRODUCTS:
        return 1
    return math.gcd(model.steps_per_execution, known, steps_per_epoch or known)


def train_function(model: keras.Model, num_steps: int, otherwise: Callable) -> Callable:
    """Makes what Keras calls for each execution of `fit`.

    The steps are those of Keras's own function, bit for bit. That one calls a compiled program for
    each of them, which takes a millisecond or two where a model has some eighty variables. Here all
    batches of a program are read before its first step.

    Args:
      model: a compiled model on one replica, whose `train_step` tells means so far.
      num_steps: of one program, as `steps_of_program` returns it.
      otherwise: Keras's own function, for what is not asked by `fit` of a pipeline.

    Returns:
      A function of an iterator. It returns what the last step reported, and raises StopIteration
      where no batch is left.
    """
    names = []

    @tf.function(jit_compile=True, autograph=False)
    def program(batches):
        def step(i):
            names[:] = model.train_step({name: values[i] for name, values in batches.items()})
            return [i + 1]

        tf.while_loop(lambda i: i < num_steps, step, [tf.constant(0)])
        return model.means_so_far(names)

    @tf.function(autograph=False, reduce_retracing=True)
    def steps(iterator):
        batches = [iterator.get_next() for _ in range(num_steps)]
        return program({k: tf.stack([batch[k] for batch in batches]) for k in batches[0]})

    def function(iterator):
        if not (model.is_in_fit and isinstance(iterator, tf.data.Iterator)):
            return otherwise(iterator)
        reported = None
        for _ in range(model.steps_per_execution // num_steps):
            try:
                reported = steps(iterator)
            except tf.errors.OutOfRangeError:
                break  # the last execution of an epoch may be shorter
        if reported is None:
            raise StopIteration
        return reported

    return function
