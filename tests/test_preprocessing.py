import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from handwriting import preprocessing
from handwriting.datasets import digits, mnist
from handwriting.preprocessing import RECIPES, Recipe

INK = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


def letter_f():
    """An F: not its own mirror image in any direction."""
    image = np.zeros((40, 30), np.uint8)
    image[5:35, 6:11] = 255
    image[5:10, 6:25] = 255
    image[17:22, 6:20] = 255
    return image


def placed(ink, top, left, shape):
    canvas = np.zeros(shape, np.uint8)
    canvas[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return canvas


@given(INK, st.integers(0, 25), st.integers(0, 25), st.sampled_from(sorted(RECIPES)))
@settings(deadline=None)
def test_a_shift_of_the_input_changes_nothing(ink, top, left, recipe):
    shape = (ink.shape[0] + 25, ink.shape[1] + 25)

    still = preprocessing.normalize(placed(ink, 0, 0, shape), recipe)
    moved = preprocessing.normalize(placed(ink, top, left, shape), recipe)

    np.testing.assert_array_equal(still, moved)


@given(INK, st.sampled_from(sorted(RECIPES)))
@settings(deadline=None)
def test_paper_around_the_ink_changes_nothing(ink, recipe):
    padded = np.pad(ink, 7)

    np.testing.assert_array_equal(
        preprocessing.normalize(ink, recipe), preprocessing.normalize(padded, recipe)
    )


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_a_shift_changes_no_level_of_faint_ink(recipe):
    """Sums that end near one half are where the order of adding shows."""
    rng = np.random.default_rng(0)
    faint = rng.integers(1, 30, (3000, 5, 31)).astype(np.uint8)
    padded = np.pad(faint, ((0, 0), (9, 4), (7, 6)))

    np.testing.assert_array_equal(
        preprocessing.normalize(faint, recipe), preprocessing.normalize(padded, recipe)
    )


def test_a_batch_is_what_its_images_are_one_by_one():
    rng = np.random.default_rng(0)
    images = (rng.integers(0, 256, (1100, 21, 17)) * (rng.random((1100, 21, 17)) < 0.1)).astype(
        np.uint8
    )
    functions = [
        preprocessing.normalize,
        preprocessing.clean,
        preprocessing.to_ink,
        preprocessing.binarize,
        preprocessing.center,
        preprocessing.pad_square,
        lambda part: preprocessing.resize(part, (9, 30)),
    ]
    for function in functions:
        batch = function(images)

        assert batch.dtype == np.uint8
        for index in (0, 511, 512, 1023, 1024, 1099):
            np.testing.assert_array_equal(batch[index], function(images[index]))


def test_mnist_is_reproduced_exactly_from_its_own_images(real_data):
    """The recipe undoes nothing and adds nothing: what MNIST normalized stays as it is.

    The three images left out are MNIST's own exceptions: their ink is 19 pixels long, not 20.
    """
    images = mnist.load("test", real_data / "mnist").images
    ink = images > 0
    longest = _longest(ink)

    normalized = preprocessing.normalize(images, "mnist")

    same = (normalized == images).all(axis=(1, 2))
    assert same[longest == 20].all()
    assert (longest == 20).sum() == 9997


def _longest(ink):
    def extent(axis):
        lines = ink.any(axis=axis)
        return lines.shape[1] - lines.argmax(axis=1) - lines[:, ::-1].argmax(axis=1)

    return np.maximum(extent(1), extent(2))


def test_mnist_is_reproduced_from_larger_pictures_anywhere_on_the_page():
    ink = np.zeros((90, 120), np.uint8)
    ink[30:70, 50:58] = 255

    image = preprocessing.normalize(ink, "mnist")

    assert image.shape == (28, 28)
    assert (image[4:24, 12:16] == 255).all()
    assert image.sum() == 255 * 80


def test_emnist_is_padding_to_a_square_scaling_to_20_and_a_margin_of_4():
    for ink in (letter_f(), letter_f()[:, 3:20], letter_f()[4:12]):
        cropped = preprocessing.crop(ink)
        square = preprocessing.pad_square(cropped)
        small = PIL.Image.fromarray(square).resize((20, 20), PIL.Image.Resampling.BICUBIC)
        expected = np.pad(np.asarray(small), 4)

        image = preprocessing.normalize(ink, "emnist")

        assert np.abs(image.astype(int) - expected).max() <= 1


def test_the_raw_emnist_orientation_is_the_transpose():
    upright = preprocessing.normalize(letter_f(), "emnist")

    np.testing.assert_array_equal(preprocessing.normalize(letter_f(), "emnist-raw"), upright.T)
    assert not np.array_equal(upright, upright.T)


def test_alphanum_images_are_24_by_24():
    image = preprocessing.normalize(letter_f(), "alphanum")

    assert image.shape == (24, 24)
    assert preprocessing.crop(image).shape[0] == 17


def test_ink_is_never_pushed_over_the_border():
    heavy_foot = np.zeros((40, 40), np.uint8)
    heavy_foot[:, 20] = 60
    heavy_foot[39, :] = 255

    image = preprocessing.fit_box(heavy_foot, 20, box=20)

    np.testing.assert_array_equal(image, preprocessing.fit_box(heavy_foot, 20, box=20, by="box"))


@pytest.mark.parametrize("recipe", sorted(RECIPES))
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (300, 2)])
def test_extreme_shapes_and_blank_images_come_out_whole(recipe, shape):
    size = RECIPES[recipe].size

    assert not preprocessing.normalize(np.zeros(shape, np.uint8), recipe).any()
    assert preprocessing.normalize(np.full(shape, 255, np.uint8), recipe).any()
    assert preprocessing.normalize(np.zeros((0, *shape), np.uint8), recipe).shape == (0, size, size)


def test_a_recipe_of_ones_own_works():
    image = preprocessing.normalize(letter_f(), Recipe("mine", size=32, box=30, center="box"))

    assert preprocessing.crop(image).shape[0] == 30


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(
        ValueError, match="recipe must be one of mnist, emnist, emnist-raw, alphanum"
    ):
        preprocessing.normalize(letter_f(), "imagenet")


@pytest.mark.parametrize("box", [0, 29])
def test_a_box_that_does_not_fit_is_refused(box):
    with pytest.raises(ValueError, match=r"box must lie in \[1, size=28\]"):
        preprocessing.fit_box(letter_f(), 28, box=box)


def test_wrong_arrays_are_refused_with_what_to_do():
    with pytest.raises(ValueError, match="got float64 of shape .*to_gray converts"):
        preprocessing.normalize(letter_f() / 255)
    with pytest.raises(ValueError, match="must have pixels"):
        preprocessing.normalize(np.zeros((0, 0), np.uint8))


def bicubic(image, height, width):
    picture = PIL.Image.fromarray(image)
    return np.asarray(picture.resize((width, height), PIL.Image.Resampling.BICUBIC))


@pytest.mark.parametrize("shape", [(20, 20), (7, 50), (40, 40), (100, 3), (1, 1), (50, 7)])
def test_resize_is_pillows_bicubic_across_and_then_down(shape):
    strokes = digits.load("all").images[:60]
    noise = np.random.default_rng(0).integers(0, 256, (9, 61, 33)).astype(np.uint8)

    for images in (strokes, noise):
        expected = np.stack([bicubic(bicubic(i, len(i), shape[1]), *shape) for i in images])
        assert np.abs(preprocessing.resize(images, shape).astype(int) - expected).max() <= 1


def test_resize_is_pillows_in_one_call_where_both_sides_shrink_alike():
    page = np.random.default_rng(0).integers(0, 256, (300, 200)).astype(np.uint8)

    assert (
        np.abs(preprocessing.resize(page, (30, 20)).astype(int) - bicubic(page, 30, 20)).max() <= 1
    )


def test_resize_refuses_nothing():
    with pytest.raises(ValueError, match="at least one pixel"):
        preprocessing.resize(letter_f(), (0, 5))


def test_polarity_is_found_on_real_digits_of_either_kind(real_data):
    images = mnist.load("test", real_data / "mnist").images[:2000]

    np.testing.assert_array_equal(preprocessing.to_ink(images), images)
    np.testing.assert_array_equal(preprocessing.to_ink(255 - images), images)


def test_polarity_is_found_on_real_paper(real_data):
    dark = np.load(real_data / "paper" / "characters62.npz")["images"]

    for images in (dark, 255 - dark):
        right = (preprocessing.to_ink(images) == 255 - dark).all(axis=(1, 2))
        assert right.mean() > 0.999


def test_polarity_can_be_forced():
    np.testing.assert_array_equal(preprocessing.to_ink(letter_f(), "dark"), 255 - letter_f())
    np.testing.assert_array_equal(preprocessing.to_ink(letter_f(), "light"), letter_f())
    with pytest.raises(ValueError, match="polarity must be 'auto', 'dark' or 'light'"):
        preprocessing.to_ink(letter_f(), "black")


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_image_of_one_level_has_no_ink(level):
    image = np.full((6, 9), level, np.uint8)

    assert not preprocessing.to_ink(image).any()
    assert not preprocessing.binarize(image).any()
    assert not preprocessing.clean(image).any()


def test_otsu_parts_two_levels_in_their_middle_and_equals_its_definition():
    image = np.array([[10] * 30 + [200] * 10], np.uint8)
    assert preprocessing.otsu(image) == (10 + 199) // 2

    rng = np.random.default_rng(1)
    for noisy in rng.integers(0, 256, (20, 15, 15)).astype(np.uint8):
        within = []
        for threshold in range(255):
            parts = noisy[noisy <= threshold], noisy[noisy > threshold]
            within.append(sum(len(part) * part.var() for part in parts if len(part)))
        assert within[preprocessing.otsu(noisy)] == pytest.approx(min(within))


def test_otsu_of_a_batch_is_an_array():
    thresholds = preprocessing.otsu(np.stack([letter_f(), letter_f() // 2]))

    assert thresholds.tolist() == [127, 63]


def test_binarize_takes_a_threshold():
    image = np.array([[10, 11, 12]], np.uint8)

    assert preprocessing.binarize(image, 11).tolist() == [[0, 0, 255]]


def test_clean_leaves_black_and_white_alone():
    np.testing.assert_array_equal(preprocessing.clean(letter_f()), letter_f())


def test_clean_takes_noise_without_writing_for_blank_paper():
    noise = np.random.default_rng(0).normal(60, 5, (3, 40, 40)).astype(np.uint8)

    assert not preprocessing.clean(noise).any()


def test_clean_takes_noisy_paper_to_zero_and_ink_to_full():
    rng = np.random.default_rng(0)
    photo = (letter_f() * 0.5 + 60 + rng.normal(0, 4, letter_f().shape)).astype(np.uint8)

    cleaned = preprocessing.clean(photo)

    assert cleaned.max() == 255
    assert (cleaned[letter_f() == 0] == 0).mean() > 0.99
    assert (cleaned[letter_f() == 255] > 200).all()


def test_crop_is_the_ink_and_a_margin():
    assert preprocessing.crop(letter_f()).shape == (30, 19)
    assert preprocessing.crop(letter_f(), margin=3).shape == (36, 25)
    np.testing.assert_array_equal(preprocessing.crop(np.zeros((4, 5), np.uint8)), np.zeros((4, 5)))
    with pytest.raises(ValueError, match="one image"):
        preprocessing.crop(letter_f()[None])
    with pytest.raises(ValueError, match="margin must be at least 0"):
        preprocessing.crop(letter_f(), margin=-1)


@pytest.mark.parametrize("level", [-1, 256])
def test_pad_square_refuses_what_is_no_level(level):
    with pytest.raises(ValueError, match=r"level must lie in \[0, 255\]"):
        preprocessing.pad_square(letter_f(), level=level)


def test_an_empty_batch_stays_one():
    empty = np.zeros((0, 5, 7), np.uint8)

    for function in (preprocessing.to_ink, preprocessing.clean, preprocessing.binarize):
        assert function(empty).shape == empty.shape
    assert preprocessing.otsu(empty).shape == (0,)


def test_large_images_go_through_in_parts():
    page = np.random.default_rng(0).integers(0, 256, (3, 1100, 1000)).astype(np.uint8)

    for function in (preprocessing.to_ink, preprocessing.clean, preprocessing.binarize):
        np.testing.assert_array_equal(function(page)[2], function(page[2]))


def test_pad_square_keeps_the_image_in_the_middle():
    assert preprocessing.pad_square(np.full((1, 4), 9, np.uint8)).tolist() == [
        [0] * 4,
        [9] * 4,
        [0] * 4,
        [0] * 4,
    ]


def test_center_moves_by_whole_pixels():
    corner = placed(letter_f()[5:35, 6:25], 0, 0, (50, 50))

    for by in ("mass", "box"):
        centered = preprocessing.center(corner, by=by)
        assert centered.sum() == corner.sum()
        np.testing.assert_array_equal(preprocessing.crop(centered), preprocessing.crop(corner))
    ys, xs = np.nonzero(preprocessing.center(corner, by="box"))
    assert (ys.min(), xs.min()) == (10, 15)
    with pytest.raises(ValueError, match="by must be 'mass' or 'box'"):
        preprocessing.center(corner, by="middle")


def test_inputs_are_left_alone():
    image = letter_f()
    before = image.copy()
    for function in (preprocessing.to_ink, preprocessing.clean, preprocessing.normalize):
        function(image)[...] = 7

    np.testing.assert_array_equal(image, before)


def test_fit_line_keeps_the_aspect_ratio_and_pads_with_paper():
    wide, width = preprocessing.fit_line(np.full((10, 100), 255, np.uint8), (32, 128))
    tall, narrow_width = preprocessing.fit_line(np.full((50, 50), 255, np.uint8), (32, 128))

    assert (width, narrow_width) == (128, 32)
    assert np.flatnonzero(wide.any(axis=1)).tolist() == list(range(9, 22))
    assert np.flatnonzero(tall.any(axis=0)).tolist() == list(range(32))
    assert wide[9:22].min() == tall[:, :32].min() == 255


@pytest.mark.parametrize("shape", [(1, 500), (500, 1), (32, 128), (1, 1), (31, 129)])
@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_fit_line_gives_every_line_one_shape(shape, fit):
    image, width = preprocessing.fit_line(np.full(shape, 200, np.uint8), (32, 128), fit=fit)

    assert image.shape == (32, 128)
    assert image.dtype == np.uint8
    assert 1 <= width <= 128
    assert image[:, :width].any()
    assert not image[:, width:].any()
    assert fit == "pad" or (width == 128 and image.min() == 200)


def test_fit_line_refuses_what_it_cannot_do():
    line = np.zeros((10, 50), np.uint8)

    with pytest.raises(ValueError, match="takes one image"):
        preprocessing.fit_line(line[None], (32, 128))
    with pytest.raises(ValueError, match="at least one pixel"):
        preprocessing.fit_line(line, (0, 128))
    with pytest.raises(ValueError, match="fit must be 'pad' or 'stretch'"):
        preprocessing.fit_line(line, (32, 128), fit="crop")
