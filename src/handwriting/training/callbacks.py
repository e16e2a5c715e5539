"""What trainings of every kind share."""

# ruff: noqa: D102 - Keras says when it calls what

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from handwriting.files import StrPath, replacing

__all__ = [
    "Csv",
    "History",
    "Progress",
    "Reseed",
    "StopOnNaN",
    "check_arguments",
    "wants_progress",
]

History = dict[str, list[float]]
"""One number an epoch for each figure: the loss, the learning rate, and what was measured."""


def check_arguments(**numbers: int) -> None:
    """Refuse numbers under 1."""
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")


class Reseed(keras.callbacks.Callback):
    """Makes dropout depend on the seed and the epoch alone."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        for number, layer in enumerate(_every_layer(self.model)):
            generator = getattr(layer, "seed_generator", None)
            if generator is not None:
                rng = np.random.default_rng((self._seed, epoch, number))
                state = rng.integers(2**31, size=2).astype(generator.state.dtype)
                generator.state.assign(state)


def _every_layer(model: keras.Model) -> list[keras.Layer]:
    """The layers, then the cells of bidirectional ones, which hold their dropout."""
    pairs = [layer for layer in model.layers if isinstance(layer, keras.layers.Bidirectional)]
    cells = [layer.cell for pair in pairs for layer in (pair.forward_layer, pair.backward_layer)]
    return [*model.layers, *cells]


class StopOnNaN(keras.callbacks.Callback):
    """Ends training at once; Keras's own callback prints to standard output."""

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if not math.isfinite((logs or {}).get("loss", 0)):
            self.model.stop_training = True


class Csv(keras.callbacks.Callback):
    """One line an epoch, the file whole after each.

    Args:
        path: the file.
        earlier: figures of epochs before this training, with which the file begins.
    """

    def __init__(self, path: StrPath, *, earlier: History | None = None) -> None:
        super().__init__()
        self._path = Path(path)
        self._lines: list[str] = []
        for epoch, figures in enumerate(zip(*(earlier or {}).values(), strict=True)):
            self._add(epoch, dict(zip(earlier or {}, figures, strict=True)))

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        if self._lines:
            self._write()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._add(epoch, logs or {})
        self._write()

    def _write(self) -> None:
        with replacing(self._path) as temporary:
            temporary.write_text("\n".join(self._lines) + "\n", encoding="utf-8")

    def _add(self, epoch: int, logs: Mapping[str, Any]) -> None:
        figures = {"epoch": epoch + 1, **logs}
        if not self._lines:
            self._lines.append(",".join(figures))
        self._lines.append(",".join(f"{value:.6g}" for value in figures.values()))


def wants_progress(progress: bool | None) -> bool:
    """What was asked for; if None, whether there is a terminal or a notebook."""
    if progress is None:
        return sys.stderr.isatty() or "ipykernel" in sys.modules
    return progress


class Progress(keras.callbacks.Callback):
    """A progress bar over all steps of all epochs.

    Args:
        done: epochs of an earlier training, which this one goes on from.
    """

    def __init__(self, done: int = 0) -> None:
        super().__init__()
        self._done = done

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        from tqdm.auto import tqdm

        epochs, steps = self.params["epochs"], self.params["steps"]
        self._bar = tqdm(total=epochs * steps, initial=self._done * steps, unit="batch")

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        figures = {
            name: f"{value:.4f}" for name, value in (logs or {}).items() if name != "learning_rate"
        }
        self._bar.set_description(f"epoch {epoch + 1}/{self.params['epochs']}")
        self._bar.set_postfix(figures)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._bar.close()
