"""Lines of text from the strokes of single characters."""

import numpy as np
import pytest

from handwriting.alphabet import zone
from handwriting.strokes import StrokeDataset, compose

STILL = {"jitter": 0.0, "spacing": (0.2, 0.2), "space": (0.5, 0.5), "rng": 0}
BOX = [[(3, 5), (3, 6), (3.5, 6), (3.5, 5)]]  # a unit high, half as wide
BAR = [[(0, 1), (0.4, 1)]]
DOT = [[(7, 7), (7.1, 7.1)]]


def people(*samples, writers=None):
    """Samples, each a character and its strokes."""
    texts, strokes = zip(*samples, strict=True)
    return StrokeDataset.from_strokes(strokes, texts, writers=writers, name="people")


def boxes(lines, position):
    """Left, top, right, bottom of each stroke of a line."""
    found = []
    for stroke in lines.strokes(position):
        (left, top), (right, bottom) = stroke.min(axis=0), stroke.max(axis=0)
        found.append((left, top, right, bottom))
    return np.array(found)


def test_characters_stand_in_their_zones_one_after_another():
    lines = compose(people(("H", BOX), ("x", BOX), ("g", BOX)), ["Hxg", "x H"], **STILL)

    np.testing.assert_allclose(
        boxes(lines, 0),
        [
            (0, -1, 0.5, 0),
            (0.7, -0.62, 0.7 + 0.31, 0),
            (1.21, -0.62, 1.21 + 0.56, 0.5),
        ],
        atol=1e-5,
    )
    np.testing.assert_allclose(boxes(lines, 1)[1, 0], 0.31 + 0.2 + 0.5, atol=1e-5)
    assert lines.texts == ("Hxg", "x H")
    assert lines.name == "people"
    assert lines.writers is None


def test_marks_stay_small_in_the_middle_of_their_zones():
    lines = compose(people(("-", BAR), (".", DOT), ("'", DOT)), ["-.'"], **STILL)

    tops, bottoms = boxes(lines, 0)[:, 1], boxes(lines, 0)[:, 3]
    middles = [-(sum(zone(mark)) / 2) for mark in "-.'"]
    np.testing.assert_allclose((tops + bottoms) / 2, middles, atol=1e-5)
    np.testing.assert_allclose(bottoms - tops, [0, 0.08, 0.08], atol=1e-5)


def test_what_is_flat_does_not_fill_the_line():
    lines = compose(people(("w", BAR)), ["w"], **STILL)

    left, _, right, _ = boxes(lines, 0)[0]
    assert right - left == pytest.approx(1.6)


def test_a_line_is_of_one_writer_as_far_as_he_wrote_its_characters():
    wide = [[(0, 0), (2, 1)]]
    samples = [("a", BOX), ("b", BOX), ("a", wide), ("b", wide), ("c", BAR)]
    pool = people(*samples, writers=[4, 4, 9, 9, 5])

    lines = compose(pool, ["ab"] * 40 + ["abc"] * 40, rng=0)

    assert set(lines.writers.tolist()) == {4, 9}
    for position, writer in enumerate(lines.writers.tolist()):
        counts = [len(stroke) for stroke in lines.strokes(position)]
        assert counts[:2] == ([4, 4] if writer == 4 else [2, 2])
        assert len(counts) == len(lines.texts[position])
    assert lines.writers.tolist().count(4) == pytest.approx(40, abs=16)


def test_nobody_s_characters_are_of_no_hand():
    pool = people(("a", BOX), ("a", BOX), ("b", BAR), writers=[-1, 3, -1])
    nobody = people(("a", BOX), ("b", BAR), writers=[-1, -1])

    assert compose(pool, ["ab"] * 20, rng=0).writers.tolist() == [3] * 20
    assert compose(nobody, ["ab"], rng=0).writers.tolist() == [-1]


def test_accents_may_come_in_two_characters():
    assert compose(people(("\u00e9", BOX)), ["e\u0301"], rng=0).texts == ("\u00e9",)


@pytest.mark.parametrize(("pair"), ["\u2014-", "\u2019'", "\u00dfb", "\u0142l", "\u00feb"])
def test_relatives_of_characters_stand_where_they_do(pair):
    assert zone(pair[0])[0] == zone(pair[1])[0]


def test_lines_differ_and_equal_seeds_give_equal_lines():
    pool = people(("a", BOX), ("a", [[(0, 0), (1, 1)]]))

    one, same, other = (compose(pool, ["a a", "aaaa"], rng=seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(one.points, same.points)
    assert one.points.shape != other.points.shape or (one.points != other.points).any()
    assert len(compose(pool, [], rng=0)) == 0


@pytest.mark.parametrize(
    ("samples", "texts", "options", "message"),
    [
        ([("ab", BOX)], ["a"], {}, "each sample must be a single character, got 'ab'"),
        ([("a", BOX), ("b", [])], ["a"], {}, "each sample must have a stroke, sample 1 has none"),
        ([("a", BOX)], ["ab"], {}, "of the characters of the samples, Alphabet\\('a'\\), got 'ab'"),
        ([("a", BOX)], ["  "], {}, "texts must be of the characters .* got '  '"),
        ([("a", BOX)], ["a"], {"spacing": (0.3, 0.1)}, "spacing must be two numbers in order"),
        ([("a", BOX)], ["a"], {"space": (-2, 1)}, "space must be two numbers in order, from -1"),
        ([("a", BOX)], ["a"], {"jitter": -0.1}, "jitter must be 0 or more, got -0.1"),
        ([("a", BOX)], ["a"], {"jitter": float("nan")}, "jitter must be 0 or more, got nan"),
        ([("a", BOX)], ["a"], {"spacing": (0, float("inf"))}, "spacing must be two numbers"),
    ],
)
def test_what_cannot_be_composed_is_refused(samples, texts, options, message):
    with pytest.raises(ValueError, match=message):
        compose(people(*samples), texts, rng=0, **options)


@pytest.mark.parametrize("character", "Aé1b(")
def test_tall_characters_reach_a_capital_s_height(character):
    top, bottom = zone(character)

    assert 0.9 <= top <= 1.1
    assert -0.1 <= bottom <= 0
