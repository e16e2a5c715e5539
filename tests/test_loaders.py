"""What every loader promises, on small files of each set's true form.

All images on disk show a capital F, each in the set's own orientation and polarity: what comes out
must be an upright F, ink 255 on paper 0.
"""

import gzip
import io
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from handwriting import datasets
from handwriting.datasets import emnist, idx, store
from handwriting.errors import CorruptFileError


def letter_f(side=28):
    image = np.zeros((side, side), np.uint8)
    image[3:-3, 5:8] = image[3:6, 5:-3] = image[side // 2 : side // 2 + 3, 5:-9] = 255
    return image


def idx_files(images_name, labels_name, labels, *, transposed):
    images = np.broadcast_to(letter_f().T if transposed else letter_f(), (len(labels), 28, 28))
    for name, array in ((images_name, images), (labels_name, np.array(labels, np.uint8))):
        header = idx.Header(np.dtype(np.uint8), array.shape).encoded
        yield name, gzip.compress(header + array.tobytes())


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return stream.getvalue()


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in files:
            zipped.writestr(name, data)
    return path


def make_mnist(folder):
    for prefix in ("train", "t10k"):
        names = (f"{prefix}-{kind}-ubyte.gz" for kind in idx.KINDS)
        for name, data in idx_files(*names, range(10), transposed=False):
            (folder / name).write_bytes(data)
    return folder


def make_emnist(folder):
    files = []
    for subset, alphabet in emnist.ALPHABETS.items():
        labels = np.arange(len(alphabet)) + (subset == "letters")
        for split in ("train", "test"):
            names = (f"gzip/emnist-{subset}-{split}-{kind}-ubyte.gz" for kind in idx.KINDS)
            files += idx_files(*names, labels, transposed=True)
    return write_zip(folder / "gzip.zip", files)


def make_alphanum(folder):
    for split in ("train", "test", "validation"):
        # As published: black on white, null as 999, and some pictures of another size.
        sides = dict.fromkeys((33, 47, 65, 100, 126, 999), 24) | {57: 28}
        files = ((f"{code}/7.png", png(255 - letter_f(side))) for code, side in sides.items())
        write_zip(folder / f"{split}.zip", files)
    return folder


def make_unipen_characters(folder):
    path = folder / "curated.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for code in (33, 65, 100, 126):
            data = png(letter_f(64))
            info = tarfile.TarInfo(f"curated/{code}/{code}0.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    (folder / "split").mkdir()
    for name in ("trn", "val", "tst"):
        (folder / "split" / f"{name}.txt").write_text("100/1000.png\n33/330.png\n")
    return path


def make_az(folder):
    pixels = ",".join(map(str, letter_f().ravel().tolist()))
    rows = "".join(f"{label},{pixels}\n" for label in range(26) for _ in range(5))
    return write_zip(folder / "archive.zip", [("A_Z Handwritten Data.csv", rows)])


MAKERS = {
    "mnist": make_mnist,
    **{f"emnist/{subset}": make_emnist for subset in emnist.subsets()},
    "alphanum": make_alphanum,
    "unipen_characters": make_unipen_characters,
    "az": make_az,
}
SPLITS = ("train", "test")


@pytest.fixture(scope="module", params=MAKERS)
def source(request, tmp_path_factory):
    """(the set's name, a path to small files of its form)."""
    folder = tmp_path_factory.mktemp("source")
    return request.param, MAKERS[request.param](folder)


def test_there_is_a_maker_for_every_set():
    # Digits come with scikit-learn, and names are lines: both have tests of their own.
    made = {name.partition("/")[0] for name in MAKERS}
    assert made | {"digits", "names"} == set(datasets.NAMES)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.filterwarnings("ignore:this is not AlphaNum as published")
def test_every_loader_gives_upright_ink_from_a_memory_map(source, split):
    name, path = source

    dataset = datasets.load(name, split, path)

    expected = letter_f(dataset.image_shape[0]).astype(int)
    assert len(dataset) > 1
    assert np.abs(dataset.images[0] - expected).max() < 30
    assert np.abs(dataset.images.astype(int) - expected).mean() < 10
    assert isinstance(dataset.images, np.memmap)
    assert not dataset.images.flags.writeable
    assert dataset.labels.min() >= 0
    assert len(dataset.labels) == len(dataset)
    assert dataset.name == f"{name}/{split}"
    base, _, subset = name.partition("/")
    alphabet = emnist.ALPHABETS[subset] if subset else datasets.module(base).ALPHABET
    assert dataset.alphabet == alphabet


@pytest.mark.filterwarnings("ignore:this is not AlphaNum as published")
def test_every_loader_maps_at_the_second_call_what_it_made_at_the_first(source, monkeypatch):
    name, path = source
    first = datasets.load(name, "test", path)
    monkeypatch.setattr("handwriting.data.storage.save_parts", None)
    monkeypatch.setattr("handwriting.datasets.archive.Member.open", None)

    second = datasets.load(name, "test", path)

    assert second.images.filename == first.images.filename
    assert repr(second) == repr(first)
    np.testing.assert_array_equal(second.images, first.images)
    np.testing.assert_array_equal(second.labels, first.labels)


DAMAGES = {
    "cut in half": (
        lambda data: gzip.compress(data)[: len(gzip.compress(data)) // 2],
        "is damaged",
    ),
    "one flipped byte": (lambda data: flipped(gzip.compress(data)), "is damaged"),
    "a web page": (lambda data: b"<!DOCTYPE html><title>Not found</title>", "is not an IDX file"),
    "empty": (lambda data: b"", "is not an IDX file"),
    "header says one more": (lambda data: data[:7] + bytes([data[7] + 1]) + data[8:], "belong"),
    "header says one fewer": (lambda data: data[:7] + bytes([data[7] - 1]) + data[8:], "belong"),
    "shorter than it says": (lambda data: data[:-1], "is cut short"),
    "longer than it says": (lambda data: data + b"\0", "goes on after"),
    "labels as images": (lambda data: b"\0\0\x08\1\0\0\0\x05abcde", "must hold uint8 images"),
    "wrong type byte": (lambda data: data[:2] + b"\x0d" + data[3:], "must hold uint8 images"),
    "claims 4 billion": (lambda data: data[:4] + b"\xff\xff\xff\xff" + data[8:], "belong"),
}


def flipped(data):
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["mnist", "emnist/letters"])
def test_every_damage_is_told_with_the_files_name(name, damage, tmp_path):
    change, message = DAMAGES[damage]
    path = MAKERS[name](tmp_path)
    if name == "mnist":
        file = path / "train-images-idx3-ubyte.gz"
        file.write_bytes(change(gzip.decompress(file.read_bytes())))
    else:
        with zipfile.ZipFile(path) as zipped:
            files = {each: zipped.read(each) for each in zipped.namelist()}
        file = "gzip/emnist-letters-train-images-idx3-ubyte.gz"
        files[file] = change(gzip.decompress(files[file]))
        write_zip(path, files.items())

    with pytest.raises(CorruptFileError, match=message) as caught:
        datasets.load(name, "train", path)

    assert str(file) in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert not list(store.home().rglob("*.npy"))


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (b"\x02\xfa\xf0\x80", r"50,000,000 bytes, and .* are missing"),
        (b"\xff\xff\xff\xff", r"must hold at most 100,000,000 labels"),
    ],
)
@pytest.mark.parametrize("name", ["mnist", "emnist/byclass"])
def test_a_forged_header_cannot_make_it_allocate(name, count, message, tmp_path):
    # Images and labels agree on millions; there are ten or so.
    path = MAKERS[name](tmp_path)
    if name != "mnist":
        with zipfile.ZipFile(path) as zipped:
            zipped.extractall(tmp_path)
        path = tmp_path / "gzip"
    for file in path.glob("*train*"):
        data = gzip.decompress(file.read_bytes())
        file.write_bytes(gzip.compress(data[:4] + count + data[8:]))

    tracemalloc.start()
    with pytest.raises(CorruptFileError, match=message):
        datasets.load(name, "train", path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 5_000_000
