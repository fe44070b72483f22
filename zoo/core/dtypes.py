"""The types of numbers: densities are float32 or float64, networks may be in half precision."""

import contextlib
from collections.abc import Iterator

import keras

import layers
from zoo.core.checks import UsageError


def density_dtype(dtype: str | keras.DTypePolicy | None = None) -> str:
    """Tells in what type a model keeps its weights and states, and computes its densities.

    Args:
      dtype: a Keras dtype policy or its name; None for the global policy of Keras.

    Returns:
      "float32" or "float64"; of a mixed policy that of its variables.

    Raises:
      UsageError: for other types, of which chains and weights of samples would be too coarse.
    """
    return _policy(dtype).variable_dtype


@contextlib.contextmanager
def networks_of(dtype: str | keras.DTypePolicy | None) -> Iterator[None]:
    """A context in which Keras makes layers by a policy.

    Args:
      dtype: as `density_dtype`.

    Raises:
      UsageError: as `density_dtype`.
    """
    with layers.made_by(_policy(dtype)):
        yield


def _policy(dtype):
    try:
        policy = keras.dtype_policies.get(dtype or keras.config.dtype_policy())
    except (ValueError, TypeError):
        policy = None
    if policy is None or policy.variable_dtype not in ("float32", "float64"):
        raise UsageError(
            "dtype must be 'float32', 'float64', 'mixed_float16' or 'mixed_bfloat16'; it was "
            f"{getattr(policy, 'name', dtype)!r}."
        )
    return policy
