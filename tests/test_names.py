import io
import tracemalloc
import zipfile

import numpy as np
import PIL.Image
import pytest

from handwriting import datasets
from handwriting.alphabet import UPPERCASE, Alphabet
from handwriting.data import LineDataset
from handwriting.datasets import names
from handwriting.errors import CorruptFileError, MissingDataError

ROWS = [
    ("TRAIN_1.jpg", "LEA"),
    ("TRAIN_2.jpg", "NULL"),
    ("TRAIN_3.jpg", "NA"),
    ("TRAIN_4.jpg", "nan"),
    ("TRAIN_5.jpg", "D'ARC"),
]


def picture(width=300, height=40, ink=0, kind="JPEG"):
    """A dark stroke on white paper, where the first tenth of the width ends."""
    gray = np.full((height, width), 255, np.uint8)
    gray[height // 4 : -height // 4, : width // 10] = ink
    stream = io.BytesIO()
    PIL.Image.fromarray(gray).convert("RGB").save(stream, kind)
    return stream.getvalue()


def table(rows, *, head="FILENAME,IDENTITY"):
    return "\n".join([head, *(",".join(row) for row in rows), ""]).encode()


@pytest.fixture
def copy(tmp_path):
    """Writes files, by their names, into a folder."""

    def write(**contents):
        for name, content in contents["files"].items():
            file = tmp_path / "copy" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return tmp_path / "copy"

    return write


def tree(rows=ROWS, split="train"):
    """The files of one split as Kaggle has them."""
    pictures = {f"{split}_v2/{split}/{file}": picture() for file, _ in rows}
    return {f"written_name_{split}_v2.csv": table(rows), **pictures}


def zipped(files, path):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_folder_becomes_lines(copy):
    dataset = datasets.load("names", "train", copy(files=tree()))

    assert isinstance(dataset, LineDataset)
    assert isinstance(dataset.images, np.memmap)
    assert dataset.images.shape == (5, 64, 256)
    assert dataset.texts == ("LEA", "NULL", "NA", "nan", "D'ARC")
    assert dataset.alphabet.characters == tuple("'ACDELNRUan")
    assert dataset.name == "names/train"
    assert dataset.skipped == ()


def test_ink_is_high_and_the_aspect_ratio_kept(copy):
    rows = [("TRAIN_1.jpg", "A"), ("TRAIN_2.jpg", "B")]
    files = tree(rows) | {"train_v2/train/TRAIN_2.jpg": picture(100, 50)}

    dataset = names.load("train", copy(files=files))

    assert dataset.widths.tolist() == [256, 128]
    assert dataset.recipe == "line"
    wide, narrow = dataset.images
    assert wide[32, :24].min() > 240
    assert wide[:15].max() == wide[49:].max() == 0  # 34 rows in the middle
    assert narrow[32, :11].min() > 240
    assert narrow[:, 128:].max() == 0
    assert narrow[2].max() < 10 < narrow[18, :11].min()


def test_stretch_fills_the_image(copy):
    dataset = names.load("train", copy(files=tree()), fit="stretch", size=(32, 100))

    assert dataset.images.shape == (5, 32, 100)
    assert dataset.widths.tolist() == [100] * 5
    assert dataset.recipe == "line-stretched"
    ink = np.argwhere(dataset.images[0] > 128)
    assert ink.min(axis=0).tolist() == [8, 0]
    assert ink.max(axis=0).tolist() == [23, 9]


@pytest.mark.parametrize("name", ["written_name_train_v2.csv", "written_name_train.csv"])
def test_a_zip_file_gives_what_the_folder_gives(name, copy, tmp_path):
    files = tree()
    files[f"set/{name}"] = files.pop("written_name_train_v2.csv")

    expected = names.load("train", copy(files=files))
    dataset = names.load("train", zipped(files, tmp_path / "archive.zip"))

    np.testing.assert_array_equal(dataset.images, expected.images)
    assert dataset.texts == expected.texts


@pytest.mark.parametrize("folder", ["images", "train", ".", "testimony/a", "test/Train_v1"])
def test_plain_names_are_found_and_a_csv_can_be_the_path(folder, copy):
    files = {"train.csv": table(ROWS)} | {f"{folder}/{row[0]}": picture() for row in ROWS}
    path = copy(files=files)

    assert len(names.load("train", path)) == 5
    assert len(names.load("train", path / "train.csv")) == 5


def test_byte_order_mark_other_columns_and_other_line_ends_are_no_trouble(copy):
    rows = [('"DE, LA"', "0", "a/TRAIN_1.jpg"), ("LE\u0301O", "1", "a\\TRAIN_2.jpg"), ()]
    content = table(rows, head="Identity,, FileName").replace(b"\n", b"\r\n")
    files = tree(ROWS[:2]) | {"written_name_train_v2.csv": b"\xef\xbb\xbf" + content}

    dataset = names.load("train", copy(files=files))

    assert dataset.texts == ("DE, LA", "LÉO")
    assert dataset.skipped == ()


def test_rows_without_text_or_picture_are_left_out_and_listed(copy):
    unusable = ["", "EMPTY", "Unreadable", "  ", '"A\tB"']
    rows = [*ROWS[:2], *((f"TRAIN_{10 + i}.jpg", text) for i, text in enumerate(unusable))]
    files = tree([*rows, ("TRAIN_20.jpg", "BROKEN"), ("TRAIN_21.jpg", "CUT")])
    files["train_v2/train/TRAIN_20.jpg"] = b"nothing"
    files["train_v2/train/TRAIN_21.jpg"] = picture()[:-300]
    files["written_name_train_v2.csv"] += b"TRAIN_22.jpg,GONE\nTRAIN_23.jpg\n"

    dataset = names.load("train", copy(files=files))

    assert dataset.texts == ("LEA", "NULL")
    where, reasons = zip(*dataset.skipped, strict=True)
    assert where[0] == "written_name_train_v2.csv, line 4: TRAIN_10.jpg"
    assert where[-1] == "written_name_train_v2.csv, line 12: TRAIN_23.jpg"
    assert reasons[:5] == (
        "its text is ''",
        "its text is 'EMPTY'",
        "its text is 'Unreadable'",
        "its text is ''",
        r"its text has control characters: 'A\tB'",
    )
    assert "is not a picture" in reasons[5]
    assert "is a damaged picture" in reasons[6]
    assert reasons[7:] == ("its picture is missing", "its text is ''")


def test_a_damaged_picture_in_a_zip_file_is_left_out(tmp_path):
    path = zipped(tree(), tmp_path / "a.zip")
    content = path.read_bytes()
    start = content.index(b"\xff\xd8", content.index(b"train/TRAIN_3.jpg"))
    path.write_bytes(content[:start] + bytes(100) + content[start + 100 :])

    dataset = names.load("train", path)

    assert dataset.texts == ("LEA", "NULL", "nan", "D'ARC")
    assert "TRAIN_3.jpg" in dataset.skipped[0].where
    assert "damaged" in dataset.skipped[0].reason


def test_a_path_without_the_pictures_is_an_error_and_leaves_nothing(copy, home):
    path = copy(files={"written_name_train_v2.csv": table(ROWS)})

    with pytest.raises(MissingDataError, match=r"TRAIN_1\.jpg: its picture is missing.* check"):
        names.load("train", path)
    assert list((home / "names").iterdir()) == []


def test_a_table_without_rows_is_an_error(copy):
    with pytest.raises(MissingDataError, match="there are none"):
        names.load("train", copy(files={"train.csv": table([])}))


def test_pictures_of_another_split_are_not_taken(copy):
    files = tree([("1.jpg", "LEA")]) | {"test_v2/test/1.jpg": b"of another split"}
    files["test.csv"] = table([("1.jpg", "LEA"), ("2.jpg", "MAX")])
    files["train_v2/train/2.jpg"] = picture()
    path = copy(files=files)

    assert names.load("train", path).texts == ("LEA",)
    with pytest.raises(MissingDataError, match="is not a picture"):
        names.load("test", path)


def test_the_picture_in_the_folder_of_the_split_is_taken(copy):
    files = tree(ROWS[:1]) | {"TRAIN_1.jpg": b"what somebody put beside the table"}

    assert names.load("train", copy(files=files)).skipped == ()


def test_two_pictures_of_one_name_are_refused(copy):
    files = tree() | {"train_v1/train/TRAIN_1.jpg": picture()}

    with pytest.raises(CorruptFileError, match=r"holds both train_v1/.* and train_v2/.*_1\.jpg"):
        names.load("train", copy(files=files))


def test_the_first_share_of_the_rows_is_taken(copy):
    path = copy(files=tree())

    assert names.load("train", path, fraction=0.4).texts == ("LEA", "NULL")
    assert names.load("train", path, fraction=0.01).texts == ("LEA",)
    assert len(names.load("train", path)) == 5


def test_an_alphabet_can_be_given(copy):
    path = copy(files=tree())

    with pytest.raises(ValueError, match='"\'an" stand in the texts'):
        names.load("train", path, alphabet=UPPERCASE)
    dropped = names.load("train", path, alphabet=UPPERCASE, outside="drop")
    removed = names.load("train", path, alphabet=UPPERCASE, outside="remove")

    assert dropped.texts == ("LEA", "NULL", "NA")
    assert dropped.alphabet == removed.alphabet == UPPERCASE
    assert isinstance(dropped.images, np.memmap)
    assert [entry.reason for entry in dropped.skipped] == [
        "its text has 'an', which the alphabet lacks",
        'its text has "\'", which the alphabet lacks',
    ]
    assert removed.texts == ("LEA", "NULL", "NA", "", "DARC")


def test_only_what_changes_the_images_is_prepared_anew(copy, home):
    path, wide = copy(files=tree()), Alphabet("'ACDELNRUanXYZ")
    for _ in range(2):
        names.load("train", path)
        names.load("train", path, alphabet=wide)
        names.load("train", path, alphabet=wide, outside="remove")
    assert len(list((home / "names").iterdir())) == 1

    for options in ({"fit": "stretch"}, {"size": (32, 256)}, {"fraction": 0.8}):
        names.load("train", path, **options)
    names.load("train", path, alphabet=wide, outside="drop")
    assert len(list((home / "names").iterdir())) == 5


def test_the_second_load_decodes_nothing(copy, monkeypatch):
    path = copy(files=tree())
    first = names.load("train", path)
    monkeypatch.setattr(names, "to_gray", None)

    second = names.load("train", path)

    np.testing.assert_array_equal(second.images, first.images)
    assert second.texts == first.texts


def test_a_changed_file_is_read_anew(copy):
    path = copy(files=tree())
    assert names.load("train", path).widths.tolist() == [256] * 5

    (path / "train_v2/train/TRAIN_3.jpg").write_bytes(picture(100, 100))
    assert names.load("train", path).widths.tolist() == [256, 256, 64, 256, 256]

    (path / "written_name_train_v2.csv").write_bytes(table(ROWS[1:]))
    assert names.load("train", path).widths.tolist() == [256, 64, 256, 256]


def test_files_that_are_no_part_of_the_set_change_nothing(copy, home):
    path = copy(files=tree())
    names.load("train", path)
    (path / "plot.png").write_bytes(b"another")

    names.load("train", path)

    assert len(list((home / "names").iterdir())) == 1


def test_the_order_of_the_table_is_the_order_of_the_images(copy):
    files = tree([(f"TRAIN_{i}.jpg", "A" * (i % 7 + 1)) for i in range(600)])
    for i in range(600):
        files[f"train_v2/train/TRAIN_{i}.jpg"] = picture(10, 10, ink=i % 7 * 30, kind="PNG")

    dataset = names.load("train", copy(files=files), size=(10, 10))

    assert dataset.images[:, 4, 0].tolist() == [255 - i % 7 * 30 for i in range(600)]
    assert [len(text) - 1 for text in dataset.texts] == [i % 7 for i in range(600)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "must have the columns FILENAME and IDENTITY, got A, B"),
        (b"", "got nothing"),
        (b"FILENAME,IDENTITY\nTRAIN_1.jpg,L\xc9A\n", "is damaged .*utf-8"),
        (b'FILENAME,IDENTITY\nTRAIN_1.jpg,"LEA\nTRAIN_2.jpg,MAX\n', "damaged at line 3"),
        (b"FILENAME,IDENTITY\nTRAIN_1.jpg," + b"A" * 200_000, "damaged at line 2"),
    ],
)
def test_a_damaged_table_is_refused(content, message, copy):
    path = copy(files=tree() | {"written_name_train_v2.csv": content})

    with pytest.raises(
        CorruptFileError, match=rf"written_name_train_v2\.csv .*{message}|{message}"
    ):
        names.load("train", path)


def test_without_a_copy_it_says_how_to_get_one(home):
    with pytest.raises(MissingDataError, match="kaggle datasets download -d landlord/handwriting"):
        names.load("train")
    assert names.on_disk() is None

    home.mkdir()
    (home / "names").mkdir()
    zipped(tree(), home / "names" / "handwriting-recognition.zip")

    assert names.on_disk() == home / "names"
    assert len(names.load("train")) == 5
    with pytest.raises(MissingDataError, match=r"must hold written_name_test_v2\.csv or"):
        names.load("test")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": (0, 256)}, "size must be"),
        ({"fit": "crop"}, "fit must be"),
        ({"fraction": 0}, "fraction must lie"),
        ({"fraction": 1.5}, "fraction must lie"),
        ({"outside": "keep"}, "outside must be"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_read(options, message):
    with pytest.raises(ValueError, match=message):
        names.load("train", "nowhere", **options)


def test_memory_does_not_grow_with_the_set(copy):
    path = copy(files=tree([(f"TRAIN_{i}.jpg", "A") for i in range(600)]))
    names.load("train", path, fraction=0.01)  # loads Pillow

    tracemalloc.start()
    dataset = names.load("train", path, size=(64, 2048))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < dataset.images.nbytes / 3


def test_real_names_load(real_data):
    dataset = names.load("validation", real_data / "names" / "handwriting-recognition.zip")

    assert dataset.images.shape == (995, 64, 256)
    assert dataset.texts[:4] == ("BILEL", "LAUMIONIER", "LEA", "JEAN-ROCH")
    assert "".join(dataset.alphabet) == " '-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert [entry.reason for entry in dataset.skipped] == [
        "its text is 'UNREADABLE'",
        "its text is 'EMPTY'",
        "its text is ''",
        "its text is 'EMPTY'",
        "its text is 'EMPTY'",
    ]
    assert isinstance(dataset.images, np.memmap)
    assert 0.9 < np.mean(dataset.images < 4) < 0.97
    assert np.mean(dataset.images.reshape(995, -1).max(axis=1) > 150) > 0.99


def test_the_table_of_another_split_is_refused(copy):
    files = {"train.csv": table(ROWS)} | {f"images/{row[0]}": picture() for row in ROWS}
    path = copy(files=files) / "train.csv"

    with pytest.raises(MissingDataError, match=r"train\.csv holds the split train, and test was"):
        names.load("test", path)


def test_a_comma_without_quotes_cuts_no_text(copy):
    path = copy(files=tree() | {"written_name_train_v2.csv": table([("TRAIN_1.jpg", "DE, LA")])})

    with pytest.raises(CorruptFileError, match="must have 2 cells a row, got 3 in line 2; put"):
        names.load("train", path)
