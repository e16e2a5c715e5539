"""Keeps the best epoch of a training, and what it takes to go on after a kill."""

# ruff: noqa: D102 - Keras says when it calls what

import json
import math
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from handwriting.errors import CorruptFileError, HandwritingError
from handwriting.files import StrPath, refusing_damage, replacing
from handwriting.images import Image
from handwriting.training.callbacks import History

__all__ = ["Watch", "check_resumable", "excerpt", "fingerprint"]

Weights = list[NDArray[Any]]

_SOME = 200  # images
_PROGRESS = 1e-4  # what counts as such for the learning rate


def check_resumable(checkpoint: StrPath | None, rng: object, *, resume: bool) -> None:
    """Refuse to resume what has no file, or was begun with an unknown seed."""
    if resume and (checkpoint is None or not isinstance(rng, int)):
        raise ValueError("resume needs the checkpoint and the seed (rng, an int) of the first call")


def fingerprint(
    model: keras.Model, optimizer: keras.Optimizer, data: bytes, **others: Any
) -> dict[str, str]:
    """What a training must have in common with the one that it resumes.

    Args:
        model: whose name counts.
        optimizer: before training, for its rate may change.
        data: all labels or texts and some images, for a checksum.
        **others: arguments; what their ``repr`` says counts.
    """
    known = {"model": model.name, "optimizer": type(optimizer).__name__, "data": zlib.crc32(data)}
    config = optimizer.get_config()
    config.pop("name", None)  # Keras counts its optimizers up
    return {name: repr(value) for name, value in (others | known | config).items()}


def excerpt(images: Image) -> bytes:
    """A few images from all over a set, by which another one can be told from it."""
    return np.ascontiguousarray(images[:: max(1, len(images) // _SOME)]).tobytes()


class Watch(keras.callbacks.Callback):
    """Notes the figures of each epoch, keeps the best weights, and saves what resuming takes.

    Args:
        watched: the figure that is lowest in the best epoch; the last epoch is the best where there
            is no such figure.
        patience: epochs without a lower one before training stops; None never stops.
        halve_after: epochs without progress before the learning rate is halved; None never halves.
        settings: what a training must have in common with the one that it resumes.
        checkpoint: the file of the best model, beside which the state is kept.
        save: writes the model into it.
    """

    def __init__(
        self,
        watched: str,
        *,
        patience: int | None,
        settings: Mapping[str, str],
        checkpoint: StrPath | None,
        save: Callable[[keras.Model, StrPath], None],
        halve_after: int | None = None,
    ) -> None:
        super().__init__()
        self._watched = watched
        self._patience = patience
        self._halve_after = halve_after
        self._settings = dict(settings)
        self._checkpoint = checkpoint
        self._save = save
        self._best: Weights = []
        self.history: History = {}

    def measure(self) -> dict[str, float]:
        """Figures beside those of Keras, taken after each epoch."""
        return {}

    @property
    def stopped(self) -> bool:
        """Whether the last epochs brought nothing."""
        values = self.history.get(self._watched, [])
        if self._patience is None or not values:
            return False
        return len(values) - 1 - int(np.argmin(values)) >= self._patience

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        figures = {name: float(value) for name, value in (logs or {}).items()}
        figures |= {"learning_rate": self._rate} | self.measure()
        for name, value in figures.items():
            self.history.setdefault(name, []).append(value)
        if logs is not None:
            logs |= figures  # for the callbacks that follow
        if not all(map(math.isfinite, figures.values())):
            self.model.stop_training = True
            return
        values = self.history.get(self._watched)
        if values is None or values[-1] <= min(values):
            self._best = self.model.get_weights()
            if self._checkpoint is not None:
                self._save(self.model, self._checkpoint)
        if self._halve_after and _stands_still(values or [], self._halve_after):
            self.model.optimizer.learning_rate = self._rate / 2
        if self._checkpoint is not None:
            self._save_state(_state(self._checkpoint))
        if self.stopped:
            self.model.stop_training = True

    def finish(self, model: keras.Model) -> History:
        """Give the model the weights of the best epoch, and tell all figures.

        Raises:
            HandwritingError: one of them is NaN or infinite.
        """
        if self._best:
            model.set_weights(self._best)
            if self._checkpoint is not None and not Path(self._checkpoint).exists():
                self._save(model, self._checkpoint)  # of a training that had ended, and was lost
        if not all(math.isfinite(values[-1]) for values in self.history.values()):
            raise HandwritingError(
                f"the loss was no longer a number in epoch {len(self.history['loss'])}; lower the "
                f"learning rate, got {max(self.history['learning_rate']):g}"
            )
        return self.history

    def resume(self, model: keras.Model) -> int:
        """Take up what an earlier training left.

        Args:
            model: compiled, its optimizer built.

        Returns:
            How many epochs it had finished; 0 where it left nothing.

        Raises:
            CorruptFileError: what it left is damaged, or of another training.
        """
        path = _state(self._checkpoint or "")
        if not path.is_file():
            return 0
        with refusing_damage(f"the state in {path}", "delete it to train from the beginning"):
            arrays = _load_arrays(path)
            facts = json.loads(str(arrays.pop("facts")))
            self._check_settings(path, dict(facts["settings"]))
            now = _state_of(model, self._best or model.get_weights())
            if _forms(arrays) != _forms(now):
                raise ValueError("its arrays are not those of the model")
            history = {name: [float(x) for x in xs] for name, xs in dict(facts["history"]).items()}
            done = len(history["loss"])
        self._best = _numbered("best", arrays)
        model.set_weights(_numbered("model", arrays))
        for variable, value in zip(
            model.optimizer.variables, _numbered("optimizer", arrays), strict=True
        ):
            variable.assign(value)
        self.history.update(history)
        return done

    def _check_settings(self, path: Path, earlier: Mapping[str, str]) -> None:
        other = [name for name, value in self._settings.items() if earlier.get(name) != value]
        if other:
            then, now = (
                {name: each.get(name) for name in other} for each in (earlier, self._settings)
            )
            raise CorruptFileError(
                f"{path} is of a training with {then}, got {now}; delete it to train from the "
                "beginning"
            )

    def _save_state(self, path: Path) -> None:
        facts = json.dumps({"settings": self._settings, "history": self.history})
        with replacing(path) as temporary, temporary.open("wb") as file:
            arrays: dict[str, Any] = _state_of(self.model, self._best)
            np.savez(file, facts=np.array(facts), **arrays)


def _state(checkpoint: StrPath) -> Path:
    """Where what resuming takes is kept."""
    return Path(checkpoint).with_suffix(".state.npz")


def _state_of(model: keras.Model, best: Weights) -> dict[str, NDArray[Any]]:
    variables = [keras.ops.convert_to_numpy(v.value) for v in model.optimizer.variables]
    groups = {"model": model.get_weights(), "best": best, "optimizer": variables}
    return {f"{name}{i}": each for name, group in groups.items() for i, each in enumerate(group)}


def _numbered(name: str, arrays: Mapping[str, NDArray[Any]]) -> Weights:
    count = sum(key.startswith(name) for key in arrays)
    return [arrays[f"{name}{i}"] for i in range(count)]


def _forms(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    return {name: (each.shape, each.dtype) for name, each in arrays.items()}


def _load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as state:
            return dict(state)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(str(error)) from error


def _stands_still(values: Sequence[float], patience: int) -> bool:
    """Whether ``patience`` epochs without progress end with the last one.

    It is counted from the figures alone, so that a resumed training counts alike.
    """
    lowest, waited = math.inf, 0
    for value in values:
        progress = value < lowest - _PROGRESS
        lowest, waited = (value, 0) if progress else (lowest, waited % patience + 1)
    return waited == patience
