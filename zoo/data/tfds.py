"""Image sets by name, from TensorFlow Datasets (TFDS)."""

import tensorflow as tf

from zoo.core.checks import UsageError, unknown_choice
from zoo.data.registry import register_source, sources
from zoo.data.splits import SPLITS, Preparation, Split, Splits, collected


@register_source("tfds", name="NAME")
def read_tfds(
    name: str,
    *,
    prepare: Preparation,
    data_dir: str | None = None,
    verbose: bool = True,
) -> Splits:
    """Returns the splits of an image set of TFDS, downloaded or as prepared in `data_dir`.

    Raises:
      UsageError: for a name that neither TFDS nor the zoo knows, or a set that cannot be read.
    """
    import tensorflow_datasets as tfds  # its import takes a while, and few sources need it

    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        known = sources()
        raise unknown_choice(
            "data",
            name,
            [*known, *tfds.list_builders(with_community_datasets=False)],
            f"it may be {', '.join(map(repr, known.values()))} or the name of a TFDS image set.",
        ) from error
    features = builder.info.features or {}
    if "image" not in features:
        raise UsageError(f"data: TFDS's {name!r} is not a set of images.")
    try:
        builder.download_and_prepare()
        found = [split for split in SPLITS if split in builder.info.splits]
        if "train" not in found:
            raise UsageError(f"data: TFDS's {name!r} has no training split.")
        return {split: _tfds_split(builder, split, prepare, verbose) for split in found}
    except UsageError:
        raise
    except (tf.errors.OpError, OSError, ValueError, AssertionError) as error:
        if "Cannot add tensor to the batch" in str(error):
            raise UsageError(
                f"data: the images of TFDS's {name!r} are of several sizes; give size."
            ) from error
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"data: TFDS's {name!r} could not be read from data_dir={data_dir!r} "
            f"nor downloaded: {reason}"
        ) from error


def _tfds_split(builder, split, prepare, verbose) -> Split:
    features = builder.info.features
    labelled = "label" in features and features["label"].shape == ()

    def used(example):
        y = {"y": tf.cast(example["label"], tf.int32)} if labelled else {}
        return {"x": prepare(example["image"])} | y

    size = builder.info.splits[split].num_examples if verbose else None
    return collected(builder.as_dataset(split=split).map(used, tf.data.AUTOTUNE), size)
