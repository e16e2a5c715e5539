import keras
import numpy as np
import pytest

from handwriting import evaluation, export, models, preprocessing, recognizer
from handwriting.alphabet import ASCII, DIGITS, LOWERCASE, UPPERCASE, Alphabet
from handwriting.datasets import digits, emnist
from handwriting.predictor import Facts, Predictor, View

IMAGES = np.zeros((2, 28, 28), np.uint8)
KNOWN = ASCII.with_null()


def network(alphabet, scores, *, lines=False):
    """Something that gives the scores of some characters; all others share what is left."""
    row = np.zeros(len(alphabet), np.float32)
    for character, score in scores.items():
        row[alphabet.encode([character])] = score
    row[row == 0] = (1 - row.sum()) / max(1, (row == 0).sum())
    shape = (2, 3, len(alphabet)) if lines else (2, len(alphabet))

    def predictor(images):
        assert images is IMAGES
        return np.broadcast_to(row, shape)

    predictor.facts = Facts(alphabet, (28, 28), "line" if lines else "emnist", lines)
    return predictor


def seen(view):
    """The scores of a view for one image or step, by character."""
    scores = view(IMAGES)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=-1), 1, rtol=1e-6)
    row = scores.reshape(-1, scores.shape[-1])[0].tolist()
    return dict(zip(view.facts.alphabet, row, strict=True))


def test_a_view_gives_the_asked_characters_alone():
    view = View(network(KNOWN, {"7": 0.3, "1": 0.1, "l": 0.5}), DIGITS)

    scores = seen(view)

    assert (view.facts.alphabet, view.facts.image_shape, view.facts.recipe) == (
        DIGITS,
        (28, 28),
        "emnist",
    )
    assert list(scores) == list(DIGITS)
    assert scores["7"] / scores["1"] == pytest.approx(3, rel=1e-5)
    assert scores["7"] > 0.7


def test_the_order_is_that_of_the_view():
    assert seen(View(network(KNOWN, {"7": 0.6, "a": 0.2}), Alphabet("a7")))["7"] == pytest.approx(
        0.75
    )


@pytest.mark.parametrize(
    ("subset", "expected"),
    [
        ("byclass", {"C": 0.2, "c": 0.4, "A": 0.1, "a": 0.2}),
        ("balanced", {"C": 0.6, "A": 0.1, "a": 0.2}),
        ("letters", {"C": 0.6, "A": 0.3}),
    ],
)
def test_classes_that_an_alphabet_merges_add_up(subset, expected):
    scores = {"C": 0.2, "c": 0.4, "A": 0.1, "a": 0.2, "!": 0.1}
    own = network(KNOWN, scores)

    found = seen(View(own, emnist.ALPHABETS[subset]))

    assert list(found) == list(emnist.ALPHABETS[subset])
    for character, score in expected.items():
        assert found[character] == pytest.approx(score / 0.9, abs=1e-5)


def test_a_view_of_47_classes_is_the_dataset_of_47_classes():
    labels = emnist.ALPHABETS["byclass"].encode("cCaAzZ09q")
    eye = np.eye(62, dtype=np.float32)[labels]
    facts = Facts(emnist.ALPHABETS["byclass"], (28, 28), "emnist", lines=False)
    mixed = digits.load("test").select(slice(0, 9))
    mixed = type(mixed)(mixed.images, labels, facts.alphabet)

    view = View(lambda images: eye, emnist.ALPHABETS["balanced"], facts)

    assert evaluation.evaluate(view, emnist.convert(mixed, "balanced")).accuracy == 1


def test_small_letters_do_not_take_from_capitals():
    small, capital = View(network(KNOWN, {"c": 0.1, "C": 0.8}), LOWERCASE), Alphabet("Cx")

    assert seen(small)["c"] == pytest.approx(0.79, abs=0.01)  # 0.97, were C added to it
    assert seen(View(network(KNOWN, {"c": 0.8, "C": 0.1}), capital))["C"] > 0.99


def test_null_is_where_the_alphabet_has_it():
    own = network(KNOWN, {"": 0.5, "7": 0.25})

    with_null, without = View(own, DIGITS.with_null()), View(own, DIGITS)

    assert seen(with_null)[""] == pytest.approx(2 * seen(with_null)["7"])
    assert "" not in seen(without)


def test_a_view_of_a_reader_of_lines_keeps_the_blank():
    own = network(KNOWN, {"": 0.5, "7": 0.25}, lines=True)

    view = View(own, DIGITS)

    assert view.facts.alphabet == DIGITS.with_null()
    assert view(IMAGES).shape == (2, 3, 11)
    assert seen(view)[""] == pytest.approx(2 * seen(view)["7"])


def test_where_nothing_is_possible_all_is_alike():
    own = network(Alphabet("ab7"), {"a": 1.0, "b": 0.0})

    assert seen(View(own, Alphabet("b7"))) == {"b": 0.5, "7": 0.5}


def test_scores_that_are_no_numbers_stay_such():
    own = network(Alphabet("ab7"), {"a": np.nan})

    assert np.isnan(View(own, Alphabet("ab"))(IMAGES)).all()


@pytest.mark.parametrize(
    ("alphabet", "message"),
    [
        (Alphabet("7é"), "the network does not know 'é'; alphabet must be characters of Alph"),
        (Alphabet("7éñ"), "'é', 'ñ'"),
        (DIGITS.with_null(), "'null'"),
        (Alphabet("A7"), "does not know 'A'"),
    ],
)
def test_characters_that_the_network_does_not_know_are_named(alphabet, message):
    own = network(Alphabet("0123456789a"), {"7": 1.0})

    with pytest.raises(ValueError, match=message):
        View(own, alphabet)


def test_a_view_of_a_view_and_of_a_keras_model():
    model = models.lenet(DIGITS, rng=0)
    images, facts = digits.load("test").images, Facts(DIGITS, (28, 28), "mnist", lines=False)

    once = View(model, Alphabet("4567"), facts)
    twice = View(once, Alphabet("75"))
    scores = evaluation.predict(twice, images)

    own = evaluation.predict(model, images)[:, [7, 5]]
    np.testing.assert_allclose(scores, own / own.sum(axis=1, keepdims=True), rtol=1e-5)


@pytest.fixture(scope="module")
def tall_is_one(tmp_path_factory):
    """Networks of 0, 1 and l, which give a tall bar as l, or else 1, and never as 0."""
    folder = tmp_path_factory.mktemp("view")
    alphabet = Alphabet("01l")
    model = models.build("dense_small", alphabet, rng=0)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    model.layers[-1].bias.assign(np.log([0.1, 0.3, 0.6]).astype(np.float32))
    models.save(model, folder / "bar.keras", alphabet=alphabet, recipe="mnist")
    export.onnx(model, folder / "bar.onnx", alphabet=alphabet, recipe="mnist")
    keras.backend.clear_session()
    return folder


@pytest.mark.parametrize("name", ["bar.onnx", "bar.keras"])
def test_model_files_are_read_with_another_alphabet(name, tall_is_one):
    page = np.full((60, 60), 255, np.uint8)
    page[20:40, 28:32] = 0
    path = tall_is_one / name

    assert recognizer.load(path).read(page, cut=False).text == "l"
    digit = recognizer.load(path, alphabet=Alphabet("01")).read(page, cut=False).characters[0]
    assert digit.text == "1"
    assert digit.confidence == pytest.approx(0.75, abs=1e-3)
    assert recognizer.read(page, model=path, alphabet=Alphabet("01"), cut=False).text == "1"


def test_a_view_takes_a_predictor(tall_is_one):
    view = View(Predictor(tall_is_one / "bar.onnx"), Alphabet("01"))
    image = preprocessing.normalize(np.eye(40, dtype=np.uint8) * 255, "mnist")

    np.testing.assert_allclose(view(image[None]), [[0.25, 0.75]], rtol=1e-3)


def test_a_recognizer_has_its_own_alphabet(tall_is_one):
    reader = recognizer.load(tall_is_one / "bar.onnx")

    with pytest.raises(ValueError, match="a recognizer has its own"):
        recognizer.read(IMAGES[0], model=reader, alphabet=UPPERCASE)
