import zipfile

import numpy as np
import pytest

from handwriting import datasets
from handwriting.alphabet import DIGITS, UPPERCASE, Alphabet
from handwriting.data import CharacterDataset
from handwriting.datasets import emnist, idx
from handwriting.errors import MissingDataError


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """The two training files of letters, one noisy image of each."""
    folder = tmp_path_factory.mktemp("letters")
    images = np.random.default_rng(0).integers(0, 256, (26, 28, 28)).astype(np.uint8)
    idx.write(folder / "emnist-letters-train-images-idx3-ubyte.gz", images)
    labels = np.arange(1, 27).astype(np.uint8)
    idx.write(folder / "emnist-letters-train-labels-idx1-ubyte.gz", labels)
    return folder


def test_the_six_subsets_tell_the_counts_that_the_files_hold():
    assert emnist.subsets() == {
        "balanced": {"train": 112_800, "test": 18_800},
        "byclass": {"train": 697_932, "test": 116_323},
        "bymerge": {"train": 697_932, "test": 116_323},
        "digits": {"train": 240_000, "test": 40_000},
        "letters": {"train": 124_800, "test": 20_800},
        "mnist": {"train": 60_000, "test": 10_000},
    }


@pytest.mark.parametrize("subset", emnist.subsets())
def test_characters_are_those_of_the_official_maps(subset, real_data):
    lines = (real_data / "emnist" / f"emnist-{subset}-mapping.txt").read_text().splitlines()
    rows = [[int(number) for number in line.split()] for line in lines if line.strip()]
    first = 1 if subset == "letters" else 0

    assert [row[0] for row in rows] == list(range(first, first + len(rows)))
    assert Alphabet(chr(row[1]) for row in rows) == emnist.ALPHABETS[subset]


def test_letters_count_from_0_here_and_from_1_in_the_file(letters):
    dataset = emnist.load("train", letters, subset="letters")

    assert dataset.labels.tolist() == list(range(26))
    assert dataset.characters == list(UPPERCASE)


def test_raw_images_stand_as_in_the_file_in_the_same_map(letters):
    upright = emnist.load("train", letters, subset="letters")
    raw = emnist.load("train", letters, subset="letters", raw=True)

    in_the_file = idx.read(letters / "emnist-letters-train-images-idx3-ubyte.gz")
    np.testing.assert_array_equal(raw.images, in_the_file)
    np.testing.assert_array_equal(upright.images, in_the_file.transpose(0, 2, 1))
    assert isinstance(raw.images, np.memmap)
    assert raw.images.filename == upright.images.filename
    assert (upright.recipe, raw.recipe) == ("emnist", "emnist-raw")


def test_the_files_are_found_wherever_a_download_left_them(letters, tmp_path):
    with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as inner:
        for file in letters.iterdir():
            inner.write(file, f"gzip/{file.name}")
    with zipfile.ZipFile(tmp_path / "nested.zip", "w") as outer:
        outer.write(tmp_path / "gzip.zip", "EMNIST/gzip.zip")
    bare = tmp_path / "deep" / "bare"
    bare.mkdir(parents=True)
    for file in letters.iterdir():
        idx.write(bare / file.stem, idx.read(file))

    expected = emnist.load("train", letters, subset="letters").images
    some_file = next(letters.iterdir())
    for path in (tmp_path / "gzip.zip", tmp_path / "nested.zip", tmp_path / "deep", some_file):
        found = emnist.load("train", path, subset="letters")
        np.testing.assert_array_equal(found.images, expected)


def test_a_folder_with_the_zip_file_in_it_is_enough(letters, tmp_path):
    with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as inner:
        for file in letters.iterdir():
            inner.write(file, f"gzip/{file.name}")

    assert len(emnist.load("train", tmp_path, subset="letters")) == 26


def test_a_subset_that_is_not_there_is_missing(letters):
    with pytest.raises(MissingDataError, match="must hold emnist-digits-test-images-idx3-ubyte.gz"):
        datasets.load("emnist/digits", "test", letters)


def test_an_unknown_subset_names_the_known_ones():
    with pytest.raises(ValueError, match="subset must be one of balanced, .* got 'cifar'"):
        datasets.load("emnist/cifar")


def byclass(characters):
    labels = emnist.ALPHABETS["byclass"].encode(characters)
    return CharacterDataset(
        np.zeros((len(labels), 28, 28), np.uint8), labels, emnist.ALPHABETS["byclass"]
    )


@pytest.mark.parametrize(
    ("subset", "expected"),
    [
        ("byclass", "0Aacz"),
        ("bymerge", "0AaCZ"),
        ("balanced", "0AaCZ"),
        ("letters", "AACZ"),
        ("digits", "0"),
        ("mnist", "0"),
    ],
)
def test_byclass_converts_to_every_other_alphabet(subset, expected):
    converted = emnist.convert(byclass("0Aacz"), subset, outside="drop")

    assert "".join(converted.characters) == expected
    assert converted.alphabet == emnist.ALPHABETS[subset]


def test_47_classes_convert_to_26_and_10():
    balanced = emnist.convert(byclass("0Aac"), "balanced")

    assert emnist.convert(balanced, "letters", outside="drop").characters == ["A", "A", "C"]
    assert emnist.convert(balanced, "digits", outside="drop").characters == ["0"]


def test_26_classes_do_not_convert_to_ones_that_tell_the_cases_apart():
    both = emnist.convert(byclass("Aa"), "letters")

    for subset in ("byclass", "bymerge", "balanced"):
        with pytest.raises(ValueError, match="hold both cases"):
            emnist.convert(both, subset)


def test_what_has_no_class_is_an_error_unless_dropped():
    with pytest.raises(ValueError, match="'0' stand in the dataset"):
        emnist.convert(byclass("0A"), "letters")
    with pytest.raises(ValueError, match="subset must be one of"):
        emnist.convert(byclass("0"), "cifar")


def test_the_47_classes_keep_the_lower_case_that_looks_its_own():
    assert "".join(emnist.ALPHABETS["balanced"]) == (
        "".join(DIGITS) + "".join(UPPERCASE) + "abdefghnqrt"
    )
