import dataclasses
import io
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from handwriting import evaluation, plots
from handwriting.alphabet import ASCII, DIGITS, Alphabet
from handwriting.data import CharacterDataset, LineDataset
from handwriting.recognizer import Character, Line, Reading, Word
from handwriting.segmentation import Box


@pytest.fixture
def report(tiny):
    scores = np.eye(10, dtype=np.float32)[np.where(np.arange(20) == 3, 7, tiny.labels)]
    return evaluation.Report("tiny", DIGITS, tiny.labels, scores)


def texts(figure):
    return [axes.get_title() for axes in figure.axes]


def test_samples_show_images_with_their_characters(tiny):
    figure = plots.samples(tiny, 7)

    assert len(figure.axes) == 7
    assert set(texts(figure)) <= {"0", "1"}
    np.testing.assert_array_equal(
        plots.samples(tiny, 20).axes[3].images[0].get_array(), 255 - tiny.images[3]
    )


def test_predictions_mark_what_is_wrong(tiny, report):
    figure = plots.predictions(tiny, report, 20)

    wrong = [axes for axes in figure.axes if ", is " in axes.get_title()]
    assert [axes.get_title() for axes in wrong] == ["7, is 1"]
    assert wrong[0].title.get_color() == "#c62828"
    assert texts(plots.predictions(tiny, report, wrong_only=True)) == ["7, is 1"]


def test_predictions_want_the_reports_own_dataset(tiny, report):
    with pytest.raises(ValueError, match="is not about"):
        plots.predictions(tiny.select(slice(0, 5)), report)


def test_class_counts_are_the_counts(tiny):
    bars = plots.class_counts(tiny).axes[0].patches

    assert [bar.get_height() for bar in bars] == [10, 10, *[0] * 8]


def test_training_curves_draw_what_there_is():
    figure = plots.training_curves({"loss": [3, 2], "val_loss": [3, 3], "accuracy": [0.1, 0.2]})

    loss, accuracy = figure.axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [[3, 2], [3, 3]]
    assert len(accuracy.lines) == 1


def test_confusion_writes_counts(report):
    axes = plots.confusion(report).axes[0]

    assert sorted(text.get_text() for text in axes.texts) == ["1", "10", "9"]


@pytest.mark.parametrize("counted", ["images", "lines"])
def test_reliability_draws_how_often_each_confidence_is_right(counted):
    sure, right = [0.9, 0.9, 0.9, 0.6], [True, True, False, True]
    scores = np.stack([sure, 1 - np.array(sure)], axis=1)
    report = {
        "images": evaluation.Report("$x_$", Alphabet("ab"), np.where(right, 0, 1), scores),
        "lines": evaluation.compare(
            ["a"] * 4, ["a" if each else "b" for each in right], confidences=sure, name="$x_$"
        ),
    }[counted]

    figure = plots.reliability(report)

    upper, lower = figure.axes
    assert upper.lines[1].get_xdata().tolist() == pytest.approx([0.6, 0.9])
    assert upper.lines[1].get_ydata().tolist() == pytest.approx([1.0, 2 / 3])
    assert [bar.get_height() for bar in lower.patches] == [1, 3]
    assert [bar.get_x() for bar in lower.patches] == pytest.approx([8 / 15, 13 / 15])
    assert lower.get_ylabel() == counted
    figure.canvas.draw()


def test_strip_has_one_character_an_image_and_errors_in_red(tiny):
    axes = plots.strip(tiny.images[:3], "010", "011").axes[0]

    assert [text.get_text() for text in axes.texts] == ["0", "1", "0"]
    assert [text.get_color() for text in axes.texts] == ["black", "black", "#c62828"]
    with pytest.raises(ValueError, match="shorter"):
        plots.strip(tiny.images[:3], "01")


def test_every_ascii_character_can_be_drawn():
    images = np.zeros((95, 8, 8), np.uint8)
    dataset = CharacterDataset(images, np.arange(95), ASCII.with_null(), "$x_$")
    scores = np.eye(95, dtype=np.float32)[::-1]
    report = evaluation.Report("$x_$", dataset.alphabet, dataset.labels, scores)

    figures = [plots.samples(dataset, 95), plots.class_counts(dataset), plots.confusion(report)]
    for figure in [*figures, plots.predictions(dataset, report, 95)]:
        figure.canvas.draw()


def test_an_empty_dataset_still_makes_a_figure(tiny):
    plots.samples(tiny.select([])).canvas.draw()


def test_figures_show_themselves_in_notebooks(tiny):
    assert plots.samples(tiny, 2)._repr_png_().startswith(b"\x89PNG")


def test_no_backend_is_chosen():
    code = (
        "import sys; from handwriting import plots\n"
        "plots.training_curves({'loss': [1.0], 'accuracy': [1.0]})\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )

    assert result.stdout == "False\n"


def rows_of(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_class_samples_show_every_character_with_its_count(tiny):
    (axes,) = plots.class_samples(tiny.select(slice(0, 15)), 9).axes

    assert rows_of(axes)[:3] == ["0   8", "1   7", "2   0"]
    sheet = 255 - np.asarray(axes.images[0].get_array()).reshape(10, 28, 9, 28).swapaxes(1, 2)
    np.testing.assert_array_equal(sheet[0, :8], tiny.images[0:15:2])
    np.testing.assert_array_equal(sheet[1, :7], tiny.images[1:15:2])
    assert not sheet[0, 8:].any()
    assert not sheet[2:].any()


def test_class_samples_are_drawn_by_the_seed(tiny):
    def sheet(seed):
        return np.asarray(plots.class_samples(tiny, 3, rng=seed).axes[0].images[0].get_array())

    np.testing.assert_array_equal(sheet(0), sheet(0))
    assert not np.array_equal(sheet(0), sheet(1))
    with pytest.raises(ValueError, match="got n=0"):
        plots.class_samples(tiny, 0)


def test_class_samples_of_many_classes_stand_in_several_columns():
    images = np.arange(95, dtype=np.uint8)[:, None, None].repeat(8, axis=1).repeat(8, axis=2)
    dataset = CharacterDataset(images, np.arange(95), ASCII.with_null(), "$x_$")

    figure = plots.class_samples(dataset, 1)

    assert [len(rows_of(axes)) for axes in figure.axes] == [24, 24, 24, 23]
    assert rows_of(figure.axes[0])[0] == "null   1"
    assert rows_of(figure.axes[3])[-1] == "~   1"
    shown = [255 - np.asarray(axes.images[0].get_array())[::8, 0] for axes in figure.axes]
    assert np.concatenate(shown).tolist() == list(range(95))
    figure.canvas.draw()


@pytest.fixture
def lines():
    images = np.arange(3, dtype=np.uint8)[:, None, None].repeat(4, axis=1).repeat(6, axis=2)
    return LineDataset(images, [3, 2, 4], ["$1_2$", "", "é"], Alphabet("$1_2é"), "some")


def test_lines_stand_below_their_texts(lines):
    figure = plots.lines(lines)

    assert [axes.get_title(loc="left") for axes in figure.axes] == [r"\$1_2\$", "(no text)", "é"]
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    assert [image.shape for image in shown] == [(4, 4)] * 3  # the widest of them
    assert [255 - image[0, 0] for image in shown] == [0, 1, 2]
    figure.canvas.draw()


def test_lines_are_drawn_by_the_seed(lines):
    assert len(plots.lines(lines, 2).axes) == 2
    plots.lines(lines.select([])).canvas.draw()


def test_training_curves_of_lines_draw_loss_and_error_rates():
    figure = plots.training_curves({"loss": [3, 2], "val_cer": [1, 0.5], "val_exact": [0, 0.2]})

    assert [axes.get_title() for axes in figure.axes] == ["loss", "cer", "exact"]
    assert [axes.lines[0].get_ydata().tolist() for axes in figure.axes] == [
        [3, 2],
        [1, 0.5],
        [0, 0.2],
    ]


@pytest.fixture
def sure_and_unsure():
    """A reading of two words, the second of which is probably wrong."""
    sure = Word((Character("$", Box(20, 10, 40, 30), 0.9),))
    unsure = Word((Character("7", Box(22, 50, 44, 66), 0.4),))
    line = Line((sure, unsure), Box(20, 10, 44, 66), 0.36)
    return Reading((line,), np.arange(6000, dtype=np.uint8).reshape(60, 100))


def test_a_reading_is_drawn_with_boxes_and_words(sure_and_unsure):
    figure = plots.reading(sure_and_unsure)

    (axes,) = figure.axes
    drawn = [
        (patch.get_x(), patch.get_y(), patch.get_width(), patch.get_height())
        for patch in axes.patches
    ]
    assert drawn == [(9.5, 19.5, 20, 20), (49.5, 21.5, 16, 22)]
    assert [text.get_text() for text in axes.texts] == [r"\$", "7"]
    assert [text.get_color() for text in axes.texts] == ["#1565c0", "#c62828"]
    np.testing.assert_array_equal(axes.images[0].get_array(), sure_and_unsure.picture)


def size_of(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png")
    with PIL.Image.open(file) as picture:
        return picture.size


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((60, 100), (100, 60)),
        ((1, 1), (1, 1)),
        ((2500, 400), (200, 1250)),
        ((3, 70_000), (2000, 1)),
    ],
)
def test_a_reading_has_the_pixels_of_its_picture_up_to_two_thousand_a_side(
    shape, size, sure_and_unsure
):
    large = dataclasses.replace(sure_and_unsure, picture=np.zeros(shape, np.uint8))

    assert size_of(plots.reading(large)) == size
    (axes,) = plots.reading(large).axes
    assert axes.get_xlim() == (-0.5, shape[1] - 0.5)
    assert axes.get_ylim() == (shape[0] - 0.5, -0.5)


def test_an_empty_reading_is_the_picture():
    figure = plots.reading(Reading((), np.full((30, 40), 255, np.uint8)))

    assert size_of(figure) == (40, 30)
    assert not figure.axes[0].patches
