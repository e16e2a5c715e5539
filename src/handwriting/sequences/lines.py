"""One line, many lines, and batches of them without end."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from handwriting.data import CharacterDataset, LineDataset
from handwriting.images import Image, check
from handwriting.sequences.composer import Composer, Style
from handwriting.sequences.texts import Text

__all__ = ["Stream", "black_on_white", "compose", "generate"]


def compose(
    dataset: CharacterDataset,
    text: Text,
    spacing: tuple[int, int] = (0, 10),
    width: int | None = None,
    *,
    baseline: int = 0,
    size: float = 0.0,
    slant: float = 0.0,
    null: float = 0.0,
    space: int | None = None,
    one_writer: bool = False,
    rng: int | np.random.Generator,
) -> Image:
    """Write one line with characters of a dataset.

    Args:
        dataset: images of each character of the text.
        text: a ``str``, or labels such as ``[0, 1]``.
        spacing: least and greatest number of pixels between neighbors. Below 0 they overlap, and
            the darker pixel wins.
        width: of the image, in pixels. All gaps are then equal: ``(width - n * image_width) /
            (n - 1)``, which must be a whole number within ``spacing``. None draws each gap.
        baseline: how far each character is moved up or down at most, in pixels; the image is that
            much higher above and below, so that no ink is lost.
        size: each character is scaled by a factor in [1 - size, 1 + size], and the image is as high
            as the largest.
        slant: how far the line leans at most, in pixels to the side for each pixel of height, to
            the right or the left; the image becomes wider by that.
        null: chance in [0, 1] of an image of nothing (:func:`handwriting.noise.null_images`)
            between two neighbors; it stands for no text.
        space: pixels of paper for a space of which the dataset has no image, in place of
            ``spacing``; half the width of an image if None.
        one_writer: whether all characters of a line come from one writer, who is drawn with equal
            chances among those who have images of all of them. Images of nobody stay aside.
        rng: a seed or a generator.

    Returns:
        (h, width) uint8, ink 255 on paper 0, as high as the dataset's images unless ``baseline`` or
        ``size`` say otherwise.

    Raises:
        ValueError: the text is empty, or has characters of which there is no image; no such spacing
            gives ``width`` (the message names widths that would do); an option is out of range; one
            writer is asked for, and the dataset does not tell them, or nobody can write the text.

    Example:
        >>> from handwriting.datasets import digits
        >>> compose(digits.load(), "01", (0, 10), 66, rng=0).shape
        (28, 66)
        >>> compose(digits.load(), "01", (0, 10), 70, rng=0)
        Traceback (most recent call last):
        ValueError: width must be one of 56, 57, 58 ... 66 for '01' (2 characters, 56 pixels in \
all) with spacing (0, 10), got 70
    """
    style = Style(spacing, width, baseline, size, slant, null, space)
    composer = Composer(dataset, style, texts=[text], one_writer=one_writer)
    lines = composer.lines(1, np.random.default_rng(rng))
    return np.ascontiguousarray(lines.images[0, :, : lines.widths[0]])


def generate(
    dataset: CharacterDataset,
    n: int,
    *,
    length: int | tuple[int, int] | None = None,
    texts: Sequence[Text] | None = None,
    weights: Sequence[float] | None = None,
    spacing: tuple[int, int] = (0, 10),
    width: int | None = None,
    baseline: int = 0,
    size: float = 0.0,
    slant: float = 0.0,
    null: float = 0.0,
    space: int | None = None,
    one_writer: bool = False,
    rng: int | np.random.Generator,
) -> LineDataset:
    """Write many lines with characters of a dataset.

    Args:
        dataset: images of each character.
        n: how many lines.
        length: characters a line, or the least and the greatest number of them; each is drawn with
            equal chances among the characters that have images, of the line's writer if it is to be
            one. Give this or ``texts``.
        texts: what to draw each line's text from, with replacement.
        weights: how often each of ``texts`` comes, in proportion; equally often if None.
        spacing: as for :func:`compose`, and so are all that follow but the last.
        width: of every line, in pixels, or None.
        baseline: how far characters are moved up or down, in pixels.
        size: how far the factor that scales characters differs from 1.
        slant: how far lines lean, in pixels for each pixel of height.
        null: chance of an image of nothing between two neighbors.
        space: pixels of paper for a space without images.
        one_writer: whether all characters of a line come from one writer; the lines then have
            ``writers``, by the dataset's numbers.
        rng: a seed or a generator.

    Returns:
        n lines of one height. The images are as wide as the longest text could get with these
        options, whatever was drawn. The alphabet is the dataset's, and has a space besides if one
        stands in ``texts``.

    Raises:
        ValueError: as for :func:`compose`; or ``n``, ``length`` or ``weights`` are out of range, or
            not just one of ``length`` and ``texts`` is given.

    Example:
        >>> from handwriting.datasets import digits
        >>> lines = generate(digits.load(), 1000, length=5, width=180, rng=0)
        >>> lines
        LineDataset('digits/train lines': 1000 lines of 28 x 180, 10 characters)
        >>> generate(digits.load(), 3, texts=["007"], rng=0).texts
        ('007', '007', '007')

        Four characters of two people, each line in one hand:

        >>> from handwriting.alphabet import Alphabet
        >>> images, people = np.zeros((4, 28, 28), np.uint8), [0, 0, 1, 1]
        >>> mine = CharacterDataset(images, [0, 1, 2, 3], Alphabet("abyz"), writers=people)
        >>> lines = generate(mine, 4, length=3, one_writer=True, rng=0)
        >>> lines.texts, lines.writers
        (('yyz', 'zzz', 'zzz', 'aba'), array([1, 1, 1, 0]))
    """
    if n < 0:
        raise ValueError(f"n must be at least 0, got {n}")
    style = Style(spacing, width, baseline, size, slant, null, space)
    composer = Composer(dataset, style, length, texts, weights, one_writer=one_writer)
    return composer.lines(n, np.random.default_rng(rng))


class Stream:
    """Batches of lines that are made when asked for, and never stored.

    A batch depends only on the seed, the epoch and its index: in whatever order or process it is
    made, it is the same. Set ``epoch`` to have other lines.

    Args:
        dataset: images of each character.
        n: lines in an epoch.
        batch_size: lines in each batch; the last one may have fewer.
        epoch: which epoch to begin with, from 0.
        length, texts, weights: as for :func:`generate`.
        spacing, width, baseline, size, slant, null, space, one_writer: as for :func:`compose`.
        rng: a seed or a generator.

    Raises:
        ValueError: as for :func:`generate`.

    Example:
        >>> from handwriting.datasets import digits
        >>> stream = Stream(digits.load(), 1000, 32, length=(1, 8), rng=0)
        >>> len(stream), stream[3]
        (32, LineDataset('digits/train lines': 32 lines of 28 x 294, 10 characters))
        >>> stream[3].texts == stream[3].texts
        True
    """

    def __init__(
        self,
        dataset: CharacterDataset,
        n: int,
        batch_size: int = 128,
        *,
        epoch: int = 0,
        length: int | tuple[int, int] | None = None,
        texts: Sequence[Text] | None = None,
        weights: Sequence[float] | None = None,
        spacing: tuple[int, int] = (0, 10),
        width: int | None = None,
        baseline: int = 0,
        size: float = 0.0,
        slant: float = 0.0,
        null: float = 0.0,
        space: int | None = None,
        one_writer: bool = False,
        rng: int | np.random.Generator,
    ) -> None:
        if n < 1 or batch_size < 1 or epoch < 0:
            raise ValueError(
                f"n and batch_size must be at least 1 and epoch at least 0, got {n}, {batch_size} "
                f"and {epoch}"
            )
        style = Style(spacing, width, baseline, size, slant, null, space)
        self._composer = Composer(dataset, style, length, texts, weights, one_writer=one_writer)
        self._seed = int(np.random.default_rng(rng).integers(2**63))
        self._n, self._batch_size = n, batch_size
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self._n / self._batch_size)

    def __getitem__(self, index: int) -> LineDataset:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index must lie in [0, {len(self)}), got {index}")
        index %= len(self)
        rng = np.random.default_rng([self._seed, self.epoch, index])
        count = min(self._batch_size, self._n - index * self._batch_size)
        return self._composer.lines(count, rng)

    def __iter__(self) -> Iterator[LineDataset]:
        return (self[index] for index in range(len(self)))


def black_on_white(images: Image) -> NDArray[np.float32]:
    """Images as the published generator gives them: float32 in [0, 1], ink 0 on paper 1.

    Args:
        images: (h, w) or (n, h, w) uint8, ink on paper 0.

    Example:
        >>> black_on_white(np.array([[0, 255]], np.uint8))
        array([[1., 0.]], dtype=float32)
    """
    levels: NDArray[np.float32] = check(images).astype(np.float32)
    return np.float32(1) - levels / np.float32(255)
