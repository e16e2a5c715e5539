"""Pictures of lines with their texts beside them."""

import zipfile

import numpy as np
import PIL.Image
import pytest

from handwriting import images
from handwriting.alphabet import LOWERCASE, Alphabet
from handwriting.data import Skipped
from handwriting.datasets import transcripts
from handwriting.errors import CorruptFileError, MissingDataError


def picture(width, height=30, paper=230, ink=40):
    """A line: dark strokes on gray paper, with paper around it."""
    image = np.full((height, width), paper, np.uint8)
    image[8:-8, 10:-10:9] = ink
    image[8:-8, 11:-10:9] = ink
    return image


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, width, text in (("10", 90, "ten"), ("9", 120, "nine pins"), ("b/1", 60, "one")):
        (folder / name).parent.mkdir(exist_ok=True)
        images.write(folder / f"{name}.png", picture(width))
        (folder / f"{name}.gt.txt").write_text(text + "\n", encoding="utf-8")
    return folder


def test_lines_come_with_their_texts_in_order(mine):
    lines = transcripts.load(mine)

    assert lines.texts == ("nine pins", "ten", "one")
    assert lines.image_shape == (48, 192)
    assert lines.widths.tolist() == [192, 144, 96]
    assert (lines.recipe, lines.name, lines.skipped) == ("line-tight", "mine", ())
    assert lines.alphabet == Alphabet(" einopst")
    assert not lines.images[1][:, 144:].any()


def test_ink_is_255_on_paper_0_whatever_the_polarity(mine):
    images.write(mine / "10.png", 255 - picture(90))

    lines = transcripts.load(mine)

    for image, width in zip(lines.images, lines.widths, strict=True):
        assert image[:, :3].max() == 0
        assert image.max() == 255
        assert 0.05 < (image[:, :width] > 127).mean() < 0.3


def test_a_size_of_its_own(mine):
    lines = transcripts.load(mine, size=(32, 100), recipe="line", alphabet=LOWERCASE_SPACE)

    assert lines.image_shape == (32, 100)
    assert lines.widths.max() <= 100
    assert (lines.alphabet, lines.recipe) == (LOWERCASE_SPACE, "line")


LOWERCASE_SPACE = Alphabet([" ", *LOWERCASE])


def test_the_second_time_they_are_mapped_until_a_text_changes(mine):
    first, second = transcripts.load(mine), transcripts.load(mine)
    (mine / "9.gt.txt").write_text("nine bins", encoding="utf-8")

    assert isinstance(second.images, np.memmap)
    np.testing.assert_array_equal(first.images, second.images)
    assert transcripts.load(mine).texts[0] == "nine bins"


def test_a_zip_file_will_do(mine, tmp_path):
    with zipfile.ZipFile(tmp_path / "lines.zip", "w") as archive:
        for file in mine.rglob("*.*"):
            archive.write(file, file.relative_to(mine))

    assert transcripts.load(tmp_path / "lines.zip").texts == transcripts.load(mine).texts


def test_accents_are_whole_characters(mine):
    (mine / "10.gt.txt").write_text("e\u0301te\u0301", encoding="utf-8-sig")

    assert transcripts.load(mine).texts[1] == "\u00e9t\u00e9"


def test_pictures_without_a_text_are_told_of(mine):
    images.write(mine / "11.png", picture(90))
    (mine / "10.gt.txt").write_text(" \n", encoding="utf-8")

    lines = transcripts.load(mine)

    assert lines.texts == ("nine pins", "one")
    assert [(s.where.rpartition("/")[2], s.reason) for s in lines.skipped] == [
        ("10.png", "its text is blank"),
        ("11.png", "there is no 11.gt.txt"),
    ]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("9.gt.txt", b"two\nlines", "must hold one line of text"),
        ("9.gt.txt", b"\xff\xfe9", "must be text in UTF-8"),
        ("9.gt.txt", b"a\x07b", "no control characters"),
        ("9.png", b"no picture", "9.png"),
    ],
)
def test_what_is_damaged_is_refused_or_left_out(mine, file, content, message):
    (mine / file).write_bytes(content)

    with pytest.raises(CorruptFileError, match=message):
        transcripts.load(mine)
    lines = transcripts.load(mine, on_error="skip")

    assert lines.texts == ("ten", "one")
    assert isinstance(lines.skipped[0], Skipped)
    assert "9.png" in lines.skipped[0].where


def test_where_there_are_none_it_says_what_must_be_there(tmp_path):
    images.write(tmp_path / "1.png", picture(90))

    with pytest.raises(MissingDataError, match=r"such as 1\.png and 1\.gt\.txt.*no 1\.gt\.txt"):
        transcripts.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (0, None)}, "size must be"),
        ({"size": (48, 0)}, "size must be"),
        ({"recipe": "mnist"}, "recipe must be one of line"),
        ({"ink": "blue"}, "ink must be"),
        ({"on_error": "hide"}, "on_error must be"),
        ({"alphabet": LOWERCASE}, "' '"),
    ],
)
def test_options_out_of_range_are_refused(mine, options, message):
    with pytest.raises(ValueError, match=message):
        transcripts.load(mine, **options)


def test_photographs_are_turned_as_their_camera_says(mine):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(np.rot90(picture(90))).save(mine / "10.jpg", exif=exif, quality=95)
    (mine / "10.png").unlink()

    lines = transcripts.load(mine)

    assert lines.widths.tolist() == [192, 144, 96]
