"""What datasets of every kind demand of their values."""

# Annotations stay text: numpy.random takes 5 MB and 10 ms, and opening a set needs none of it.
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handwriting.alphabet import NULL, Alphabet
from handwriting.preprocessing import find_recipe

__all__ = [
    "Skipped",
    "facts",
    "fraction",
    "images",
    "index",
    "integers",
    "joined",
    "own",
    "sample",
    "skipped",
    "told",
    "union",
    "whole_writers",
    "writers",
]


class Skipped(NamedTuple):
    """What a loader left out of a set, and why.

    Args:
        where: a file, a row or an entry of the source, as a person can find it.
        reason: what is wrong with it.
    """

    where: str
    reason: str


def facts(
    alphabet: object, name: object, recipe: str | None, find: Callable[[str], object] = find_recipe
) -> None:
    """Refuse what is no alphabet, no name, or no recipe that can be found."""
    if not isinstance(alphabet, Alphabet):
        raise TypeError(f"alphabet must be an Alphabet, got {type(alphabet).__name__}")
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, got {name!r}")
    if recipe is not None:
        find(recipe)


def images(array: Any) -> None:
    """Refuse what is not (n, h, w) uint8 with h and w above 0."""
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 3:
        raise ValueError(
            "images must be uint8 of shape (n, h, w), got "
            f"{getattr(array, 'dtype', type(array).__name__)} of shape {np.shape(array)}; "
            "one image gets a batch axis with image[None]"
        )
    if 0 in array.shape[1:]:
        raise ValueError(f"images must have pixels, got shape {array.shape}")


def integers(values: ArrayLike, n: int, name: str) -> NDArray[Any]:
    """The values as an array, if they are integers of shape (n,)."""
    array = values if isinstance(values, np.memmap) else np.asarray(values)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.shape != (n,) or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be integers of shape ({n},), one for each image, got "
            f"{array.dtype} of shape {array.shape}"
        )
    return array


def own(values: NDArray[Any]) -> NDArray[np.int64]:
    """The values as int64, in a copy which nobody can change behind the checks.

    A read-only map of a file is as good as a copy, and costs nothing.
    """
    if isinstance(values, np.memmap) and values.dtype == np.int64 and not values.flags.writeable:
        return values
    copy = values.astype(np.int64)
    copy.flags.writeable = False
    return copy


def writers(values: ArrayLike | None, n: int) -> NDArray[np.int64] | None:
    """The numbers of writers as int64, if they are integers of shape (n,), or None."""
    if values is None:
        return None
    array = integers(values, n, "writers")
    if array.dtype == np.uint64 and array.size and array.max() > _GREATEST:
        raise ValueError(f"writers must be at most {_GREATEST}, got {array.max()}; {_FEWER}")
    return own(array)


def joined(parts: Iterable[NDArray[np.int64] | None]) -> NDArray[np.int64] | None:
    """The writers of sets one after another; one number in two sets means two people."""
    shifted: list[NDArray[np.int64]] = []
    start = 0
    for part in parts:
        if part is None:
            return None
        greatest = start + int(part.max(initial=-1))
        if greatest > _GREATEST:
            raise ValueError(f"writers must stay at most {_GREATEST}, got {greatest}; {_FEWER}")
        shifted.append(np.where(part < 0, part, part + start))
        start = greatest + 1
    return np.concatenate(shifted) if shifted else None


_GREATEST = np.iinfo(np.int64).max
_FEWER = "number them from 0 with np.unique(writers, return_inverse=True)"


def fraction(value: float) -> None:
    """Refuse what is no share of a set."""
    if not 0 < value < 1:
        raise ValueError(f"fraction must lie between 0 and 1, got {value}")


def index(which: ArrayLike | slice) -> slice | NDArray[Any]:
    """What NumPy takes as an index; an empty list has no type of its own."""
    if isinstance(which, slice):
        return which
    array = np.asarray(which)
    return array.astype(np.int64) if array.size == 0 and array.dtype.kind == "f" else array


def sample(total: int, n: int, rng: int | np.random.Generator) -> NDArray[np.int64]:
    """``n`` of ``total`` positions, drawn without replacement, in their order."""
    if not 0 <= n <= total:
        raise ValueError(f"n must lie in [0, {total}], the size of the dataset, got {n}")
    return np.sort(np.random.default_rng(rng).choice(total, n, replace=False, shuffle=False))


def whole_writers(
    numbers: NDArray[np.int64] | None, share: float, rng: int | np.random.Generator
) -> NDArray[np.bool_]:
    """Marks a share of a set in which all images of a writer stand, or none of them.

    Writers are taken in random order, each if it brings the share nearer; one at least is taken and
    one left. Of the images that are nobody's the same share is drawn, one by one.
    """
    if numbers is None:
        raise ValueError("by_writer needs a dataset with writers, and this one does not tell them")
    known, sizes = np.unique(numbers[numbers >= 0], return_counts=True)
    if len(known) < 2:
        raise ValueError(f"by_writer needs two writers or more to split, got {len(known)}")
    generator = np.random.default_rng(rng)
    order = generator.permutation(len(known))
    taken = np.zeros(len(known), bool)
    missing = share * int(sizes.sum())
    for writer in order.tolist():
        if abs(missing - sizes[writer]) < abs(missing):
            taken[writer] = True
            missing -= sizes[writer]
    smallest = order[sizes[order].argmin()]
    if taken.all() or not taken.any():
        taken[smallest] = not taken[smallest]
    marked = np.isin(numbers, known[taken])
    nobodys = generator.permutation(np.flatnonzero(numbers < 0))
    marked[nobodys[: round(len(nobodys) * share)]] = True
    return marked


def union(alphabets: Iterable[Alphabet]) -> Alphabet:
    """The characters of all alphabets in the order of first appearance, null first."""
    characters = dict.fromkeys(c for alphabet in alphabets for c in alphabet)
    return Alphabet(sorted(characters, key=lambda character: character != NULL))


def skipped(entries: Sequence[Skipped]) -> tuple[Skipped, ...]:
    """The entries, if they are pairs of str."""
    pairs = tuple(Skipped(*entry) for entry in entries)
    if not all(isinstance(part, str) for pair in pairs for part in pair):
        raise TypeError("skipped must be pairs (where, reason) of str")
    return pairs


def told(entries: Sequence[Skipped]) -> str:
    """What a dataset's text says of them."""
    return f", {len(entries)} skipped" if entries else ""
