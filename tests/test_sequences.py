import csv
import importlib.util
import itertools
import pickle

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from handwriting import sequences
from handwriting.alphabet import DIGITS, LETTERS, Alphabet
from handwriting.cli import main
from handwriting.data import CharacterDataset, LineDataset
from handwriting.datasets import digits, names
from handwriting.errors import HandwritingError
from handwriting.images import to_gray
from handwriting.sequences import Stream, compose, generate


@pytest.fixture
def one_each():
    """One image of 7 x 5 for each digit, without any paper in it."""
    images = np.random.default_rng(0).integers(1, 256, (10, 7, 5)).astype(np.uint8)
    return CharacterDataset(images, np.arange(10), DIGITS, "one each")


@pytest.fixture
def solid():
    """Blocks of 6 x 6, full of ink."""
    return CharacterDataset(np.full((10, 6, 6), 255, np.uint8), np.arange(10), DIGITS, "solid")


def runs(row):
    """Where ink begins and ends in a row, one pair a run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row > 0, [0]])))
    return edges.reshape(-1, 2).tolist()


def test_characters_stand_at_their_places_with_equal_gaps(one_each):
    image = compose(one_each, "3071", (0, 10), 4 * 5 + 3 * 2, rng=0)

    assert image.shape == (7, 26)
    assert image.dtype == np.uint8
    for place, label in enumerate([3, 0, 7, 1]):
        left = place * (5 + 2)
        np.testing.assert_array_equal(image[:, left : left + 5], one_each.images[label])
        assert not image[:, left + 5 : left + 7].any()


def test_drawn_gaps_lie_within_spacing_and_take_every_value(one_each):
    lines = generate(one_each, 500, length=6, spacing=(2, 5), rng=0)

    seen = set()
    for image, width, text in zip(lines.images, lines.widths, lines.texts, strict=True):
        found = runs(image[0])
        assert len(found) == 6
        assert found[-1][1] == width
        for (left, right), character in zip(found, text, strict=True):
            np.testing.assert_array_equal(image[:, left:right], one_each.images[int(character)])
        seen |= {second[0] - first[1] for first, second in itertools.pairwise(found)}
    assert seen == {2, 3, 4, 5}


def test_labels_and_characters_say_the_same(one_each):
    for labels in ([0, 1], np.array([0, 1]), (0, 1)):
        np.testing.assert_array_equal(
            compose(one_each, labels, rng=3), compose(one_each, "01", rng=3)
        )


def test_leading_zeros_survive(one_each):
    lines = generate(one_each, 20, texts=["007", [0, 0, 7]], rng=0)

    assert set(lines.texts) == {"007"}


def test_characters_are_drawn_among_all_their_images_and_no_others():
    images = np.arange(1, 31, dtype=np.uint8)[:, None, None] * np.ones((2, 2), np.uint8)
    labels = np.random.default_rng(0).permutation(np.arange(30) % 3)
    dataset = CharacterDataset(images, labels, Alphabet("abc"))

    lines = generate(dataset, 3000, length=2, spacing=(0, 0), rng=0)

    levels = lines.images[:, 0, ::2].ravel()
    assert "".join(dataset.characters[level - 1] for level in levels) == "".join(lines.texts)
    counts = np.bincount(levels, minlength=31)[1:]
    assert counts.min() > 120  # 200 each on average, with a deviation of 14
    assert counts.max() < 280


def test_images_that_are_not_contiguous_are_read_right(one_each):
    turned = CharacterDataset(one_each.images[:, ::-1, ::-1], one_each.labels, DIGITS)

    upright = compose(one_each, "24", (3, 3), rng=0)
    np.testing.assert_array_equal(compose(turned, "42", (3, 3), rng=0), upright[::-1, ::-1])


@given(
    count=st.integers(2, 6),
    least=st.integers(-4, 5),
    more=st.integers(0, 5),
    width=st.integers(1, 90),
)
def test_the_spacing_law_is_the_published_one(count, least, more, width):
    blocks = CharacterDataset(np.full((1, 2, 5), 9, np.uint8), [0], Alphabet("x"))
    greatest = least + more
    allowed = (width - count * 5) / (count - 1)

    if allowed.is_integer() and least <= allowed <= greatest:
        image = compose(blocks, "x" * count, (least, greatest), width, rng=0)
        expected = np.zeros((2, width), np.uint8)
        for place in range(count):
            left = place * (5 + int(allowed))
            expected[:, left : left + 5] = 9
        np.testing.assert_array_equal(image, expected)
    else:
        with pytest.raises(ValueError, match=rf"width must be .* got {width}$"):
            compose(blocks, "x" * count, (least, greatest), width, rng=0)


def test_the_bounds_of_the_spacing_are_allowed_and_nothing_beyond(one_each):
    for width in (12, 13):
        assert compose(one_each, "12", (2, 3), width, rng=0).shape == (7, width)
    for width in (11, 14):
        with pytest.raises(ValueError, match="width must be one of 12, 13 for '12'"):
            compose(one_each, "12", (2, 3), width, rng=0)


def test_a_refused_width_names_those_that_would_do(one_each):
    with pytest.raises(ValueError, match=r"one of 56, 57, 58 \.\.\. 66 for '01' .*got 70"):
        compose(digits.load(), "01", (0, 10), 70, rng=0)
    with pytest.raises(ValueError, match=r"width must be one of 15, 17 for '123'"):
        compose(one_each, "123", (0, 1), 16, rng=0)
    with pytest.raises(ValueError, match="width must be 5 for '1'"):
        compose(one_each, "1", (0, 1), 6, rng=0)
    assert compose(one_each, "1", (0, 1), 5, rng=0).shape == (7, 5)
    with pytest.raises(ValueError, match="for '1234'"):
        generate(one_each, 5, texts=["123", "1234"], width=17, rng=0)


def test_lines_of_any_length_have_their_own_width(one_each):
    lines = generate(one_each, 300, length=(1, 4), spacing=(1, 3), rng=0)

    assert lines.images.shape == (300, 7, 4 * 5 + 3 * 3)
    assert {len(text) for text in lines.texts} == {1, 2, 3, 4}
    for image, width, text in zip(lines.images, lines.widths, lines.texts, strict=True):
        assert image[:, width - 1].all()
        assert not image[:, width:].any()
        assert len(runs(image[0])) == len(text)


def test_texts_of_a_list_are_spaced_each_by_its_own(one_each):
    lines = generate(one_each, 20, texts=["12", "34", "5 6"], spacing=(0, 4), space=1, rng=0)
    even = generate(one_each, 20, texts=["123", "456"], spacing=(0, 4), width=17, rng=0)

    assert lines.image_shape == (7, 14)
    assert set(even.texts) == {"123", "456"}
    assert all(runs(image[0]) == [[0, 5], [6, 11], [12, 17]] for image in even.images)


def test_lengths_are_of_characters_that_have_images():
    dataset = CharacterDataset(
        np.full((3, 2, 2), 9, np.uint8), [0, 2, 5], Alphabet("abcdef").with_null()
    )

    lines = generate(dataset, 200, length=3, rng=0)

    assert set("".join(lines.texts)) == {"b", "e"}
    assert lines.alphabet == dataset.alphabet


def test_the_seed_determines_everything(one_each):
    life = {"baseline": 2, "size": 0.3, "slant": 0.5, "null": 0.3, "spacing": (-2, 3)}

    first, same = (generate(one_each, 50, length=(1, 5), rng=7, **life) for _ in range(2))
    other = generate(one_each, 50, length=(1, 5), rng=8, **life)

    np.testing.assert_array_equal(first.images, same.images)
    assert (first.texts, first.widths.tolist()) == (same.texts, same.widths.tolist())
    assert first.texts != other.texts
    assert not np.array_equal(first.images, other.images)
    generator = np.random.default_rng(7)
    drawn = generate(one_each, 50, length=(1, 5), rng=generator, **life)
    np.testing.assert_array_equal(first.images, drawn.images)
    again = generate(one_each, 50, length=(1, 5), rng=generator, **life)
    assert not np.array_equal(first.images, again.images)


def test_texts_come_as_often_as_their_weights_say(one_each):
    lines = generate(one_each, 4000, texts=["1", "22", "333"], weights=[1, 0, 3], rng=0)

    counts = {text: lines.texts.count(text) for text in ("1", "22", "333")}
    assert counts["22"] == 0
    assert 900 < counts["1"] < 1100
    even = generate(one_each, 3000, texts=["1", "22", "333"], rng=0)
    assert min(even.texts.count(text) for text in ("1", "22", "333")) > 900


def test_a_space_without_images_is_a_gap_of_stated_width(one_each):
    lines = generate(one_each, 30, texts=["12 3"], spacing=(1, 1), space=9, rng=0)

    assert lines.texts[0] == "12 3"
    assert lines.alphabet == Alphabet("0123456789 ")
    assert runs(lines.images[0, 0]) == [[0, 5], [6, 11], [20, 25]]
    assert runs(compose(one_each, "1 2", rng=0)[0]) == [[0, 5], [7, 12]]
    assert compose(one_each, "12 34", (0, 4), 20 + 9 + 2 * 3, space=9, rng=0).shape == (7, 35)


def test_a_space_with_images_is_a_character():
    images = np.stack([np.full((2, 3), 7, np.uint8), np.full((2, 3), 9, np.uint8)])
    dataset = CharacterDataset(images, [0, 1], Alphabet("a "))

    assert compose(dataset, "a a", (1, 1), rng=0)[0].tolist() == [7, 7, 7, 0, 9, 9, 9, 0, 7, 7, 7]


def test_the_baseline_moves_characters_and_loses_no_ink(one_each):
    lines = generate(one_each, 300, texts=["57"], spacing=(0, 0), baseline=2, rng=0)

    assert lines.image_shape == (11, 10)
    seen = set()
    for image in lines.images:
        tops = [int((image[:, left] > 0).argmax()) for left in (0, 5)]
        for left, top, label in zip((0, 5), tops, (5, 7), strict=True):
            piece = image[top : top + 7, left : left + 5]
            np.testing.assert_array_equal(piece, one_each.images[label])
        seen.add(tuple(tops))
    assert seen == set(itertools.product(range(5), repeat=2))


def test_sizes_differ_by_the_factor_allowed(solid):
    lines = generate(solid, 400, length=3, spacing=(2, 2), size=0.5, rng=0)

    assert lines.image_shape == (9, 3 * 9 + 2 * 2)
    widths = set()
    for image, width in zip(lines.images, lines.widths, strict=True):
        found = runs(image[4])
        assert len(found) == 3
        assert found[-1][1] == width
        for left, right in found:
            piece = image[:, left:right]
            assert (piece > 0).any(axis=1).sum() == right - left  # the aspect ratio is kept
            assert piece.max() == 255
            widths.add(right - left)
    assert widths == {3, 4, 5, 6, 7, 8, 9}


def test_slant_moves_rows_sideways_and_keeps_the_ink(solid):
    lines = generate(solid, 200, length=2, spacing=(3, 3), slant=0.8, rng=0)

    assert lines.image_shape == (6, 15 + 2 * 2)  # ceil(0.8 * 5 / 2) on both sides
    assert lines.widths.tolist() == [19] * 200
    assert (lines.images.sum(axis=2, dtype=int) == 12 * 255).all()
    columns = np.arange(19)
    middles = (lines.images * columns).sum(axis=2) / (12 * 255)
    slants = (middles[:, 0] - middles[:, 5]) / 5
    assert np.abs(slants).max() <= 0.8 + 0.01
    assert slants.max() > 0.7
    assert slants.min() < -0.7
    # Each row is where the line's slant says.
    expected = 9 + slants[:, None] * (2.5 - np.arange(6))
    np.testing.assert_allclose(middles, expected, atol=0.02)


def test_slanted_lines_have_the_width_asked_for(solid):
    assert compose(solid, "12", (0, 9), 12 + 3 + 4, slant=0.8, rng=0).shape == (6, 19)


def test_overlapping_ink_is_the_darker(one_each):
    image = compose(one_each, "12", (-2, -2), rng=0)

    first, second = one_each.images[[1, 2]]
    assert image.shape == (7, 8)
    np.testing.assert_array_equal(image[:, :3], first[:, :3])
    np.testing.assert_array_equal(image[:, 3:5], np.maximum(first[:, 3:], second[:, :2]))
    np.testing.assert_array_equal(image[:, 5:], second[:, 2:])


def test_null_images_stand_between_characters_and_not_in_the_text(solid):
    lines = generate(solid, 1000, texts=["12 3"], spacing=(1, 1), null=0.25, space=4, rng=0)

    assert set(lines.texts) == {"12 3"}
    without, with_one = 6 + 1 + 6 + 4 + 6, 6 + 1 + 6 + 1 + 6 + 4 + 6
    assert set(lines.widths.tolist()) == {without, with_one}
    share = (lines.widths == with_one).mean()
    assert share == pytest.approx(0.25, abs=0.05)
    some = lines.images[lines.widths == with_one]
    assert (some[:, :, :6] == 255).all()
    assert (some[:, :, 14:20] == 255).all()
    specks = some[:, :, 7:13]
    assert specks.any()
    assert not (specks == 255).all()
    assert not np.array_equal(specks[0], specks[1])
    always = generate(solid, 3, length=4, spacing=(0, 0), null=1, rng=0)
    assert always.widths.tolist() == [7 * 6] * 3
    assert generate(solid, 3, length=1, null=1, rng=0).widths.tolist() == [6] * 3


def test_black_on_white_is_the_published_form(one_each):
    image = compose(one_each, "01", rng=0)

    levels = sequences.black_on_white(image)

    assert levels.dtype == np.float32
    np.testing.assert_allclose(levels, 1 - image / 255, atol=1e-6)
    assert levels.max() <= 1
    assert levels.min() >= 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "each text must have a character"),
        ([], "each text must have a character"),
        ("1a", r"has no image of 'a', in text 0: '1a'"),
        ([1, 10], r"labels must lie in \[0, 10\)"),
        ([0.5], "labels must be integers"),
    ],
)
def test_texts_that_cannot_be_written_are_refused(one_each, text, message):
    with pytest.raises(ValueError, match=message):
        compose(one_each, text, rng=0)


def test_the_text_that_cannot_be_written_is_named(one_each):
    with pytest.raises(ValueError, match=r"no image of '\U0001f600', in text 2: '3\U0001f600'"):
        generate(one_each, 0, texts=["1", "22", "3\U0001f600", "4"], rng=0)
    lacking = one_each.select("123")
    with pytest.raises(ValueError, match="no image of '7', in text 1"):
        generate(lacking, 1, texts=["12", "17"], rng=0)
    with pytest.raises(ValueError, match="there must be images of characters"):
        generate(one_each.select([]), 1, length=3, rng=0)
    null = CharacterDataset(one_each.images[:2], [0, 1], Alphabet("1").with_null())
    with pytest.raises(ValueError, match="null stands in no text"):
        compose(null, [1, 0, 1], rng=0)
    with pytest.raises(TypeError, match="texts must be a sequence of texts, got one str"):
        generate(one_each, 1, texts="123", rng=0)


def test_composed_and_decomposed_characters_are_one():
    dataset = CharacterDataset(np.full((1, 2, 2), 9, np.uint8), [0], Alphabet("é"))

    assert generate(dataset, 1, texts=["e\u0301"], rng=0).texts == ("é",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": -1}, "n must be at least 0"),
        ({"length": None}, "give length or texts, one of them"),
        ({"texts": ["1"]}, "give length or texts, one of them"),
        ({"weights": [1]}, "weights are those of texts"),
        ({"length": None, "texts": []}, "texts must be one at least"),
        ({"length": None, "texts": ["1", "2"], "weights": [1]}, "weights must be 2"),
        ({"length": None, "texts": ["1"], "weights": [0]}, "not all 0"),
        ({"length": None, "texts": ["1", "2"], "weights": [2, -1]}, "at least 0"),
        ({"length": 0}, "length must be at least 1.*got 0"),
        ({"length": (3, 2)}, r"got \(3, 2\)"),
        ({"spacing": (3, 2)}, r"spacing must be \(least, greatest\)"),
        ({"spacing": (-5, 2)}, "spacing must be above -5"),
        ({"spacing": (-3, 2), "size": 0.5}, "spacing must be above -2"),
        ({"baseline": -1}, "baseline must be at least 0"),
        ({"size": 1.0}, r"size must lie in \[0, 1\)"),
        ({"slant": -0.1}, "slant must be at least 0"),
        ({"slant": float("nan")}, "slant must be at least 0"),
        ({"null": 1.1}, r"null must lie in \[0, 1\]"),
        ({"space": 0}, "space must be at least 1"),
        ({"width": 30, "size": 0.1}, "size and null must be 0 with it"),
        ({"width": 30, "null": 0.1}, "size and null must be 0 with it"),
    ],
)
def test_options_out_of_range_are_refused(one_each, options, message):
    generate(one_each, 1, length=2, rng=0)

    with pytest.raises(ValueError, match=message):
        generate(one_each, **{"n": 1, "length": 2, "rng": 0, **options})


def test_no_lines_are_a_dataset_too(one_each):
    for options in ({"length": 3}, {"texts": ["12", "3"]}, {"texts": ["12"], "null": 0.5}):
        assert len(generate(one_each, 0, slant=0.2, size=0.1, rng=0, **options)) == 0


def test_a_batch_of_a_stream_depends_on_seed_epoch_and_index(one_each):
    stream = Stream(one_each, 37, 8, length=(2, 4), baseline=1, rng=3)
    batches = list(stream)

    assert len(stream) == len(batches) == 5
    assert [len(batch) for batch in batches] == [8, 8, 8, 8, 5]
    assert len({batch.texts for batch in batches}) == 5
    elsewhere = pickle.loads(pickle.dumps(stream))
    for index in (4, 0, -1):
        np.testing.assert_array_equal(elsewhere[index].images, batches[index].images)
        assert elsewhere[index].texts == batches[index].texts
    stream.epoch = 1
    assert stream[0].texts != batches[0].texts
    assert stream[0].texts == Stream(one_each, 37, 8, epoch=1, length=(2, 4), rng=3)[0].texts
    assert Stream(one_each, 37, 8, length=(2, 4), rng=4)[0].texts != batches[0].texts
    with pytest.raises(IndexError, match=r"index must lie in \[0, 5\)"):
        stream[5]
    with pytest.raises(ValueError, match="n and batch_size must be at least 1"):
        Stream(one_each, 0, length=3, rng=0)


def test_batches_of_a_stream_have_one_shape_and_alphabet(one_each):
    stream = Stream(one_each, 20, 1, texts=["1", "2 3", "456"], rng=0)

    assert len({batch.image_shape for batch in stream}) == 1
    assert {batch.alphabet for batch in stream} == {Alphabet("0123456789 ")}


def test_a_saved_stream_opens_as_one_dataset(one_each, tmp_path):
    stream = Stream(one_each, 12, 4, length=(1, 3), rng=0)

    sequences.save(stream, tmp_path / "lines")

    opened = LineDataset.open(tmp_path / "lines")
    assert opened.texts == tuple(text for batch in stream for text in batch.texts)
    assert opened.widths.tolist() == [w for batch in stream for w in batch.widths.tolist()]
    np.testing.assert_array_equal(opened.images, np.concatenate([b.images for b in stream]))
    assert (opened.name, opened.alphabet) == ("one each lines", DIGITS)
    sequences.save(stream[0], tmp_path / "one")
    assert LineDataset.open(tmp_path / "one").texts == stream[0].texts


def test_parts_of_different_alphabets_are_not_saved(one_each, tmp_path):
    other = CharacterDataset(one_each.images, one_each.labels, LETTERS)
    parts = [generate(each, 2, length=2, rng=0) for each in (one_each, other)]

    with pytest.raises(ValueError, match="all parts must have one alphabet"):
        sequences.save(parts, tmp_path / "lines")
    with pytest.raises(ValueError, match="got none"):
        sequences.save([], tmp_path / "lines")
    assert not any(tmp_path.iterdir())


def test_save_keeps_writers(tmp_path):
    images = np.zeros((2, 4, 9), np.uint8)
    parts = [
        LineDataset(images, [9, 9], ["1", "2"], DIGITS, writers=writers)
        for writers in ([4, 0], [4, 1])
    ]

    sequences.save(parts, tmp_path / "lines")

    assert LineDataset.open(tmp_path / "lines").writers.tolist() == [4, 0, 4, 1]
    unknown = LineDataset(images, [9, 9], ["1", "2"], DIGITS)
    with pytest.raises(ValueError, match=r"tell their writers, or none.*writers=None"):
        sequences.save([parts[0], unknown], tmp_path / "both")
    assert not (tmp_path / "both").exists()


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_pictures_are_read_back_as_names(one_each, tmp_path, split):
    lines = generate(one_each, 12, texts=["007", "1 2"], rng=0)

    sequences.save_pictures(lines, tmp_path / "set", split=split)

    read = names.load(split, tmp_path / "set", size=lines.image_shape, alphabet=lines.alphabet)
    assert read.texts == lines.texts
    assert read.widths.tolist() == lines.widths.tolist()
    np.testing.assert_array_equal(read.images, lines.images)
    with (tmp_path / "set" / f"written_name_{split}_v2.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["FILENAME", "IDENTITY"]
    picture = to_gray(tmp_path / "set" / split / rows[1][0])
    np.testing.assert_array_equal(picture, 255 - lines.images[0, :, : lines.widths[0]])


@pytest.mark.parametrize("text", ["EMPTY", "Unreadable", " A", "A "])
def test_texts_that_mean_something_else_in_the_names_are_refused(tmp_path, text):
    dataset = CharacterDataset(np.full((52, 2, 2), 9, np.uint8), np.arange(52), LETTERS)
    lines = generate(dataset, 1, texts=[text], rng=0)

    with pytest.raises(ValueError, match=f"cannot hold the text '{text}'"):
        sequences.save_pictures(lines, tmp_path / "set")
    with pytest.raises(ValueError, match="split must be"):
        sequences.save_pictures(lines, tmp_path / "set", split="all")
    assert not any(tmp_path.iterdir())


def test_pictures_are_written_all_or_not_at_all(one_each, tmp_path, monkeypatch):
    monkeypatch.setattr(PIL.Image.Image, "save", _full_disk)
    with pytest.raises(OSError, match="no space left"):
        sequences.save_pictures(generate(one_each, 2, length=1, rng=0), tmp_path / "set")
    assert not any(tmp_path.iterdir())


def _full_disk(*_):
    raise OSError("no space left on device")


def test_parquet_files_hold_pictures_and_texts(one_each, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    stream = Stream(one_each, 12, 4, texts=["007", "12"], rng=0)

    sequences.save_parquet(stream, tmp_path / "set", rows=5)

    files = sorted((tmp_path / "set").iterdir())
    assert [file.name for file in files] == [f"train-0000{i}.parquet" for i in range(3)]
    rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
    lines = [each for batch in stream for each in zip(*_columns(batch), strict=True)]
    assert len(rows) == len(lines) == 12
    for row, (image, width, text) in zip(rows, lines, strict=True):
        assert row["text"] == text
        np.testing.assert_array_equal(to_gray(row["image"]["bytes"]), image[:, :width])


def _columns(lines):
    return lines.images, lines.widths.tolist(), lines.texts


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_hugging_face_reads_the_parquet_files(one_each, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    lines = generate(one_each, 3, length=(1, 3), rng=0)
    sequences.save_parquet(lines, tmp_path / "set", split="test")

    read = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))

    assert list(read) == ["test"]
    assert read["test"]["text"][:] == list(lines.texts)
    for row, image, width in zip(read["test"], lines.images, lines.widths, strict=True):
        np.testing.assert_array_equal(np.asarray(row["image"]), image[:, :width])


def test_no_lines_are_a_parquet_file_without_rows(one_each, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")

    sequences.save_parquet(generate(one_each, 0, length=2, rng=0), tmp_path / "set")

    assert parquet.read_table(tmp_path / "set" / "train-00000.parquet").num_rows == 0


def test_parquet_without_pyarrow_says_what_to_install(one_each, tmp_path, monkeypatch):
    lines = generate(one_each, 1, length=1, rng=0)
    with pytest.raises(ValueError, match="split must be letters and digits, and rows at least 1"):
        sequences.save_parquet(lines, tmp_path / "set", split="a/b")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(HandwritingError, match=r'pip install "handwriting\[parquet\]"'):
        sequences.save_parquet(lines, tmp_path / "set")
    assert not any(tmp_path.iterdir())


HANDS = {70: "0123456789", 7: "01234", 9: "56789", 4: "", -1: "12x", -2: "x"}


@pytest.fixture
def hands():
    """Two images of each character of each writer, and five of nothing by 4; each of one gray."""
    alphabet = Alphabet("0123456789x").with_null()
    pairs = [(who, c) for who, text in HANDS.items() for c in text * 2] + [(4, "")] * 5
    pairs = [pairs[i] for i in np.random.default_rng(1).permutation(len(pairs))]
    images = (
        np.arange(1, len(pairs) + 1, dtype=np.uint8)[:, None, None].repeat(16, 1).reshape(-1, 4, 4)
    )
    writers, labels = zip(*((who, alphabet.characters.index(c)) for who, c in pairs), strict=True)
    return CharacterDataset(images, labels, alphabet, "hands", writers=writers)


def written(lines):
    """The positions in the dataset of the images in each line without gaps, by their grays."""
    return [
        image[1, 1:width:4].astype(int) - 1
        for image, width in zip(lines.images, lines.widths, strict=True)
    ]


@pytest.mark.parametrize(
    "options",
    [{"length": (2, 6)}, {"texts": ["01", "5678", "40", "3579", "7"], "weights": [1, 1, 0, 2, 3]}],
)
def test_all_characters_of_a_line_come_from_one_writer(hands, options):
    lines = generate(hands, 500, spacing=(0, 0), one_writer=True, rng=0, **options)

    for which, text, writer in zip(written(lines), lines.texts, lines.writers, strict=True):
        assert "".join(hands.characters[i] for i in which) == text
        assert set(hands.writers[which].tolist()) == {writer}
    assert set(lines.writers.tolist()) == {70, 7, 9}


def test_characters_come_from_everybody_unless_one_writer_is_asked_for(hands):
    lines = generate(hands, 500, texts=["0123456789x"], spacing=(0, 0), rng=0)

    assert lines.writers is None
    assert set(hands.writers[np.concatenate(written(lines))].tolist()) == {70, 7, 9, -1, -2}


@pytest.mark.parametrize(
    ("text", "able"),
    [("12", {70, 7}), ("65", {70, 9}), ("19", {70}), ("4 4", {70, 7}), (" ", {70, 7, 9, 4})],
)
def test_writers_are_drawn_with_equal_chances_among_those_who_can(hands, text, able):
    lines = generate(hands, 3000, texts=[text], one_writer=True, rng=0)

    numbers, counts = np.unique(lines.writers, return_counts=True)
    assert set(numbers.tolist()) == able
    share = 1 / len(able)
    assert abs(counts - 3000 * share).max() <= 4 * np.sqrt(3000 * share * (1 - share))


def test_random_characters_are_those_of_a_writer_with_equal_chances(hands):
    lines = generate(hands, 3000, length=4, one_writer=True, rng=0)

    for writer in (70, 7, 9):
        texts = [t for t, who in zip(lines.texts, lines.writers, strict=True) if who == writer]
        # 1000 lines expected, with a standard deviation of 26.
        assert abs(len(texts) - 1000) < 4 * 26
        together = "".join(texts)
        assert set(together) == set(HANDS[writer])
        share = 1 / len(HANDS[writer])
        spread = np.sqrt(len(together) * share * (1 - share))
        counts = np.array([together.count(character) for character in HANDS[writer]])
        assert abs(counts - len(together) * share).max() < 4 * spread


def test_all_images_of_a_writer_are_drawn(hands):
    lines = generate(
        hands, 500, texts=["012345678901234567890123456789"], spacing=(0, 0), one_writer=True, rng=0
    )

    which, counts = np.unique(np.concatenate(written(lines)), return_counts=True)
    assert set(which.tolist()) == set(np.flatnonzero(hands.writers == 70).tolist())
    assert abs(counts - 750).max() < 4 * np.sqrt(1500 / 4)


def test_null_images_between_characters_are_no_writers(hands):
    options = {"null": 0.5, "baseline": 1, "size": 0.2, "slant": 0.2, "spacing": (-1, 2)}
    lines = generate(hands, 200, texts=["19"], one_writer=True, rng=0, **options)

    assert set(lines.writers.tolist()) == {70}


def test_one_writer_is_right_among_many():
    rng = np.random.default_rng(0)
    writers, labels = np.repeat(np.arange(700) * 3, 6), rng.integers(10, size=4200)
    images = np.zeros((4200, 2, 2), np.uint8)
    dataset = CharacterDataset(images, labels, DIGITS, writers=writers)
    has = {who: set("".join(dataset.select(writers == who).characters)) for who in set(writers)}
    texts = ["".join(rng.choice(list("0123456789"), rng.integers(1, 4))) for _ in range(50)]
    texts = [text for text in texts if any(set(text) <= each for each in has.values())]

    lines = generate(dataset, 3000, texts=texts, one_writer=True, rng=0)

    assert all(set(t) <= has[w] for t, w in zip(lines.texts, lines.writers.tolist(), strict=True))
    assert len(set(lines.writers.tolist())) > 600
    able = [who for who, characters in has.items() if "1" in characters]
    again = generate(dataset, 3000, texts=["1"], one_writer=True, rng=0)
    assert len(set(again.writers.tolist())) > 0.9 * len(able) > 270


@pytest.mark.parametrize("number", [0, 1500])
def test_a_text_that_nobody_can_write_is_told(hands, number):
    texts = ["12"] * 2000
    texts[number] = "1x2"

    with pytest.raises(ValueError, match=rf"nobody in .*'hands'.* text {number}: '1x2'; leave it"):
        Stream(hands, 5, texts=texts, one_writer=True, rng=0)
    Stream(hands, 5, texts=texts, rng=0)


def test_one_writer_needs_a_dataset_that_tells_them(one_each, hands):
    for dataset in (one_each, hands.select(hands.writers < 0)):
        for options in ({"length": 2}, {"texts": ["1"]}):
            with pytest.raises(
                ValueError, match="one_writer needs writers, and CharacterDataset.* does"
            ):
                generate(dataset, 1, one_writer=True, rng=0, **options)
    with pytest.raises(ValueError, match="there must be images of characters"):
        generate(hands.select(hands.writers == 4), 1, length=2, one_writer=True, rng=0)


def test_one_picture_and_a_stream_can_be_by_one_writer(hands, tmp_path):
    image = compose(hands, "1919", (0, 0), one_writer=True, rng=0)
    stream = Stream(hands, 10, 4, length=3, one_writer=True, rng=0)

    assert set(hands.writers[image[1, 1::4].astype(int) - 1].tolist()) == {70}
    assert stream[1].writers.tolist() == stream[1].writers.tolist()
    sequences.save(stream, tmp_path / "lines")
    saved = LineDataset.open(tmp_path / "lines").writers.tolist()
    assert saved == [writer for batch in stream for writer in batch.writers.tolist()]


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def run(*arguments):
    return CliRunner().invoke(main, ["sequence", *map(str, arguments)])


def test_the_command_writes_what_the_published_script_does(here):
    result = run("01", 0, 10, 66)

    assert (result.exit_code, result.output) == (0, "0-1.png\n")
    expected = compose(digits.load("train"), "01", (0, 10), 66, rng=0)
    np.testing.assert_array_equal(to_gray(here / "0-1.png"), 255 - expected)
    run("01", 0, 10, 66, "--seed", 5, "--split", "test", "--out", "other.png")
    other = compose(digits.load("test"), "01", (0, 10), 66, rng=5)
    np.testing.assert_array_equal(to_gray(here / "other.png"), 255 - other)
    run("0 7/", "--dataset", _saved(here), "--out", "a.png", "--space", 3)
    assert to_gray(here / "a.png").shape[1] >= 4 + 3 + 4 + 4


def _saved(folder):
    images = np.full((12, 4, 4), 9, np.uint8)
    dataset = CharacterDataset(images, np.arange(12), Alphabet("0123456789/\\"), "mine")
    dataset.save(folder / "saved")
    return folder / "saved"


def test_the_command_keeps_to_the_spacing_given(here):
    assert run("012", 2, 2).output == "0-1-2.png\n"
    assert to_gray(here / "0-1-2.png").shape == (28, 3 * 28 + 2 * 2)
    run("012", "--spacing", -3, -3, "--out", "close.png")
    assert to_gray(here / "close.png").shape == (28, 3 * 28 - 2 * 3)


def test_characters_that_no_file_name_may_have_become_codes(here):
    assert run("0/7", "--dataset", _saved(here)).output == "0-U+002F-7.png\n"


@pytest.mark.parametrize("form", ["dataset", "pictures", "parquet"])
def test_the_command_makes_a_set_in_each_form(here, form):
    result = run("--count", 1500, "--length", "2-4", "--out", "set", "--form", form, "--slant", 0.2)

    assert (result.exit_code, result.output) == (0, "set\n")
    stream = Stream(digits.load("train"), 1500, 1024, length=(2, 4), slant=0.2, rng=0)
    texts = [text for part in stream for text in part.texts]
    if form == "dataset":
        assert LineDataset.open("set").texts == tuple(texts)
    elif form == "pictures":
        with (here / "set" / "written_name_train_v2.csv").open(newline="") as table:
            assert [row["IDENTITY"] for row in csv.DictReader(table)] == texts
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(here / "set" / "train-00000.parquet")
        assert table["text"].to_pylist() == texts


def test_the_command_draws_from_a_file_of_texts(here):
    (here / "texts.txt").write_bytes("\ufeff007\r\n\r\n12 3".encode())

    run("--count", 50, "--texts", "texts.txt", "--out", "set")

    assert set(LineDataset.open("set").texts) == {"007", "12 3"}


def test_the_command_writes_lines_of_one_writer(here, hands):
    hands.save(here / "hands")

    run("--count", 50, "--length", 3, "--dataset", "hands", "--one-writer", "--out", "set")
    result = run("1x", "--dataset", "hands", "--one-writer")

    assert set(LineDataset.open("set").writers.tolist()) == {70, 7, 9}
    assert result.exit_code == 2
    assert "nobody in CharacterDataset('hands'" in " ".join(result.output.split())
    assert run("1x", "--dataset", "hands", "--out", "both.png").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["01", 0, 10, 70], "width must be one of 56, 57, 58 ... 66 for '01'"),
        (["01", 3], "give MINIMUM and MAXIMUM"),
        (["0x"], "has no image of 'x'"),
        ([], "give a TEXT to write, or --count"),
        (["01", "--count", 5], "give a TEXT to write, or --count"),
        (["01", "--length", 5], "--length and --texts are for --count"),
        (["01", "--out", "a.txt"], "path must end as one of PNG"),
        (["--count", 5, "--length", 5], "give the folder to make with --out"),
        (["--count", 5, "--out", "set"], "give length or texts, one of them"),
        (["--count", 5, "--length", "5,6", "--out", "set"], "--length must be a number such as 5"),
        (["--count", 5, "--length", "5", "--size", 2, "--out", "set"], "size must lie in [0, 1)"),
        (["--count", 5, "--texts", "latin.txt", "--out", "set"], "can't decode"),
    ],
)
def test_the_command_tells_wrong_usage_in_one_line(here, arguments, message):
    (here / "latin.txt").write_bytes(b"\xe9")

    result = run(*arguments)

    assert result.exit_code == 2
    assert message in result.output
    assert [file.name for file in here.iterdir()] == ["latin.txt"]
