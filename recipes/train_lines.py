"""Train a reader of lines of Latin handwriting, print and cursive.

    python recipes/train_lines.py --strokes words.npz --copiste lines.zip --names ZIP --out FOLDER
        [--characters characters.npz] [--model crnn_deep] [--start names] [--epochs 16] [--calm 9]
        [--resume] [--share 1]

It learns from the words and short texts of UNIPEN, drawn afresh in each epoch of the movements of
the pen, from lines of "Copiste d'un jour", from handwritten names and, with --characters, from
lines composed of single characters; in the last epochs they are changed less, so that it ends near
what it will meet. Some writers and names are held back: the
weights of the epoch that reads them best are kept. Other writers (UNIPEN's and Copiste's validation
parts) and the names' validation part choose nothing and are measured once, at the end.
OUT/MODEL.keras is the model, OUT/MODEL.json what was measured, OUT/MODEL.png the curves.
"""

import argparse
import collections
import dataclasses
import functools
import io
import itertools
import os
import time
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import composed_texts
import numpy as np
import PIL.Image
import records
import transfer
from numpy.typing import NDArray
from scipy import ndimage

import handwriting as hw
from handwriting.data import LineDataset
from handwriting.images import Image
from handwriting.strokes import StrokeDataset, Style

ACCENTED = "àâäáæçéèêëíîïñóôöœúùûüÿß"
ALPHABET = hw.alphabet.Alphabet(
    " " + "".join(hw.alphabet.ASCII) + ACCENTED + ACCENTED[:-1].upper() + "«»°€"
)
# Marks that are one in handwriting: quotes and dashes of all kinds, the space that does not break.
SAME = str.maketrans("\u2019\u2018\u201c\u201d\u2013\u2014\u00a0", "''\"\"-- ")
HEIGHT, RECIPE = 48, "line-tight"
WIDTHS = (64, 96, 128, 192, 256, 384, 512, 640, 768, 896, 1024, 1344)
BATCH = 5  # of the widest
STEP = 4  # pixels for each of the models' time steps
STYLE = Style(
    width=(1.0, 3.4),
    ink=(150, 255),
    slant=20,
    rotation=1.5,
    aspect=0.2,
    wave=0.02,
    size=0.5,
    shift=6,
)
THIN = (0.8, 2.2)  # pens for long texts, whose letters are small
NARROW, NARROW_SIZE = 0.45, 0.15  # letters narrower than this, to the height, stay larger
CALM = dataclasses.replace(
    STYLE, width=(1.3, 3.0), slant=10, rotation=1, aspect=0.15, wave=0.012, size=0.25, shift=4
)
PLAIN = Style(width=(2.0, 2.0))
MOVED = hw.training.LineAugmentation(shift=(0.08, 0.2), scale=0.15)
CALMLY_MOVED = hw.training.LineAugmentation(shift=(0.05, 0.1), scale=0.1)
WORN, CALMLY_WORN = 1.0, 0.6  # shares of what is drawn
ROOM = 1.12  # for lines that augmentation makes wider
NARROWER = 0.85  # what is drawn smaller than it could be
WORDS, TEXTS, NAMES = 0.7, 0.6, 0.5  # shares of each source in an epoch
COMPOSED = 0.15  # lines of single characters in an epoch, to those of the other sources
HELD_BACK = {"strokes": 0.03, "copiste": 0.05, "names": 0.03}


class Lines(NamedTuple):
    """Pictures of lines, each as wide as it is, and their texts."""

    images: list[Image]
    texts: list[str]
    writers: NDArray[np.int64]

    def select(self, which: Iterable[int]) -> "Lines":
        """Those at some positions."""
        rows = list(which)
        return Lines(
            [self.images[i] for i in rows], [self.texts[i] for i in rows], self.writers[rows]
        )


@dataclasses.dataclass
class Composed:
    """Lines of single characters, each in one hand; other texts and hands each time."""

    characters: StrokeDataset
    known: Sequence[str]
    count: int
    seed: int

    def lines(self, rng: np.random.Generator) -> StrokeDataset:
        """As many of each width each time, so that all epochs are of one length."""
        made, widths = self._made(rng)
        rows = [rng.choice(np.flatnonzero(widths == width), n) for width, n in self._counts.items()]
        return made.select(np.concatenate(rows))

    def _made(self, rng: np.random.Generator) -> tuple[StrokeDataset, NDArray[np.int64]]:
        characters = set(self.characters.texts)
        texts = composed_texts.texts(self.known, characters, self.count, rng)
        made = hw.strokes.compose(self.characters, texts, rng=rng)
        return made, np.array(fitting(nominal(made) * NARROWER))

    @functools.cached_property
    def _counts(self) -> dict[int, int]:
        """How many lines there are of each width, but for rare ones."""
        _, widths = self._made(np.random.default_rng(self.seed))
        pairs = zip(*(each.tolist() for each in np.unique(widths, return_counts=True)), strict=True)
        return {width: count for width, count in pairs if count > self.count / 50}


@dataclasses.dataclass
class Sources:
    """What is learnt from."""

    words: StrokeDataset
    texts: StrokeDataset
    copiste: Lines
    names: Lines
    seed: int
    calm_from: int = 0
    composed: "Composed | None" = None

    def epoch(self, number: int) -> list[LineDataset]:
        """All lines of one epoch, by their widths."""
        rng = np.random.default_rng((self.seed, number))
        calm = number >= self.calm_from
        style, moved = (CALM, CALMLY_MOVED) if calm else (STYLE, MOVED)
        wear = CALMLY_WORN if calm else WORN
        narrow = per_letter(self.words) < NARROW
        drawn = [
            (self.words.select(narrow), WORDS, dataclasses.replace(style, size=NARROW_SIZE)),
            (self.words.select(~narrow), WORDS, style),
            (self.texts, TEXTS, dataclasses.replace(style, width=THIN)),
        ]
        found = [each for source in drawn for each in self._drawn(*source, wear, rng)]
        if self.composed is not None:
            found += self._drawn(self.composed.lines(rng), 1, style, wear, rng)
        found += in_sets(self.copiste, room=ROOM, moved=(moved, rng))
        found += in_sets(self.names.select(self._turn(number)), room=ROOM, moved=(moved, rng))
        return together(found)

    def _drawn(
        self,
        strokes: StrokeDataset,
        share: float,
        style: Style,
        wear: float,
        rng: np.random.Generator,
    ) -> Iterator[LineDataset]:
        """A part of each width, always of the same size, so that all epochs are of one length."""
        widths = np.array(fitting(nominal(strokes) * NARROWER))
        for width in np.unique(widths).tolist():
            rows = np.flatnonzero(widths == width)
            some = np.sort(rng.choice(rows, max(1, round(share * len(rows))), replace=False))
            lines = hw.strokes.to_lines(
                strokes.select(some), ALPHABET, (HEIGHT, width), style=style, rng=rng
            )
            images = np.array(lines.images)
            which = np.flatnonzero(rng.random(len(images)) < wear)
            images[which] = worn(images[which], rng)
            yield legible(dataclasses.replace(lines, images=images), rng)

    def _turn(self, number: int) -> NDArray[np.int64]:
        """Other names in each epoch, until all were there; as many of each width."""
        widths = np.array(fitting([image.shape[1] * ROOM for image in self.names.images]))
        chosen = []
        for width in np.unique(widths):
            rows = np.random.default_rng(self.seed).permutation(np.flatnonzero(widths == width))
            count = max(1, round(NAMES * len(rows)))
            chosen.append(rows[(np.arange(count) + number * count) % len(rows)])
        return np.sort(np.concatenate(chosen))


def nominal(strokes: StrokeDataset) -> NDArray[np.float64]:
    """How wide samples are when they are as high as an image, in pixels."""
    sizes = strokes.sizes.astype(np.float64)
    return HEIGHT * sizes[:, 1] / np.maximum(sizes[:, 0], 1e-3)


def per_letter(strokes: StrokeDataset) -> NDArray[np.float64]:
    """How wide letters are in the mean, to the height of the sample."""
    letters = np.array([max(1, len(text)) for text in strokes.texts])
    return np.asarray(nominal(strokes) / HEIGHT / letters)


def legible(lines: LineDataset, rng: np.random.Generator) -> LineDataset:
    """As many lines, with others in place of those that became too narrow for their text."""
    steps = -(-lines.widths // STEP)
    good = np.array([hw.ctc.steps_needed(text) for text in lines.texts]) <= steps
    rows = np.arange(len(lines))
    rows[~good] = rng.choice(rows[good], np.count_nonzero(~good))
    return lines.select(rows)


def fitting(widths: Sequence[float] | NDArray[np.float64]) -> list[int]:
    """The width of the images that each line goes into."""
    places = np.searchsorted(WIDTHS, widths).clip(max=len(WIDTHS) - 1)
    return [WIDTHS[place] for place in places]


def in_sets(
    lines: Lines,
    *,
    room: float = 1.0,
    moved: tuple[hw.training.LineAugmentation, np.random.Generator] | None = None,
) -> Iterator[LineDataset]:
    """Lines in images of few widths, as they are or each changed at random."""
    unknown = set("".join(lines.texts)) - set(ALPHABET)
    alphabet = hw.alphabet.Alphabet([*ALPHABET, *sorted(unknown)]) if unknown else ALPHABET
    places = np.array(fitting([image.shape[1] * room for image in lines.images]))
    for width in np.unique(places).tolist():
        rows = np.flatnonzero(places == width).tolist()
        fitted = [hw.preprocessing.fit_line(lines.images[row], (HEIGHT, width)) for row in rows]
        images = np.stack([image for image, _ in fitted])
        widths = np.array([each for _, each in fitted])
        if moved is not None:
            images, widths = hw.training.augment_lines(images, widths, moved[0], rng=moved[1])
        texts = [lines.texts[i] for i in rows]
        found = LineDataset(images, widths, texts, alphabet, "lines", RECIPE)
        yield found if moved is None else legible(found, moved[1])


def together(sets: Iterable[LineDataset]) -> list[LineDataset]:
    """One set for each width."""
    by_width: dict[int, list[LineDataset]] = collections.defaultdict(list)
    for lines in sets:
        by_width[lines.image_shape[1]].append(lines)
    return [parts[0].concat(*parts[1:]) for _, parts in sorted(by_width.items())]


def worn(images: Image, rng: np.random.Generator) -> Image:
    """Drawn ink as a scanner sees it: blurred, uneven, on paper that is not quite clean."""
    result = images.astype(np.float32)
    which = np.flatnonzero(rng.random(len(images)) < 0.6)
    for part, sigma in zip(np.array_split(which, 3), (0.4, 0.6, 0.9), strict=True):
        result[part] = ndimage.gaussian_filter(result[part], (0, sigma, sigma))
    knots = rng.uniform(0.7, 1.2, (len(images), images.shape[2] // 16 + 2)).astype(np.float32)
    at = np.arange(images.shape[2]) / 16
    left = at.astype(int)
    share = (at - left).astype(np.float32)
    result *= (knots[:, left] * (1 - share) + knots[:, left + 1] * share)[:, None]
    dirty = np.flatnonzero(rng.random(len(images)) < 0.2)
    result[dirty] += rng.normal(0, 8, result[dirty].shape).astype(np.float32)
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def read_strokes(path: Path, split: str, kind: int) -> StrokeDataset:
    """Words (kind 7), or those texts (kind 8) that stand on one line."""
    strokes = StrokeDataset.open(path, split=split, kinds=[kind])
    each = per_letter(strokes)
    good = (each > 0.2) & (each < 4) & (nominal(strokes) < 1.3 * WIDTHS[-1])
    return strokes.select(good & ~returns(strokes) if kind == 8 else good)


def returns(strokes: StrokeDataset) -> NDArray[np.bool_]:
    """Whether the pen went back to the left and down, to another line."""
    first, last = strokes.stroke_starts[:-1], strokes.stroke_starts[1:] - 1
    points = strokes.points
    middles = np.add.reduceat(points[:, 1], first) / strokes.stroke_lengths
    owner = np.repeat(np.arange(len(strokes)), strokes.stroke_counts)
    height, width = strokes.sizes[owner[1:]].T
    back = points[last[:-1], 0] - points[first[1:], 0] > 0.4 * width
    down = middles[1:] - middles[:-1] > 0.25 * height
    found = back & down & (owner[1:] == owner[:-1])
    return np.bincount(owner[1:][found], minlength=len(strokes)) > 0


def read_copiste(path: Path, split: str) -> Lines:
    """Lines cut from scanned pages, as a reader would clean them."""
    images, texts, writers = [], [], []
    with zipfile.ZipFile(path) as archive:
        rows = archive.read("lines.tsv").decode().splitlines()[1:]
        for row in rows:
            name, writer, part, text = row.split("\t")
            if part == split:
                with PIL.Image.open(io.BytesIO(archive.read(name))) as picture:
                    gray = np.asarray(picture.convert("L"))
                ink = hw.preprocessing.clean(hw.preprocessing.to_ink(gray, "dark"))
                images.append(hw.preprocessing.fit_line(ink, (HEIGHT, None))[0])
                texts.append(plain(text))
                writers.append(int(writer))
    return Lines(images, texts, np.array(writers))


def read_names(path: Path, split: str) -> Lines:
    """Names as they come."""
    lines = hw.datasets.names.load(split, path, size=(HEIGHT, 768))
    rows = zip(lines.images, lines.widths.tolist(), strict=True)
    images = [np.array(image[:, :width]) for image, width in rows]
    return Lines(images, [plain(text) for text in lines.texts], np.arange(len(lines)))


def plain(text: str) -> str:
    """A text with one form of each mark."""
    return " ".join(unicodedata.normalize("NFC", text).translate(SAME).split())


def writable(lines: Lines) -> Lines:
    """Those whose texts have no character outside of the alphabet."""
    known = set(ALPHABET)
    return lines.select(i for i, text in enumerate(lines.texts) if known.issuperset(text) and text)


def parted(lines: Lines, share: float, seed: int) -> tuple[Lines, Lines]:
    """Two parts, each writer in one of them."""
    writers = np.random.default_rng(seed).permutation(np.unique(lines.writers))
    held = set(writers[: max(1, round(share * len(writers)))].tolist())
    marked = np.array([writer in held for writer in lines.writers.tolist()])
    return lines.select(np.flatnonzero(~marked)), lines.select(np.flatnonzero(marked))


def share_of(lines: Lines, share: float) -> Lines:
    """Some of them, for a trial."""
    return lines.select(range(0, len(lines.texts), max(1, round(1 / share))))


def drawn(strokes: StrokeDataset) -> list[LineDataset]:
    """Strokes as an ordinary pen draws them."""
    places = np.array(fitting(nominal(strokes)))
    return [
        hw.strokes.to_lines(strokes.select(places == width), ALPHABET, (HEIGHT, width), style=PLAIN)
        for width in np.unique(places).tolist()
    ]


def data_options(description: str) -> argparse.ArgumentParser:
    """The options that say what :func:`sources` reads."""
    result = argparse.ArgumentParser(description=description.split("\n", maxsplit=1)[0])
    result.add_argument("--strokes", required=True, type=Path, help="UNIPEN's words")
    result.add_argument("--copiste", required=True, type=Path, help="zip file of the lines")
    result.add_argument("--names", required=True, type=Path, help="Kaggle's zip file or folder")
    result.add_argument("--share", default=1.0, type=float, help="of the data, for a trial")
    result.add_argument("--seed", default=0, type=int)
    return result


def sources(
    options: argparse.Namespace,
) -> tuple[Sources, dict[str, list[LineDataset]], dict[str, list[LineDataset]]]:
    """What is learnt from, what is held back of it, and what is measured, by source."""
    strokes = {kind: read_strokes(options.strokes, "train", kind) for kind in (7, 8)}
    tests = {"unipen words": StrokeDataset.open(options.strokes, split="validation", kinds=[7])}
    copiste, other = (read_copiste(options.copiste, each) for each in ("train", "validation"))
    names, unread = (read_names(options.names, each) for each in ("train", "validation"))
    if options.share < 1:
        step = max(1, round(1 / options.share))
        strokes = {kind: each.select(slice(None, None, step)) for kind, each in strokes.items()}
        tests = {name: each.select(slice(None, None, step)) for name, each in tests.items()}
        copiste, other, names, unread = (
            share_of(each, options.share) for each in (copiste, other, names, unread)
        )
    share, seed = HELD_BACK, options.seed
    words, some = strokes[7].split(share["strokes"], by_writer=True, rng=seed)
    copiste, some_lines = parted(writable(copiste), share["copiste"], seed)
    names, some_names = parted(writable(names), share["names"], seed)
    return (
        Sources(words, strokes[8], copiste, names, seed),
        {
            "unipen words": drawn(some),
            "copiste": list(in_sets(some_lines)),
            "names": list(in_sets(some_names)),
        },
        {
            "unipen words": drawn(tests["unipen words"]),
            "copiste": list(in_sets(other)),
            "names": list(in_sets(unread)),
        },
    )


def main() -> None:
    """Train, measure, write."""
    parser = data_options(__doc__)
    parser.add_argument("--out", required=True, type=Path, help="folder for all that is written")
    parser.add_argument("--characters", type=Path, help="UNIPEN's characters, to compose lines of")
    parser.add_argument("--model", default="crnn_deep", choices=hw.models.LINE_NAMES)
    parser.add_argument("--start", help="a .keras file or pretrained reader to take layers of")
    parser.add_argument("--epochs", default=16, type=int)
    parser.add_argument("--calm", default=9, type=int, help="epochs at the end, changed less")
    parser.add_argument("--rate", default=1.5e-3, type=float)
    parser.add_argument("--resume", action="store_true", help="go on where it was stopped")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    learnt, held_back, tests = sources(options)
    learnt.calm_from = options.epochs - options.calm
    if options.characters is not None:
        characters = StrokeDataset.open(options.characters, split="train")
        known = [*learnt.words.texts, *learnt.texts.texts, *learnt.copiste.texts]
        count = max(100, round(COMPOSED * len(known)))
        learnt.composed = Composed(characters, known, count, options.seed)
    model = hw.models.build(options.model, ALPHABET, (HEIGHT, None), rng=options.seed)
    if options.start is not None:
        transfer.start_from(model, ALPHABET, options.start)
    history = hw.training.fit_lines(
        model,
        learnt.epoch,
        validation=together(itertools.chain(*held_back.values())),
        epochs=options.epochs,
        batch_size=BATCH,
        learning_rate=options.rate,
        checkpoint=options.out / f"{options.model}.keras",
        resume=options.resume,
        progress=True,
        rng=options.seed,
    )
    files = (options.strokes, options.copiste, options.names, options.characters)
    facts = {
        "model": options.model,
        "parameters": model.count_params(),
        "settings": records.settings(options),
        **records.sources(each for each in files if each),
        "epochs": options.epochs,
        "lines an epoch": sum(map(len, learnt.epoch(0))),
        "minutes of the last call": round((time.perf_counter() - start) / 60, 1),
        "tests": {name: measured(model, sets, ALPHABET) for name, sets in tests.items()},
        "history": history,
    }
    for name, figures in facts["tests"].items():
        print(f"{name:14}", {key: f"{value:.2%}" for key, value in figures.items()}, flush=True)
    records.write(options.out, options.model, facts)


def measured(
    model: Any, sets: Iterable[LineDataset], alphabet: hw.alphabet.Alphabet
) -> dict[str, float]:
    """Error rates, decoded greedily, and how far confidence is from them."""
    report = read_greedily(model, sets, alphabet.with_null())
    figures = {"cer": report.cer, "exact": report.exact, "wer": report.wer}
    return {**figures, "calibration error": report.calibration_error}


def read_greedily(
    model: Any, sets: Iterable[LineDataset], alphabet: hw.alphabet.Alphabet
) -> hw.evaluation.LineReport:
    """One report of several sets."""
    reports = [hw.evaluation.evaluate_lines(model, each, alphabet, batch_size=64) for each in sets]
    truths, readings, sure = (
        [value for report in reports for value in getattr(report, key)]
        for key in ("truths", "readings", "confidences")
    )
    return hw.evaluation.compare(truths, readings, confidences=sure)


if __name__ == "__main__":
    main()
