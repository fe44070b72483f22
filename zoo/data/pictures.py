"""A user's own pictures and masks, prepared as the images of a data set were."""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from zoo.core.checks import UsageError
from zoo.core.choices import OWN_FILES, is_own_file
from zoo.core.fields import PixelField
from zoo.core.request_fields import as_booleans
from zoo.data.images import read_picture
from zoo.data.splits import Preparation


def own_preparation(shape: tuple[int, ...], options: Mapping) -> Preparation:
    """Makes the preparation by which a picture of any size becomes an image of a data set.

    Args:
      shape: of the data's images, (height, width, channels).
      options: what the data were loaded with, of which `crop` and `invert` are looked at.

    Raises:
      UsageError: for another shape.
    """
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise UsageError(
            f"image must be left out for a model of {list(shape)}; own pictures are for models of "
            "[height, width, 1 or 3]."
        )
    kept = {name: options[name] for name in ("crop", "invert") if name in options}
    return Preparation(size=shape[:2], channels=shape[-1], **kept)


def own_image(path: str, prepare: Preparation) -> np.ndarray:
    """Reads a picture: a file of `IMAGE_FILES`, or an array [height, width, maybe channels].

    Args:
      path: of the file.
      prepare: as `own_preparation` makes it.

    Returns:
      Pixels in [0, 1], [height, width, channels].

    Raises:
      UsageError: for a file that is missing, broken or of another kind.
    """
    pixels = _read("image", path)
    if pixels.dtype != np.uint8 and pixels.dtype != np.uint16:
        field = PixelField(pixels.shape)
        pixels = field.check(f"image: {path!r}", pixels[None])[0]
    return PixelField().decode(prepare(pixels)).numpy()


def own_mask(path: str, shape: tuple[int, ...], prepare: Preparation | None = None) -> np.ndarray:
    """Reads a mask, of which what is white, or True, is visible.

    It may be of the size of the data's images, or of a picture: then it is cut and resized as that
    is. A grey pixel is visible from the middle of the levels on.

    Args:
      path: of a file of `IMAGE_FILES`, or of an array of bools, of 0 and 1, or of 0 and 255,
        [height, width, maybe channels].
      shape: of the data's images, (height, width, channels).
      prepare: of a picture that it belongs to; by default the middle is cut out.

    Returns:
      A bool array of that shape, True = visible.

    Raises:
      UsageError: for a file that is missing, broken or of another kind.
    """
    pixels = _read("mask", path)
    if path.lower().endswith(".npy"):
        visible = as_booleans(f"mask: {path!r}", pixels)
    else:
        top = 1.0 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
        visible = pixels.mean(-1, keepdims=True) >= top / 2
    if visible.shape[-1] != shape[-1]:
        if (visible != visible[..., :1]).any():
            raise UsageError(
                f"mask: {path!r} must have the shape {list(shape[:2])} or {list(shape)}; "
                f"it was {list(visible.shape)}."
            )
        visible = visible[..., :1]
    resize = Preparation(size=shape[:2], crop=prepare is None or prepare.crop)
    shown = resize(visible.astype(np.float32)).numpy() >= 0.5
    return np.broadcast_to(shown, shape).copy()


def check_sizes(masks: Sequence[str], shape: tuple[int, ...], images: Sequence[str]) -> None:
    """Refuses masks that were drawn for none of some pictures, and would hide anything of them.

    Args:
      masks: files, as `own_mask` reads them.
      shape: of the data's images, (height, width, channels).
      images: files, as `own_image` reads them.

    Raises:
      UsageError: naming a mask whose size is neither that of the data's images nor of a picture.
    """
    sizes = [shape[:2], *(_read("image", path).shape[:2] for path in images)]
    for path in masks:
        if (size := _read("mask", path).shape[:2]) not in sizes:
            known = " or ".join(f"{height} by {width}" for height, width in dict.fromkeys(sizes))
            raise UsageError(
                f"mask: {path!r} must have the size of the model's images or a picture's, {known}; "
                f"it was {size[0]} by {size[1]}."
            )


def _read(what, path):
    """The array of a file, [height, width, channels]."""
    path = pathlib.Path(path).expanduser()
    if not path.is_file():
        raise UsageError(f"{what}: there is no file {str(path)!r}.")
    if not is_own_file(path.name):
        raise UsageError(f"{what}: {str(path)!r} must end in {', '.join(OWN_FILES)}.")
    try:
        is_array = path.name.lower().endswith(".npy")
        pixels = np.load(path, allow_pickle=False) if is_array else read_picture(path)
    except Exception as error:  # a broken file can make Pillow and NumPy raise anything
        raise UsageError(f"{what}: {str(path)!r} is not a whole file: {error}.") from None
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3) and pixels.shape[-1] not in (1, 3):
        pixels = pixels.transpose(1, 2, 0)  # channels came first
    is_image = pixels.ndim == 3 and pixels.shape[-1] in (1, 3) and pixels.size
    if not is_image or pixels.dtype.kind not in "fiub":
        raise UsageError(
            f"{what}: {str(path)!r} must hold numbers [height, width] or [height, width, "
            f"1 or 3]; it was {list(pixels.shape)} of {pixels.dtype}."
        )
    return pixels
