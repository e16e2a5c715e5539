import gzip
import tracemalloc
import zipfile

import numpy as np
import pytest

from handwriting import datasets
from handwriting.alphabet import UPPERCASE
from handwriting.datasets import az
from handwriting.errors import CorruptFileError, MissingDataError

NAME = "A_Z Handwritten Data.csv"


def letters(count):
    """Rows in the form of the set: sorted by label, a level of 0 to 255 everywhere."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (count, 785))
    rows[:, 0] = np.arange(count) * 26 // count
    return rows


def text(rows):
    return "".join(",".join(map(str, row)) + "\n" for row in rows.tolist()).encode()


ROWS = letters(260)
NUMBERED = text(np.arange(785)[None])


def named_by_pandas():
    """The first row as pandas writes it when it took it for the names of columns."""
    seen = {}
    names = []
    for value in ROWS[0].tolist():
        names.append(f"{value}.{seen[value]}" if value in seen else str(value))
        seen[value] = seen.get(value, 0) + 1
    return (",".join(names) + "\n").encode() + text(ROWS[1:])


@pytest.fixture
def copy(tmp_path):
    (tmp_path / NAME).write_bytes(text(ROWS))
    return tmp_path


def by_content(dataset):
    pairs = zip(dataset.labels.tolist(), dataset.images, strict=True)
    return sorted((label, image.tobytes()) for label, image in pairs)


def test_all_rows_become_images(copy):
    dataset = az.load("all", copy)

    assert by_content(dataset) == sorted((row[0], row[1:].astype("u1").tobytes()) for row in ROWS)
    assert dataset.alphabet == UPPERCASE
    assert dataset.images.shape == (260, 28, 28)
    assert (dataset.name, dataset.recipe) == ("az/all", "emnist")


def test_the_splits_are_a_fixed_stratified_partition(copy, tmp_path):
    everything, train, test = (az.load(split, copy) for split in ("all", "train", "test"))

    assert set(train.counts().values()) == {8}
    assert set(test.counts().values()) == {2}
    np.testing.assert_array_equal(np.concatenate([train.images, test.images]), everything.images)
    np.testing.assert_array_equal(np.concatenate([train.labels, test.labels]), everything.labels)
    assert (train.name, test.name) == ("az/train", "az/test")

    (tmp_path / "again.csv").write_bytes(text(ROWS))
    again = datasets.load("az", "test", tmp_path / "again.csv")
    np.testing.assert_array_equal(again.images, test.images)


def test_a_file_beside_the_set_is_read_for_itself(copy):
    (copy / "fewer.csv").write_bytes(text(ROWS[:200]))

    assert len(az.load("all", copy)) == 260
    assert len(az.load("all", copy / "fewer.csv")) == 200


def test_the_test_images_are_drawn_and_not_the_last_of_a_class(copy):
    test = az.load("test", copy)

    contents = [row[1:].astype("u1").tobytes() for row in ROWS]
    places = np.array([contents.index(image.tobytes()) % 10 for image in test.images])
    assert places[:6].tolist() == [4, 6, 2, 9, 4, 5]


def test_each_split_is_a_read_only_memory_map_of_one_file(copy, home):
    for split in ("train", "test", "all"):
        images = az.load(split, copy).images
        assert isinstance(images, np.memmap)
        assert not images.flags.writeable

    (folder,) = (home / "az").iterdir()
    assert {file.name for file in folder.iterdir()} == {"images.npy", "labels.npy", "dataset.json"}


def test_the_counts_are_a_fifth_of_the_set():
    assert sum(az.COUNTS.values()) == 372_451
    assert az.COUNTS["test"] == az._test_size(372_451)


@pytest.mark.parametrize(
    "content",
    [
        NUMBERED + text(ROWS),
        b"label," + b",".join(b"1x%d" % i for i in range(784)) + b"\n" + text(ROWS),
        b'\xef\xbb\xbf"label","pixel1"\n' + text(ROWS),
        b"\xef\xbb\xbf" + text(ROWS),
        text(ROWS).replace(b"\n", b"\r\n"),
        text(ROWS)[:-1],
        b"\n" + text(ROWS) + b"\n\n",
        named_by_pandas(),
    ],
    ids=["numbered", "named", "quoted", "mark", "returns", "no end", "empty lines", "pandas"],
)
def test_headers_and_line_ends_of_copies_change_nothing(content, copy):
    expected = az.load("train", copy)
    (copy / "other.csv").write_bytes(content)

    dataset = az.load("train", copy / "other.csv")

    np.testing.assert_array_equal(dataset.images, expected.images)
    np.testing.assert_array_equal(dataset.labels, expected.labels)


def test_compressed_files_and_zip_files_give_the_same(copy, tmp_path):
    expected = az.load("test", copy).images
    (tmp_path / "letters.csv.gz").write_bytes(gzip.compress(text(ROWS)))
    (tmp_path / "folder").mkdir()
    with zipfile.ZipFile(tmp_path / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"A_Z Handwritten Data/{NAME}", text(ROWS))
    slug = "az-handwritten-alphabets-in-csv-format.zip"
    (tmp_path / "folder" / slug).write_bytes((tmp_path / "archive.zip").read_bytes())

    (tmp_path / "compressed").mkdir()
    (tmp_path / "compressed" / f"{NAME}.gz").write_bytes(gzip.compress(text(ROWS)))
    for path in ("letters.csv.gz", "archive.zip", "folder", "compressed"):
        np.testing.assert_array_equal(az.load("test", tmp_path / path).images, expected)


def test_rows_beyond_one_block_stay_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(az, "_ROWS_AT_ONCE", 7)
    (tmp_path / NAME).write_bytes(text(ROWS))

    dataset = az.load("all", tmp_path)

    assert by_content(dataset) == sorted((row[0], row[1:].astype("u1").tobytes()) for row in ROWS)
    assert dataset.labels[:208].tolist() == np.repeat(np.arange(26), 8).tolist()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("26" + ",0" * 784, "its label is 26"),
        ("3" + ",0" * 783, "it has 784 numbers"),
        ("3" + ",0" * 785, "it has 786 numbers"),
        ("3" + ",256" * 784, "'256'"),
        ("3" + "," * 784, "''"),
        ("3" + ",-1" * 784, "other characters than digits"),
        ("3" + ",0.0" * 784, "other characters than digits"),
        ("3" + ",1e1" * 784, "other characters than digits"),
        ("C" + ",0" * 784, "other characters than digits"),
        ("3" + ",000000000000000000000000000256" * 784, "256"),
        ("0" * 200_000, "it has 1 numbers"),
    ],
)
@pytest.mark.parametrize("line", [2, 100, 261])
def test_a_row_that_is_no_letter_is_named(fault, message, line, tmp_path):
    lines = text(ROWS).splitlines(keepends=True)
    lines.insert(line - 1, fault.encode() + b"\n")
    (tmp_path / NAME).write_bytes(b"".join(lines))

    with pytest.raises(CorruptFileError, match=rf"line {line} of .*{NAME} must be .*{message}"):
        az.load("train", tmp_path)


def test_the_line_after_a_header_and_empty_lines_is_counted_rightly(tmp_path):
    (tmp_path / NAME).write_bytes(NUMBERED + text(ROWS[:9]) + b"\n\n77\n")

    with pytest.raises(CorruptFileError, match="line 13 of"):
        az.load("train", tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", NUMBERED, text(ROWS[:1]), text(ROWS[::10]), text(ROWS[:9]) + text(ROWS[9::10])],
)
def test_too_few_images_to_split_are_refused(content, tmp_path, home):
    (tmp_path / NAME).write_bytes(content)

    with pytest.raises(CorruptFileError, match=NAME):
        az.load("train", tmp_path)
    assert list((home / "az").iterdir()) == []


def test_a_file_cut_short_is_refused(tmp_path):
    whole = text(ROWS)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(whole)[:-2000])
    (tmp_path / "b.csv").write_bytes(whole[:-20])

    with pytest.raises(CorruptFileError, match=r"a\.csv\.gz is damaged"):
        az.load("train", tmp_path / "a.csv.gz")
    with pytest.raises(CorruptFileError, match=r"line 260 of .*b\.csv"):
        az.load("train", tmp_path / "b.csv")


def test_the_second_load_reads_the_cache_until_the_file_changes(copy, monkeypatch):
    first = az.load("train", copy)
    with monkeypatch.context() as patched:
        patched.setattr(az, "_prepare", None)
        np.testing.assert_array_equal(az.load("train", copy).images, first.images)

    (copy / NAME).write_bytes(text(ROWS[:200]))
    assert len(az.load("all", copy)) == 200


def test_without_a_copy_it_says_how_to_get_one(home, tmp_path):
    with pytest.raises(MissingDataError, match="kaggle datasets download -d sachinpatel21/az-hand"):
        az.load("train")
    with pytest.raises(MissingDataError, match=f"must hold {NAME}"):
        az.load("train", tmp_path)
    assert az.on_disk() is None

    (home / "az").mkdir(parents=True)
    (home / "az" / NAME).write_bytes(text(ROWS))

    assert az.on_disk() == home / "az"
    assert len(az.load("train")) == 208


def test_memory_does_not_grow_with_the_set(tmp_path):
    sparse = ROWS * (np.arange(785) < 40)
    (tmp_path / NAME).write_bytes(text(sparse) * 200)
    (tmp_path / "few.csv").write_bytes(text(sparse))
    az.load("train", tmp_path / "few.csv")

    tracemalloc.start()
    dataset = az.load("all", tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < dataset.images.nbytes / 2


def test_a_file_without_line_ends_does_not_fill_the_memory(tmp_path):
    (tmp_path / NAME).write_bytes(b"0" * 200_000_000)

    tracemalloc.start()
    with pytest.raises(CorruptFileError, match="line 1 of"):
        az.load("all", tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 50_000_000
