"""MNIST: 70,000 handwritten digits.

==============  ===================================================================
Classes         10, ``0`` to ``9``
Images          60,000 to train, 10,000 to test
On disk         four IDX files, gzip; 28 x 28, ink 255, upright
Here            as they are: 28 x 28 uint8, a memory map
==============  ===================================================================

License: CC BY-SA 3.0 (LeCun, Cortes, Burges).

Overlap: AlphaNum contains images of MNIST; EMNIST's ``mnist`` and ``digits`` are drawn from the
same NIST forms. Training on one and testing on another leaks.

Known faults: about 15 test images carry a label that people dispute (Northcutt et al., arXiv
2103.14749).
"""

from pathlib import Path

from handwriting.alphabet import DIGITS
from handwriting.data import CharacterDataset
from handwriting.datasets import download, idx, store
from handwriting.files import StrPath

__all__ = ["ALPHABET", "COUNTS", "FILES", "LICENSE", "RECIPE", "SOURCE", "load", "on_disk"]

ALPHABET = DIGITS
COUNTS = {"train": 60_000, "test": 10_000}
RECIPE = "mnist"
LICENSE = "CC BY-SA 3.0"
SOURCE = "http://yann.lecun.com/exdb/mnist (LeCun, Cortes, Burges 1998)"

_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
FILES = {
    file.name: file
    for file in (
        download.RemoteFile(
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            _MIRRORS,
        ),
        download.RemoteFile(
            "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            _MIRRORS,
        ),
        download.RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            _MIRRORS,
        ),
        download.RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            _MIRRORS,
        ),
    )
}
_PREFIXES = {"train": "train", "test": "t10k"}


def load(
    split: str = "train", path: StrPath | None = None, *, offline: bool = False
) -> CharacterDataset:
    """Load MNIST.

    The first call unpacks the files into ``handwriting.datasets.store.home()``; later ones only
    map what it left there.

    Args:
        split: ``"train"`` or ``"test"``.
        path: a folder or zip file that holds the IDX files, with ``.gz`` or without, or one of
            them; None fetches them.
        offline: do not fetch anything.

    Returns:
        Images (60000, 28, 28) or (10000, 28, 28), a read-only memory map.

    Raises:
        ValueError: no such split.
        MissingDataError: a file is missing or could not be fetched.
        CorruptFileError: a file is damaged, or images and labels do not belong together.
    """
    if split not in _PREFIXES:
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    names = [f"{_PREFIXES[split]}-{kind}-ubyte" for kind in idx.KINDS]
    if path is None:
        path = store.home() / "mnist"
        for name in names:
            download.fetch(FILES[f"{name}.gz"], path, offline=offline)
    images, labels = (idx.spellings(name) for name in names)
    with idx.open_source(path) as archive:
        key = store.key(archive.sources(*images, *labels))
        return store.prepared(
            store.home() / "mnist" / f"{split}-{key}",
            lambda folder: idx.prepare(
                archive.get(*images),
                archive.get(*labels),
                folder,
                ALPHABET,
                name=f"mnist/{split}",
                recipe=RECIPE,
            ),
        )


def on_disk() -> Path | None:
    """The folder of the fetched files, or None if they have not been fetched."""
    folder = store.home() / "mnist"
    return folder if all(download.is_fetched(file, folder) for file in FILES.values()) else None
