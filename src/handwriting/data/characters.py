"""Labeled images of single characters."""

# Annotations stay text: numpy.random takes 5 MB and 10 ms, and opening a set needs none of it.
from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handwriting.alphabet import Alphabet, Labels
from handwriting.data import checks, html, storage
from handwriting.data.checks import Skipped
from handwriting.files import StrPath
from handwriting.images import Image
from handwriting.noise import null_images

__all__ = ["LOOK_ALIKE", "CharacterDataset"]

Indices = NDArray[np.int64]
LOOK_ALIKE = "cijklmopsuvwxyz"
"""The letters whose upper and lower case differ in size more than in form, by EMNIST's authors."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class CharacterDataset:
    """Images of single characters with their labels.

    Args:
        images: (n, h, w) uint8, ink 255 on paper 0, upright; an array or a memory map.
        labels: (n,) integers, positions in ``alphabet``; copied, as read-only int64.
        alphabet: the characters that the labels stand for.
        name: what reports and plots call it.
        recipe: the name in :data:`handwriting.preprocessing.RECIPES` that brings a new picture to
            the form of these images, if there is one.
        skipped: what the loader left out. It belongs to the whole set: what :meth:`select`,
            :meth:`sample` and :meth:`split` give has none.
        writers: (n,) integers, one number for each person, whose images are all those of that
            number; copied, as read-only int64. Negative: nobody's, as null images are. None where
            the source does not tell.

    Raises:
        ValueError: shapes, dtypes or lengths do not fit, a label is outside the alphabet, or the
            recipe is unknown.

    Example:
        >>> from handwriting.alphabet import DIGITS
        >>> images = np.zeros((3, 28, 28), np.uint8)
        >>> dataset = CharacterDataset(images, [7, 7, 1], DIGITS, "mine")
        >>> dataset.counts()["7"]
        2
    """

    images: Image
    labels: Labels
    alphabet: Alphabet
    name: str = ""
    recipe: str | None = None
    skipped: Sequence[Skipped] = ()
    writers: Labels | None = None

    def __post_init__(self) -> None:
        checks.facts(self.alphabet, self.name, self.recipe)
        checks.images(self.images)
        labels = checks.integers(self.labels, len(self.images), "labels")
        if len(labels) and (labels.min() < 0 or labels.max() >= len(self.alphabet)):
            raise ValueError(
                f"labels must lie in [0, {len(self.alphabet)}), the positions in {self.alphabet!r},"
                f" got {labels.min()} to {labels.max()}"
            )
        object.__setattr__(self, "labels", checks.own(labels))
        object.__setattr__(self, "skipped", checks.skipped(self.skipped))
        object.__setattr__(self, "writers", checks.writers(self.writers, len(self)))

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width = self.image_shape
        return (
            f"CharacterDataset({self.name!r}: {len(self)} images of {height} x {width}, "
            f"{len(self.alphabet)} characters{checks.told(self.skipped)})"
        )

    @property
    def image_shape(self) -> tuple[int, int]:
        """(height, width) of every image, in pixels."""
        return (self.images.shape[1], self.images.shape[2])

    @property
    def characters(self) -> list[str]:
        """The character of each image."""
        return [self.alphabet.characters[label] for label in self.labels.tolist()]

    def counts(self) -> dict[str, int]:
        """How many images each character of the alphabet has, in its order."""
        numbers = np.bincount(self.labels, minlength=len(self.alphabet)).tolist()
        return dict(zip(self.alphabet, numbers, strict=True))

    def _repr_html_(self) -> str:
        shown = self.images[html.spread(len(self), 20)]
        strip = np.hstack([np.zeros((self.image_shape[0], 0), np.uint8), *shown])
        zoom = max(1, round(48 / self.image_shape[0]))
        counts = [f"{html.label(c)}&nbsp;{n:,}" for c, n in self.counts().items() if n]
        parts = [html.picture(strip, zoom=zoom), "&ensp; ".join(counts)] if len(self) else []
        return html.block(repr(self), *parts)

    def select(self, which: ArrayLike | slice) -> CharacterDataset:
        """The images at some positions, or those of some characters.

        Args:
            which: a slice (the images stay a view), integer positions, a (n,) boolean mask or
                characters: a ``str``, or a list of them where null is among them (the images are
                copied into memory).

        Raises:
            ValueError: a character is not in the alphabet.

        Example:
            >>> from handwriting.datasets import digits
            >>> test = digits.load("test")
            >>> test.select(slice(100))
            CharacterDataset('digits/test': 100 images of 28 x 28, 10 characters)
            >>> sorted(set(test.select("17").characters))
            ['1', '7']
            >>> dark = test.select(test.images.mean(axis=(1, 2)) > 40)
        """
        index = checks.index(which)
        if isinstance(index, np.ndarray) and index.dtype.kind == "U":
            characters = which if isinstance(which, str) else index.tolist()
            index = np.isin(self.labels, self.alphabet.encode(characters))
        return dataclasses.replace(
            self,
            images=self.images[index],
            labels=self.labels[index],
            skipped=(),
            writers=None if self.writers is None else self.writers[index],
        )

    def sample(self, n: int, *, rng: int | np.random.Generator) -> CharacterDataset:
        """``n`` images drawn at random without replacement, in the order of this set.

        Args:
            n: how many.
            rng: a seed or a generator.

        Raises:
            ValueError: there are fewer than ``n``.

        Example:
            >>> from handwriting.datasets import digits
            >>> len(digits.load("test").sample(50, rng=0))
            50
        """
        return self.select(checks.sample(len(self), n, rng))

    def split_indices(
        self, fraction: float, *, by_writer: bool = False, rng: int | np.random.Generator
    ) -> tuple[Indices, Indices]:
        """Positions of two stratified parts, drawn at random: each class in the same shares.

        Args:
            fraction: share of the second part, in (0, 1).
            by_writer: whether each writer stands in one of the parts only. The parts are then not
                stratified: a class may be missing from one of them.
            rng: a seed or a generator.

        Returns:
            Two sorted int64 arrays, which together hold every position once. The second has
            ``round(n * fraction)`` positions, or as many as it can without taking the last image of
            a class from the first; a class with a single image stays in the first. By writer, whole
            writers are taken in random order, each if that brings the second part nearer to its
            share, one at least; images of nobody are drawn one by one.

        Raises:
            ValueError: ``fraction`` is out of range, or leaves one part without images; or, by
                writer, the writers are not known, or fewer than two.
        """
        checks.fraction(fraction)
        if by_writer:
            chosen = checks.whole_writers(self.writers, fraction, rng)
            return np.flatnonzero(~chosen), np.flatnonzero(chosen)
        generator = np.random.default_rng(rng)
        classes = [np.flatnonzero(self.labels == label) for label in np.unique(self.labels)]
        shares = _shares([len(members) for members in classes], fraction)
        if not 0 < sum(shares) < len(self):
            raise ValueError(
                f"a share of {fraction} of {len(self)} images in {len(classes)} classes leaves one "
                "part empty; classes need two images or more to be split"
            )
        chosen = np.zeros(len(self), bool)
        for members, share in zip(classes, shares, strict=True):
            chosen[generator.permutation(members)[:share]] = True
        return np.flatnonzero(~chosen), np.flatnonzero(chosen)

    def split(
        self, fraction: float, *, by_writer: bool = False, rng: int | np.random.Generator
    ) -> tuple[CharacterDataset, CharacterDataset]:
        """Two stratified parts, the second with ``fraction`` of the images (see split_indices).

        Example:
            >>> from handwriting.datasets import digits
            >>> train, validation = digits.load("train").split(0.1, rng=0)
            >>> len(train), len(validation)
            (1293, 144)

            Where the writers are known, the second part can be by people whom the first lacks:

            >>> images, people = np.zeros((6, 28, 28), np.uint8), [0, 0, 1, 1, 2, 2]
            >>> mine = CharacterDataset(images, [3, 7] * 3, Alphabet("0123456789"), writers=people)
            >>> train, test = mine.split(0.3, by_writer=True, rng=0)
            >>> train.writers, test.writers
            (array([0, 0, 1, 1]), array([2, 2]))
        """
        first, second = self.split_indices(fraction, by_writer=by_writer, rng=rng)
        return self.select(first), self.select(second)

    def relabel(
        self,
        alphabet: Alphabet,
        *,
        rename: Mapping[str, str] | None = None,
        outside: Literal["error", "drop"] = "error",
    ) -> CharacterDataset:
        """The same images with labels of another alphabet.

        Args:
            alphabet: the new one.
            rename: characters of the old alphabet that become others in the new one.
            outside: what to do with images whose character the new alphabet lacks.

        Raises:
            ValueError: there are such images, and ``outside`` is ``"error"``.

        Example:
            >>> from handwriting.datasets import digits
            >>> binary = digits.load("test").relabel(Alphabet("01"), outside="drop")
            >>> sorted(set(binary.characters))
            ['0', '1']
        """
        if outside not in ("error", "drop"):
            raise ValueError(f"outside must be 'error' or 'drop', got {outside!r}")
        renamed = [(rename or {}).get(character, character) for character in self.alphabet]
        table = np.array([int(alphabet.encode([c])[0]) if c in alphabet else -1 for c in renamed])
        labels = table[self.labels]
        lost = sorted({self.alphabet.characters[i] for i in np.unique(self.labels[labels < 0])})
        if lost and outside == "error":
            raise ValueError(
                f"{''.join(lost)!r} stand in the dataset but not in {alphabet!r}; give rename, or "
                "outside='drop' to leave their images out"
            )
        kept = self.select(labels >= 0) if lost else self
        return dataclasses.replace(
            kept, labels=labels[labels >= 0], alphabet=alphabet, skipped=self.skipped
        )

    def merge_case(self, letters: Iterable[str] = LOOK_ALIKE) -> CharacterDataset:
        """The same images, with one class for both cases of some letters: the upper-case one.

        Args:
            letters: which; by default the 15 whose two cases look alike. ``alphabet.LOWERCASE``
                merges all of ASCII.

        Returns:
            A dataset whose alphabet has the upper-case letter where the first of the two cases was.

        Raises:
            ValueError: a letter has no other case that is one character.

        Example:
            >>> from handwriting.alphabet import LETTERS
            >>> images = np.zeros((4, 28, 28), np.uint8)
            >>> merged = CharacterDataset(images, LETTERS.encode("CcAa"), LETTERS).merge_case()
            >>> merged.characters, len(merged.alphabet)
            (['C', 'C', 'A', 'a'], 37)

        Source:
            Cohen, Afshar, Tapson, van Schaik: EMNIST: an extension of MNIST to handwritten letters.
            IJCNN 2017 (arXiv 1702.05373), section II: the letters of By_Merge.
        """
        rename = {letter.lower(): letter.upper() for letter in letters}
        for lower, upper in rename.items():
            if len(lower) != 1 or len(upper) != 1 or lower == upper:
                raise ValueError(f"letters must have two cases of one character, got {lower!r}")
        merged = dict.fromkeys(rename.get(character, character) for character in self.alphabet)
        return self.relabel(Alphabet(merged), rename=rename)

    def concat(self, *others: CharacterDataset, name: str | None = None) -> CharacterDataset:
        """This dataset's images followed by those of others, in memory.

        Different alphabets are united in the order of first appearance, null first. One number in
        two sets means two writers: those of each set are shifted past those before it. Where one
        set with images does not tell its writers, nor does the result.

        Args:
            *others: datasets with images of the same shape.
            name: of the result; by default the names of all with ``" + "`` between them.

        Raises:
            ValueError: the image shapes differ.

        Example:
            >>> from handwriting.datasets import digits
            >>> test = digits.load("test")
            >>> ones = test.relabel(Alphabet("1"), outside="drop")
            >>> twos = test.relabel(Alphabet("2"), outside="drop")
            >>> twos.concat(ones).alphabet
            Alphabet('21')
        """
        everyone = (self, *others)
        shapes = [each.image_shape for each in everyone]
        if len(set(shapes)) > 1:
            raise ValueError(
                f"images must have one shape to be put together, got {shapes}; use "
                "preprocessing.fit_box first"
            )
        alphabet = checks.union(each.alphabet for each in everyone)
        return CharacterDataset(
            np.concatenate([each.images for each in everyone]),
            np.concatenate([each.relabel(alphabet).labels for each in everyone]),
            alphabet,
            " + ".join(each.name for each in everyone) if name is None else name,
            self.recipe if len({each.recipe for each in everyone}) == 1 else None,
            [entry for each in everyone for entry in each.skipped],
            checks.joined(each.writers for each in everyone if len(each)),
        )

    def with_null(self, share: float, *, rng: int | np.random.Generator) -> CharacterDataset:
        """These images with images of nothing among them, at random places, in memory.

        The alphabet gets the null class, at label 0, if it has none. Null images that are there
        already count: only what is missing is made. It is by nobody: writer -1.

        Args:
            share: of null images in the result, in (0, 1), as near as whole images come to it.
            rng: a seed or a generator, for the null images (see :mod:`handwriting.noise`) and their
                places; the other images stay in their order.

        Raises:
            ValueError: ``share`` is out of range, or there are more null images already.

        Example:
            >>> from handwriting.datasets import digits
            >>> some = digits.load("test").with_null(0.1, rng=0)
            >>> len(some), some.counts()[""]
            (400, 40)
        """
        if not 0 < share < 1:
            raise ValueError(f"share must lie between 0 and 1, got {share}")
        named = self.relabel(self.alphabet.with_null())
        present = int(np.count_nonzero(named.labels == 0))
        wanted = round((len(self) - present) * share / (1 - share))
        if present > wanted:
            raise ValueError(
                f"share must be at least that of the null images that are there, got {share} and "
                f"{present} of {len(self)} images; take some out with select"
            )
        generator = np.random.default_rng(rng)
        total = len(self) + wanted - present
        added = np.zeros(total, bool)
        added[generator.permutation(total)[: wanted - present]] = True
        images = np.empty((total, *self.image_shape), np.uint8)
        images[added] = null_images(wanted - present, self.image_shape, rng=generator)
        images[~added] = self.images
        labels = np.zeros(total, np.int64)
        labels[~added] = named.labels
        writers = None
        if self.writers is not None:
            writers = np.full(total, -1)
            writers[~added] = self.writers
        return dataclasses.replace(named, images=images, labels=labels, writers=writers)

    def save(self, path: StrPath) -> None:
        """Write the dataset as a folder of ``images.npy``, ``labels.npy`` and ``dataset.json``.

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
        return storage.Files(facts, {"labels": self.labels}, self.writers)

    @classmethod
    def open(cls, path: StrPath) -> CharacterDataset:
        """Open a saved dataset; the images become a read-only memory map.

        Args:
            path: the folder that :meth:`save` made.

        Raises:
            MissingDataError: there is no such folder, or a file of it is missing.
            CorruptFileError: a file is damaged, or the files do not belong together.
        """
        with storage.reading(path, _FORMAT) as saved:
            facts, alphabet = saved.facts, Alphabet(saved.facts["alphabet"])
            images, labels = saved.array("images"), saved.array("labels")
            # Sets that were saved by version 0.1.0 skipped nothing.
            skipped, writers = facts.get("skipped", ()), saved.writers()
            name, recipe = facts["name"], facts["recipe"]
            return cls(images, labels, alphabet, name, recipe, skipped, writers)


_FORMAT = "handwriting characters 1"


def _shares(sizes: list[int], fraction: float) -> list[int]:
    """How many of each class go into the second part: in proportion, and exact in the sum."""
    wanted = [size * fraction for size in sizes]
    shares = [int(share) for share in wanted]
    missing = round(sum(sizes) * fraction) - sum(shares)
    # The largest remainders get one more, ties going to the larger class; nobody gives up all.
    order = sorted(range(len(sizes)), key=lambda i: (shares[i] - wanted[i], -sizes[i]))
    for i in order:
        if missing > 0 and shares[i] + 1 < sizes[i]:
            shares[i] += 1
            missing -= 1
    return shares
