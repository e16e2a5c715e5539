import io
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from handwriting import images
from handwriting.errors import CorruptFileError, MissingDataError


def stroke(mode="L"):
    """A dark stroke on light paper, wider than high, in a Pillow mode."""
    array = np.full((12, 20), 240, np.uint8)
    array[3:6, 2:15] = 20
    return PIL.Image.fromarray(array).convert(mode)


def encoded(image, file_format, **options):
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def transparent(ink, paper_alpha=0):
    """A stroke of one color on nothing."""
    array = np.zeros((12, 20, 4), np.uint8)
    array[..., 3] = paper_alpha
    array[3:6, 2:15] = [*ink, 255]
    return PIL.Image.fromarray(array)


@pytest.mark.parametrize("file_format", images.FORMATS)
def test_every_format_reads_alike(file_format):
    gray = images.to_gray(encoded(stroke(), file_format))

    assert gray.dtype == np.uint8
    assert np.abs(gray.astype(int) - np.asarray(stroke()).astype(int)).mean() < 5


@pytest.mark.parametrize(
    "mode", ["L", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX", "P", "CMYK", "YCbCr", "HSV", "I;16"]
)
def test_every_mode_gives_the_same_gray(mode):
    if mode == "I;16":
        image = PIL.Image.fromarray(np.asarray(stroke()).astype(np.uint16) * 257)
    elif mode in ("La", "RGBa"):
        image = stroke(mode.upper()).convert(mode)
    else:
        image = stroke(mode)

    gray = images.to_gray(image)

    assert np.abs(gray.astype(int) - np.asarray(stroke()).astype(int)).max() <= 3


def test_one_bit_becomes_0_and_255():
    gray = images.to_gray(stroke("1"))

    assert np.unique(gray).tolist() == [0, 255]
    assert (gray[3:6, 2:15] == 0).all()


def test_16_bit_files_are_scaled_and_not_clipped():
    levels = np.array([[0, 8192, 32768, 65535]], np.uint16)
    expected = [[0, 32, 128, 255]]

    for file_format in ("PNG", "TIFF"):
        data = encoded(PIL.Image.fromarray(levels), file_format)
        assert images.to_gray(data).tolist() == expected
    assert images.to_gray(levels).tolist() == expected
    assert images.to_gray(levels.astype(">u2")).tolist() == expected


def test_every_16_bit_level_goes_to_the_nearest_of_8_bits():
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)

    np.testing.assert_array_equal(images.to_gray(levels), np.rint(levels / 257))


def test_dark_ink_on_transparent_paper_lies_on_white():
    gray = images.to_gray(encoded(transparent((10, 10, 10)), "PNG"))

    assert gray[0, 0] == 255
    assert gray[4, 4] == 10


def test_light_ink_on_transparent_paper_lies_on_black():
    gray = images.to_gray(transparent((250, 250, 250)))

    assert gray[0, 0] == 0
    assert gray[4, 4] == 250


def test_bold_light_ink_on_transparent_paper_lies_on_black():
    array = np.zeros((28, 28, 4), np.uint8)
    array[2:26, 2:26] = 255

    assert np.unique(images.to_gray(array)).tolist() == [0, 255]


@pytest.mark.parametrize(("level", "paper"), [(100, 255), (150, 0)])
def test_a_stray_pixel_does_not_decide_what_the_paper_is(level, paper):
    array = np.zeros((28, 28, 4), np.uint8)
    array[9:12, 2:26] = [level, level, level, 255]
    array[20, 20] = [0, 0, 0, 1]
    array[10, 10] = [255 - level, 255 - level, 255 - level, 255]

    assert images.to_gray(array)[0, 0] == paper


@pytest.mark.parametrize(("page", "ink"), [(250, 10), (5, 240)])
def test_a_page_with_a_transparent_rim_gets_a_rim_of_its_tone(page, ink):
    array = np.zeros((40, 40, 4), np.uint8)
    array[10:30, 10:30] = [page, page, page, 255]
    array[15:17, 12:28, :3] = ink

    gray = images.to_gray(array)

    assert gray[0, 0] == (255 if page > 127 else 0)
    assert gray[15, 15] == ink


def test_32_bit_integers_are_refused():
    with pytest.raises(ValueError, match="does not say what its white is"):
        images.to_gray(stroke("I"))


def test_a_cameras_mpo_is_its_first_image():
    data = encoded(stroke(), "MPO", save_all=True, append_images=[PIL.Image.new("L", (4, 4))])

    assert images.to_gray(data).shape == (12, 20)


def test_unreadable_camera_data_does_not_spoil_the_pixels():
    data = encoded(stroke(), "PNG", exif=b"Exif\0\0nothing")

    np.testing.assert_array_equal(images.to_gray(data), np.asarray(stroke()))


def test_a_page_that_is_no_number_is_a_type_error():
    with pytest.raises(TypeError, match="page must be an int"):
        images.to_gray(encoded(stroke(), "PNG"), page="1")


def test_a_transparent_palette_color_is_paper():
    image = stroke("P")
    paper = image.getpixel((0, 0))

    gray = images.to_gray(encoded(image, "PNG", transparency=paper))

    assert gray[0, 0] == 255
    assert gray[4, 4] < 40


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_tag_is_obeyed(orientation):
    undo = {
        1: None,
        2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
        3: PIL.Image.Transpose.ROTATE_180,
        4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
        5: PIL.Image.Transpose.TRANSPOSE,
        6: PIL.Image.Transpose.ROTATE_90,
        7: PIL.Image.Transpose.TRANSVERSE,
        8: PIL.Image.Transpose.ROTATE_270,
    }[orientation]
    stored = stroke() if undo is None else stroke().transpose(undo)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation

    gray = images.to_gray(encoded(stored, "PNG", exif=exif))

    np.testing.assert_array_equal(gray, np.asarray(stroke()))


def forms():
    array = np.asarray(stroke()).copy()
    yield "array", array
    yield "channel", array[:, :, None]
    yield "three channels", np.repeat(array[:, :, None], 3, axis=2)
    yield "four channels", np.dstack([array, array, array, np.full_like(array, 255)])
    yield "float32", array.astype(np.float32) / 255
    yield "float64", array / 255
    yield "fortran", np.asfortranarray(array)
    yield "view", np.repeat(array, 2, axis=1)[:, ::2]
    yield "pillow", stroke()
    yield "bytes", encoded(stroke(), "PNG")
    yield "stream", io.BytesIO(encoded(stroke(), "PNG"))


@pytest.mark.parametrize(
    ("name", "picture"), list(forms()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_same_picture_in_every_form_is_the_same(name, picture):
    gray = images.to_gray(picture)

    np.testing.assert_array_equal(gray, np.asarray(stroke()), err_msg=name)
    assert gray.flags.writeable
    assert gray.flags.c_contiguous


def test_paths_read_like_bytes(tmp_path):
    stroke().save(tmp_path / "stroke.png")

    for path in (tmp_path / "stroke.png", str(tmp_path / "stroke.png")):
        np.testing.assert_array_equal(images.to_gray(path), np.asarray(stroke()))


def test_bools_become_0_and_255():
    assert images.to_gray(np.array([[True, False]])).tolist() == [[255, 0]]


def test_the_result_is_a_copy():
    array = np.zeros((2, 2), np.uint8)

    images.to_gray(array)[0, 0] = 9

    assert array[0, 0] == 0


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[np.nan]]), "must be finite"),
        (np.array([[2.0]]), r"must lie in \[0, 1\]"),
        (np.array([[-0.1]]), r"must lie in \[0, 1\]"),
        (np.array([[3]]), "bool, uint8, uint16 or float"),
        (np.array([["a"]]), "bool, uint8, uint16 or float"),
        (np.zeros((2, 2, 2), np.uint8), r"shape \(h, w\) or"),
        (np.zeros((3, 4, 5, 3), np.uint8), "call this once for each"),
        (np.zeros((0, 5), np.uint8), "must have pixels"),
        (np.zeros(5, np.uint8), r"shape \(h, w\) or"),
    ],
)
def test_what_is_no_picture_is_refused(array, message):
    with pytest.raises(ValueError, match=message):
        images.to_gray(array)


@pytest.mark.parametrize("thing", [None, 7, [np.zeros((2, 2), np.uint8)]])
def test_what_is_no_kind_of_picture_is_a_type_error(thing):
    with pytest.raises(TypeError, match="a picture is a path"):
        images.to_gray(thing)


def test_a_float_tiff_with_nan_is_refused():
    image = PIL.Image.fromarray(np.array([[0.5, np.nan]], np.float32))

    with pytest.raises(CorruptFileError, match="must be finite"):
        images.to_gray(encoded(image, "TIFF"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingDataError, match=r"gone\.png: no such picture"):
        images.to_gray(tmp_path / "gone.png")


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(MissingDataError, match="is a folder"):
        images.to_gray(tmp_path)


def test_an_empty_file_says_so(tmp_path):
    (tmp_path / "empty.png").touch()

    with pytest.raises(CorruptFileError, match=r"empty\.png is empty"):
        images.to_gray(tmp_path / "empty.png")


@pytest.mark.parametrize("data", [b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"%PDF-1.4\n"])
def test_other_formats_are_refused_whatever_their_name(data, tmp_path):
    (tmp_path / "a.png").write_bytes(data)

    with pytest.raises(
        CorruptFileError, match=r"a\.png is not a picture in one of the formats PNG"
    ):
        images.to_gray(tmp_path / "a.png")


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_truncated_file_is_refused_and_never_half_read(file_format, tenths):
    rng = np.random.default_rng(0)
    noise = PIL.Image.fromarray(rng.integers(0, 256, (64, 64)).astype(np.uint8))
    data = encoded(noise, file_format)

    with pytest.raises(CorruptFileError):
        images.to_gray(data[: len(data) * tenths // 10])


def test_a_bomb_is_refused_before_it_is_decoded():
    bomb = encoded(PIL.Image.new("1", (9000, 9000)), "PNG")

    with pytest.raises(CorruptFileError, match="9000 x 9000 pixels, over the limit"):
        images.to_gray(bomb)
    with pytest.raises(CorruptFileError, match="4 x 5 pixels, over the limit of 19"):
        images.to_gray(encoded(PIL.Image.new("L", (4, 5)), "PNG"), max_pixels=19)
    assert images.to_gray(encoded(PIL.Image.new("L", (4, 5)), "PNG"), max_pixels=20).shape == (5, 4)


def test_a_monster_is_refused_within_little_memory():
    code = (
        "import io, resource, PIL.Image; PIL.Image.MAX_IMAGE_PIXELS = None\n"
        "from handwriting import images, errors\n"
        "s = io.BytesIO(); PIL.Image.new('1', (30000, 30000)).save(s, 'PNG'); s = s.getvalue()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: images.to_gray(s); print('read')\n"
        "except errors.CorruptFileError: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )

    assert int(result.stdout) < 10_000


def test_pages_are_chosen_and_never_guessed():
    pages = [PIL.Image.new("L", (4, 4), level) for level in (0, 100, 200)]
    data = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])

    with pytest.raises(CorruptFileError, match="has 3 pages; choose one with page=0 to page=2"):
        images.to_gray(data)
    assert images.to_gray(data, page=2)[0, 0] == 200
    with pytest.raises(CorruptFileError, match=r"page must lie in \[0, 3\)"):
        images.to_gray(data, page=3)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "gif"])
def test_what_is_written_reads_back(suffix, tmp_path):
    image = np.asarray(stroke())

    images.write(tmp_path / f"a.{suffix}", image)

    np.testing.assert_array_equal(images.to_gray(tmp_path / f"a.{suffix}"), image)


def test_a_bad_suffix_or_array_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match="path must end as one of PNG"):
        images.write(tmp_path / "a.eps", np.asarray(stroke()))
    with pytest.raises(ValueError, match="must be one image"):
        images.write(tmp_path / "a.png", np.zeros((2, 3, 3), np.uint8))
    with pytest.raises(ValueError, match="must be uint8"):
        images.write(tmp_path / "a.png", np.zeros((3, 3)))
    assert not list(tmp_path.glob("*.*"))


def test_check_tells_what_must_hold():
    with pytest.raises(TypeError, match="must be a NumPy array, got list"):
        images.check([[1]])
    with pytest.raises(ValueError, match="must have pixels"):
        images.check(np.zeros((0, 4), np.uint8))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of pictures and other things, where relative paths begin."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.PNG", "a.jpg", "notes.txt", ".hidden.png", "[1].png", "inner.png/c.png"):
        path = tmp_path / "some" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "some"


def found(*places):
    return [path.as_posix() for path in images.find(places)]


def test_find_takes_files_as_they_are_named(folder):
    assert found("some/notes.txt", "gone.png") == ["some/notes.txt", "gone.png"]
    assert found("some/[1].png") == ["some/[1].png"]
    assert images.find([folder / "a.jpg"]) == [folder / "a.jpg"]
    assert found() == []


@pytest.mark.usefixtures("folder")
def test_find_takes_the_pictures_of_a_folder_in_order():
    assert found("some") == ["some/[1].png", "some/a.jpg", "some/b.PNG"]
    assert found("some/a.jpg", "some/inner.png") == ["some/a.jpg", "some/inner.png/c.png"]


@pytest.mark.parametrize("name", ["c.heic", "c.HEIF", "c.avif"])
def test_find_does_not_pass_over_photos_that_cannot_be_read(folder, name):
    (folder / name).write_bytes(b"\0\0\0\x18ftypheic")

    assert found("some")[-1] == f"some/{name}"
    with pytest.raises(CorruptFileError, match="not a picture in one of the formats .* convert it"):
        images.to_gray(folder / name)


def test_find_takes_the_files_that_fit_a_pattern(folder):
    assert found("some/*.png") == ["some/[1].png"]
    assert found("some/?.*") == ["some/a.jpg", "some/b.PNG"]
    assert found("some/[ab].*") == ["some/a.jpg", "some/b.PNG"]
    assert found("**/c.png") == ["some/inner.png/c.png"]
    assert images.find([folder / "a*"]) == [folder / "a.jpg"]


def test_find_tells_what_names_no_picture(folder):
    (folder / "empty").mkdir()

    with pytest.raises(MissingDataError, match=r"some/empty has no pictures \(\.png, \.jpg"):
        images.find(["some/a.jpg", "some/empty"])
    with pytest.raises(MissingDataError, match=r"some/x\*\.png fits no file; check the pattern"):
        images.find(["some/x*.png"])
    with pytest.raises(TypeError, match="places must be several paths, got one, 'some'"):
        images.find("some")
