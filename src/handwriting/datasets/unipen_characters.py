"""The Handwriting Characters Database: pen strokes of UNIPEN, drawn and sorted by hand.

==============  ===================================================================
Classes         93: printable ASCII but the space and the backslash
Images          62,382 in ``train``, ``validation`` and ``test``
On disk         one tar, whole or in parts; one folder for each code point;
                64 x 64 PNG; the splits are lists, ``split/trn.txt``, ``val.txt``
                and ``tst.txt``, which are published beside it
Here            64 x 64 uint8, ink 255 on paper 0, a memory map
==============  ===================================================================

License: not stated by its makers. The UNIPEN strokes are CC BY 4.0 on Zenodo
(10.5281/zenodo.1195803); the README of the 1999 CD speaks of research use only.

Overlap: most characters of AlphaNum come from here. UNIPEN's writers of the training split may
stand in the others too: the lists were drawn by image.

Known faults: drawn strokes, all of one thickness, without a pen's traces of paper and pressure.
Characters keep their proportions, and lose their size: a comma is as large as a letter.
"""

from pathlib import Path

from handwriting.alphabet import ASCII, Alphabet
from handwriting.data import CharacterDataset
from handwriting.datasets import download, folders, store
from handwriting.datasets.archive import Archive, Member, open_archive, reading
from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.files import StrPath

__all__ = ["ALPHABET", "COUNTS", "FILES", "LICENSE", "RECIPE", "SOURCE", "load", "on_disk"]

ALPHABET = Alphabet(character for character in ASCII if character != "\\")
COUNTS: dict[str, int | None] = {"train": None, "validation": None, "test": None, "all": 62_382}
RECIPE = None
LICENSE = "not stated; UNIPEN is CC BY 4.0"
SOURCE = (
    "https://github.com/sueiras/handwritting_characters_database (Sueiras, Ruiz, Sanchez, Velez, "
    "ISDA 2016)"
)

_LISTS = {"train": "trn.txt", "validation": "val.txt", "test": "tst.txt"}
_SIZE = 64
_TAR = "curated.tar.gz"
# No hashes are published: the store records those that it saw first.
_REPOSITORY = "https://raw.githubusercontent.com/sueiras/handwritting_characters_database/master/"
_BUCKET = "https://s3-eu-west-1.amazonaws.com/handwriting-curated-database/"
FILES = {
    _TAR: download.RemoteFile(_TAR, None, None, (_BUCKET,)),
    **{
        name: download.RemoteFile(name, None, None, (f"{_REPOSITORY}split/",))
        for name in _LISTS.values()
    },
}


def load(
    split: str = "train",
    path: StrPath | None = None,
    *,
    size: int = _SIZE,
    on_error: folders.OnError = "raise",
    offline: bool = False,
) -> CharacterDataset:
    """Load the Handwriting Characters Database.

    The first call decodes the pictures, straight from the tar file, into
    ``handwriting.datasets.store.home()``; later ones only map what it left there.

    Args:
        split: ``"train"``, ``"validation"``, ``"test"``, or ``"all"``, which needs no lists.
        path: the folder of the database; or ``curated.tar.gz``, the first of its parts
            (``curated.tar.gz.01``), a zip of it, or a folder with one of these. The lists are
            looked for in it and beside it. None fetches everything.
        size: side of the images wanted, in pixels; pictures of other sizes are scaled.
        on_error: ``"skip"`` leaves damaged pictures out and lists them in ``skipped``.
        offline: do not fetch anything.

    Returns:
        Images (n, size, size), a read-only memory map: ``"all"`` ordered by label, the splits in
        the order of their lists.

    Raises:
        ValueError: no such split.
        MissingDataError: a file is missing or could not be fetched.
        CorruptFileError: a file is damaged, or a list names a picture that is not there.
    """
    if split not in (*_LISTS, "all"):
        raise ValueError(f"split must be 'train', 'validation', 'test' or 'all', got {split!r}")
    if path is None:
        path = store.home() / "unipen_characters"
        for name in (_TAR, *([_LISTS[split]] if split in _LISTS else [])):
            download.fetch(FILES[name], path, offline=offline)
    path = Path(path)
    with _open(path) as archive:
        chosen = _list(path, archive, _LISTS[split]) if split in _LISTS else None
        sources = [*archive.sources(), *(chosen.archive.sources(chosen.name) if chosen else [])]
        return store.prepared(
            store.home() / "unipen_characters" / f"{split}-{store.key(sources, size, on_error)}",
            lambda folder: folders.prepare(
                _in_order(folders.pictures(archive), chosen),
                folder,
                ALPHABET,
                form=size,
                ink="auto",
                name=f"unipen_characters/{split}",
                on_error=on_error,
            ),
        )


def on_disk() -> Path | None:
    """The folder of the fetched files, or None if they have not been fetched."""
    folder = store.home() / "unipen_characters"
    return folder if all(download.is_fetched(file, folder) for file in FILES.values()) else None


def _open(path: Path) -> Archive:
    for inside in (_TAR, f"{_TAR}.01", f"{_TAR}.1"):
        if (path / inside).is_file():
            return open_archive(path / inside)
    return open_archive(path)


def _list(path: Path, archive: Archive, name: str) -> Member:
    """The list of a split: beside the pictures or, sooner found, beside what was given."""
    beside = path if path.is_dir() else path.parent
    for folder in (beside, beside / "split"):
        if (folder / name).is_file():
            return Member(open_archive(folder), name)
    found = archive.find(name)
    if found is None:
        raise MissingDataError(
            f"the split needs its list {name}, which is neither in {archive.path} nor beside it; "
            f"get {FILES[name].mirrors[0]}{name}, or load the split 'all'"
        )
    return found


def _in_order(found: list[folders.Picture], chosen: Member | None) -> list[folders.Picture]:
    """The pictures that a list names, in its order; without a list, all."""
    if chosen is None:
        return found
    by_name = {"/".join(picture.file.name.split("/")[-2:]): picture for picture in found}
    with reading(chosen):
        names = chosen.archive.read(chosen.name).decode("utf-8-sig").split()
    missing = [name for name in names if name not in by_name]
    if missing or not names:
        raise CorruptFileError(
            f"{chosen} must name pictures that are there, got {len(missing):,} others of "
            f"{len(names):,}, such as {', '.join(missing[:3])}; get list and pictures from one "
            "place"
        )
    return [by_name[name] for name in names]
