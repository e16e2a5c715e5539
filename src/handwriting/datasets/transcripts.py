"""Pictures of single lines, each with its text in a file beside it.

The form in which ground truth for text recognition is passed around (tesstrain, kraken, OCR-D):

    mine/page-01.png
    mine/page-01.gt.txt
    mine/page-02.png
    mine/page-02.gt.txt

``handwriting read page.jpg --crops mine`` writes the lines of a page so, with what was read in
them, to be corrected.
"""

import dataclasses
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from handwriting import preprocessing
from handwriting.alphabet import Alphabet
from handwriting.data import LineDataset, Skipped, save_parts
from handwriting.datasets import store
from handwriting.datasets.archive import Archive, Member, open_archive
from handwriting.datasets.folders import Ink, OnError, natural, read_gray
from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.files import StrPath
from handwriting.images import Image, is_picture

__all__ = ["SUFFIX", "holds", "load"]

SUFFIX = ".gt.txt"
"""What stands in place of a picture's own suffix in the name of its text."""

_UNIT = 32  # of the widths: readers of any width take multiples of 4
_LINES_AT_ONCE = 256


def load(
    path: StrPath,
    *,
    size: tuple[int, int | None] = (48, None),
    recipe: str = "line-tight",
    ink: Ink = "auto",
    alphabet: Alphabet | None = None,
    on_error: OnError = "raise",
) -> LineDataset:
    """Load pictures of lines with their texts.

    A picture becomes ink on paper 0 (:func:`handwriting.preprocessing.to_ink`,
    :func:`handwriting.preprocessing.clean`) and is brought to ``size`` whole, with the paper that
    is around its line. The first call decodes the pictures into
    ``handwriting.datasets.store.home()``; later ones only map what it left there, until a file
    changes.

    Args:
        path: a folder or a zip file, with the pictures in it at any depth.
        size: (height, width) of the images, in pixels; a width of None is that of the longest line,
            rounded up to a multiple of 32.
        recipe: a name in :data:`handwriting.preprocessing.LINE_RECIPES`, which tells how pictures
            come to ``size``: for a network that comes with the package the one that it names.
        ink: whether the ink is darker or lighter than the paper; ``"auto"`` finds out for each
            picture.
        alphabet: the characters that may stand in the texts; those that are found, sorted, if None.
        on_error: what to do with a damaged picture or text: ``"raise"``, or ``"skip"``, which
            leaves it out.

    Returns:
        Images (n, height, width), a read-only memory map, by the names of the files, numbers in
        names counted as numbers. ``skipped`` lists the pictures without a text, those whose text is
        blank, and what ``on_error`` left out.

    Raises:
        ValueError: an option is unknown or out of range, or a text has a character that
            ``alphabet`` lacks.
        MissingDataError: there is nothing at ``path``, or no picture with a text.
        CorruptFileError: a picture is damaged, or a text is not UTF-8 or has several lines.

    Example:
        >>> import tempfile
        >>> from handwriting import images
        >>> folder = Path(tempfile.mkdtemp())
        >>> images.write(folder / "1.png", np.tri(40, 200, 80, np.uint8) * 255)
        >>> _ = (folder / "1.gt.txt").write_text("so it is")
        >>> load(folder).texts
        ('so it is',)
    """
    preprocessing.find_line_recipe(recipe)
    if len(size) != 2 or min(size[0], 1 if size[1] is None else size[1]) < 1:
        raise ValueError(f"size must be (height, width) of one pixel or more, got {size}")
    if ink not in get_args(Ink):
        raise ValueError(f"ink must be 'auto', 'dark' or 'light', got {ink!r}")
    if on_error not in get_args(OnError):
        raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
    form = _Form(size, recipe, ink, on_error)
    name = Path(path).resolve().stem
    with open_archive(path) as archive:
        key = store.key(archive.sources(), *dataclasses.astuple(form), name)
        dataset = store.prepared(
            store.home() / "transcripts" / key,
            lambda folder: _prepare(archive, folder, form, name),
            LineDataset,
        )
    return dataset if alphabet is None else dataset.relabel(alphabet)


def holds(path: StrPath) -> bool:
    """Whether a folder or zip file has texts of this form in it."""
    with open_archive(path) as archive:
        return any(name.endswith(SUFFIX) for name in archive.names)


@dataclasses.dataclass(frozen=True)
class _Form:
    """How pictures become images."""

    size: tuple[int, int | None]
    recipe: str
    ink: Ink
    on_error: OnError

    def fitted(self, file: Member, width: int | None) -> tuple[Image, int]:
        """The image of a picture, and the width that the line takes up in it."""
        recipe = preprocessing.find_line_recipe(self.recipe)
        line = preprocessing.to_ink(read_gray(file), self.ink)
        if recipe.clean or not preprocessing.is_clean(line):
            line = preprocessing.clean(line)
        return preprocessing.fit_line(line, (self.size[0], width), fit=recipe.fit)


def _prepare(archive: Archive, folder: Path, form: _Form, name: str) -> None:
    files, texts, skipped = _transcribed(archive, form.on_error)
    usable, widths = [], []
    for number, file in enumerate(files):
        try:
            widths.append(form.fitted(file, form.size[1])[1])
            usable.append(number)
        except CorruptFileError as error:
            if form.on_error == "raise":
                raise
            skipped.append(Skipped(str(file), str(error.__cause__)))
    if not usable:
        first = f" ({': '.join(skipped[0])})" if skipped else ""
        raise MissingDataError(
            f"{archive.path} must hold pictures of lines with their texts, such as 1.png and "
            f"1{SUFFIX}, and holds none{first}; check the path"
        )
    width = form.size[1] or -(-max(widths) // _UNIT) * _UNIT
    chosen = [texts[number] for number in usable]
    save_parts(
        folder,
        _images([files[number] for number in usable], form, width),
        lambda images: LineDataset(
            images,
            np.array(widths),
            chosen,
            Alphabet(sorted(set().union(*chosen))),
            name,
            form.recipe,
            skipped,
        ),
    )


def _images(files: Sequence[Member], form: _Form, width: int) -> Iterator[Image]:
    """All images, some at a time: their width is known only after a look at every picture."""
    for start in range(0, len(files), _LINES_AT_ONCE):
        some = [
            form.fitted(file, form.size[1])[0] for file in files[start : start + _LINES_AT_ONCE]
        ]
        yield np.stack([np.pad(each, ((0, 0), (0, width - each.shape[1]))) for each in some])


def _transcribed(
    archive: Archive, on_error: OnError
) -> tuple[list[Member], list[str], list[Skipped]]:
    """The pictures that have a text, their texts, and what was left out."""
    names = set(archive.names)
    files, texts, skipped = [], [], []
    for name in sorted(filter(is_picture, names), key=natural):
        file, beside = Member(archive, name), name.rpartition(".")[0] + SUFFIX
        if beside not in names:
            skipped.append(Skipped(str(file), f"there is no {beside}"))
            continue
        try:
            text = _text(Member(archive, beside))
        except CorruptFileError as error:
            if on_error == "raise":
                raise
            skipped.append(Skipped(str(file), str(error)))
            continue
        if not text:
            skipped.append(Skipped(str(file), "its text is blank"))
            continue
        files.append(file)
        texts.append(text)
    return files, texts, skipped


def _text(file: Member) -> str:
    """What is written in a picture."""
    try:
        text = file.archive.read(file.name).decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise CorruptFileError(f"{file} must be text in UTF-8 ({error})") from error
    if len(text.splitlines()) > 1:
        raise CorruptFileError(f"{file} must hold one line of text, got {text[:80]!r}")
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise CorruptFileError(f"{file} must hold no control characters, got {text[:80]!r}")
    return unicodedata.normalize("NFC", text)
