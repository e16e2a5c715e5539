import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from handwriting.alphabet import ASCII, DIGITS, UPPERCASE
from handwriting.data import CharacterDataset
from handwriting.datasets import alphanum, folders
from handwriting.errors import CorruptFileError, MissingDataError

pytestmark = pytest.mark.filterwarnings("ignore:this is not AlphaNum as published")


def dataset_of(counts, side=24, alphabet=alphanum.ALPHABET):
    characters = [character for character, count in counts.items() for _ in range(count)]
    images = np.random.default_rng(0).integers(0, 256, (len(characters), side, side))
    return CharacterDataset(images.astype(np.uint8), alphabet.encode(characters), alphabet, "made")


@pytest.fixture
def zips(tmp_path):
    """The three zip files, with 4, 2 and 1 images of three classes."""
    for split, count in (("train", 4), ("test", 2), ("validation", 1)):
        made = dataset_of({"": count, "A": count, "~": count})
        folders.write_zip(tmp_path / f"{split}.zip", made)
    return tmp_path


def test_the_published_table_is_whole():
    assert sum(alphanum.PUBLISHED_COUNTS.values()) == 108_790
    assert len(alphanum.ALPHABET) == 94
    assert "\\" not in alphanum.ALPHABET
    assert list(alphanum.ALPHABET)[1:] == [c for c in ASCII if c != "\\"]
    assert alphanum.PUBLISHED_COUNTS["e"] == 2962
    assert alphanum.PUBLISHED_COUNTS[""] == 4999


def test_a_set_that_is_as_published_gives_no_warning(tmp_path, recwarn):
    whole = dataset_of(alphanum.PUBLISHED_COUNTS, 1)
    train, rest = whole.split(0.3, rng=0)
    test, validation = rest.split(1 / 3, rng=0)
    for name, part in (("train", train), ("test", test), ("validation", validation)):
        folders.write_zip(tmp_path / f"{name}.zip", part)

    dataset = alphanum.load("all", tmp_path)

    assert dataset.counts() == alphanum.PUBLISHED_COUNTS
    assert not recwarn.list


@pytest.mark.filterwarnings("default")
def test_a_set_that_differs_is_warned_of(zips, tmp_path):
    with pytest.warns(UserWarning, match="null 7 instead of 4,999, ! 0 instead of 207.*89 more"):
        alphanum.load("all", zips)
    folders.write_zip(tmp_path / "train.zip", dataset_of({"`": 43}))
    with pytest.warns(UserWarning, match="as published: ` 43 instead of 42$"):
        alphanum.load("train", tmp_path / "train.zip")


@pytest.mark.parametrize(("split", "count"), [("train", 4), ("test", 2), ("validation", 1)])
def test_a_split_is_found_wherever_a_download_left_it(split, count, zips, tmp_path):
    tree = tmp_path / "trees"
    for name in ("train", "test", "validation"):
        with zipfile.ZipFile(zips / f"{name}.zip") as zipped:
            zipped.extractall(tree / name)
    with zipfile.ZipFile(tmp_path / "download.zip", "w") as outer:
        for name in ("train", "test", "validation"):
            outer.write(zips / f"{name}.zip", f"AlphaNum/{name}.zip")
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as outer:
        for file in tree.rglob("*.png"):
            outer.write(file, file.relative_to(tree))

    paths = [zips, zips / f"{split}.zip", tree, tree / split]
    for path in (*paths, tmp_path / "download.zip", tmp_path / "one.zip"):
        dataset = alphanum.load(split, path)
        assert dataset.characters == [""] * count + ["A"] * count + ["~"] * count


def test_one_split_is_never_taken_for_another(zips):
    with pytest.raises(MissingDataError, match="must be a folder or zip file that holds test.zip"):
        alphanum.load("test", zips / "train.zip")


def test_sizes_may_be_mixed_and_another_one_asked_for(tmp_path):
    for side in (24, 26, 28):
        file = tmp_path / "train" / "65" / f"{side}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((side, side), 255, np.uint8)).save(file)

    assert alphanum.load("train", tmp_path).images.shape == (3, 24, 24)
    assert alphanum.load("train", tmp_path, size=28).images.shape == (3, 28, 28)
    assert not alphanum.load("train", tmp_path).images.any()


def test_a_backslash_is_not_silently_left_out(tmp_path):
    folders.write_zip(tmp_path / "train.zip", dataset_of({"\\": 1}, 24, ASCII))

    with pytest.raises(CorruptFileError, match=r"92/0\.png .* is of the character"):
        alphanum.load("train", tmp_path)


@pytest.fixture
def sources():
    capitals = dataset_of(dict.fromkeys(UPPERCASE, 20), 28, UPPERCASE)
    digits = dataset_of(dict.fromkeys(DIGITS, 30), 28, DIGITS)
    characters = dataset_of({"A": 5, "!": 10, "7": 3}, 64, ASCII)
    return {"mnist": digits, "az": capitals, "characters": characters}


def test_a_built_set_has_the_form_and_the_shares_of_the_published_one(sources, tmp_path):
    counts = alphanum.build(tmp_path / "set", **sources, null=50, counts=None, rng=0)

    parts = {
        split: alphanum.load(split, tmp_path / "set") for split in ("train", "test", "validation")
    }
    assert counts == alphanum.load("all", tmp_path / "set").counts()
    assert (counts[""], counts["A"], counts["B"], counts["7"], counts["!"]) == (50, 25, 20, 33, 10)
    assert [len(part) for part in parts.values()] == [622, 177, 89]
    for part, share in zip(parts.values(), (0.7, 0.2, 0.1), strict=True):
        assert all(abs(part.counts()[c] - counts[c] * share) <= 1.5 for c in counts)
    with zipfile.ZipFile(tmp_path / "set" / "train.zip") as zipped:
        assert "train/999/0.png" in zipped.namelist()
        shown = Image.open(io.BytesIO(zipped.read("train/999/0.png")))
        assert (shown.mode, shown.size) == ("L", (24, 24))


def test_a_built_sets_images_are_its_sources_scaled(tmp_path):
    square = np.zeros((1, 28, 28), np.uint8)
    square[0, 7:21, 7:21] = 255
    alphanum.build(
        tmp_path / "set", mnist=CharacterDataset(square.repeat(10, 0), [3] * 10, DIGITS), null=0
    )

    image = alphanum.load("train", tmp_path / "set").images[0]

    assert image[12, 12] == 255
    assert image[:4].max() == 0
    assert abs(int((image > 127).sum()) - 144) <= 12


def test_the_same_seed_makes_the_same_bytes(sources, tmp_path):
    for name, seed in (("1", 0), ("2", 0), ("3", 1)):
        alphanum.build(tmp_path / name, **sources, null=5, rng=seed)

    def contents(name):
        return {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}

    assert contents("1") == contents("2")
    assert contents("1")["train.zip"] != contents("3")["train.zip"]


def test_classes_are_filled_up_to_their_counts_from_the_characters_first(sources, tmp_path):
    counts = alphanum.build(tmp_path / "set", **sources, null=2, counts={"A": 7, "7": 2, "!": 99})

    found = {character: count for character, count in counts.items() if count}
    assert found == {"": 2, "A": 7, "7": 2, "!": 10}


def test_the_table_of_counts_adds_up(sources, tmp_path):
    counts = alphanum.build(tmp_path / "set", **sources, null=50, counts=None)

    lines = (tmp_path / "set" / "counts.md").read_text(encoding="utf-8").splitlines()

    assert lines[0] == "| code | character | train | test | validation | all |"
    assert lines[2] == "| 999 | null | 35 | 10 | 5 | 50 |"
    assert lines[-1].endswith(f"| {sum(counts.values())} |")
    assert len(lines) == 2 + 94 + 1
    assert any(line.startswith("| 124 | \\| | 0") for line in lines)


def test_a_build_that_fails_leaves_nothing(sources, tmp_path):
    backslash = dataset_of({"\\": 3}, 24, ASCII)

    with pytest.raises(ValueError, match="stand in the dataset but not in"):
        alphanum.build(tmp_path / "set", characters=backslash, null=1)
    with pytest.raises(ValueError, match="at least one of mnist, characters and az"):
        alphanum.build(tmp_path / "set")
    with pytest.raises(ValueError, match="null must be"):
        alphanum.build(tmp_path / "set", **sources, null=-1)

    assert not list(tmp_path.iterdir())
