"""Few labels of many, and what a model must know of them."""

import numpy as np

from zoo.core.checks import UsageError, check_count
from zoo.core.fields import Field
from zoo.core.labels import check_classes, label_counts
from zoo.data.splits import Split


def few_labels(split: Split, fields: dict[str, Field], num_labels: int, seed: int) -> Split:
    """Takes the labels of all but some examples away, of which each class has equally many.

    Args:
      split: with labels `y`.
      fields: those of the data, by name.
      num_labels: so many examples keep theirs.
      seed: of their choice.

    Returns:
      The split, in which the others are -1.

    Raises:
      UsageError: for data without labels, a number that is no multiple of the number of classes,
        or a class that has too few.
    """
    if "y" not in fields:
        raise UsageError("num_labels must be left out: the data have no labels.")
    num_classes = fields["y"].num_classes
    each, rest = divmod(num_labels, num_classes)
    if rest:
        raise UsageError(
            f"num_labels must be a multiple of the number of classes, {num_classes}; it was "
            f"{num_labels}."
        )
    counts = label_counts(split["y"], num_classes)
    if min(counts) < each:
        raise UsageError(
            f"num_labels must be at most {num_classes * min(counts)}: class "
            f"{counts.index(min(counts))} has {min(counts)}; it was {num_labels}."
        )
    # Shuffled, and then by class: the first so many of each.
    order = np.random.default_rng(seed).permutation(len(split["y"]))
    kept = [order[split["y"][order] == k][:each] for k in range(num_classes)]
    kept = np.concatenate(kept)
    labels = np.full_like(split["y"], -1, dtype=np.int32)
    labels[kept] = split["y"][kept]
    return split | {"y": labels}


def taught_by(data, num_classes: int | None, label_share: float | None) -> tuple[int, float]:
    """What a model must know of the labels of its data.

    Args:
      data: what `as_data` returned.
      num_classes: of a user; None for that of the data.
      label_share: of a user; None for that of the data.

    Returns:
      The number of classes, and the share of training examples that have a label.

    Raises:
      UsageError: if they are not known, or a class has no label.
    """
    if data.label_counts:
        check_classes("data: y", data.label_counts, data.class_names)
    given = {"num_classes": num_classes, "label_share": label_share}
    known = {"num_classes": data.num_classes, "label_share": data.label_share}
    for name, value in given.items():
        if value is None and not known[name]:
            raise UsageError(f"{name} must be given for data whose labels are not known.")
    found = {name: known[name] if value is None else value for name, value in given.items()}
    check_count(num_classes=found["num_classes"])
    return found["num_classes"], found["label_share"]
