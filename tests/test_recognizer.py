import functools
import html.parser
import io
import json
import subprocess
import sys
from xml.etree import ElementTree as ET

import numpy as np
import own_hand
import PIL.Image
import pytest

import handwriting as hw
from handwriting import ctc, models, recognizer
from handwriting.alphabet import ASCII, DIGITS, LETTERS, UPPERCASE, Alphabet
from handwriting.errors import CorruptFileError, HandwritingError, MissingDataError
from handwriting.recognizer import (
    UNREAD,
    Character,
    CharacterRecognizer,
    Line,
    LineRecognizer,
    Reading,
    Word,
    context,
)
from handwriting.segmentation import Box

PAGE = (60, 200)


def page_of(*boxes, shape=PAGE):
    """Black rectangles on white paper."""
    page = np.full(shape, 255, np.uint8)
    for top, left, bottom, right in boxes:
        page[top:bottom, left:right] = 0
    return page


def row_of(n):
    """A page with n characters in a row, all of one size."""
    return page_of(*((20, 20 + 20 * i, 40, 34 + 20 * i) for i in range(n)))


def saying(scores):
    """A predictor that gives the same scores for the images of each batch; it counts them."""
    batches = []

    def predictor(images):
        batches.append(images.shape)
        return np.asarray(scores, np.float64)[: len(images)]

    predictor.batches = batches
    return predictor


def rows_for(alphabet, *characters):
    """A row of scores for each dict of a character's probabilities; the rest is nearly 0."""
    rows = np.full((len(characters), len(alphabet)), 1e-9)
    for row, probabilities in zip(rows, characters, strict=True):
        for character, probability in probabilities.items():
            row[alphabet.encode([character])[0]] = probability
    return rows / rows.sum(axis=1, keepdims=True)


def reads(text, alphabet=ASCII):
    """A recognizer that reads each character of a text with certainty."""
    rows = rows_for(alphabet, *({character: 1} for character in text))
    return CharacterRecognizer(saying(rows), alphabet)


def is_wide(images):
    """1 for narrow characters, 0 for wide ones."""
    return np.eye(10)[(images.any(axis=1).sum(axis=1) < 14) * 1]


@pytest.fixture
def zero_one():
    return page_of((20, 20, 40, 40), (20, 50, 40, 55))


# Characters


def test_a_thousand_characters_are_read_in_one_batch_in_reading_order():
    boxes = [
        (20 + 40 * i, 20 + 20 * j, 40 + 40 * i, 34 + 20 * j) for i in range(25) for j in range(40)
    ]
    page = page_of(*boxes, shape=(1040, 840))
    predictor = saying(np.eye(10)[np.arange(1000) % 10])

    reading = CharacterRecognizer(predictor, DIGITS).read(page)

    assert predictor.batches == [(1000, 28, 28)]
    assert reading.text.replace(" ", "").split("\n") == ["0123456789" * 4] * 25
    assert [tuple(character.box) for character in reading.characters] == boxes


def as_png(page):
    stream = io.BytesIO()
    PIL.Image.fromarray(page).save(stream, "PNG")
    return stream.getvalue()


def turned(page):
    """As a camera that was held upright has it: on its side, with a note that it is."""
    stream = io.BytesIO()
    picture = PIL.Image.fromarray(page).transpose(PIL.Image.Transpose.ROTATE_90)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    picture.save(stream, "PNG", exif=exif)
    return stream.getvalue()


def transparent(page):
    levels = np.zeros((*page.shape, 4), np.uint8)
    levels[..., 3] = 255 - page
    return PIL.Image.fromarray(levels)


def saved(page, tmp_path):
    (tmp_path / "page.png").write_bytes(as_png(page))
    return tmp_path / "page.png"


@pytest.mark.parametrize(
    "form",
    [
        lambda page, _: page,
        lambda page, _: 255 - page,
        lambda page, _: page / 255,
        lambda page, _: page.astype(np.uint16) * 257,
        lambda page, _: np.stack([page] * 3, axis=2),
        lambda page, _: as_png(page),
        lambda page, _: turned(page),
        lambda page, _: PIL.Image.fromarray(page),
        lambda page, _: transparent(page),
        saved,
        lambda page, folder: str(saved(page, folder)),
    ],
)
def test_pictures_of_every_kind_are_read_alike(form, zero_one, tmp_path):
    reading = CharacterRecognizer(is_wide, DIGITS).read(form(zero_one, tmp_path))

    assert reading.text == "01"
    assert [tuple(character.box) for character in reading.characters] == [
        (20, 20, 40, 40),
        (20, 50, 40, 55),
    ]


def always(text, alphabet):
    """A line predictor that sees a text whatever it looks at."""

    def predictor(images):
        steps = [label for label in alphabet.with_null().encode(text) for label in (label, 0)]
        return np.stack([np.eye(len(alphabet.with_null()))[steps]] * len(images))

    return predictor


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize(
    "page",
    [
        np.full((60, 90), 255, np.uint8),
        np.zeros((60, 90), np.uint8),
        np.full((60, 90), 128, np.uint8),
        np.random.default_rng(0).integers(225, 235, (60, 90)).astype(np.uint8),
        np.zeros((1, 1), np.uint8),
        np.full((1, 300), 255, np.uint8),
        np.full((300, 1), 255, np.uint8),
    ],
    ids=["blank", "all ink", "gray", "rough paper", "1 x 1", "1 x 300", "300 x 1"],
)
def test_where_nothing_is_written_nothing_is_read(page, cut):
    characters = CharacterRecognizer(lambda images: np.eye(10)[[7] * len(images)], DIGITS)
    lines = LineRecognizer(always("7", DIGITS), DIGITS, (32, 128))

    for reading in (characters.read(page, cut=cut), lines.read(page, cut=cut)):
        assert reading.text == ""
        assert reading.lines == reading.words == reading.characters == ()
        assert reading.picture.shape == page.shape


def test_a_page_of_forty_megapixels_is_read():
    page = page_of((1000, 1000, 1200, 1200), (1000, 1300, 1200, 1350), shape=(5000, 8000))

    reading = CharacterRecognizer(is_wide, DIGITS).read(page)

    assert reading.text == "01"
    assert reading.characters[1].box == Box(1000, 1300, 1200, 1350)


def test_a_picture_of_one_character_is_read_with_its_alternatives():
    recognizer = CharacterRecognizer(saying([[0.1, 0.2, 0.3, 0.4]]), Alphabet("abcd"))

    (character,) = recognizer.read(row_of(1), top_k=3).characters

    assert (character.text, character.confidence) == ("d", pytest.approx(0.4))
    assert [text for text, _ in character.alternatives] == ["d", "c", "b"]
    assert [p for _, p in character.alternatives] == pytest.approx([0.4, 0.3, 0.2])


def test_more_alternatives_than_classes_are_all_classes():
    recognizer = CharacterRecognizer(saying([[0.1, 0.2, 0.3, 0.4]]), Alphabet("abcd"))

    (character,) = recognizer.read(row_of(1), top_k=99).characters

    assert len(character.alternatives) == 4
    assert sum(p for _, p in character.alternatives) == pytest.approx(1)


@pytest.mark.parametrize("top_k", [0, -1, 1.5, None])
def test_top_k_is_a_number_of_alternatives(top_k):
    for reader in (reads("1"), LineRecognizer(always("7", DIGITS), DIGITS, (32, 128))):
        with pytest.raises(ValueError, match=f"top_k must be an integer from 1, got {top_k}"):
            reader.read(row_of(0), top_k=top_k)


def test_null_and_space_are_no_characters():
    alphabet = Alphabet(("", " ", "a", "b"))
    rows = rows_for(alphabet, {"a": 1}, {"": 0.6, "b": 0.4}, {" ": 0.6, "b": 0.4}, {"b": 1})

    reading = CharacterRecognizer(saying(rows), alphabet).read(row_of(4), lexicon=["a"])

    assert reading.text == "ab"
    assert [character.box.left for character in reading.characters] == [20, 80]


def test_a_page_of_nulls_is_empty():
    recognizer = CharacterRecognizer(saying(np.eye(11)[[0] * 3]), DIGITS.with_null())

    assert recognizer.read(row_of(3)).lines == ()
    assert recognizer.read(row_of(3), cut=False).lines == ()


def test_what_may_be_no_character_is_a_less_certain_one():
    alphabet = Alphabet(("", "a", "b"))
    recognizer = CharacterRecognizer(saying([[0.4, 0.5, 0.1]] * 3), alphabet)

    plain = recognizer.read(row_of(3), top_k=3)
    searched = recognizer.read(row_of(3), top_k=3, lexicon=["aaa"])

    for reading in (plain, searched):
        assert [text for text, _ in reading.characters[0].alternatives] == ["a", "b"]
        assert sum(p for _, p in reading.characters[0].alternatives) == pytest.approx(0.6)
    assert plain.words[0].confidence == pytest.approx(plain.characters[0].confidence ** 3)
    assert searched.words[0].alternatives[0] == ("aaa", pytest.approx(plain.words[0].confidence))


def test_an_allowlist_leaves_the_likeliest_of_what_is_allowed():
    rows = rows_for(DIGITS, {"1": 0.6, "7": 0.3, "4": 0.1}, {"0": 1})

    reading = CharacterRecognizer(saying(rows), DIGITS).read(row_of(2), allowlist="47", top_k=9)

    assert reading.text[0] == "7"
    assert set(reading.text) <= {"4", "7"}
    for character in reading.characters:
        assert {text for text, _ in character.alternatives} == {"4", "7"}
        assert sum(p for _, p in character.alternatives) == pytest.approx(1)


def test_null_is_always_allowed():
    rows = rows_for(DIGITS.with_null(), {"": 0.9, "4": 0.1}, {"": 0.1, "4": 0.9})

    reading = CharacterRecognizer(saying(rows), DIGITS.with_null()).read(row_of(2), allowlist="4")

    assert [character.box.left for character in reading.characters] == [40]


def test_what_is_allowed_is_read_where_the_scores_say_it_cannot_be():
    sure = CharacterRecognizer(saying(np.eye(10)[[3, 3]]), DIGITS)
    line = LineRecognizer(always("33", DIGITS), DIGITS, (32, 128))

    assert sure.read(row_of(2), allowlist="5").text == "55"
    assert set(line.read(row_of(2), allowlist="5", top_k=2).text) <= {"5"}
    assert set(line.read(row_of(2), allowlist="5").text) <= {"5"}


@pytest.mark.parametrize("allowlist", ["", "x", "12x"])
def test_an_allowlist_holds_characters_of_the_alphabet(allowlist):
    for reader in (reads("1", DIGITS), LineRecognizer(always("7", DIGITS), DIGITS, (32, 128))):
        with pytest.raises(ValueError, match=r"allowlist must be characters of Alphabet\('0123"):
            reader.read(row_of(0), allowlist=allowlist)


def test_scores_may_be_logits_or_logarithms():
    probabilities = np.array([[0.1, 0.2, 0.7]])
    logarithms = np.log(probabilities)
    summing_to_one = logarithms + (1 - logarithms.sum()) / 3
    for scores in (probabilities, logarithms, logarithms + 12, summing_to_one):
        recognizer = CharacterRecognizer(saying(scores), Alphabet("abc"))

        (character,) = recognizer.read(row_of(1)).characters

        assert (character.text, character.confidence) == ("c", pytest.approx(0.7))


@pytest.mark.parametrize(
    "scores", [np.ones((3, 9)), np.ones((2, 10)), np.ones(3), np.ones((3, 1, 10))]
)
def test_scores_of_another_shape_are_refused(scores):
    with pytest.raises(ValueError, match=r"must give scores of shape \(3, 10\), one for each char"):
        CharacterRecognizer(lambda _: scores, DIGITS).read(row_of(3))


@pytest.mark.parametrize("scores", [np.ones((1, 5, 9)), np.ones((1, 10)), np.ones((1, 0, 11))])
def test_line_scores_of_another_shape_are_refused(scores):
    with pytest.raises(ValueError, match=r"must give scores of shape \(1, steps, 11\), one for"):
        LineRecognizer(lambda _: scores, DIGITS, (32, 128)).read(row_of(3))


def test_scores_that_are_no_numbers_are_told():
    with pytest.raises(HandwritingError, match="NaN or infinite scores"):
        CharacterRecognizer(saying([[np.nan] * 10]), DIGITS).read(row_of(1))
    with pytest.raises(HandwritingError, match="NaN or infinite scores"):
        LineRecognizer(lambda _: np.full((1, 4, 11), np.inf), DIGITS, (32, 128)).read(row_of(1))


def test_no_such_recipe():
    with pytest.raises(ValueError, match="recipe must be one of mnist"):
        CharacterRecognizer(is_wide, DIGITS, "line")
    with pytest.raises(ValueError, match="recipe must be one of line, line-tight, line-stretched"):
        LineRecognizer(is_wide, DIGITS, (32, 128), "mnist")


def test_a_bar_that_fills_its_box_is_not_taken_for_paper():
    seen = []

    def predictor(images):
        seen.extend(images)
        return np.eye(10)[[1] * len(images)]

    CharacterRecognizer(predictor, DIGITS).read(page_of((10, 20, 50, 24)))

    assert seen[0].max() == 255
    assert 0 < (seen[0] > 0).mean() < 0.2


# Ready-cut characters


def test_crops_are_read_in_one_batch_without_cutting():
    predictor = saying(np.eye(10)[[3, 1, 4]])
    crops = [row_of(1), 255 - row_of(1), np.full((9, 9), 200, np.uint8)]

    characters = CharacterRecognizer(predictor, DIGITS).read_crops(crops, top_k=2)

    assert predictor.batches == [(3, 28, 28)]
    assert [character.text for character in characters] == ["3", "1", ""]
    assert characters[0].box == Box(20, 20, 40, 34)
    assert characters[2] == Character("", Box(0, 0, 9, 9), 1.0, (("", 1.0),))
    assert CharacterRecognizer(predictor, DIGITS).read_crops([]) == []


def test_without_cutting_the_whole_picture_is_one_character():
    parts = page_of((10, 20, 20, 24), (30, 20, 40, 24))

    reading = CharacterRecognizer(saying(np.eye(10)[[5]]), DIGITS).read(parts, cut=False)

    assert reading.text == "5"
    assert reading.lines[0].box == reading.characters[0].box == Box(10, 20, 40, 24)


# Words that are known


def confused(text, other):
    """Scores that hesitate between each character of two texts, and lean to the other."""
    return rows_for(LETTERS, *({a: 0.45, b: 0.55} for a, b in zip(text, other, strict=True)))


def test_a_lexicon_settles_what_shape_leaves_open():
    recognizer = CharacterRecognizer(saying(confused("hello", "hcllo")), LETTERS)

    plain, known = (
        recognizer.read(row_of(5)),
        recognizer.read(row_of(5), lexicon=["hello"], top_k=2),
    )

    assert (plain.text, known.text) == ("hcllo", "hello")
    assert [text for text, _ in known.words[0].alternatives] == ["hello", "hcllo"]
    e = known.characters[1]
    assert e.alternatives[0] == ("e", e.confidence)
    assert e.alternatives[1][0] == "c"
    assert known.words[0].confidence == pytest.approx(
        np.prod([character.confidence for character in known.characters])
    )


def test_words_that_the_lexicon_lacks_are_still_read():
    recognizer = reads("qzx", LETTERS)

    assert recognizer.read(row_of(3), lexicon=["the", "of", "naïve", "42"]).text == "qzx"


def test_an_ngram_model_settles_it_too():
    ngram = ctc.Ngram.train(["hello", "help", "hell"], LETTERS, order=3)
    recognizer = CharacterRecognizer(saying(confused("hello", "hcllo")), LETTERS)

    assert recognizer.read(row_of(5), ngram=ngram).text == "hello"


def test_searching_keeps_every_character_however_uncertain():
    alphabet = Alphabet(map(chr, range(0x4E00, 0x4E00 + 300)))
    recognizer = CharacterRecognizer(saying(np.ones((4, 300)) / 300), alphabet)

    reading = recognizer.read(row_of(4), lexicon=["一丁"])

    assert len(reading.characters) == 4


@pytest.mark.parametrize(
    "known",
    [
        {"lexicon": ctc.Lexicon(["ab"], LETTERS)},
        {"ngram": ctc.Ngram.train(["ab"], LETTERS)},
    ],
)
def test_what_is_of_another_alphabet_is_told(known):
    for reader in (reads("12", DIGITS), LineRecognizer(always("7", DIGITS), DIGITS, (32, 128))):
        with pytest.raises(ValueError, match="must be of the alphabet of the scores"):
            reader.read(row_of(2), **known)


def test_a_lexicon_is_several_words():
    with pytest.raises(TypeError, match="texts must be several str"):
        reads("ab", LETTERS).read(row_of(2), lexicon="ab")


# Context


def settled(boxes, *characters, alphabet=ASCII):
    """What is read in one word."""
    rows = rows_for(alphabet, *characters)
    (word,) = context.settle([rows], [boxes], alphabet)
    return "".join(alphabet.characters[label] for label in word.argmax(axis=1))


ROUND = {"O": 0.34, "o": 0.33, "0": 0.33}
TALL, SMALL = (10, 30), (18, 30)


def standing(*heights, slope=0.0, step=20):
    """Boxes next to one another, on a line that falls by so many rows a column."""
    down = [round(slope * step * i) for i in range(len(heights))]
    return [
        Box(top + moved, step * i, bottom + moved, step * i + 14)
        for i, ((top, bottom), moved) in enumerate(zip(heights, down, strict=True))
    ]


def test_size_tells_capitals_from_small_letters():
    h, e = {"h": 1}, {"e": 1}

    assert settled(standing(TALL, SMALL, SMALL), h, e, ROUND) == "heo"
    assert settled(standing(TALL, SMALL, SMALL), ROUND, {"n": 1}, {"e": 1}) == "One"
    assert settled(standing(SMALL, SMALL), ROUND, {"n": 1}) == "on"
    either = {"S": 0.5, "s": 0.5}
    assert settled(standing(TALL, SMALL, SMALL, SMALL), *[either] * 4) == "Ssss"


def test_digits_make_a_round_shape_a_digit():
    boxes = standing(TALL, TALL, TALL, TALL)

    assert settled(boxes, {"1": 1}, ROUND, ROUND, {"7": 1}) == "1007"
    assert settled(boxes, {"L": 1}, ROUND, {"L": 1}, {"A": 1}) == "LOLA"
    assert settled(boxes, ROUND, {"X": 0.6, "x": 0.4}, ROUND, {"K": 1}) == "OXOK"
    one = {"l": 0.4, "I": 0.3, "1": 0.3}
    assert settled(boxes, {"2": 1}, one, {"4": 1}, one) == "2141"


@pytest.mark.parametrize("slope", [-0.3, -0.1, 0.0, 0.1, 0.3])
def test_a_sloping_line_is_settled_as_a_level_one(slope):
    s = {"S": 0.6, "s": 0.4}
    boxes = standing(TALL, SMALL, SMALL, TALL, SMALL, SMALL, SMALL, slope=slope)

    assert settled(boxes, s, {"u": 1}, s, {"t": 1}, {"a": 1}, s, s) == "Sustass"


def test_height_tells_a_comma_from_an_apostrophe():
    mark = {",": 0.5, "'": 0.5}
    letters = {"d": 1}, {"o": 1}, {"n": 1}

    assert settled(standing(TALL, SMALL, SMALL, (10, 15)), *letters, mark) == "don'"
    assert settled(standing(TALL, SMALL, SMALL, (27, 34)), *letters, mark) == "don,"


def test_what_is_certain_by_its_shape_stays():
    text = "aBc4.d-E"
    heights = (SMALL, TALL, SMALL, TALL, (27, 30), TALL, (20, 23), TALL)

    assert settled(standing(*heights), *({c: 1} for c in text)) == text
    assert settled(standing(*[(20, 23)] * 4), *[{"-": 0.6, "_": 0.2, "~": 0.2}] * 4) == "----"


def test_a_character_alone_is_what_its_shape_says():
    row = rows_for(ASCII, {"0": 0.5, "O": 0.3, "o": 0.2})

    (word,) = context.settle([row], [[Box(0, 0, 9, 9)]], ASCII)

    np.testing.assert_array_equal(word, row)


def test_rows_keep_their_sums():
    rows = np.random.default_rng(0).random((5, 94)) / 94
    boxes = standing(TALL, SMALL, TALL, (27, 30), SMALL)

    words = context.settle([rows[:2], rows[2:]], [boxes[:2], boxes[2:]], ASCII)

    assert [len(word) for word in words] == [2, 3]
    np.testing.assert_allclose(np.concatenate(words).sum(axis=1), rows.sum(axis=1))


def test_a_page_is_read_with_its_context():
    heights = [(20, 40), (28, 40), (20, 40), (28, 40)]
    page = page_of(
        *((top, 20 + 20 * i, bottom, 34 + 20 * i) for i, (top, bottom) in enumerate(heights))
    )
    rows = rows_for(ASCII, ROUND, {"n": 1}, {"l": 1}, {"S": 0.5, "s": 0.5})

    assert CharacterRecognizer(saying(rows), ASCII).read(page).text == "Onls"


# Lines


def stepping(*classes, alphabet=UPPERCASE, probability=0.9):
    """A line predictor with one certain class for each time step."""
    alphabet = alphabet.with_null()
    scores = np.full((len(classes), len(alphabet)), (1 - probability) / (len(alphabet) - 1))
    scores[np.arange(len(classes)), alphabet.encode(classes)] = probability
    batches = []

    def predictor(images):
        batches.append(images)
        return np.stack([scores] * len(images))

    predictor.batches = batches
    return predictor


WORDS = Alphabet((" ", *UPPERCASE))


def test_words_and_boxes_of_a_line_come_from_the_time_steps():
    # 32 x 128 with steps of 16 columns; the crop is scaled by 2.
    crop = page_of((2, 4, 14, 10), (2, 20, 14, 26), (2, 52, 14, 60), shape=(16, 64))
    predictor = stepping("A", "", "B", "", " ", "", "", "C", alphabet=WORDS)

    (line,) = LineRecognizer(predictor, WORDS, (32, 128)).read_crops([crop])

    assert line.text == "AB C"
    assert [word.text for word in line.words] == ["AB", "C"]
    assert [tuple(word.box) for word in line.words] == [(2, 4, 14, 26), (2, 52, 14, 60)]
    assert [tuple(c.box) for c in line.words[0].characters] == [(2, 4, 14, 10), (2, 20, 14, 26)]
    assert line.box == Box(2, 4, 14, 60)
    assert line.words[1].characters[0].confidence == pytest.approx(0.9)


def test_lines_of_a_page_are_read_in_one_batch_with_paper_around_them():
    page = page_of(
        *((top, 20 * i + 20, top + 20, 20 * i + 34) for top in (20, 80) for i in range(8)),
        shape=(120, 220),
    )
    predictor = stepping("A", "", "B", "")

    reading = LineRecognizer(predictor, UPPERCASE, (36, 240), margin=0.4).read(page)

    (batch,) = predictor.batches
    assert batch.shape == (2, 36, 240)
    assert batch[:, 8:28, 8:22].min() > 0
    assert not batch[:, :8].any()
    assert not batch[:, :, :8].any()
    assert reading.text == "AB\nAB"
    assert [tuple(line.box) for line in reading.lines] == [(20, 20, 40, 174), (80, 20, 100, 174)]
    (a, _), (b, c) = (line.words[0].characters for line in reading.lines)
    assert a.box.left == 20
    assert b.box.right <= c.box.left
    assert c.box.right == 174


def test_lower_lines_of_a_page_are_read_as_large_as_the_others():
    tops, bottoms = (20, 100, 180), (60, 120, 220)
    rows = list(zip(tops, bottoms, strict=True))
    page = page_of(
        *((top, left, bottom, left + 14) for top, bottom in rows for left in (20, 44)),
        shape=(240, 200),
    )
    predictor = stepping("A", "", "B", "")

    reading = LineRecognizer(predictor, UPPERCASE, (48, 240), margin=0.1).read(page)

    (batch,) = predictor.batches
    heights = [np.count_nonzero(image.max(axis=1)) for image in batch]
    assert heights == pytest.approx([40, 20, 40], abs=2)
    assert [tuple(line.box) for line in reading.lines] == [
        (top, 20, bottom, 58) for top, bottom in rows
    ]


def test_boxes_stay_in_the_picture_where_characters_are_seen_beside_the_ink():
    page = page_of((5, 5, 25, 19), (5, 45, 25, 59), shape=(30, 64))
    predictor = stepping(*"ABCDEFGHIJ")

    reading = LineRecognizer(predictor, UPPERCASE, (36, 48), margin=2.0).read(page)

    assert len(reading.characters) > 3
    for character in reading.characters:
        top, left, bottom, right = character.box
        assert 5 <= top < bottom <= 25
        assert 5 <= left < right <= 59


def test_a_line_in_which_nothing_is_seen_has_no_words():
    (line,) = LineRecognizer(stepping("", "", ""), UPPERCASE, (32, 128)).read_crops([row_of(2)])
    (spaces,) = LineRecognizer(stepping(" ", "", " ", alphabet=WORDS), WORDS, (32, 128)).read_crops(
        [row_of(2)]
    )

    assert line.words == spaces.words == ()
    assert line.text == spaces.text == ""
    assert LineRecognizer(stepping("", ""), UPPERCASE, (32, 128)).read(row_of(2)).lines == ()


def test_a_line_in_gray_light_has_boxes_around_its_ink():
    crop = np.where(page_of((10, 30, 20, 40), shape=(30, 90)) > 0, 200, 60).astype(np.uint8)
    crop[0] = 190

    reading = LineRecognizer(stepping("A", ""), UPPERCASE, (32, 128)).read(crop, cut=False)

    assert reading.lines[0].box == reading.characters[0].box == Box(10, 30, 20, 40)


def test_a_line_has_alternatives_as_its_text_is():
    scores = np.zeros((4, 28))
    scores[:, 0] = 0.02
    scores[0, [2, 3]] = 0.58, 0.4  # A or B
    scores[1, 0] = 0.98
    scores[2, [1, 0]] = 0.5, 0.5  # a space at the end, or none
    scores[3, 0] = 0.98
    scores /= scores.sum(axis=1, keepdims=True)

    recognizer = LineRecognizer(lambda _: scores[None], WORDS, (32, 128))
    (line,) = recognizer.read_crops([row_of(3)], top_k=4)

    assert [text for text, _ in line.alternatives] == ["A", "B"]
    assert line.alternatives[0] == ("A", line.confidence)
    assert line.confidence > 0.5
    assert sum(p for _, p in line.alternatives) <= 1 + 1e-9


def test_a_line_is_as_sure_with_a_search_as_without():
    scores = np.random.default_rng(0).dirichlet(np.full(27, 0.05), (1, 12))
    recognizer = LineRecognizer(lambda _: scores, UPPERCASE, (32, 128))

    (plain,), (searched,) = (recognizer.read_crops([row_of(3)], top_k=k) for k in (1, 9))

    same = dict(searched.alternatives)[plain.text]
    assert plain.confidence == pytest.approx(same, rel=0.02)  # a search drops improbable paths
    assert plain.confidence > ctc.greedy(scores, UPPERCASE)[0].probability * 1.02


def test_a_lexicon_settles_lines_too():
    scores = np.full((1, 4, 27), 1e-4)
    scores[0, [0, 1, 2, 3], [1, 0, 2, 0]] = 0.9
    scores[0, 2, 3] = 1.0  # C rather than B
    scores /= scores.sum(axis=2, keepdims=True)
    recognizer = LineRecognizer(lambda _: scores, UPPERCASE, (32, 128))

    assert recognizer.read(row_of(8)).text == "AC"
    assert recognizer.read(row_of(8), lexicon=["AB"]).text == "AB"
    assert (
        recognizer.read(row_of(8), ngram=ctc.Ngram.train(["AB"], UPPERCASE, order=2)).text == "AB"
    )


def test_how_much_words_and_ngrams_weigh_is_said_of_the_recognizer():
    scores = np.full((1, 4, 27), 1e-4)
    scores[0, [0, 1, 2, 3], [1, 0, 2, 0]] = 0.9
    scores[0, 2, 3] = 1.0
    scores /= scores.sum(axis=2, keepdims=True)
    weightless = {"lexicon_weight": 0.0, "ngram_weight": 0.0}
    lines, plain = (
        LineRecognizer(lambda _: scores, UPPERCASE, (32, 128), search=search)
        for search in (weightless, None)
    )
    rows = saying(confused("hello", "hcllo"))
    characters = CharacterRecognizer(rows, LETTERS, search=weightless)
    ngram = ctc.Ngram.train(["AB"], UPPERCASE, order=2)

    assert lines.read(row_of(8), lexicon=["AB"]).text == "AC"
    assert lines.read(row_of(8), ngram=ngram).text == "AC"
    assert plain.read(row_of(8), lexicon=["AB"]).text == "AB"
    assert characters.read(row_of(5), lexicon=["hello"]).text == "hcllo"


@pytest.mark.parametrize(
    "search",
    [{"width": 0}, {"width": 2.5}, {"ngram_weight": float("nan")}, {"closed": "no"}],
)
def test_options_of_a_search_out_of_range_are_refused(search):
    with pytest.raises(ValueError, match="search must have a width from 1, .* got"):
        hw.recognizer.load("digits", search=search)


def test_where_no_word_of_a_closed_lexicon_fits_characters_are_unread():
    rows = rows_for(DIGITS, *[{"1": 0.9, "7": 0.1}] * 3)
    recognizer = CharacterRecognizer(saying(rows), DIGITS, search={"closed": True})

    found = recognizer.read(row_of(3), lexicon=["23"])

    assert found.text == UNREAD * 3
    assert found.characters[0].alternatives[0] == ("1", pytest.approx(0.9))
    assert recognizer.read(row_of(3), lexicon=["171"]).text == "171"


@pytest.mark.parametrize("recipe", ["line", "line-tight"])
@pytest.mark.parametrize("paper", [255, 190])
def test_ready_cut_lines_have_white_paper_whatever_the_light(recipe, paper):
    seen = []

    def predictor(images):
        seen.append(images[0])
        return np.tile(np.eye(3)[1], (1, images.shape[2] // 4, 1))

    crop = np.full((32, 128), paper, np.uint8) - np.linspace(0, 20, 128).astype(np.uint8)
    crop[10:24, 12:110:8] = crop[10:24, 13:110:8] = 30
    shaded = crop if paper < 255 else np.where(crop > 100, np.uint8(255), crop)

    (line,) = LineRecognizer(predictor, Alphabet("ab"), (32, 128), recipe).read_crops([shaded])

    assert line.text
    assert np.median(seen[0]) == 0
    assert seen[0][:8].max() == seen[0][26:].max() == 0
    assert seen[0][12:22, 12:110:8].min() >= 150


def test_the_paper_of_forms_stays_as_it_came_where_it_is_white():
    crop = np.full((32, 128), 255, np.uint8)
    crop[10:24, 12:110:8], crop[4:6, 20:30] = 30, 251  # a trace that cleaning would take away
    seen = {}

    for recipe in ("line", "line-tight"):

        def predictor(images, recipe=recipe):
            seen[recipe] = images[0]
            return np.tile(np.eye(3)[1], (1, images.shape[2] // 4, 1))

        LineRecognizer(predictor, Alphabet("ab"), (32, 128), recipe).read(crop, cut=False)

    np.testing.assert_array_equal(seen["line"], 255 - crop)
    assert not seen["line-tight"][4:6, 20:30].any()


@pytest.mark.parametrize("recipe", ["line", "line-tight"])
def test_rules_stay_where_a_network_has_seen_them(recipe):
    page = np.full((200, 600), 240, np.uint8)
    page[60:90, 100:500:20] = page[60:90, 101:500:20] = 30
    page[96] = 90  # a rule beneath
    seen = []

    def predictor(images):
        seen.append(images[0])
        return np.tile(np.eye(3)[1], (1, images.shape[2] // 4, 1))

    reader = LineRecognizer(predictor, Alphabet("ab"), (30, 600), recipe, margin=0.3)
    (line,) = reader.read(page).lines

    low = seen[0][26:, 5:200].max(axis=0)  # beneath the letters, which are 5/8 of the height
    assert (low.min() > 64) == (recipe == "line-tight")
    assert line.box.bottom <= 90


def test_lines_of_pages_are_read_alone_as_they_were_on_the_page():
    page, reader = own_hand.page("garden", "World"), hw.recognizer.load("lines")

    crops = reader.crops(page)
    lines = reader.read_crops(crops, polarity="light")

    assert len(crops) == 2
    assert [line.text for line in lines] == reader.read(page).text.split("\n")
    assert [line.confidence for line in lines] == pytest.approx(
        [line.confidence for line in reader.read(page).lines], rel=1e-3
    )


def test_what_is_read_in_a_line_does_not_depend_on_the_others():
    seen = []

    def predictor(images):
        seen.append(images.shape)
        return np.tile(np.eye(3)[1], (len(images), images.shape[2] // 4, 1))

    reader = LineRecognizer(predictor, Alphabet("ab"), (32, None), batch_size=2)
    crops = [np.zeros((30, width), np.uint8) for width in (60, 300, 61, 64, 310, 62)]

    assert len(reader.read_crops(crops)) == len(crops)

    assert sorted(seen, key=lambda shape: shape[2]) == [
        *[(1, 32, 64), (2, 32, 96), (1, 32, 96), (1, 32, 320), (1, 32, 352)]
    ]


def test_options_that_a_search_lacks_are_refused():
    message = "search must have options among width, .*, got 'weight'"
    for make in (
        lambda search: LineRecognizer(None, UPPERCASE, (32, 128), search=search),
        lambda search: CharacterRecognizer(None, LETTERS, search=search),
        lambda search: hw.recognizer.load("lines", search=search),
    ):
        with pytest.raises(ValueError, match=message):
            make({"weight": 1})


@pytest.mark.parametrize("margin", [-1, float("nan")])
def test_a_margin_is_not_negative(margin):
    with pytest.raises(ValueError, match="margin must be at least 0"):
        LineRecognizer(is_wide, DIGITS, (32, 128), margin=margin)


# Readings

HOSTILE = ['<a & "b">.png', "two\nlines.png", "bell\x07.png", "caf\udce9.png", "", "\ufffe;'\\.png"]


@pytest.fixture
def reading():
    ranked = (("<", 0.5), ("&", 0.25), ('"', 0.125))
    first = Character("<", Box(1, 2, 9, 8), 0.5, ranked)
    second = Character('"', Box(1, 10, 9, 15), 0.75)
    words = (Word((first, second)), Word((second,), (('"', 0.75), ("'", 0.2))))
    line = Line(words, Box(1, 2, 9, 15), 0.28125, (('<" "', 0.28125),))
    return functools.partial(Reading, (line,), np.zeros((20, 30), np.uint8))


def test_a_reading_tells_its_text_and_itself(reading):
    found = reading("a.png")

    assert found.text == '<" "'
    assert [word.text for word in found.words] == ['<"', '"']
    assert [word.confidence for word in found.words] == [0.375, 0.75]
    assert found.words[0].box == Box(1, 2, 9, 15)
    assert len(found.characters) == 3
    assert repr(found) == "Reading('a.png': 1 line, '<\" \"')"
    assert repr(Reading((), found.picture)) == "Reading('': 0 lines, '')"


def test_a_reading_is_a_dict_and_json(reading):
    found = reading("é.png")

    assert json.loads(found.to_json()) == found.to_dict()
    assert "é.png" in found.to_json()
    assert found.to_dict()["lines"][0]["box"] == [1, 2, 9, 15]
    word, last = found.to_dict()["lines"][0]["words"]
    assert word["characters"][0]["alternatives"] == [["<", 0.5], ["&", 0.25], ['"', 0.125]]
    assert last["alternatives"] == [['"', 0.75], ["'", 0.2]]


@pytest.mark.parametrize("name", HOSTILE)
def test_alto_is_well_formed_and_holds_everything(name, reading):
    space = "{http://www.loc.gov/standards/alto/ns-v4#}"

    root = ET.fromstring(reading(name).to_alto())

    first, _ = root.iter(f"{space}String")
    assert (first.get("CONTENT"), first.get("WC")) == ('<"', "0.3750")
    assert [first.get(key) for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT")] == ["2", "1", "13", "8"]
    glyph = first.find(f"{space}Glyph")
    assert [variant.get("CONTENT") for variant in glyph] == ["&", '"']
    assert [each.tag for each in root.find(f".//{space}TextLine")] == [
        f"{space}{tag}" for tag in ("String", "SP", "String")
    ]
    assert root.find(f".//{space}fileName").text or not name


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)


@pytest.mark.parametrize("name", HOSTILE)
def test_hocr_is_well_formed_and_its_words_are_whole(name, reading):
    text = reading(name).to_hocr()

    root = ET.fromstring(text.removeprefix("<!DOCTYPE html>"))

    words = [each for each in root.iter() if each.get("class") == "ocrx_word"]
    assert ["".join(word.itertext()) for word in words] == ['<"', '"']
    assert words[0].get("title") == "bbox 2 1 15 9; x_wconf 38"
    assert words[0][0].get("title") == "x_bboxes 2 1 8 9; x_conf 50.0"
    (page,) = (each for each in root.iter() if each.get("class") == "ocr_page")
    assert page.get("title").count('"') == 2
    assert page.get("title").endswith("; bbox 0 0 30 20")
    assert "<title />" not in text  # in HTML it never ends


def test_an_empty_reading_has_every_form():
    empty = Reading((), np.zeros((20, 30), np.uint8), "blank.png")

    assert empty.text == ""
    assert json.loads(empty.to_json())["lines"] == []
    ET.fromstring(empty.to_alto())
    assert "ocr_page" in empty.to_hocr()
    assert "/>" not in empty.to_hocr().partition("<body>")[2]


@pytest.mark.parametrize("name", HOSTILE[:3])
def test_a_notebook_shows_picture_boxes_and_text(name, reading):
    shown = reading(name)._repr_html_()

    page = Page(shown)
    assert (page.tags.count("img"), page.tags.count("rect"), page.tags.count("b")) == (1, 2, 1)
    assert "<title>&lt;&quot; (38%)</title>" in shown
    assert "<pre>&lt;&quot; &quot;</pre>" in shown
    assert "<a & " not in shown
    assert 'x="2" y="1" width="13" height="8"' in shown


@pytest.mark.parametrize("suffix", ["txt", "json", "xml", "hocr", "html", "JSON"])
def test_save_writes_the_form_that_the_suffix_names(suffix, reading, tmp_path):
    found = reading("é.png")
    expected = {
        "txt": '<" "\n',
        "json": f"{found.to_json()}\n",
        "xml": found.to_alto(),
        "hocr": found.to_hocr(),
        "html": found.to_hocr(),
    }

    found.save(tmp_path / f"out.{suffix}")

    assert (tmp_path / f"out.{suffix}").read_text(encoding="utf-8") == expected[suffix.lower()]


@pytest.mark.parametrize("name", ["out.pdf", "out", "json"])
def test_save_refuses_another_suffix(name, reading, tmp_path):
    with pytest.raises(ValueError, match=r"path must end in one of \.txt, \.json, \.xml"):
        reading("a").save(tmp_path / name)
    assert not list(tmp_path.glob("*out*"))


def test_a_reading_bears_the_name_of_its_file(zero_one, tmp_path):
    strange = tmp_path / "caf\udce9 <&>.png"
    strange.write_bytes(as_png(zero_one))

    reading = CharacterRecognizer(is_wide, DIGITS).read(strange)
    reading.save(tmp_path / "out.json")

    assert reading.name == str(tmp_path / "caf? <&>.png")
    assert CharacterRecognizer(is_wide, DIGITS).read(zero_one).name == ""


# Model files


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Models that were never trained."""
    folder = tmp_path_factory.mktemp("models")
    characters = models.dense_small(DIGITS, (28, 28), rng=0)
    lines = models.crnn_small(UPPERCASE, (32, 128), rng=0)
    models.save(characters, folder / "mnist.keras", alphabet=DIGITS, recipe="mnist")
    models.save(characters, folder / "bare.keras", alphabet=DIGITS)
    models.save(lines, folder / "lines.keras", alphabet=UPPERCASE, recipe="line-stretched")
    (folder / "text.keras").write_text("no model")
    return folder


def test_load_makes_the_recognizer_that_the_model_is_for(files):
    characters = recognizer.load(files / "mnist.keras")
    lines = recognizer.load(str(files / "lines.keras"))

    assert isinstance(characters, CharacterRecognizer)
    assert (characters.alphabet, characters.recipe.name) == (DIGITS, "mnist")
    assert isinstance(lines, LineRecognizer)
    assert (lines.alphabet, lines.image_shape) == (UPPERCASE.with_null(), (32, 128))
    assert lines.recipe.name == "line-stretched"
    assert len(characters.read(row_of(3)).characters) == 3
    assert len(lines.read(row_of(3)).lines) <= 1


def test_load_needs_a_recipe_that_fits(files):
    with pytest.raises(ValueError, match=r"bare\.keras names no recipe; say with recipe"):
        recognizer.load(files / "bare.keras")
    with pytest.raises(ValueError, match=r"images of \(28, 28\), which .* takes, got 'alphanum'"):
        recognizer.load(files / "bare.keras", recipe="alphanum")
    assert recognizer.load(files / "bare.keras", recipe="emnist").recipe.name == "emnist"


def test_load_tells_what_is_no_model(files):
    with pytest.raises(MissingDataError, match=r"gone\.keras: no such model"):
        recognizer.load(files / "gone.keras")
    with pytest.raises(CorruptFileError, match=r"text\.keras is not a whole model file"):
        recognizer.load(files / "text.keras")


# hw.read


def test_read_takes_one_picture_or_a_list_of_them(zero_one, tmp_path):
    path = saved(zero_one, tmp_path)
    model = CharacterRecognizer(is_wide, DIGITS)

    one = hw.read(path, model=model)
    several = hw.read([path, as_png(zero_one), 255 - zero_one], model=model, allowlist="01")

    assert (one.text, one.name) == ("01", str(path))
    assert [reading.text for reading in several] == ["01"] * 3
    assert hw.read([], model=model) == []
    assert hw.read(zero_one, model=model, cut=False).text == "0"
    assert len(hw.read(zero_one, model=model, top_k=2, lexicon=["01"]).words[0].alternatives) == 1


def test_read_loads_a_model_file(files, zero_one):
    assert len(hw.read(zero_one, model=files / "mnist.keras").characters) == 2
    assert len(hw.read(zero_one, model=str(files / "mnist.keras")).characters) == 2


def test_read_wants_a_file_or_a_recognizer(zero_one):
    with pytest.raises(TypeError, match="model must be a model file or a recognizer, got function"):
        hw.read(zero_one, model=is_wide)
    with pytest.raises(MissingDataError, match="no such picture"):
        hw.read("gone.png", model=CharacterRecognizer(is_wide, DIGITS))


def test_read_is_listed_and_loads_nothing_before_it_is_used():
    code = (
        "import sys, handwriting as hw\n"
        "assert 'read' in dir(hw)\n"
        "assert not {'numpy', 'PIL', 'handwriting.recognizer'} & set(sys.modules)\n"
        "hw.read\n"
        "assert 'handwriting.recognizer' in sys.modules\n"
        "assert not {'keras', 'PIL', 'scipy', 'matplotlib'} & set(sys.modules)\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


# What is not sure enough


def test_what_is_less_sure_than_wanted_is_unread_in_every_form():
    rows = rows_for(DIGITS, {"1": 1}, {"7": 0.5, "4": 0.3, "1": 0.2}, {"2": 0.6, "3": 0.4})
    recognizer = CharacterRecognizer(saying(rows), DIGITS)

    reading = recognizer.read(row_of(3), min_confidence=0.55, top_k=2)

    assert reading.text == f"1{UNREAD}2"
    unread = reading.characters[1]
    assert (unread.text, unread.confidence) == (UNREAD, 0)
    assert unread.alternatives == (("7", pytest.approx(0.5)), ("4", pytest.approx(0.3)))
    assert reading.words[0].confidence == reading.lines[0].confidence == 0
    assert reading.lines[0].alternatives == (("172", pytest.approx(0.3)),)
    saved = json.loads(reading.to_json())
    assert saved["text"] == f"1{UNREAD}2"
    assert saved["lines"][0]["words"][0]["characters"][1]["alternatives"][0][0] == "7"
    glyphs = ET.fromstring(reading.to_alto()).findall(".//{*}Glyph")
    assert (glyphs[1].get("CONTENT"), glyphs[1].get("GC")) == (UNREAD, "0.0000")
    assert [[each.get("CONTENT") for each in glyph] for glyph in glyphs[1:]] == [["7", "4"], ["3"]]
    assert UNREAD in reading.to_hocr()


def test_without_a_least_confidence_everything_is_read():
    rows = rows_for(DIGITS, {"1": 1}, {"7": 0.4, "4": 0.2, "1": 0.2, "2": 0.2})
    recognizer = CharacterRecognizer(saying(rows), DIGITS)

    assert recognizer.read(row_of(2)).text == "17"
    assert recognizer.read(row_of(2), min_confidence=0.39).text == "17"


def test_crops_and_whole_pictures_can_be_unread_and_paper_is_nothing():
    rows = rows_for(DIGITS, {"1": 0.9, "2": 0.1}, {"7": 0.5, "4": 0.5}, {"1": 0.2, "2": 0.8})
    recognizer = CharacterRecognizer(saying(rows), DIGITS)
    blank = np.full((9, 9), 200, np.uint8)

    found = recognizer.read_crops([row_of(1), row_of(1), blank], min_confidence=0.6)
    whole = CharacterRecognizer(saying(rows[1:2]), DIGITS).read(
        row_of(1), cut=False, min_confidence=0.6
    )

    assert [each.text for each in found] == ["1", UNREAD, ""]
    assert whole.text == UNREAD
    assert whole.lines[0].confidence == 0


def test_unsure_characters_of_lines_are_unread_and_the_line_keeps_what_it_was_taken_for():
    scores = np.full((1, 4, 27), 1e-4)
    scores[0, [0, 1, 2, 3], [1, 0, 2, 0]] = [0.9, 0.9, 0.4, 0.9]
    scores[0, 2, 3] = 0.3
    scores /= scores.sum(axis=2, keepdims=True)
    recognizer = LineRecognizer(lambda _: scores, UPPERCASE, (32, 128))

    reading = hw.read(row_of(8), model=recognizer, min_confidence=0.7)
    (line,) = recognizer.read_crops([row_of(8)], min_confidence=0.7)
    sure = recognizer.read(row_of(8))

    assert reading.text == line.text == f"A{UNREAD}"
    assert reading.lines[0].confidence == 0
    assert reading.lines[0].alternatives == (("AB", sure.lines[0].confidence),)
    assert sure.text == "AB"


def test_what_a_lexicon_makes_sure_of_words_keeps_them_as_alternatives():
    recognizer = CharacterRecognizer(saying(confused("hello", "hcllo")), LETTERS)

    reading = recognizer.read(row_of(5), lexicon=["hello"], min_confidence=0.5)

    assert reading.text == f"h{UNREAD}llo"
    assert reading.words[0].alternatives[0][0] == "hello"
    assert reading.words[0].confidence == 0


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan")])
def test_a_least_confidence_is_a_probability(least):
    for reader in (reads("1"), LineRecognizer(always("7", DIGITS), DIGITS, (32, 128))):
        with pytest.raises(ValueError, match=r"min_confidence must lie in \[0, 1\], got"):
            reader.read(row_of(0), min_confidence=least)
        with pytest.raises(ValueError, match=r"min_confidence must lie in \[0, 1\], got"):
            reader.read_crops([], min_confidence=least)
