"""How well a model reads characters, and how well lines were read."""

import collections
import dataclasses
import functools
import html
import json
import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handwriting import ctc
from handwriting.alphabet import Alphabet, Labels
from handwriting.data import CharacterDataset, LineDataset
from handwriting.errors import HandwritingError
from handwriting.files import StrPath, replacing
from handwriting.images import Image, check

__all__ = [
    "SAME_SHAPE",
    "LineReport",
    "Rejection",
    "Report",
    "compare",
    "evaluate",
    "evaluate_lines",
    "predict",
    "predict_lines",
    "rejection",
]

SAME_SHAPE = ("0Oo", "1lI|", *("cC", "sS", "uU", "vV", "wW", "xX", "zZ", "pP", "kK"))
"""Groups of characters that shape alone cannot tell apart, for :meth:`Report.folded`."""

_SCORES = ("precision", "recall", "f1")
_BINS = 15


def predict(model: Any, images: Image, *, batch_size: int = 1024) -> NDArray[np.float32]:
    """Scores of every character for every image, in batches.

    Args:
        model: a Keras model, or any function of a (n, h, w) uint8 batch that gives (n, classes).
        images: (n, h, w) uint8; a memory map is read batch by batch.
        batch_size: images a batch.

    Returns:
        (n, classes) float32.

    Raises:
        ValueError: there are no images, they are not uint8 of shape (n, h, w), or ``batch_size``
            is under 1.
        HandwritingError: a score is NaN or infinite.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if check(images).ndim != 3:
        raise ValueError(
            f"images must be of shape (n, h, w), got {images.shape}; one image gets a batch axis "
            "with image[None]"
        )
    if not len(images):
        raise ValueError("there must be images to predict, got none")
    # Not model.predict: it costs tens of milliseconds before it looks at the first image.
    function = getattr(model, "predict_on_batch", model)
    parts = [
        np.asarray(function(np.ascontiguousarray(images[start : start + batch_size])), np.float32)
        for start in range(0, len(images), batch_size)
    ]
    scores = np.concatenate(parts)
    if not np.isfinite(scores).all():
        raise HandwritingError("the model gives NaN or infinite scores: its training went wrong")
    return scores


def evaluate(model: Any, dataset: CharacterDataset, *, batch_size: int = 1024) -> "Report":
    """Compare what a model reads with a dataset's labels.

    Args:
        model: as for :func:`predict`.
        dataset: images and their labels.
        batch_size: images a batch.

    Raises:
        ValueError: the dataset is empty, or the model gives another number of scores than the
            dataset's alphabet has characters.

    Example:
        >>> from handwriting.datasets import digits
        >>> always_one = lambda images: np.eye(10)[np.ones(len(images), int)]
        >>> round(evaluate(always_one, digits.load("test")).accuracy, 3)
        0.103
    """
    if not len(dataset):
        raise ValueError(f"there must be images to evaluate on, got none in {dataset!r}")
    scores = predict(model, dataset.images, batch_size=batch_size)
    if scores.shape != (len(dataset), len(dataset.alphabet)):
        raise ValueError(
            f"the model must give scores of shape {(len(dataset), len(dataset.alphabet))}, one for "
            f"each character of {dataset.alphabet!r}, got {scores.shape}"
        )
    return Report(dataset.name, dataset.alphabet, dataset.labels, scores)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What :func:`evaluate` found. It prints well, and shows as a table in a notebook.

    Args:
        name: of the dataset.
        alphabet: its characters.
        labels: (n,) int64, the truth.
        scores: (n, classes) float32, the model's scores.
    """

    name: str
    alphabet: Alphabet
    labels: Labels
    scores: NDArray[np.float32]

    @functools.cached_property
    def predicted(self) -> Labels:
        """(n,) int64, the label with the highest score."""
        labels: Labels = self.scores.argmax(axis=1)
        return labels

    @property
    def accuracy(self) -> float:
        """Share of images read right, in [0, 1]."""
        return float(np.mean(self.predicted == self.labels))

    def top(self, k: int) -> float:
        """Share of images whose true character is among the ``k`` highest scores.

        Among equal scores the smaller label counts as the higher one, as in :attr:`predicted`.

        Raises:
            ValueError: ``k`` is under 1 or over the number of characters.
        """
        if not 1 <= k <= len(self.alphabet):
            raise ValueError(f"k must lie in [1, {len(self.alphabet)}], got {k}")
        order = np.argsort(-self.scores, axis=1, kind="stable")[:, :k]
        return float(np.mean((order == self.labels[:, None]).any(axis=1)))

    def folded(self, groups: Iterable[str] = SAME_SHAPE) -> float:
        """Share of images read right where the characters of a group count as one, in [0, 1].

        Args:
            groups: characters that are the same; those that the alphabet lacks do not matter.
        """
        first = {character: group[0] for group in groups for character in group}
        kinds = [first.get(character, character) for character in self.alphabet]
        of_label = np.array([kinds.index(kind) for kind in kinds])
        return float(np.mean(of_label[self.predicted] == of_label[self.labels]))

    @property
    def calibration_error(self) -> float:
        """Expected calibration error, in [0, 1]: how far confidence is from accuracy.

        Images are put into 15 bins of equal width by their highest score; it is the distance
        between the bins' mean confidence and their share of images read right, weighted by their
        images.

        Raises:
            ValueError: the scores are no probabilities.

        Source:
            Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks. ICML 2017
            (arXiv 1706.04599), equation 3.
        """
        return _calibration_error(self.reliability(), "images")

    def reliability(self) -> list[dict[str, Any]]:
        """What share of images is read right at which confidence.

        Returns:
            Rows of ``low`` and ``high``, between which the confidence lies, ``images``, and their
            mean ``confidence`` and ``accuracy``; only of bins that hold images.

        Raises:
            ValueError: the scores are no probabilities.
        """
        if not self._are_probabilities:
            raise ValueError(
                f"scores must be probabilities to be compared with accuracy, each image's summing "
                f"to 1, got {self.scores[0].min():g} to {self.scores[0].max():g} for the first; "
                "take their softmax"
            )
        right = self.predicted == self.labels
        return _reliability(self.scores.max(axis=1), right, "images")

    @functools.cached_property
    def confusion(self) -> NDArray[np.int64]:
        """(classes, classes) int64: how often the row's character was read as the column's."""
        from sklearn.metrics import confusion_matrix

        classes = np.arange(len(self.alphabet))
        matrix: NDArray[np.int64] = confusion_matrix(self.labels, self.predicted, labels=classes)
        return matrix

    def per_class(self) -> list[dict[str, Any]]:
        """Figures of each character that occurs.

        Returns:
            Rows of ``character``, ``images``, ``precision``, ``recall`` and ``f1``, the last three
            in [0, 1].
        """
        right = self.confusion.diagonal()
        images, read = self.confusion.sum(axis=1), self.confusion.sum(axis=0)
        return [
            {
                "character": character,
                "images": int(images[i]),
                "precision": float(right[i] / read[i]) if read[i] else 0.0,
                "recall": float(right[i] / images[i]),
                "f1": float(2 * right[i] / (images[i] + read[i])),
            }
            for i, character in enumerate(self.alphabet)
            if images[i]
        ]

    def most_confused(self, n: int = 10) -> list[tuple[str, str, int]]:
        """The ``n`` most frequent errors, as (true character, read as, how often)."""
        errors = self.confusion - np.diag(self.confusion.diagonal())
        order = np.argsort(-errors, axis=None, kind="stable")[:n]
        rows, columns = np.unravel_index(order, errors.shape)
        characters = self.alphabet.characters
        return [
            (characters[row], characters[column], int(errors[row, column]))
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
            if errors[row, column]
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the scores of single images, ready for JSON.

        Where the scores are no probabilities, ``calibration_error`` is None.
        """
        return {
            "dataset": self.name,
            "images": len(self.labels),
            "accuracy": self.accuracy,
            "calibration_error": self.calibration_error if self._are_probabilities else None,
            "top_k": {str(k): self.top(k) for k in self._ks()},
            "alphabet": list(self.alphabet),
            "per_class": self.per_class(),
            "most_confused": [list(pair) for pair in self.most_confused()],
            "confusion": self.confusion.tolist(),
        }

    def save(self, path: StrPath) -> None:
        """Write the report as JSON, as a whole or not at all."""
        _write_json(self.to_dict(), path)

    @functools.cached_property
    def _are_probabilities(self) -> bool:
        sums = self.scores.sum(axis=1)
        return bool((self.scores >= 0).all() and np.allclose(sums, 1, atol=0.01))

    def _ks(self) -> list[int]:
        return [k for k in (1, 2, 3, 5) if k < len(self.alphabet)]

    def _summary(self) -> str:
        right = int((self.predicted == self.labels).sum())
        tops = ", ".join(f"top {k} {self.top(k):.2%}" for k in self._ks()[1:])
        gap = f"; calibration error {self.calibration_error:.2%}" if self._are_probabilities else ""
        return f"{self.accuracy:.2%} of {len(self.labels)} images right ({right}); {tops}{gap}"

    def __repr__(self) -> str:
        return f"Report({self.name!r}: {self._summary()})"

    def __str__(self) -> str:
        lines = [
            f"{self.name}: {self._summary()}",
            "",
            "character  images  precision  recall      f1",
        ]
        lines += [
            f"{row['character'] or 'null':>9}{row['images']:8}{row['precision']:11.4f}"
            f"{row['recall']:8.4f}{row['f1']:8.4f}"
            for row in self.per_class()
        ]
        confused = self.most_confused()
        if confused:
            pairs = ", ".join(
                f"{true or 'null'} as {read or 'null'}: {n}" for true, read, n in confused
            )
            lines += ["", f"most confused: {pairs}"]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("character", "images", *_SCORES))
        rows = "".join(
            f"<tr><td>{html.escape(row['character'] or 'null')}</td><td>{row['images']}</td>"
            + "".join(f"<td>{row[name]:.4f}</td>" for name in _SCORES)
            + "</tr>"
            for row in self.per_class()
        )
        pairs = ", ".join(
            f"{html.escape(true or 'null')} as {html.escape(read or 'null')}: {n}"
            for true, read, n in self.most_confused()
        )
        return (
            f"<p><b>{html.escape(self.name)}</b>: {self._summary()}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f"<p>Most confused: {pairs or 'nothing'}</p>"
        )


def predict_lines(
    model: Any, lines: LineDataset, *, batch_size: int = 256
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scores of every time step of every line, in batches, for ``ctc.greedy`` and ``ctc.beam``.

    Args:
        model: a Keras model, or any function of a (n, h, w) uint8 batch that gives (n, steps,
            labels), the blank's first.
        lines: the images; a memory map is read batch by batch.
        batch_size: lines a batch.

    Returns:
        Scores (n, steps, labels) float32, and how many of the steps each line takes up, (n,) int64.

    Raises:
        ValueError: there are no lines, or ``batch_size`` is under 1.
        HandwritingError: a score is NaN or infinite.
    """
    scores = predict(model, lines.images, batch_size=batch_size)
    return scores, -(-lines.widths * scores.shape[1] // lines.image_shape[1])


def evaluate_lines(
    model: Any, lines: LineDataset, alphabet: Alphabet, *, batch_size: int = 256
) -> "LineReport":
    """Compare what a model reads in lines, decoded greedily, with their texts.

    How sure a reading is, is the probability of its text, summed over all paths.

    Args:
        model: as for :func:`predict_lines`.
        lines: images and their texts, which may hold characters that the model does not know.
        alphabet: of the model, with null.
        batch_size: lines a batch.

    Raises:
        ValueError: there are no lines, or the model gives another number of scores than the
            alphabet has characters.
    """
    scores, lengths = predict_lines(model, lines, batch_size=batch_size)
    texts = [reading.text for reading in ctc.greedy(scores, alphabet, lengths=lengths)]
    sure = ctc.likelihood(scores, texts, alphabet, lengths=lengths).tolist()
    return compare(lines.texts, texts, confidences=sure, name=lines.name)


def compare(
    truths: Sequence[str],
    readings: Sequence[str],
    *,
    confidences: Sequence[float] = (),
    name: str = "",
) -> "LineReport":
    """Compare what was read in lines with what is written there.

    Args:
        truths: n texts, what is written.
        readings: n texts, what was read.
        confidences: n numbers in [0, 1], how sure each reading is; or none.
        name: of the dataset.

    Raises:
        ValueError: there are none, or not as many of the one as of the other, or a confidence is
            not in [0, 1].
        TypeError: one is no sequence of str.

    Example:
        >>> report = compare(["ANNE", "HUGO"], ["ANNE", "HUG0"])
        >>> print(report)
        lines: CER 12.50% of 8 characters, WER 50.00% of 2 words, 50.00% of 2 exact (1); 87.50% of \
characters right by position
        <BLANKLINE>
        edits  written  read
            1  'HUGO'   'HUG0'
    """
    return LineReport(
        name, _texts(truths, "truths"), _texts(readings, "readings"), tuple(map(float, confidences))
    )


@dataclasses.dataclass(frozen=True, repr=False)
class LineReport:
    """What :func:`compare` found.

    An edit puts in, takes out or replaces one character (or word): Levenshtein's distance. A rate
    is the edits of all lines over the characters (or words) of all truths: long lines weigh more,
    and it can be over 1. Texts are compared in NFC, and words are what white space parts.

    Args:
        name: of the dataset.
        truths: n texts, what is written.
        readings: n texts, what was read.
        confidences: n numbers in [0, 1], how sure each reading is; or none.

    Raises:
        ValueError: there are none, or not as many of the one as of the other, or a confidence is
            not in [0, 1].

    Source:
        V. Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals",
        Soviet Physics Doklady 10 (1966). Computed by rapidfuzz.
    """

    name: str
    truths: tuple[str, ...]
    readings: tuple[str, ...]
    confidences: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.truths or len(self.truths) != len(self.readings):
            raise ValueError(
                "there must be one truth at least and one reading for each, got "
                f"{len(self.truths)} truths and {len(self.readings)} readings"
            )
        sure = np.asarray(self.confidences)
        if sure.size and (
            sure.shape != (len(self.truths),) or not ((sure >= 0) & (sure <= 1)).all()
        ):
            raise ValueError(
                f"confidences must be {len(self.truths)} numbers in [0, 1], one for each reading, "
                f"or none, got {sure.size} from {sure.min():g} to {sure.max():g}"
            )
        for texts in ("truths", "readings"):
            composed = tuple(unicodedata.normalize("NFC", text) for text in getattr(self, texts))
            object.__setattr__(self, texts, composed)

    @functools.cached_property
    def edits(self) -> NDArray[np.int64]:
        """(n,) int64, the characters to edit in each line."""
        return _distances(self.truths, self.readings)

    @functools.cached_property
    def word_edits(self) -> NDArray[np.int64]:
        """(n,) int64, the words to edit in each line."""
        return _distances(
            [text.split() for text in self.truths], [text.split() for text in self.readings]
        )

    @property
    def characters(self) -> int:
        """Characters that are written, spaces among them."""
        return sum(map(len, self.truths))

    @property
    def words(self) -> int:
        """Words that are written."""
        return sum(len(text.split()) for text in self.truths)

    @property
    def cer(self) -> float:
        """Character error rate, from 0. Where nothing is written, the number of edits."""
        return int(self.edits.sum()) / max(1, self.characters)

    @property
    def wer(self) -> float:
        """Word error rate, from 0. Where nothing is written, the number of edits."""
        return int(self.word_edits.sum()) / max(1, self.words)

    @property
    def exact(self) -> float:
        """Share of lines without an error, in [0, 1]."""
        return float(np.mean(self.edits == 0))

    @property
    def by_position(self) -> float:
        """Share of characters that stand at the same position in the reading, in [0, 1].

        This is what notebooks on handwritten names print as "correct characters"; 1 minus the
        character error rate is another figure, for one letter left out spoils all that follow it.
        """
        same = sum(
            one == other
            for truth, reading in zip(self.truths, self.readings, strict=True)
            for one, other in zip(truth, reading, strict=False)
        )
        return same / self.characters if self.characters else 1.0

    @property
    def calibration_error(self) -> float:
        """Expected calibration error, in [0, 1]: how far confidence is from the share exact.

        As :attr:`Report.calibration_error`, of whole lines.

        Raises:
            ValueError: the report has no confidences.
        """
        return _calibration_error(self.reliability(), "lines")

    def reliability(self) -> list[dict[str, Any]]:
        """What share of lines is exact at which confidence.

        Returns:
            Rows of ``low`` and ``high``, between which the confidence lies, ``lines``, and their
            mean ``confidence`` and ``accuracy``; only of bins that hold lines.

        Raises:
            ValueError: the report has no confidences.
        """
        if not self.confidences:
            raise ValueError("there must be confidences, got none; give them to compare")
        return _reliability(np.array(self.confidences), self.edits == 0, "lines")

    def worst(self, n: int = 10) -> list[tuple[int, int, str, str]]:
        """The ``n`` lines with the most edits, as (position, edits, truth, reading).

        Lines without an error are not listed; of equal ones the first comes first.
        """
        order = np.argsort(-self.edits, kind="stable")[:n].tolist()
        edits = self.edits.tolist()
        return [(i, edits[i], self.truths[i], self.readings[i]) for i in order if edits[i]]

    def most_confused(self, n: int = 10) -> list[tuple[str, str, int]]:
        """The ``n`` most frequent edits, as (written, read as, how often).

        Characters that were left out are read as ``""``, and ``""`` is what is written where one
        was put in. Where several lists of edits are equally short, one of them counts.

        Example:
            >>> compare(["LEA", "LEO"], ["IEA", "IE"]).most_confused()
            [('L', 'I', 2), ('O', '', 1)]
        """
        pairs = zip(self.truths, self.readings, strict=True)
        counts = collections.Counter(edit for pair in pairs for edit in _replaced(*pair))
        return [(written, read, count) for (written, read), count in counts.most_common(n)]

    def to_dict(self) -> dict[str, Any]:
        """The figures, the most frequent edits and the worst lines, ready for JSON.

        Where there are no confidences, ``calibration_error`` is None.
        """
        return {
            "dataset": self.name,
            "lines": len(self.truths),
            "characters": self.characters,
            "words": self.words,
            "cer": self.cer,
            "wer": self.wer,
            "exact": self.exact,
            "by_position": self.by_position,
            "calibration_error": self.calibration_error if self.confidences else None,
            "most_confused": [list(edit) for edit in self.most_confused()],
            "worst": [list(line) for line in self.worst()],
        }

    def save(self, path: StrPath) -> None:
        """Write the report as JSON, as a whole or not at all."""
        _write_json(self.to_dict(), path)

    def _summary(self) -> str:
        lines = len(self.truths)
        gap = f"; calibration error {self.calibration_error:.2%}" if self.confidences else ""
        return (
            f"CER {self.cer:.2%} of {self.characters} characters, WER {self.wer:.2%} of "
            f"{self.words} words, {self.exact:.2%} of {lines} exact ({round(self.exact * lines)}); "
            f"{self.by_position:.2%} of characters right by position{gap}"
        )

    def __repr__(self) -> str:
        return f"LineReport({self.name!r}: {self._summary()})"

    def __str__(self) -> str:
        text = f"{self.name or 'lines'}: {self._summary()}"
        worst = [(edits, repr(truth), repr(read)) for _, edits, truth, read in self.worst()]
        if not worst:
            return text
        wide = max(len(truth) for _, truth, _ in [*worst, (0, "written", "")])
        rows = [f"{edits:5}  {truth:{wide}}  {read}" for edits, truth, read in worst]
        return "\n".join([text, "", f"edits  {'written':{wide}}  read", *rows])


@dataclasses.dataclass(frozen=True)
class Rejection:
    """What :func:`rejection` found.

    Args:
        threshold: the confidence from which on something counts as a character.
        accepted: share of the characters that do, in [0, 1].
        let_through: share of each kind of other things that do.
    """

    threshold: float
    accepted: float
    let_through: dict[str, float]


def rejection(
    characters: ArrayLike, others: Mapping[str, ArrayLike], *, accept: float = 0.99
) -> Rejection:
    """The confidence below which a reader had better say nothing.

    Args:
        characters: (n,) how sure the reader is of each of n characters, any number that is the
            higher the surer, such as the highest probability but null's.
        others: the same of images that are no character, (k,) for each kind of them.
        accept: in (0, 1], the share of characters to take at least.

    Returns:
        The highest threshold that takes so many characters, and what else it takes.

    Raises:
        ValueError: there are no characters or none of a kind, a number is NaN, or ``accept`` is
            out of range.

    Example:
        >>> others = {"blots": [0.2, 0.1], "rules": [0.85, 0.1]}
        >>> rejection([0.9, 0.8, 0.95, 0.3], others, accept=0.75)
        Rejection(threshold=0.8, accepted=0.75, let_through={'blots': 0.0, 'rules': 0.5})
    """
    if not 0 < accept <= 1:
        raise ValueError(f"accept must lie in (0, 1], got {accept}")
    sure = np.sort(_confidences(characters, "characters"))[::-1]
    # A hair less: 0.9 times 10 is more than 9 in floating point.
    threshold = float(sure[max(1, math.ceil(accept * len(sure) - 1e-9)) - 1])
    return Rejection(
        threshold,
        float(np.mean(sure >= threshold)),
        {
            kind: float(np.mean(_confidences(values, kind) >= threshold))
            for kind, values in others.items()
        },
    )


def _confidences(values: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not array.size or np.isnan(array).any():
        raise ValueError(
            f"{name} must be numbers of shape (n,), one at least and none of them NaN, got shape "
            f"{array.shape}"
        )
    return array


def _reliability(
    confidences: NDArray[np.floating[Any]], right: NDArray[np.bool_], counted: str
) -> list[dict[str, Any]]:
    """Bins of equal width, without their lower and with their upper edge."""
    edges = np.linspace(0, 1, _BINS + 1)
    which = np.digitize(confidences, edges[1:-1], right=True)
    return [
        {
            "low": float(edges[i]),
            "high": float(edges[i + 1]),
            counted: int(inside.sum()),
            "confidence": float(confidences[inside].mean(dtype=np.float64)),
            "accuracy": float(right[inside].mean()),
        }
        for i in range(_BINS)
        if (inside := which == i).any()
    ]


def _calibration_error(rows: list[dict[str, Any]], counted: str) -> float:
    gaps = [row[counted] * abs(row["confidence"] - row["accuracy"]) for row in rows]
    return float(sum(gaps) / sum(row[counted] for row in rows))


def _write_json(value: Any, path: StrPath) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=1)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _texts(texts: Sequence[str], name: str) -> tuple[str, ...]:
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{name} must be a sequence of str, got {texts!r:.60}")
    return tuple(texts)


def _distances(truths: Sequence[Any], readings: Sequence[Any]) -> NDArray[np.int64]:
    from rapidfuzz.distance import Levenshtein

    pairs = zip(truths, readings, strict=True)
    return np.array([Levenshtein.distance(truth, reading) for truth, reading in pairs], np.int64)


def _replaced(truth: str, reading: str) -> Iterator[tuple[str, str]]:
    """What is written and what is read instead in each edit; one of them can be empty."""
    from rapidfuzz.distance import Levenshtein

    for edit in Levenshtein.editops(truth, reading):
        written = "" if edit.tag == "insert" else truth[edit.src_pos]
        yield written, "" if edit.tag == "delete" else reading[edit.dest_pos]
