"""AlphaNum: 108,791 handwritten characters of 94 classes, and how to make a set like it.

==============  ===================================================================
Classes         94: null, and printable ASCII but the space and the backslash
Images          108,791 in ``train``, ``test`` and ``validation``, about 7 : 2 : 1
On disk         three zip files; one folder for each code point, 999 for null;
                24 x 24, some up to 28 x 28; **black on white**
Here            24 x 24 uint8, ink 255 on paper 0, a memory map; null has label 0,
                the others follow by code point
==============  ===================================================================

License: MIT (Louis Raedisch). Its sources have licenses of their own: MNIST CC BY-SA 3.0, the A-Z
images CC0, and the Handwriting Characters Database comes from UNIPEN.

Overlap: AlphaNum is made of images of MNIST, of the A-Z set (:mod:`handwriting.datasets.az`) and of
the Handwriting Characters Database (:mod:`handwriting.datasets.unipen_characters`). Training on one
and testing on another leaks.

Known faults: the card speaks of 108,791 images, and its table of classes adds up to 108,790; the
classes are very uneven, 42 images of the grave accent and 2,962 of e; the null
class is made by a script (:mod:`handwriting.noise`). Folders sorted as text, as generic loaders do
it, give the class of code 100 the first label.
"""

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handwriting import noise, preprocessing
from handwriting.alphabet import NULL, Alphabet
from handwriting.data import CharacterDataset
from handwriting.datasets import download, folders, store
from handwriting.datasets.archive import Archive, open_archive
from handwriting.errors import MissingDataError
from handwriting.files import StrPath, replacing

__all__ = [
    "ALPHABET",
    "COUNTS",
    "FILES",
    "LICENSE",
    "PUBLISHED_COUNTS",
    "RECIPE",
    "SOURCE",
    "build",
    "load",
    "on_disk",
]

# The table of files for each code on the data set's card. The card speaks of 108,791 images; its
# table adds up to one less.
# fmt: off
PUBLISHED_COUNTS = {
    NULL: 4999,
    "!": 207, '"': 267, "#": 152, "$": 192, "%": 190, "&": 104, "'": 276, "(": 346, ")": 359,
    "*": 128, "+": 146, ",": 320, "-": 447, ".": 486, "/": 259, "0": 2664, "1": 2791, "2": 2564,
    "3": 2671, "4": 2530, "5": 2343, "6": 2503, "7": 2679, "8": 2544, "9": 2617, ":": 287,
    ";": 223, "<": 168, "=": 254, ">": 162, "?": 194, "@": 83, "A": 1923, "B": 1505, "C": 1644,
    "D": 1553, "E": 2171, "F": 1468, "G": 1443, "H": 1543, "I": 1888, "J": 1470, "K": 1504,
    "L": 1692, "M": 1484, "N": 1683, "O": 2097, "P": 1605, "Q": 1409, "R": 1811, "S": 1786,
    "T": 1729, "U": 1458, "V": 1405, "W": 1521, "X": 1366, "Y": 1456, "Z": 1451, "[": 111,
    "]": 104, "^": 88, "_": 80, "`": 42, "a": 2219, "b": 624, "c": 880, "d": 1074, "e": 2962,
    "f": 608, "g": 760, "h": 990, "i": 2035, "j": 427, "k": 557, "l": 1415, "m": 879, "n": 1906,
    "o": 2048, "p": 786, "q": 427, "r": 1708, "s": 1557, "t": 1781, "u": 1319, "v": 555, "w": 680,
    "x": 463, "y": 680, "z": 505, "{": 73, "|": 91, "}": 77, "~": 59,
}
# fmt: on
ALPHABET = Alphabet(PUBLISHED_COUNTS)
COUNTS: dict[str, int | None] = {"train": None, "test": None, "validation": None, "all": 108_790}
RECIPE = "alphanum"
LICENSE = "MIT"
SOURCE = "https://huggingface.co/datasets/louisraedisch/AlphaNum (Raedisch 2023)"

_SPLITS = ("train", "test", "validation")
_SHARES = (0.7, 0.2, 0.1)
_SIZE = 24
# No hashes are published: the store records those that it saw first.
FILES = {
    f"{split}.zip": download.RemoteFile(
        f"{split}.zip",
        None,
        None,
        ("https://huggingface.co/datasets/louisraedisch/AlphaNum/resolve/main/",),
    )
    for split in _SPLITS
}


def load(
    split: str = "train",
    path: StrPath | None = None,
    *,
    size: int = _SIZE,
    on_error: folders.OnError = "raise",
    offline: bool = False,
) -> CharacterDataset:
    """Load AlphaNum, or a set of its form such as :func:`build` makes.

    The first call decodes the pictures, straight from the zip file, into
    ``handwriting.datasets.store.home()``; later ones only map what it left there.

    Args:
        split: ``"train"``, ``"test"``, ``"validation"``, or ``"all"`` for the three together, in
            memory.
        path: a folder or zip file with ``train.zip``, ``test.zip``, ``validation.zip`` or folders
            of these names; or, for one split, that zip file or folder itself. None fetches them.
        size: side of the images wanted, in pixels; pictures of other sizes are scaled.
        on_error: ``"skip"`` leaves damaged pictures out and lists them in ``skipped``.
        offline: do not fetch anything.

    Returns:
        Images (n, size, size), a read-only memory map, ordered by label.

    Raises:
        ValueError: no such split.
        MissingDataError: a file is missing or could not be fetched.
        CorruptFileError: a file is damaged, or a folder names a character outside AlphaNum.

    Warns:
        UserWarning: the number of images of some class cannot be that of the published set.
    """
    if split not in (*_SPLITS, "all"):
        raise ValueError(f"split must be 'train', 'test', 'validation' or 'all', got {split!r}")
    if split == "all":
        first, *others = (
            _load(each, path, size, on_error=on_error, offline=offline) for each in _SPLITS
        )
        dataset = first.concat(*others, name="alphanum/all")
        _warn_of_differences(dataset.counts(), whole=True)
        return dataset
    dataset = _load(split, path, size, on_error=on_error, offline=offline)
    _warn_of_differences(dataset.counts(), whole=False)
    return dataset


def _load(
    split: str, path: StrPath | None, size: int, *, on_error: folders.OnError, offline: bool
) -> CharacterDataset:
    if path is None:
        path = download.fetch(FILES[f"{split}.zip"], store.home() / "alphanum", offline=offline)
    with _opened(Path(path), split) as (archive, below):
        key = store.key(archive.sources(), size, on_error)
        return store.prepared(
            store.home() / "alphanum" / f"{split}-{key}",
            lambda folder: folders.prepare(
                folders.pictures(archive, below),
                folder,
                ALPHABET,
                form=size,
                ink="dark",
                name=f"alphanum/{split}",
                recipe=RECIPE if size == _SIZE else None,
                on_error=on_error,
            ),
        )


@contextlib.contextmanager
def _opened(path: Path, split: str) -> Iterator[tuple[Archive, str | None]]:
    """The archive with a split's class folders, and the folder that they are below."""
    here = [each for each in (path / f"{split}.zip", path / split) if each.exists()]
    with open_archive(here[0] if here else path) as archive:
        if here or path.resolve().stem == split:
            yield archive, None
        elif inner := archive.find(f"{split}.zip"):
            with open_archive(inner) as unpacked:
                yield unpacked, None
        elif any(split in name.split("/")[:-1] for name in archive.names):
            yield archive, split
        else:
            raise MissingDataError(
                f"{path} must be a folder or zip file that holds {split}.zip or a folder {split}, "
                "or be one of the two; it is not"
            )


def on_disk() -> Path | None:
    """The folder of the fetched files, or None if they have not been fetched."""
    folder = store.home() / "alphanum"
    return folder if all(download.is_fetched(file, folder) for file in FILES.values()) else None


def _warn_of_differences(counts: Mapping[str, int], *, whole: bool) -> None:
    differing = [
        f"{character or 'null'} {counts[character]:,} instead of {published:,}"
        for character, published in PUBLISHED_COUNTS.items()
        if counts[character] > published or (whole and counts[character] < published)
    ]
    if differing:
        more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
        warnings.warn(
            f"this is not AlphaNum as published: {', '.join(differing[:5])}{more}", stacklevel=3
        )


Source = StrPath | CharacterDataset | None


def build(
    out: StrPath,
    *,
    mnist: Source = None,
    characters: Source = None,
    az: Source = None,
    null: int = 5000,
    counts: Mapping[str, int] | None = PUBLISHED_COUNTS,
    rng: int | np.random.Generator = 0,
) -> dict[str, int]:
    """Make a set of AlphaNum's form from its three sources and images of nothing.

    Images are scaled to 24 x 24 and written black on white. A class is filled from the Handwriting
    Characters Database first, and then with images of the others drawn at random.

    Args:
        out: the folder to make, as a whole or not at all: ``train.zip``, ``test.zip``,
            ``validation.zip`` and the table of counts, ``counts.md``.
        mnist: where MNIST is (see its ``load``), or a dataset; None leaves it out.
        characters: the same for the Handwriting Characters Database.
        az: the same for the A-Z images.
        null: how many images of the null class.
        counts: at most so many images of each other character; None takes all.
        rng: a seed or a generator: the same seed and sources make the same bytes.

    Returns:
        How many images each character has.

    Raises:
        FileExistsError: ``out`` exists.
        ValueError: no source is given, or one has a character outside AlphaNum.

    Example:
        >>> import tempfile
        >>> from handwriting.datasets import digits
        >>> out = Path(tempfile.mkdtemp()) / "mine"
        >>> build(out, mnist=digits.load("all"), null=20)["7"]
        179
        >>> sorted(file.name for file in out.iterdir())
        ['counts.md', 'test.zip', 'train.zip', 'validation.zip']
    """
    if null < 0:
        raise ValueError(f"null must be at least 0, got {null}")
    generator = np.random.default_rng(rng)
    given = {"unipen_characters": characters, "mnist": mnist, "az": az}
    sources = [_source(name, source) for name, source in given.items() if source is not None]
    if not sources:
        raise ValueError("at least one of mnist, characters and az must be given")
    parts = list(_chosen(sources, counts, generator))
    if null:
        images = noise.null_images(null, (_SIZE, _SIZE), rng=generator)
        parts.append(CharacterDataset(images, np.zeros(null, np.int64), ALPHABET))
    whole = parts[0].concat(*parts[1:])
    with replacing(out) as folder:
        folder.mkdir()
        splits = dict(zip(_SPLITS, _divided(whole, generator), strict=True))
        for split, part in splits.items():
            folders.write_zip(folder / f"{split}.zip", part, top=f"{split}/")
        table = _table({split: part.counts() for split, part in splits.items()})
        (folder / "counts.md").write_text(table, encoding="utf-8")
    return whole.counts()


def _source(name: str, source: StrPath | CharacterDataset) -> CharacterDataset:
    from handwriting import datasets

    if isinstance(source, CharacterDataset):
        return source
    module: Any = datasets.module(name)
    if name == "mnist":
        train, test = (module.load(split, source) for split in ("train", "test"))
        joined: CharacterDataset = train.concat(test)
        return joined
    loaded: CharacterDataset = module.load("all", source)
    return loaded


def _chosen(
    sources: Sequence[CharacterDataset],
    counts: Mapping[str, int] | None,
    rng: np.random.Generator,
) -> Iterator[CharacterDataset]:
    """Of each source what the earlier ones left room for, in AlphaNum's form."""
    room = np.array([(counts or {}).get(c, 0 if counts else None) for c in ALPHABET], np.float64)
    room[np.isnan(room)] = np.inf
    for source in sources:
        labels = source.relabel(ALPHABET).labels
        chosen = []
        for label in np.unique(labels).tolist():
            members = rng.permutation(np.flatnonzero(labels == label))
            members = members[: int(min(room[label], len(members)))]
            room[label] -= len(members)
            chosen.append(members)
        positions = np.sort(np.concatenate(chosen))
        images = preprocessing.resize(source.images[positions], (_SIZE, _SIZE))
        yield CharacterDataset(images, labels[positions], ALPHABET)


def _divided(whole: CharacterDataset, rng: np.random.Generator) -> tuple[CharacterDataset, ...]:
    """Train, test and validation, each class in the same shares."""
    train_share, test_share, _ = _SHARES
    train, rest = whole.split(1 - train_share, rng=rng)
    test, validation = rest.split(1 - test_share / (1 - train_share), rng=rng)
    return train, test, validation


def _table(counts: Mapping[str, Mapping[str, int]]) -> str:
    rows = [
        "| code | character | " + " | ".join(counts) + " | all |",
        "|---|---|" + "---|" * (len(counts) + 1),
    ]
    for character in ALPHABET:
        numbers = [each[character] for each in counts.values()]
        shown = {NULL: "null", "|": "\\|", "`": "` ` `"}.get(character, character)
        cells = [folders.folder_name(character), shown, *numbers, sum(numbers)]
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    totals = [sum(each.values()) for each in counts.values()]
    rows.append("| all | | " + " | ".join(map(str, [*totals, sum(totals)])) + " |")
    return "\n".join(rows) + "\n"
