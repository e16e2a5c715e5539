"""Pictures in class folders: one folder for each character, with the pictures of it.

The form of AlphaNum, of the Handwriting Characters Database, and of most sets that people make
themselves. A folder is named by its character (``a``) or, which every file system can hold, by the
character's code point (``97``); ``999`` or ``null`` is the null class.

    mine/97/0.png
    mine/97/1.png
    mine/98/0.png
"""

import collections
import contextlib
import io
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from handwriting import preprocessing
from handwriting.alphabet import NULL, Alphabet, Labels
from handwriting.data import CharacterDataset, Skipped, save_parts
from handwriting.datasets import store
from handwriting.datasets.archive import Archive, Member, open_archive
from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.files import StrPath, replacing
from handwriting.images import Image, is_picture, to_gray

__all__ = [
    "Ink",
    "OnError",
    "Picture",
    "character",
    "folder_name",
    "load",
    "natural",
    "pictures",
    "prepare",
    "read_gray",
    "save",
]

Ink = Literal["auto", "dark", "light"]
OnError = Literal["raise", "skip"]

_NULL_CODE = 999
_SPLITS = {"train", "test", "validation"}
_PICTURES_AT_ONCE = 4096


class Picture(NamedTuple):
    """One picture file, and the character it shows."""

    character: str
    file: Member


def load(
    path: StrPath,
    *,
    size: int | None = None,
    recipe: str | None = None,
    ink: Ink = "auto",
    alphabet: Alphabet | None = None,
    on_error: OnError = "raise",
) -> CharacterDataset:
    """Load pictures in class folders, whichever they are.

    The first call decodes the pictures into ``handwriting.datasets.store.home()``; later ones only
    map what it left there, until a file changes.

    Args:
        path: a folder or a zip file, with the class folders in it at any depth.
        size: side of the images wanted, in pixels; 28 if None. Pictures of another size are padded
            to a square with paper and scaled, and nothing else is done to them.
        recipe: instead of ``size``, the name of a recipe: pictures are cleaned and brought to the
            form of that published set, as ``handwriting predict`` does it with pictures to read
            (:func:`handwriting.preprocessing.clean`, :func:`handwriting.preprocessing.normalize`).
        ink: whether the ink is darker or lighter than the paper; ``"auto"`` finds out from the
            borders of many pictures, once for all of them.
        alphabet: the characters, in the order of the labels; None takes those that are there, by
            code point, null first.
        on_error: what to do with a damaged picture: ``"raise"``, or ``"skip"``, which leaves it out
            and lists it in the dataset's ``skipped``.

    Returns:
        Images (n, size, size), a read-only memory map, ordered by label and then by file name,
        numbers in names counted as numbers.

    Raises:
        ValueError: both ``size`` and ``recipe`` are given, or one of the options is unknown.
        MissingDataError: there is nothing at ``path``, or no picture in a class folder.
        CorruptFileError: a picture is damaged, a folder names no character, or one that is not in
            the ``alphabet``.

    Example:
        >>> import tempfile
        >>> from handwriting.datasets import digits
        >>> folder = Path(tempfile.mkdtemp()) / "mine"
        >>> save(digits.load("test"), folder)
        >>> load(folder)
        CharacterDataset('mine': 360 images of 28 x 28, 10 characters)
    """
    if ink not in get_args(Ink):
        raise ValueError(f"ink must be 'auto', 'dark' or 'light', got {ink!r}")
    if on_error not in get_args(OnError):
        raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
    if size is not None and (recipe or size < 1):
        raise ValueError(
            f"size must be at least 1 pixel, and stand without a recipe, got size={size} and "
            f"recipe={recipe!r}"
        )
    if recipe is None:
        size = size or 28
    else:
        preprocessing.find_recipe(recipe)
    name = Path(path).resolve().stem
    with open_archive(path) as archive:
        key = store.key(archive.sources(), size, recipe, ink, alphabet, on_error, name)
        return store.prepared(
            store.home() / "folders" / key,
            lambda folder: prepare(
                pictures(archive),
                folder,
                alphabet,
                form=size or str(recipe),
                ink=ink,
                name=name,
                recipe=recipe,
                on_error=on_error,
            ),
        )


def character(folder: str) -> str:
    """The character that a class folder's name stands for.

    Raises:
        ValueError: it stands for none.

    Example:
        >>> character("97"), character("a"), character("7"), character("999")
        ('a', 'a', '7', '')
    """
    folder = unicodedata.normalize("NFC", folder)  # macOS takes an accent for a character
    if len(folder) == 1:
        return Alphabet(folder).characters[0]
    if folder in (str(_NULL_CODE), "null"):
        return NULL
    if not (folder.isascii() and folder.isdigit() and len(folder) <= len("1114111")):
        raise ValueError(f"a class folder is named by a character or its code, got {folder!r}")
    return Alphabet([chr(int(folder))]).characters[0]


def folder_name(character: str) -> str:
    """The class folder of a character: its code point, 999 for null.

    Example:
        >>> folder_name("a"), folder_name("")
        ('97', '999')
    """
    return str(ord(character) if character else _NULL_CODE)


def pictures(archive: Archive, below: str | None = None) -> list[Picture]:
    """The pictures in the class folders of an archive.

    Args:
        archive: where to look.
        below: only in a folder of this name.

    Returns:
        By code point, null first, and then by file name, numbers counted as numbers.

    Raises:
        MissingDataError: there are none.
        CorruptFileError: a picture lies in a folder that stands for no character.
    """
    files: dict[str, list[str]] = collections.defaultdict(list)
    for name in archive.names:
        folders, _, file = name.rpartition("/")
        if is_picture(file) and (below is None or below in folders.split("/")):
            files[folders].append(name)
    if (
        below is None
        and len(_SPLITS & {part for folder in files for part in folder.split("/")}) > 1
    ):
        raise CorruptFileError(
            f"{archive.path} holds class folders of several splits, and they must not be mixed; "
            "give the path of one of them"
        )
    if not files:
        where = f"{archive.path}, below {below}," if below else str(archive.path)
        raise MissingDataError(
            f"{where} must hold class folders with pictures, such as 97/0.png, and holds none; "
            "check the path"
        )
    found = []
    for folder in files:
        # A picture at the very top is in the archive's own folder.
        parent = folder.rpartition("/")[2] or archive.path.name
        try:
            found.append((character(parent), folder))
        except ValueError as error:
            raise CorruptFileError(f"{archive.path}: {files[folder][0]}: {error}") from None
    return [
        Picture(each, Member(archive, name))
        for each, folder in sorted(found)
        for name in sorted(files[folder], key=natural)
    ]


def prepare(
    files: Sequence[Picture],
    folder: Path,
    alphabet: Alphabet | None,
    *,
    form: int | str,
    ink: Ink,
    name: str,
    recipe: str | None = None,
    on_error: OnError = "raise",
) -> None:
    """Save a dataset of pictures, decoded part by part, in little memory.

    Args:
        files: the pictures, in the order wanted.
        folder: the dataset to write.
        alphabet: of the dataset; None takes the characters that are there.
        form: side of the images, in pixels, or the name of a recipe to bring them to.
        ink: see :func:`load`.
        name: of the dataset.
        recipe: of the dataset.
        on_error: see :func:`load`.

    Raises:
        CorruptFileError: a picture is damaged, or its character is not in the alphabet.
    """
    characters = [picture.character for picture in files]
    alphabet = alphabet or Alphabet(sorted(set(characters)))
    labels = _labels(files, alphabet)
    dark = ink == "dark" or (ink == "auto" and _is_paper_light(files))

    kept = np.ones(len(files), bool)
    skipped: list[Skipped] = []

    def decoded(start: int) -> Iterator[Image]:
        some = files[start : start + _PICTURES_AT_ONCE]
        for position, picture in enumerate(some, start):
            try:
                yield read_gray(picture.file)
            except CorruptFileError as error:
                if on_error == "raise":
                    raise
                kept[position] = False
                skipped.append(Skipped(str(picture.file), str(error.__cause__)))

    def parts() -> Iterator[Image]:
        for start in range(0, len(files), _PICTURES_AT_ONCE):
            yield _uniform(list(decoded(start)), form, dark=dark)

    save_parts(
        folder,
        parts(),
        lambda images: CharacterDataset(images, labels[kept], alphabet, name, recipe, skipped),
    )


def save(dataset: CharacterDataset, path: StrPath) -> None:
    """Write a dataset as class folders of PNG files, black ink on white paper.

    Equal datasets give equal bytes. Each character's files are numbered from 0 in the dataset's
    order; the alphabet's order and the dataset's name are not kept (``CharacterDataset.save`` keeps
    everything).

    Args:
        dataset: what to write.
        path: the folder to make, which must not exist; or, ending in ``.zip``, the file, which is
            replaced.

    Raises:
        FileExistsError: the folder exists.
    """
    with replacing(path) as temporary:
        if temporary.suffix == ".zip":
            write_zip(temporary, dataset)
            return
        temporary.mkdir()
        for name, png in _pngs(dataset):
            file = temporary / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(png)


def write_zip(path: Path, dataset: CharacterDataset, top: str = "") -> None:
    """As :func:`save`, to a zip file at once, the class folders below a folder ``top/``."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, png in _pngs(dataset):
            # Without a date of its own the file is the same tomorrow; PNG is packed already.
            archive.writestr(zipfile.ZipInfo(top + name), png)


def _pngs(dataset: CharacterDataset) -> Iterator[tuple[str, bytes]]:
    import PIL.Image

    numbers: collections.Counter[str] = collections.Counter()
    for label in range(len(dataset.alphabet)):
        folder = folder_name(dataset.alphabet.characters[label])
        for position in np.flatnonzero(dataset.labels == label).tolist():
            png = io.BytesIO()
            PIL.Image.fromarray(255 - dataset.images[position]).save(png, "png")
            yield f"{folder}/{numbers[folder]}.png", png.getvalue()
            numbers[folder] += 1


def _labels(files: Iterable[Picture], alphabet: Alphabet) -> Labels:
    for picture in files:
        if picture.character not in alphabet:
            raise CorruptFileError(
                f"{picture.file} is of the character {picture.character!r}, which is not in "
                f"{alphabet!r}"
            )
    return alphabet.encode([picture.character for picture in files])


def natural(name: str) -> tuple[int, str]:
    """What to sort names of files by, so that 10.png stands after 9.png."""
    return (len(name), name)


def read_gray(file: Member) -> Image:
    """The gray levels of a picture file.

    Raises:
        CorruptFileError: it is damaged.
    """
    try:
        return to_gray(file.archive.read(file.name))
    except CorruptFileError as error:
        raise CorruptFileError(f"{file}: {error}") from error


def _is_paper_light(files: Sequence[Picture]) -> bool:
    """Whether most pictures have light borders, in a sample of up to 200."""
    borders = []
    for picture in files[:: -(-len(files) // 200)]:
        with contextlib.suppress(CorruptFileError):  # told of when all are read
            p = read_gray(picture.file)
            borders.append(np.concatenate([p[0], p[-1], p[:, 0], p[:, -1]]).mean())
    return bool(borders) and bool(np.median(borders) > 127)


def _uniform(decoded: Sequence[Image], form: int | str, *, dark: bool) -> Image:
    """All pictures in ink polarity and of one form."""
    shapes = collections.defaultdict(list)
    for position, picture in enumerate(decoded):
        shapes[picture.shape].append(position)
    size = form if isinstance(form, int) else preprocessing.find_recipe(form).size
    images = np.empty((len(decoded), size, size), np.uint8)
    for positions in shapes.values():
        batch = np.stack([decoded[position] for position in positions])
        images[positions] = _formed(255 - batch if dark else batch, form)
    return images


def _formed(images: Image, form: int | str) -> Image:
    if isinstance(form, str):
        return preprocessing.normalize(preprocessing.clean(images), form)
    square = preprocessing.pad_square(images)
    return square if square.shape[1] == form else preprocessing.resize(square, (form, form))
