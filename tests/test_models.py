import io
import json
import os
import signal
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest

from handwriting import models
from handwriting.alphabet import DIGITS, LETTERS, Alphabet
from handwriting.errors import CorruptFileError, MissingDataError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "classes", "parameters"),
    [
        ("dense", 47, 603_795),
        ("dense_small", 62, 241_854),
        ("lenet", 47, 98_559),
        ("convnet_small", 62, 598_782),
        ("convnet_deep", 62, 839_998),
        ("vgg_small", 94, 299_902),
        ("vgg_deep", 94, 484_990),
        ("vgg", 94, 1_171_102),
    ],
)
def test_parameter_counts_are_the_published_ones(name, classes, parameters):
    assert models.build(name, classes).count_params() == parameters


@pytest.mark.parametrize("name", models.NAMES)
@pytest.mark.parametrize("shape", [(24, 24), (28, 28), (30, 20)])
def test_models_eat_raw_images_and_give_probabilities(name, shape):
    model = models.build(name, DIGITS.with_null(), shape)

    scores = model.predict_on_batch(np.full((3, *shape), 255, np.uint8))

    assert scores.shape == (3, 11)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", models.NAMES)
def test_models_are_plain_keras(name):
    model = models.build(name, 10)

    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}
    assert model.inputs[0].dtype == "uint8"


@pytest.mark.parametrize("name", models.NAMES)
def test_equal_seeds_give_equal_weights(name):
    one, same, other = (models.build(name, 10, rng=seed) for seed in (7, 7, 8))

    for a, b in zip(one.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.get_weights()[0], other.get_weights()[0])
    layers = [weight for weight in one.get_weights() if weight.ndim > 1]
    scaled = [layer.ravel()[:50] / np.abs(layer).max() for layer in layers]
    assert np.abs(scaled[0] - scaled[1]).max() > 0.1


@pytest.mark.parametrize(
    ("name", "least"), [("lenet", 10), ("convnet_small", 6), ("convnet_deep", 4), ("vgg_small", 4)]
)
def test_the_least_image_works_and_a_smaller_one_is_refused(name, least):
    models.build(name, 10, (least, least))

    with pytest.raises(ValueError, match=f"{name} needs images of at least {least} x {least}"):
        models.build(name, 10, (least - 1, 28))


def test_one_class_is_none():
    with pytest.raises(ValueError, match="at least 2 characters, got 1"):
        models.lenet(Alphabet("a"))


def test_an_unknown_builder_names_the_known_ones():
    with pytest.raises(ValueError, match="name must be one of dense, dense_small, lenet"):
        models.build("resnet", 10)


@pytest.fixture
def saved(tmp_path):
    model = models.lenet(DIGITS, rng=1)
    models.save(model, tmp_path / "a.keras", alphabet=DIGITS, recipe="mnist")
    return tmp_path / "a.keras"


@pytest.mark.parametrize("name", models.NAMES)
def test_save_then_load_gives_the_same_scores_and_card(name, tmp_path):
    model = models.build(name, DIGITS, rng=1)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(IMAGES, np.arange(5), verbose=0)
    path = tmp_path / "a.keras"

    models.save(model, path, alphabet=DIGITS, recipe="emnist")

    assert models.card(path) == models.Card(name, DIGITS, (28, 28), "emnist")
    expected = model.predict_on_batch(IMAGES)
    np.testing.assert_array_equal(models.load(path).predict_on_batch(IMAGES), expected)
    np.testing.assert_array_equal(keras.models.load_model(path).predict_on_batch(IMAGES), expected)
    assert os.listdir(tmp_path) == ["a.keras"]


def test_the_optimizer_is_left_out(tmp_path):
    model = models.dense_small(DIGITS)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(IMAGES, np.arange(5), verbose=0)

    models.save(model, tmp_path / "a.keras", alphabet=DIGITS)

    assert (tmp_path / "a.keras").stat().st_size < 4 * model.count_params() + 50_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphabet": LETTERS}, "52 characters of the alphabet, got one with 10 outputs"),
        ({"alphabet": DIGITS, "recipe": "mine"}, "recipe must be one of mnist"),
    ],
)
def test_save_refuses_what_does_not_fit(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        models.save(models.lenet(DIGITS), tmp_path / "a.keras", **options)
    assert not list(tmp_path.glob("*.keras"))


def test_save_refuses_another_suffix_and_foreign_models(tmp_path):
    with pytest.raises(ValueError, match=r"path must end in \.keras"):
        models.save(models.lenet(DIGITS), tmp_path / "a.h5", alphabet=DIGITS)
    foreign = keras.Sequential(
        [keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    with pytest.raises(ValueError, match="save networks of your own with model.save"):
        models.save(foreign, tmp_path / "a.keras", alphabet=DIGITS)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(MissingDataError, match=r"gone\.keras: no such model"):
        models.load(tmp_path / "gone.keras")
    with pytest.raises(MissingDataError, match="is a folder"):
        models.load(tmp_path)


def test_a_file_of_keras_alone_is_told_apart(tmp_path):
    models.lenet(DIGITS).save(tmp_path / "a.keras")

    with pytest.raises(CorruptFileError, match="not written by handwriting.models.save"):
        models.load(tmp_path / "a.keras")


def test_truncated_files_are_refused(saved):
    whole = saved.read_bytes()
    for tenths in range(10):
        saved.write_bytes(whole[: len(whole) * tenths // 10])
        with pytest.raises(CorruptFileError, match="is not a whole model file"):
            models.load(saved)


def test_flipped_bytes_are_refused_or_do_not_matter(saved):
    expected = models.load(saved).predict_on_batch(IMAGES)
    whole = saved.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for position in rng.integers(0, len(whole), 40):
        saved.write_bytes(
            whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :]
        )
        try:
            scores = models.load(saved).predict_on_batch(IMAGES)
        except CorruptFileError:
            refused += 1
        else:
            np.testing.assert_array_equal(scores, expected)
    assert refused > 20


def rewritten(path, **members):
    """The archive with other contents of some members; None drops one."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents |= members.pop("contents", {})
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)


def card_with(path, **facts):
    with zipfile.ZipFile(path) as archive:
        card = json.loads(archive.read("handwriting.json"))
    rewritten(path, contents={"handwriting.json": json.dumps({**card, **facts})})


@pytest.mark.parametrize(
    "facts",
    [
        {"model": "os.system"},
        {"model": ["lenet"]},
        {"image_shape": [10**9, 10**9]},
        {"image_shape": [0, 28]},
        {"image_shape": [28]},
        {"image_shape": "28"},
        {"image_shape": [28.0, 28.0]},
        {"image_shape": [float("inf"), 28]},
        {"alphabet": "0123456789"},
        {"image_shape": [1, 1]},
        {"alphabet": ["ab"]},
        {"alphabet": ["a"]},
        {"alphabet": 5},
        {"alphabet": [chr(0x4E00 + i) for i in range(20_000)]},
        {"alphabet": list("abcdefghijk")},
        {"format": "other"},
        {"recipe": "mine"},
        {"recipe": {}},
    ],
)
def test_forged_cards_are_refused(saved, facts):
    card_with(saved, **facts)

    with pytest.raises(CorruptFileError):
        models.load(saved)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "\xff", "[" * 100_000])
def test_cards_that_are_none_are_refused(saved, text):
    rewritten(saved, contents={"handwriting.json": text.encode("latin-1")})

    with pytest.raises(CorruptFileError):
        models.card(saved)


def weights_of(change):
    """The bytes of a LeNet's weights file after a change to it."""
    with io.BytesIO() as stream:
        with h5py.File(stream, "w") as file:
            change(file)
            file["filler"] = np.zeros(400_000, np.uint8)  # or its size alone would tell
        return stream.getvalue()


def bomb(file):
    file.create_dataset(
        "layers/dense/vars/0", (30_000, 30_000), "f4", chunks=True, compression="gzip"
    )


def soft_link(file):
    file["layers/dense/vars/0"] = h5py.SoftLink("/elsewhere")


def external_link(file):
    file["layers"] = h5py.ExternalLink("/etc/passwd", "/")


def external_data(file):
    file.create_dataset("layers/dense/vars/0", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def loop(file):
    file.create_group("layers")
    file["layers/again"] = file["layers"]


def doubling_chain(file):
    """As many paths as two to the number of groups."""
    previous = file.create_group("layers")
    for number in range(40):
        group = file.create_group(f"group{number}")
        group["a"] = group["b"] = previous
        previous = group


def datatype(file):
    file["layers"] = np.dtype("f4")


@pytest.mark.parametrize(
    "change",
    [
        bomb,
        soft_link,
        external_link,
        external_data,
        loop,
        doubling_chain,
        datatype,
        lambda file: None,
    ],
)
def test_forged_weights_are_refused_before_keras_sees_them(saved, change, monkeypatch):
    monkeypatch.setattr(
        keras.Model, "load_weights", lambda model, path: pytest.fail("Keras was given a forgery")
    )
    rewritten(saved, contents={"model.weights.h5": weights_of(change)})

    with pytest.raises(CorruptFileError, match="weights in .* are not those of a lenet"):
        models.load(saved)


def test_what_lies_beside_the_weights_is_never_read(saved):
    expected = models.load(saved).predict_on_batch(IMAGES)
    with zipfile.ZipFile(saved) as archive:
        stream = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(stream, "a") as file:
        doubling_chain(file.create_group("beside"))
    rewritten(saved, contents={"model.weights.h5": stream.getvalue()})

    np.testing.assert_array_equal(models.load(saved).predict_on_batch(IMAGES), expected)


def test_weights_that_are_no_numbers_are_neither_saved_nor_loaded(saved, tmp_path):
    model = models.lenet(DIGITS)
    model.layers[-1].bias.assign(np.full(10, np.nan))

    with pytest.raises(ValueError, match="finite weights"):
        models.save(model, tmp_path / "b.keras", alphabet=DIGITS)
    with zipfile.ZipFile(saved) as archive:
        stream = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(stream, "a") as file:
        file["layers/dense/vars/1"][0] = np.inf
    rewritten(saved, contents={"model.weights.h5": stream.getvalue()})
    with pytest.raises(CorruptFileError, match="not all finite"):
        models.load(saved)


def test_save_refuses_what_load_would_refuse(tmp_path):
    with pytest.raises(ValueError, match="at most 128 x 128 pixels to save the model, got 129"):
        models.save(models.dense_small(DIGITS, (129, 9)), tmp_path / "a.keras", alphabet=DIGITS)


def test_weights_of_another_shape_are_refused(saved, tmp_path):
    models.save(models.lenet(LETTERS), tmp_path / "b.keras", alphabet=LETTERS)
    with zipfile.ZipFile(tmp_path / "b.keras") as archive:
        rewritten(saved, contents={"model.weights.h5": archive.read("model.weights.h5")})

    with pytest.raises(CorruptFileError, match="not those of a lenet for 10 characters"):
        models.load(saved)


def test_a_zip_bomb_is_refused(saved):
    with zipfile.ZipFile(saved) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents["model.weights.h5"] = bytes(200_000_000)
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)

    with pytest.raises(CorruptFileError, match="over the .* bytes that it may have"):
        models.load(saved)


def test_a_kill_while_saving_leaves_the_old_file(saved):
    """The child saves again and again; wherever the kill falls, a whole model is left."""
    code = (
        "import sys; import handwriting as hw; d = hw.alphabet.DIGITS\n"
        "m = hw.models.lenet(d, rng=2); print('ready', flush=True)\n"
        "while True: hw.models.save(m, sys.argv[1], alphabet=d, recipe='mnist')"
    )
    for milliseconds in (30, 120):
        child = subprocess.Popen([sys.executable, "-c", code, str(saved)], stdout=subprocess.PIPE)
        child.stdout.readline()
        try:
            child.wait(milliseconds / 1000)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()

        assert models.load(saved).count_params() == models.lenet(DIGITS).count_params()


def test_models_train_under_jax(tmp_path):
    """The same code on the backend that machines with many GPUs use."""
    pytest.importorskip("jax")
    code = (
        "import handwriting as hw, keras, sys\n"
        "assert keras.backend.backend() == 'jax' and 'tensorflow' not in sys.modules\n"
        "data = hw.datasets.digits.load('train').select(slice(0, 64))\n"
        "for name in hw.models.NAMES:\n"
        "    model = hw.models.build(name, data.alphabet, rng=0)\n"
        "    before = model.get_weights()[0].copy()\n"
        "    history = hw.training.fit(model, data, epochs=1, batch_size=64, validation=None,\n"
        "                              augmentation=hw.training.Augmentation(), rng=0)\n"
        "    assert (model.get_weights()[0] != before).any()\n"
        "hw.models.save(model, sys.argv[1], alphabet=data.alphabet)\n"
        "print(float(hw.evaluation.predict(model, data.images).sum()))\n"
    )
    path = tmp_path / "jax.keras"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert float(result.stdout) == pytest.approx(64)
    assert models.load(path).name == models.NAMES[-1]
