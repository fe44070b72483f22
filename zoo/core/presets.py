"""Trained models by name: where a preset lies, and its files, which are checked before use."""

import dataclasses
import hashlib
import json
import pathlib
import re

from zoo.core import version
from zoo.core.checks import UsageError, unknown_choice

CONFIG, WEIGHTS, CARD = "config.json", "model.weights.h5", "card.json"
FILES = (CONFIG, WEIGHTS, CARD)
PACKAGED = pathlib.Path(version.__file__).resolve().parents[1] / "presets"
HUB = "hf://"
_ON_THE_HUB = re.compile(rf"{HUB}([\w-][\w.-]*/[\w-][\w.-]*?)(?:@([\w-][\w./-]*))?")


@dataclasses.dataclass(frozen=True)
class Preset:
    """A preset as its folder holds it, once the sums of its files are known to be right.

    Attributes:
      name: what it was asked for by.
      label: a short name for folders and figures.
      card: what is told of it: data, settings, seed, command, metric, licence and the like.
      config: `model`, as Keras serialises it, and `run`, the config of its run, or None.
      weights: the bytes of its HDF5 file.
    """

    name: str
    label: str
    card: dict
    config: dict
    weights: bytes

    @property
    def told(self) -> str:
        """How sentences about it begin."""
        return f"preset: {self.name!r}"


def preset_names() -> list[str]:
    """Names of the presets that come with the zoo."""
    return sorted(path.parent.name for path in PACKAGED.glob(f"*/{CARD}"))


def check_preset(name: str | pathlib.Path) -> None:
    """Refuses what no preset can lie at, without a look into it and without the network.

    Raises:
      UsageError: for an unknown name, with the nearest ones, a folder that is not there, or a
        place on the hub that is no owner/name.
    """
    if not str(name).startswith(HUB):
        _folder(name)
    elif not _ON_THE_HUB.fullmatch(str(name)):
        raise UsageError(
            f"preset must be {HUB}OWNER/NAME or {HUB}OWNER/NAME@REVISION; it was {name!r}."
        )


def open_preset(name: str | pathlib.Path) -> Preset:
    """Reads a preset, whose sums are checked before anything is made of it.

    Args:
      name: one of `preset_names`, the path of a folder, or "hf://owner/name", maybe with
        "@revision", of the Hugging Face Hub.

    Returns:
      The preset.

    Raises:
      UsageError: if there is none, it is damaged, something else, or of a newer version.
    """
    check_preset(name)
    of_hub = _ON_THE_HUB.fullmatch(str(name))
    folder = _downloaded(name, *of_hub.groups()) if of_hub else _folder(name)
    label = of_hub[1].partition("/")[2] if of_hub else folder.resolve().name
    told = f"preset: {str(name)!r}"
    card = _json(_content(folder, CARD, told), CARD, told)
    sums = card.get("sha256")
    if not isinstance(sums, dict) or set(sums) != {CONFIG, WEIGHTS}:
        raise UsageError(f"{told} is no preset: its {CARD} has no sums of {CONFIG} and {WEIGHTS}.")
    version.check_not_newer(card.get("zoo_version"), told)
    contents = {file: _content(folder, file, told) for file in sums}
    for file, content in contents.items():
        if digest(content) != sums[file]:
            raise UsageError(f"{told} is damaged: {file} has not the sum that {CARD} tells.")
    config = _json(contents[CONFIG], CONFIG, told)
    if not isinstance(config.get("model"), dict):
        raise UsageError(f"{told} is no preset: its {CONFIG} has no model.")
    return Preset(str(name), label, card, config, contents[WEIGHTS])


def digest(content: bytes) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _folder(name):
    """Where a preset lies on this machine."""
    if name in preset_names():
        return PACKAGED / name
    folder = pathlib.Path(name)
    if folder.is_dir():
        return folder
    if folder.name == str(name):  # no path, but for one into the current folder
        known = f"known are {', '.join(map(repr, preset_names()))}."
        raise unknown_choice("preset", name, preset_names(), known)
    raise UsageError(f"preset: there is no folder {str(name)!r}.")


def _downloaded(name, repository, revision):
    """The folder that the Hugging Face Hub's own client has put the files into."""
    try:
        import huggingface_hub
    except ImportError:
        raise UsageError(
            f"preset: {name!r} is downloaded by huggingface_hub; pip install 'mcmc-zoo[hub]'."
        ) from None
    try:
        return pathlib.Path(
            huggingface_hub.snapshot_download(
                repository, revision=revision, allow_patterns=list(FILES)
            )
        )
    except Exception as error:  # of the network, and of any kind
        reason = (str(error).splitlines() or [type(error).__name__])[0].removesuffix(".")
        raise UsageError(f"preset: {name!r} cannot be downloaded: {reason}.") from None


def _content(folder, file, told):
    try:
        return (folder / file).read_bytes()
    except OSError as error:
        raise UsageError(f"{told} is no preset: {file}: {error.strerror}.") from None


def _json(content, file, told):
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"{told} is damaged: {file} holds no JSON object.")
    return found
