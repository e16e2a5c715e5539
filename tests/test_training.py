import csv
import dataclasses
import math

import keras
import numpy as np
import pytest

from handwriting import evaluation, models, training
from handwriting.alphabet import DIGITS, LETTERS
from handwriting.data import CharacterDataset
from handwriting.datasets import digits
from handwriting.errors import CorruptFileError, HandwritingError
from handwriting.training import Augmentation, Batches, augment


def test_a_model_learns(tiny):
    model = models.dense_small(DIGITS, rng=0)

    history = training.fit(model, tiny, epochs=5, validation=0.2, rng=0)

    assert history["loss"][-1] < history["loss"][0] / 2
    assert history["val_accuracy"][-1] == 1
    assert {len(values) for values in history.values()} == {5}


@pytest.mark.parametrize("name", models.NAMES)
def test_equal_seeds_give_equal_runs(name, tiny):
    def run(seed):
        model = models.build(name, DIGITS, rng=1)
        training.fit(model, tiny, epochs=2, batch_size=8, augmentation=Augmentation(), rng=seed)
        return model.get_weights()

    first, again, other = run(5), run(5), run(6)

    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])


def test_a_second_fit_goes_on_learning(tiny):
    model = models.dense_small(DIGITS, rng=0)
    training.fit(model, tiny, epochs=1, validation=None, rng=0)
    before = model.get_weights()[0]

    history = training.fit(model, tiny, epochs=2, validation=None, rng=0)

    assert history["learning_rate"][0] == pytest.approx(2e-3)
    assert not np.array_equal(before, model.get_weights()[0])


def test_the_weights_of_the_best_epoch_come_back(tiny):
    worse = CharacterDataset(tiny.images, 1 - tiny.labels, DIGITS)
    model = models.dense_small(DIGITS, rng=0)

    history = training.fit(model, tiny, validation=worse, epochs=30, patience=2, rng=0)

    assert len(history["loss"]) < 30
    scores = model.predict_on_batch(worse.images)
    loss = -np.log(scores[np.arange(20), worse.labels]).mean()
    assert loss == pytest.approx(min(history["val_loss"]), rel=1e-4)


def test_schedules_do_what_they_say(tiny):
    def rates(schedule, validation=0.2):
        model = models.dense_small(DIGITS, rng=0)
        options = {"epochs": 8, "patience": 4, "batch_size": 4, "rng": 0}
        return training.fit(model, tiny, schedule=schedule, validation=validation, **options)[
            "learning_rate"
        ]

    worse = CharacterDataset(tiny.images, 1 - tiny.labels, DIGITS)
    np.testing.assert_allclose(rates("constant"), 2e-3)
    cosine = rates("cosine")
    assert cosine == sorted(cosine, reverse=True)
    assert cosine[-1] < 2e-4
    plateau = rates("plateau", worse)
    assert plateau[-1] == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"learning_rate": 0}, "learning_rate must be above 0"),
        ({"learning_rate": math.nan}, "learning_rate must be above 0"),
        ({"schedule": "linear"}, "schedule must be one of"),
        ({"validation": 0.0}, "fraction must lie between 0 and 1"),
    ],
)
def test_wrong_arguments_are_named(options, message, tiny):
    with pytest.raises(ValueError, match=message):
        training.fit(models.dense_small(DIGITS), tiny, **options)


def test_a_model_that_does_not_fit_is_refused(tiny):
    with pytest.raises(ValueError, match="knows 52 characters, got CharacterDataset"):
        training.fit(models.dense_small(LETTERS), tiny)
    with pytest.raises(ValueError, match="eats images of 24 x 24"):
        training.fit(models.dense_small(DIGITS, (24, 24)), tiny)
    with pytest.raises(ValueError, match="eats images of 28 x 28"):
        training.fit(models.dense_small(DIGITS), tiny, validation=digits.load("test", raw=True))


def test_an_empty_set_is_refused(tiny):
    with pytest.raises(ValueError, match="there must be images to learn from"):
        training.fit(models.dense_small(DIGITS), tiny.select([]))
    with pytest.raises(ValueError, match="there must be images"):
        training.fit(models.dense_small(DIGITS), tiny, validation=tiny.select([]))


def test_a_loss_that_is_no_number_is_an_error(tiny):
    model = models.dense_small(DIGITS, rng=0)
    model.layers[-1].bias.assign(np.full(10, np.nan))

    with pytest.raises(HandwritingError, match="lower the learning rate"):
        training.fit(model, tiny, epochs=2, validation=None)


def test_a_validation_loss_that_is_no_number_is_an_error(tiny):
    with pytest.raises(HandwritingError, match="lower the learning rate, got 1e\\+30"):
        training.fit(
            models.dense_small(DIGITS, rng=0),
            tiny,
            epochs=1,
            batch_size=64,
            learning_rate=1e30,
            rng=0,
        )


def test_validation_on_another_alphabet_is_refused(tiny):
    backwards = tiny.relabel(type(DIGITS)("9876543210"))

    with pytest.raises(ValueError, match="validation must have the alphabet of the training set"):
        training.fit(models.dense_small(DIGITS), tiny, validation=backwards)


@pytest.mark.parametrize("option", ["checkpoint", "csv", "tensorboard"])
def test_outputs_that_cannot_be_written_are_found_out_first(option, tiny, tmp_path):
    (tmp_path / "file").touch()
    model = models.dense_small(DIGITS, rng=0)
    before = model.get_weights()[0]

    with pytest.raises(OSError, match="file"):
        training.fit(model, tiny, **{option: tmp_path / "file" / "a.keras"})
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_a_checkpoint_that_could_not_be_written_is_found_out_before_training(tiny, tmp_path):
    afresh = models.dense_small(tiny.alphabet, rng=0)
    foreign = keras.Sequential(
        [keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10, name="scores")]
    )
    before = afresh.get_weights()[0].copy()

    with pytest.raises(ValueError, match=r"path must end in \.keras, got .*m\.h5"):
        training.fit(afresh, tiny, checkpoint=tmp_path / "m.h5", epochs=1)
    with pytest.raises(ValueError, match="must come from one of the builders"):
        training.fit(foreign, tiny, checkpoint=tmp_path / "m.keras", epochs=1)
    large = CharacterDataset(np.zeros((4, 20, 130), np.uint8), [0, 1, 0, 1], DIGITS)
    model = models.dense_small(DIGITS, large.image_shape)
    with pytest.raises(ValueError, match="at most 128 x 128 pixels to save .* got 20 x 130"):
        training.fit(model, large, checkpoint=tmp_path / "m.keras", epochs=1)

    assert (afresh.get_weights()[0] == before).all()


def test_a_checkpoint_is_the_best_model_so_far(tiny, tmp_path):
    worse = CharacterDataset(tiny.images, 1 - tiny.labels, DIGITS)
    model = models.dense_small(DIGITS, rng=0)

    training.fit(model, tiny, validation=worse, epochs=4, checkpoint=tmp_path / "a.keras", rng=0)

    assert models.card(tmp_path / "a.keras").recipe == "mnist"
    kept = models.load(tmp_path / "a.keras")
    for a, b in zip(kept.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_logs_are_written(tiny, tmp_path):
    training.fit(
        models.dense_small(DIGITS),
        tiny,
        epochs=3,
        csv=tmp_path / "log.csv",
        tensorboard=tmp_path / "board",
        checkpoint=tmp_path / "a.keras",
        validation=None,
    )

    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert all(float(row["loss"]) > 0 for row in rows)
    assert list((tmp_path / "board").rglob("events.*"))
    assert (tmp_path / "a.keras").exists()


def test_the_progress_bar_is_silent_without_a_terminal(tiny, capfd):
    training.fit(models.dense_small(DIGITS), tiny, epochs=1)
    silent = capfd.readouterr()
    training.fit(models.dense_small(DIGITS), tiny, epochs=1, progress=True)
    shown = capfd.readouterr()

    assert "batch" not in silent.out + silent.err
    assert "epoch 1/1" in shown.err


def test_batches_hold_every_image_once_an_epoch_in_another_order(tiny):
    batches = Batches(tiny, batch_size=6, seed=0)

    def epoch():
        return np.concatenate([batches[i][0] for i in range(len(batches))])

    first = epoch()
    batches.on_epoch_begin()
    batches.on_epoch_begin()
    second = epoch()

    assert len(batches) == 4
    for images in (first, second):
        assert sorted(map(bytes, images)) == sorted(map(bytes, tiny.images))
    assert not np.array_equal(first, second)


def test_each_epoch_can_have_images_of_its_own(tiny):
    seen = []

    def afresh(epoch):
        seen.append(epoch)
        return dataclasses.replace(tiny, images=np.roll(tiny.images, epoch, axis=2))

    model = models.dense_small(tiny.alphabet, rng=0)
    batches = training.Batches(afresh(0), batch_size=len(tiny), afresh=afresh)
    first = batches[0][0]
    batches.on_epoch_begin()
    batches.on_epoch_begin()
    training.fit(model, afresh, validation=tiny, epochs=2, rng=0)

    assert (batches[0][0] == np.roll(first, 1, axis=2)).all()
    assert seen[:4] == [0, 1, 0, 1]


def test_epochs_of_different_size_are_refused(tiny):
    model = models.dense_small(tiny.alphabet, rng=0)

    with pytest.raises(ValueError, match="all epochs must be like the first"):
        training.fit(
            model, lambda epoch: tiny.select(slice(epoch, None)), validation=None, epochs=3
        )


def test_no_share_of_changing_images_is_held_back(tiny):
    model = models.dense_small(tiny.alphabet, rng=0)

    with pytest.raises(ValueError, match=r"must be a dataset or None .* got 0.1"):
        training.fit(model, lambda _: tiny)


def test_smoothed_labels_keep_scores_from_the_ends(tiny):
    sharp, smooth = (models.dense_small(tiny.alphabet, rng=0) for _ in range(2))
    options = {"validation": None, "epochs": 20, "rng": 0}

    training.fit(sharp, tiny, **options)
    training.fit(smooth, tiny, label_smoothing=0.3, **options)

    tops = [evaluation.predict(model, tiny.images).max(axis=1) for model in (sharp, smooth)]
    assert np.median(tops[0]) > 0.95
    assert np.median(tops[1]) < 0.85


def test_an_optimizer_takes_the_place_of_adam(tiny):
    model = models.dense_small(tiny.alphabet, rng=0)
    before = model.get_weights()

    training.fit(model, tiny, optimizer=keras.optimizers.SGD(0.0), epochs=1, rng=0)

    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def killed(call):
    """Break a training off within its third epoch or the fourth."""
    left = iter(range(7))

    def once_too_often(*_, **__):
        if next(left, None) is None:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.callbacks.StopOnNaN, "on_train_batch_end", once_too_often)
        with pytest.raises(KeyboardInterrupt):
            call()


@pytest.mark.parametrize(
    "case",
    [
        {"validation": None, "augmentation": Augmentation()},
        {"validation": 0.2, "label_smoothing": 0.1, "optimizer": "adamw"},
        {"validation": "worse", "schedule": "plateau", "patience": 4},
        {"validation": None, "train": "afresh"},
    ],
    ids=["augmented", "chosen", "plateau", "afresh"],
)
def test_a_training_that_was_killed_goes_on_to_the_same_end(case, tiny, tmp_path):
    worse = dataclasses.replace(tiny, labels=1 - tiny.labels)

    def afresh(epoch):
        return dataclasses.replace(tiny, images=np.roll(tiny.images, epoch, axis=2))

    def run(name, **options):
        model = models.dense_small(DIGITS, rng=0)
        options |= {"epochs": 6, "batch_size": 8, "rng": 3} | case
        if case["validation"] == "worse":
            options["validation"] = worse
        if "optimizer" in case:
            options["optimizer"] = keras.optimizers.AdamW(1e-3)
        train = afresh if options.pop("train", None) else tiny
        path = tmp_path / f"{name}.keras"
        return model, training.fit(model, train, checkpoint=path, **options)

    whole, expected = run("whole")
    killed(lambda: run("killed"))
    resumed, history = run("killed", csv=tmp_path / "log.csv", resume=True)

    assert history == expected
    for a, b in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    kept = models.load(tmp_path / "killed.keras")
    np.testing.assert_array_equal(kept.get_weights()[0], whole.get_weights()[0])
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 1 + len(expected["loss"])


def test_a_resumed_fit_that_was_over_changes_nothing(tiny, tmp_path):
    options = {"checkpoint": tmp_path / "a.keras", "epochs": 2, "rng": 0}
    first, second = (models.dense_small(DIGITS, rng=seed) for seed in (0, 5))

    expected = training.fit(first, tiny, **options)

    assert training.fit(second, tiny, resume=True, **options) == expected
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_resumed_fit_that_was_over_writes_its_files_again(tiny, tmp_path):
    model, log = tmp_path / "a.keras", tmp_path / "a.csv"
    options = {"checkpoint": model, "epochs": 2, "rng": 0}
    expected = training.fit(models.dense_small(DIGITS, rng=0), tiny, **options)
    best = models.load(model).get_weights()
    model.unlink()

    training.fit(models.dense_small(DIGITS, rng=5), tiny, csv=log, resume=True, **options)

    for a, b in zip(models.load(model).get_weights(), best, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(log.read_text().splitlines()) == 1 + len(expected["loss"])


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"epochs": 3}, "got {'epochs': '3', "),
        ({"rng": 1}, "'seed': "),
        ({"learning_rate": 0.1}, "'initial_learning_rate': 0.1, "),
        ({"optimizer": keras.optimizers.SGD(0.1)}, "'optimizer': \"'SGD'\""),
        ({"label_smoothing": 0.2}, "'label_smoothing': "),
        ({"train": "labels"}, "'data': "),
        ({"train": "images"}, "'data': "),
        ({"validation": "images"}, "'watched': "),
    ],
)
def test_resuming_another_fit_is_refused_and_what_differs_is_named(changed, named, tiny, tmp_path):
    options = {"checkpoint": tmp_path / "a.keras", "epochs": 2, "rng": 0}
    others = {
        "labels": dataclasses.replace(tiny, labels=tiny.labels[::-1].copy()),
        "images": dataclasses.replace(tiny, images=255 - tiny.images),
    }
    changed = {name: others.get(str(value), value) for name, value in changed.items()}
    options |= {"train": tiny} | ({"validation": tiny} if "validation" in changed else {})
    training.fit(models.dense_small(DIGITS, rng=0), **options)
    model = models.dense_small(DIGITS, rng=0)
    before = model.get_weights()[0]

    with pytest.raises(CorruptFileError) as error:
        training.fit(model, resume=True, **(options | changed))

    assert "a.state.npz is of a training with" in str(error.value)
    assert named in str(error.value)
    assert "delete it to train from the beginning" in str(error.value)
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_a_damaged_state_of_a_fit_is_refused(tiny, tmp_path):
    options = {"checkpoint": tmp_path / "a.keras", "epochs": 2, "rng": 0}
    training.fit(models.dense_small(DIGITS, rng=0), tiny, **options)
    path = tmp_path / "a.state.npz"
    with np.load(path) as file:
        arrays = dict(file)

    def without(name):
        np.savez(path, **{key: each for key, each in arrays.items() if key != name})

    damages = {
        "cut": lambda: path.write_bytes(path.read_bytes()[:1000]),
        "text": lambda: path.write_text("no arrays"),
        "facts": lambda: without("facts"),
        "weights": lambda: without("best1"),
        "optimizer": lambda: without("optimizer0"),
        "shape": lambda: np.savez(path, **(arrays | {"model0": np.zeros(3, np.float32)})),
        "list": lambda: np.savez(path, **(arrays | {"facts": np.array("[1]")})),
        "history": lambda: np.savez(
            path, **(arrays | {"facts": np.array(str(arrays["facts"]).replace('"loss"', '"lost"'))})
        ),
    }
    for damage in damages.values():
        np.savez(path, **arrays)
        damage()
        with pytest.raises(CorruptFileError, match="is damaged .* delete it to train from the"):
            training.fit(models.dense_small(DIGITS, rng=0), tiny, resume=True, **options)


def test_resuming_needs_a_checkpoint_and_a_seed(tiny, tmp_path):
    for options in ({"rng": 0}, {"checkpoint": tmp_path / "a.keras"}):
        with pytest.raises(ValueError, match="resume needs the checkpoint and the seed"):
            training.fit(models.dense_small(DIGITS), tiny, resume=True, **options)


def test_batches_without_a_seed_keep_the_order(tiny):
    images, labels = Batches(tiny, np.array([3, 1]), batch_size=9)[0]

    np.testing.assert_array_equal(images, tiny.images[[3, 1]])
    np.testing.assert_array_equal(labels, tiny.labels[[3, 1]])


def test_fit_does_not_copy_a_memory_map(tmp_path):
    """A sparse file of 1.6 GB trains in far less memory than its size."""
    import resource

    path = tmp_path / "images.npy"
    shape = (2_000_000, 28, 28)
    np.lib.format.open_memmap(path, "w+", np.uint8, shape).flush()
    images = np.load(path, mmap_mode="r")
    dataset = CharacterDataset(images, np.arange(len(images)) % 10, DIGITS)
    model = models.dense_small(DIGITS, rng=0)
    which = np.arange(0, len(images), 1000)
    batches = Batches(dataset, which, batch_size=100, seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(batches, verbose=0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    model.fit(batches, epochs=2, verbose=0)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_augmentation_of_nothing_changes_nothing(tiny):
    still = augment(tiny.images, Augmentation(shift=0, rotate=0, scale=0, shear=0), rng=0)

    np.testing.assert_array_equal(still, tiny.images)


def test_augmentation_moves_images_a_little_and_repeatably(tiny):
    moved = augment(tiny.images, Augmentation(), rng=0)

    assert moved.shape == tiny.images.shape
    assert moved.dtype == np.uint8
    assert not np.array_equal(moved[0], moved[2])
    np.testing.assert_array_equal(moved, augment(tiny.images, Augmentation(), rng=0))


def middle(image):
    ys, xs = np.indices(image.shape)
    return (ys * image).sum() / image.sum(), (xs * image).sum() / image.sum()


def test_shift_moves_by_up_to_its_share_and_no_more():
    square = np.zeros((200, 40, 40), np.uint8)
    square[:, 18:22, 18:22] = 255

    moved = augment(square, Augmentation(shift=0.1, rotate=0, scale=0, shear=0), rng=0)

    offsets = np.array([middle(image) for image in moved.astype(float)]) - 19.5
    assert 3.5 < np.abs(offsets).max() <= 4.1
    assert np.abs(offsets.mean(axis=0)).max() < 0.6


def test_scale_and_rotation_are_about_the_middle():
    square = np.zeros((50, 41, 41), np.uint8)
    square[:, 15:26, 10:31] = 255
    for amounts in ({"scale": 0.2}, {"rotate": 20}, {"shear": 20}):
        none = {"shift": 0, "rotate": 0, "scale": 0, "shear": 0}
        moved = augment(square, Augmentation(**{**none, **amounts}), rng=0).astype(float)

        offsets = np.array([middle(image) for image in moved]) - 20
        assert np.abs(offsets).max() < 0.15
        areas = moved.sum(axis=(1, 2)) / 255 / (11 * 21)
        if "scale" in amounts:
            assert 0.62 < areas.min() < 0.75
            assert 1.3 < areas.max() < 1.46
        else:
            assert np.abs(areas - 1).max() < 0.03


def test_keras_is_left_as_it_was(tiny):
    before = np.random.get_state()[1][:5].tolist(), keras.config.floatx()  # noqa: NPY002

    training.fit(models.dense_small(DIGITS, rng=0), tiny, epochs=1, rng=0)

    assert before == (np.random.get_state()[1][:5].tolist(), keras.config.floatx())  # noqa: NPY002
