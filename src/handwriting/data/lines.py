"""Transcribed images of words and lines."""

# Annotations stay text: numpy.random takes 5 MB and 10 ms, and opening a set needs none of it.
from __future__ import annotations

import collections
import dataclasses
import itertools
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from handwriting.alphabet import Alphabet, Labels
from handwriting.data import checks, html, storage
from handwriting.data.checks import Skipped
from handwriting.files import StrPath
from handwriting.images import Image
from handwriting.preprocessing import find_line_recipe

__all__ = ["LineDataset"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LineDataset:
    """Images of written words or lines with their texts.

    Args:
        images: (n, h, w) uint8, ink 255 on paper 0, upright; an array or a memory map. All have one
            width; shorter lines are padded with paper on the right.
        widths: (n,) integers in [1, w], the width of each line before it was padded; copied, as
            read-only int64.
        texts: what is written, n strings of characters of ``alphabet``; brought to NFC. A text may
            be empty.
        alphabet: the characters that may stand in texts. With null at label 0 it is the alphabet of
            CTC; null stands in no text.
        name: what reports and plots call it.
        recipe: the name in :data:`handwriting.preprocessing.LINE_RECIPES` that brings a new picture
            to the form of these images, if there is one.
        skipped: what the loader left out. It belongs to the whole set: what :meth:`select`,
            :meth:`sample` and :meth:`split` give has none.
        writers: (n,) integers, one number for each person, whose images are all those of that
            number; copied, as read-only int64. Negative: nobody's. None where
            the source does not tell.

    Raises:
        ValueError: shapes, dtypes or lengths do not fit, a width is outside the image, a text has a
            character that the alphabet lacks, or the recipe is unknown.

    Example:
        >>> from handwriting.alphabet import LOWERCASE
        >>> images = np.zeros((2, 32, 100), np.uint8)
        >>> lines = LineDataset(images, [100, 64], ["hello", "you"], LOWERCASE, "mine")
        >>> lines
        LineDataset('mine': 2 lines of 32 x 100, 26 characters)
        >>> lines.counts()["l"]
        2
    """

    images: Image
    widths: Labels
    texts: Sequence[str]
    alphabet: Alphabet
    name: str = ""
    recipe: str | None = None
    skipped: Sequence[Skipped] = ()
    writers: Labels | None = None

    def __post_init__(self) -> None:
        checks.facts(self.alphabet, self.name, self.recipe, find_line_recipe)
        checks.images(self.images)
        widths = checks.integers(self.widths, len(self), "widths")
        longest = self.image_shape[1]
        if len(widths) and (widths.min() < 1 or widths.max() > longest):
            raise ValueError(
                f"widths must lie in [1, {longest}], the width of the images, got {widths.min()} "
                f"to {widths.max()}"
            )
        texts = _composed(self.texts, len(self))
        _check_characters(texts, self.alphabet)
        object.__setattr__(self, "widths", checks.own(widths))
        object.__setattr__(self, "texts", texts)
        object.__setattr__(self, "skipped", checks.skipped(self.skipped))
        object.__setattr__(self, "writers", checks.writers(self.writers, len(self)))

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width = self.image_shape
        skipped = checks.told(self.skipped)
        return (
            f"LineDataset({self.name!r}: {len(self)} lines of {height} x {width}, "
            f"{len(self.alphabet)} characters{skipped})"
        )

    @property
    def image_shape(self) -> tuple[int, int]:
        """(height, width) of every image with its padding, in pixels."""
        return (self.images.shape[1], self.images.shape[2])

    def counts(self) -> dict[str, int]:
        """How often each character of the alphabet stands in the texts, in its order."""
        numbers = collections.Counter(itertools.chain.from_iterable(self.texts))
        return {character: numbers[character] for character in self.alphabet}

    def _repr_html_(self) -> str:
        lines = [
            f"{html.picture(self.images[i, :, : self.widths[i]])} {html.escape(self.texts[i])}"
            for i in html.spread(len(self), 5)
        ]
        return html.block(repr(self), *lines)

    def select(self, which: ArrayLike | slice) -> LineDataset:
        """The lines at some positions.

        Args:
            which: a slice (the images stay a view), integer positions or a (n,) boolean mask (the
                images are copied into memory).

        Example:
            >>> from handwriting.alphabet import LOWERCASE
            >>> images = np.zeros((3, 32, 100), np.uint8)
            >>> lines = LineDataset(images, [100, 64, 9], ["hello", "you", "o"], LOWERCASE)
            >>> lines.select([len(text) > 1 for text in lines.texts]).texts
            ('hello', 'you')
        """
        index = checks.index(which)
        if isinstance(index, slice):
            texts = self.texts[index]
        else:
            texts = [self.texts[position] for position in np.arange(len(self))[index].tolist()]
        return dataclasses.replace(
            self,
            images=self.images[index],
            widths=self.widths[index],
            texts=texts,
            skipped=(),
            writers=None if self.writers is None else self.writers[index],
        )

    def sample(self, n: int, *, rng: int | np.random.Generator) -> LineDataset:
        """``n`` lines drawn at random without replacement, in the order of this set.

        Raises:
            ValueError: there are fewer than ``n``.
        """
        return self.select(checks.sample(len(self), n, rng))

    def split(
        self, fraction: float, *, by_writer: bool = False, rng: int | np.random.Generator
    ) -> tuple[LineDataset, LineDataset]:
        """Two parts drawn at random, which together hold every line once, in the order of this set.

        Args:
            fraction: share of the second part, in (0, 1); it has ``round(n * fraction)`` lines.
            by_writer: whether each writer stands in one of the parts only. Whole writers are then
                taken in random order, each if that brings the second part nearer to its share, one
                at least; lines of nobody are drawn one by one.
            rng: a seed or a generator.

        Raises:
            ValueError: ``fraction`` is out of range, or leaves one part without lines; or, by
                writer, the writers are not known, or fewer than two.

        Example:
            >>> from handwriting.alphabet import LOWERCASE
            >>> images, texts = np.zeros((4, 32, 100), np.uint8), ["to", "be", "or", "not"]
            >>> lines = LineDataset(images, [100] * 4, texts, LOWERCASE, writers=[5, 8, 5, 8])
            >>> first, second = lines.split(0.5, by_writer=True, rng=0)
            >>> first.texts, second.texts
            (('be', 'not'), ('to', 'or'))
        """
        checks.fraction(fraction)
        if by_writer:
            marked = checks.whole_writers(self.writers, fraction, rng)
            return self.select(~marked), self.select(marked)
        share = round(len(self) * fraction)
        if not 0 < share < len(self):
            raise ValueError(f"a share of {fraction} of {len(self)} lines leaves one part empty")
        second = np.zeros(len(self), bool)
        second[checks.sample(len(self), share, rng)] = True
        return self.select(~second), self.select(second)

    def relabel(
        self,
        alphabet: Alphabet,
        *,
        rename: Mapping[str, str] | None = None,
        outside: Literal["error", "drop", "remove"] = "error",
    ) -> LineDataset:
        """The same lines with texts of another alphabet.

        Args:
            alphabet: the new one.
            rename: characters of the old alphabet that become others in the new one.
            outside: what to do with characters that the new alphabet lacks: ``"drop"`` leaves out
                the lines that have them, ``"remove"`` takes them out of the texts.

        Raises:
            ValueError: there are such characters, and ``outside`` is ``"error"``.

        Example:
            >>> from handwriting.alphabet import LETTERS, LOWERCASE
            >>> images = np.zeros((2, 32, 100), np.uint8)
            >>> lines = LineDataset(images, [100, 64], ["Hello", "you"], LETTERS)
            >>> lines.relabel(LOWERCASE, rename={"H": "h"}).texts
            ('hello', 'you')
            >>> lines.relabel(LOWERCASE, outside="drop").texts
            ('you',)
            >>> lines.relabel(LOWERCASE, outside="remove").texts
            ('ello', 'you')
        """
        if outside not in ("error", "drop", "remove"):
            raise ValueError(f"outside must be 'error', 'drop' or 'remove', got {outside!r}")
        table = str.maketrans(dict(rename or {}))
        texts = [text.translate(table) for text in self.texts]
        lost = set().union(*texts) - set(alphabet)
        if lost and outside == "error":
            raise ValueError(
                f"{''.join(sorted(lost))!r} stand in the texts but not in {alphabet!r}; give "
                "rename, outside='drop' to leave their lines out, or outside='remove' to take them "
                "out of the texts"
            )
        kept = self
        if lost and outside == "drop":
            whole = [lost.isdisjoint(text) for text in texts]
            kept, texts = self.select(whole), list(itertools.compress(texts, whole))
        elif lost:
            nothing = str.maketrans("", "", "".join(lost))
            texts = [text.translate(nothing) for text in texts]
        return dataclasses.replace(kept, texts=texts, alphabet=alphabet, skipped=self.skipped)

    def concat(self, *others: LineDataset, name: str | None = None) -> LineDataset:
        """This dataset's lines followed by those of others, in memory.

        Narrower images are padded with paper on the right; the alphabets are united in the order of
        first appearance, null first; what was skipped is listed together. One number in two sets
        means two writers: those of each set are shifted past those before it. Where one set with
        lines does not tell its writers, nor does the result.

        Raises:
            ValueError: the images differ in height.
        """
        everyone = (self, *others)
        heights = [each.image_shape[0] for each in everyone]
        if len(set(heights)) > 1:
            raise ValueError(f"lines must have one height to be put together, got {heights}")
        images = np.zeros(
            (sum(map(len, everyone)), heights[0], max(each.image_shape[1] for each in everyone)),
            np.uint8,
        )
        start = 0
        for each in everyone:
            images[start : start + len(each), :, : each.image_shape[1]] = each.images
            start += len(each)
        return LineDataset(
            images,
            np.concatenate([each.widths for each in everyone]),
            [text for each in everyone for text in each.texts],
            checks.union(each.alphabet for each in everyone),
            " + ".join(each.name for each in everyone) if name is None else name,
            self.recipe if len({each.recipe for each in everyone}) == 1 else None,
            [skipped for each in everyone for skipped in each.skipped],
            checks.joined(each.writers for each in everyone if len(each)),
        )

    def save(self, path: StrPath) -> None:
        """Write a folder of ``images.npy``, ``widths.npy``, ``texts.txt`` and ``dataset.json``.

        Writers that are known stand in ``writers.npy``.

        Args:
            path: the folder to make; it must not exist.

        Raises:
            FileExistsError: it exists.
        """
        storage.save_parts(path, [self.images], lambda _: self)

    def other_files(self) -> storage.Files:
        """What :meth:`save` writes beside the images."""
        facts = {
            "format": _FORMAT,
            "alphabet": list(self.alphabet),
            "name": self.name,
            "recipe": self.recipe,
            "skipped": self.skipped,
        }
        return storage.Files(facts, {"widths": self.widths}, self.writers, self.texts)

    @classmethod
    def open(cls, path: StrPath) -> LineDataset:
        """Open a saved dataset; the images become a read-only memory map.

        Args:
            path: the folder that :meth:`save` made.

        Raises:
            MissingDataError: there is no such folder, or a file of it is missing.
            CorruptFileError: a file is damaged, or the files do not belong together.
        """
        with storage.reading(path, _FORMAT) as saved:
            facts, alphabet = saved.facts, Alphabet(saved.facts["alphabet"])
            images, widths, texts = saved.array("images"), saved.array("widths"), saved.texts()
            name, recipe, skipped = facts["name"], facts["recipe"], facts["skipped"]
            writers = saved.writers()
            return cls(images, widths, texts, alphabet, name, recipe, skipped, writers)


_FORMAT = "handwriting lines 1"


def _composed(texts: Sequence[str], n: int) -> tuple[str, ...]:
    """The texts in NFC, if they are n strings."""
    if isinstance(texts, str):
        raise TypeError(f"texts must be a sequence of str, got one str {texts[:40]!r}")
    if len(texts) != n:
        raise ValueError(f"texts must be {n}, one for each image, got {len(texts)}")
    try:
        everything = "".join(texts)
    except TypeError:
        wrong = next(text for text in texts if not isinstance(text, str))
        raise TypeError(f"texts must be str, got {wrong!r}") from None
    # Nearly always all of them are, and to ask once is faster than to ask each.
    if unicodedata.is_normalized("NFC", everything):
        return tuple(texts)
    return tuple(unicodedata.normalize("NFC", text) for text in texts)


def _check_characters(texts: Sequence[str], alphabet: Alphabet) -> None:
    lost = set("".join(texts)) - set(alphabet)
    if lost:
        position = next(i for i, text in enumerate(texts) if not lost.isdisjoint(text))
        raise ValueError(
            f"texts must be made of the {len(alphabet)} characters of {alphabet!r}, got also "
            f"{''.join(sorted(lost))!r}, first in text {position}: {texts[position][:40]!r}"
        )
