"""Digits drawn by hand for the tests, as strokes in a box one high: y points down."""

import numpy as np

from handwriting.strokes import StrokeDataset, Style, render

STROKES = {
    "0": [[(0.35, 0), (0.1, 0.2), (0.02, 0.55), (0.15, 0.9), (0.4, 1), (0.62, 0.75), (0.66, 0.4)]],
    "1": [[(0.3, 0), (0.28, 0.5), (0.25, 1)]],
    "2": [[(0.05, 0.2), (0.25, 0), (0.55, 0.08), (0.6, 0.3), (0.35, 0.65), (0.03, 0.97), (0.7, 1)]],
    "3": [[(0.05, 0.08), (0.4, 0), (0.58, 0.2), (0.25, 0.46), (0.62, 0.62), (0.55, 0.9), (0, 1)]],
    "4": [[(0.12, 0), (0.03, 0.52), (0.68, 0.55)], [(0.52, 0.15), (0.47, 1)]],
    "5": [
        [(0.12, 0), (0.08, 0.42), (0.4, 0.4), (0.62, 0.62), (0.5, 0.92), (0.2, 1), (0, 0.9)],
        [(0.12, 0.01), (0.66, 0)],
    ],
    "6": [[(0.5, 0), (0.15, 0.35), (0.03, 0.75), (0.25, 1), (0.55, 0.88), (0.5, 0.6), (0.1, 0.72)]],
    "7": [[(0, 0.05), (0.65, 0), (0.42, 0.5), (0.25, 1)]],
    "8": [
        [
            *[(0.6, 0.12), (0.35, 0), (0.12, 0.15), (0.22, 0.4), (0.52, 0.62), (0.58, 0.86)],
            *[(0.32, 1), (0.06, 0.86), (0.15, 0.6), (0.48, 0.38), (0.6, 0.12)],
        ]
    ],
    "9": [[(0.58, 0.15), (0.3, 0), (0.06, 0.2), (0.2, 0.46), (0.5, 0.38), (0.6, 0.1), (0.52, 1)]],
}
STROKES["0"][0] += [(0.5, 0.08), (0.35, 0)]
DIGITS = "".join(STROKES)


def rounded(stroke):
    """A stroke with its corners cut twice (Chaikin's algorithm)."""
    points = np.array(stroke, float)
    for _ in range(2):
        before, after = points[:-1], points[1:]
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1)
        points = np.concatenate([points[:1], cut.reshape(-1, 2), points[-1:]])
    return points


def drawn(text, *, width=5, side=80):
    """Each character of a text as a picture, (n, side, side) uint8, ink 255 on paper 0."""
    samples = StrokeDataset.from_strokes(
        [[rounded(stroke) for stroke in STROKES[c]] for c in text], list(text)
    )
    return render(samples, (side, side), style=Style(width=(width, width)))


def page(text, *, gap=30):
    """A line of characters, black on white."""
    row = np.hstack([np.pad(image, ((gap, gap), (0, gap))) for image in drawn(text)])
    return 255 - np.pad(row, ((0, 0), (gap, gap)))
