"""Fit a model to a dataset, straight from its memory map.

:func:`fit` trains on characters, :func:`fit_lines` on lines; :func:`finetune` trains a trained
network on, on a little handwriting of one writer. What is random (the order of the images,
augmentation, dropout) depends only on the seed, the epoch and the batch. :func:`calibrate` and
:func:`calibrate_lines` make a trained model as sure as it is right.
"""

from handwriting.training.augmentation import LineAugmentation, augment_lines
from handwriting.training.calibration import calibrate, calibrate_lines
from handwriting.training.callbacks import History
from handwriting.training.characters import Augmentation, Batches, augment, fit
from handwriting.training.finetuning import Finetuned, finetune
from handwriting.training.lines import LineBatches, fit_lines

__all__ = [
    "Augmentation",
    "Batches",
    "Finetuned",
    "History",
    "LineAugmentation",
    "LineBatches",
    "augment",
    "augment_lines",
    "calibrate",
    "calibrate_lines",
    "finetune",
    "fit",
    "fit_lines",
]
