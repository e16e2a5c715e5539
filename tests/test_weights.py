import io
import zipfile

import keras
import numpy as np
import pytest

from handwriting import models
from handwriting.alphabet import DIGITS, LETTERS, Alphabet
from handwriting.errors import CorruptFileError, MissingDataError

KERNEL = "000-Conv2D-kernel.npy"


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "a.npz"
    models.save_weights(models.lenet(DIGITS, rng=1), path, alphabet=DIGITS, recipe="mnist")
    return path


def rewritten(path, **changes):
    """The archive with other contents of some members; None drops one."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (contents | changes).items():
            if data is not None:
                archive.writestr(name, data)


def npy(array):
    with io.BytesIO() as stream:
        np.lib.format.write_array(stream, array)
        return stream.getvalue()


@pytest.mark.parametrize("name", [*models.NAMES, *models.LINE_NAMES])
def test_saved_weights_give_the_same_scores_but_for_half_precision(name, tmp_path):
    shape = (40, 64) if name in models.LINE_NAMES else (28, 28)
    model, path = models.build(name, DIGITS, shape, rng=1), tmp_path / "a.npz"
    rng = np.random.default_rng(0)
    for weight in model.weights:  # no two arrays alike, or their order would not matter
        weight.assign(weight.numpy() + rng.uniform(-0.01, 0.01, weight.shape))
    images = rng.integers(0, 256, (5, *shape), dtype=np.uint8)

    models.save_weights(model, path, alphabet=DIGITS)
    loaded = models.load_weights(path)

    alphabet = DIGITS.with_null() if name in models.LINE_NAMES else DIGITS
    assert models.card(path) == models.Card(name, alphabet, shape, None)
    assert path.stat().st_size < 2.1 * model.count_params() + 20_000
    for loaded_one, own in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(loaded_one, own, rtol=0, atol=5e-4 * np.abs(own).max())
    scores = [each.predict_on_batch(images) for each in (loaded, model)]
    np.testing.assert_allclose(*scores, rtol=0, atol=5e-3)


@pytest.mark.parametrize(
    ("name", "shape", "other"),
    [("vgg_small", (28, 28), (24, 24)), ("crnn_small", (40, 256), (48, None))],
)
def test_a_network_of_any_size_takes_its_weights_to_another_one(name, shape, other, tmp_path):
    model, path = models.build(name, DIGITS, shape, rng=1), tmp_path / "a.npz"
    models.save_weights(model, path, alphabet=DIGITS)

    resized, plain = models.load_weights(path, image_shape=other), models.load_weights(path)

    assert resized.input_shape == (None, *other)
    assert plain.input_shape == (None, *shape)
    pairs = zip(resized.get_weights(), plain.get_weights(), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)


def test_a_network_with_other_weights_for_each_size_refuses(tmp_path):
    path = tmp_path / "a.npz"
    models.save_weights(models.lenet(DIGITS, rng=0), path, alphabet=DIGITS)

    with pytest.raises(
        ValueError, match=r"image_shape must be \(28, 28\), got \(24, 24\): a lenet"
    ):
        models.load_weights(path, image_shape=(24, 24))
    with pytest.raises(ValueError, match="must be two numbers for a lenet"):
        models.load_weights(path, image_shape=(28, None))


def test_weights_of_single_pixels_do_not_go_to_as_many_others(tmp_path):
    path = tmp_path / "a.npz"
    models.save_weights(models.dense_small(DIGITS, rng=0), path, alphabet=DIGITS)

    with pytest.raises(ValueError, match=r"got \(14, 56\): a dense_small has other weights"):
        models.load_weights(path, image_shape=(14, 56))


def test_load_takes_both_kinds_of_files(tmp_path):
    model, path = models.lenet(DIGITS, rng=0), tmp_path / "a.npz"
    models.save_weights(model, path, alphabet=DIGITS)

    for one, other in zip(
        models.load(path).get_weights(), models.load_weights(path).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_what_half_precision_cannot_hold_stays_in_single(tmp_path):
    model, path = models.vgg_small(DIGITS, rng=0), tmp_path / "a.npz"
    first, second, *_ = (each for each in model.layers if isinstance(each, keras.layers.Conv2D))
    norm = next(each for each in model.layers if "batch_norm" in each.name)
    norm.moving_variance.assign(np.full(32, 1e-9))
    first.kernel.assign(np.full(first.kernel.shape, 1e6))
    second.kernel.assign(np.full(second.kernel.shape, 1e-9))

    models.save_weights(model, path, alphabet=DIGITS)
    loaded = models.load_weights(path)

    for layer, own in zip(loaded.layers, model.layers, strict=True):
        if own in (first, second, norm):
            same = zip(layer.get_weights(), own.get_weights(), strict=True)
            assert all(np.array_equal(a, b) for a, b in same)
    with np.load(path) as arrays:
        kinds = {arrays[name].dtype.name for name in arrays.files if name[:3].isdigit()}
    assert kinds == {"float16", "float32"}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.keras", {}, r"path must end in \.npz"),
        ("a.npz", {"alphabet": LETTERS}, "52 characters of the alphabet"),
        ("a.npz", {"recipe": "mine"}, "recipe must be one of mnist"),
    ],
)
def test_what_does_not_fit_is_refused(name, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        models.save_weights(models.lenet(DIGITS), tmp_path / name, **{"alphabet": DIGITS} | options)

    assert not list(tmp_path.iterdir())


def test_foreign_networks_and_weights_that_are_no_numbers_are_refused(tmp_path):
    foreign = keras.Sequential([keras.Input((28, 28)), keras.layers.Dense(10)])
    broken = models.lenet(DIGITS)
    broken.layers[-1].bias.assign(np.full(10, np.nan))

    with pytest.raises(ValueError, match="must come from one of the builders"):
        models.save_weights(foreign, tmp_path / "a.npz", alphabet=DIGITS)
    with pytest.raises(ValueError, match="finite weights"):
        models.save_weights(broken, tmp_path / "a.npz", alphabet=DIGITS)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (npy(np.zeros((3, 3, 1, 6))), "must be float16 or float32"),
        (npy(np.zeros((3, 3, 1, 6), "<i2")), "must be float16 or float32"),
        (npy(np.zeros((3, 3, 1, 5), "<f2")), "shape"),
        (npy(np.zeros((3, 3, 1, 6), "<f2"))[:-1], "damaged"),
        (npy(np.zeros((3, 3, 1, 6), "<f2", order="F")), "float16"),
        (npy(np.array([None])), "must be float16"),
        (npy(np.full((3, 3, 1, 6), np.inf, "<f2")), "not all finite"),
        (npy(np.zeros(10**6, "<f2")), "bytes that it may have"),
        (b"", "damaged"),
        (b"\x93NUMPY\x02\x00" + bytes(100), "version 1.0"),
        (None, "not those of a lenet"),
    ],
)
def test_arrays_that_are_not_the_networks_are_refused(data, message, saved):
    rewritten(saved, **{KERNEL: data})

    with pytest.raises(CorruptFileError, match=message):
        models.load_weights(saved)


def test_arrays_beside_those_of_the_network_are_refused(saved):
    rewritten(saved, **{"more.npy": npy(np.zeros(3))})

    with pytest.raises(CorruptFileError, match="not those of a lenet"):
        models.load_weights(saved)


def test_weights_of_another_network_are_refused(saved, tmp_path):
    other = tmp_path / "b.npz"
    models.save_weights(models.lenet(LETTERS), other, alphabet=LETTERS)
    with zipfile.ZipFile(other) as archive:
        contents = {name: archive.read(name) for name in archive.namelist() if name[0] == "0"}
    rewritten(saved, **contents)

    with pytest.raises(CorruptFileError, match="008-Dense-kernel.npy in .* bytes that it may"):
        models.load_weights(saved)


def test_files_of_another_kind_are_told(saved, tmp_path):
    rewritten(saved, **{"handwriting.json": None})
    (tmp_path / "text.npz").write_text("none")
    models.save(models.lenet(DIGITS), tmp_path / "a.keras", alphabet=DIGITS)

    with pytest.raises(CorruptFileError, match=r"has no handwriting\.json"):
        models.load_weights(saved)
    with pytest.raises(CorruptFileError, match="is not a whole model file"):
        models.load_weights(tmp_path / "text.npz")
    with pytest.raises(CorruptFileError, match="not those of a lenet"):
        models.load_weights(tmp_path / "a.keras")
    with pytest.raises(MissingDataError, match=r"gone\.npz: no such model"):
        models.load_weights(tmp_path / "gone.npz")


@pytest.mark.parametrize("facts", [b'"lenet"', b'"crnn_small"'])
def test_a_card_of_another_network_is_refused(facts, saved):
    with zipfile.ZipFile(saved) as archive:
        text = archive.read("handwriting.json")
    rewritten(saved, **{"handwriting.json": text.replace(b'"lenet"', facts).replace(b"28", b"9")})

    with pytest.raises(CorruptFileError):
        models.load_weights(saved)


def test_truncated_files_are_refused(saved):
    whole = saved.read_bytes()
    for tenths in range(10):
        saved.write_bytes(whole[: len(whole) * tenths // 10])
        with pytest.raises(CorruptFileError, match="is not a whole model file"):
            models.load_weights(saved)


def test_an_alphabet_of_lines_has_the_blank(tmp_path):
    path = tmp_path / "a.npz"

    models.save_weights(models.crnn_small(2, (8, 16)), path, alphabet=Alphabet("AB"))

    assert models.card(path).alphabet == Alphabet("AB").with_null()
