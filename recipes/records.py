"""What recipes write down of what they did: settings, files, versions, figures, curves."""

import argparse
import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

import handwriting as hw

__all__ = ["settings", "sources", "write"]


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What the command line said, but for folders, and what calculates."""
    told = {key: value for key, value in vars(options).items() if not isinstance(value, Path)}
    for key, value in told.items():
        if isinstance(value, str) and Path(value).is_file():
            told[key] = Path(value).name
    return {**told, "backend": keras.backend.backend()}


def sources(paths: Iterable[Path]) -> dict[str, dict[str, str]]:
    """SHA-256 of the files that are learnt from, and the versions of what reads them.

    Of a folder it is that of its files' names and sizes.
    """
    hashes = {path.name: _sha256(path) for path in sorted(paths)}
    packages = ("handwriting", "keras", "numpy")
    return {"files": hashes, "versions": {package: version(package) for package in packages}}


def _sha256(path: Path) -> str:
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(each for each in path.rglob("*") if each.is_file())
    rows = "".join(f"{each.relative_to(path).as_posix()} {each.stat().st_size}\n" for each in files)
    return hashlib.sha256(rows.encode()).hexdigest()


def write(folder: Path, name: str, facts: dict[str, Any]) -> None:
    """Write what was measured, and the curves of its history."""
    with hw.files.replacing(folder / f"{name}.json") as path:
        path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    curves = hw.plots.training_curves(facts["history"])
    curves.savefig(folder / f"{name}.png", bbox_inches="tight")
