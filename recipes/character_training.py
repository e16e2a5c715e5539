"""What the recipes for single characters share: options, optimizer, augmentation, figures."""

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import keras
import records

import handwriting as hw
from handwriting.alphabet import Alphabet
from handwriting.data import CharacterDataset

AUGMENTATION = hw.training.Augmentation(shift=0.05, rotate=8, scale=0.1, shear=10)
RATE, WEIGHT_DECAY, CLIP, WARM_UP = 2e-3, 1e-2, 1.0, 1 / 20
LABEL_SMOOTHING = 0.05


def parser(description: str, **defaults: Any) -> argparse.ArgumentParser:
    """The options that all of them have.

    Args:
        description: its first line is shown.
        **defaults: of ``model`` and ``epochs``.
    """
    result = argparse.ArgumentParser(description=description.split("\n", maxsplit=1)[0])
    result.add_argument("--out", required=True, type=Path, help="folder for all that is written")
    result.add_argument("--model", choices=hw.models.NAMES)
    result.add_argument("--epochs", type=int)
    result.add_argument("--batch-size", default=128, type=int)
    result.add_argument("--share", default=1.0, type=float, help="of the data, for a trial")
    result.add_argument("--rate", default=RATE, type=float, help="the highest learning rate")
    result.add_argument("--start", help="a .keras file or pretrained network to go on from")
    result.add_argument("--seed", default=0, type=int)
    result.add_argument("--resume", action="store_true", help="go on where it was stopped")
    result.set_defaults(**defaults)
    return result


def network(options: argparse.Namespace, alphabet: Alphabet) -> keras.Model:
    """A new network of the kind that was asked for, or the one to go on from."""
    if options.start is None:
        return hw.models.build(options.model, alphabet, (28, 28), rng=options.seed)
    path = hw.pretrained.find(options.start, "npz")
    card = hw.models.card(path)
    if (card.model, card.alphabet) != (options.model, alphabet):
        raise SystemExit(
            f"{options.start} must be of the network {options.model} for {alphabet!r}, got "
            f"{card.model} for {card.alphabet!r}"
        )
    return hw.models.load(path)


def optimizer(images: int, options: argparse.Namespace) -> keras.Optimizer:
    """AdamW, whose rate rises for a twentieth of the steps and then falls to 0 along a cosine.

    Args:
        images: in an epoch.
        options: how many epochs, of which batches.
    """
    steps = options.epochs * -(-images // options.batch_size)
    rising = max(1, round(steps * WARM_UP))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rising), warmup_target=options.rate, warmup_steps=rising
    )
    return keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY, global_clipnorm=CLIP)


def train(
    model: keras.Model, learnt: Any, images: int, options: argparse.Namespace, **settings: Any
) -> tuple[hw.training.History, float]:
    """Fit with the settings that all of them have.

    Args:
        model: as :func:`handwriting.training.fit` takes it.
        learnt: as fit takes it.
        images: in an epoch.
        options: of the command line.
        **settings: more of fit's arguments.

    Returns:
        The figures of each epoch, and the minutes of this call.
    """
    start = time.perf_counter()
    history = hw.training.fit(
        model,
        learnt,
        epochs=options.epochs,
        patience=options.epochs,
        batch_size=options.batch_size,
        optimizer=optimizer(images, options),
        label_smoothing=LABEL_SMOOTHING,
        resume=options.resume,
        progress=True,
        rng=options.seed,
        **settings,
    )
    return history, round((time.perf_counter() - start) / 60, 1)


def measured(model: Any, test: CharacterDataset) -> dict[str, float]:
    """Shares of images read right: at once, among three, and but for what looks alike."""
    report = hw.evaluation.evaluate(model, test)
    return {"top 1": report.accuracy, "top 3": report.top(3), "folded": report.folded()}


def settings(
    options: argparse.Namespace, augmentation: hw.training.Augmentation = AUGMENTATION
) -> dict[str, Any]:
    """What the training was told, and what all of them are."""
    return {
        **records.settings(options),
        "augmentation": dataclasses.asdict(augmentation),
        "optimizer": f"AdamW, weight decay {WEIGHT_DECAY:g}, clipped at {CLIP:g}",
        "learning_rate": f"{options.rate:g}, warm-up {WARM_UP:g} of the steps, cosine to 0",
        "label_smoothing": LABEL_SMOOTHING,
    }
