"""Image files and arrays of any kind, brought to one kind of array.

The convention of the whole package:

- an image is a ``uint8`` array of shape (h, w), several are (n, h, w); no channel axis;
- 0 is paper, 255 is ink; upright.

A *picture* is whatever a user has: a file, bytes, a Pillow image, an array with channels.
:func:`to_gray` brings it to (h, w) ``uint8`` luminance, 0 black and 255 white, whatever the ink's
color; :func:`handwriting.preprocessing.to_ink` then makes ink 255.
"""

import glob
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.files import StrPath, replacing

if TYPE_CHECKING:
    import PIL.Image

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "Image",
    "Picture",
    "check",
    "find",
    "is_picture",
    "to_gray",
    "write",
]

Image = NDArray[np.uint8]
Picture = Any
"""A path, bytes, an open binary file, a Pillow image, or anything NumPy takes as an array."""

# Nearly all of Pillow's security faults sat in rare formats, so the list is explicit.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
MAX_PIXELS = 50_000_000
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
# What telephones write: better refused by name than passed over in silence.
_REFUSED = (".heic", ".heif", ".avif")


def check(images: Image, *, name: str = "images") -> Image:
    """Return ``images`` if they follow the convention: uint8, (h, w) or (n, h, w), not 0 x 0.

    Raises:
        TypeError: not a NumPy array.
        ValueError: another dtype or shape, or no pixels.
    """
    if not isinstance(images, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, got {type(images).__name__}")
    if images.dtype != np.uint8 or images.ndim not in (2, 3):
        raise ValueError(
            f"{name} must be uint8 of shape (h, w) or (n, h, w), got {images.dtype} of shape "
            f"{images.shape}; handwriting.images.to_gray converts pictures"
        )
    if 0 in images.shape[-2:]:
        raise ValueError(f"{name} must have pixels, got shape {images.shape}")
    return images


def to_gray(picture: Picture, *, page: int | None = None, max_pixels: int = MAX_PIXELS) -> Image:
    """Read a picture of any kind as gray levels.

    Files and bytes may be PNG, JPEG, WebP, BMP, TIFF or GIF. The orientation tag of cameras is
    obeyed. Color becomes luminance (ITU-R BT.601, as Pillow has it). 16-bit levels are scaled, not
    clipped. On transparent paper, dark ink is laid on white and light ink on black; a page of paper
    with ink on it and transparent surroundings gets surroundings like its paper.

    Args:
        picture: a path, bytes, an open binary file, a Pillow image, or an array of shape (h, w) or
            (h, w, 1 | 3 | 4) that is bool, uint8, uint16 or float in [0, 1].
        page: which page of a file that has several (an animation, a multi-page TIFF), from 0.
        max_pixels: refuse a file with more pixels than this, before decoding it. Pillow's own
            ``PIL.Image.MAX_IMAGE_PIXELS`` stands besides: it warns there and refuses at twice it.

    Returns:
        (h, w) uint8, 0 black to 255 white, a new array.

    Raises:
        MissingDataError: the file does not exist.
        CorruptFileError: the file is empty, damaged, of another format, over ``max_pixels``, or
            has several pages and ``page`` does not name one of them.
        TypeError: no kind of picture.
        ValueError: an array of another shape or dtype, with NaN, outside [0, 1] or without pixels.

    Example:
        >>> to_gray(np.array([[0.0, 0.5, 1.0]]))
        array([[  0, 128, 255]], dtype=uint8)
        >>> to_gray(np.array([[0, 32768, 65535]], np.uint16))
        array([[  0, 128, 255]], dtype=uint8)
    """
    import PIL.Image

    if page is not None and not isinstance(page, int):
        raise TypeError(f"page must be an int or None, got {page!r}")
    if isinstance(picture, PIL.Image.Image):
        return _from_pillow(picture)
    if isinstance(picture, str | os.PathLike):
        return _from_path(Path(picture), page, max_pixels)
    if isinstance(picture, bytes | bytearray | memoryview):
        return _from_stream(io.BytesIO(picture), f"{len(picture)} bytes", page, max_pixels)
    if hasattr(picture, "read"):
        name = str(getattr(picture, "name", type(picture).__name__))
        return _from_stream(io.BytesIO(picture.read()), name, page, max_pixels)
    if hasattr(picture, "__array__") or hasattr(picture, "__array_interface__"):
        return _from_array(np.asarray(picture))
    raise TypeError(
        "a picture is a path, bytes, a binary file, a Pillow image or an array, "
        f"got {type(picture).__name__}; for several pictures call this once for each"
    )


def find(places: Iterable[StrPath]) -> list[Path]:
    """The picture files that paths, folders and patterns name.

    Args:
        places: files, whatever their names; folders, of which the files with the suffix of a
            picture are taken, without hidden ones and without folders in them; patterns of files
            with ``*``, ``?`` or ``[``, such as ``"page*.jpg"``, if there is no file of that name.

    Returns:
        The paths in the order of ``places``, those of a folder or a pattern sorted. Files are not
        looked into, and may be missing where they are named.

    Raises:
        MissingDataError: a folder has no picture, or a pattern fits nothing.
        TypeError: ``places`` is a single path.

    Example:
        >>> find(["seven.png"])
        [PosixPath('seven.png')]
    """
    if isinstance(places, str | os.PathLike):
        raise TypeError(f"places must be several paths, got one, {os.fspath(places)!r}")
    return [file for place in map(Path, places) for file in _named(place)]


def is_picture(name: str) -> bool:
    """Whether a file is a picture, by its name.

    Photos of the kinds that :func:`to_gray` refuses (HEIC, AVIF) are pictures, too: who takes all
    pictures of a folder is told of them.

    Example:
        >>> is_picture("seven.PNG"), is_picture("seven.heic"), is_picture("seven.txt")
        (True, True, False)
    """
    return name.lower().endswith(_SUFFIXES + _REFUSED)


def _named(place: Path) -> list[Path]:
    """The files that a path, a folder or a pattern names."""
    if place.is_dir():
        files = [file for file in place.iterdir() if is_picture(file.name)]
        files = [file for file in files if file.is_file() and not file.name.startswith(".")]
        reason = (
            f"has no pictures ({', '.join(_SUFFIXES)}); for those in its folders give a pattern "
            "such as **/*.png"
        )
    elif set("*?[") & set(str(place)) and not place.exists():
        matches = map(Path, glob.glob(str(place), recursive=True))  # noqa: PTH207 - may be absolute
        files = [file for file in matches if file.is_file()]
        reason = "fits no file; check the pattern"
    else:
        return [place]
    if not files:
        raise MissingDataError(f"{place} {reason}")
    return sorted(files)


def write(path: StrPath, image: Image) -> None:
    """Write one image to a file, ink white on black paper as the array has it.

    Args:
        path: the suffix gives the format: .png, .jpg, .webp, .bmp, .tif or .gif.
        image: (h, w) uint8.

    Raises:
        ValueError: not one image, or a suffix of another format.
    """
    import PIL.Image

    if check(image, name="image").ndim != 2:
        raise ValueError(f"image must be one image of shape (h, w), got shape {image.shape}")
    PIL.Image.init()
    suffix = Path(path).suffix.lower()
    if PIL.Image.EXTENSION.get(suffix) not in FORMATS:
        raise ValueError(f"path must end as one of {', '.join(FORMATS)} does, got {str(path)!r}")
    with replacing(path) as temporary:
        PIL.Image.fromarray(image).save(temporary)


def _from_path(path: Path, page: int | None, max_pixels: int) -> Image:
    if path.is_dir():
        raise MissingDataError(f"{path} is a folder, not a picture; pass the files in it")
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise MissingDataError(f"{path}: no such picture; check the path") from None
    with stream:
        return _from_stream(stream, str(path), page, max_pixels)


def _from_stream(stream: BinaryIO, name: str, page: int | None, max_pixels: int) -> Image:
    import PIL.Image

    if not stream.seekable():
        stream = io.BytesIO(stream.read())
    if stream.seek(0, io.SEEK_END) == 0:
        raise CorruptFileError(f"{name} is empty (0 bytes), not a picture")
    stream.seek(0)
    try:
        with PIL.Image.open(stream, formats=FORMATS) as image:
            _check_size(image, name, max_pixels)
            _go_to_page(image, name, page)
            _check_size(image, name, max_pixels)
            image.load()
            decoded = image  # its pixels outlive the closed file
    except (CorruptFileError, MemoryError):
        raise
    except PIL.UnidentifiedImageError:
        raise CorruptFileError(
            f"{name} is not a picture in one of the formats {', '.join(FORMATS)}; convert it to one"
        ) from None
    except PIL.Image.DecompressionBombError as error:
        raise CorruptFileError(f"{name} is too large: {error}") from None
    except Exception as error:  # a damaged file makes decoders raise nearly anything
        raise CorruptFileError(f"{name} is a damaged picture: {error}; get a new copy") from error
    try:
        return _from_pillow(decoded)
    except ValueError as error:
        raise CorruptFileError(f"{name}: {error}") from error


def _check_size(image: "PIL.Image.Image", name: str, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise CorruptFileError(
            f"{name} has {width} x {height} pixels, over the limit of {max_pixels:,}; "
            "make it smaller, or pass max_pixels if you trust the file"
        )


def _go_to_page(image: "PIL.Image.Image", name: str, page: int | None) -> None:
    # A camera's MPO is a JPEG with its own preview or second eye behind it.
    pages = getattr(image, "n_frames", 1)
    if page is None and pages > 1 and image.format != "MPO":
        raise CorruptFileError(
            f"{name} has {pages} pages; choose one with page=0 to page={pages - 1}"
        )
    if page is not None and not 0 <= page < pages:
        raise CorruptFileError(f"page must lie in [0, {pages}) for {name}, got {page}")
    if page:
        image.seek(page)


def _from_pillow(image: "PIL.Image.Image") -> Image:
    if 0 in image.size:
        raise ValueError(f"a picture must have pixels, got {image.width} x {image.height}")
    if image.mode == "L" and image.format == "PNG" and not image.info:
        # Nothing to turn or to blend: sets of many small pictures open a fifth faster for it.
        return np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width).copy()
    upright = _upright(image)
    if upright.mode == "F" or upright.mode.startswith("I;16"):
        return _from_array(np.asarray(upright))
    if upright.mode == "I":
        raise ValueError(
            "a picture of 32-bit integers does not say what its white is; scale it to 8 or 16 bits"
        )
    if upright.has_transparency_data:
        # Pillow goes from La (premultiplied) to RGBA only by way of LA.
        straight = upright.convert("LA") if upright.mode == "La" else upright
        return _on_paper(straight.convert("RGBA"))
    return np.array(_luminance(upright))


def _upright(image: "PIL.Image.Image") -> "PIL.Image.Image":
    import PIL.ImageOps

    try:
        return PIL.ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - unreadable camera data is no reason to refuse good pixels
        return image


def _luminance(image: "PIL.Image.Image") -> "PIL.Image.Image":
    if image.mode == "L":
        return image
    # Pillow goes to L from CMYK, LAB and HSV only by way of RGB.
    direct = image.mode in ("1", "RGB", "P")
    return (image if direct else image.convert("RGB")).convert("L")


def _from_array(array: NDArray[Any]) -> Image:
    import PIL.Image

    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ValueError(
            f"a picture must have shape (h, w) or (h, w, 1 | 3 | 4), got {array.shape}; "
            "for several pictures call this once for each"
        )
    if array.size == 0:
        raise ValueError(f"a picture must have pixels, got shape {array.shape}")
    levels = _to_uint8(array)
    if levels.ndim == 2:
        return levels
    if levels.shape[2] == 1:
        return levels[:, :, 0]
    if levels.shape[2] == 3:
        return np.array(_luminance(PIL.Image.fromarray(levels)))
    return _on_paper(PIL.Image.fromarray(levels))


def _to_uint8(array: NDArray[Any]) -> Image:
    """Levels of any accepted dtype as a new, contiguous uint8 array."""
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("="))
    convert = _CONVERSIONS.get(array.dtype.kind + str(array.dtype.itemsize))
    if convert is None:
        raise ValueError(
            f"a picture must be bool, uint8, uint16 or float in [0, 1], got {array.dtype}; "
            "convert it with .astype(np.uint8) if its levels go from 0 to 255"
        )
    return np.ascontiguousarray(convert(array))


def _unit_to_uint8(array: NDArray[Any]) -> NDArray[Any]:
    if not np.isfinite(array).all():
        raise ValueError("a picture must be finite, got NaN or infinity")
    if array.min() < 0 or array.max() > 1:
        raise ValueError(
            f"a float picture must lie in [0, 1], got {array.min():g} to {array.max():g}; "
            "divide by its largest possible level"
        )
    return (array * 255 + 0.5).astype(np.uint8)


_CONVERSIONS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "b1": lambda array: array.astype(np.uint8) * np.uint8(255),
    "u1": lambda array: array.copy(),
    "u2": lambda array: ((array.astype(np.uint32) + 128) // 257).astype(np.uint8),
    "f2": lambda array: _unit_to_uint8(array.astype(np.float32)),
    "f4": _unit_to_uint8,
    "f8": _unit_to_uint8,
}


def _on_paper(picture: "PIL.Image.Image") -> Image:
    """Lay a transparent RGBA picture on paper that its ink stands out from."""
    import PIL.Image

    weights = np.zeros(256)
    gray, alpha = np.asarray(picture.convert("RGB").convert("L")), np.asarray(picture)[:, :, 3]
    for top in range(0, len(gray), 256):  # in strips: bincount wants eight bytes a pixel
        rows = slice(top, top + 256)
        weights += np.bincount(gray[rows].ravel(), alpha[rows].ravel(), 256)
    total = max(weights.sum(), 1)
    levels = np.arange(256)
    middle = (levels * weights).sum() / total
    # Visible pixels of one tone are ink on nothing and want paper of the other tone. Where they
    # have two tones, they are a page with ink on it, and the nothing around it becomes its paper.
    two_tones = weights[np.abs(levels - middle) > 64].sum() / total > 0.001
    light = middle >= 128
    paper = 255 if light == two_tones else 0
    below = PIL.Image.new("RGBA", picture.size, (paper, paper, paper, 255))
    return np.array(PIL.Image.alpha_composite(below, picture).convert("RGB").convert("L"))
