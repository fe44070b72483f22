"""What sources of sequences share: sequences of several lengths as one array, and their fields."""

from collections.abc import Sequence

import numpy as np
from absl import logging

from zoo.core.checks import check_count
from zoo.core.fields import Field
from zoo.core.sequences import LengthField, SequenceField
from zoo.data.splits import Split, Splits, label_fields


def padded(sequences: Sequence[np.ndarray], max_length: int | None, source: str) -> Split:
    """Makes one array of sequences, in which 0 stands behind the end of each.

    Warns of sequences that are cut.

    Args:
      sequences: each [t, D].
      max_length: so many steps are kept of those that are longer; None keeps all.
      source: where they come from, which the warning names.

    Returns:
      Observations `x` [N, T, D], float32, T the largest length that is left, and `length` [N].

    Raises:
      UsageError: for a `max_length` that is no count.
    """
    if max_length is not None:
        check_count(max_length=max_length)
    lengths = np.array([len(sequence) for sequence in sequences])
    kept = np.minimum(lengths, max_length or lengths.max())
    if num_cut := (kept < lengths).sum():
        logging.warning(
            "data: cut %d of %d sequences of %r at max_length=%d; the longest has %d steps.",
            num_cut,
            len(sequences),
            source,
            max_length,
            lengths.max(),
        )
    x = np.zeros((len(sequences), kept.max(), sequences[0].shape[1]), np.float32)
    for k, sequence in enumerate(sequences):
        x[k, : kept[k]] = sequence[: kept[k]]
    return {"x": x, "length": kept.astype(np.int32)}


def sequence_fields(kind: type[SequenceField], splits: Splits, **facts) -> dict[str, Field]:
    """Returns the fields of sequences `x`, of their `length` and, where there are any, labels `y`.

    Args:
      kind: the class of the field of `x`.
      splits: arrays by split and field.
      **facts: other arguments of `kind`, such as `grid`.
    """
    shape = splits["train"]["x"].shape[1:]
    fields = {"x": kind(shape, **facts), "length": LengthField(max_length=shape[0])}
    return fields | label_fields(splits)
