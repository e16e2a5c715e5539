"""The whole road, on the real digits that scikit-learn carries, in under a minute."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from handwriting import evaluation, models, plots, training
from handwriting.datasets import digits
from handwriting.evaluation import Report
from handwriting.files import StrPath, check_writable, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["run"]


def run(
    folder: StrPath = "handwriting-demo",
    *,
    epochs: int = 30,
    progress: bool | None = None,
    rng: int | np.random.Generator = 0,
) -> tuple[Report, str, list[Path]]:
    """Train the LeNet-style network on four fifths of the digits and read the last fifth.

    Args:
        folder: gets the model, the report and four pictures; older ones are replaced.
        epochs: passes over the training images.
        progress: show a progress bar; by default where there is a terminal or a notebook.
        rng: a seed or a generator.

    Returns:
        The report on the held-out digits, the text read in a strip of them, and the files written.
    """
    home = Path(folder)
    check_writable(home / "lenet.keras")
    generator = np.random.default_rng(rng)
    train, test = digits.load("train"), digits.load("test")
    model = models.lenet(train.alphabet, train.image_shape, rng=generator)
    history = training.fit(
        model,
        train,
        epochs=epochs,
        batch_size=16,
        learning_rate=3e-3,
        # The validation set is 144 images: by chance alone an early epoch can stand unbeaten for
        # long, and a run that stops there misses the low learning rates at the end.
        patience=epochs,
        augmentation=training.Augmentation(),
        progress=progress,
        rng=generator,
    )
    report = evaluation.evaluate(model, test)
    some = np.sort(generator.permutation(len(test))[:16])
    text = test.alphabet.decode(report.predicted[some])
    truth = test.alphabet.decode(test.labels[some])

    models.save(model, home / "lenet.keras", alphabet=train.alphabet, recipe=train.recipe)
    report.save(home / "report.json")
    figures = {
        "training-curves.png": plots.training_curves(history),
        "confusion.png": plots.confusion(report),
        "predictions.png": plots.predictions(test, report, n=60, rng=generator),
        "strip.png": plots.strip(test.images[some], text, truth),
    }
    for name, figure in figures.items():
        _save(figure, home / name)
    return report, text, [home / name for name in ("lenet.keras", "report.json", *figures)]


def _save(figure: "Figure", path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary)
