"""Labeled images of characters, as one value that walks the road.

A :class:`CharacterDataset` is four things held together: images, labels, the alphabet that gives
labels their meaning, and a name. The images are often a read-only memory map of a file, so that a
set larger than memory opens at once.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handwriting.alphabet import Alphabet, Labels
from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.files import StrPath, replacing
from handwriting.images import Image
from handwriting.noise import null_images
from handwriting.preprocessing import find_recipe

__all__ = ["CharacterDataset"]

Indices = NDArray[np.int64]


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

    def __post_init__(self) -> None:
        images, labels = self.images, np.asarray(self.labels)
        if not isinstance(self.alphabet, Alphabet):
            raise TypeError(f"alphabet must be an Alphabet, got {type(self.alphabet).__name__}")
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a str, got {self.name!r}")
        if self.recipe is not None:
            find_recipe(self.recipe)
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 3:
            raise ValueError(
                "images must be uint8 of shape (n, h, w), got "
                f"{getattr(images, 'dtype', type(images).__name__)} of shape {np.shape(images)}; "
                "one image gets a batch axis with image[None]"
            )
        if 0 in images.shape[1:]:
            raise ValueError(f"images must have pixels, got shape {images.shape}")
        if labels.size == 0:
            labels = labels.astype(np.int64)
        if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
            raise ValueError(
                f"labels must be integers of shape ({len(images)},), one for each image, got "
                f"{labels.dtype} of shape {labels.shape}"
            )
        if len(labels) and (labels.min() < 0 or labels.max() >= len(self.alphabet)):
            raise ValueError(
                f"labels must lie in [0, {len(self.alphabet)}), the positions in {self.alphabet!r},"
                f" got {labels.min()} to {labels.max()}"
            )
        # A copy of their own, which nobody can change behind the checks.
        labels = labels.astype(np.int64)
        labels.flags.writeable = False
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width = self.image_shape
        return (
            f"CharacterDataset({self.name!r}: {len(self)} images of {height} x {width}, "
            f"{len(self.alphabet)} characters)"
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

    def select(self, which: ArrayLike | slice) -> "CharacterDataset":
        """The images at some positions.

        Args:
            which: a slice (the images stay a view), integer positions or a (n,) boolean mask (the
                images are copied into memory).

        Example:
            >>> from handwriting.datasets import digits
            >>> sevens = digits.load("test")
            >>> sevens = sevens.select(sevens.labels == 7)
        """
        index = which if isinstance(which, slice) else np.asarray(which)
        if isinstance(index, np.ndarray) and index.size == 0 and index.dtype.kind == "f":
            index = index.astype(np.int64)
        return dataclasses.replace(self, images=self.images[index], labels=self.labels[index])

    def split_indices(
        self, fraction: float, *, rng: int | np.random.Generator
    ) -> tuple[Indices, Indices]:
        """Positions of two stratified parts, drawn at random: each class in the same shares.

        Args:
            fraction: share of the second part, in (0, 1).
            rng: a seed or a generator.

        Returns:
            Two sorted int64 arrays, which together hold every position once. The second has
            ``round(n * fraction)`` positions, or as many as it can without taking the last image of
            a class from the first; a class with a single image stays in the first.

        Raises:
            ValueError: ``fraction`` is out of range, or leaves one part without images.
        """
        if not 0 < fraction < 1:
            raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
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
        self, fraction: float, *, rng: int | np.random.Generator
    ) -> tuple["CharacterDataset", "CharacterDataset"]:
        """Two stratified parts, the second with ``fraction`` of the images (see split_indices).

        Example:
            >>> from handwriting.datasets import digits
            >>> train, validation = digits.load("train").split(0.1, rng=0)
            >>> len(train), len(validation)
            (1293, 144)
        """
        first, second = self.split_indices(fraction, rng=rng)
        return self.select(first), self.select(second)

    def relabel(
        self,
        alphabet: Alphabet,
        *,
        rename: Mapping[str, str] | None = None,
        outside: Literal["error", "drop"] = "error",
    ) -> "CharacterDataset":
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
        return dataclasses.replace(kept, labels=labels[labels >= 0], alphabet=alphabet)

    def join(self, *others: "CharacterDataset", name: str | None = None) -> "CharacterDataset":
        """This dataset's images followed by those of others, in memory.

        Raises:
            ValueError: the image shapes or alphabets differ.
        """
        everyone = (self, *others)
        for other in others:
            if other.image_shape != self.image_shape or other.alphabet != self.alphabet:
                raise ValueError(
                    f"datasets must have one image shape and one alphabet to be joined, got "
                    f"{self.image_shape} and {other.image_shape}, {self.alphabet!r} and "
                    f"{other.alphabet!r}; use preprocessing.fit_box and relabel first"
                )
        return CharacterDataset(
            np.concatenate([each.images for each in everyone]),
            np.concatenate([each.labels for each in everyone]),
            self.alphabet,
            " + ".join(each.name for each in everyone) if name is None else name,
            self.recipe if len({each.recipe for each in everyone}) == 1 else None,
        )

    def with_null(self, share: float, *, rng: int | np.random.Generator) -> "CharacterDataset":
        """These images with images of nothing among them, at random places, in memory.

        The alphabet gets the null class, at label 0, if it has none. Null images that are there
        already count: only what is missing is made.

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
        return dataclasses.replace(named, images=images, labels=labels)

    def save(self, path: StrPath) -> None:
        """Write the dataset as a folder of ``images.npy``, ``labels.npy`` and ``dataset.json``.

        Args:
            path: the folder to make; it must not exist.

        Raises:
            FileExistsError: it exists.
        """
        with replacing(path) as folder:
            folder.mkdir()
            np.save(folder / "images.npy", self.images)
            np.save(folder / "labels.npy", self.labels)
            self._save_facts(folder)

    def _save_facts(self, folder: Path) -> None:
        facts = {
            "format": _FORMAT,
            "alphabet": list(self.alphabet),
            "name": self.name,
            "recipe": self.recipe,
        }
        text = json.dumps(facts, ensure_ascii=False, indent=2)
        (folder / "dataset.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def open(cls, path: StrPath) -> "CharacterDataset":
        """Open a saved dataset; the images become a read-only memory map.

        Args:
            path: the folder that :meth:`save` made.

        Raises:
            MissingDataError: there is no such folder, or a file of it is missing.
            CorruptFileError: a file is damaged, or the files do not belong together.
        """
        folder = Path(path)
        try:
            facts = _read_facts(folder / "dataset.json")
            images = np.lib.format.open_memmap(folder / "images.npy", "r")
            labels = np.lib.format.open_memmap(folder / "labels.npy", "r")
            alphabet = Alphabet(facts["alphabet"])
            return cls(images, labels, alphabet, facts["name"], facts["recipe"])
        except FileNotFoundError as error:
            raise MissingDataError(
                f"{error.filename} is missing; {folder} is not a dataset that save() wrote"
            ) from None
        except _DAMAGE as error:
            raise CorruptFileError(
                f"{folder} is damaged ({error}); make the dataset again"
            ) from error


_FORMAT = "handwriting characters 1"
# What json and numpy raise for files that others have written or damaged.
_DAMAGE = (
    *(ValueError, TypeError, KeyError, EOFError, OverflowError, RecursionError),
    *(NotADirectoryError, IsADirectoryError),
)


def _read_facts(path: Path) -> dict[str, Any]:
    facts = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
        raise ValueError(f"{path.name} must say format {_FORMAT!r}")
    return facts


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
