"""Several training steps as one program of XLA, with no call of TensorFlow between them."""

import math
from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

from zoo.core.pipeline import num_batches

# What the calls between short steps take is more than what loops of XLA lose: these compute longer
# steps slower than calls do, and convolutions several times as slow (docs/speed.md).
_MOST_PRODUCTS = 30_000_000  # examples of a batch times numbers of a model


class Programs(NamedTuple):
    """How the training steps of a fit are programs: so many steps in each, so many of the data."""

    num_steps: int = 1
    number: int = 0


def programs_of(model: keras.Model, train, steps_per_epoch: int | None) -> Programs:
    """How many training steps of a fit can be one program.

    Args:
      model: that is fitted, compiled.
      train: its data.
      steps_per_epoch: as of `fit`.

    Returns:
      Of the most steps that divide both an execution (`steps_per_execution`) and an epoch, so that
      none is left over; of 1 where XLA does not compile the step, where batches may differ in
      shape, and where a step is long or convolves.
    """
    known = num_batches(train)
    if not model.jit_compile or model.run_eagerly or known is None:
        return Programs()
    specs = train.element_spec.values()
    if not all(isinstance(spec, tf.TensorSpec) and spec.shape.is_fully_defined() for spec in specs):
        return Programs()
    if any(len(weight.shape) > 2 for weight in model.trainable_variables):
        return Programs()
    size = sum(math.prod(variable.shape) for variable in model.variables)
    if train.element_spec["x"].shape[0] * size > _MOST_PRODUCTS:
        return Programs()
    num_steps = math.gcd(model.steps_per_execution, known, steps_per_epoch or known)
    return Programs(num_steps, known // num_steps)


def steps_of_epoch(model: keras.Model, train) -> int | None:
    """Those to tell Keras, which then makes one iterator for an epoch and not two.

    None where they are not known, and on several replicas, whose iterators may read ahead, before
    the next epoch and its order are known.
    """
    return num_batches(train) if model.distribute_strategy.num_replicas_in_sync == 1 else None


def with_one_iterator(model: keras.Model, train, programs: Programs):
    """The data of a fit, repeated where one iterator can then serve all of its epochs.

    TensorFlow takes some fifteen milliseconds to make one. Each epoch still begins with the
    pipeline's first element, asked for when the epoch has begun; executions must end with it, and
    nothing may read ahead, as strategies do that distribute data, if only to one device.
    """
    steps = steps_of_epoch(model, train)
    if not steps or (programs.num_steps == 1 and steps % model.steps_per_execution):
        return train
    if model.distribute_strategy.experimental_distribute_dataset(train) is not train:
        return train
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False  # behind the end of an epoch
    return train.repeat().with_options(options)


def train_function(model: keras.Model, programs: Programs, otherwise: Callable) -> Callable:
    """Makes what Keras calls for each execution of `fit`.

    The steps are those of Keras's own function, bit for bit. That one calls a compiled program for
    each of them, which takes a millisecond or two where a model has some eighty variables. Here all
    batches of a program are read before its first step.

    Args:
      model: a compiled model on one replica, whose `train_step` tells means so far.
      programs: as `programs_of` returns them.
      otherwise: Keras's own function, for what is not asked by `fit` of a pipeline.

    Returns:
      A function of an iterator. It returns what the last step reported, and raises StopIteration
      where no batch is left.
    """
    names, num_steps = [], programs.num_steps

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

    current, left = None, 0  # an iterator, and how many programs are at most left of an epoch

    def function(iterator):
        nonlocal current, left
        if not (model.is_in_fit and isinstance(iterator, tf.data.Iterator)):
            return otherwise(iterator)
        if iterator is not current or not left:  # one iterator may serve all epochs
            current, left = iterator, programs.number
        # The last execution of an epoch may be shorter, and to ask for more takes milliseconds.
        count = min(model.steps_per_execution // num_steps, left)
        reported = None
        for _ in range(count):
            try:
                reported = steps(iterator)
            except tf.errors.OutOfRangeError:
                break
        left -= count
        if reported is None:
            raise StopIteration
        return reported

    return function
