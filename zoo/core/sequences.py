"""The fields of sequences: their steps, [T, D], and how many of these an example has."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from zoo.core import drawings
from zoo.core.fields import Field, PixelValues


@dataclasses.dataclass(frozen=True)
class SequenceField(Field):
    """Observations of T steps, [T, D]; behind an example's `length` they are 0.

    Its pictures show a step in each row, on one scale: 0 is grey.

    Attributes:
      grid: the step of the grid on which the data's numbers lie; 0 if they lie on none.
    """

    grid: float = 0.0

    def picture(self, x):
        x = np.nan_to_num(x)
        return (0.5 + 0.5 * x / max(np.abs(x).max(initial=0), 1e-9))[..., None]


@dataclasses.dataclass(frozen=True)
class RowsField(PixelValues, SequenceField):
    """Rows of images from the top, whose pixels are in [0, 1]; data may keep them as bytes."""


@dataclasses.dataclass(frozen=True)
class StrokesField(SequenceField):
    """Pen strokes, [T, 3]: offsets dx to the right and dy upwards, and pen up, 0 or 1.

    With pen up = 1 the pen is lifted when the offset is made: the next offset leaves no line.
    """

    rule = "must hold finite offsets and, in the third column, pen up, which is 0 or 1"

    def ruled(self, values):
        return values[..., 2:]

    def allows(self, values):
        pen_up = values[..., 2:]
        return super().allows(values) & tf.reduce_all((pen_up == 0) | (pen_up == 1))

    def picture(self, x):
        return _each(drawings.ink, x)


@dataclasses.dataclass(frozen=True)
class WaveformField(SequenceField):
    """Frames of a waveform, whose samples are in [-1, 1] or, by resampling, a little beyond.

    Its pictures show all waves on one scale.

    Attributes:
      rate: samples in a second; 0 if it is not known.
    """

    rate: int = 0

    rule = "must hold finite samples of a waveform, in [-1, 1] or thereabouts"
    advice = "; integers must be divided by the largest of their type"

    def hint(self, dtype, low, high):
        return "; divide integers by the largest of their type"

    def allows(self, values):
        # Far beyond, so that what a model has drawn is never refused, and integers always are.
        return super().allows(values) & tf.reduce_all(tf.abs(values) <= _LOUDEST)

    def picture(self, x):
        x = np.nan_to_num(x)
        peak = np.abs(x).max(initial=0)
        return _each(lambda frames: drawings.wave(frames.reshape(-1), peak), x)


_LOUDEST = 10.0


@dataclasses.dataclass(frozen=True)
class LengthField(Field):
    """Numbers of the steps that examples have; by default all of them.

    Attributes:
      max_length: T, which no length is beyond.
    """

    dtype: str = "int32"
    max_length: int = 0

    optional = True

    @property
    def rule(self) -> str:
        """What lengths may be."""
        return f"must hold lengths from 1 to {self.max_length}"

    def default(self, name, size):
        return np.full([size] if self.batched else [], self.max_length, self.dtype)

    def example(self):
        return self.default("length", 1)

    def allows(self, values):
        return tf.reduce_all((values >= 1) & (values <= self.max_length))


def _each(draw: Callable, x: np.ndarray) -> np.ndarray:
    """The drawings [..., height, width, channels] of sequences [..., T, D]."""
    x = np.asarray(x)
    drawn = np.stack([draw(sequence) for sequence in x.reshape(-1, *x.shape[-2:])])
    return drawn.reshape(*x.shape[:-2], *drawn.shape[1:])
