"""Lines as files of several forms, written part by part."""

import csv
import importlib.util
import io
import itertools
import json
from collections.abc import Iterable, Iterator

import numpy as np

from handwriting.alphabet import Labels
from handwriting.data import LineDataset, save_parts
from handwriting.errors import HandwritingError
from handwriting.files import StrPath, replacing
from handwriting.images import Image

__all__ = ["save", "save_parquet", "save_pictures"]


def save(parts: LineDataset | Iterable[LineDataset], path: StrPath) -> None:
    """Write lines as a saved dataset, which ``LineDataset.open`` maps, in the memory of one part.

    Args:
        parts: lines, or several of one shape, such as a :class:`Stream`. One number of a writer
            means one person in all of them.
        path: the folder to make; it must not exist.

    Raises:
        FileExistsError: the folder exists.
        ValueError: the parts differ in shape or alphabet, or there are none; or some tell their
            writers and some do not.

    Example:
        >>> import tempfile
        >>> from handwriting.datasets import digits
        >>> from handwriting.sequences import Stream
        >>> folder = tempfile.mkdtemp() + "/lines"
        >>> save(Stream(digits.load(), 500, 100, length=4, rng=0), folder)
        >>> LineDataset.open(folder)
        LineDataset('digits/train lines': 500 lines of 28 x 142, 10 characters)
    """
    widths: list[Labels] = []
    texts: list[str] = []
    writers: list[Labels | None] = []
    alphabets: dict[tuple[str, ...], LineDataset] = {}

    def images() -> Iterator[Image]:
        for part in _parts(parts):
            widths.append(part.widths)
            texts.extend(part.texts)
            writers.append(part.writers)
            alphabets.setdefault(part.alphabet.characters, part.select(slice(0)))
            if len(alphabets) > 1:
                raise ValueError(f"all parts must have one alphabet, got also {part.alphabet!r}")
            if (part.writers is None) != (writers[0] is None):
                raise ValueError(
                    "all parts must tell their writers, or none; take them out with "
                    "dataclasses.replace(part, writers=None)"
                )
            yield part.images

    def finish(whole: Image) -> LineDataset:
        (first,) = alphabets.values()
        known = [numbers for numbers in writers if numbers is not None]
        return LineDataset(
            whole,
            np.concatenate(widths),
            texts,
            first.alphabet,
            first.name,
            first.recipe,
            writers=np.concatenate(known) if known else None,
        )

    save_parts(path, images(), finish)


def save_pictures(
    parts: LineDataset | Iterable[LineDataset], folder: StrPath, *, split: str = "train"
) -> None:
    """Write lines as the names have them: PNG files, black on white, and a CSV of their texts.

    The CSV, ``written_name_SPLIT_v2.csv``, has the columns FILENAME and IDENTITY; the pictures
    stand beside it in a folder called after the split. :func:`handwriting.datasets.names.load`
    reads them.

    Args:
        parts: lines, or several, such as a :class:`Stream`.
        folder: the folder to make, whole or not at all; it must not exist.
        split: ``"train"``, ``"validation"`` or ``"test"``.

    Raises:
        FileExistsError: the folder exists.
        ValueError: another split, or a text that this form cannot hold: ``EMPTY`` and
            ``UNREADABLE`` mean something else there, and spaces at the ends are cut off.
    """
    import PIL.Image

    if split not in ("train", "validation", "test"):
        raise ValueError(f"split must be 'train', 'validation' or 'test', got {split!r}")
    with replacing(folder) as temporary:
        (temporary / split).mkdir(parents=True)
        table = temporary / f"written_name_{split}_v2.csv"
        with table.open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(["FILENAME", "IDENTITY"])
            for number, (image, text) in enumerate(_each(parts), 1):
                if text.upper() in ("", "EMPTY", "UNREADABLE") or text != text.strip():
                    raise ValueError(
                        f"the form of the names cannot hold the text {text!r}; leave it out"
                    )
                name = f"{split.upper()}_{number:07}.png"
                PIL.Image.fromarray(255 - image).save(temporary / split / name)
                rows.writerow([name, text])


def save_parquet(
    parts: LineDataset | Iterable[LineDataset],
    folder: StrPath,
    *,
    split: str = "train",
    rows: int = 10_000,
) -> None:
    """Write lines as Parquet files that Hugging Face's ``datasets.load_dataset`` reads.

    Each row has ``image``, PNG bytes with ink 255 on paper 0, without padding, and ``text``. The
    files are called ``SPLIT-00000.parquet`` and so on.

    Args:
        parts: lines, or several, such as a :class:`Stream`.
        folder: the folder to make, whole or not at all; it must not exist.
        split: what ``datasets`` shall call it: letters and digits.
        rows: lines a file, at most.

    Raises:
        FileExistsError: the folder exists.
        ValueError: ``split`` or ``rows`` is out of range.
        HandwritingError: pyarrow is not installed.
    """
    if not split.isalnum() or rows < 1:
        raise ValueError(
            f"split must be letters and digits, and rows at least 1, got {split!r} and {rows}"
        )
    if importlib.util.find_spec("pyarrow") is None:
        raise HandwritingError('pyarrow is not installed; pip install "handwriting[parquet]"')
    import pyarrow as pa
    import pyarrow.parquet as pq

    # What datasets reads its features from.
    features = {"image": {"_type": "Image"}, "text": {"dtype": "string", "_type": "Value"}}
    picture = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    schema = pa.schema(
        {"image": picture, "text": pa.string()},
        {"huggingface": json.dumps({"info": {"features": features}})},
    )
    with replacing(folder) as temporary:
        temporary.mkdir()
        for number, some in enumerate(_shards(_each(parts), rows)):
            images = [{"bytes": _png(image), "path": None} for image, _ in some]
            table = pa.table({"image": images, "text": [text for _, text in some]}, schema)
            pq.write_table(table, temporary / f"{split}-{number:05}.parquet")


def _parts(parts: LineDataset | Iterable[LineDataset]) -> Iterable[LineDataset]:
    return [parts] if isinstance(parts, LineDataset) else parts


def _each(parts: LineDataset | Iterable[LineDataset]) -> Iterator[tuple[Image, str]]:
    """Each line without its padding, and its text."""
    for part in _parts(parts):
        for image, width, text in zip(part.images, part.widths.tolist(), part.texts, strict=True):
            yield image[:, :width], text


def _shards(lines: Iterator[tuple[Image, str]], rows: int) -> Iterator[list[tuple[Image, str]]]:
    """Lists of ``rows``; one empty list if there is nothing at all."""
    some = list(itertools.islice(lines, rows))
    yield some
    while some := list(itertools.islice(lines, rows)):
        yield some


def _png(image: Image) -> bytes:
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
