import gzip
import os
import shutil
import struct
import subprocess
import sys

import idx2numpy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handwriting import datasets
from handwriting.alphabet import DIGITS
from handwriting.datasets import digits, idx, mnist, store
from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.preprocessing import LINE_RECIPES, RECIPES


@pytest.fixture(scope="session")
def small_mnist(tmp_path_factory):
    """The four files in MNIST's form, with few images of our own."""
    folder = tmp_path_factory.mktemp("mnist")
    rng = np.random.default_rng(0)
    for prefix, count in (("train", 30), ("t10k", 10)):
        images = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        labels = rng.integers(0, 10, count).astype(np.uint8)
        idx.write(folder / f"{prefix}-images-idx3-ubyte.gz", images)
        idx.write(folder / f"{prefix}-labels-idx1-ubyte.gz", labels)
    return folder


@pytest.mark.parametrize("name", datasets.NAMES)
def test_every_loader_tells_its_facts(name):
    module = datasets.module(name)

    assert {"train", "test"} <= set(module.COUNTS)
    assert all(isinstance(getattr(module, fact), str) for fact in ("LICENSE", "SOURCE"))
    if name == "names":  # lines: their texts tell the alphabet
        assert module.ALPHABET is None
        assert module.RECIPE in LINE_RECIPES
    else:
        assert len(module.ALPHABET) > 1
        assert module.RECIPE in (*RECIPES, None)
    for line in ("License:", "Overlap:", "Known faults:"):
        assert line in module.__doc__
    with pytest.raises(ValueError, match="split must be 'train'"):
        datasets.load(name, "nothing")


@pytest.mark.parametrize("split", ["train", "test"])
def test_digits_follow_the_convention(split):
    dataset = datasets.load("digits", split)

    assert dataset.images.shape == (digits.COUNTS[split], 28, 28)
    assert dataset.images.dtype == np.uint8
    assert dataset.name == f"digits/{split}"
    assert dataset.alphabet == DIGITS
    border = np.concatenate([dataset.images[:, 0].ravel(), dataset.images[:, -1].ravel()])
    assert border.mean() < 1 < dataset.images.mean()


def test_digits_splits_are_a_stratified_partition():
    everything, train, test = (digits.load(split) for split in ("all", "train", "test"))

    assert len(train) + len(test) == len(everything) == 1797
    shares = np.bincount(test.labels) / np.bincount(everything.labels)
    assert np.abs(shares - 360 / 1797).max() < 0.01
    assert {image.tobytes() for image in test.images}.isdisjoint(
        image.tobytes() for image in train.images
    )


def test_raw_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    raw = digits.load("all", raw=True)

    np.testing.assert_array_equal(np.rint(raw.images / 255 * 16), load_digits().images)
    assert raw.recipe is None


def test_digits_take_no_path():
    with pytest.raises(ValueError, match="take no path"):
        digits.load("train", "somewhere")


def test_an_unknown_set_names_the_known_ones():
    with pytest.raises(ValueError, match="name must be one of digits, mnist, .*, got 'cifar'"):
        datasets.load("cifar")


@pytest.mark.parametrize(("split", "count"), [("train", 60_000), ("test", 10_000)])
def test_real_mnist_loads(split, count, real_data):
    dataset = mnist.load(split, real_data / "mnist")

    assert dataset.images.shape == (count, 28, 28)
    assert isinstance(dataset.images, np.memmap)
    assert not dataset.images.flags.writeable
    expected = {"train": "5041921314", "test": "7210414959"}[split]
    assert dataset.alphabet.decode(dataset.labels[:10]) == expected


def test_the_second_load_reads_the_cache_and_not_the_source(small_mnist, monkeypatch):
    first = mnist.load("train", small_mnist)
    monkeypatch.setattr(idx, "open_stream", None)

    second = mnist.load("train", small_mnist)

    np.testing.assert_array_equal(first.images, second.images)


def test_a_changed_source_is_read_anew(small_mnist, tmp_path):
    copy = shutil.copytree(small_mnist, tmp_path / "copy")
    before = mnist.load("test", copy)
    idx.write(copy / "t10k-images-idx3-ubyte.gz", np.zeros((10, 28, 28), np.uint8))

    assert before.images.any()
    assert not mnist.load("test", copy).images.any()


def test_a_key_tells_files_apart_by_folder_and_by_time(tmp_path):
    files = [tmp_path / folder / "a.gz" for folder in ("one", "other")]
    for file in files:
        file.parent.mkdir()
        file.write_bytes(b"same size")
        os.utime(file, (0, 0))

    keys = {store.key([file]) for file in files}
    os.utime(files[0], (0, 1))
    keys.add(store.key([files[0]]))

    assert len(keys) == 3


def test_unpacked_and_dotted_names_are_found(small_mnist, tmp_path):
    for kind in ("images-idx3", "labels-idx1"):
        data = gzip.decompress((small_mnist / f"t10k-{kind}-ubyte.gz").read_bytes())
        (tmp_path / f"t10k-{kind.replace('-idx', '.idx')}-ubyte").write_bytes(data)

    expected = mnist.load("test", small_mnist)
    np.testing.assert_array_equal(mnist.load("test", tmp_path).images, expected.images)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingDataError, match=r"train-images-idx3-ubyte\.gz"):
        mnist.load("train", tmp_path)


def test_images_and_labels_of_different_length_are_refused(small_mnist, tmp_path):
    copy = shutil.copytree(small_mnist, tmp_path / "copy")
    idx.write(copy / "t10k-labels-idx1-ubyte.gz", np.zeros(9, np.uint8))

    with pytest.raises(CorruptFileError, match="10 images and .* 9 labels"):
        mnist.load("test", copy)


def test_labels_in_place_of_images_are_refused(small_mnist, tmp_path):
    copy = shutil.copytree(small_mnist, tmp_path / "copy")
    shutil.copy(copy / "t10k-labels-idx1-ubyte.gz", copy / "t10k-images-idx3-ubyte.gz")

    with pytest.raises(CorruptFileError, match="must hold uint8 images of 28 x 28"):
        mnist.load("test", copy)


@pytest.mark.parametrize(
    "labels", [np.full(10, 77, np.uint8), np.zeros(10), np.zeros((10, 1), "u1")]
)
def test_labels_that_are_no_digits_are_refused_by_the_files_name(labels, small_mnist, tmp_path):
    copy = shutil.copytree(small_mnist, tmp_path / "copy")
    idx.write(copy / "t10k-labels-idx1-ubyte.gz", labels)

    with pytest.raises(
        CorruptFileError, match=r"t10k-labels-idx1-ubyte\.gz must hold uint8 labels"
    ):
        mnist.load("test", copy)


def test_a_damaged_cache_is_made_anew(small_mnist, home):
    expected = np.array(mnist.load("test", small_mnist).images)
    (folder,) = (home / "mnist").iterdir()
    for name in ("images.npy", "labels.npy", "dataset.json"):
        (folder / name).write_bytes((folder / name).read_bytes()[:9])
        np.testing.assert_array_equal(mnist.load("test", small_mnist).images, expected)
        (folder / name).unlink()
        np.testing.assert_array_equal(mnist.load("test", small_mnist).images, expected)


def test_a_user_without_a_home_folder_is_told_what_to_set(monkeypatch):
    monkeypatch.setenv("HANDWRITING_HOME", "~nobody-of-this-name/data")

    with pytest.raises(MissingDataError, match="set HANDWRITING_HOME to one"):
        store.home()


def test_processes_that_start_together_all_get_the_whole_set(small_mnist, home):
    code = (
        "import sys; from handwriting.datasets import mnist\n"
        "print(int(mnist.load('train', sys.argv[1]).images.sum()))"
    )
    command = [sys.executable, "-c", code, str(small_mnist)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(6)]
    sums = {run.communicate(timeout=60)[0] for run in runs}

    assert sums == {f"{int(mnist.load('train', small_mnist).images.sum())}\n".encode()}
    assert len(list((home / "mnist").iterdir())) == 1


def test_an_unusable_home_names_the_variable(small_mnist, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HANDWRITING_HOME", str(tmp_path / "file"))

    with pytest.raises(MissingDataError, match="set HANDWRITING_HOME"):
        mnist.load("train", small_mnist)


def test_home_is_the_users_cache_folder_by_default(monkeypatch):
    monkeypatch.delenv("HANDWRITING_HOME")

    assert store.home().name == "handwriting"


@given(
    st.sampled_from(["u1", "i1", "i2", "i4", "f4", "f8"]),
    st.lists(st.integers(0, 4), min_size=1, max_size=4),
    st.booleans(),
)
def test_idx_write_then_read_gives_the_array(tmp_path_factory, kind, shape, compressed):
    path = tmp_path_factory.mktemp("idx") / ("a.gz" if compressed else "a")
    array = np.arange(np.prod(shape)).reshape(shape).astype(kind)

    idx.write(path, array)

    result = idx.read(path)
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(result, array)


def test_idx_reads_what_idx2numpy_reads(real_data):
    path = real_data / "mnist" / "t10k-labels-idx1-ubyte.gz"

    expected = idx2numpy.convert_from_string(gzip.decompress(path.read_bytes()))

    np.testing.assert_array_equal(idx.read(path), expected)


def test_idx_is_refused_at_every_truncation(tmp_path):
    data = idx2numpy.convert_to_string(np.arange(48, dtype=np.uint8).reshape(3, 4, 4))
    for length in range(len(data)):
        for content in (data[:length], gzip.compress(data[:length]), gzip.compress(data)[:length]):
            (tmp_path / "a").write_bytes(content)
            with pytest.raises(CorruptFileError, match=r"a (is|ends)"):
                idx.read(tmp_path / "a")


def test_idx_with_more_bytes_than_it_says_is_refused(tmp_path):
    data = idx2numpy.convert_to_string(np.arange(4, dtype=np.uint8))
    (tmp_path / "a").write_bytes(data + b"x")

    with pytest.raises(CorruptFileError, match="goes on after"):
        idx.read(tmp_path / "a")


@pytest.mark.parametrize(
    "sizes",
    [(2**32 - 1,) * 3, (2**31, 2**31, 4), (2**32 - 1,), (2**32 - 1, 2**32 - 1, 2**32 - 1, 0)],
)
def test_a_header_that_claims_too_much_costs_nothing(sizes, tmp_path):
    (tmp_path / "a").write_bytes(struct.pack(f">BBBB{len(sizes)}I", 0, 0, 8, len(sizes), *sizes))

    with pytest.raises(CorruptFileError, match="cut short|no array can have"):
        idx.read(tmp_path / "a")


@pytest.mark.parametrize(
    "magic", [b"\0\0\x08\x41", b"\0\0\x07\1", b"\0\0\x08\0", b"\x08\1\0\0", b"PK\3\4", b""]
)
def test_another_magic_number_is_refused(magic, tmp_path):
    (tmp_path / "a").write_bytes(magic + bytes(20))
    if not magic:
        (tmp_path / "a").write_bytes(b"")

    with pytest.raises(CorruptFileError, match="is not an IDX file"):
        idx.read(tmp_path / "a")


def test_a_flipped_bit_in_gzip_is_refused(tmp_path):
    whole = bytearray(gzip.compress(idx2numpy.convert_to_string(np.arange(200, dtype=np.uint8))))
    whole[-6] ^= 1
    (tmp_path / "a").write_bytes(whole)

    with pytest.raises(CorruptFileError, match="is damaged"):
        idx.read(tmp_path / "a")


def test_idx_write_refuses_what_idx_cannot_hold(tmp_path):
    with pytest.raises(ValueError, match="array must be uint8"):
        idx.write(tmp_path / "a", np.zeros(3, np.int64))
    assert not (tmp_path / "a").exists()


def test_equal_arrays_make_equal_files(tmp_path):
    for name in ("a.gz", "b.gz"):
        idx.write(tmp_path / name, np.arange(5, dtype=np.uint8))

    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_a_subset_of_a_set_without_subsets_is_refused():
    with pytest.raises(ValueError, match="mnist has no subsets, got 'mnist/letters'"):
        datasets.load("mnist/letters", "train")


def test_what_killed_processes_left_is_removed_after_a_day(small_mnist, home):
    names = {"old": "." + "0" * 32, "new": "." + "1" * 32, "other": ".other"}
    for name in names.values():
        (home / "mnist" / name).mkdir(parents=True)
        (home / "mnist" / name / "images.npy").touch()
    for age in ("old", "other"):
        os.utime(home / "mnist" / names[age], (0, 0))

    mnist.load("test", small_mnist)

    assert not (home / "mnist" / names["old"]).exists()
    assert (home / "mnist" / names["new"]).exists()
    assert (home / "mnist" / names["other"]).exists()


def test_what_an_older_version_made_is_not_gone_on_with(small_mnist, monkeypatch):
    before = mnist.load("test", small_mnist).images.filename
    monkeypatch.setattr(store, "_GENERATION", store._GENERATION + 1)

    assert mnist.load("test", small_mnist).images.filename != before
