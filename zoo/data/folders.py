"""Examples in folders of files: which belong to which split and class, and which are broken."""

import collections
import functools
import glob
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
from absl import logging

from zoo.core.checks import UsageError
from zoo.core.progress import verbosity
from zoo.data.splits import Splits, split_of

_NOBODYS = ("__MACOSX", "Thumbs.db", "desktop.ini")  # which systems leave; hidden like .DS_Store


def whole_files(
    path: pathlib.Path,
    endings: Sequence[str],
    read: Callable[[pathlib.Path], object],
    noun: str,
    verbose: bool = True,
) -> Iterator[tuple[str, str, object]]:
    """Reads the files of a folder, and of those below it.

    Folders `train`, `validation` and `test` are the splits; below them, or without them, each
    folder is a class. Warns of files of other kinds and of broken ones, which are skipped.

    Args:
      path: of the folder.
      endings: of the files that count, such as ".png".
      read: a function of a file's path. Whatever it raises, the file is broken.
      noun: what messages call an example, such as "image".
      verbose: whether a progress bar is shown.

    Yields:
      Of each whole file the split, the folder that is its class, and what was read; one split
      after the other.

    Raises:
      UsageError: for a folder that is missing, or that has no whole file.
    """
    if not path.is_dir():
        raise UsageError(f"data: there is no folder {str(path)!r}.")
    files = _files_by_split(path, endings, noun)
    number = sum(map(len, files.values()))
    bar = keras.utils.Progbar(number, verbose=verbosity(verbose), unit_name=noun)
    broken = {}
    for split, named in files.items():
        num_broken = len(broken)
        for name, folder in named:
            bar.add(1)
            try:
                example = read(path / name)
            except Exception as error:  # a broken file can make a reader raise anything
                broken[name] = error
                continue
            yield split, folder, example
        if len(broken) - num_broken == len(named):
            name = named[0][0]
            raise UsageError(
                f"data: {split} of {str(path)!r} holds no whole {noun}; {name!r} is none: "
                f"{broken[name]}."
            )
    if broken:
        logging.warning(
            "data: skipped %d of %d %ss of %r, which are not whole: %s%s",
            len(broken),
            number,
            noun,
            str(path),
            "; ".join(f"{name!r} ({error})" for name, error in list(broken.items())[:3]),
            "; and others." if len(broken) > 3 else ".",
        )


def with_classes(splits: Splits, folders: dict[str, list[str]]) -> Splits:
    """Returns splits with the folders of their examples as labels, if there are several folders.

    Args:
      splits: without labels.
      folders: of each example, by split.
    """
    if len(set().union(*folders.values())) < 2:
        return splits
    return {split: arrays | {"y": np.array(folders[split])} for split, arrays in splits.items()}


def _files_by_split(path, endings, noun) -> dict[str, list[tuple[str, str]]]:
    """Names of files below a folder, each with the folder that is its class, by split."""
    found = sorted(f.name for f in path.iterdir() if f.is_dir() and not _is_nobodys(f.name))
    split_by_folder = {name: split_of(name) for name in found if split_of(name)}
    splits = set(split_by_folder.values())
    if split_by_folder and (len(split_by_folder) < len(found) or "train" not in splits):
        raise UsageError(
            f"data: {str(path)!r} must have the folders train and test, and no other beside them "
            f"but validation, or none of these; it has {', '.join(found)}."
        )
    if len(splits) < len(split_by_folder):
        raise UsageError(
            f"data: {str(path)!r} must have one folder for each split; it has {', '.join(found)}."
        )
    files, skipped = {}, collections.Counter()

    @functools.cache
    def places(folder):  # where a folder and those above it really are
        above = places(os.path.dirname(folder)) if folder else ()
        return (*above, os.path.realpath(path / folder))

    def is_inside_itself(name):  # by a link
        found = places(os.path.dirname(name))
        return len(set(found)) < len(found)

    # Not Path.rglob, which passes links to folders by.
    for name in sorted(glob.iglob("**/*", root_dir=path, recursive=True)):
        top, _, below = name.replace(os.sep, "/").partition("/")
        split, inner = (split_by_folder.get(top), below) if split_by_folder else ("train", name)
        ending = os.path.splitext(name)[1].lower()
        if any(map(_is_nobodys, pathlib.PurePath(name).parts)) or is_inside_itself(name):
            continue
        if os.path.exists(path / name) and not os.path.isfile(path / name):
            continue  # a folder, or a pipe, which would never end
        if split and ending in endings:
            files.setdefault(split, []).append((name, os.path.dirname(inner)))
        else:
            where = " beside the splits" if ending in endings else ""
            skipped[(ending or "without an ending") + where] += 1
    told = ", ".join(f"{k} {n}" for k, n in sorted(skipped.items(), key=lambda kn: (-kn[1], kn[0])))
    for split in splits or {"train"}:
        if split not in files:
            raise UsageError(
                f"data: {split} of {str(path)!r} must hold {noun} files "
                f"({', '.join(endings)}); it has {told or 'none'}."
            )
    if skipped:
        logging.warning(
            "data: skipped files of %r that are no %ss of a kind that is read: %s.",
            str(path),
            noun,
            told,
        )
    return files


def _is_nobodys(name):
    return name in _NOBODYS or name.startswith(".")
