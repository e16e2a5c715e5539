import itertools
import math

import numpy as np
import pytest

from handwriting import ctc
from handwriting.alphabet import DIGITS, LOWERCASE, Alphabet

ABC = Alphabet("abc").with_null()
WORDS = Alphabet("ab ").with_null()
EXACT = {"prune_classes": 0, "prune_prefixes": 0}


def random_scores(*shape, seed=0, sharpness=0.5):
    *front, classes = shape
    return np.random.default_rng(seed).dirichlet(np.full(classes, sharpness), front)


def scores_of(*path, classes=4, sure=0.9):
    """One line whose most probable classes are the path."""
    scores = np.full((1, len(path), classes), (1 - sure) / (classes - 1))
    scores[0, np.arange(len(path)), path] = sure
    return scores


def texts_of(lines):
    return [readings[0].text for readings in lines]


def sums_over_all_paths(scores, alphabet):
    """The probability of every text of one line, by adding up every path there is."""
    sums = {}
    for path in itertools.product(range(len(alphabet)), repeat=len(scores)):
        text = alphabet.decode([label for label, _ in itertools.groupby(path)])
        probability = math.prod(scores[step, label] for step, label in enumerate(path))
        sums[text] = sums.get(text, 0) + probability
    return sums


def test_targets_are_labels_padded_with_the_blank():
    made = ctc.targets(["cab", "", "a"], ABC)

    assert made.labels.tolist() == [[3, 1, 2], [0, 0, 0], [1, 0, 0]]
    assert made.lengths.tolist() == [3, 0, 1]
    assert made.rows.tolist() == [0, 1, 2]
    assert made.skipped == ()
    assert {array.dtype for array in made[:3]} == {np.dtype(np.int64)}


def test_targets_put_null_first_and_compose_characters():
    made = ctc.targets(["e\N{COMBINING ACUTE ACCENT}"], Alphabet("aé"), steps=1)

    assert made.labels.tolist() == [[2]]


def test_targets_of_nothing_have_a_column_for_the_padding():
    assert ctc.targets([], ABC, steps=3).labels.shape == (0, 1)
    assert ctc.targets(["", ""], ABC, steps=0).labels.tolist() == [[0], [0]]


def test_a_doubled_letter_needs_a_step_more():
    assert [ctc.steps_needed(text) for text in ("", "a", "ab", "aa", "aabb", "aaa")] == [
        *(0, 1, 2, 3, 6, 5)
    ]


def test_the_steps_needed_are_those_of_the_shortest_path():
    for length in range(1, 5):
        reachable = sums_over_all_paths(np.full((length, 3), 1 / 3), Alphabet("ab").with_null())
        every = map("".join, itertools.product("ab", repeat=length))

        assert {text for text in every if ctc.steps_needed(text) <= length} == {
            text for text in reachable if len(text) == length
        }


@pytest.mark.parametrize("steps", [4, [9, 4], np.array([9, 4], np.int32)])
def test_a_text_that_does_not_fit_its_steps_is_refused_with_its_row(steps):
    assert len(ctc.targets(["abc", "abca"], ABC, steps=steps).labels) == 2
    with pytest.raises(ValueError, match=r"text 1, 'abaa', needs 5 time steps, got 4; leave it"):
        ctc.targets(["abca", "abaa"], ABC, steps=steps)


def test_texts_outside_the_alphabet_are_refused_or_skipped_and_counted():
    with pytest.raises(ValueError, match=r"3 characters of .*, got 'xy' in text 1, 'yax'; give"):
        ctc.targets(["a", "yax", "b"], ABC)

    made = ctc.targets(["a", "yax", "b"], ABC, steps=[1, 0, 1], outside="skip")

    assert made.labels.tolist() == [[1], [2]]
    assert made.rows.tolist() == [0, 2]
    assert made.skipped == (("text 1", "'xy' is outside of the alphabet"),)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"texts": "ab"}, TypeError, "sequence of str, got one str 'ab'"),
        ({"texts": ["a", None]}, TypeError, "texts must be str, got None"),
        ({"outside": "drop"}, ValueError, "outside must be 'error' or 'skip', got 'drop'"),
        ({"steps": 2.0}, ValueError, "steps must be one integer from 0, or 2.* got float64"),
        ({"steps": [1, 2, 3]}, ValueError, r"one for each text, got int64 of shape \(3,\)"),
        ({"steps": -1}, ValueError, "one integer from 0"),
    ],
)
def test_targets_refuse_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        ctc.targets(**{"texts": ["a", "b"], "alphabet": ABC, **arguments})


def test_greedy_joins_neighbours_and_leaves_blanks_out():
    reading = ctc.greedy(scores_of(0, 1, 1, 0, 1, 2, 2, 0), ABC)[0]

    assert reading.text == "aab"
    assert reading.spans == ((1, 3), (4, 5), (5, 7))
    assert reading.confidences == pytest.approx((0.9, 0.9, 0.9))
    assert reading.probability == pytest.approx(0.9**8)
    assert reading.score == pytest.approx(8 * math.log(0.9))


def test_a_confidence_is_the_highest_in_the_span():
    scores = np.concatenate([scores_of(1, sure=sure) for sure in (0.5, 0.8, 0.6)], axis=1)

    assert ctc.greedy(scores, ABC)[0].confidences == pytest.approx((0.8,))


def test_greedy_keeps_lines_apart():
    """One line's last character and the next one's first are not joined."""
    scores = np.concatenate([scores_of(1, 1), scores_of(1, 2), scores_of(0, 0), scores_of(0, 2)])

    readings = ctc.greedy(scores, ABC)

    assert [reading.text for reading in readings] == ["a", "ab", "", "b"]
    assert [reading.spans for reading in readings] == [((0, 2),), ((0, 1), (1, 2)), (), ((1, 2),)]


@pytest.mark.parametrize("decode", [ctc.greedy, ctc.beam])
def test_steps_beyond_the_length_do_not_count(decode):
    scores = np.concatenate([scores_of(1, 2, 3), scores_of(1, 2, 3), scores_of(1, 2, 3)])
    scores[1, 2:] = np.nan
    scores[2] = np.nan

    whole, part, nothing = np.array(decode(scores, ABC, lengths=[3, 2, 0]), object)
    if decode is ctc.beam:
        (whole,), (part,), (nothing,) = (map(tuple, x) for x in (whole, part, nothing))

    assert (whole[0], part[0], nothing[0]) == ("abc", "ab", "")
    assert part[4] == ((0, 1), (1, 2))
    assert (nothing[1], nothing[2]) == (1, 0)


@pytest.mark.parametrize("options", [EXACT, {}])
def test_a_line_with_a_length_is_read_as_the_line_cut_to_it(options):
    scores = random_scores(40, 9, 4)
    lengths = np.random.default_rng(1).integers(0, 10, 40)
    cut = [scores[i : i + 1, :length] for i, length in enumerate(lengths)]

    for together, alone in [
        ([ctc.greedy(scores, ABC, lengths=lengths)], [[ctc.greedy(x, ABC)[0] for x in cut]]),
        (
            ctc.beam(scores, ABC, lengths=lengths, n_best=3, **options),
            [ctc.beam(x, ABC, n_best=3, **options)[0] for x in cut],
        ),
    ]:
        for ours, theirs in zip(together, alone, strict=True):
            assert [(r.text, r.spans) for r in ours] == [(r.text, r.spans) for r in theirs]
            assert [r.score for r in ours] == pytest.approx([r.score for r in theirs])


def test_greedy_agrees_with_tensorflow():
    tf = pytest.importorskip("tensorflow")
    scores = random_scores(40, 20, 6)
    lengths = np.random.default_rng(1).integers(1, 21, 40)
    alphabet = Alphabet("abcde")

    # Time first, blank last; it adds up what it is given.
    logs = np.log(np.roll(scores, -1, axis=2).transpose(1, 0, 2))
    (decoded,), negative = tf.nn.ctc_greedy_decoder(logs, lengths.astype(np.int32))
    readings = ctc.greedy(scores, alphabet, lengths=lengths)

    dense = tf.sparse.to_dense(decoded, default_value=-1).numpy()
    expected = [alphabet.decode(row[row >= 0]) for row in dense]
    assert [reading.text for reading in readings] == expected
    scores = [reading.score for reading in readings]
    np.testing.assert_allclose(scores, -negative.numpy()[:, 0], rtol=1e-5)  # sums of float32


def test_greedy_agrees_with_keras():
    ops = pytest.importorskip("keras").ops
    scores = random_scores(40, 20, 6).astype(np.float32)

    (decoded,), _ = ops.ctc_decode(np.log(scores), np.full(40, 20), "greedy", mask_index=0)

    rows = ops.convert_to_numpy(decoded)
    expected = [Alphabet("abcde").with_null().decode(row[row >= 0]) for row in rows]
    assert [reading.text for reading in ctc.greedy(scores, Alphabet("abcde"))] == expected


def tensorflows_beams(scores, lengths, **options):
    """The texts of each rank, and all logarithms of their probabilities."""
    tf = pytest.importorskip("tensorflow")
    logs = np.log(np.roll(scores, -1, axis=2).transpose(1, 0, 2)).astype(np.float32)
    paths, logarithms = tf.nn.ctc_beam_search_decoder(logs, lengths.astype(np.int32), **options)
    ranks = [tf.sparse.to_dense(path, default_value=-1).numpy() for path in paths]
    texts = [[ABC.decode(row[row >= 0] + 1) for row in rank] for rank in ranks]
    return texts, logarithms.numpy()


def test_beam_agrees_with_tensorflow():
    scores = random_scores(20, 9, 4, sharpness=0.3)
    lengths = np.random.default_rng(1).integers(3, 10, 20)

    texts, logarithms = tensorflows_beams(scores, lengths, beam_width=1000, top_paths=3)
    lines = ctc.beam(scores, ABC, lengths=lengths, width=1000, n_best=3, **EXACT)

    assert [[readings[k].text for readings in lines] for k in range(3)] == texts
    scored = [[reading.score for reading in readings] for readings in lines]
    np.testing.assert_allclose(scored, logarithms, atol=1e-4)


@pytest.mark.parametrize("width", [2, 4, 7, 20])
def test_narrow_beams_read_what_tensorflows_read(width):
    """On scores as models give them; where much is unsure the two drop other prefixes."""
    scores = 0.999 * random_scores(200, 9, 4, sharpness=0.1) + 0.001 / 4

    (texts,), _ = tensorflows_beams(scores, np.full(200, 9), beam_width=width)

    assert texts_of(ctc.beam(scores, ABC, width=width, **EXACT)) == texts


@pytest.mark.parametrize("seed", range(5))
def test_beam_without_pruning_sums_over_all_paths(seed):
    scores = random_scores(1, 5, 4, seed=seed)

    readings = ctc.beam(scores, ABC, width=5000, n_best=5000, **EXACT)[0]

    expected = sums_over_all_paths(scores[0], ABC)
    assert {r.text: r.probability for r in readings} == pytest.approx(expected)
    assert [r.score for r in readings] == sorted((r.score for r in readings), reverse=True)
    assert sum(r.probability for r in readings) == pytest.approx(1)


def test_scores_are_the_probability_and_what_is_weighed_in():
    scores = random_scores(1, 5, 4, seed=3)
    ngram = ctc.Ngram.train(["ab", "a b", "b"], WORDS, order=2)
    lexicon = ctc.Lexicon(["ab", "b"], WORDS, counts=[5, 1])

    readings = ctc.beam(
        scores,
        WORDS,
        width=5000,
        n_best=5000,
        **EXACT,
        ngram=ngram,
        ngram_weight=0.7,
        character_bonus=0.2,
        lexicon=lexicon,
        lexicon_weight=0.4,
    )[0]

    sums = sums_over_all_paths(scores[0], WORDS)
    expected = {
        text: math.log(probability)
        + 0.7 * ngram.log_probability(text)
        + 0.2 * len(text)
        + 0.4 * sum({"ab": math.log(6), "b": math.log(2)}.get(word, 0) for word in text.split(" "))
        for text, probability in sums.items()
    }
    assert {r.text: r.score for r in readings} == pytest.approx(expected)
    assert {r.text: r.probability for r in readings} == pytest.approx(sums)


def test_a_closed_lexicon_leaves_only_its_words():
    scores = random_scores(1, 5, 4, seed=1)
    lexicon = ctc.Lexicon(["ab", "ba"], WORDS)

    readings = ctc.beam(
        scores, WORDS, width=5000, n_best=5000, **EXACT, lexicon=lexicon, closed=True
    )[0]

    sums = sums_over_all_paths(scores[0], WORDS)
    known = {"ab", "ba", "ab ab", "ab ba", "ba ab", "ba ba"}
    expected = {text: probability for text, probability in sums.items() if text in known}
    assert {r.text: r.probability for r in readings} == pytest.approx(expected)


def test_a_lexicon_leans_but_does_not_forbid():
    scores = np.concatenate([scores_of(1, 2, sure=0.4), scores_of(1, 2, sure=0.99)])
    lexicon = ctc.Lexicon(["ac"], ABC, counts=[20])

    assert texts_of(ctc.beam(scores, ABC, lexicon=lexicon, lexicon_weight=0.8)) == ["ac", "ab"]
    assert texts_of(ctc.beam(scores, ABC, lexicon=lexicon, closed=True)) == ["ac", "ac"]


def test_an_ngram_model_leans_towards_what_it_knows():
    scores = np.array([[[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0.55, 0.45]]], float)
    ngram = ctc.Ngram.train(["ac", "ac", "ba"], ABC, order=2)

    assert texts_of(ctc.beam(scores, ABC)) == ["ab"]
    assert texts_of(ctc.beam(scores, ABC, ngram=ngram)) == ["ac"]
    assert texts_of(ctc.beam(scores, ABC, ngram=ngram, ngram_weight=0)) == ["ab"]


def test_a_character_bonus_makes_texts_longer():
    scores = scores_of(1, 0, 0, sure=0.5)

    lengths = [len(ctc.beam(scores, ABC, character_bonus=bonus)[0][0].text) for bonus in (-5, 0, 5)]

    assert lengths == sorted(set(lengths))


def test_a_closed_lexicon_is_searched_again_where_pruning_lost_its_words():
    scores = np.repeat(scores_of(1, 0, 2, classes=27, sure=1 - 1e-6), 2, axis=0)
    lexicon = ctc.Lexicon(["yes"], LOWERCASE)

    readings = ctc.beam(scores, LOWERCASE, lexicon=lexicon, closed=True, width=1)

    assert texts_of(readings) == ["yes", "yes"]
    assert 0 < readings[0][0].probability < 1e-15


def test_a_line_that_no_word_fits_is_empty_and_improbable():
    lexicon = ctc.Lexicon(["abab"], ABC)

    (reading,) = ctc.beam(scores_of(1, 2, 1), ABC, lexicon=lexicon, closed=True)[0]

    assert reading == ("", 0.0, -math.inf, (), ())


def test_texts_sum_over_their_paths_so_beam_may_differ_from_greedy():
    scores = np.array([[[0.6, 0.4], [0.6, 0.4]]])

    assert ctc.greedy(scores, Alphabet("a"))[0].text == ""
    assert ctc.beam(scores, Alphabet("a"))[0][0].text == "a"


def test_sure_lines_are_read_alike_by_both_with_their_places():
    scores = np.concatenate([scores_of(0, 1, 1, 0, 1, 3), scores_of(2, 2, 3, 3, 0, 0)])

    for best, (only,) in zip(ctc.greedy(scores, ABC), ctc.beam(scores, ABC), strict=True):
        assert only.text == best.text
        assert only.spans == best.spans
        assert only.confidences == best.confidences
        assert only.probability >= best.probability


def test_spans_are_those_of_the_most_probable_path_of_the_text():
    for seed in range(20):
        scores = random_scores(1, 6, 3, seed=seed)
        alphabet = Alphabet("ab").with_null()
        for reading in ctc.beam(scores, alphabet, width=500, n_best=10, **EXACT)[0]:
            paths = {
                path: math.prod(scores[0, step, label] for step, label in enumerate(path))
                for path in itertools.product(range(3), repeat=6)
                if alphabet.decode([label for label, _ in itertools.groupby(path)]) == reading.text
            }
            path = max(paths, key=paths.__getitem__)
            runs = [
                (label, [step for step, _ in steps])
                for label, steps in itertools.groupby(enumerate(path), key=lambda pair: pair[1])
                if label
            ]
            assert reading.spans == tuple((steps[0], steps[-1] + 1) for _, steps in runs)
            assert reading.confidences == pytest.approx(
                [max(scores[0, step, label] for step in steps) for label, steps in runs]
            )


def test_pruning_loses_little_and_invents_nothing():
    scores = random_scores(100, 12, 4, sharpness=0.2)

    full = np.array([readings[0].score for readings in ctc.beam(scores, ABC, width=500, **EXACT)])
    pruned = np.array([readings[0].score for readings in ctc.beam(scores, ABC)])

    assert (pruned <= full + 1e-9).all()
    assert np.exp(pruned - full).mean() > 0.95


@pytest.mark.parametrize("option", ["prune_classes", "prune_prefixes"])
def test_pruning_leaves_the_improbable_out(option):
    scores = scores_of(1, 2, sure=0.97)

    kept = ctc.beam(scores, ABC, width=99, n_best=99, **EXACT)[0]
    pruned = ctc.beam(scores, ABC, width=99, n_best=99, **{**EXACT, option: 0.02})[0]

    assert len(kept) > len(pruned) >= 1
    assert pruned[0].text == kept[0].text


def test_pruned_prefixes_do_not_come_back_as_readings():
    (readings,) = ctc.beam(random_scores(1, 9, 4), ABC, width=99, n_best=99, prune_prefixes=0.1)

    assert len(readings) > 1
    assert readings[-1].probability > 0.1 * readings[0].probability


def test_the_most_probable_class_is_tried_however_much_is_pruned():
    scores = np.array([[[0.3, 0.4, 0.3, 0]]])

    assert texts_of(ctc.beam(scores, ABC, prune_classes=0.5)) == ["a"]


def test_steps_of_blanks_alone_count_once():
    """Pruning leaves the best path only."""
    scores = scores_of(0, 0, 1, 0, 0, 1, 0, 0, 0, sure=0.998)

    (reading,) = ctc.beam(scores, ABC)[0]

    assert reading.text == "aa"
    assert reading.probability == pytest.approx(0.998**9)


def test_as_many_readings_are_given_as_wanted():
    (readings,) = ctc.beam(random_scores(1, 9, 4), ABC, width=2, n_best=5)

    assert len({reading.text for reading in readings}) == len(readings) == 5


def test_long_lines_do_not_underflow():
    scores = np.tile(random_scores(1, 3, 4, seed=2), (1, 2000, 1))

    (reading,) = ctc.beam(scores, ABC)[0]

    assert math.isfinite(reading.score)
    assert reading.score < -1000
    assert reading.score >= ctc.greedy(scores, ABC)[0].score
    assert len(reading.spans) == len(reading.text) > 1000


def test_bonuses_do_not_overflow():
    scores = np.tile(scores_of(1, 0), (1, 500, 1))

    (reading,) = ctc.beam(scores, ABC, character_bonus=10)[0]

    assert len(reading.text) > 500
    assert reading.score > 4000


def test_many_lines_are_read_as_one_by_one():
    scores = random_scores(300, 5, 4)

    together = ctc.beam(scores, ABC)

    assert together[255:258] == [ctc.beam(scores[i : i + 1], ABC)[0] for i in range(255, 258)]
    assert len(together) == 300


@pytest.mark.parametrize("decode", [ctc.greedy, ctc.beam])
@pytest.mark.parametrize("shape", [(0, 5, 4), (2, 0, 4)])
def test_nothing_reads_as_nothing(decode, shape):
    lines = decode(np.zeros(shape, np.float32), ABC)

    assert len(lines) == shape[0]
    assert all(("", 1.0) in [line[:2], line[0][:2]] for line in lines)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_precision_is_read(dtype):
    scores = random_scores(5, 20, 4, sharpness=0.1).astype(dtype)

    assert texts_of(ctc.beam(scores, ABC)) == texts_of(ctc.beam(scores.astype(np.float64), ABC))
    assert len(ctc.greedy(scores, ABC)) == 5


@pytest.mark.parametrize("decode", [ctc.greedy, ctc.beam])
@pytest.mark.parametrize(
    ("scores", "lengths", "message"),
    [
        ([[[0.5, 0.5, 0, 0]]], None, "floats of shape .*, got list of shape"),
        (np.ones((2, 4)), None, r"got float64 of shape \(2, 4\); .*scores\[None\]"),
        (np.ones((1, 2, 4), int), None, "got int64"),
        (np.full((1, 2, 3), 1 / 3), None, "4 classes, the blank and the 3 characters.*, got 3"),
        (np.ones((1, 2, 4)), None, "sum to 1 at each step.*at step 0 of line 0; for logits take"),
        (np.log(scores_of(1, 2)), None, "for logarithms numpy.exp"),
        (scores_of(1, 2) * np.array([[[1], [np.nan]]]), None, "at step 1 of line 0"),
        (np.array([[[2.0, -1, 0, 0]]]), None, "must be probabilities"),
        (scores_of(1, 2), [3], r"lengths must lie in \[0, 2\].*got 3 to 3"),
        (scores_of(1, 2), [-1], "got -1 to -1"),
        (scores_of(1, 2), [1.0], "lengths must be integers"),
        (scores_of(1, 2), [1, 2], r"shape \(1,\), one for each line, got int64 of shape \(2,\)"),
    ],
)
def test_decoders_refuse_what_are_no_probabilities_of_lines(decode, scores, lengths, message):
    with pytest.raises(ValueError, match=message):
        decode(scores, ABC, lengths=lengths)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width must be an integer from 1, got 0"),
        ({"n_best": 1.0}, "n_best must be an integer from 1"),
        ({"ngram_weight": -1}, r"ngram_weight must lie in \[0, 10\], got -1"),
        ({"lexicon_weight": math.nan}, "lexicon_weight must lie in"),
        ({"prune_classes": 1}, r"prune_classes must lie in \[0, 0.5\], got 1"),
        ({"prune_prefixes": -0.1}, "prune_prefixes must lie in"),
        ({"character_bonus": math.inf}, r"character_bonus must lie in \[-10, 10\], got inf"),
        ({"closed": True}, "closed=True needs a lexicon with words"),
        ({"closed": True, "lexicon": ctc.Lexicon([], ABC)}, "needs a lexicon with words"),
        ({"lexicon": ctc.Lexicon(["1"], DIGITS)}, "must be of the alphabet of the scores"),
        ({"ngram": ctc.Ngram.train(["1"], DIGITS)}, "must be of the alphabet of the scores"),
    ],
)
def test_beam_refuses_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        ctc.beam(scores_of(1, 2), ABC, **options)


def test_a_lexicon_adds_up_words_and_counts_what_it_leaves_out():
    alphabet = Alphabet("abé ")
    texts = ["ab b", "b", "axb", "e\N{COMBINING ACUTE ACCENT}"]
    lexicon = ctc.Lexicon(texts, alphabet, counts=[3, 2, 1, 1])

    assert len(lexicon) == 3
    assert lexicon.words == {"ab": 3, "b": 5, "é": 1}
    assert lexicon.outside == 1
    assert "ab" in lexicon
    assert "ab b" not in lexicon
    assert lexicon.bonus("ab b x") == pytest.approx(math.log(4) + math.log(6))


@pytest.mark.parametrize(
    ("texts", "counts", "error", "message"),
    [
        ("ab", None, TypeError, "got one str 'ab'"),
        (["a", "b"], [1], ValueError, "counts must be 2, one for each text, got 1"),
        (["a"], [0], ValueError, "finite and above 0, got 0 for 'a'"),
        (["a"], [math.inf], ValueError, "finite and above 0"),
    ],
)
def test_a_lexicon_refuses_wrong_arguments(texts, counts, error, message):
    with pytest.raises(error, match=message):
        ctc.Lexicon(texts, ABC, counts=counts)


# How probable a text is


def test_likelihoods_are_sums_over_all_paths():
    lines = random_scores(3, 5, 4, seed=3)
    every = [sums_over_all_paths(line, ABC) for line in lines]

    for text in ["", "a", "aa", "abc", "aba", "cccc", "aaa"]:
        found = ctc.likelihood(lines, [text] * 3, ABC)

        assert found.tolist() == pytest.approx([sums.get(text, 0) for sums in every])


def test_lines_of_all_lengths_have_likelihoods_of_their_own():
    lines = random_scores(4, 6, 4, seed=4)
    lengths, texts = [6, 3, 0, 2], ["abcb", "aa", "", "aa"]

    found = ctc.likelihood(lines, texts, ABC, lengths=lengths)

    expected = [
        sums_over_all_paths(line[:length], ABC).get(text, 0)
        for line, length, text in zip(lines, lengths, texts, strict=True)
    ]
    assert found.tolist() == pytest.approx(expected)
    assert found[2:].tolist() == [1, 0]


def test_likelihoods_of_long_lines_do_not_underflow_on_the_way():
    scores = np.full((1, 1200, 4), 0.25, np.float32)

    (found,) = ctc.likelihood(scores, ["a" * 600], ABC)
    (sure,) = ctc.likelihood(scores_of(*[1, 0] * 400, sure=0.9999), ["a" * 400], ABC)

    assert found == 0  # 4 ** -1200 times the number of paths, rounded
    assert 0.9 < sure <= 1
    empty = np.repeat(scores_of(*[0] * 1300, sure=0.9999), 2, axis=0)
    assert ctc.likelihood(empty, ["", "a" * 600], ABC)[0] == pytest.approx(0.9999**1300)


def test_many_lines_are_likely_as_each_alone():
    lines = random_scores(300, 4, 4, seed=5)
    texts = ["ab", "c", ""] * 100

    found = ctc.likelihood(lines, texts, ABC)

    alone = [ctc.likelihood(lines[i : i + 1], texts[i : i + 1], ABC)[0] for i in (0, 1, 255, 299)]
    assert found[[0, 1, 255, 299]].tolist() == pytest.approx(alone)
    assert ctc.likelihood(np.zeros((0, 3, 4)), [], ABC).shape == (0,)


@pytest.mark.parametrize(
    ("texts", "message"),
    [(["a"], "texts must be 2, one for each line"), ("ab", "got 'ab'"), (["a", "z"], "'z' is not")],
)
def test_a_likelihood_needs_a_text_of_the_alphabet_for_each_line(texts, message):
    with pytest.raises(ValueError, match=message):
        ctc.likelihood(random_scores(2, 4, 4), texts, ABC)
