import io
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from handwriting.datasets import unipen_characters
from handwriting.errors import CorruptFileError, MissingDataError

NAMES = ("71/42657.png", "71/5.png", "109/9.png", "33/8.png")
LISTS = {"trn.txt": "109/9.png\n71/42657.png\n", "val.txt": "71/5.png\n", "tst.txt": "33/8.png\n"}


def png(level):
    image = np.zeros((64, 64), np.uint8)
    image[20:40, 20:40] = level
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path):
    """The repository with its pictures unpacked."""
    for number, name in enumerate(NAMES):
        file = tmp_path / "database" / "curated" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(100 + number))
    (tmp_path / "database" / "split").mkdir()
    for name, text in LISTS.items():
        (tmp_path / "database" / "split" / name).write_text(text)
    return tmp_path / "database"


def packed(folder, out, *, lists):
    with tarfile.open(out, "w:gz") as tar:
        tar.add(folder / "curated", "curated")
        if lists:
            tar.add(folder / "split", "split")
    return out


def levels(dataset):
    return dataset.images[:, 30, 30].tolist()


def test_splits_follow_their_lists(folder):
    assert levels(unipen_characters.load("train", folder)) == [102, 100]
    assert levels(unipen_characters.load("validation", folder)) == [101]
    assert unipen_characters.load("test", folder).characters == ["!"]


def test_all_needs_no_lists_and_is_ordered_by_code_and_number(folder):
    dataset = unipen_characters.load("all", folder / "curated")

    assert levels(dataset) == [103, 101, 100, 102]
    assert dataset.characters == ["!", "G", "G", "m"]
    assert dataset.image_shape == (64, 64)


@pytest.mark.parametrize("form", ["tar", "parts", "folder of parts", "zip", "lists beside"])
def test_every_form_of_the_download_gives_the_same(form, folder, tmp_path):
    place = tmp_path / "download"
    place.mkdir()
    if form == "zip":
        path = place / "database.zip"
        with zipfile.ZipFile(path, "w") as zipped:
            for file in folder.rglob("*.*"):
                zipped.write(file, f"master/{file.relative_to(folder)}")
    else:
        path = packed(folder, place / "curated.tar.gz", lists=form != "lists beside")
        if form == "lists beside":
            for name, text in LISTS.items():
                (place / name).write_text(text)
        if "parts" in form:
            data = path.read_bytes()
            path.unlink()
            (place / "curated.tar.gz.01").write_bytes(data[:500])
            (place / "curated.tar.gz.02").write_bytes(data[500:])
            path = place / "curated.tar.gz.01" if form == "parts" else place

    expected = unipen_characters.load("train", folder)
    found = unipen_characters.load("train", path)

    np.testing.assert_array_equal(found.images, expected.images)
    np.testing.assert_array_equal(found.labels, expected.labels)


def test_a_part_that_changed_is_read_anew(folder, tmp_path):
    data = packed(folder, tmp_path / "curated.tar.gz", lists=True).read_bytes()
    (tmp_path / "curated.tar.gz.01").write_bytes(data[:500])
    (tmp_path / "curated.tar.gz.02").write_bytes(data[500:])
    (tmp_path / "curated.tar.gz").unlink()
    unipen_characters.load("train", tmp_path / "curated.tar.gz.01")
    (tmp_path / "curated.tar.gz.02").write_bytes(data[500:-20])

    with pytest.raises(CorruptFileError, match="is damaged"):
        unipen_characters.load("train", tmp_path / "curated.tar.gz.01")


def test_without_its_list_a_split_says_where_to_get_it(folder):
    with pytest.raises(
        MissingDataError, match=r"https://.*/split/trn\.txt, or load the split 'all'"
    ):
        unipen_characters.load("train", folder / "curated")


@pytest.mark.parametrize("text", ["71/1.png\n", "", "<!DOCTYPE html>"])
def test_a_list_of_other_pictures_is_refused(text, folder):
    (folder / "split" / "trn.txt").write_text(text)

    with pytest.raises(CorruptFileError, match=r"trn\.txt must name pictures that are there"):
        unipen_characters.load("train", folder)


def test_another_size_may_be_asked_for(folder):
    assert unipen_characters.load("all", folder, size=24).image_shape == (24, 24)
