import dataclasses
import subprocess
import sys

import numpy as np
import own_hand
import PIL.Image
import PIL.ImageDraw
import pytest

import handwriting as hw

# Letters of our own, as strokes in a box 10 wide and 14 high.
LETTERS = {
    "A": [[(0, 14), (5, 0), (10, 14)], [(2, 9), (8, 9)]],
    "N": [[(0, 14), (0, 0), (10, 14), (10, 0)]],
    "E": [[(9, 0), (0, 0), (0, 14), (9, 14)], [(0, 7), (7, 7)]],
    "L": [[(0, 0), (0, 14), (9, 14)]],
    "I": [[(3, 0), (3, 14)]],
}

# What our g, m and q are to many where they stand alone.
TAKEN_FOR = {"g": "9", "m": "M", "q": "9"}
BALANCED = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"  # EMNIST's 47


def written(text):
    """A picture of a word, black on white, as a field of a form is cut out."""
    picture = PIL.Image.new("L", (4 * 280, 4 * 36), 255)
    pen = PIL.ImageDraw.Draw(picture)
    for place, letter in enumerate(text):
        for stroke in LETTERS[letter]:
            points = [(4 * (20 + 15 * place + x), 4 * (11 + y)) for x, y in stroke]
            pen.line(points, 0, 7, joint="curve")
    return picture.reduce(4)


@pytest.mark.parametrize("text", ["ANNE", "LEA", "ELIANE", "ALAIN"])
def test_names_are_read(text):
    assert hw.read(written(text), model="names", cut=False).text == text


@pytest.mark.parametrize("width", [3, 5, 8])
def test_digits_are_read(width):
    pictures = [255 - image for image in own_hand.drawn(own_hand.DIGITS, width=width)]

    found = [hw.read(each, model="digits", cut=False).text for each in pictures]

    assert "".join(found) == own_hand.DIGITS


@pytest.mark.parametrize("width", [3, 5])
def test_characters_are_read(width):
    known = "23456789ABCDEFGHIKLMNOQRSTUVWXYZabdefghijkmnpqrt"  # size alone tells the others
    pictures = [255 - image for image in own_hand.drawn(known, width=width)]

    found = [hw.read(each, model="characters", cut=False).text for each in pictures]

    wrong = {true: read for read, true in zip(found, known, strict=True) if read != true}
    assert len(wrong) <= 2
    assert wrong.items() <= TAKEN_FOR.items()


def test_what_is_no_character_is_null():
    network = hw.pretrained.load("characters")
    noise = hw.noise.null_images(200, (28, 28), rng=0)

    labels = network(noise).argmax(axis=1)

    assert np.mean(labels == 0) > 0.97


@pytest.mark.parametrize(
    ("alphabet", "text"),
    [
        (hw.alphabet.DIGITS, "0123456789"),
        (hw.alphabet.Alphabet(BALANCED), "ABDEFGHKLMNRTabdefghnqrt"),
        (hw.alphabet.UPPERCASE, "CKLMNOPSUVWXZ"),
    ],
)
def test_alphabets_are_views_of_the_reader_of_characters(alphabet, text):
    pictures = [255 - image for image in own_hand.drawn(text, width=4)]
    reader = hw.recognizer.load("characters", alphabet=alphabet)

    found = [each.text for each in reader.read_crops(pictures)]
    wrong = {true: read for read, true in zip(found, text, strict=True) if read != true}
    assert len(wrong) <= 1
    assert wrong.items() <= TAKEN_FOR.items()
    assert all(read in alphabet for read in found)


def test_characters_of_alphanums_size_are_read_with_the_same_weights():
    known = "23456789ABCDEFGHIKLMNOQRSTUVWXYZabdefghijkmnpqrt"
    images = hw.preprocessing.normalize(own_hand.drawn(known, width=4), "alphanum")
    model = hw.pretrained.model("characters", image_shape=(24, 24))

    labels = model.predict_on_batch(images).argmax(axis=1)

    alphabet = hw.pretrained.load("characters").facts.alphabet
    assert np.mean(alphabet.encode(known) == labels) > 0.95


def test_a_row_of_digits_is_read():
    assert hw.read(own_hand.row("3141592653"), model="digits").text == "3141592653"


@pytest.mark.parametrize(
    "text",
    [
        *("Hello", "garden", "Zurich", "jumps over", "The quick brown fox", "année", "JOHN"),
        *("Zoe was here in 1984", "né en 1984", "musée"),
        *("Born in 1984, in Zurich.", "It's 10-4", "3.14159"),
    ],
)
def test_lines_are_read(text):
    line = 255 - own_hand.line(text)

    assert hw.recognizer.load("lines").read_crops([line])[0].text == text


def test_a_page_is_read_as_it_comes():
    lines = ["The quick brown fox", "jumps over the lazy dog", "Born in 1984, in Zurich"]

    assert hw.read(own_hand.page(*lines)).text == "\n".join(lines)


@pytest.mark.parametrize("name", hw.pretrained.NAMES)
def test_reading_needs_no_keras(name):
    code = (
        "import sys, handwriting as hw\n"
        f"hw.recognizer.load({name!r})\n"
        "print({'keras', 'tensorflow'} & set(sys.modules))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    )

    assert done.stdout == "set()\n"


@pytest.mark.parametrize("name", hw.pretrained.NAMES)
def test_cards_tell_what_is_to_be_known(name):
    card = hw.pretrained.card(name)

    assert {"reads", "parameters", "data", "measured", "limits", "recipe"} <= set(card)
    assert hw.pretrained.path(name).stat().st_size < 5_000_000


def test_the_card_of_names_tells_what_is_measured(real_data):
    card, network = hw.pretrained.card("names"), hw.pretrained.load("names")
    archive = real_data / "names" / "handwriting-recognition.zip"
    lines = hw.datasets.names.load("validation", archive, size=network.facts.image_shape)

    report = hw.evaluation.evaluate_lines(network, lines, network.facts.alphabet)

    assert report.exact == pytest.approx(card["measured"]["names"]["exact"], abs=0.002)
    assert report.cer == pytest.approx(card["measured"]["names"]["cer"], abs=0.0005)


@pytest.mark.parametrize("name", hw.pretrained.NAMES)
def test_the_weights_are_those_of_the_network_that_reads(name):
    network, model = hw.pretrained.load(name), hw.pretrained.model(name)
    card = hw.models.card(hw.pretrained.path(name, "npz"))
    height, width = network.facts.image_shape
    if network.facts.lines:
        size = (width or 256, height)
        words = [written(word).resize(size) for word in ("ANNE", "LEA", "ELIANE")]
        images = np.stack([255 - np.asarray(word) for word in words])
    else:
        known = [each for each in own_hand.STROKES if each in network.facts.alphabet]
        drawn = [own_hand.drawn("".join(known), width=width) for width in (3, 4, 5, 6)]
        images = hw.preprocessing.normalize(np.concatenate(drawn), network.facts.recipe)

    scores = network(images), model.predict_on_batch(images)

    assert (card.alphabet, card.image_shape, card.recipe) == (
        network.facts.alphabet,
        network.facts.image_shape,
        network.facts.recipe,
    )
    assert model.count_params() == hw.pretrained.card(name)["parameters"]
    assert scores[0].max() > 0.9
    if "whole numbers" in hw.pretrained.card(name)["network"]:
        assert np.mean(scores[0].argmax(axis=1) == scores[1].argmax(axis=1)) > 0.97
        assert np.abs(scores[0] - scores[1]).mean() < 0.01
    else:
        np.testing.assert_allclose(*scores, rtol=0, atol=0.02)


def test_the_card_of_digits_tells_what_is_measured(real_data):
    card, network = hw.pretrained.card("digits"), hw.pretrained.load("digits")
    test = hw.datasets.mnist.load("test", real_data / "mnist")

    report = hw.evaluation.evaluate(network, test)

    assert report.accuracy == pytest.approx(card["measured"]["mnist"]["top 1"], abs=0.0003)
    assert report.calibration_error == pytest.approx(
        card["measured"]["mnist"]["calibration error"], abs=0.0005
    )


def test_the_card_of_characters_tells_what_is_measured(real_data):
    card, network = hw.pretrained.card("characters"), hw.pretrained.load("characters")
    mnist = hw.datasets.mnist.load("test", real_data / "mnist")
    images = hw.preprocessing.normalize(mnist.images, network.facts.recipe)
    test = dataclasses.replace(mnist, images=images, recipe=network.facts.recipe)

    report = hw.evaluation.evaluate(network, test.relabel(network.facts.alphabet))

    assert report.accuracy == pytest.approx(card["measured"]["mnist"]["top 1"], abs=0.0005)


def test_the_card_of_lines_tells_what_is_measured(real_data):
    card, network = hw.pretrained.card("lines"), hw.pretrained.load("lines")
    archive = real_data / "names" / "handwriting-recognition.zip"
    lines = hw.datasets.names.load("validation", archive, size=(48, 512))

    report = hw.evaluation.evaluate_lines(network, lines, network.facts.alphabet)

    assert report.cer == pytest.approx(card["measured"]["names"]["cer"], abs=0.004)
    assert report.exact == pytest.approx(card["measured"]["names"]["exact"], abs=0.015)


def test_the_weights_of_names_read_real_names_alike(real_data):
    archive = real_data / "names" / "handwriting-recognition.zip"
    network = hw.pretrained.load("names")
    lines = hw.datasets.names.load("validation", archive, size=network.facts.image_shape)
    some = lines.select(slice(0, 200))

    ours = hw.evaluation.evaluate_lines(network, some, network.facts.alphabet)
    weights = hw.evaluation.evaluate_lines(
        hw.pretrained.model("names"), some, network.facts.alphabet
    )

    assert weights.readings == ours.readings


def test_a_view_reads_what_it_is_asked_for():
    letters = hw.alphabet.Alphabet("AEILN")

    view = hw.pretrained.load("names", alphabet=letters)

    assert view.facts.alphabet == letters.with_null()
    page = written("ELIANE")
    assert hw.read(page, model="names", alphabet=letters, cut=False).text == "ELIANE"
    assert (
        "E"
        not in hw.read(page, model="names", alphabet=hw.alphabet.Alphabet("AILN"), cut=False).text
    )


def test_a_view_of_what_a_network_does_not_know_is_refused():
    with pytest.raises(ValueError, match="does not know '7'"):
        hw.pretrained.load("names", alphabet=hw.alphabet.Alphabet("A7"))


def test_other_names_are_refused():
    known = "characters, digits, lines, names"
    with pytest.raises(ValueError, match=f"name must be one of {known}, got 'cats'"):
        hw.pretrained.load("cats")
