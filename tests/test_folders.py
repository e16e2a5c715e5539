import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handwriting.alphabet import Alphabet
from handwriting.data import CharacterDataset
from handwriting.datasets import folders
from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.preprocessing import clean, normalize, to_ink


def write_picture(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def page(level, side=20):
    """White paper with a dark square of one level in it."""
    image = np.full((side, side), 255, np.uint8)
    image[5:-5, 5:-5] = level
    return image


@pytest.fixture
def tree(tmp_path):
    for name, level in (("97/2", 20), ("97/10", 30), ("b/1", 40), ("999/0", 50), ("100/x", 60)):
        write_picture(tmp_path / "mine" / f"{name}.png", page(level))
    return tmp_path / "mine"


def test_pictures_are_ordered_by_code_and_then_by_number(tree):
    dataset = folders.load(tree, size=20)

    assert dataset.characters == ["", "a", "a", "b", "d"]
    assert dataset.images[:, 10, 10].tolist() == [205, 235, 225, 215, 195]
    assert dataset.alphabet == Alphabet(["", "a", "b", "d"])
    assert dataset.name == "mine"


def test_other_files_and_folders_in_the_tree_are_left_alone(tree):
    (tree / "readme.txt").write_text("hello")
    (tree / "notes").mkdir()

    assert len(folders.load(tree)) == 5


@pytest.mark.parametrize("paper", ["light", "dark"])
def test_the_polarity_is_found_for_all_pictures_together(paper, tmp_path):
    # One picture alone, mostly ink, would be taken for its opposite.
    full = np.zeros((20, 20), np.uint8)
    for number in range(9):
        picture = full if number == 0 else page(0)
        picture = picture if paper == "light" else 255 - picture
        write_picture(tmp_path / "97" / f"{number}.png", picture)

    dataset = folders.load(tmp_path, size=20)

    assert dataset.images[0].min() == 255
    assert dataset.images[1, 0, 0] == 0
    assert dataset.images[1, 10, 10] == 255


def test_the_polarity_can_be_given(tree):
    assert folders.load(tree, size=20, ink="light").images[0, 0, 0] == 255
    assert folders.load(tree, size=20, ink="dark").images[0, 0, 0] == 0


def test_pictures_of_any_size_and_kind_become_one_size(tmp_path):
    write_picture(tmp_path / "97" / "0.png", page(0, 28))
    write_picture(tmp_path / "97" / "1.jpg", np.dstack([page(0, 24)] * 3), quality=95)
    write_picture(tmp_path / "97" / "2.bmp", page(0, 40)[:, :20])

    dataset = folders.load(tmp_path, size=24)

    assert dataset.images.shape == (3, 24, 24)
    assert dataset.images[0, 12, 12] > 250
    # The last one was padded to a square with paper, on both sides.
    assert dataset.images[2, 12].tolist()[:6] == [0] * 6
    assert dataset.images[2, 12].tolist()[-5:] == [0] * 5


# macOS writes an accent as a character of its own.
@pytest.mark.parametrize(("name", "character"), [("a", "a"), ("a\u030a", "\u00e5")])
def test_folders_may_be_named_by_the_character(name, character, tmp_path):
    write_picture(tmp_path / name / "1.png", page(0))

    assert folders.load(tmp_path).characters == [character]


@pytest.mark.parametrize("name", ["cats", "1114112", "0x41", "-5", "10"])
def test_a_folder_that_stands_for_no_character_is_named(name, tmp_path):
    write_picture(tmp_path / name / "1.png", page(0))

    with pytest.raises(CorruptFileError, match=rf"{name}/1\.png"):
        folders.load(tmp_path)


def test_a_damaged_picture_is_named(tree):
    (tree / "98").mkdir()
    (tree / "98" / "bad.png").write_bytes(b"no picture")

    with pytest.raises(CorruptFileError, match=r"98/bad\.png"):
        folders.load(tree)


def test_damaged_pictures_can_be_left_out_and_are_listed(tree):
    for name in ("98/bad.png", "999/worse.jpg"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_bytes(b"no picture")

    dataset = folders.load(tree, size=20, on_error="skip")

    assert dataset.characters == ["", "a", "a", "b", "d"]
    assert dataset.images[:, 10, 10].tolist() == [205, 235, 225, 215, 195]
    assert [Path(entry.where).name for entry in dataset.skipped] == ["worse.jpg", "bad.png"]
    assert "is not a picture in one of the formats" in dataset.skipped[0].reason
    with pytest.raises(CorruptFileError, match=r"worse\.jpg"):
        folders.load(tree, size=20)


def test_only_damaged_pictures_leave_an_empty_set(tmp_path):
    (tmp_path / "97").mkdir()
    (tmp_path / "97" / "bad.png").write_bytes(b"no picture")

    dataset = folders.load(tmp_path, on_error="skip")

    assert (len(dataset), len(dataset.skipped)) == (0, 1)


def test_a_character_outside_the_alphabet_is_named(tree):
    with pytest.raises(CorruptFileError, match=r"100/x\.png is of the character 'd'"):
        folders.load(tree, alphabet=Alphabet(["", "a", "b"]))


def test_a_given_alphabet_gives_the_labels(tree):
    dataset = folders.load(tree, alphabet=Alphabet(["", "d", "c", "b", "a"]))

    assert dataset.labels.tolist() == [0, 4, 4, 3, 1]


def test_splits_are_not_mixed(tmp_path):
    for split in ("train", "test"):
        write_picture(tmp_path / split / "97" / "0.png", page(0))

    with pytest.raises(CorruptFileError, match="class folders of several splits"):
        folders.load(tmp_path)
    assert len(folders.load(tmp_path / "test")) == 1


def test_nothing_to_load_is_missing(tmp_path):
    with pytest.raises(MissingDataError, match="must hold class folders with pictures"):
        folders.load(tmp_path)


def test_wrong_options_are_refused(tree):
    with pytest.raises(ValueError, match="ink must be"):
        folders.load(tree, ink="blue")
    with pytest.raises(ValueError, match="size must be"):
        folders.load(tree, size=0)
    with pytest.raises(ValueError, match="on_error must be"):
        folders.load(tree, on_error="ignore")
    with pytest.raises(ValueError, match="stand without a recipe"):
        folders.load(tree, size=28, recipe="mnist")
    with pytest.raises(ValueError, match="recipe must be one of"):
        folders.load(tree, recipe="cifar")


def test_a_recipe_prepares_pictures_as_those_to_read_are(tmp_path):
    pictures = [np.full((50, 40), 230, np.uint8), np.full((30, 60), 215, np.uint8)]
    for number, picture in enumerate(pictures):
        picture[10:22, 8:12] = 70
        write_picture(tmp_path / "49" / f"{number}.png", picture)

    dataset = folders.load(tmp_path, recipe="mnist")

    expected = [normalize(clean(to_ink(picture)), "mnist") for picture in pictures]
    np.testing.assert_array_equal(dataset.images, expected)
    assert dataset.recipe == "mnist"


def test_a_changed_picture_is_read_anew(tree):
    before = folders.load(tree, size=20)
    write_picture(tree / "999" / "0.png", page(90))

    assert folders.load(tree, size=20).images[0, 10, 10] == 165
    assert before.images[0, 10, 10] == 205


@pytest.mark.parametrize("name", ["tree", "tree.zip"])
def test_what_is_saved_loads_as_it_was(name, tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 24, 24)).astype(np.uint8)
    images[:, 0] = images[:, -1] = images[:, :, 0] = images[:, :, -1] = 0
    alphabet = Alphabet(["", "!", "A", "a", "\u00e9"])
    labels = np.sort(rng.integers(0, 5, 12))
    dataset = CharacterDataset(images, labels, alphabet, "mine")

    folders.save(dataset, tmp_path / name)
    loaded = folders.load(tmp_path / name, size=24, alphabet=alphabet)

    np.testing.assert_array_equal(loaded.images, images)
    np.testing.assert_array_equal(loaded.labels, labels)


def test_equal_datasets_make_equal_zip_files(tmp_path, tiny):
    folders.save(tiny, tmp_path / "1.zip")
    folders.save(tiny, tmp_path / "2.zip")

    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "1.zip") as zipped:
        assert zipped.namelist()[:2] == ["48/0.png", "48/1.png"]
        shown = np.asarray(Image.open(io.BytesIO(zipped.read("48/0.png"))))
    np.testing.assert_array_equal(shown, 255 - tiny.images[0])


def test_a_link_without_a_target_is_named(tree):
    (tree / "97" / "3.png").symlink_to("nowhere.png")

    with pytest.raises(MissingDataError, match=r"97.3\.png does not exist; check the path"):
        folders.load(tree)
