import keras
import numpy as np
import pytest

from handwriting import ctc, evaluation, models
from handwriting.alphabet import DIGITS, Alphabet
from handwriting.data import CharacterDataset, LineDataset
from handwriting.training import calibrate, calibrate_lines

SHAPE = (4, 8)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def too_sure(times):
    """A model whose logits are ``times`` those of the truth, and images drawn from that truth."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4000, *SHAPE)).astype(np.uint8)
    weights = rng.normal(0, 2, (32, 10))
    logits = images.reshape(-1, 32) / 255 @ weights
    labels = np.array([rng.choice(10, p=p) for p in softmax(logits)])
    model = keras.Sequential(
        [
            keras.Input(SHAPE, dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.layers[-1].set_weights([times * weights, np.zeros(10)])
    return model, CharacterDataset(images, labels, DIGITS)


@pytest.mark.parametrize("times", [0.4, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_taken_out(times):
    model, dataset = too_sure(times)
    before = evaluation.evaluate(model, dataset)
    last = [weights.copy() for weights in model.layers[-1].get_weights()]

    temperature = calibrate(model, dataset)

    after = evaluation.evaluate(model, dataset)
    assert temperature == pytest.approx(times, rel=0.05)
    np.testing.assert_array_equal(after.predicted, before.predicted)
    for now, then in zip(model.layers[-1].get_weights(), last, strict=True):
        np.testing.assert_allclose(now, then / temperature, rtol=1e-5)
    assert after.calibration_error < 0.03
    assert times == 1 or after.calibration_error < before.calibration_error - 0.05
    assert calibrate(model, dataset) == pytest.approx(1, abs=0.01)


def test_the_bias_cools_as_the_weights_do():
    model, dataset = too_sure(1.0)
    model.layers[-1].bias.assign(np.arange(10) / 3)
    scores = evaluation.predict(model, dataset.images[:50]).astype(float)

    temperature = calibrate(model, dataset)

    expected = softmax(np.log(scores) / temperature)
    np.testing.assert_allclose(evaluation.predict(model, dataset.images[:50]), expected, atol=1e-4)


def test_a_calibrated_model_is_saved_calibrated(tmp_path):
    alphabet = Alphabet("ab")
    model = models.dense_small(alphabet, (8, 8), rng=0)
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (300, 8, 8)).astype(np.uint8)
    raw = evaluation.predict(model, images)
    labels = np.where(rng.random(300) < 0.9, raw.argmax(axis=1), raw.argmin(axis=1))
    dataset = CharacterDataset(images, labels, alphabet)

    calibrate(model, dataset)
    models.save(model, tmp_path / "model.keras", alphabet=alphabet)

    kept = evaluation.predict(models.load(tmp_path / "model.keras"), images)
    np.testing.assert_allclose(kept, evaluation.predict(model, images), atol=1e-6)
    assert not np.allclose(kept, raw, atol=1e-3)


def line_reader(times):
    """A reader of four steps whose logits are ``times`` those that the truth is drawn from."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4000, 1, 4)).astype(np.uint8)
    weights, bias = rng.normal(0, 9, (1, 3)), np.array([0.5, 0, -0.5])
    paths = [
        [rng.choice(3, p=p) for p in steps]
        for steps in softmax(images.reshape(-1, 4, 1) / 255 @ weights + bias)
    ]
    alphabet = Alphabet("ab").with_null()
    read = ctc.greedy(np.eye(3)[paths], alphabet)
    model = keras.Sequential(
        [
            keras.Input((1, 4), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Permute((2, 1)),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.layers[-1].set_weights([times * weights, times * bias])
    texts = [each.text for each in read]
    return model, LineDataset(images, [4] * 4000, texts, Alphabet("ab"))


@pytest.mark.parametrize("times", [0.4, 2.5])
def test_a_reader_of_lines_becomes_as_sure_of_a_line_as_it_is_right(times):
    model, lines = line_reader(times)
    alphabet = lines.alphabet.with_null()
    before = evaluation.evaluate_lines(model, lines, alphabet)

    temperature = calibrate_lines(model, lines)

    after = evaluation.evaluate_lines(model, lines, alphabet)
    assert temperature == pytest.approx(times, rel=0.1)
    assert after.readings == before.readings
    assert after.calibration_error < 0.03 < before.calibration_error


def test_steps_beyond_a_line_say_nothing_of_the_temperature():
    model, lines = line_reader(2.0)
    wide = np.concatenate([lines.images, lines.images[:, :, ::-1]], axis=2)
    padded = LineDataset(wide, lines.widths, lines.texts, lines.alphabet)
    wider = keras.Sequential([keras.Input((1, 8), dtype="uint8"), *model.layers])
    alone = calibrate_lines(model, lines)

    wider.layers[-1].set_weights([w * alone for w in model.layers[-1].get_weights()])

    assert calibrate_lines(wider, padded) == pytest.approx(alone, rel=1e-3)


@pytest.mark.parametrize("read", ["right", "wrong"])
def test_a_set_that_is_read_without_error_tells_no_temperature(read):
    model, dataset = too_sure(1.0)
    labels = evaluation.evaluate(model, dataset).predicted
    if read == "wrong":
        labels = evaluation.predict(model, dataset.images).argmin(axis=1)
    weights = model.layers[-1].get_weights()

    with pytest.raises(ValueError, match=f"got 4000 that are all {read}"):
        calibrate(model, CharacterDataset(dataset.images, labels, DIGITS))

    np.testing.assert_array_equal(model.layers[-1].get_weights()[0], weights[0])


def test_a_model_that_is_all_too_sure_and_right_tells_no_temperature():
    # Its loss is exactly 0 at several temperatures.
    images = (np.eye(10)[np.arange(200) % 10, None] * 255).astype(np.uint8)
    layers = [keras.Input((1, 10), dtype="uint8"), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])
    model.layers[-1].set_weights([np.eye(10), np.zeros(10)])

    with pytest.raises(ValueError, match="got 200 that are all right"):
        calibrate(model, CharacterDataset(images, np.arange(200) % 10, DIGITS))


@pytest.mark.parametrize("text", ["right", "wrong"])
def test_lines_that_are_read_alike_tell_no_temperature(text):
    model, lines = line_reader(1.0)
    read = evaluation.evaluate_lines(model, lines, lines.alphabet.with_null()).readings
    texts = [each if text == "right" else each + "a" for each in read]

    with pytest.raises(ValueError, match=f"got 4000 that are all {text}"):
        calibrate_lines(model, LineDataset(lines.images, lines.widths, texts, lines.alphabet))
    with pytest.raises(ValueError, match="got no dataset"):
        calibrate_lines(model, [])


def test_only_a_softmax_can_be_calibrated():
    images = np.zeros((3, *SHAPE), np.uint8)
    dataset = CharacterDataset(images, [0, 1, 2], DIGITS)
    for last in (keras.layers.Dense(10), keras.layers.ReLU()):
        model = keras.Sequential(
            [
                keras.Input(SHAPE, dtype="uint8"),
                keras.layers.Flatten(),
                keras.layers.Dense(10),
                last,
            ]
        )
        with pytest.raises(
            ValueError, match="last layer of the model must be a keras.layers.Dense"
        ):
            calibrate(model, dataset)


def test_a_set_must_fit_the_model():
    model, dataset = too_sure(1.0)
    reader, lines = line_reader(1.0)

    with pytest.raises(ValueError, match="knows 10 characters"):
        calibrate(model, dataset.relabel(DIGITS.with_null()))
    with pytest.raises(ValueError, match="got none in"):
        calibrate(model, dataset.select([]))
    with pytest.raises(ValueError, match="knows 3 labels, got 4"):
        calibrate_lines(reader, lines.relabel(Alphabet("abc")))
