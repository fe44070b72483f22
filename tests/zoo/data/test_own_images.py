"""Pictures as people have them: of any depth, mode, orientation and name, some of them broken."""

import os

import numpy as np
import pytest
from PIL import Image

import zoo

RED, GREY = (200, 0, 0), 120


@pytest.fixture
def folder(tmp_path):
    """A folder to be filled, and what a picture of it is like."""
    return tmp_path


def save(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(path, **options)


def read(folder, **options):
    """All images of a folder in the order of their names, as batches give them."""
    splits = zoo.data.registry.read_source(f"images:{folder}", False, options)[0]
    field = zoo.core.fields.PixelField()
    return {name: field.decode(arrays["x"]).numpy() for name, arrays in splits.items()}


def fill(folder, number=3, **options):
    """Grey pictures, which are read whatever else there is."""
    for k in range(number):
        save(np.full((4, 6), GREY, np.uint8), folder / f"z{k}.png", **options)


def test_files_of_several_depths_are_scaled_by_their_own(folder):
    fill(folder)
    save(np.full((4, 6), GREY * 257, np.uint16), folder / "a.png")
    save(np.full((4, 6), 255, np.uint8) > 0, folder / "b.png")
    save(np.full((4, 6), 0.25, np.float32), folder / "c.tif")
    levels = read(folder)["train"][:, 0, 0, 0]
    np.testing.assert_allclose(levels, [GREY / 255, 1, 0.25, *[GREY / 255] * 3], atol=1e-6)


LANDSCAPE = np.zeros((4, 6), np.uint8)
LANDSCAPE[:, :3] = 255  # its left half is white


@pytest.mark.parametrize(
    ("orientation", "white"),
    [
        (1, np.s_[:, :3]),
        (2, np.s_[:, 3:]),
        (3, np.s_[:, 3:]),
        (5, np.s_[:3]),
        (6, np.s_[:3]),
        (8, np.s_[3:]),
        (9, np.s_[:, :3]),  # there is no such
    ],
)
def test_cameras_say_which_side_is_up(orientation, white, folder):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for k in range(3):
        save(LANDSCAPE, folder / f"{k}.png", exif=exif)
    x = read(folder)["train"][0, ..., 0]
    expected = np.zeros_like(x)
    expected[white] = 1
    assert x.shape == ((6, 4) if orientation in (5, 6, 8) else (4, 6))
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize(
    "names",
    [
        ("Train", "TEST"),
        ("train", "test", "Validation"),
        ("Train", "Test", "Val"),
        ("training", "testing", "valid"),
        ("TRAIN", "validation"),
        ("train",),
    ],
)
def test_splits_in_any_capitals(names, folder):
    for k, name in enumerate(names):
        for kind in ("cat", "dog"):
            save(np.full((4, 4), 50 * (k + 1), np.uint8), folder / name / kind / "a.png")
            save(np.full((4, 4), 50 * (k + 1), np.uint8), folder / name / kind / "b.png")
    splits = read(folder)
    wanted = {"tr": "train", "te": "test", "va": "validation"}
    assert set(splits) == {wanted[name[:2].lower()] for name in names}
    for k, name in enumerate(names):
        np.testing.assert_allclose(splits[wanted[name[:2].lower()]], 50 * (k + 1) / 255, rtol=1e-6)
    data = zoo.data.load(f"images:{folder}", batch_size=1)
    assert data.class_names == ("cat", "dog")


def test_a_split_of_two_folders_is_refused(folder):
    for name in ("Train", "train", "test"):
        fill(folder / name)
    with pytest.raises(zoo.UsageError, match="must have one folder for each split; .*Train, t"):
        read(folder)


@pytest.mark.parametrize(
    "name", ["a.JPG", "a.tif", "a.TIFF", "a.webp", "a.bmp", "a.gif", "a.PNG", "a.jpeg", "a.ppm"]
)
def test_kinds_of_files(name, folder):
    save(np.full((16, 16), GREY, np.uint8), folder / name)
    save(np.full((16, 16), GREY, np.uint8), folder / "b.png")
    x = read(folder)["train"]
    assert x.shape == (2, 16, 16, 1 if "webp" not in name else 3)
    np.testing.assert_allclose(x, GREY / 255, atol=0.02)


def test_the_first_frame_counts(folder):
    frames = [Image.new("L", (4, 4), level) for level in (GREY, 0)]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(read(folder)["train"], GREY / 255, atol=1e-6)


def rgba():
    image = Image.new("RGBA", (4, 4), (*RED, 255))
    image.paste((0, 0, 0, 0), (0, 0, 2, 4))
    return image


def palette():
    image = Image.new("P", (4, 4), 0)
    image.putpalette([*RED, 0, 0, 0])
    return image


@pytest.mark.parametrize(
    ("image", "pixel", "corner"),
    [
        (lambda: Image.new("RGB", (4, 4), RED), RED, RED),
        (rgba, RED, (255, 255, 255)),
        (palette, RED, RED),
        (lambda: Image.new("1", (4, 4), 1), (255,), (255,)),
        (lambda: Image.new("LA", (4, 4), (GREY, 0)), (255,), (255,)),
        (lambda: Image.new("CMYK", (4, 4), (0, 255, 255, 55)), RED, RED),
    ],
    ids=["RGB", "RGBA", "P", "1", "LA", "CMYK"],
)
def test_modes(image, pixel, corner, folder):
    image = image()
    for k in range(2):
        save(image, folder / f"{k}.{'tif' if image.mode == 'CMYK' else 'png'}")
    x = read(folder)["train"][0] * 255
    np.testing.assert_allclose(x[-1, -1], pixel, atol=1)
    np.testing.assert_allclose(x[0, 0], corner, atol=1)


@pytest.mark.parametrize(
    ("options", "channels"),
    [({}, 3), ({"grey": True}, 1), ({"channels": 1}, 1), ({"channels": 3}, 3)],
)
def test_grey_among_colours(options, channels, folder):
    fill(folder)
    save(Image.new("RGB", (6, 4), (GREY,) * 3), folder / "a.png")
    x = read(folder, **options)["train"]
    assert x.shape == (4, 4, 6, channels)
    np.testing.assert_allclose(x, GREY / 255, atol=1 / 255)


def test_grey_pictures_in_three_channels(folder):
    fill(folder)
    assert read(folder, channels=3)["train"].shape == (3, 4, 6, 3)
    for options, message in (
        ({"channels": 2}, "channels must be 1, 3 or left out; it was 2"),
        ({"channels": 3, "grey": True}, "channels must be 1 or left out with grey; it was 3"),
    ):
        with pytest.raises(zoo.UsageError, match=message):
            read(folder, **options)


@pytest.fixture
def told(monkeypatch):
    lines = []
    monkeypatch.setattr("absl.logging.warning", lambda text, *values: lines.append(text % values))
    return lines


def test_what_is_skipped_is_told(folder, told):
    fill(folder)
    for name in (".hidden.png", ".git/a.png", "__MACOSX/._z0.png", "Thumbs.db", "desktop.ini"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"nothing")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")  # to read it would take forever
    assert read(folder)["train"].shape == (3, 4, 6, 1) and told == []
    for name in ("notes.txt", "b/clip.MOV", "b/photo.heic", "c.heic"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"nothing")
    broken = (folder / "z1.png").read_bytes()
    (folder / "z1.png").write_bytes(broken[: len(broken) // 2])
    (folder / "z3.png").write_bytes(b"")
    assert read(folder)["train"].shape == (2, 4, 6, 1)
    (kinds, whole) = told
    assert "skipped files" in kinds and ".heic 2, .mov 1, .txt 1" in kinds
    assert "2 of 4 images" in whole and "z1.png" in whole and "z3.png" in whole


def test_few_pictures_are_one_batch(folder, told):
    fill(folder, 10)
    data = zoo.data.load(f"images:{folder}", batch_size=50)
    assert next(iter(data.train))["x"].shape[0] == data.num_examples["train"] == 8
    assert told == ["data: batches are of all 8 training examples, since batch_size was 50."]


def test_links_are_followed_but_not_in_a_circle(folder, told, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    fill(elsewhere, 2)
    fill(folder / "own", 2)
    (folder / "linked").symlink_to(elsewhere)
    (folder / "own" / "circle").symlink_to(folder)
    data = zoo.data.load(f"images:{folder}", batch_size=1)
    assert sum(data.num_examples.values()) == 4 and data.class_names == ("linked", "own")


def test_pictures_beside_the_splits_are_told(folder, told):
    for name in ("train", "test", "."):
        fill(folder / name)
    assert {k: len(x) for k, x in read(folder).items()} == {"train": 3, "test": 3}
    assert ".png beside the splits 3" in told[0]


def test_a_folder_of_broken_pictures_is_refused(folder):
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(zoo.UsageError, match="holds no whole image; 'a.png' is none: "):
        read(folder)
    (folder / "a.png").rename(folder / "a.heic")
    with pytest.raises(zoo.UsageError, match=r"must hold image files .*; it has \.heic 1\."):
        read(folder)


def test_sizes_that_differ_are_told_with_the_flag(folder):
    fill(folder)
    save(np.zeros((100, 80), np.uint8), folder / "a.png")
    message = r"100 by 80 and 4 by 6, .* size=4.* --config\.data\.size=4\b"
    with pytest.raises(zoo.UsageError, match=message):
        read(folder)


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        (5, (5, 5)),
        ("5", (5, 5)),
        ("4x6", (4, 6)),
        ("4X6", (4, 6)),
        ((4, 6), (4, 6)),
        ([2, 9], (2, 9)),
    ],
)
@pytest.mark.parametrize("source", ["images", "digits"])
def test_sizes(source, size, shape, folder):
    fill(folder)
    source = f"images:{folder}" if source == "images" else source
    assert zoo.data.load(source, batch_size=1, size=size).shape == (*shape, 1)


@pytest.mark.parametrize(
    "size",
    [0, -1, 2.5, True, "", "x", "4x", "4x0", "4x6x3", "-4", b"4", (4, 6, 1), [4, "a"]]
    + [2**31, 10**6],
)
def test_what_is_no_size(size):
    with pytest.raises(zoo.UsageError, match="^size must be "):
        zoo.data.load("digits", size=size)


def test_the_middle_or_all_of_a_picture(folder):
    """The middle in the shape of the size is cut out, or the whole squeezed into it."""
    x = np.zeros((8, 32), np.uint8)
    x[:, 8:24] = 255
    for k in range(2):
        save(x, folder / f"{k}.png")
    np.testing.assert_allclose(read(folder, size="4x8")["train"], 1)
    squeezed = read(folder, size="4x8", crop=False)["train"][0, :, :, 0]
    np.testing.assert_allclose(squeezed[:, [0, 4, 7]], [[0, 1, 0]] * 4, atol=1e-6)


def test_classes_keep_their_names(folder):
    for name in ("zebra", "ant", "bee"):
        fill(folder / name, 4)
    data = zoo.data.load(f"images:{folder}", batch_size=2)
    assert data.class_names == ("ant", "bee", "zebra")
    assert data.num_classes == 3
    assert zoo.data.load("digits").class_names == ()
