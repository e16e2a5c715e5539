"""Fit a model to a dataset, straight from its memory map.

:func:`fit` trains on characters, :func:`fit_lines` on lines. What is random (the order of the
images, augmentation, dropout) depends only on the seed, the epoch and the batch. :func:`calibrate`
and :func:`calibrate_lines` make a trained model as sure as it is right.
"""

from handwriting.training.augmentation import LineAugmentation, augment_lines
from handwriting.training.calibration import calibrate, calibrate_lines
from handwriting.training.callbacks import History
from handwriting.training.characters import Augmentation, Batches, augment, fit
from handwriting.training.lines import LineBatches, fit_lines

__all__ = [
    "Augmentation",
    "Batches",
    "History",
    "LineAugmentation",
    "LineBatches",
    "augment",
    "augment_lines",
    "calibrate",
    "calibrate_lines",
    "fit",
    "fit_lines",
]
