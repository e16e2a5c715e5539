import subprocess
import sys

import keras
import numpy as np
import onnx
import pytest

from handwriting import evaluation, export, models, recognizer, training
from handwriting.alphabet import DIGITS, Alphabet
from handwriting.datasets import digits
from handwriting.errors import CorruptFileError, HandwritingError, MissingDataError
from handwriting.predictor import Predictor


@pytest.fixture(scope="module")
def lenet():
    return models.lenet(DIGITS, rng=0)


@pytest.fixture(scope="module")
def exported(lenet, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "lenet.onnx"
    export.onnx(lenet, path, alphabet=DIGITS, recipe="emnist", images=digits.load("test").images)
    return path


def test_an_exported_model_gives_the_same_scores(lenet, exported):
    images = digits.load("test").images

    predictor = Predictor(exported)

    np.testing.assert_allclose(
        predictor(images), evaluation.predict(lenet, images), rtol=0, atol=1e-5
    )
    assert predictor(images[:1]).shape == (1, 10)


def test_an_exported_model_says_what_it_is(exported):
    facts = Predictor(exported).facts

    assert facts.alphabet == DIGITS
    assert (facts.image_shape, facts.recipe, facts.lines) == ((28, 28), "emnist", False)
    assert [each.name for each in onnx.load(exported).graph.input] == ["images"]


def test_half_precision_halves_the_file_and_hardly_changes_scores(lenet, exported, tmp_path):
    path, images = tmp_path / "half.onnx", digits.load("test").images

    export.onnx(lenet, path, alphabet=DIGITS, precision="float16")

    assert path.stat().st_size < 0.55 * exported.stat().st_size
    difference = np.abs(Predictor(path)(images) - evaluation.predict(lenet, images)).max()
    assert 0 < difference < 5e-3


def test_whole_numbers_quarter_the_file_and_hardly_change_what_is_read(tmp_path):
    train, test = digits.load("train"), digits.load("test")
    model, path = models.vgg_small(train.alphabet, rng=0), tmp_path / "int8.onnx"
    training.fit(model, train, validation=None, epochs=6, rng=0)

    export.onnx(
        model, path, alphabet=DIGITS, recipe="emnist", images=train.images[:200], precision="int8"
    )

    found, wanted = Predictor(path)(test.images), evaluation.predict(model, test.images)
    assert path.stat().st_size < 0.4 * 4 * model.count_params()
    assert np.mean(found.argmax(axis=1) == wanted.argmax(axis=1)) > 0.98
    assert np.abs(found - wanted).max() > 1e-4


def test_whole_numbers_fit_every_processor_and_are_not_wasted_on_what_is_cut_off(tmp_path):
    model, path = models.vgg_small(DIGITS, rng=0), tmp_path / "int8.onnx"
    images = digits.load("test").images[:100]

    export.onnx(model, path, alphabet=DIGITS, images=images, precision="int8")

    graph = onnx.load(path).graph
    weights = [onnx.numpy_helper.to_array(each) for each in graph.initializer]
    whole = [each for each in weights if each.dtype == np.int8 and each.ndim == 4]
    assert len(whole) == 5  # of six convolutions
    assert all(np.abs(each.astype(int)).max() <= 64 for each in whole)  # 7 bits
    # The others are those lower bounds of ranges.
    assert [node.op_type for node in graph.node].count("Relu") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int4"}, "precision must be one of .*, got 'int4'"),
        ({"precision": "int8"}, "at least 100 images with ink, like those .* be read, got none"),
        ({"precision": "int8", "images": np.ones((99, 28, 28), np.uint8)}, "read, got 99"),
        ({"precision": "int8", "images": np.zeros((200, 28, 28), np.uint8)}, "read, got none"),
        ({"images": np.zeros((5, 24, 24), np.uint8)}, "of 28 x 28, got an array of shape"),
        ({"images": np.zeros((0, 28, 28), np.uint8)}, "must be one or more of 28 x 28"),
    ],
)
def test_wrong_precisions_are_refused(lenet, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        export.onnx(lenet, tmp_path / "no.onnx", alphabet=DIGITS, **options)


def test_whole_numbers_that_read_otherwise_are_refused():
    with pytest.raises(HandwritingError, match="nothing was written"):
        export._compare(np.eye(10), np.roll(np.eye(10), 1, axis=1), "int8")


def test_whole_numbers_of_lines_are_compared_where_there_are_characters():
    blank = np.tile(np.eye(4)[0], (1, 97, 1))
    wanted = np.concatenate([blank, np.eye(4)[None, 1:]], axis=1)
    found = np.concatenate([blank, np.eye(4)[None, [2, 3, 1]]], axis=1)

    export._compare(wanted, wanted, "int8")
    with pytest.raises(HandwritingError, match=r"only 0\.0% of the best characters"):
        export._compare(found, wanted, "int8")
    export._compare(blank, blank, "int8")


@pytest.mark.parametrize("name", ["dense_small", "convnet_small"])
def test_whole_numbers_are_for_networks_of_convolutions(name, tmp_path):
    images = digits.load("test").images[:100]

    with pytest.raises(ValueError, match="of 2 convolutions or more, got [01]; float16"):
        export.onnx(
            models.build(name, DIGITS, (28, 28), rng=0),
            tmp_path / "a.onnx",
            alphabet=DIGITS,
            images=images,
            precision="int8",
        )
    assert not list(tmp_path.iterdir())


def test_readers_of_any_width_are_exported(tmp_path):
    model, path = models.crnn_small(Alphabet("AB"), (16, None), rng=0), tmp_path / "lines.onnx"

    export.onnx(model, path, alphabet=Alphabet("AB"), recipe="line")
    predictor = Predictor(path)

    assert predictor.facts.image_shape == (16, None)
    for width in (32, 64):
        images = np.random.default_rng(0).integers(0, 256, (3, 16, width), dtype=np.uint8)
        np.testing.assert_allclose(
            predictor(images), model.predict_on_batch(images), rtol=0, atol=1e-5
        )
    with pytest.raises(ValueError, match="of shape \\(n, 16, a multiple of 4\\), got"):
        predictor(images[:, :, :30])


def test_a_reader_of_lines_is_exported_with_the_blank(tmp_path):
    model, path = models.crnn_small(Alphabet("AB"), (16, 64), rng=0), tmp_path / "lines.onnx"
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 64), dtype=np.uint8)

    export.onnx(model, path, alphabet=Alphabet("AB"), recipe="line")
    predictor = Predictor(path)

    assert predictor.facts.alphabet == Alphabet(["", "A", "B"])
    assert predictor.facts.lines
    np.testing.assert_allclose(predictor(images), model.predict_on_batch(images), rtol=0, atol=1e-5)


def test_a_network_of_ones_own_becomes_a_reader(tmp_path):
    shape = keras.Input((28, 28), dtype="uint8")
    hidden = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(shape))
    model = keras.Model(shape, keras.layers.Dense(10, activation="softmax")(hidden))
    path = tmp_path / "own.onnx"

    export.onnx(model, path, alphabet=DIGITS, recipe="mnist")
    reader = recognizer.load(path)

    seven = np.zeros((40, 40), np.uint8)
    seven[8:12, 10:30] = seven[8:32, 26:30] = 255
    assert reader.read(seven).text in "0123456789"


def test_reading_needs_no_keras(exported):
    code = (
        "import sys, numpy as np, handwriting as hw\n"
        "page = np.zeros((60, 60), np.uint8); page[20:40, 20:24] = 255\n"
        f"print(len(hw.read(page, model={str(exported)!r}).characters))\n"
        "print({'keras', 'tensorflow'} & set(sys.modules))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    )

    assert done.stdout.split("\n")[:2] == ["1", "set()"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("m.keras", {}, r"path must end in \.onnx"),
        ("m.onnx", {"alphabet": Alphabet("AB")}, "must have the 10 characters"),
        ("m.onnx", {"recipe": "none"}, "recipe must be one of"),
        ("m.onnx", {"recipe": "alphanum"}, r"images of \(28, 28\), which .* of \(24, 24\)"),
    ],
)
def test_what_does_not_fit_is_refused(name, options, message, lenet, tmp_path):
    with pytest.raises(ValueError, match=message):
        export.onnx(lenet, tmp_path / name, **({"alphabet": DIGITS} | options))

    assert not list(tmp_path.iterdir())


def test_an_export_that_differs_is_not_written(lenet, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_TOLERANCE", {"float32": 0.0, "float16": 0.0})

    with pytest.raises(HandwritingError, match=r"scores that differ by .* nothing was written"):
        export.onnx(lenet, tmp_path / "m.onnx", alphabet=DIGITS, precision="float16")

    assert not list(tmp_path.iterdir())


def test_what_is_not_installed_is_named(lenet, tmp_path, monkeypatch):
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(HandwritingError, match=r'pip install "handwriting\[export\]"'):
        export.onnx(lenet, tmp_path / "m.onnx", alphabet=DIGITS)


@pytest.mark.parametrize("change", ["cut", "foreign", "alphabet", "recipe", "empty"])
def test_damaged_and_foreign_files_are_refused(change, exported, tmp_path):
    path = tmp_path / "bad.onnx"
    data = exported.read_bytes()
    if change == "cut":
        data = data[: len(data) // 2]
    elif change == "empty":
        data = b""
    else:
        network = onnx.load(exported)
        (entry,) = network.metadata_props
        if change == "foreign":
            entry.key = "other"
        elif change == "alphabet":
            entry.value = entry.value.replace('"9"', '"9", "A"')
        else:
            entry.value = entry.value.replace("emnist", "none")
        data = network.SerializeToString()
    path.write_bytes(data)

    with pytest.raises(CorruptFileError, match=r"bad\.onnx"):
        Predictor(path)


def test_missing_files_are_told(tmp_path):
    with pytest.raises(MissingDataError, match="no such model"):
        Predictor(tmp_path / "none.onnx")
    with pytest.raises(MissingDataError, match="is a folder"):
        Predictor(tmp_path)


@pytest.mark.parametrize("shape", [(28, 28), (1, 24, 24)])
def test_images_of_another_shape_are_refused(shape, exported):
    with pytest.raises(ValueError, match=r"images must be of shape \(n, 28, 28\)"):
        Predictor(exported)(np.zeros(shape, np.uint8))
