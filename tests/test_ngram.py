import itertools
import math
import pickle
import zipfile

import numpy as np
import pytest

from handwriting.alphabet import ASCII, LOWERCASE, Alphabet
from handwriting.ctc import Ngram
from handwriting.errors import CorruptFileError, MissingDataError

ABC = Alphabet("abc").with_null()
TEXTS = ["abba", "cab", "a", "abc", "abba"]


def witten_bell(texts, before, following, order):
    """The probability by the definition, with counts made by going through the texts."""
    if order == 0:
        return 1 / len(ABC)
    context = ("^" * order + before)[len(before) + 1 :]
    assert len(context) == order - 1
    seen = [
        padded[i]
        for padded in ("^" * (order - 1) + text + "$" for text in texts)
        for i in range(order - 1, len(padded))
        if padded[i - order + 1 : i] == context
    ]
    lower = witten_bell(texts, before, following, order - 1)
    if not seen:
        return lower
    return (seen.count(following) + len(set(seen)) * lower) / (len(seen) + len(set(seen)))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_are_witten_and_bells(order):
    model = Ngram.train(TEXTS, ABC, order=order)

    for before in ("", "a", "ab", "abb", "cc", "bca"):
        expected = [witten_bell(TEXTS, before, next_, order) for next_ in "$abc"]
        np.testing.assert_allclose(np.exp(model.log_probabilities(before)), expected)


@pytest.mark.parametrize("alphabet", [ABC, ASCII])
def test_probabilities_sum_to_1_after_every_context(alphabet):
    model = Ngram.train(TEXTS, alphabet, order=4)

    for before in map("".join, itertools.product("abc", repeat=3)):
        assert np.exp(model.log_probabilities(before)).sum() == pytest.approx(1)
        assert np.isfinite(model.log_probabilities(before)).all()


def test_the_probabilities_of_all_texts_sum_to_1():
    """Nearly: of all up to a length, where the model has seen short ones only."""
    model = Ngram.train(["a", "b"] * 50, Alphabet("ab"), order=2)

    total = sum(
        math.exp(model.log_probability("".join(text)))
        for length in range(9)
        for text in itertools.product("ab", repeat=length)
    )

    assert total == pytest.approx(1, abs=1e-6)


def test_counts_stand_for_repeated_texts():
    once = Ngram.train(["ab", "c", "b"], ABC, counts=[3, 2, 0])
    many = Ngram.train(["ab", "c", "ab", "c", "ab"], ABC)

    np.testing.assert_array_equal(once.grams, many.grams)
    np.testing.assert_array_equal(once.counts, many.counts)


def test_a_text_is_as_probable_as_its_characters_and_its_end():
    model = Ngram.train(TEXTS, ABC, order=3)

    parts = [model.log_probabilities("ab"[:i])[label] for i, label in enumerate((1, 2, 0))]

    assert model.log_probability("ab") == pytest.approx(sum(parts))
    assert model.perplexity(["ab"]) == pytest.approx(math.exp(-sum(parts) / 3))


def test_a_model_that_knows_nothing_is_as_perplexed_as_there_are_characters():
    model = Ngram.train(["a"], LOWERCASE, order=1)
    flat = Ngram(model.alphabet, 1, np.arange(27), np.ones(27))

    assert flat.perplexity(["some", "words"]) == pytest.approx(27)


def test_longer_contexts_predict_words_better():
    words = ["".join(word) for word in itertools.product(["ka", "lo", "mi"], repeat=3)]

    perplexities = [Ngram.train(words, LOWERCASE, order=k).perplexity(words) for k in (1, 2, 3)]

    assert perplexities == sorted(perplexities, reverse=True)
    assert perplexities[-1] < 0.5 * perplexities[0]


def test_texts_are_composed():
    model = Ngram.train(["e\N{COMBINING ACUTE ACCENT}"], Alphabet("é"))

    assert model.perplexity(["é"]) == model.perplexity(["e\N{COMBINING ACUTE ACCENT}"])


@pytest.mark.parametrize("counts", [None, [1, 2, 70_000, 1, 1], [0.5, 1, 1, 1, 1]])
def test_a_saved_model_is_the_same(tmp_path, counts):
    model = Ngram.train(TEXTS, ABC, order=3, counts=counts)

    model.save(tmp_path / "model.npz")
    loaded = Ngram.load(tmp_path / "model.npz")

    assert (loaded.alphabet, loaded.order) == (model.alphabet, model.order)
    np.testing.assert_array_equal(loaded.grams, model.grams)
    np.testing.assert_array_equal(loaded.counts, model.counts)
    assert loaded.log_probability("abc") == model.log_probability("abc")


def test_a_saved_model_is_small(tmp_path):
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(["ka", "lo", "mi", "zur", "ten"], 4)) for _ in range(5000)]

    Ngram.train(words, LOWERCASE).save(tmp_path / "model.npz")

    assert (tmp_path / "model.npz").stat().st_size < 5000


@pytest.mark.parametrize(
    ("name", "forge"),
    [
        ("format", lambda array: np.array("other")),
        ("order", lambda array: None),
        ("order", lambda array: np.array(100)),
        ("order", lambda array: np.array(-1)),
        ("order", lambda array: np.array([3, 3])),
        ("alphabet", lambda array: np.array([97, 97])),
        ("alphabet", lambda array: np.array([97])),
        ("alphabet", lambda array: np.array([-5])),
        ("alphabet", lambda array: np.array(["a"])),
        ("grams", lambda array: array * 0),
        ("grams", lambda array: array * 1.0),
        ("grams", lambda array: array[:-1]),
        ("grams", lambda array: array - 5),
        ("counts", lambda array: array[:-1]),
        ("counts", lambda array: array * np.nan),
        ("counts", lambda array: array * 0.0),
        ("counts", lambda array: array * -1.0),
        ("counts", lambda array: array.astype("U")),
        ("counts", lambda array: array.astype(object)),
    ],
)
def test_a_forged_file_is_refused(tmp_path, name, forge):
    path = tmp_path / "model.npz"
    Ngram.train(TEXTS, ABC, order=3).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays)
    assert Ngram.load(path).order == 3

    arrays[name] = forge(arrays[name])
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})

    with pytest.raises(CorruptFileError, match=r"model\.npz"):
        Ngram.load(path)


def test_a_cut_or_changed_file_is_refused(tmp_path):
    path = tmp_path / "model.npz"
    Ngram.train(TEXTS, ABC).save(path)
    whole = path.read_bytes()

    for size in range(0, len(whole), 40):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptFileError):
            Ngram.load(path)
    path.write_bytes(pickle.dumps({"format": "handwriting ngram 1"}))
    with pytest.raises(CorruptFileError):
        Ngram.load(path)


def test_a_file_that_would_fill_the_memory_is_refused(tmp_path):
    path = tmp_path / "model.npz"
    Ngram.train(TEXTS, ABC).save(path)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("more.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(257):
            member.write(bytes(2**20))

    with pytest.raises(CorruptFileError, match=r"more\.npy in .* is over 268,435,456 bytes"):
        Ngram.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingDataError, match=r"none\.npz: no such n-gram model"):
        Ngram.load(tmp_path / "none.npz")


def test_a_model_is_saved_as_npz_only(tmp_path):
    with pytest.raises(ValueError, match=r"path must end in \.npz"):
        Ngram.train(TEXTS, ABC).save(tmp_path / "model.json")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"texts": "ab"}, TypeError, "several str, got one str 'ab'"),
        ({"texts": []}, ValueError, "there must be a text to train on"),
        ({"texts": ["x"]}, ValueError, "'x' is not one of the 4 characters"),
        ({"counts": [1]}, ValueError, r"counts must be 2, one for each text, got shape \(1,\)"),
        ({"counts": [1, -1]}, ValueError, "counts must be finite and from 0"),
        ({"counts": [0, 0]}, ValueError, "or none with a count"),
        ({"order": 0}, ValueError, "order must be an integer from 1, got 0"),
        ({"order": 2.0}, ValueError, "order must be an integer from 1"),
        ({"order": 32}, ValueError, "order must be at most 31 for 3 characters, got 32"),
    ],
)
def test_training_refuses_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        Ngram.train(**{"texts": ["ab", "c"], "alphabet": ABC, **arguments})


def test_there_is_no_perplexity_of_nothing():
    with pytest.raises(ValueError, match="there must be a text to predict"):
        Ngram.train(TEXTS, ABC).perplexity([])
