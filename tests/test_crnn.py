import dataclasses
import itertools

import keras
import numpy as np
import pytest

from handwriting import models, training
from handwriting.alphabet import DIGITS, Alphabet
from handwriting.data import LineDataset
from handwriting.errors import CorruptFileError, HandwritingError
from handwriting.training import LineAugmentation, LineBatches, augment_lines

AB = Alphabet("ab")


def words(texts, shape=(16, 64)):
    """Lines of a made-up script: a is a tall bar, b a block, eight pixels apart."""
    images = np.zeros((len(texts), *shape), np.uint8)
    for image, text in zip(images, texts, strict=True):
        for i, character in enumerate(text):
            if character == "a":
                image[2:14, 8 * i + 3 : 8 * i + 5] = 255
            else:
                image[7:13, 8 * i + 1 : 8 * i + 7] = 255
    widths = [max(8, 8 * len(text)) for text in texts]
    return LineDataset(images, widths, texts, AB, "words", "line")


TEXTS = ["ab", "ba", "aab", "bba", "abab", "bbaab", "aa", "baba"]


def test_the_published_network_has_the_published_parameters():
    assert models.crnn(30).count_params() == 571_615
    assert models.crnn_small(30).count_params() == 605_503
    assert models.crnn_deep(30).count_params() == 999_743


@pytest.mark.parametrize("name", models.LINE_NAMES)
def test_line_readers_give_probabilities_for_each_step(name):
    model = models.build(name, DIGITS, (16, 64))

    scores = model.predict_on_batch(np.full((3, 16, 64), 255, np.uint8))

    assert scores.shape == (3, 16, 11)
    np.testing.assert_allclose(scores.sum(axis=2), 1, rtol=1e-5)
    assert model.inputs[0].dtype == "uint8"
    assert models.build(name, DIGITS.with_null(), (16, 64)).output_shape[2] == 11


@pytest.mark.parametrize("name", models.LINE_NAMES)
def test_time_runs_with_the_width_and_steps_see_their_own_columns(name):
    model = models.build(name, DIGITS, (16, 64), rng=0)
    first = next(i for i, each in enumerate(model.layers) if isinstance(each, _BIDIRECTIONAL))
    columns = keras.Model(model.inputs, model.layers[first - 1].output)
    image = np.zeros((1, 16, 64), np.uint8)
    image[0, 4:9, 40] = 255

    blank, drawn = (columns.predict_on_batch(x)[0] for x in (image * 0, image))

    changed = np.flatnonzero(np.abs(drawn - blank).max(axis=1) > 1e-6)
    assert 10 in changed
    assert changed.min() >= 5
    assert changed.max() <= 15


_BIDIRECTIONAL = keras.layers.Bidirectional


@pytest.mark.parametrize("name", models.LINE_NAMES)
def test_equal_seeds_give_equal_line_readers_whose_directions_differ(name):
    one, same, other = (models.build(name, 10, (16, 64), rng=seed) for seed in (7, 7, 8))

    for a, b in zip(one.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.get_weights()[0], other.get_weights()[0])
    pair = next(layer for layer in one.layers if isinstance(layer, _BIDIRECTIONAL))
    forward, backward = (
        each.get_weights()[0] for each in (pair.forward_layer, pair.backward_layer)
    )
    assert not np.array_equal(forward, backward)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        (
            "crnn",
            (30, 64),
            "height is a multiple of 4 and whose width is one of 4, or None for any, got 30 x 64",
        ),
        ("crnn_small", (20, 64), "height is a multiple of 8 and whose width is one of 4"),
        ("crnn_small", (16, 0), "got 16 x 0"),
    ],
)
def test_sides_that_do_not_divide_are_refused(name, shape, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, 10, shape)


def test_no_characters_are_too_few():
    with pytest.raises(ValueError, match="at least 1 character"):
        models.crnn(0)


@pytest.mark.parametrize("name", models.LINE_NAMES)
def test_a_saved_line_reader_comes_back_with_its_card(name, tmp_path):
    lines, path = words(TEXTS), tmp_path / "a.keras"
    model = models.build(name, AB, lines.image_shape, rng=1)

    models.save(model, path, alphabet=AB, recipe="line")

    assert models.card(path) == models.Card(name, AB.with_null(), (16, 64), "line")
    expected = model.predict_on_batch(lines.images)
    np.testing.assert_array_equal(models.load(path).predict_on_batch(lines.images), expected)
    plain = keras.models.load_model(path, compile=False)
    np.testing.assert_array_equal(plain.predict_on_batch(lines.images), expected)


def test_a_line_reader_has_no_recipe_of_characters(tmp_path):
    with pytest.raises(ValueError, match="recipe must be one of line, line-tight, line-stretched"):
        models.save(models.crnn(AB, (16, 64)), tmp_path / "a.keras", alphabet=AB, recipe="mnist")


@pytest.fixture(scope="module")
def learnt():
    lines = words(TEXTS * 4)
    model = models.crnn_small(AB, lines.image_shape, rng=0)
    history = training.fit_lines(
        model, lines, validation=words(TEXTS), epochs=30, batch_size=8, patience=8, rng=0
    )
    return model, history


def test_a_few_words_are_learnt_without_error(learnt):
    model, history = learnt

    assert min(history["val_cer"]) == 0
    assert max(history["val_exact"]) == 1
    # The weights of the best epoch came back.
    again = training.lines._read(model, words(TEXTS), AB.with_null())
    assert again == TEXTS
    assert len({len(values) for values in history.values()}) == 1


def test_the_loss_is_that_of_ctc_by_brute_force():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(3), (1, 4)).astype(np.float32)

    loss = training.lines._ctc(np.array([[3, 1, 2, 0]]), keras.ops.convert_to_tensor(scores))

    paths = np.stack(np.meshgrid(*[range(3)] * 3, indexing="ij"), -1).reshape(-1, 3)
    total = 0.0
    for path in paths:
        runs = path[np.append(True, path[1:] != path[:-1])]
        if runs[runs > 0].tolist() == [1, 2]:
            total += scores[0, np.arange(3), path].prod()
    assert float(loss[0]) == pytest.approx(-np.log(total) / 2, rel=1e-4)  # for each character


def test_short_words_come_first_and_then_all_are_shuffled():
    batches = LineBatches(words(TEXTS * 8), step=4, batch_size=8, seed=1)

    def lengths():
        return [(batches[i][1][:, 1:] > 0).sum(axis=1).tolist() for i in range(len(batches))]

    batches.on_epoch_begin()
    first = list(itertools.chain(*lengths()))
    batches.on_epoch_begin()
    second = list(itertools.chain(*lengths()))

    assert first == sorted(first)
    assert second != sorted(second)
    assert sorted(second) == first


def test_targets_hold_steps_and_labels():
    images, targets = LineBatches(words(["bba", "a"]), step=4, batch_size=2)[0]

    assert images.dtype == np.uint8
    np.testing.assert_array_equal(targets, [[2, 1, 0, 0], [6, 2, 2, 1]])


def test_batches_of_several_sets_are_of_one_set_each_and_of_like_area():
    wide = LineDataset(np.zeros((5, 16, 128), np.uint8), [128] * 5, ["ab"] * 5, AB)
    batches = LineBatches([words(["a"] * 9), wide], step=4, batch_size=2)

    epochs = []
    for _ in range(2):
        batches.on_epoch_begin()
        epochs.append([batches[i][0].shape for i in range(len(batches))])

    assert epochs[0][0] != epochs[0][1]  # or Keras would expect all to be of that shape
    for shapes in epochs:
        assert sorted(shapes) == [(1, 16, 64), (1, 16, 128), (2, 16, 128), (2, 16, 128)] + 2 * [
            (4, 16, 64)
        ]


def test_short_texts_come_more_often_at_first_where_there_are_several_sets():
    wide = LineDataset(np.zeros((40, 16, 128), np.uint8), [128] * 40, ["ababab"] * 40, AB)
    batches = LineBatches([words(["a"] * 80), wide], step=4, batch_size=2)

    shapes = [batches[i][0].shape[2] for i in range(len(batches))]

    assert shapes[:10].count(64) > 6
    assert shapes[-10:].count(128) > 6
    assert shapes != sorted(shapes)


def test_sets_of_several_widths_are_learnt_together():
    wide = LineDataset(np.zeros((5, 16, 128), np.uint8), [128] * 5, ["ab"] * 5, AB)
    model = models.crnn_small(AB, (16, None))

    history = training.fit_lines(
        model, [words(["a"] * 9), wide], validation=None, epochs=2, batch_size=2, rng=0
    )

    assert np.isfinite(history["loss"]).all()


def test_lines_can_be_made_afresh_for_each_epoch():
    made = []

    def lines(epoch):
        made.append(epoch)
        return words(["ab", "ba"] if epoch else ["aa", "bb"])

    model = models.crnn_small(AB, (16, None))
    history = training.fit_lines(model, lines, validation=words(["ab"]), epochs=2, rng=0)

    assert made == [0, 1]
    assert len(history["val_cer"]) == 2
    with pytest.raises(ValueError, match="no share of it can be held back"):
        training.fit_lines(model, lines, validation=0.5)


def test_all_epochs_must_have_as_many_batches_as_the_first():
    batches = LineBatches(
        words(["a"] * 4), step=4, batch_size=2, afresh=lambda epoch: words(["a"] * 2)
    )

    batches.on_epoch_begin()
    with pytest.raises(ValueError, match="as many batches as the first, 2, got 1 in epoch 1"):
        batches.on_epoch_begin()


def test_all_lines_must_have_one_alphabet():
    one, other = words(["a"] * 4), words(["a"] * 4).relabel(Alphabet("ba"))

    with pytest.raises(ValueError, match=r"must have one alphabet.*Alphabet\('ab'\), got .*'ba'"):
        LineBatches([one, other], step=4)
    batches = LineBatches(one, step=4, afresh=lambda epoch: other if epoch else one)
    batches.on_epoch_begin()
    with pytest.raises(ValueError, match="must have one alphabet"):
        batches.on_epoch_begin()


def test_models_of_any_width_give_what_those_of_one_width_give():
    fixed, free = (models.crnn_small(AB, (16, width), rng=0) for width in (64, None))
    images = words(["ab"]).images

    free.set_weights(fixed.get_weights())

    np.testing.assert_allclose(
        free.predict_on_batch(images), fixed.predict_on_batch(images), atol=1e-6
    )
    assert free.predict_on_batch(images[:, :, :32]).shape == (1, 8, 3)


def test_texts_longer_than_their_time_steps_are_refused_with_the_row():
    lines = words(["ab", "bb", "aabb"])
    narrow = LineDataset(lines.images, [64, 4, 20], lines.texts, AB)

    with pytest.raises(ValueError, match="text 1, 'bb', needs 3 time steps"):
        training.fit_lines(models.crnn_small(AB, (16, 64)), narrow, validation=None)


def test_a_training_that_was_stopped_goes_on_to_the_same_end(tmp_path):
    lines = words(TEXTS)
    options = {
        "validation": None,
        "epochs": 3,
        "batch_size": 4,
        "augmentation": LineAugmentation(),
        "rng": 3,
    }

    def fresh():
        return models.crnn_small(AB, lines.image_shape, rng=0)

    whole = fresh()
    expected = training.fit_lines(whole, lines, checkpoint=tmp_path / "whole.keras", **options)
    path, save = tmp_path / "a.keras", models.save
    calls = iter([save, save])

    def twice(*arguments, **options):
        next(calls, interrupt)(*arguments, **options)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "save", twice)
        with pytest.raises(KeyboardInterrupt):
            training.fit_lines(fresh(), lines, checkpoint=path, **options)
    resumed = fresh()
    history = training.fit_lines(
        resumed, lines, checkpoint=path, csv=tmp_path / "a.csv", resume=True, **options
    )

    assert history == expected
    for a, b in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize("name", models.LINE_NAMES)
def test_all_dropout_depends_on_the_seed_and_the_epoch_alone(name):
    def states(epoch):
        model = models.build(name, AB, (16, 64))
        model.compile("sgd", "mse")
        reseed = training.callbacks.Reseed(1)
        reseed.set_model(model)
        reseed.on_epoch_begin(epoch)
        layers = model._flatten_layers()
        generators = [getattr(layer, "seed_generator", None) for layer in layers]
        return [np.asarray(g.state.value).tolist() for g in generators if g]

    first, again, next_epoch = states(1), states(1), states(2)

    assert len(first) == {"crnn": 7, "crnn_small": 4, "crnn_deep": 7}[name]
    assert first == again
    assert not any(one == other for one, other in zip(first, next_epoch, strict=True))
    assert len(set(map(tuple, first))) == len(first)


def test_resuming_refuses_another_training_and_damage(tmp_path):
    lines, path = words(TEXTS), tmp_path / "a.keras"
    model = models.crnn_small(AB, lines.image_shape, rng=0)
    options = {"validation": None, "checkpoint": path, "rng": 0}
    training.fit_lines(model, lines, epochs=1, **options)

    with pytest.raises(CorruptFileError, match="is of a training with"):
        training.fit_lines(model, lines, epochs=2, resume=True, **options)
    state = tmp_path / "a.state.npz"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(CorruptFileError, match="delete it to train from the beginning"):
        training.fit_lines(model, lines, epochs=1, resume=True, **options)
    with pytest.raises(ValueError, match="resume needs the checkpoint and the seed"):
        training.fit_lines(model, lines, resume=True, rng=0)
    with pytest.raises(ValueError, match="resume needs the checkpoint and the seed"):
        training.fit_lines(model, lines, resume=True, checkpoint=path)


def test_a_resumed_training_that_was_over_changes_nothing(tmp_path):
    lines = words(TEXTS)
    options = {"validation": lines, "checkpoint": tmp_path / "a.keras", "epochs": 1, "rng": 0}
    first = models.crnn_small(AB, lines.image_shape, rng=0)
    expected = training.fit_lines(first, lines, **options)
    second = models.crnn_small(AB, lines.image_shape, rng=5)

    assert training.fit_lines(second, lines, resume=True, **options) == expected
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for other in ((lines, with_ink(lines)), (with_ink(lines), lines)):
        with pytest.raises(CorruptFileError, match="is of a training with"):
            training.fit_lines(second, other[0], resume=True, **options | {"validation": other[1]})


def with_ink(lines):
    """The same texts in other images."""
    return dataclasses.replace(lines, images=lines.images // 2)


def test_a_table_tells_each_epoch(capsys):
    lines = words(TEXTS)

    training.fit_lines(
        models.crnn_small(AB, lines.image_shape, rng=0),
        lines,
        validation=lines,
        epochs=2,
        progress=True,
        rng=0,
    )

    head, first, second = capsys.readouterr().err.splitlines()[-3:]
    assert head.split()[:5] == ["epoch", "loss", "rate", "CER", "exact"]
    assert first.split()[0] == "1"
    assert "ab: " in second


def test_validation_texts_may_hold_characters_that_the_model_does_not_know():
    lines = words(TEXTS)
    other = LineDataset(lines.images, lines.widths, ["c"] * 8, Alphabet("c"))

    history = training.fit_lines(
        models.crnn_small(AB, lines.image_shape, rng=0), lines, validation=other, epochs=1, rng=0
    )

    assert history["val_exact"] == [0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"patience": -1}, "patience must be at least 1"),
        ({"learning_rate": 0}, "learning_rate must be above 0"),
        ({"validation": 1.5}, "fraction must lie between 0 and 1"),
    ],
)
def test_wrong_arguments_for_lines_are_named(options, message):
    lines = words(TEXTS)

    with pytest.raises(ValueError, match=message):
        training.fit_lines(models.crnn_small(AB, lines.image_shape), lines, **options)


def test_lines_that_the_model_cannot_read_are_refused():
    lines = words(TEXTS)

    with pytest.raises(ValueError, match="eats images of 32 x 64"):
        training.fit_lines(models.crnn(AB, (32, 64)), lines)
    with pytest.raises(ValueError, match="knows 11 labels, got 3"):
        training.fit_lines(models.crnn(10, (16, 64)), lines)
    with pytest.raises(ValueError, match="gives outputs of shape"):
        training.fit_lines(models.lenet(AB, (16, 64)), lines)
    with pytest.raises(ValueError, match="there must be lines to learn from"):
        training.fit_lines(models.crnn(AB, (16, 64)), lines.select([]), validation=None)
    with pytest.raises(ValueError, match="there must be lines to learn from, got no dataset"):
        training.fit_lines(models.crnn(AB, (16, 64)), [], validation=None)


def test_a_loss_of_lines_that_is_no_number_is_an_error():
    lines = words(TEXTS)
    model = models.crnn_small(AB, lines.image_shape, rng=0)
    model.layers[-1].bias.assign(np.full(3, np.nan))

    with pytest.raises(HandwritingError, match="lower the learning rate"):
        training.fit_lines(model, lines, epochs=2, validation=None)


def test_augmented_lines_differ_by_seed_and_keep_their_form():
    lines = words(TEXTS)
    before = lines.images.copy()

    one, widths = augment_lines(lines.images, lines.widths, LineAugmentation(), rng=0)
    same, _ = augment_lines(lines.images, lines.widths, LineAugmentation(), rng=0)
    other, _ = augment_lines(lines.images, lines.widths, LineAugmentation(), rng=1)

    assert (one.shape, one.dtype) == (before.shape, np.uint8)
    assert 1 <= widths.min() <= widths.max() <= 64
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(lines.images, before)


STILL = LineAugmentation((0, 0), 0, 0, 0, 0, 0, 0, 0, 0)


def test_no_augmentation_changes_nothing():
    lines = words(TEXTS)

    images, widths = augment_lines(lines.images, lines.widths, STILL, rng=0)

    np.testing.assert_array_equal(images, lines.images)
    np.testing.assert_array_equal(widths, lines.widths)


def test_ink_stays_in_the_image_when_it_is_moved_and_stretched():
    lines = words(["abababab"] * 50)
    wild = LineAugmentation((0, 5), 0, 0, 0, 0.4, 0, 0, 0, 0)

    images, _ = augment_lines(lines.images, lines.widths, wild, rng=0)

    columns = (images > 50).any(axis=1)
    runs = (columns[:, 1:] & ~columns[:, :-1]).sum(axis=1) + columns[:, 0]
    assert runs.min() >= 7


def test_edges_of_other_lines_come_in_above_or_below():
    lines = words(["a", "b"])
    blank = LineDataset(np.zeros((40, 16, 64), np.uint8), [64] * 40, [""] * 40, AB)
    both = blank.concat(words(["b"] * 40))
    near = LineAugmentation((0, 0), 0, 0, 0, 0, 0, 0, 0, 1)

    images, _ = augment_lines(both.images, both.widths, near, rng=0)

    touched = images[:40].max(axis=(1, 2)) > 0
    assert 14 < touched.sum() < 30
    assert not images[:40, 3:13].any()
    assert len(lines) == 2
