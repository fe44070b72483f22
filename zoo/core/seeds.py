"""Where a question without a seed takes one from."""

import functools
import inspect
import random
from collections.abc import Callable

import tensorflow as tf

import samplers
from samplers.random import Seed
from zoo.core.checks import UsageError, check_count


def new_seed() -> int:
    """Draws a seed from Python's own generator, which `keras.utils.set_random_seed` sets.

    Raises:
      UsageError: inside a function that TensorFlow traces, where one number would be drawn for all
        of its calls.
    """
    if tf.inside_function():
        raise UsageError(
            "seed must be given inside a tf.function or a tf.data pipeline, where one that is "
            "drawn would be the same in every call; it was None."
        )
    return random.randrange(2**31)


def resolved(seed: Seed | None) -> tf.Tensor:
    """Returns a seed as int32[2]; None draws a new one, and an int repeats.

    Raises:
      UsageError: as `new_seed`, or for what is no seed.
    """
    try:
        return samplers.as_seed(new_seed() if seed is None else seed)
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None


def with_optional_seed(method: Callable) -> Callable:
    """Makes a method that is given a seed one whose seed may be left out, or None, and whose
    numbers of samples and steps are checked, unless a program is given them.
    """
    names = list(inspect.signature(method).parameters)
    place = names.index("seed")

    @functools.wraps(method)
    def answer(*args, **kwargs):
        given = dict(zip(names, args, strict=False)) | kwargs
        for name in {"num_samples", "num_steps"} & given.keys():
            if not tf.is_tensor(given[name]):
                check_count(**{name: given[name]})
        if len(args) > place:
            args = (*args[:place], resolved(args[place]), *args[place + 1 :])
        else:
            kwargs["seed"] = resolved(kwargs.get("seed"))
        return method(*args, **kwargs)

    return answer
