"""EMNIST: 814,255 handwritten digits and letters, in six arrangements.

==============  ===================================================================
Subsets         ``byclass``   62 classes, 697,932 to train, 116,323 to test
                ``bymerge``   47 classes, 697,932 to train, 116,323 to test
                ``balanced``  47 classes, 112,800 to train, 18,800 to test
                ``letters``   26 classes, 124,800 to train, 20,800 to test
                ``digits``    10 classes, 240,000 to train, 40,000 to test
                ``mnist``     10 classes, 60,000 to train, 10,000 to test
On disk         IDX files, gzip, in one zip; 28 x 28, ink 255, **rows and columns
                exchanged**; the labels of ``letters`` count from 1
Here            upright, a memory map; labels from 0
==============  ===================================================================

The 47 classes are the 62 with the lower case of C I J K L M O P S U V W X Y Z, which looks like the
upper case, merged into it. The 26 classes hold both cases of a letter; their characters are the
upper case.

License: public domain (National Institute of Standards and Technology, NIST Special Database 19).

Overlap: the six are drawn from one pool, so that training on one and testing on another leaks
(``digits`` and ``mnist`` stand in ``byclass``). MNIST comes from the same NIST forms, prepared in
another way.

Known faults: many classes of ``byclass`` cannot be told apart without context (0 O o, 1 I l).
Cohen et al. list the counts of ``letters`` as 88,800 and 14,800, and loaders that believe it drop
20,000 to 42,000 images; the files hold 124,800 and 20,800.
"""

import contextlib
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from handwriting.alphabet import DIGITS, UPPERCASE, Alphabet
from handwriting.data import CharacterDataset
from handwriting.datasets import download, idx, store
from handwriting.datasets.archive import Archive, open_archive
from handwriting.files import StrPath

__all__ = [
    "ALPHABET",
    "ALPHABETS",
    "COUNTS",
    "FILES",
    "LICENSE",
    "RECIPE",
    "SOURCE",
    "Subset",
    "convert",
    "load",
    "on_disk",
    "subsets",
]

Subset = Literal["balanced", "byclass", "bymerge", "digits", "letters", "mnist"]

# The lower-case letters that keep a class of their own in the 47.
_UNMERGED = "abdefghnqrt"
_CLASSES_47 = Alphabet(string.digits + string.ascii_uppercase + _UNMERGED)
ALPHABETS: dict[str, Alphabet] = {
    "balanced": _CLASSES_47,
    "byclass": Alphabet(string.digits + string.ascii_uppercase + string.ascii_lowercase),
    "bymerge": _CLASSES_47,
    "digits": DIGITS,
    "letters": UPPERCASE,
    "mnist": DIGITS,
}
_COUNTS = {
    "balanced": {"train": 112_800, "test": 18_800},
    "byclass": {"train": 697_932, "test": 116_323},
    "bymerge": {"train": 697_932, "test": 116_323},
    "digits": {"train": 240_000, "test": 40_000},
    "letters": {"train": 124_800, "test": 20_800},
    "mnist": {"train": 60_000, "test": 10_000},
}
ALPHABET = ALPHABETS["balanced"]
COUNTS = _COUNTS["balanced"]
RECIPE = "emnist"
LICENSE = "public domain"
SOURCE = (
    "https://www.nist.gov/itl/products-and-services/emnist-dataset "
    "(Cohen, Afshar, Tapson, van Schaik 2017, arXiv 1702.05373)"
)
FILES = {
    "gzip.zip": download.RemoteFile(
        "gzip.zip",
        561_753_746,
        "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
        ("https://biometrics.nist.gov/cs_links/EMNIST/",),
    )
}


def subsets() -> dict[str, dict[str, int]]:
    """The six subsets, with how many images each split has.

    Example:
        >>> subsets()["letters"]
        {'train': 124800, 'test': 20800}
    """
    return {name: dict(counts) for name, counts in _COUNTS.items()}


def load(
    split: str = "train",
    path: StrPath | None = None,
    *,
    subset: Subset = "balanced",
    raw: bool = False,
    offline: bool = False,
) -> CharacterDataset:
    """Load one subset of EMNIST.

    The first call reads the split out of the zip file, without unpacking anything to disk, into
    ``handwriting.datasets.store.home()``; later ones only map what it left there.

    Args:
        split: ``"train"`` or ``"test"``.
        path: NIST's ``gzip.zip``, another zip file, or a folder, that holds
            ``emnist-SUBSET-SPLIT-images-idx3-ubyte`` and ``...-labels-idx1-ubyte``, with ``.gz`` or
            without; one of these files itself; None fetches ``gzip.zip`` (562 MB).
        subset: one of :func:`subsets`.
        raw: leave the images as the files have them, rows and columns exchanged.
        offline: do not fetch anything.

    Returns:
        Images (n, 28, 28), a read-only memory map (with ``raw``, a view of it).

    Raises:
        ValueError: no such split or subset.
        MissingDataError: a file is missing or could not be fetched.
        CorruptFileError: a file is damaged, or images and labels do not belong together.

    Source:
        The order of rows and columns: Cohen et al., section II-A, whose conversion writes Matlab's
        columns as rows.
    """
    if split not in COUNTS:
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    if subset not in _COUNTS:
        raise ValueError(f"subset must be one of {', '.join(_COUNTS)}, got {subset!r}")
    if path is None:
        path = download.fetch(FILES["gzip.zip"], store.home() / "emnist", offline=offline)
    images, labels = (idx.spellings(f"emnist-{subset}-{split}-{kind}-ubyte") for kind in idx.KINDS)
    with _opened(path, images) as archive:
        key = store.key(archive.sources(*images, *labels))
        dataset = store.prepared(
            store.home() / "emnist" / f"{subset}-{split}-{key}",
            lambda folder: idx.prepare(
                archive.get(*images),
                archive.get(*labels),
                folder,
                ALPHABETS[subset],
                name=f"emnist/{subset}/{split}",
                recipe=RECIPE,
                first_label=1 if subset == "letters" else 0,
                transposed=True,
            ),
        )
    return _exchanged(dataset) if raw else dataset


@contextlib.contextmanager
def _opened(path: StrPath, names: tuple[str, ...]) -> Iterator[Archive]:
    with idx.open_source(path) as archive:
        # Whole downloads have the zip file within a folder, and some within another zip file.
        inner = None if archive.find(*names) else archive.find("gzip.zip")
        if inner is None:
            yield archive
        else:
            with open_archive(inner) as unpacked:
                yield unpacked


def _exchanged(dataset: CharacterDataset) -> CharacterDataset:
    return CharacterDataset(
        dataset.images.transpose(0, 2, 1),
        dataset.labels,
        dataset.alphabet,
        f"{dataset.name}/raw",
        "emnist-raw",
    )


def convert(
    dataset: CharacterDataset, subset: Subset, *, outside: Literal["error", "drop"] = "error"
) -> CharacterDataset:
    """The same images with the labels of another subset: from 62 classes to 47, 26 or 10.

    Lower-case letters without a class of their own go to the upper case.

    Args:
        dataset: any dataset of digits and letters.
        subset: whose alphabet to take.
        outside: what to do with images that have no class there, such as digits among letters.

    Raises:
        ValueError: no such subset; there are images without a class and ``outside`` is
            ``"error"``; or the 26 classes, which hold both cases, shall be told apart.

    Example:
        >>> import numpy as np
        >>> images = np.zeros((4, 28, 28), np.uint8)
        >>> mixed = CharacterDataset(images, [1, 12, 36, 38], ALPHABETS["byclass"])
        >>> mixed.characters, convert(mixed, "balanced").characters
        (['1', 'C', 'a', 'c'], ['1', 'C', 'a', 'C'])
        >>> convert(mixed, "letters", outside="drop").characters
        ['C', 'A', 'C']
    """
    if subset not in ALPHABETS:
        raise ValueError(f"subset must be one of {', '.join(ALPHABETS)}, got {subset!r}")
    alphabet = ALPHABETS[subset]
    if dataset.alphabet == ALPHABETS["letters"] and set(_UNMERGED) & set(alphabet):
        raise ValueError(
            f"the 26 classes of letters hold both cases, which {subset} tells apart; start from "
            "byclass"
        )
    lower = [c for c in dataset.alphabet if c not in alphabet and c.upper() in alphabet]
    return dataset.relabel(alphabet, rename={c: c.upper() for c in lower}, outside=outside)


def on_disk() -> Path | None:
    """The folder of the fetched files, or None if they have not been fetched."""
    folder = store.home() / "emnist"
    return folder if all(download.is_fetched(file, folder) for file in FILES.values()) else None
