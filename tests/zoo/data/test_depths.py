"""Pictures of any depth are on their own scale, or what cannot be known of it is told."""

import struct

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.data.images import read_picture

RAMP = np.linspace(0, 1, 12).reshape(2, 6)


def write_tiff(path, levels, bits, *, kind=1, photometric=1, packed=True):
    """A TIFF file of grey samples, which Pillow writes of few kinds; 12 bits can be packed."""
    data = levels.tobytes()
    if bits == 12 and packed:
        text = "".join(f"{level:012b}" for level in levels.ravel())
        data = int(text, 2).to_bytes(len(text) // 8, "big")
    height, width = levels.shape
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 134}
    tags |= {277: 1, 278: height, 279: len(data), 339: kind}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4)
    path.write_bytes(head + data)


@pytest.mark.parametrize(
    ("bits", "type", "kind", "photometric"),
    [
        (8, "u1", 1, 1),
        (8, "u1", 1, 0),
        (12, "u2", 1, 1),
        (16, "u2", 1, 1),
        (16, "u2", 1, 0),
        (32, "f4", 3, 1),
        (32, "f4", 3, 0),
    ],
)
def test_samples_of_tiff_are_scaled_by_their_bits(bits, type, kind, photometric, tmp_path):
    """And turned where 0 is white."""
    levels = RAMP if kind == 3 else np.round(RAMP * (2**bits - 1))
    write_tiff(tmp_path / "a.tif", levels.astype(type), bits, kind=kind, photometric=photometric)
    pixels = read_picture(tmp_path / "a.tif")[..., 0]
    top = 1 if kind == 3 else np.iinfo(pixels.dtype).max
    expected = RAMP if photometric else 1 - RAMP
    np.testing.assert_allclose(pixels / top, expected, atol=max(2.0**-bits, 1e-7))


@pytest.mark.parametrize(
    ("bits", "type", "kind", "told"),
    [
        (8, "i1", 2, "^its samples must be unsigned, .*, or floats; they are signed, of 8 bits"),
        (16, "i2", 2, "they are signed, of 16 bits"),
        (32, "i4", 2, "they are signed, of 32 bits"),
        (32, "u4", 1, "they are unsigned, of 32 bits"),
        (12, "u2", 1, "^its samples of 12 bits must be packed, without bits between them"),
        (10, "u2", 1, "cannot identify image file"),
    ],
)
def test_samples_of_an_unknown_scale_are_refused(bits, type, kind, told, tmp_path):
    levels = np.round(RAMP * 100).astype(type)
    write_tiff(tmp_path / "a.tif", levels, bits, kind=kind, packed=False)
    with pytest.raises((ValueError, OSError), match=told):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize(("top", "bits"), [(255, 8), (1000, 10), (4095, 12), (16383, 14)])
def test_16_bits_that_seem_to_be_fewer_are_told(top, bits, tmp_path, monkeypatch):
    """Once a folder; of a single picture that is dark among others nothing is told."""
    lines = []
    monkeypatch.setattr("absl.logging.warning", lambda text, *values: lines.append(text % values))

    def read(brightest):
        for k, level in enumerate((top - 1, brightest)):
            Image.fromarray(np.full((4, 6), level, np.uint16)).save(tmp_path / f"{k}.png")
        zoo.data.registry.read_source(f"images:{tmp_path}", False, {})

    read(top)
    reach = f"reach level {top} of 65535 at most, as those of {bits} bits do, and are read as dark"
    (told,) = lines
    assert reach in told and told.endswith(f"multiply their levels by {2 ** (16 - bits)}.")
    read(2**14)
    assert len(lines) == 1
