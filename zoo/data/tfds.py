"""Image sets by name, from TensorFlow Datasets (TFDS)."""

import contextlib
import pathlib
import socket
import threading
import urllib.parse
import urllib.request

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
        path, known = pathlib.Path(name).expanduser(), sources()
        if path.is_dir() or path.suffix == ".npz" and path.is_file():
            kind = "images" if path.is_dir() else "npz"
            raise UsageError(
                f"data: {name!r} is {'a folder' if path.is_dir() else 'a file'}, which is written "
                f"{f'{kind}:{name}'!r}."
            ) from error
        raise unknown_choice(
            "data",
            name,
            [*known, *tfds.list_builders(with_community_datasets=False)],
            f"it may be {', '.join(map(repr, known.values()))} or the name of a TFDS image set.",
        ) from error
    features = builder.info.features or {}
    if "image" not in features:
        raise UsageError(f"data: TFDS's {name!r} is not a set of images.")
    if not builder.data_path.exists():
        _check_host(builder, data_dir)
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


def _check_host(builder, data_dir):
    """Refuses to download what cannot be had: TFDS would try again and again for minutes."""
    url = next(iter(builder.url_infos or ()), None)
    if url is None or _answers(url):
        return
    folder = f" --data_dir={data_dir}" if data_dir else ""
    raise UsageError(
        f"data: TFDS's {builder.name!r} is not prepared in {str(builder.data_path)!r}, and its "
        f"host {urllib.parse.urlsplit(url).hostname} does not answer: where there is a network, "
        f"`tfds build {builder.info.full_name.rpartition('/')[0]}{folder}` prepares it, and the "
        "folder can be copied."
    )


def _answers(url: str, seconds: float = 3.0) -> bool:
    """Returns whether the host of an address answers in time; a proxy is asked nothing."""
    host = urllib.parse.urlsplit(url)
    port = host.port or {"http": 80, "ftp": 21}.get(host.scheme, 443)
    if not host.hostname or urllib.request.getproxies():
        return True
    answers, done = [], threading.Event()

    def ask():
        with contextlib.suppress(OSError):
            socket.create_connection((host.hostname, port), timeout=seconds).close()
            answers.append(port)
        done.set()

    # In a thread that nobody waits for: looking up a name has no time limit.
    threading.Thread(target=ask, daemon=True).start()
    done.wait(seconds)
    return bool(answers)


def _tfds_split(builder, split, prepare, verbose) -> Split:
    features = builder.info.features
    labelled = "label" in features and features["label"].shape == ()

    def used(example):
        y = {"y": tf.cast(example["label"], tf.int32)} if labelled else {}
        return {"x": prepare(example["image"])} | y

    size = builder.info.splits[split].num_examples if verbose else None
    return collected(builder.as_dataset(split=split).map(used, tf.data.AUTOTUNE), size)
