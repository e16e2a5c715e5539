import base64
import dataclasses
import io
import json
import os
import re

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handwriting.alphabet import DIGITS, LETTERS, LOWERCASE, Alphabet
from handwriting.data import CharacterDataset
from handwriting.errors import CorruptFileError, MissingDataError


def dataset_of(labels, alphabet=DIGITS, writers=None):
    """Images whose first pixel tells their position."""
    images = np.zeros((len(labels), 4, 5), np.uint8)
    images[:, 0, 0] = np.arange(len(labels))
    labels = np.array(labels, np.int64)
    return CharacterDataset(images, labels, alphabet, "some", writers=writers)


def test_it_tells_what_it_is():
    dataset = dataset_of([3, 3, 1])

    assert len(dataset) == 3
    assert dataset.image_shape == (4, 5)
    assert dataset.characters == ["3", "3", "1"]
    assert dataset.counts() == {**dict.fromkeys("0123456789", 0), "3": 2, "1": 1}
    assert repr(dataset) == "CharacterDataset('some': 3 images of 4 x 5, 10 characters)"


@pytest.mark.parametrize("labels", [[0, 10], [-1, 0]])
def test_labels_outside_the_alphabet_are_refused(labels):
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 10\)"):
        dataset_of(labels)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 3, 3)), [0, 1], "images must be uint8 of shape"),
        (np.zeros((3, 3), np.uint8), [0], r"image\[None\]"),
        (np.zeros((2, 3, 3), np.uint8), [0], r"integers of shape \(2,\)"),
        (np.zeros((2, 3, 3), np.uint8), [0.0, 1.0], "got float64"),
        (np.zeros((2, 3, 3), np.uint8), [[0, 1]], "labels must be integers"),
        ([[0]], [0], "images must be uint8"),
    ],
)
def test_what_does_not_fit_is_refused(images, labels, message):
    with pytest.raises(ValueError, match=message):
        CharacterDataset(images, labels, DIGITS)


def test_labels_become_int64_whatever_they_were():
    for kind in (np.uint8, np.int32, ">i4"):
        assert dataset_of([1]).labels.dtype == np.int64
        assert (
            CharacterDataset(
                np.zeros((1, 2, 2), np.uint8), np.array([1], kind), DIGITS
            ).labels.dtype
            == np.int64
        )


def test_other_facts_are_checked_too():
    images = np.zeros((1, 2, 2), np.uint8)

    with pytest.raises(ValueError, match="recipe must be one of mnist"):
        CharacterDataset(images, [0], DIGITS, "a", "mine")
    with pytest.raises(TypeError, match="alphabet must be an Alphabet, got str"):
        CharacterDataset(images, [0], "0123456789")
    with pytest.raises(TypeError, match="name must be a str"):
        CharacterDataset(images, [0], DIGITS, None)
    with pytest.raises(ValueError, match="images must have pixels"):
        CharacterDataset(images[:, :0], [0], DIGITS)


def test_labels_cannot_be_changed_behind_the_checks():
    labels = np.array([1, 2])
    dataset = CharacterDataset(np.zeros((2, 2, 2), np.uint8), labels, DIGITS)
    labels[0] = 99

    assert dataset.labels.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        dataset.labels[0] = 99


def test_an_empty_dataset_is_a_dataset():
    empty = dataset_of([1, 2]).select([])

    assert len(empty) == 0
    assert empty.counts()["1"] == 0
    assert len(CharacterDataset(np.zeros((0, 2, 2), np.uint8), [], DIGITS)) == 0


@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=250),
    st.floats(0.05, 0.95),
    st.integers(0, 5),
)
def test_split_is_a_stratified_partition(labels, fraction, seed):
    dataset = dataset_of(labels)
    try:
        first, second = dataset.split_indices(fraction, rng=seed)
    except ValueError:
        shares = [labels.count(label) for label in set(labels)]
        assert max(shares) < 2 or not 1 <= round(len(labels) * fraction) < len(labels)
        return

    assert sorted([*first, *second]) == list(range(len(labels)))
    for label in set(labels):
        count = labels.count(label)
        drawn = int((dataset.labels[second] == label).sum())
        assert drawn < count
        assert abs(drawn - count * fraction) <= 1 or drawn == count - 1


def test_split_has_the_exact_total_and_equal_seeds_draw_alike():
    dataset = dataset_of([0] * 33 + [1] * 33 + [2] * 34)

    first, second = dataset.split(0.1, rng=3)

    assert (len(first), len(second)) == (90, 10)
    np.testing.assert_array_equal(second.images, dataset.split(0.1, rng=3)[1].images)
    assert not np.array_equal(second.images, dataset.split(0.1, rng=4)[1].images)


def test_a_class_with_one_image_stays_in_the_first_part():
    first, second = dataset_of([0] * 9 + [5]).split(0.5, rng=0)

    assert "5" in first.characters
    assert second.characters == ["0"] * len(second)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 2, float("nan")])
def test_a_fraction_that_is_none_is_refused(fraction):
    with pytest.raises(ValueError, match="fraction must lie between 0 and 1"):
        dataset_of([0, 0]).split(fraction, rng=0)


def test_a_split_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="leaves one part empty"):
        dataset_of([0, 1, 2]).split(0.5, rng=0)


def test_select_takes_slices_positions_and_masks():
    dataset = dataset_of([4, 5, 6, 7])

    for which in (slice(1, 3), [1, 2], np.array([False, True, True, False])):
        part = dataset.select(which)
        assert part.characters == ["5", "6"]
        assert part.images[:, 0, 0].tolist() == [1, 2]
    assert np.shares_memory(dataset.select(slice(1, 3)).images, dataset.images)


def test_relabel_keeps_characters_and_changes_labels():
    letters = dataset_of([0, 1, 26], LETTERS)

    upper = letters.relabel(Alphabet("BA"), rename={"a": "A", "b": "B"})

    assert upper.characters == ["A", "B", "A"]
    assert upper.labels.tolist() == [1, 0, 1]


def test_relabel_loses_nothing_unless_told_to():
    dataset = dataset_of([0, 1, 2])

    with pytest.raises(ValueError, match="'2' stand in the dataset but not in"):
        dataset.relabel(Alphabet("01"))
    assert dataset.relabel(Alphabet("01"), outside="drop").characters == ["0", "1"]
    with pytest.raises(ValueError, match="outside must be"):
        dataset.relabel(Alphabet("01"), outside="ignore")


def test_select_takes_characters():
    dataset = dataset_of([4, 0, 2, 0, 1], Alphabet("abxy").with_null())

    assert dataset.select("yb").images[:, 0, 0].tolist() == [0, 2]
    assert dataset.select(["", "b"]).characters == ["", "b", ""]
    assert dataset.select("yb").alphabet == dataset.alphabet
    assert len(dataset.select("")) == 0
    assert dataset_of([0, 1], Alphabet("eé")).select("e\u0301").characters == ["é"]
    with pytest.raises(ValueError, match="'q' is not one of the 5 characters"):
        dataset.select("aq")


def test_sample_draws_without_replacement():
    dataset = dataset_of([1] * 50)

    drawn = dataset.sample(20, rng=0).images[:, 0, 0].tolist()
    assert drawn == sorted(set(drawn))
    assert len(drawn) == 20
    assert drawn == dataset.sample(20, rng=0).images[:, 0, 0].tolist()
    assert drawn != dataset.sample(20, rng=1).images[:, 0, 0].tolist()
    for n in (-1, 51):
        with pytest.raises(ValueError, match=rf"n must lie in \[0, 50\].*got {n}"):
            dataset.sample(n, rng=0)


def test_merge_case_makes_emnists_47_classes_of_62():
    characters = Alphabet(DIGITS.characters + LETTERS.characters[26:] + LETTERS.characters[:26])
    merged = dataset_of(range(62), characters).merge_case()

    assert "".join(merged.alphabet) == "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
    assert "".join(merged.characters) == (
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabCdefghIJKLMnOPqrStUVWXYZ"
    )
    assert merged.images[:, 0, 0].tolist() == list(range(62))


def test_merge_case_takes_letters():
    dataset = dataset_of(range(5), Alphabet("zaAbé"))

    assert "".join(dataset.merge_case("B").characters) == "zaABé"
    assert "".join(dataset.merge_case(LOWERCASE).characters) == "ZAABé"
    assert "".join(dataset.merge_case("é").characters) == "zaAbÉ"
    assert list(dataset.merge_case(LOWERCASE).alphabet) == ["Z", "A", "B", "é"]
    for letter in ("1", "ß", ""):
        with pytest.raises(ValueError, match="letters must have two cases"):
            dataset.merge_case([letter])


def test_concat_appends():
    both = dataset_of([1, 2]).concat(dataset_of([3]), dataset_of([4]))

    assert both.characters == ["1", "2", "3", "4"]
    assert both.images[:, 0, 0].tolist() == [0, 1, 0, 0]
    assert both.alphabet == DIGITS
    assert both.name == "some + some + some"
    assert dataset_of([1]).concat(name="new").name == "new"


def test_concat_unites_alphabets_with_null_first():
    first = dataset_of([0, 1], Alphabet("ba"))
    second = dataset_of([0, 1, 2], Alphabet("cb").with_null())

    both = first.concat(second)

    assert list(both.alphabet) == ["", "b", "a", "c"]
    assert both.characters == ["b", "a", "", "c", "b"]


def test_concat_keeps_a_recipe_that_all_have():
    images = np.zeros((1, 28, 28), np.uint8)
    a, b = (CharacterDataset(images, [0], DIGITS, "", name) for name in ("mnist", "emnist"))

    assert a.concat(a).recipe == "mnist"
    assert a.concat(b).recipe is None


def test_concat_wants_one_shape():
    other = CharacterDataset(np.zeros((1, 5, 5), np.uint8), [1], DIGITS)

    with pytest.raises(ValueError, match=r"one shape .* got \[\(4, 5\), \(5, 5\)\]"):
        dataset_of([1]).concat(other)


def png_in(page):
    (data,) = re.findall(r'src="data:image/png;base64,([^"]*)"', page)
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(data))))


def test_a_notebook_shows_images_and_counts():
    dataset = dataset_of([0, 1, 2, 1], Alphabet("<&").with_null())

    page = dataset._repr_html_()

    picture = png_in(page)
    assert picture.shape == (4 * 12, 4 * 5 * 12)
    assert picture[0, :: 5 * 12].tolist() == [255, 254, 253, 252]  # ink is dark
    assert "null&nbsp;1" in page
    assert "<code>&lt;</code>&nbsp;2" in page
    assert "<code>&amp;</code>&nbsp;1" in page


def test_a_notebook_shows_images_from_all_over_a_sorted_set():
    picture = png_in(dataset_of(np.arange(200) // 20)._repr_html_())

    assert picture.shape[1] <= 1200
    assert picture.min() == 255 - 199


def test_nothing_in_a_name_is_html():
    images = np.zeros((1, 600, 4000), np.uint8)
    dataset = CharacterDataset(images, [0], DIGITS, "<script>alert('&')</script>")

    page = dataset._repr_html_()

    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert png_in(page).shape[1] <= 1200


def test_a_notebook_shows_an_empty_dataset():
    page = dataset_of([1]).select([])._repr_html_()

    assert "0 images" in page
    assert "<img" not in page


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9])
def test_null_images_get_the_share_that_was_asked_for(share):
    dataset = dataset_of(np.arange(200) % 10)

    mixed = dataset.with_null(share, rng=0)

    assert mixed.alphabet == DIGITS.with_null()
    assert mixed.counts()[""] == round(200 * share / (1 - share))
    assert mixed.image_shape == (4, 5)
    assert (mixed.name, mixed.recipe) == ("some", None)


def test_null_images_leave_the_others_as_they_were():
    dataset = dataset_of(np.arange(200) % 10)

    mixed = dataset.with_null(0.3, rng=0)

    others = mixed.select(mixed.labels != 0)
    np.testing.assert_array_equal(others.images, dataset.images)
    assert others.characters == dataset.characters


def test_null_images_stand_at_random_places():
    places = [
        np.flatnonzero(dataset_of([1] * 300).with_null(0.5, rng=seed).labels == 0)
        for seed in range(50)
    ]

    # Places of 300 among 600: the mean is 299.5, with a spread of 7.1 from seed to seed.
    means = np.array([each.mean() for each in places])
    assert abs(means.mean() - 299.5) < 4 * 7.1 / np.sqrt(50)
    assert means.std() == pytest.approx(7.1, rel=0.4)


def test_null_images_are_noise_and_depend_on_the_seed_alone():
    dataset = dataset_of([3] * 50)
    first, second, other = (dataset.with_null(0.5, rng=seed) for seed in (1, 1, 2))

    nothing, something_else = (each.images[each.labels == 0] for each in (first, other))
    assert len(np.unique(nothing.reshape(50, -1), axis=0)) == 50
    assert (nothing == 0).any()
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert not np.array_equal(nothing, something_else)


def test_null_images_that_are_there_count():
    mixed = dataset_of([4] * 90).with_null(0.1, rng=0)

    again = mixed.with_null(0.25, rng=0)

    assert again.counts()[""] == 30
    assert again.counts()["4"] == 90
    assert len(mixed.with_null(0.1, rng=0)) == len(mixed)
    with pytest.raises(ValueError, match="got 0.05 and 10 of 100 images; take some out"):
        mixed.with_null(0.05, rng=0)


@pytest.mark.parametrize("share", [0, 1, -0.1, 2, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        dataset_of([0, 0]).with_null(share, rng=0)


def test_save_then_open_gives_the_same_as_a_memory_map(tmp_path):
    dataset = dataset_of([3, 1, 4])
    dataset.save(tmp_path / "set")

    opened = CharacterDataset.open(tmp_path / "set")

    assert isinstance(opened.images, np.memmap)
    np.testing.assert_array_equal(opened.images, dataset.images)
    np.testing.assert_array_equal(opened.labels, dataset.labels)
    assert (opened.alphabet, opened.name, opened.recipe) == (DIGITS, "some", None)
    assert sorted(os.listdir(tmp_path / "set")) == ["dataset.json", "images.npy", "labels.npy"]


def test_save_never_overwrites(tmp_path):
    dataset_of([3]).save(tmp_path / "set")

    with pytest.raises(FileExistsError, match="remove it or choose another path"):
        dataset_of([4]).save(tmp_path / "set")
    assert CharacterDataset.open(tmp_path / "set").characters == ["3"]


@pytest.mark.parametrize("name", ["dataset.json", "images.npy", "labels.npy"])
def test_damaged_files_are_told(name, tmp_path):
    dataset_of([3, 1]).save(tmp_path / "set")
    file = tmp_path / "set" / name
    whole = file.read_bytes()
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        with pytest.raises(CorruptFileError, match="set is damaged"):
            CharacterDataset.open(tmp_path / "set")
    file.unlink()
    with pytest.raises(MissingDataError, match=f"{name} is missing"):
        CharacterDataset.open(tmp_path / "set")


@pytest.mark.parametrize("shape", [(10**12,), (2**63, 1), (5, -4)])
def test_a_claimed_shape_that_is_not_there_is_told(shape, tmp_path):
    dataset_of([3]).save(tmp_path / "set")
    for name in ("labels.npy", "images.npy"):
        whole = (tmp_path / "set" / name).read_bytes()
        with (tmp_path / "set" / name).open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
        with pytest.raises(CorruptFileError, match="set is damaged"):
            CharacterDataset.open(tmp_path / "set")
        (tmp_path / "set" / name).write_bytes(whole)


def test_a_zip_or_a_folder_in_place_of_a_file_is_told(tmp_path):
    dataset_of([3]).save(tmp_path / "set")
    (tmp_path / "set" / "labels.npy").write_bytes(b"PK\3\4nothing")
    with pytest.raises(CorruptFileError, match="set is damaged"):
        CharacterDataset.open(tmp_path / "set")
    (tmp_path / "set" / "dataset.json").unlink()
    (tmp_path / "set" / "dataset.json").mkdir()
    with pytest.raises(CorruptFileError, match="set is damaged"):
        CharacterDataset.open(tmp_path / "set")


def test_files_that_do_not_belong_together_are_told(tmp_path):
    dataset_of([3, 1]).save(tmp_path / "set")
    np.save(tmp_path / "set" / "labels.npy", np.array([3]))

    with pytest.raises(CorruptFileError, match=r"labels must be integers of shape \(2,\)"):
        CharacterDataset.open(tmp_path / "set")


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": "x"}', "null", '{"format": 3}', "["])
def test_another_json_is_no_dataset(text, tmp_path):
    dataset_of([3]).save(tmp_path / "set")
    (tmp_path / "set" / "dataset.json").write_text(text)

    with pytest.raises(CorruptFileError, match="must say format|Expecting"):
        CharacterDataset.open(tmp_path / "set")


def test_a_pickle_is_never_loaded(tmp_path):
    dataset_of([3]).save(tmp_path / "set")
    np.save(tmp_path / "set" / "labels.npy", np.array([{}]), allow_pickle=True)

    with pytest.raises(CorruptFileError):
        CharacterDataset.open(tmp_path / "set")


def test_the_facts_are_readable_by_people(tmp_path):
    dataset_of([0], Alphabet("é")).save(tmp_path / "set")

    facts = json.loads((tmp_path / "set" / "dataset.json").read_text(encoding="utf-8"))
    assert facts["alphabet"] == ["é"]
    assert "é" in (tmp_path / "set" / "dataset.json").read_text(encoding="utf-8")


def test_what_was_skipped_belongs_to_the_whole_set(tiny, tmp_path):
    whole = dataclasses.replace(tiny, skipped=[("a.png", "is damaged")])
    whole.save(tmp_path / "whole")

    assert CharacterDataset.open(tmp_path / "whole").skipped == (("a.png", "is damaged"),)
    assert repr(whole).endswith("10 characters, 1 skipped)")
    assert whole.select(slice(3)).skipped == whole.sample(3, rng=0).skipped == ()
    assert len(whole.concat(whole).skipped) == 2
    assert whole.relabel(Alphabet("0"), outside="drop").skipped == whole.skipped


def test_a_set_saved_before_sets_could_skip_opens(tiny, tmp_path):
    tiny.save(tmp_path / "old")
    facts = json.loads((tmp_path / "old" / "dataset.json").read_text())
    del facts["skipped"]
    (tmp_path / "old" / "dataset.json").write_text(json.dumps(facts))

    assert CharacterDataset.open(tmp_path / "old").skipped == ()


@pytest.mark.parametrize(("right", "wrong"), [(b"(3, 28, 28)", b"(3, 28, 18)"), (b"}", b" ")])
def test_a_damaged_header_gives_no_other_images(right, wrong, tmp_path):
    dataset = CharacterDataset(np.zeros((3, 28, 28), np.uint8), [0, 1, 2], DIGITS)
    dataset.save(tmp_path / "saved")
    file = tmp_path / "saved" / "images.npy"
    content = file.read_bytes()
    assert content.count(right) == 1
    file.write_bytes(content.replace(right, wrong))

    with pytest.raises(CorruptFileError, match="saved is damaged .*; make the dataset again"):
        CharacterDataset.open(tmp_path / "saved")


def test_writers_are_numbers_for_each_image():
    dataset = dataset_of([1, 2, 3], writers=np.array([2**40, -1, 0], ">i8"))

    assert dataset.writers.tolist() == [2**40, -1, 0]
    assert dataset.writers.dtype == np.int64
    assert dataset_of([]).writers is None
    assert dataset_of([], writers=[]).writers.tolist() == []
    with pytest.raises(ValueError, match=r"writers must be integers of shape \(3,\).*\(2,\)"):
        dataset_of([1, 2, 3], writers=[0, 1])
    with pytest.raises(ValueError, match="writers must be integers.*got float64"):
        dataset_of([1], writers=[0.0])
    with pytest.raises(ValueError, match="writers must be at most .*got 18446744073709551615"):
        dataset_of([1], writers=np.array([2**64 - 1], np.uint64))


def test_writers_cannot_be_changed_behind_the_checks():
    writers = np.array([1, 2])
    dataset = dataset_of([1, 2], writers=writers)
    writers[0] = 99

    assert dataset.writers.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        dataset.writers[0] = 99


def test_writers_stay_with_their_images():
    dataset = dataset_of(range(10), writers=np.arange(10) * 7)

    parts = [
        *(dataset.select(slice(2, 5)), dataset.select([4, 1]), dataset.select("93")),
        *(
            dataset.sample(4, rng=0),
            *dataset_of([1] * 9, writers=np.arange(9) * 7).split(0.4, rng=0),
        ),
        dataset.relabel(Alphabet("73"), outside="drop"),
    ]
    for part in parts:
        assert len(part) > 1
        assert part.writers.tolist() == (part.images[:, 0, 0].astype(int) * 7).tolist()


def test_null_images_are_by_nobody():
    dataset = dataset_of([1] * 30, writers=np.arange(30))

    mixed = dataset.with_null(0.5, rng=0)

    assert (mixed.writers[mixed.labels == 0] == -1).all()
    assert mixed.writers[mixed.labels != 0].tolist() == list(range(30))
    assert dataset_of([1] * 30).with_null(0.5, rng=0).writers is None


def test_concat_takes_equal_numbers_of_two_sets_for_two_people():
    first = dataset_of([1, 2, 3], writers=[4, -1, 0])
    nobody = dataset_of([0], writers=[-7])
    nothing = dataset_of([])

    both = nothing.concat(first, nobody, nothing, first)

    assert both.writers.tolist() == [4, -1, 0, -7, 9, -1, 5]
    assert first.concat(dataset_of([1])).writers is None
    assert nothing.concat(nothing).writers is None


def test_concat_never_mixes_up_writers_of_great_numbers():
    great = dataset_of([1, 2], writers=[2**63 - 1, 0])

    assert dataset_of([1], writers=[-1]).concat(great).writers.tolist() == [-1, 2**63 - 1, 0]
    with pytest.raises(ValueError, match=r"writers must stay at most .*return_inverse=True"):
        dataset_of([1], writers=[0]).concat(great)


def test_writers_are_saved_where_they_are_known(tmp_path):
    dataset = dataset_of([3, 1, 4], writers=[5, -1, 5])
    dataset.save(tmp_path / "set")

    opened = CharacterDataset.open(tmp_path / "set")

    assert isinstance(opened.writers, np.memmap)
    assert opened.writers.tolist() == [5, -1, 5]
    opened.select([0, 1]).save(tmp_path / "part")
    assert CharacterDataset.open(tmp_path / "part").writers.tolist() == [5, -1]
    dataset_of([3]).save(tmp_path / "unknown")
    assert not (tmp_path / "unknown" / "writers.npy").exists()
    assert CharacterDataset.open(tmp_path / "unknown").writers is None


def test_damaged_writers_are_told(tmp_path):
    dataset_of([3, 1], writers=[0, 1]).save(tmp_path / "set")
    file, facts = tmp_path / "set" / "writers.npy", tmp_path / "set" / "dataset.json"
    whole = file.read_bytes()
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        with pytest.raises(CorruptFileError, match="set is damaged"):
            CharacterDataset.open(tmp_path / "set")
    np.save(file, np.array([0, 1, 2]))
    with pytest.raises(CorruptFileError, match=r"writers must be integers of shape \(2,\)"):
        CharacterDataset.open(tmp_path / "set")
    file.unlink()
    with pytest.raises(MissingDataError, match=r"writers\.npy is missing"):
        CharacterDataset.open(tmp_path / "set")
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "writers": "yes"}))
    with pytest.raises(CorruptFileError, match="writers in dataset.json must be true or false"):
        CharacterDataset.open(tmp_path / "set")


def test_a_set_saved_before_sets_knew_writers_opens(tiny, tmp_path):
    tiny.save(tmp_path / "old")
    facts = json.loads((tmp_path / "old" / "dataset.json").read_text())
    assert facts.pop("writers") is False
    (tmp_path / "old" / "dataset.json").write_text(json.dumps(facts))

    assert CharacterDataset.open(tmp_path / "old").writers is None


def mixed_writers():
    """12 writers of 1 to 12 images and 40 images of nobody, all mixed."""
    writers = np.concatenate([np.repeat(np.arange(12) * 10, np.arange(1, 13)), np.full(40, -1)])
    writers = np.random.default_rng(5).permutation(writers)
    return dataset_of(np.arange(len(writers)) % 10, writers=writers)


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("seed", range(5))
def test_a_split_by_writer_keeps_each_in_one_part(fraction, seed):
    dataset = mixed_writers()

    first, second = dataset.split_indices(fraction, by_writer=True, rng=seed)

    assert sorted([*first, *second]) == list(range(len(dataset)))
    assert (np.diff(first) > 0).all()
    assert (np.diff(second) > 0).all()
    one, other = (set(dataset.writers[part].tolist()) - {-1} for part in (first, second))
    assert one
    assert other
    assert not one & other
    drawn = dataset.writers[second]
    assert (drawn == -1).sum() == round(40 * fraction)
    # A writer is taken or left, whichever is nearer: half the largest is the most that can be off.
    assert abs((drawn != -1).sum() - 78 * fraction) <= 6


def test_a_split_by_writer_depends_on_the_seed_alone():
    dataset = mixed_writers()

    again = [dataset.split_indices(0.3, by_writer=True, rng=1)[1].tolist() for _ in range(2)]
    seconds = {tuple(dataset.split_indices(0.3, by_writer=True, rng=s)[1]) for s in range(20)}

    assert again[0] == again[1]
    assert len(seconds) == 20
    first, second = dataset.split(0.3, by_writer=True, rng=1)
    assert second.images[:, 0, 0].tolist() == again[0]
    assert len(first) + len(second) == len(dataset)


def test_a_split_by_writer_takes_each_as_often():
    dataset = dataset_of([0] * 20, writers=np.arange(20) // 2)

    drawn = [dataset.split(0.3, by_writer=True, rng=seed)[1] for seed in range(400)]

    assert {len(part) for part in drawn} == {6}
    often = np.bincount(np.concatenate([part.writers[::2] for part in drawn]), minlength=10)
    # 400 drawings of 3 in 10: 120 expected, with a standard deviation of 9.2.
    assert abs(often - 120).max() < 4 * 9.2


@pytest.mark.parametrize(
    ("fraction", "sizes"), [(0.01, {2}), (0.3, {2}), (0.5, {2, 4}), (0.99, {4})]
)
def test_a_split_by_writer_comes_as_near_as_whole_writers_do(fraction, sizes):
    dataset = dataset_of([0] * 6, writers=[7, 7, 7, 7, 3, 3])

    parts = [dataset.split(fraction, by_writer=True, rng=seed) for seed in range(20)]

    assert {len(second) for _, second in parts} == sizes
    assert {len(first) for first, _ in parts} == {6 - size for size in sizes}


def test_a_split_by_writer_needs_two_writers():
    with pytest.raises(ValueError, match="needs a dataset with writers"):
        dataset_of([0, 0]).split(0.5, by_writer=True, rng=0)
    with pytest.raises(ValueError, match="needs two writers or more to split, got 1"):
        dataset_of([0] * 4, writers=[3, 3, -1, -2]).split(0.5, by_writer=True, rng=0)
    with pytest.raises(ValueError, match="fraction must lie between 0 and 1"):
        mixed_writers().split(1, by_writer=True, rng=0)
