import io
import json
import zipfile

import numpy as np
import own_hand
import PIL.Image
import PIL.ImageDraw
import pytest

from handwriting import images, sequences
from handwriting.datasets import digits
from handwriting.segmentation import (
    Box,
    Segment,
    find_characters,
    find_ink,
    find_lines,
    group_words,
    segment,
)


def blank(height, width):
    return np.full((height, width), 230, np.uint8)


def composed(texts, *, seed=0):
    """Lines of scikit-learn's digits on one page, and the boxes of their characters."""
    rng = np.random.default_rng(seed)
    source = digits.load("all")
    page = np.zeros((60 * len(texts) + 20, 700), np.uint8)
    boxes = []
    for row, text in enumerate(texts):
        left = 20
        for character in text:
            if character == " ":
                left += 24
                continue
            (image,) = source.select(character).sample(1, rng=rng).images
            rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
            cut = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            top = 60 * row + 50 - len(cut)
            page[top : top + len(cut), left : left + cut.shape[1]] = cut
            boxes.append(Box(top, left, top + len(cut), left + cut.shape[1]))
            left += cut.shape[1] + int(rng.integers(2, 8))
    return page, boxes


def shaded(ink, *, seed=0):
    """The page in uneven light, with noise."""
    rng = np.random.default_rng(seed)
    light = np.linspace(235, 150, ink.shape[1]) - np.linspace(0, 30, ink.shape[0])[:, None]
    return np.clip(light * (1 - ink / 255 * 0.75) + rng.normal(0, 3, ink.shape), 0, 255).astype(
        np.uint8
    )


def overlap(one, other):
    rows = min(one.bottom, other.bottom) - max(one.top, other.top)
    columns = min(one.right, other.right) - max(one.left, other.left)
    both = max(rows, 0) * max(columns, 0)
    return both / (one.height * one.width + other.height * other.width - both)


def matched(found, true):
    return sum(max((overlap(box, each) for each in found), default=0) >= 0.5 for box in true)


def boxes_of(lines):
    return [c.box for line in lines for word in line.parts for c in word.parts]


def strokes(*boxes, height=60, width=200):
    page = np.zeros((height, width), np.uint8)
    for top, left, bottom, right in boxes:
        page[top:bottom, left:right] = 255
    return page


def test_characters_of_a_shaded_page_are_boxed_one_to_one():
    ink, true = composed(["0123456789", "31 4159 26", "27182 81828", "1 1 2 3 5 8"])

    found = boxes_of(segment(shaded(ink)))

    assert matched(found, true) == len(true) == len(found)


def test_lines_and_words_come_in_reading_order():
    ink, true = composed(["0123 45", "6 789", "10"])

    lines = segment(shaded(ink))

    assert [[len(word.parts) for word in line.parts] for line in lines] == [[4, 2], [1, 3], [2]]
    assert all(overlap(box, other) > 0.5 for box, other in zip(boxes_of(lines), true, strict=True))


@pytest.mark.parametrize("text", ["0", "88", "31415926", "1111111"])
def test_a_single_word_has_no_space(text):
    ink, _ = composed([text])

    (line,) = segment(shaded(ink))

    assert len(line.parts) == 1


def test_single_letters_far_apart_are_words():
    ink, _ = composed(["1 2 34 5 6 7"])

    (line,) = segment(shaded(ink))

    assert [len(word.parts) for word in line.parts] == [1, 1, 2, 1, 1, 1]


def test_letters_in_the_boxes_of_a_form_are_one_word():
    widths = [16, 4, 12, 8, 14, 5]
    middles = range(40, 220, 30)
    letters = zip(middles, widths, strict=True)
    ink = strokes(*[(20, m - w // 2, 40, m + w // 2) for m, w in letters], width=260)

    (line,) = segment(255 - ink)

    assert len(line.parts) == 1


@pytest.mark.parametrize("polarity", ["auto", "light"])
def test_light_ink_on_dark_paper(polarity):
    ink, true = composed(["0123456789"])

    assert matched(boxes_of(segment(ink // 2 + 40, polarity=polarity)), true) == len(true)


def test_a_line_has_its_own_ink_alone():
    first = [(20, 20 + 30 * i, 40, 40 + 30 * i) for i in range(8)]
    second = [(56, 90 + 30 * i, 76, 110 + 30 * i) for i in range(6)]
    tail = (40, 30, 62, 33)  # reaches down beside the second line
    page = strokes(*first, *second, tail, height=100, width=300)

    above, below = find_lines(page)

    assert (above.box, below.box) == (Box(20, 20, 62, 250), Box(56, 90, 76, 260))
    assert (above.image > 0).sum() == 8 * 400 + 22 * 3
    assert (below.image > 0).sum() == 6 * 400


@pytest.mark.parametrize(
    ("name", "boxes"),
    [
        ("i", [(20, 30, 40, 34), (12, 30, 16, 34)]),
        ("i with its dot beside", [(22, 30, 40, 34), (12, 36, 16, 40)]),
        ("!", [(12, 30, 32, 34), (36, 30, 40, 34)]),
        (":", [(24, 30, 28, 34), (36, 30, 40, 34)]),
        ("=", [(26, 30, 29, 50), (34, 30, 37, 50)]),
        ('"', [(10, 30, 18, 33), (10, 37, 18, 40)]),
        ("an accent", [(22, 30, 40, 46), (12, 36, 17, 42)]),
        ("%", [(14, 30, 22, 38), (12, 36, 40, 40), (30, 38, 38, 46)]),
    ],
)
def test_strokes_of_one_character_stay_together(name, boxes):
    letters = [(12, 80, 40, 100), (12, 110, 40, 130), (12, 140, 40, 160)]

    found = find_characters(strokes(*boxes, *letters))

    around = Box(
        min(b[0] for b in boxes),
        min(b[1] for b in boxes),
        max(b[2] for b in boxes),
        max(b[3] for b in boxes),
    )
    assert [character.box for character in found][:1] == [around], name
    assert len(found) == 4


def test_the_hole_of_a_letter_is_no_character():
    page = strokes((10, 20, 40, 50))
    page[18:32, 28:42] = 0
    page[23:27, 33:37] = 255  # a dot in it

    (character,) = find_characters(page)

    assert character.box == Box(10, 20, 40, 50)


def test_touching_characters_are_cut_where_the_ink_is_thin():
    page = strokes((10, 20, 40, 44), (26, 44, 29, 58), (10, 58, 40, 82), (10, 100, 40, 120))

    found = find_characters(page)

    assert len(found) == 3
    assert 44 <= found[0].box.right <= 58


def test_a_large_letter_with_small_marks_is_no_frame():
    page = strokes((12, 10, 16, 16), (12, 30, 16, 36), (20, 8, 60, 40), height=64, width=50)
    page[26:54, 14:34] = 0

    ((word,),) = [line.parts for line in segment(255 - page)]

    assert [part.box for part in word.parts] == [Box(12, 8, 60, 40)]


def test_a_scorer_chooses_the_cuts():
    page = strokes((10, 20, 40, 36), (26, 36, 29, 44), (10, 44, 40, 60))
    asked = []

    def narrow(pictures):
        asked.extend(pictures)
        return np.array([0.9 if picture.shape[1] < 30 else 0.01 for picture in pictures])

    assert len(find_characters(page)) == 1
    assert len(find_characters(page, scorer=narrow)) == 2
    assert asked


def test_blank_columns_are_the_simple_method():
    page = strokes((20, 30, 40, 34), (12, 38, 16, 42), (10, 60, 40, 80))

    assert len(find_characters(page, method="columns")) == 3
    with pytest.raises(ValueError, match="method must be 'components' or 'columns', got 'rows'"):
        find_characters(page, method="rows")


@pytest.mark.parametrize("step", [6, 14])
def test_ruled_lines_go_and_strokes_that_cross_them_stay(step):
    ink, true = composed(["0123456789", "9876543210"])
    page = blank(*ink.shape)
    page[10::step] = 190
    page[:, 8] = 190
    page = np.minimum(page, 230 - (ink * 0.8).astype(np.uint8))

    found = boxes_of(segment(page))

    assert matched(found, true) >= 0.9 * len(true)
    assert len(found) <= 1.2 * len(true)


def test_ruled_paper_that_nobody_wrote_on_is_blank():
    page = blank(400, 800)
    page[40::40] -= 13

    assert not find_ink(page).any()


def test_the_stems_of_large_letters_are_no_rules():
    page = own_hand.page("The quick brown fox", "hits 1984")

    np.testing.assert_array_equal(find_ink(page), find_ink(page, rules=False))


def test_letters_that_stand_on_a_rule_keep_their_feet():
    feet = np.zeros((120, 600), np.uint8)
    for left in range(40, 540, 50):  # letters like L: the foot lies in the rule
        feet[40:60, left : left + 3] = 200
        feet[58:60, left : left + 14] = 200
    page = blank(*feet.shape)
    page[58:60] = 170
    page = np.minimum(page, 230 - feet)

    ink = find_ink(page)

    assert (ink[58:60][feet[58:60] > 0] > 0).mean() > 0.95
    assert not ink[58:60, 62:86].any()  # and the rule is gone where nothing stands
    assert not ink[58:60, 560:].any()


def test_a_dotted_rule_is_no_text():
    ink, true = composed(["0123456789", "31415926"])
    page = blank(*ink.shape)
    page[57::60, ::5] = page[58::60, ::5] = 90
    page = np.minimum(page, 230 - (ink * 0.8).astype(np.uint8))

    lines = segment(page)

    assert len(lines) == 2
    assert matched(boxes_of(lines), true) == len(true)


def test_what_lies_around_a_sheet_is_no_text():
    ink, true = composed(["0123456789", "31415926"])
    table = np.random.default_rng(0).normal(70, 8, (ink.shape[0] + 80, ink.shape[1] + 80))
    table[40:-40, 40:-40] = shaded(ink)

    found = boxes_of(segment(np.clip(table, 0, 255).astype(np.uint8)))

    moved = [box.moved(40, 40) for box in true]
    assert matched(found, moved) >= 0.9 * len(true)
    assert len(found) <= 1.2 * len(true)


@pytest.mark.parametrize("degrees", [-3, 3])
def test_pages_may_lean(degrees):
    ink, true = composed(["0123456789" * 2, "31415926 5358", "271828182845"])
    page = PIL.Image.fromarray(255 - ink)

    leaning = np.asarray(page.rotate(degrees, PIL.Image.Resampling.BICUBIC, fillcolor=255))
    lines = segment(leaning)

    assert len(lines) == 3
    assert len(boxes_of(lines)) == len(true)


@pytest.mark.parametrize(
    "gray",
    [
        np.full((100, 100), 255, np.uint8),
        np.zeros((100, 100), np.uint8),
        np.full((1, 1), 7, np.uint8),
        np.full((1, 300), 200, np.uint8),
        np.random.default_rng(0).normal(200, 4, (300, 400)).astype(np.uint8),
    ],
    ids=["white", "black", "a pixel", "a row", "noise"],
)
def test_nothing_is_found_where_nothing_is_written(gray):
    assert segment(gray) == []
    assert not find_ink(gray).any()


def test_a_digit_alone_is_one_character():
    test = digits.load("test")

    counts = [len(boxes_of(segment(255 - image))) for image in test.images[:100]]

    assert np.mean(np.array(counts) == 1) > 0.95


def test_many_specks_take_no_time_and_are_hardly_text():
    specks = np.where(np.random.default_rng(0).random((600, 800)) < 0.03, 0, 255).astype(np.uint8)

    assert isinstance(segment(specks), list)


def test_transparent_and_deep_pictures_are_cut_after_to_gray():
    ink, true = composed(["0123456789"])
    layers = np.zeros((*ink.shape, 4), np.uint8)
    layers[..., 3] = ink
    deep = (255 - ink).astype(np.uint16) * 257

    for picture in (PIL.Image.fromarray(layers), deep):
        assert matched(boxes_of(segment(images.to_gray(picture))), true) == len(true)


@pytest.mark.parametrize("function", [find_ink, find_lines, find_characters, segment])
def test_several_images_at_once_are_refused(function):
    with pytest.raises(ValueError, match="must be one image of shape"):
        function(np.zeros((2, 40, 40), np.uint8))


def test_unknown_polarity_is_refused():
    with pytest.raises(ValueError, match="polarity must be 'auto', 'dark' or 'light'"):
        find_ink(blank(40, 40), "black")


def test_no_characters_are_no_words():
    assert group_words([]) == []


def test_a_word_is_the_sum_of_its_characters():
    parts = [
        Segment(Box(5, left, 25, left + 10), np.full((20, 10), 9, np.uint8)) for left in (0, 12)
    ]

    (word,) = group_words(parts)

    assert word.box == Box(5, 0, 25, 22)
    assert word.image.shape == (20, 22)
    assert not word.image[:, 10:12].any()
    assert word.moved(1, 2).parts[0].box == Box(6, 2, 26, 12)


def test_lines_composed_by_sequences_are_cut(real_data):
    from handwriting.datasets import mnist

    source = mnist.load("test", real_data / "mnist")
    right = total = 0
    for seed in range(20):
        line = sequences.compose(source, "0123456789", spacing=(2, 8), rng=seed)
        found = boxes_of(segment(255 - np.pad(line, 12)))
        right += len(found) == 10
        total += 1

    assert right >= 0.85 * total


def test_lines_of_real_pages_are_found(real_data):
    found = wanted = hits = 0
    with zipfile.ZipFile(real_data / "copiste" / "pages.zip") as archive:
        facts = json.loads(archive.read("lines.json"))
        for name in sorted(facts)[:6]:
            gray = images.to_gray(io.BytesIO(archive.read(name)))
            true = [Box(*line["box"]) for line in facts[name]]
            boxes = [line.box for line in find_lines(find_ink(gray))]
            hits += matched(boxes, true)
            found, wanted = found + len(boxes), wanted + len(true)

    assert hits / wanted >= 0.94
    assert hits / found >= 0.9
