"""Checks of what a user passes: one sentence names the argument, what it was, what it may be."""

import difflib
from collections.abc import Collection

import keras
import numpy as np


class UsageError(ValueError):
    """A mistake of the caller, told in one sentence."""


def check_choice(name: str, value: str, choices: Collection[str]) -> str:
    """Returns `value` if it is one of `choices`; else names the nearest ones."""
    if isinstance(value, str) and value in choices:
        return value
    known = ", ".join(map(repr, sorted(choices)))
    raise unknown_choice(name, value, choices, f"known are {known}.")


def unknown_choice(name: str, value: str, choices: Collection[str], known: str) -> UsageError:
    """What to raise for a value that is none of `choices`: names the nearest, else `known`."""
    near = difflib.get_close_matches(str(value), choices, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else known
    return UsageError(f"{name}: unknown value {value!r}; {hint}")


def check_positive(**values: float) -> None:
    """Refuses what is not a finite number greater than zero."""
    for name, value in values.items():
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 < value < np.inf:
            raise UsageError(f"{name} must be greater than 0; it was {value!r}.")


_MOST = 2**31 - 1  # programs count in int32


def check_count(**values: int) -> None:
    """Refuses what is not a positive whole number."""
    check_positive(**values)
    for name, value in values.items():
        if not isinstance(value, int | np.integer):
            raise UsageError(f"{name} must be a whole number; it was {value!r}.")
        if value > _MOST:
            raise UsageError(f"{name} must be at most {_MOST}; it was {value!r}.")


def check_images(x, event_shape: tuple[int, ...] | None = None, name: str = "x") -> np.ndarray:
    """Images as float32, once they are known to be [N, ...event] pixels in [0, 1].

    Raises:
      UsageError: for an empty batch, a wrong shape, NaN, or pixels outside [0, 1].
    """
    x = check_shape(x, event_shape, name).astype(np.float32)
    if not np.isfinite(x).all():
        raise UsageError(f"{name} must be finite; it holds NaN or infinite pixels.")
    if x.min() < 0 or x.max() > 1:
        raise UsageError(
            f"{name} must hold pixels in [0, 1]; they run from {x.min():g} to {x.max():g}."
        )
    return x


def check_shape(
    x, event_shape: tuple[int, ...] | None, name: str = "x", least_rank: int = 2
) -> np.ndarray:
    """Numbers, once they are known to be a batch [N, ...event] of at least one example."""
    x = np.asarray(x)
    if x.dtype.kind not in "fiub":
        raise UsageError(f"{name} must hold numbers; its dtype was {x.dtype}.")
    if event_shape is not None and x.shape[1:] != tuple(event_shape):
        wanted = ", ".join(["N", *map(str, event_shape)])
        raise UsageError(f"{name} must have the shape [{wanted}]; it was {list(x.shape)}.")
    if x.ndim < least_rank or x.shape[0] == 0:
        raise UsageError(f"{name} must be a batch of at least one example; it was {list(x.shape)}.")
    return x


def check_visible(
    visible, event_shape: tuple[int, ...], batch: int, name: str = "visible"
) -> np.ndarray:
    """A mask as bool [B, ...event]; one mask [...event] serves the whole batch."""
    visible = np.asarray(visible)
    if visible.dtype != bool:
        raise UsageError(f"{name} must be a boolean mask; its dtype was {visible.dtype}.")
    if visible.shape not in (event_shape, (batch, *event_shape)):
        raise UsageError(
            f"{name} must have the shape {list(event_shape)} or {[batch, *event_shape]}; "
            f"it was {list(visible.shape)}."
        )
    return np.broadcast_to(visible, (batch, *event_shape))


def check_deterministic(**networks: keras.Model) -> None:
    """Refuses layers that make a chain's density depend on noise, or on the other examples."""
    for name, network in networks.items():
        for layer in network._flatten_layers(include_self=False):
            if isinstance(layer, _NOT_DETERMINISTIC):
                raise UsageError(
                    f"{name} must not hold batch normalisation, dropout or noise layers, which "
                    f"change the density from call to call; it holds {layer.name!r}."
                )
            if getattr(layer, "activity_regularizer", None) is not None:
                raise UsageError(
                    f"{name} must not hold activity regularisers; {layer.name!r} has one."
                )


_NOT_DETERMINISTIC = (
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
)
