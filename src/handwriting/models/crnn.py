"""Recurrent networks that read lines: convolutions, then LSTMs over the width, trained with CTC.

The width is time: a network looks at an image in steps from left to right, and gives for each step
one probability for each character and one for the blank, label 0 (null), between characters. The
text is what :mod:`handwriting.ctc` decodes of them.
"""

import keras
import numpy as np

from handwriting.alphabet import Alphabet
from handwriting.models.classifier import Seeds, initializer

__all__ = ["crnn", "crnn_deep", "crnn_small"]


def crnn(
    alphabet: Alphabet | int,
    image_shape: tuple[int, int | None] = (64, 256),
    *,
    rng: int | np.random.Generator | None = None,
) -> keras.Model:
    """The published network: two convolutions, a dense layer and two bidirectional LSTMs.

    Conv 64 3x3, max pool 2, dropout 0.3, Conv 128 3x3, max pool 2, dropout 0.3, dense 64 over each
    column, dropout 0.2, BiLSTM 128 with dropout 0.2, BiLSTM 64 with dropout 0.25, softmax.

    Input shape: (n, h, w) uint8, the sides multiples of 4. Output shape: (n, w / 4, characters + 1)
    float32 probabilities, those of the blank first. Parameters: 571,615 for 30 characters at
    64 x 256.

    Args:
        alphabet: an alphabet, with null or without, or how many characters there are, without null.
        image_shape: (height, width) of the images; a width of None takes any.
        rng: seed of the initial weights and of dropout; None draws one.

    Raises:
        ValueError: no characters, or sides that are not multiples of 4.

    Example:
        >>> crnn(30).count_params()
        571615

    Source:
        The CNN-BiLSTM-CTC network of the notebooks on Kaggle's handwriting-recognition, which
        train it with SGD (0.002, Nesterov momentum 0.9, clipnorm 5). Error rates: docs/models.md.
    """
    height, width = _sides("crnn", image_shape, of=(4, 4))
    seeds = _seeds(rng)
    layers = [keras.layers.Permute((2, 1)), keras.layers.Reshape((width or -1, height, 1))]
    for filters in (64, 128):
        layers += [
            keras.layers.Conv2D(
                filters, 3, padding="same", activation="relu", kernel_initializer=_he(seeds)
            ),
            keras.layers.MaxPooling2D(2),
            keras.layers.Dropout(0.3, seed=seeds()),
        ]
    layers += [
        keras.layers.Reshape((_steps(width), height // 4 * 128)),
        keras.layers.Dense(64, activation="relu", kernel_initializer=initializer(seeds)),
        keras.layers.Dropout(0.2, seed=seeds()),
        _bilstm(128, 0.2, seeds),
        _bilstm(64, 0.25, seeds),
    ]
    return _line_reader("crnn", alphabet, image_shape, layers, _he(seeds))


def crnn_small(
    alphabet: Alphabet | int,
    image_shape: tuple[int, int | None] = (40, 256),
    *,
    rng: int | np.random.Generator | None = None,
) -> keras.Model:
    """Five convolutions, the maximum over each column, and one bidirectional LSTM.

    Conv 32 5x5 with stride 2, Conv 64, max pool 2, Conv 96, Conv 128, max pool 2 over the height,
    Conv 128, all but the first 3x3 and each with batch normalization and ReLU; the maximum over the
    column, dropout 0.2, BiLSTM 128, dropout 0.2, softmax. It learns faster and reads better than
    :func:`crnn`, and its parameters do not grow with the image.

    Input shape: (n, h, w) uint8, the height a multiple of 8, the width of 4. Output shape:
    (n, w / 4, characters + 1) float32 probabilities, those of the blank first. Parameters: 605,503
    for 30 characters, at any image shape.

    Args:
        alphabet: an alphabet, with null or without, or how many characters there are, without null.
        image_shape: (height, width) of the images; a width of None takes any.
        rng: seed of the initial weights and of dropout; None draws one.

    Raises:
        ValueError: no characters, or sides that are not such multiples.

    Example:
        >>> crnn_small(30).output_shape
        (None, 64, 31)

    Source:
        The maximum over the column: Retsinas et al., Best practices for a handwritten text
        recognition system. arXiv 2404.11339. Error rates: docs/models.md.
    """
    seeds = _seeds(rng)
    layers = [
        *_trunk("crnn_small", image_shape, seeds),
        _bilstm(128, 0.0, seeds),
        keras.layers.Dropout(0.2, seed=seeds()),
    ]
    return _line_reader("crnn_small", alphabet, image_shape, layers, initializer(seeds))


def crnn_deep(
    alphabet: Alphabet | int,
    image_shape: tuple[int, int | None] = (40, 256),
    *,
    rng: int | np.random.Generator | None = None,
) -> keras.Model:
    """Five convolutions, the maximum over each column, and two bidirectional LSTMs.

    :func:`crnn_small` with a second BiLSTM 128 behind the first, dropout 0.2 between them: what
    letters mostly stand beside one another is learnt better, for a fifth more of time.

    Input shape: (n, h, w) uint8, the height a multiple of 8, the width of 4. Output shape:
    (n, w / 4, characters + 1) float32 probabilities, those of the blank first. Parameters: 999,743
    for 30 characters, at any image shape.

    Args:
        alphabet: an alphabet, with null or without, or how many characters there are, without null.
        image_shape: (height, width) of the images; a width of None takes any.
        rng: seed of the initial weights and of dropout; None draws one.

    Raises:
        ValueError: no characters, or sides that are not such multiples.

    Example:
        >>> crnn_deep(30).output_shape
        (None, 64, 31)

    Source:
        As :func:`crnn_small`. Error rates: docs/models.md.
    """
    seeds = _seeds(rng)
    layers = [
        *_trunk("crnn_deep", image_shape, seeds),
        _bilstm(128, 0.0, seeds),
        keras.layers.Dropout(0.2, seed=seeds()),
        _bilstm(128, 0.0, seeds),
        keras.layers.Dropout(0.2, seed=seeds()),
    ]
    return _line_reader("crnn_deep", alphabet, image_shape, layers, initializer(seeds))


def _trunk(name: str, image_shape: tuple[int, int | None], seeds: Seeds) -> list[keras.Layer]:
    """What crnn_small and crnn_deep see of an image, four columns a time step."""
    height, width = _sides(name, image_shape, of=(8, 4))
    return [
        keras.layers.Reshape((height, width or -1, 1)),
        *_normalized(32, 5, 2, seeds),
        *_normalized(64, 3, 1, seeds),
        keras.layers.MaxPooling2D(2),
        *_normalized(96, 3, 1, seeds),
        *_normalized(128, 3, 1, seeds),
        keras.layers.MaxPooling2D((2, 1)),
        *_normalized(128, 3, 1, seeds),
        keras.layers.MaxPooling2D((height // 8, 1)),
        keras.layers.Reshape((_steps(width), 128)),
        keras.layers.Dropout(0.2, seed=seeds()),
    ]


def _line_reader(
    name: str,
    alphabet: Alphabet | int,
    image_shape: tuple[int, int | None],
    layers: list[keras.Layer],
    last: keras.Initializer,
) -> keras.Model:
    """Put layers between uint8 images and the probabilities of each step."""
    labels = alphabet + 1 if isinstance(alphabet, int) else len(alphabet.with_null())
    if labels < 2:
        raise ValueError(f"{name} needs an alphabet of at least 1 character, got {alphabet!r}")
    return keras.Sequential(
        [
            keras.Input(image_shape, dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            *layers,
            keras.layers.Dense(labels, activation="softmax", kernel_initializer=last),
        ],
        name=name,
    )


def _sides(
    name: str, image_shape: tuple[int, int | None], *, of: tuple[int, int]
) -> tuple[int, int | None]:
    height, width = image_shape
    sides = height, of[1] if width is None else width
    if min(sides) < 1 or any(side % unit for side, unit in zip(sides, of, strict=True)):
        raise ValueError(
            f"{name} needs images whose height is a multiple of {of[0]} and whose width is one of "
            f"{of[1]}, or None for any, got {height} x {width}; scale them with "
            "preprocessing.fit_line"
        )
    return height, width


def _steps(width: int | None) -> int:
    """Time steps of an image; -1, whatever there are, at any width."""
    return -1 if width is None else width // 4


def _seeds(rng: int | np.random.Generator | None) -> Seeds:
    generator = np.random.default_rng(rng)
    return lambda: int(generator.integers(2**31))


def _he(seeds: Seeds) -> keras.Initializer:
    return keras.initializers.HeNormal(seed=seeds())


def _normalized(filters: int, size: int, stride: int, seeds: Seeds) -> list[keras.Layer]:
    """A convolution with batch normalization and ReLU."""
    return [
        keras.layers.Conv2D(
            filters, size, stride, padding="same", use_bias=False, kernel_initializer=_he(seeds)
        ),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
    ]


def _bilstm(units: int, dropout: float, seeds: Seeds) -> keras.Layer:
    return keras.layers.Bidirectional(
        keras.layers.LSTM(
            units,
            return_sequences=True,
            dropout=dropout,
            seed=seeds(),
            kernel_initializer=initializer(seeds),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seeds()),
        ),
        # Given, as Keras would else give it the first one's seeds: mirrored weights.
        backward_layer=keras.layers.LSTM(
            units,
            return_sequences=True,
            dropout=dropout,
            seed=seeds(),
            kernel_initializer=initializer(seeds),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seeds()),
            go_backwards=True,
        ),
    )
