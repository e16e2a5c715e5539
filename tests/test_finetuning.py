import dataclasses

import keras
import numpy as np
import pytest

from handwriting import models, pretrained, training
from handwriting.alphabet import DIGITS, Alphabet
from handwriting.data import CharacterDataset, LineDataset
from handwriting.datasets import digits
from handwriting.errors import MissingDataError

QUICK = {"epochs": 1, "rng": 0}


@pytest.fixture(scope="module")
def upright():
    """A network that has learnt upright digits, in the manner of every other test here."""
    train = digits.load("train")
    model = models.dense_small(DIGITS.with_null(), rng=0)
    training.fit(model, train.relabel(DIGITS.with_null()), epochs=3, rng=0)
    return model


@pytest.fixture(scope="module")
def leaning():
    """A hand that the network has not seen: all its digits lean."""
    some = digits.load("test").select(slice(200))
    images = np.stack(
        [
            np.stack([np.roll(row, (14 - y) // 3) for y, row in enumerate(image)])
            for image in some.images
        ]
    )
    return CharacterDataset(images, some.labels, DIGITS, "leaning", "mnist")


@pytest.fixture
def saved(upright, tmp_path):
    path = tmp_path / "upright.keras"
    models.save(upright, path, alphabet=DIGITS.with_null(), recipe="mnist")
    return path


def test_a_hand_is_read_better_and_others_not_worse(upright, leaning, saved):
    found = training.finetune(saved, leaning, rng=0)

    assert found.improved
    assert found.after.accuracy >= found.before.accuracy + 0.05
    assert (len(found.before.labels), found.alphabet) == (60, DIGITS.with_null())
    others = digits.load("test").select(slice(200, None)).relabel(DIGITS.with_null())
    was, now = (
        np.mean(m.predict_on_batch(others.images).argmax(axis=1) == others.labels)
        for m in (upright, found.model)
    )
    assert now > was - 0.03


def test_it_says_what_was_and_what_is(leaning, saved, tmp_path):
    found = training.finetune(saved, leaning, rng=0)

    lines = str(found).splitlines()

    right = [
        int((report.predicted == report.labels).sum()) for report in (found.before, found.after)
    ]
    assert found.mended - found.spoilt == right[1] - right[0] > 0
    assert lines[0] == f"before: {found.before.accuracy:.2%} of 60 images right ({right[0]})"
    assert lines[1] == f"after: {found.after.accuracy:.2%} of 60 images right ({right[1]})"
    assert lines[2] == f"{found.mended} read right that were not, {found.spoilt} no longer"
    found.save(tmp_path / "mine.keras")
    assert models.card(tmp_path / "mine.keras") == models.card(saved)


def test_where_nothing_is_gained_the_old_weights_are_kept_and_it_says_so(upright, leaning):
    alphabet = DIGITS.with_null()

    found = training.finetune(
        upright, leaning, alphabet=alphabet, learning_rate=1e-12, epochs=1, rng=0
    )

    assert not found.improved
    assert "this is no better, and the old weights are kept" in str(found)
    for new, old in zip(found.model.get_weights(), upright.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_a_keras_model_is_left_as_it_is(upright, leaning):
    old = upright.get_weights()

    found = training.finetune(upright, leaning, alphabet=DIGITS.with_null(), rng=0)

    assert found.model is not upright
    assert any((a != b).any() for a, b in zip(found.model.get_weights(), old, strict=True))
    assert all((a == b).all() for a, b in zip(upright.get_weights(), old, strict=True))


def test_batch_normalization_keeps_its_statistics_and_can_be_trained_again(tiny):
    model = models.vgg_small(DIGITS, rng=0)

    found = training.finetune(model, tiny, held_back=0.5, learning_rate=1e-2, **QUICK)

    pairs = list(zip(found.model.layers, model.layers, strict=True))
    norms = [(new, old) for new, old in pairs if isinstance(old, keras.layers.BatchNormalization)]
    assert len(norms) == 6
    for new, old in norms:
        np.testing.assert_array_equal(new.moving_mean, old.moving_mean)
        np.testing.assert_array_equal(new.gamma, old.gamma)
        assert new.trainable
        assert old.trainable


def test_equal_seeds_give_equal_weights(leaning, saved):
    one, same = (training.finetune(saved, leaning, epochs=2, rng=3).model for _ in range(2))

    for a, b in zip(one.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_held_back_is_stratified_and_not_learnt_from(leaning, saved, monkeypatch):
    seen = []
    fit = training.finetuning.fit
    monkeypatch.setattr(
        training.finetuning, "fit", lambda m, train, **o: seen.append(train) or fit(m, train, **o)
    )

    found = training.finetune(saved, leaning, held_back=0.5, **QUICK)

    held_back = np.bincount(found.before.labels)
    np.testing.assert_allclose(held_back, np.bincount(seen[0].labels), atol=1)
    assert len(seen[0]) == len(found.before.labels) == 100


def test_the_network_of_names_is_trained_on_by_its_name():
    rng = np.random.default_rng(0)
    images = np.zeros((6, *pretrained.load("names").facts.image_shape), np.uint8)
    images[:, 10:30, 20:60] = rng.integers(0, 2, (6, 20, 40)) * 255
    lines = LineDataset(images, [100] * 6, ["AB", "A", "B"] * 2, Alphabet("AB"), recipe="line")

    found = training.finetune("names", lines, held_back=0.34, **QUICK)

    assert found.alphabet.characters[:5] == ("", " ", "'", "-", "A")
    assert found.recipe == "line"
    assert len(found.after.truths) == 2
    assert str(found).startswith("before: CER ")


@pytest.mark.parametrize("width", [96, 160])
def test_the_reader_of_lines_is_trained_on_with_lines_of_any_width(width):
    images = np.zeros((6, 48, width), np.uint8)
    images[:, 10:30, 10:60] = np.random.default_rng(0).integers(0, 2, (6, 20, 50)) * 255
    texts = ["so it is", "it", "is so"] * 2
    lines = LineDataset(images, [80] * 6, texts, Alphabet(" iost"), recipe="line-tight")

    found = training.finetune("lines", lines, held_back=0.34, **QUICK)

    assert found.model.input_shape == (None, 48, None)
    assert len(found.after.truths) == 2
    with pytest.raises(ValueError, match="lines of 48 x any width, got LineDataset.* 40 x"):
        training.finetune("lines", dataclasses.replace(lines, images=images[:, :40]), **QUICK)
    with pytest.raises(ValueError, match="got those of line; load the dataset with recipe='line-t"):
        training.finetune("lines", dataclasses.replace(lines, recipe="line"), **QUICK)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alphabet": Alphabet("é12345678ñ")}, "does not know 'é', 'ñ', which stand in"),
        ({"recipe": "emnist"}, "the recipe of the network, mnist, got those of emnist"),
        ({"images": np.zeros((200, 24, 24), np.uint8)}, "reads characters of 28 x 28, got Char"),
    ],
)
def test_what_the_network_cannot_read_is_refused(change, message, leaning, saved):
    with pytest.raises(ValueError, match=message):
        training.finetune(saved, dataclasses.replace(leaning, **change), **QUICK)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"held_back": 0.0}, "between 0 and 1"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"learning_rate": 0}, "learning_rate must be above 0"),
        ({"alphabet": DIGITS}, "names and files tell theirs"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message, leaning, saved):
    with pytest.raises(ValueError, match=message):
        training.finetune(saved, leaning, **options)


def test_other_things_are_no_models_no_datasets_and_no_augmentations(leaning, saved, upright):
    with pytest.raises(TypeError, match="a name, a model file or a Keras model, got int"):
        training.finetune(7, leaning)
    with pytest.raises(TypeError, match="must be a CharacterDataset or a LineDataset"):
        training.finetune(saved, leaning.images)
    with pytest.raises(TypeError, match="augmentation must be of Augmentation"):
        training.finetune(saved, leaning, augmentation=training.LineAugmentation())
    with pytest.raises(ValueError, match="must have the 11 characters of the model's outputs"):
        training.finetune(upright, leaning)
    with pytest.raises(MissingDataError, match="no such model"):
        training.finetune("gone.keras", leaning)


def test_alphabets_may_hold_more_than_stands_there(leaning, saved):
    more = leaning.relabel(Alphabet("9876543210é"))

    found = training.finetune(saved, more, **QUICK)

    assert found.before.alphabet == DIGITS.with_null()
