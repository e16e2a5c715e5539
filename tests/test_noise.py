import tracemalloc

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageOps
import pytest

from handwriting import noise
from handwriting.images import to_gray


def recipe(levels, factor):
    """The published script between its draws and its file, then ink made high."""
    inverted = PIL.ImageOps.invert(PIL.Image.fromarray(levels))
    return 255 - np.asarray(PIL.ImageEnhance.Contrast(inverted).enhance(factor))


@pytest.mark.parametrize("size", [(24, 24), (28, 28), (1, 1), (1, 7), (13, 5), (200, 300)])
def test_contrast_is_that_of_pillow_to_the_bit(size):
    rng = np.random.default_rng(0)
    n = max(20, 1_000_000 // (size[0] * size[1] + 200))
    # 5 % noise as published, then noise of all levels.
    for scale in (0.05, 1):
        levels = (rng.random((n, *size)) * scale * 255).astype(np.uint8)
        factors = np.abs(rng.normal(30, 15, n))

        enhanced = noise._enhance(levels.reshape(n, -1), factors)

        expected = [recipe(*pair) for pair in zip(levels, factors.tolist(), strict=True)]
        np.testing.assert_array_equal(enhanced.reshape(n, *size), expected)


def test_extreme_factors_are_those_of_pillow_to_the_bit():
    rng = np.random.default_rng(1)
    factors = np.array([0, 1, 1e-30, 1e-9, 0.1, 1 / 3, 0.999999999, 1.000001, 1e4, 1e30, -1, -80])
    factors = np.concatenate([factors, rng.random(1000), 10 ** rng.uniform(-10, 10, 1000)])
    levels = (rng.random((len(factors), 6, 9)) * 0.05 * 255).astype(np.uint8)

    enhanced = noise._enhance(levels.reshape(len(factors), -1), factors)

    expected = [recipe(*pair) for pair in zip(levels, factors.tolist(), strict=True)]
    np.testing.assert_array_equal(enhanced.reshape(levels.shape), expected)


def test_means_half_way_between_levels_are_rounded_as_pillow_does():
    levels = np.array([[[0, 1]], [[1, 2]], [[0, 0]], [[11, 12]]], np.uint8)

    enhanced = noise._enhance(levels.reshape(4, 2), np.full(4, 3.0))

    expected = [recipe(image, 3.0) for image in levels]
    np.testing.assert_array_equal(enhanced.reshape(levels.shape), expected)


def test_levels_have_the_distribution_of_the_recipe():
    n = 5_100_000
    counts = np.bincount(noise._noise(n, np.random.default_rng(0)), minlength=256)

    # floor(12.75 u) is 12 in three quarters of the cases in which it is 11.
    expected = np.array([4] * 12 + [3]) / 51 * n
    assert counts[13:].sum() == 0
    chi_squared = ((counts[:13] - expected) ** 2 / expected).sum()
    assert chi_squared < 33  # 12 degrees of freedom: exceeded once in a thousand seeds


def test_null_images_have_the_statistics_of_the_recipe():
    rng = np.random.default_rng(0)
    expected = []
    for _ in range(4000):
        factor = abs(rng.normal(30, 15))
        expected.append(recipe((rng.random((24, 24)) * 0.05 * 255).astype(np.uint8), factor))

    images = noise.null_images(4000, rng=1)

    # The share of pixels that are paper, full ink or between, and the spread over images.
    for low, high in ((0, 1), (1, 100), (100, 255), (255, 256)):
        shares, wanted = (
            ((low <= np.asarray(each)) & (np.asarray(each) < high)).mean(axis=(1, 2))
            for each in (images, expected)
        )
        error = np.hypot(shares.std(), wanted.std()) / np.sqrt(4000)
        assert abs(shares.mean() - wanted.mean()) < 4 * error
        assert shares.std() == pytest.approx(wanted.std(), rel=0.1)


def test_contrast_is_never_turned_around(monkeypatch):
    seen = []

    def spy(levels, factors):
        seen.extend(factors)
        return levels

    monkeypatch.setattr(noise, "_enhance", spy)
    noise.null_images(10_000, (1, 1), rng=0)

    # One in 44 draws of N(30, 15) is negative.
    assert len(seen) == 10_000
    assert min(seen) >= 0
    assert np.mean(np.array(seen) < 30) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("n", "size"), [(3, (24, 24)), (0, (4, 5)), (700, (28, 20)), (1, (1, 1))])
def test_images_follow_the_convention(n, size):
    images = noise.null_images(n, size, rng=0)

    assert images.dtype == np.uint8
    assert images.shape == (n, *size)
    assert images.flags.c_contiguous


def test_images_of_a_large_batch_all_differ():
    images = noise.null_images(3000, rng=0)

    assert len(np.unique(images.reshape(3000, -1), axis=0)) == 3000


def test_equal_seeds_give_equal_images():
    np.testing.assert_array_equal(
        noise.null_images(500, rng=3), noise.null_images(500, rng=np.random.default_rng(3))
    )
    assert not np.array_equal(noise.null_images(5, rng=3), noise.null_images(5, rng=4))


@pytest.mark.parametrize(
    ("n", "size", "message"),
    [
        (-1, (24, 24), "n must be at least 0, got -1"),
        (1, (0, 24), r"size must be at least one pixel on each side, got \(0, 24\)"),
    ],
)
def test_what_makes_no_image_is_refused(n, size, message):
    with pytest.raises(ValueError, match=message):
        noise.null_images(n, size, rng=0)


def test_memory_beyond_the_images_stays_small():
    noise.null_images(1, rng=0)
    tracemalloc.start()
    images = noise.null_images(50_000, rng=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak - images.nbytes < 0.1 * images.nbytes


def test_saved_images_are_black_on_white(tmp_path):
    images = noise.null_images(12, (10, 30), rng=0)

    noise.save(images, tmp_path / "null")

    assert {file.name for file in (tmp_path / "null").iterdir()} == {f"{i}.png" for i in range(12)}
    for number, image in enumerate(images):
        np.testing.assert_array_equal(to_gray(tmp_path / "null" / f"{number}.png"), 255 - image)


def test_jpeg_files_are_what_the_published_script_saves(tmp_path):
    images = noise.null_images(3, rng=0)

    noise.save(images, tmp_path / "null", format="jpeg")

    for number, image in enumerate(images):
        PIL.Image.fromarray(255 - image).save(tmp_path / "own.jpg", format="JPEG")
        written = (tmp_path / "null" / f"{number}.jpg").read_bytes()
        assert written == (tmp_path / "own.jpg").read_bytes()


def test_save_writes_all_or_nothing(tmp_path, monkeypatch):
    save = PIL.Image.Image.save

    def full_disk(image, file, **options):
        if file.name == "2.png":
            raise OSError("no space left on device")
        save(image, file, **options)

    monkeypatch.setattr(PIL.Image.Image, "save", full_disk)
    with pytest.raises(OSError, match="no space left"):
        noise.save(noise.null_images(5, rng=0), tmp_path / "null")
    assert not any(tmp_path.iterdir())


def test_save_refuses_what_it_cannot_write(tmp_path):
    images = noise.null_images(2, rng=0)

    with pytest.raises(ValueError, match=r"images must have shape \(n, h, w\), got \(24, 24\)"):
        noise.save(images[0], tmp_path / "null")
    with pytest.raises(ValueError, match=r"format must be one of \('png', 'jpeg'\), got 'gif'"):
        noise.save(images, tmp_path / "null", format="gif")
    assert not any(tmp_path.iterdir())
    noise.save(images, tmp_path / "null")
    with pytest.raises(FileExistsError, match="remove it or choose another path"):
        noise.save(images, tmp_path / "null")
