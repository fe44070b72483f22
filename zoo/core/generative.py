"""The base of models that can be sampled, and the endpoints of their exports."""

import functools
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from samplers.random import Seed
from zoo.core.abilities import ability
from zoo.core.checks import UsageError, check_count
from zoo.core.fields import Field, check_lengths
from zoo.core.request_fields import CountField, SeedField
from zoo.core.seeds import resolved
from zoo.core.trainable import TrainableModel


class Endpoint(NamedTuple):
    """One signature of an export.

    Attributes:
      function: takes the inputs by name and returns a dictionary of tensors.
      inputs: their fields, by name.
    """

    function: Callable[..., dict]
    inputs: dict[str, Field]


class GenerativeModel(TrainableModel):
    """Anything that can be fitted and sampled.

    A method defines `_sample(num_samples, seed, given)`, a compiled method that returns the draws
    `x` and their expectation `mean`, `flagged`.
    """

    @property
    def sample_fields(self) -> dict[str, Field]:
        """The fields that a draw is conditional on, by name; none of an unconditional model."""
        return {}

    @ability
    def _sample(self, num_samples, seed, given: dict) -> dict:
        """Draws, [num_samples, ...event], given one example's fields."""
        raise NotImplementedError

    def sample(self, num_samples: int, seed: Seed | None = None, **given) -> dict[str, np.ndarray]:
        """Draws from the model.

        Args:
          num_samples: of them.
          seed: int or int32[2], which repeats the draws; None draws anew, by a seed that
            `keras.utils.set_random_seed` determines.
          **given: the `sample_fields` of a conditional model, of one example each.

        Returns:
          `x`, the draw, and `mean`, its expectation given the latents, [num_samples, ...event]; and
          `finite`, whether all their pixels are finite numbers, [num_samples], of which a warning
          tells, too.

        Raises:
          UsageError: for a number that is not positive, or a field that is missing or wrong.
        """
        check_count(num_samples=num_samples)
        given = self._checked(given, self.sample_fields, 1)
        return to_numpy("sample", self._sample(num_samples, resolved(seed), given))

    def _checked(self, given: dict, fields: dict[str, Field], size: int) -> dict[str, np.ndarray]:
        """What a request is conditional on, of so many examples; one value may stand for all."""
        if unknown := set(given) - set(fields):
            raise UsageError(
                f"{sorted(unknown)[0]} must be left out; {self.name!r} is conditional on "
                f"{sorted(fields) or 'nothing'}."
            )
        checked = {}
        for name, field in fields.items():
            values = given.get(name)
            values = field.default(name, size) if values is None else values
            if field.batched and np.shape(values) == field.shape:
                values = np.repeat(np.asarray(values)[None], size, axis=0)
            checked[name] = field.check(name, values)
        check_lengths({k: v for k, v in checked.items() if fields[k].batched}, size)
        return checked

    def signatures(self) -> dict[str, Endpoint]:
        """The endpoints of an export, by name; the first is also the default of a server."""
        method = uncompiled(self, "_sample")

        def sample(num_samples, seed, **given):
            return method(num_samples, seed, given)

        inputs = {"num_samples": CountField(), "seed": SeedField()} | self.sample_fields
        return {"sample": Endpoint(sample, inputs)}


def uncompiled(model, name: str) -> Callable:
    """A compiled method of a model as it is: a serving binary may lack XLA."""
    return getattr(type(model), name).method.__get__(model)


def flagged(
    outputs: dict[str, tf.Tensor], diagnostics: dict[str, tf.Tensor] | None = None
) -> dict[str, tf.Tensor]:
    """Adds `finite` to outputs [B, ...]: whether all numbers of an example are finite, bool [B].

    Args:
      outputs: tensors by name, maybe flagged before.
      diagnostics: of chains that they come from, [B] each. Where one is `stuck`, since log p(x, z)
        is not finite, its latents are, and tell nothing: the example is flagged, too.

    Returns:
      The outputs with the flag.
    """
    finite = [
        value
        if name == "finite"
        else tf.reduce_all(tf.math.is_finite(value), tf.range(1, tf.rank(value)))
        for name, value in outputs.items()
    ]
    if diagnostics and "stuck" in diagnostics:
        finite.append(diagnostics["stuck"] == 0)
    return outputs | {"finite": tf.reduce_all(finite, 0)}


def to_numpy(what: str, outputs: dict[str, tf.Tensor]) -> dict[str, np.ndarray]:
    """Makes arrays of what was asked for, and warns of what is not finite.

    Args:
      what: was asked for, which a warning names.
      outputs: tensors by name, with `finite` as `flagged` adds it.

    Returns:
      Arrays by name.
    """
    answer = {name: value.numpy() for name, value in outputs.items()}
    _warn(what, answer["finite"], "; `finite` tells which", stacklevel=4)
    return answer


def telling(method: Callable) -> Callable:
    """Makes a method that infers latents [S, B, ...], and returns diagnostics [B], warn of examples
    that `flagged` would flag; within a program it is as it was.
    """

    @functools.wraps(method)
    def answer(*args, **kwargs):
        latents, diagnostics = method(*args, **kwargs)
        if tf.executing_eagerly():  # a user has asked; sums of what is not finite are not, either
            sums = [tf.reduce_sum(part, 0) for part in tf.nest.flatten(latents)]
            named = {str(k): value for k, value in enumerate(sums)}
            _warn(method.__name__, flagged(named, diagnostics)["finite"].numpy(), stacklevel=3)
        return latents, diagnostics

    return answer


def _warn(what, finite, hint="", *, stacklevel):
    if not finite.all():
        warnings.warn(
            f"{what}: {(~finite).sum()} of {len(finite)} images hold or come of numbers that are "
            f"NaN or infinite{hint}.",
            stacklevel=stacklevel,
        )
