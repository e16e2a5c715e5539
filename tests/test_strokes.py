import dataclasses
import io
import itertools
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from handwriting.alphabet import ASCII, LETTERS, Alphabet
from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.preprocessing import find_recipe
from handwriting.strokes import (
    StrokeDataset,
    Style,
    render,
    render_lines,
    to_characters,
    to_lines,
)

CROSS = [[(0, 0), (1, 1)], [(1, 0), (0, 1)]]
BAR = [[(0.5, 0), (0.5, 0.4), (0.5, 1)]]
DOT = [[(0.2, 0.9)]]
VARIED = Style(
    width=(0.5, 5),
    ink=(100, 255),
    slant=25,
    rotation=20,
    aspect=0.4,
    wave=0.1,
    size=0.4,
    shift=8,
)


@pytest.fixture
def few():
    """A cross, nothing, a dot, a bar, a scribble, by three people."""
    scribble = np.random.default_rng(0).uniform(-3, 5, (30, 2))
    samples = [CROSS, [], DOT, BAR, [scribble[:20], scribble[20:]]]
    return StrokeDataset.from_strokes(
        samples, ["x", "", ".", "l", "été"], writers=[4, 4, 7, 7, 9], name="few"
    )


def same(a, b):
    for field in ("points", "stroke_lengths", "stroke_counts", "writers"):
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
    assert (a.texts, a.name) == (b.texts, b.name)


def ink_box(image):
    """Top, bottom, left and right of what is at least half covered; ends are exclusive."""
    rows, columns = (np.flatnonzero((image >= 127).any(axis=axis)) for axis in (1, 0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def exact(strokes, shape, width):
    """Images by the distance of every pixel to every line, one after the other."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    nearest = np.full(shape, np.inf)
    for stroke in strokes:
        for a, b in itertools.pairwise([stroke[0], *stroke]):
            along = np.clip(
                ((x - a[0]) * (b[0] - a[0]) + (y - a[1]) * (b[1] - a[1]))
                / max(((b - a) ** 2).sum(), 1e-12),
                0,
                1,
            )
            off = np.hypot(x - a[0] - along * (b[0] - a[0]), y - a[1] - along * (b[1] - a[1]))
            nearest = np.minimum(nearest, off)
    return 255 * np.clip(width / 2 + 0.5 - nearest, 0, min(width, 1))


def test_samples_are_told_apart_by_lengths(few):
    assert len(few) == 5
    assert repr(few) == "StrokeDataset('few': 5 samples, 6 strokes, 38 points)"
    assert [len(few.strokes(i)) for i in range(5)] == [2, 0, 1, 1, 2]
    np.testing.assert_array_equal(few.strokes(3)[0], np.array(BAR[0], np.float32))
    np.testing.assert_array_equal(few.strokes(-2)[0], np.array(BAR[0], np.float32))
    assert [len(stroke) for stroke in few.strokes(4)] == [20, 10]


def test_sizes_are_height_and_width(few):
    np.testing.assert_array_equal(few.sizes[:4], [(1, 1), (0, 0), (0, 0), (1, 0)])
    assert few.select([]).sizes.shape == (0, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": np.zeros((5, 3))}, r"points must be numbers of shape \(p, 2\)"),
        ({"points": np.full((5, 2), np.nan)}, "finite"),
        ({"points": np.full((5, 2), 2e6)}, "a million units"),
        ({"stroke_lengths": [5]}, "stroke_counts must add up to the number of strokes, 1, got 2"),
        ({"stroke_lengths": [2, 2]}, "stroke_lengths must add up to the number of points, 5"),
        ({"stroke_lengths": [5, 0]}, "stroke_lengths must be at least 1, got 0"),
        ({"stroke_lengths": [2.0, 3.0]}, "stroke_lengths must be integers"),
        ({"stroke_counts": [3, -1]}, "stroke_counts must be at least 0, got -1"),
        ({"texts": ["a"]}, "texts must be 2, one for each sample, got 1"),
        ({"texts": ["a", "b\nc"]}, "without line breaks"),
        ({"writers": [1]}, r"writers must be integers of shape \(2,\)"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    fields = {
        "points": np.zeros((5, 2), np.float32),
        "stroke_lengths": [2, 3],
        "stroke_counts": [1, 1],
        "texts": ["a", "b"],
    }

    StrokeDataset(**fields)
    with pytest.raises(ValueError, match=message):
        StrokeDataset(**{**fields, **change})


@pytest.mark.parametrize("texts", ["ab", [1, 2]])
def test_texts_are_strings(texts):
    with pytest.raises(TypeError, match="texts must be"):
        StrokeDataset.from_strokes([BAR, BAR], texts)


@pytest.mark.parametrize("stroke", [[], [1, 2], [(1, 2, 3)]])
def test_strokes_have_points_of_two_numbers(stroke):
    with pytest.raises(ValueError, match="in sample 1"):
        StrokeDataset.from_strokes([BAR, [stroke]], ["a", "b"])


def test_texts_are_composed():
    assert StrokeDataset.from_strokes([BAR], ["e\u0301"]).texts == ("\u00e9",)


@pytest.mark.parametrize(
    "which",
    [
        slice(None),
        slice(1, 4),
        slice(4, 2),
        slice(None, None, -2),
        [4, 0, 0, -1],
        [],
        np.array([True, False, False, True, True]),
    ],
    ids=str,
)
def test_select_equals_a_loop(few, which):
    positions = np.arange(5)[which] if len(np.shape(which)) or isinstance(which, slice) else which
    positions = np.asarray(positions, np.int64)

    selected = few.select(which)

    expected = StrokeDataset.from_strokes(
        [few.strokes(i) for i in positions.tolist()],
        [few.texts[i] for i in positions.tolist()],
        writers=few.writers[positions],
        name="few",
    )
    same(selected, expected)


def test_a_slice_is_a_view(few):
    assert few.select(slice(2, 5)).points.base is not None
    assert np.shares_memory(few.select(slice(2, 5)).points, few.points)


def test_parts_by_writer_share_none(few):
    first, second = few.split(0.4, by_writer=True, rng=0)

    assert not set(first.writers) & set(second.writers)
    assert sorted(first.texts + second.texts) == sorted(few.texts)


def test_parts_hold_every_sample_once(few):
    first, second = few.split(0.4, rng=0)

    assert (len(first), len(second)) == (3, 2)
    assert sorted(first.texts + second.texts) == sorted(few.texts)
    with pytest.raises(ValueError, match="leaves one part empty"):
        few.split(0.01, rng=0)


def test_samples_are_drawn_in_order(few):
    drawn = few.sample(3, rng=1)

    same(drawn, few.sample(3, rng=1))
    assert [few.texts.index(text) for text in drawn.texts] == sorted(
        few.texts.index(text) for text in drawn.texts
    )


@pytest.mark.parametrize("width", [0.5, 1, 1.4, 2, 3.3, 7])
def test_images_are_those_of_exact_distances(few, width):
    sample = few.select([0, 3, 4])
    images = render(sample, (64, 50), box=50, style=Style(width=(width, width)))

    for position, image in enumerate(images):
        strokes = sample.strokes(position)
        everything = np.concatenate(strokes)
        low, size = everything.min(axis=0), np.ptp(everything, axis=0)
        scale = (50 - width) / size.max()
        start = (np.array([50, 64]) - size * scale) / 2
        placed = [(stroke - low) * scale + start for stroke in strokes]
        difference = np.abs(exact(placed, (64, 50), width) - image)
        assert difference.max() <= 255 / (9 if width == 1 else 14)
        assert difference.mean() < 1.5


@pytest.mark.parametrize("width", [0.5, 2, 9, 19])
def test_ink_fills_the_box_and_stays_in_it(few, width):
    images = render(few.select([0, 4]), (40, 30), box=20, style=Style(width=(width, width)))

    for image in images:
        top, bottom, left, right = ink_box(image)
        assert max(bottom - top, right - left) == 20
        assert (top + bottom, left + right) == (40, 30)
    assert not images[:, :9].any()
    assert not images[:, :, :4].any()


@settings(deadline=None, max_examples=50)
@given(
    points=hnp.arrays(np.float64, (9, 2), elements=st.floats(-50, 50)),
    width=st.floats(3, 12),
    rng=st.integers(0, 1000),
)
def test_no_style_takes_ink_out_of_the_image(points, width, rng):
    dataset = StrokeDataset.from_strokes([[points]], ["?"])
    style = Style((width, width), slant=30, rotation=90, aspect=1, wave=0.3, size=0.5)
    shifted = dataclasses.replace(style, shift=20)

    image = render(dataset, (30, 24), box=20, style=style, rng=rng)[0]
    at_the_border = render(dataset, (30, 24), box=20, style=shifted, rng=rng)[0]

    assert not image[:4].any()
    assert not image[26:].any()
    assert not image[:, [0, 23]].any()
    assert at_the_border.astype(int).sum() > 0.8 * image.astype(int).sum()


def test_a_pen_as_wide_as_the_box_is_refused(few):
    with pytest.raises(ValueError, match="narrower than the box of 20 pixels, got a width of 20"):
        render(few, style=Style(width=(2, 20)))
    with pytest.raises(ValueError, match="narrower than the box of 16"):
        render_lines(few, (16, 100), style=Style(width=(2, 16)))


@pytest.mark.parametrize(
    ("shape", "box", "message"),
    [((28, 0), None, "shape must be"), ((28, 20), 21, "box must lie in"), ((9, 9), 0, "box must")],
)
def test_boxes_fit_into_images(few, shape, box, message):
    with pytest.raises(ValueError, match=message):
        render(few, shape, box=box)


@pytest.mark.parametrize("samples", [[DOT], [[[(3, 3), (3, 3), (3, 3)]]]])
def test_a_single_point_is_a_dot(samples):
    image = render(StrokeDataset.from_strokes(samples, ["."]), style=Style(width=(6, 6)))[0]

    assert ink_box(image) == (11, 17, 11, 17)
    assert image[11, 11] < 127 < image[11, 13]


def test_no_strokes_are_blank_paper(few):
    assert not render(few)[1].any()
    assert render(few).any(axis=(1, 2)).tolist() == [True, False, True, True, True]
    assert render(few.select([])).shape == (0, 28, 28)
    images, widths = render_lines(few.select([1]), (20, 30))
    assert not images.any()
    assert widths.tolist() == [1]


def test_a_batch_equals_one_by_one(few):
    style = Style(width=(3, 3), ink=(200, 200))
    together = render(few, keep_size=True, style=style)
    lines, widths = render_lines(few, (20, 64), style=style)

    for i in range(len(few)):
        one = few.select([i])
        np.testing.assert_array_equal(render(one, keep_size=True, style=style)[0], together[i])
        line, width = render_lines(one, (20, 64), style=style)
        np.testing.assert_array_equal(line[0], lines[i])
        assert width[0] == widths[i]


def test_large_batches_are_drawn_in_parts(few):
    many = few.select(np.arange(2000) % 5)

    np.testing.assert_array_equal(render(many), render(few)[np.arange(2000) % 5])


def test_every_sample_of_a_large_batch_has_its_own_amounts(few):
    crosses = few.select(np.zeros(2000, int))

    images = render(crosses, style=Style(width=(1, 8), shift=4), rng=0)

    assert len(np.unique(images.reshape(2000, -1), axis=0)) == 2000


def test_a_seed_gives_one_set_of_images(few):
    images = render(few, style=VARIED, rng=5)

    np.testing.assert_array_equal(images, render(few, style=VARIED, rng=np.random.default_rng(5)))
    assert (images != render(few, style=VARIED, rng=6)).any(axis=(1, 2)).sum() == 4
    np.testing.assert_array_equal(render(few), render(few, rng=7))


@pytest.mark.parametrize(
    "style",
    [
        Style(width=(1, 4)),
        Style(ink=(90, 255)),
        Style(slant=30),
        Style(rotation=30),
        Style(aspect=0.5),
        Style(wave=0.2),
        Style(size=0.5),
        Style(shift=4),
    ],
    ids=repr,
)
def test_every_option_varies_the_samples(few, style):
    same_sample = few.select([4, 4, 4])

    images = render(same_sample, style=style, rng=0)

    assert style.is_random
    assert (images[0] != images[1]).any()
    assert (images[1] != images[2]).any()
    with pytest.raises(ValueError, match="needs rng"):
        render(same_sample, style=style)


def test_ink_and_pen_stay_within_their_bounds():
    bars = StrokeDataset.from_strokes([BAR] * 200, ["l"] * 200)

    images = render(bars, style=Style(width=(2, 6), ink=(60, 180)), rng=0)

    levels = images.max(axis=(1, 2))
    assert levels.min() >= 60
    assert levels.max() <= 180
    assert np.ptp(levels) > 100
    widths = images[:, 14].astype(float).sum(axis=1) / levels
    assert widths.min() > 1.9
    assert widths.max() < 6.1
    assert np.ptp(widths) > 3.5


def test_a_bar_leans_by_its_slant():
    bars = StrokeDataset.from_strokes([BAR] * 200, ["l"] * 200)

    images = render(bars, (60, 60), box=50, style=Style(slant=30), rng=0)

    leans = [
        np.degrees(np.arctan2(right - left - 2, bottom - top - 2))
        for top, bottom, left, right in map(ink_box, images)
    ]
    assert 27 < max(leans) < 31


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": (3, 2)},
        {"width": (0, 2)},
        {"width": (1, np.inf)},
        {"ink": (0, 255)},
        {"ink": (9, 256)},
        {"slant": 90},
        {"rotation": -1},
        {"size": 1},
        {"shift": np.nan},
    ],
    ids=str,
)
def test_styles_are_checked(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must"):
        Style(**wrong)


def test_sizes_of_letters_can_be_kept():
    small, large = [[(0, 0), (0.5, 0.5)]], [[(0, 0), (4, 4)]]
    dataset = StrokeDataset.from_strokes([CROSS, small, large, DOT], ["X", "x", "X", "."])

    kept, filled = render(dataset, box=22, keep_size=True), render(dataset, box=22)

    assert [ink_box(image)[1] - ink_box(image)[0] for image in kept] == [22, 12, 22, 2]
    assert [ink_box(image)[1] - ink_box(image)[0] for image in filled] == [22, 22, 22, 2]


def test_lines_are_as_high_as_the_image_and_start_left():
    long = [[(0, 0), (10, 1)]]
    dataset = StrokeDataset.from_strokes([CROSS, long, BAR], ["x", "-", "l"])

    images, widths = render_lines(dataset, (32, 100))

    assert widths.tolist() == [32, 100, 2]
    assert widths.dtype == np.int64
    assert ink_box(images[0]) == (0, 32, 0, 32)
    assert ink_box(images[2]) == (0, 32, 0, 2)
    top, bottom, left, right = ink_box(images[1])
    assert (left, right) == (0, 100)
    assert top + bottom == 32
    assert bottom - top == pytest.approx(2 + 98 / 10, abs=1)


def test_shifted_lines_stay_in_the_image_and_tell_their_widths():
    dataset = StrokeDataset.from_strokes([CROSS] * 50, ["x"] * 50)

    images, widths = render_lines(dataset, (16, 30), style=Style(shift=40), rng=0)

    for image, width in zip(images, widths, strict=True):
        assert ink_box(image)[:2] == (0, 16)
        assert image[:, :width].any()
        assert not (image[:, width:] > 127).any()
        assert ink_box(image)[3] - ink_box(image)[2] >= 15
    assert widths.min() == 16
    assert widths.max() == 30


def test_characters_are_labeled_images(few):
    letters = Alphabet("lx").with_null()

    dataset = to_characters(few, letters, outside="drop")

    assert dataset.characters == ["x", "l"]
    assert dataset.writers.tolist() == [4, 7]
    assert (dataset.name, dataset.recipe) == ("few", "emnist")
    np.testing.assert_array_equal(dataset.images, render(few.select([0, 3])))
    with pytest.raises(ValueError, match=r"'', '\.', 'été' stand in the samples"):
        to_characters(few, letters)
    with pytest.raises(ValueError, match="outside must be"):
        to_characters(few, letters, outside="remove")


def test_characters_name_the_recipe_that_they_follow(few):
    bar, options = few.select([3]), {"alphabet": LETTERS}
    recipe = find_recipe("emnist")

    assert to_characters(bar, shape=(recipe.size,) * 2, box=recipe.box, **options).recipe
    assert to_characters(bar, box=24, **options).recipe is None
    assert to_characters(bar, shape=(32, 28), **options).recipe is None
    assert to_characters(bar, keep_size=True, **options).recipe is None


def test_lines_are_transcribed_images(few):
    dataset = to_lines(few, LETTERS, (20, 64), outside="drop", style=VARIED, rng=0)

    images, widths = render_lines(few.select([0, 1, 3]), (20, 64), style=VARIED, rng=0)
    assert dataset.texts == ("x", "", "l")
    np.testing.assert_array_equal(dataset.images, images)
    np.testing.assert_array_equal(dataset.widths, widths)
    assert dataset.writers.tolist() == [4, 4, 7]
    assert (dataset.name, dataset.recipe) == ("few", "line-tight")
    with pytest.raises(ValueError, match=r"'\.', 'été' stand in the samples"):
        to_lines(few, LETTERS)


def test_what_is_saved_opens_the_same(few, tmp_path):
    few = StrokeDataset(
        np.round(few.points, 3), few.stroke_lengths, few.stroke_counts, few.texts, few.writers, "f"
    )
    few.save(tmp_path / "few.npz")

    same(StrokeDataset.open(tmp_path / "few.npz"), few)


@pytest.mark.parametrize("which", [[], [1]], ids=["no samples", "no strokes"])
def test_nothing_is_saved_too(few, tmp_path, which):
    few.select(which).save(tmp_path / "none")

    same(StrokeDataset.open(tmp_path / "none"), few.select(which))


def test_points_far_away_and_long_strokes_are_saved(tmp_path):
    x = np.arange(200_000) / 8
    samples = [[np.stack([x, -x], axis=1)], [[(32.767, 0)]], [[(-32.768, 5), (900_000, 1)]]]
    dataset = StrokeDataset.from_strokes(samples, ["long", "at the limit", "far"])
    dataset.save(tmp_path / "far.npz")

    opened = StrokeDataset.open(tmp_path / "far.npz")

    assert opened.texts == dataset.texts
    assert opened.writers is None
    np.testing.assert_allclose(opened.points, dataset.points, atol=6e-4)
    dataset.select([1]).save(tmp_path / "limit.npz")
    same(StrokeDataset.open(tmp_path / "limit.npz"), dataset.select([1]))


def arrays(**changes):
    """A file's arrays: an l of writer 3, an i of writer 5, a comma of writer 3."""
    whole = {
        "points_delta": np.array([[10, 0, 5, 0, 7], [0, 990, -3, 0, 8]], np.int16),
        "points_per_stroke": np.array([2, 1, 1, 1], np.uint16),
        "strokes_per_sample": np.array([1, 2, 1], np.uint8),
        "codepoint": np.array([108, 105, 44], np.uint8),
        "writer": np.array([3, 5, 3], np.uint16),
        "split": np.array([0, 1, 1], np.uint8),
        "agree": np.array([4, 2, 0], np.uint8),
    }
    return {name: values for name, values in {**whole, **changes}.items() if values is not None}


def written(path, **changes):
    np.savez_compressed(path, **arrays(**changes))
    return path


def test_a_file_of_characters_is_read(tmp_path):
    file = written(tmp_path / "mine.npz")

    dataset = StrokeDataset.open(file, least_agreement=0)

    assert (dataset.name, dataset.texts) == ("mine", ("l", "i", ","))
    assert dataset.writers.tolist() == [3, 5, 3]
    np.testing.assert_allclose(dataset.strokes(0)[0], [(0.01, 0), (0.01, 0.99)], atol=1e-6)
    np.testing.assert_allclose(dataset.strokes(1)[1], [(0, 0)])
    np.testing.assert_allclose(dataset.strokes(2)[0], [(0.007, 0.008)], atol=1e-6)


def test_samples_are_chosen_by_split_agreement_and_kind(tmp_path):
    file = written(tmp_path / "mine.npz", kind=np.array([7, 8, 9]))

    assert StrokeDataset.open(file).texts == ("l", "i")
    assert StrokeDataset.open(file, least_agreement=3).texts == ("l",)
    assert StrokeDataset.open(file, kinds=[8, 9]).texts == ("i",)
    validation = StrokeDataset.open(file, split="validation", least_agreement=0)
    assert (validation.name, validation.texts) == ("mine/validation", ("i", ","))
    assert StrokeDataset.open(file, split="train").texts == ("l",)


def test_samples_that_were_cut_off_are_left_out(tmp_path):
    delta = np.array([[10, 0, 32767, 0, 7], [0, 990, -3, 0, 8]], np.int16)

    cut = StrokeDataset.open(written(tmp_path / "cut.npz", points_delta=delta, agree=None))
    whole = StrokeDataset.open(written(tmp_path / "a.npz", points_delta=delta.astype(int)))

    assert cut.texts == ("l", ",")
    assert whole.texts == ("l", "i")


def test_what_a_file_does_not_tell_cannot_be_chosen(tmp_path):
    file = written(tmp_path / "mine.npz", split=None)

    with pytest.raises(ValueError, match="does not tell the split") as error:
        StrokeDataset.open(file, split="train")
    assert not isinstance(error.value, CorruptFileError)
    with pytest.raises(ValueError, match="does not tell the kind"):
        StrokeDataset.open(file, kinds=[7])
    with pytest.raises(ValueError, match="split must be"):
        StrokeDataset.open(file, split="test")


def test_what_is_not_there_is_missing(tmp_path):
    with pytest.raises(MissingDataError, match="none.npz"):
        StrokeDataset.open(tmp_path / "none.npz")
    with pytest.raises(MissingDataError, match="has no points_delta"):
        StrokeDataset.open(written(tmp_path / "other.npz", points_delta=None))
    with pytest.raises(MissingDataError, match="has no text"):
        StrokeDataset.open(written(tmp_path / "mute.npz", codepoint=None))


@pytest.mark.parametrize(
    "changes",
    [
        {"points_delta": np.zeros((2, 4), np.int16)},
        {"points_delta": np.zeros((3, 5), np.int16)},
        {"points_delta": np.zeros((2, 5))},
        {"points_delta": np.full((2, 5), 1 << 40)},
        {"points_per_stroke": np.array([2, 1, 2, 0])},
        {"points_per_stroke": np.array([2, 1, 1, 2])},
        {"points_per_stroke": np.array([2, 10, -8, 1])},
        {"strokes_per_sample": np.array([1, 2, 2])},
        {"strokes_per_sample": np.array([1, 4, -1])},
        {"strokes_per_sample": np.array([[1, 2, 1]])},
        {"writer": np.array([1, 2])},
        {"split": np.array([1, 2])},
        {"split": np.array([1])},
        {"agree": np.array([0.5, 1, 1])},
        {"codepoint": np.array([108, 105, 0x110000])},
        {"codepoint": np.array([108, 105, 10])},
        {"text": np.frombuffer(b"a\nb", np.uint8)},
        {"text": np.frombuffer(b"a\nb\n\xff", np.uint8)},
        {"text": np.array([97, 10, 97, 10, 97])},
        {"name": np.array(["mine"])},
    ],
    ids=str,
)
def test_arrays_that_do_not_fit_are_damage(tmp_path, changes):
    file = written(tmp_path / "damaged.npz", **changes)

    with pytest.raises(CorruptFileError, match="damaged.npz"):
        StrokeDataset.open(file, split="train")


def test_objects_are_not_unpickled(tmp_path):
    file = tmp_path / "damaged.npz"
    np.savez(file, **arrays(writer=np.array([1, "a", None], object)))

    with pytest.raises(CorruptFileError, match="damaged.npz"):
        StrokeDataset.open(file)


def test_a_header_cannot_claim_more_than_is_there(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<i2", "fortran_order": False, "shape": (2, 1 << 45)}
    )
    file = written(tmp_path / "damaged.npz", points_delta=None)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("points_delta.npy", header.getvalue() + bytes(100))

    with pytest.raises(CorruptFileError, match="damaged.npz"):
        StrokeDataset.open(file)


def test_every_damaged_byte_is_told_or_harmless(tmp_path):
    whole = written(tmp_path / "whole.npz").read_bytes()
    expected = StrokeDataset.open(tmp_path / "whole.npz")
    file = tmp_path / "whole"
    rng = np.random.default_rng(0)
    told = 0
    # In the zip file's list of names a damaged one is another name.
    for place in rng.integers(whole.index(b"PK\x01\x02"), size=150).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        try:
            same(StrokeDataset.open(file), expected)
        except (CorruptFileError, MissingDataError):
            told += 1
    assert told > 50


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_half_a_file_is_damage(few, tmp_path, share):
    few.save(tmp_path / "whole.npz")
    data = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(data[: int(len(data) * share)])

    with pytest.raises(CorruptFileError, match="half.npz"):
        StrokeDataset.open(tmp_path / "half.npz")


def test_real_characters_are_drawn(real_data):
    file = real_data / "unipen" / "characters.npz"
    dataset = StrokeDataset.open(file, split="validation")

    everything = StrokeDataset.open(file, least_agreement=0)

    assert len(everything) == 109_820
    assert 10_000 < len(dataset) < 30_000
    assert set(dataset.texts) == set(ASCII)
    images = to_characters(dataset.sample(2000, rng=0), ASCII)
    assert images.images.max(axis=(1, 2)).min() >= 200  # dots between pixels are the palest
    # Lower and upper case of equal form differ in size only.
    c, big = (dataset.select([text == each for text in dataset.texts]) for each in "cC")
    ink_of_c, ink_of_big = (render(each, keep_size=True).mean() for each in (c, big))
    assert ink_of_c < 0.9 * ink_of_big


def test_real_words_are_drawn(real_data):
    words = StrokeDataset.open(real_data / "unipen" / "words.npz", split="validation", kinds=[7])

    lines = to_lines(words.sample(100, rng=0), Alphabet([" ", *ASCII]), (32, 256))

    assert len(words) > 1000
    assert (lines.images.max(axis=(1, 2)) == 255).all()
    lengths = np.array([len(text) for text in lines.texts])
    assert np.corrcoef(lines.widths, lengths)[0, 1] > 0.6
