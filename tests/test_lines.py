import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handwriting.alphabet import ASCII, DIGITS, LETTERS, LOWERCASE, Alphabet
from handwriting.data import LineDataset, Skipped
from handwriting.errors import CorruptFileError, MissingDataError


def lines_of(texts, alphabet=LOWERCASE, width=7, **facts):
    """Images whose first pixel tells their position; the widths go down from the whole width."""
    images = np.zeros((len(texts), 4, width), np.uint8)
    images[:, 0, 0] = np.arange(len(texts))
    widths = width - np.arange(len(texts)) % width
    return LineDataset(images, widths, texts, alphabet, **{"name": "some", **facts})


def positions(lines):
    return lines.images[:, 0, 0].tolist()


def test_it_tells_what_it_is():
    lines = lines_of(["to", "toe", ""])

    assert len(lines) == 3
    assert lines.image_shape == (4, 7)
    assert lines.widths.tolist() == [7, 6, 5]
    assert lines.widths.dtype == np.int64
    assert lines.texts == ("to", "toe", "")
    assert lines.counts() == {**dict.fromkeys(LOWERCASE, 0), "t": 2, "o": 2, "e": 1}
    assert repr(lines) == "LineDataset('some': 3 lines of 4 x 7, 26 characters)"
    assert "1 skipped" in repr(lines_of(["a"], skipped=[("a.png", "no such file")]))


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"images": np.zeros((2, 4, 7))}, ValueError, "images must be uint8 of shape"),
        ({"widths": [7]}, ValueError, r"widths must be integers of shape \(2,\)"),
        ({"widths": [7.0, 6.0]}, ValueError, "got float64"),
        ({"widths": [7, 8]}, ValueError, r"widths must lie in \[1, 7\].*got 7 to 8"),
        ({"widths": [0, 7]}, ValueError, r"widths must lie in \[1, 7\]"),
        ({"texts": ["a"]}, ValueError, "texts must be 2, one for each image, got 1"),
        ({"texts": ["a", "b", "c"]}, ValueError, "got 3"),
        ({"texts": "ab"}, TypeError, "got one str 'ab'"),
        ({"texts": ["a", None]}, TypeError, "texts must be str, got None"),
        ({"texts": ["a", "be 2"]}, ValueError, r"got also ' 2', first in text 1: 'be 2'"),
        ({"texts": ["a", "b\n"]}, ValueError, r"got also '\\n', first in text 1"),
        ({"alphabet": "ab"}, TypeError, "alphabet must be an Alphabet"),
        ({"name": None}, TypeError, "name must be a str"),
        ({"recipe": "mine"}, ValueError, "recipe must be one of line"),
        ({"skipped": [("a.png", 3)]}, TypeError, "skipped must be pairs"),
    ],
)
def test_what_does_not_fit_is_refused(changed, error, message):
    good = {
        "images": np.zeros((2, 4, 7), np.uint8),
        "widths": [7, 3],
        "texts": ["a", "b"],
        "alphabet": LOWERCASE,
    }
    LineDataset(**good)

    with pytest.raises(error, match=message):
        LineDataset(**{**good, **changed})


def test_texts_are_composed():
    alphabet = Alphabet("é")

    assert lines_of(["e\u0301"], alphabet).texts == ("é",)


def test_widths_cannot_be_changed_behind_the_checks():
    widths = np.array([1, 2])
    lines = LineDataset(np.zeros((2, 2, 2), np.uint8), widths, ["a", "b"], LOWERCASE)
    widths[0] = 99

    assert lines.widths.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        lines.widths[0] = 99


def test_null_in_the_alphabet_is_no_part_of_a_text():
    lines = lines_of(["ab", ""], LOWERCASE.with_null())

    assert lines.counts()[""] == 0


def test_an_empty_dataset_is_a_dataset():
    assert len(lines_of(["a"]).select([])) == 0
    assert len(lines_of([])) == 0


def test_select_takes_slices_positions_and_masks():
    lines = lines_of(["a", "b", "c", "d"], skipped=[("a.png", "torn")])

    for which in (slice(1, 3), [1, 2], np.array([False, True, True, False])):
        part = lines.select(which)
        assert part.texts == ("b", "c")
        assert part.widths.tolist() == [6, 5]
        assert positions(part) == [1, 2]
        assert part.skipped == ()
    assert lines.select([-1, 0]).texts == ("d", "a")
    assert np.shares_memory(lines.select(slice(1, 3)).images, lines.images)


@given(st.integers(2, 60), st.floats(0.05, 0.95), st.integers(0, 5))
def test_split_is_an_exact_partition(n, fraction, seed):
    lines = lines_of(["a"] * n)
    share = round(n * fraction)
    if not 0 < share < n:
        with pytest.raises(ValueError, match="leaves one part empty"):
            lines.split(fraction, rng=seed)
        return

    first, second = lines.split(fraction, rng=seed)

    assert len(second) == share
    assert sorted(positions(first) + positions(second)) == list(range(n))
    assert positions(second) == positions(lines.split(fraction, rng=seed)[1])


def test_other_seeds_split_otherwise():
    lines = lines_of(["a"] * 100)

    assert positions(lines.split(0.5, rng=0)[1]) != positions(lines.split(0.5, rng=1)[1])
    with pytest.raises(ValueError, match="fraction must lie between 0 and 1"):
        lines.split(1, rng=0)


def test_sample_draws_without_replacement():
    lines = lines_of(["a"] * 50)

    drawn = positions(lines.sample(20, rng=0))
    assert drawn == sorted(set(drawn))
    assert len(drawn) == 20
    assert drawn == positions(lines.sample(20, rng=0))
    assert drawn != positions(lines.sample(20, rng=1))
    with pytest.raises(ValueError, match=r"n must lie in \[0, 50\]"):
        lines.sample(51, rng=0)


def test_relabel_loses_nothing_unless_told_to():
    lines = lines_of(["ab", "cab", "bb"], skipped=[("a.png", "torn")])

    with pytest.raises(ValueError, match="'c' stand in the texts but not in"):
        lines.relabel(Alphabet("ab"))
    dropped = lines.relabel(Alphabet("ab"), outside="drop")
    assert (dropped.texts, positions(dropped)) == (("ab", "bb"), [0, 2])
    removed = lines.relabel(Alphabet("ab"), outside="remove")
    assert (removed.texts, len(removed)) == (("ab", "ab", "bb"), 3)
    assert dropped.skipped == removed.skipped == lines.skipped
    assert removed.alphabet == Alphabet("ab")
    with pytest.raises(ValueError, match="outside must be 'error', 'drop' or 'remove'"):
        lines.relabel(LOWERCASE, outside="ignore")


def test_relabel_renames_before_it_looks():
    lines = lines_of(["Ab", "aB"], LETTERS)

    assert lines.relabel(Alphabet("ab"), rename={"A": "a", "B": "b"}).texts == ("ab", "ab")
    assert lines.relabel(Alphabet("xb"), rename={"A": "xx", "a": "", "B": "b"}).texts == (
        "xxb",
        "b",
    )


def test_concat_pads_with_paper_and_unites_alphabets():
    narrow = LineDataset(
        np.full((1, 4, 3), 9, np.uint8),
        [3],
        ["ab"],
        Alphabet("ba"),
        "narrow",
        "line",
        [("x", "y")],
    )
    wide = lines_of(["7c", "c"], Alphabet("c7").with_null(), skipped=[("z", "torn")])

    both = narrow.concat(wide)

    assert both.images.shape == (3, 4, 7)
    assert both.images[0].tolist() == [[9, 9, 9, 0, 0, 0, 0]] * 4
    np.testing.assert_array_equal(both.images[1:], wide.images)
    assert both.widths.tolist() == [3, 7, 6]
    assert both.texts == ("ab", "7c", "c")
    assert list(both.alphabet) == ["", "b", "a", "c", "7"]
    assert both.skipped == (Skipped("x", "y"), Skipped("z", "torn"))
    assert (both.name, both.recipe) == ("narrow + some", None)
    assert narrow.concat(name="new").name == "new"
    with pytest.raises(ValueError, match=r"must have one height to be put together, got \[4, 5\]"):
        wide.concat(LineDataset(np.zeros((0, 5, 9), np.uint8), [], [], LOWERCASE))


def test_a_notebook_shows_lines_with_their_texts():
    alphabet = Alphabet("<b>&")

    page = lines_of(["<b>", "&"], alphabet, name="<i>")._repr_html_()

    assert page.count("data:image/png;base64,") == 2
    assert "&lt;b&gt;</div>" in page
    assert "&amp;</div>" in page
    assert "<i>" not in page
    assert "0 lines" in lines_of([])._repr_html_()


def test_save_then_open_gives_the_same_as_a_memory_map(tmp_path):
    alphabet = Alphabet(("", *" é\u2028'\"\\<", *LOWERCASE))
    texts = ["é\u2028 a", "", "\"'\\<", ""]
    lines = lines_of(texts, alphabet, recipe="line", skipped=[("a/b.png", "torn")])
    lines.save(tmp_path / "set")

    opened = LineDataset.open(tmp_path / "set")

    assert isinstance(opened.images, np.memmap)
    np.testing.assert_array_equal(opened.images, lines.images)
    np.testing.assert_array_equal(opened.widths, lines.widths)
    assert opened.texts == tuple(texts)
    assert (opened.alphabet, opened.name, opened.recipe) == (alphabet, "some", "line")
    assert opened.skipped == (Skipped("a/b.png", "torn"),)
    assert sorted(os.listdir(tmp_path / "set")) == [
        *("dataset.json", "images.npy", "texts.txt", "widths.npy")
    ]


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["a"]])
def test_few_and_empty_texts_come_back(texts, tmp_path):
    lines_of(texts).save(tmp_path / "set")

    assert LineDataset.open(tmp_path / "set").texts == tuple(texts)


def test_save_never_overwrites(tmp_path):
    lines_of(["a"]).save(tmp_path / "set")

    with pytest.raises(FileExistsError, match="remove it or choose another path"):
        lines_of(["b"]).save(tmp_path / "set")
    assert LineDataset.open(tmp_path / "set").texts == ("a",)


@pytest.mark.parametrize("name", ["dataset.json", "images.npy", "texts.txt", "widths.npy"])
def test_damaged_files_are_told(name, tmp_path):
    lines_of(["one", "two"]).save(tmp_path / "set")
    file = tmp_path / "set" / name
    whole = file.read_bytes()
    for length in range(0, len(whole), 5):
        file.write_bytes(whole[:length])
        with pytest.raises(CorruptFileError, match="set is damaged"):
            LineDataset.open(tmp_path / "set")
    file.unlink()
    with pytest.raises(MissingDataError, match=f"{name} is missing"):
        LineDataset.open(tmp_path / "set")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (b"one\ntw\xff\n", "can't decode byte"),
        (b"one\r\ntwo\r\n", r"got also '\\r'"),
        (b"one\ntwo", "must end with a line feed, got 'two'"),
        (b"one\ntwo\nsix\n", "got 3"),
        (b"one\nt2o\n", "got also '2'"),
    ],
)
def test_texts_that_others_have_edited_are_checked(texts, message, tmp_path):
    lines_of(["one", "two"]).save(tmp_path / "set")
    (tmp_path / "set" / "texts.txt").write_bytes(texts)

    with pytest.raises(CorruptFileError, match=message):
        LineDataset.open(tmp_path / "set")


@pytest.mark.parametrize("skipped", [3, [3], [["a"]], [["a", 3]], [["a", "b", "c"]], None])
def test_facts_that_are_none_are_told(skipped, tmp_path):
    lines_of(["one"]).save(tmp_path / "set")
    file = tmp_path / "set" / "dataset.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "skipped": skipped}))

    with pytest.raises(CorruptFileError, match="set is damaged"):
        LineDataset.open(tmp_path / "set")


def test_characters_are_no_lines(tmp_path):
    from handwriting.data import CharacterDataset

    lines_of(["one"]).save(tmp_path / "lines")
    CharacterDataset(np.zeros((1, 2, 2), np.uint8), [0], DIGITS).save(tmp_path / "characters")

    with pytest.raises(CorruptFileError, match="must say format 'handwriting lines 1'"):
        LineDataset.open(tmp_path / "characters")
    with pytest.raises(CorruptFileError, match="must say format 'handwriting characters 1'"):
        CharacterDataset.open(tmp_path / "lines")


def test_all_of_ascii_comes_back(tmp_path):
    text = "".join(ASCII)
    lines_of([text], ASCII).save(tmp_path / "set")

    assert LineDataset.open(tmp_path / "set").texts == (text,)


def test_writers_stay_with_their_lines():
    lines = lines_of(["ab", "c", "ab", "b", "c"], writers=[0, 7, 14, 21, 28])

    parts = [
        *(lines.select(slice(1, 4)), lines.select([3, 0]), lines.sample(3, rng=0)),
        *(*lines.split(0.4, rng=0), lines.relabel(Alphabet("ab"), outside="drop")),
        lines.relabel(Alphabet("ab"), outside="remove"),
    ]
    for part in parts:
        assert len(part) > 1
        assert part.writers.tolist() == [7 * position for position in positions(part)]
    assert lines_of(["a"]).select([0]).writers is None
    with pytest.raises(ValueError, match=r"writers must be integers of shape \(1,\)"):
        lines_of(["a"], writers=[0, 1])


def test_concat_takes_equal_numbers_of_two_sets_for_two_people():
    lines = lines_of(["a", "b", "c"], writers=[4, -1, 0])

    assert lines.concat(lines_of([]), lines).writers.tolist() == [4, -1, 0, 9, -1, 5]
    assert lines.concat(lines_of(["a"])).writers is None


def test_writers_are_saved_where_they_are_known(tmp_path):
    lines_of(["a", "b"], writers=[3, -1]).save(tmp_path / "set")
    lines_of(["a"]).save(tmp_path / "unknown")

    assert LineDataset.open(tmp_path / "set").writers.tolist() == [3, -1]
    assert LineDataset.open(tmp_path / "unknown").writers is None
    assert not (tmp_path / "unknown" / "writers.npy").exists()
    (tmp_path / "set" / "writers.npy").unlink()
    with pytest.raises(MissingDataError, match=r"writers\.npy is missing"):
        LineDataset.open(tmp_path / "set")


def test_a_split_by_writer_keeps_each_in_one_part():
    lines = lines_of(["a"] * 30, writers=[*range(9), -1] * 3)

    first, second = lines.split(0.4, by_writer=True, rng=0)

    assert sorted(positions(first) + positions(second)) == list(range(30))
    assert set(first.writers.tolist()) & set(second.writers.tolist()) == {-1}
    assert np.bincount(second.writers + 1, minlength=10)[0] == 1
    assert len(second) == 1 + 12
    assert positions(lines.split(0.4, by_writer=True, rng=1)[1]) != positions(second)
    with pytest.raises(ValueError, match="needs a dataset with writers"):
        lines_of(["a"] * 30).split(0.4, by_writer=True, rng=0)
    with pytest.raises(ValueError, match="fraction must lie between 0 and 1"):
        lines.split(0, by_writer=True, rng=0)
