import json

import numpy as np
import pytest
import sklearn.metrics

from handwriting.alphabet import ASCII, DIGITS, Alphabet
from handwriting.data import CharacterDataset, LineDataset
from handwriting.errors import HandwritingError
from handwriting.evaluation import (
    Report,
    compare,
    evaluate,
    evaluate_lines,
    predict,
    rejection,
)


def report_of(labels, predicted, alphabet=DIGITS):
    scores = np.eye(len(alphabet), dtype=np.float32)[predicted]
    return Report("some", alphabet, np.array(labels), scores)


def test_predict_takes_functions_and_keras_models_and_keeps_the_order():
    images = np.arange(10, dtype=np.uint8)[:, None, None]

    def function(batch):
        assert len(batch) <= 4
        return np.repeat(batch[:, :, 0], 2, axis=1)

    class Model:
        predict_on_batch = staticmethod(function)

    for model in (function, Model()):
        scores = predict(model, images, batch_size=4)
        assert scores.dtype == np.float32
        assert scores[:, 0].tolist() == list(range(10))


def test_nothing_cannot_be_predicted_or_evaluated():
    empty = CharacterDataset(np.zeros((0, 2, 2), np.uint8), [], DIGITS)
    with pytest.raises(ValueError, match="there must be images to predict"):
        predict(lambda images: images, empty.images)
    with pytest.raises(ValueError, match="there must be images to evaluate on"):
        evaluate(lambda images: images, empty)
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        predict(lambda images: images, empty.images, batch_size=0)


@pytest.mark.parametrize(
    ("images", "message"),
    [(np.zeros((2, 4, 4)), "must be uint8"), (np.zeros((4, 4), np.uint8), r"image\[None\]")],
)
def test_predict_refuses_what_no_model_was_trained_on(images, message):
    with pytest.raises(ValueError, match=message):
        predict(lambda batch: batch, images)


def test_a_model_with_other_outputs_is_refused():
    dataset = CharacterDataset(np.zeros((3, 2, 2), np.uint8), [0, 1, 2], DIGITS)

    with pytest.raises(ValueError, match=r"scores of shape \(3, 10\).* got \(3, 7\)"):
        evaluate(lambda images: np.zeros((len(images), 7)), dataset)


def test_figures_are_scikit_learns():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 9, 300)
    predicted = np.where(rng.random(300) < 0.7, labels, rng.integers(0, 10, 300))

    report = report_of(labels, predicted)

    assert report.accuracy == sklearn.metrics.accuracy_score(labels, predicted)
    expected = sklearn.metrics.precision_recall_fscore_support(
        labels, predicted, labels=np.arange(9), zero_division=0
    )
    rows = report.per_class()
    for name, values in zip(("precision", "recall", "f1", "images"), expected, strict=True):
        np.testing.assert_allclose([row[name] for row in rows], values)
    assert [row["character"] for row in rows] == list("012345678")


def test_top_k_is_scikit_learns():
    rng = np.random.default_rng(0)
    scores = rng.random((200, 10)).astype(np.float32)
    labels = rng.integers(0, 10, 200)
    report = Report("some", DIGITS, labels, scores)

    for k in range(1, 10):
        expected = sklearn.metrics.top_k_accuracy_score(labels, scores, k=k, labels=np.arange(10))
        assert report.top(k) == pytest.approx(expected)
    assert report.top(10) == 1
    assert report.top(1) == report.accuracy
    for k in (0, 11):
        with pytest.raises(ValueError, match=r"k must lie in \[1, 10\]"):
            report.top(k)


def test_equal_scores_count_as_argmax_counts_them():
    labels = np.arange(10)
    flat = Report("some", DIGITS, labels, np.full((10, 10), 0.1, np.float32))
    sure = Report("some", DIGITS, labels, np.eye(10, dtype=np.float32)[np.full(10, 9)])

    for report in (flat, sure):
        assert [report.top(k) for k in (1, 2, 10)] == [0.1, 0.2, 1.0]
        assert report.top(1) == report.accuracy


def test_scores_that_are_no_numbers_are_an_error():
    with pytest.raises(HandwritingError, match="NaN or infinite scores"):
        predict(lambda images: np.full((len(images), 3), np.nan), np.zeros((2, 4, 4), np.uint8))


def test_most_confused_lists_errors_by_frequency():
    report = report_of([1, 1, 1, 2, 2, 3], [7, 7, 1, 0, 2, 3])

    assert report.most_confused() == [("1", "7", 2), ("2", "0", 1)]
    assert report.most_confused(1) == [("1", "7", 2)]
    assert report_of([1], [1]).most_confused() == []


def test_it_prints_and_shows_itself_without_breaking_on_markup():
    alphabet = Alphabet("<&>").with_null()
    report = report_of([0, 1, 2, 3], [0, 1, 3, 3], alphabet)

    assert "75.00% of 4 images right (3)" in str(report)
    assert "null" in str(report)
    assert "& as >: 1" in str(report)
    html = report._repr_html_()
    assert "<td>&lt;</td>" in html
    assert "&amp; as &gt;: 1" in html
    assert repr(report).startswith("Report('some': 75.00%")


def test_save_writes_json_that_holds_the_figures(tmp_path):
    report = report_of([33, 34, 35], [33, 34, 34], ASCII)

    report.save(tmp_path / "a" / "report.json")

    saved = json.loads((tmp_path / "a" / "report.json").read_text(encoding="utf-8"))
    assert saved == report.to_dict()
    assert saved["accuracy"] == pytest.approx(2 / 3)
    assert np.array(saved["confusion"]).sum() == 3


def test_null_counts_as_a_character():
    report = report_of([0, 0, 1], [0, 1, 1], DIGITS.with_null())

    assert report.accuracy == pytest.approx(2 / 3)
    assert report.most_confused() == [("", "0", 1)]


def distance(one, other):
    """Levenshtein's, by its definition."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one):
        before, row = row, [i + 1]
        for j, b in enumerate(other):
            row.append(min(row[j] + 1, before[j + 1] + 1, before[j] + (a != b)))
    return row[-1]


def random_texts(n, seed):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("ab c"), rng.integers(1, 12))).strip() or "a" for _ in range(n)]


def test_edits_are_those_of_the_definition():
    truths, readings = random_texts(200, 0), random_texts(200, 1)

    report = compare(truths, readings)

    pairs = list(zip(truths, readings, strict=True))
    assert report.edits.tolist() == [distance(*pair) for pair in pairs]
    assert report.word_edits.tolist() == [distance(a.split(), b.split()) for a, b in pairs]
    assert report.exact == np.mean([a == b for a, b in pairs])


def test_error_rates_are_jiwers():
    jiwer = pytest.importorskip("jiwer")
    # jiwer joins neighbouring spaces for words only, as we do.
    truths, readings = random_texts(200, 0), random_texts(200, 1)

    report = compare(truths, readings)

    assert report.cer == pytest.approx(jiwer.cer(truths, readings))
    assert report.wer == pytest.approx(jiwer.wer(truths, readings))


def test_a_rate_weighs_lines_by_their_length():
    report = compare(["aaaaaaaaa", "b"], ["aaaaaaaaa", "x"])

    assert (report.cer, report.wer, report.exact) == (0.1, 0.5, 0.5)


def test_one_character_left_out_spoils_the_rest_by_position_only():
    report = compare(["ABCDE", "ABCDE"], ["ABCDE", "BCDE"])

    assert report.by_position == 0.5
    assert report.cer == 0.1


def test_empty_lines_count_what_is_read_into_them():
    assert compare(["", "ab"], ["xy", "ab"]).cer == 1.0
    nothing = compare(["", ""], ["", ""])
    assert (nothing.cer, nothing.wer, nothing.exact, nothing.by_position) == (0, 0, 1, 1)
    assert (compare([""], ["abc"]).cer, compare([""], ["a b c"]).wer) == (3, 3)
    assert compare(["ab"], [""]).cer == 1.0


def test_texts_are_compared_composed():
    assert compare(["é"], ["e\N{COMBINING ACUTE ACCENT}"]).exact == 1


def test_the_most_frequent_edits_of_lines_come_first():
    report = compare(["abc", "abc", "cab", "x"], ["abd", "ab", "dab", "xab"])

    assert report.most_confused(1) == [("c", "d", 2)]
    assert set(report.most_confused()[1:]) == {("c", "", 1), ("", "a", 1), ("", "b", 1)}
    assert sum(count for *_, count in report.most_confused(99)) == report.edits.sum()
    assert compare(["a"], ["a"]).most_confused() == []


def test_the_worst_lines_come_first():
    report = compare(["abc", "x", "def", "ok"], ["abd", "y", "", "ok"])

    assert report.worst() == [(2, 3, "def", ""), (0, 1, "abc", "abd"), (1, 1, "x", "y")]
    assert report.worst(1) == [(2, 3, "def", "")]
    assert str(report).splitlines()[2:] == [
        "edits  written  read",
        "    3  'def'    ''",
        "    1  'abc'    'abd'",
        "    1  'x'      'y'",
    ]
    assert "CER 55.56% of 9 characters" in str(report)
    assert repr(report).startswith("LineReport('': CER 55.56%")
    assert "\n" not in str(compare(["a"], ["a"], name="names"))


def test_a_line_report_is_saved_as_json(tmp_path):
    report = compare(["é b"], ["é c"], name="names")

    report.save(tmp_path / "report.json")

    saved = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert saved == report.to_dict()
    assert (saved["cer"], saved["wer"], saved["lines"]) == (pytest.approx(1 / 3), 0.5, 1)
    assert saved["worst"] == [[0, 1, "é b", "é c"]]


@pytest.mark.parametrize(
    ("truths", "readings", "error", "message"),
    [
        ([], [], ValueError, "one truth at least .* got 0 truths and 0 readings"),
        (["a"], ["a", "b"], ValueError, "got 1 truths and 2 readings"),
        ("ab", ["a", "b"], TypeError, "truths must be a sequence of str, got 'ab'"),
        (["a"], [None], TypeError, r"readings must be a sequence of str, got \[None\]"),
    ],
)
def test_only_as_many_texts_are_compared(truths, readings, error, message):
    with pytest.raises(error, match=message):
        compare(truths, readings)


# What alike shapes count, and how sure a reader may be


def test_characters_of_one_shape_count_as_one_where_they_are_folded():
    report = report_of(ASCII.encode("OoCaq"), ASCII.encode("0OcoQ"), ASCII)

    assert report.accuracy == 0
    assert report.folded() == pytest.approx(3 / 5)
    assert report.folded(["qQ", "✓a", "aOo"]) == pytest.approx(3 / 5)
    assert report.folded([]) == report.accuracy


def unsure(confidences, right):
    """A report whose two-character scores have these highest values."""
    scores = np.stack([confidences, 1 - np.array(confidences)], axis=1).astype(np.float32)
    return Report("some", Alphabet("ab"), np.where(right, 0, 1), scores)


def test_the_calibration_error_is_that_of_the_paper():
    rng = np.random.default_rng(0)
    confidences = rng.uniform(0.5, 1, 2000)
    right = rng.random(2000) < confidences**2
    report = unsure(confidences, right)

    expected = 0.0
    sure = report.scores.max(axis=1)
    for m in range(1, 16):
        inside = ((m - 1) / 15 < sure) & (sure <= m / 15)
        if inside.any():
            gap = abs(right[inside].mean() - sure[inside].mean(dtype=float))
            expected += inside.sum() / 2000 * gap

    assert report.calibration_error == pytest.approx(expected)
    assert 0.1 < report.calibration_error < 0.25
    assert report.to_dict()["calibration_error"] == report.calibration_error
    assert "calibration error" in repr(report)


def test_bins_hold_their_upper_edge_and_empty_ones_are_left_out():
    edge = float(np.linspace(0, 1, 16)[12])
    report = compare(["a"] * 4, ["a", "b", "a", "a"], confidences=[1.0, 1.0, edge, 0.79])

    rows = report.reliability()

    assert [(row["low"], row["high"], row["lines"]) for row in rows] == [
        (pytest.approx(11 / 15), edge, 2),
        (pytest.approx(14 / 15), 1.0, 2),
    ]
    assert [row["accuracy"] for row in rows] == [1.0, 0.5]
    assert [row["confidence"] for row in rows] == pytest.approx([(edge + 0.79) / 2, 1.0])


def test_scores_that_are_no_probabilities_have_no_calibration_error():
    report = Report("some", Alphabet("ab"), np.array([0, 1]), np.array([[3, -1], [0, 2]], float))

    with pytest.raises(ValueError, match="scores must be probabilities .* got -1 to 3 for the fi"):
        report.reliability()
    assert report.to_dict()["calibration_error"] is None
    assert "calibration" not in str(report)


def test_lines_are_as_sure_as_they_are_exact():
    texts = ["a"] * 8 + ["b"] * 2
    report = compare(["a"] * 10, texts, confidences=[0.9] * 10, name="some")

    assert report.calibration_error == pytest.approx(0.1)
    assert report.reliability() == [
        {
            "low": pytest.approx(13 / 15),
            "high": pytest.approx(14 / 15),
            "lines": 10,
            "confidence": pytest.approx(0.9),
            "accuracy": pytest.approx(0.8),
        }
    ]
    assert report.to_dict()["calibration_error"] == report.calibration_error
    assert "calibration error 10.00%" in repr(report)


def test_evaluated_lines_have_the_probabilities_of_their_texts():
    images = np.zeros((2, 4, 8), np.uint8)
    lines = LineDataset(images, [8, 4], ["a", "b"], Alphabet("ab"), "two")
    scores = np.array([[0.1, 0.8, 0.1], [0.5, 0.4, 0.1]])

    report = evaluate_lines(lambda batch: np.stack([scores] * 2), lines, Alphabet("ab").with_null())

    assert report.readings == ("a", "a")
    assert report.confidences == pytest.approx((0.8 * 0.9 + 0.1 * 0.4, 0.8))


def test_lines_without_confidences_have_no_calibration_error():
    report = compare(["a"], ["a"])

    assert report.to_dict()["calibration_error"] is None
    with pytest.raises(ValueError, match="there must be confidences, got none; give them to comp"):
        report.calibration_error  # noqa: B018
    for confidences in ([0.5, 0.5], [1.1], [float("nan")]):
        with pytest.raises(ValueError, match=r"confidences must be 1 numbers in \[0, 1\]"):
            compare(["a"], ["a"], confidences=confidences)


# When to say nothing


def test_the_threshold_takes_as_many_characters_as_wanted_and_no_more():
    characters = np.random.default_rng(0).permutation(np.arange(1, 101) / 100)

    found = rejection(characters, {"blots": [0.1, 0.105, 0.5], "rules": [0.0]}, accept=0.9)

    assert found.threshold == 0.11
    assert found.accepted == pytest.approx(0.9)
    assert found.let_through == {"blots": pytest.approx(1 / 3), "rules": 0.0}
    assert rejection(characters, {}, accept=1).threshold == 0.01


def test_equal_confidences_are_taken_together():
    found = rejection([0.5, 0.5, 0.5, 0.9], {"same": [0.5]}, accept=0.5)

    assert (found.threshold, found.accepted, found.let_through) == (0.5, 1.0, {"same": 1.0})


@pytest.mark.parametrize(
    ("characters", "others", "accept", "message"),
    [
        ([], {}, 0.9, r"characters must be numbers of shape \(n,\), one at least"),
        ([0.5], {"blots": [np.nan]}, 0.9, "blots must be numbers"),
        ([[0.5]], {}, 0.9, r"got shape \(1, 1\)"),
        ([0.5], {}, 0, r"accept must lie in \(0, 1\], got 0"),
        ([0.5], {}, 1.5, r"accept must lie in \(0, 1\], got 1.5"),
    ],
)
def test_a_threshold_needs_confidences_and_a_share(characters, others, accept, message):
    with pytest.raises(ValueError, match=message):
        rejection(characters, others, accept=accept)
