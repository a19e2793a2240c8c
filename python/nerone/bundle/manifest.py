"""The part of a bundle that running it needs: model files, preprocessing, kind of output."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nerone.errors import ConfigurationError
from nerone.files import short_text
from nerone.runtime.preprocessing import Preprocessing

__all__ = ["BundleLike", "Manifest", "read_manifest"]

KINDS = ("segmentation", "classification")


class _OutputLike(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def covers(self) -> tuple[int, ...]: ...


class BundleLike(Protocol):
    """A bundle as an object; `nerone.Bundle` is one."""

    @property
    def preprocessing(self) -> Preprocessing: ...  # noqa: D102
    @property
    def output(self) -> _OutputLike: ...  # noqa: D102
    @property
    def host_model_path(self) -> Path: ...  # noqa: D102
    @property
    def board_model_path(self) -> Path | None: ...  # noqa: D102


@dataclass(frozen=True)
class Manifest:
    """The part of a bundle that running it needs.

    Attributes
    ----------
    model : Path of the xmodel for the software DPU
    board_model : Path of the xmodel for the board, or None
    preprocessing : Preprocessing
    kind : "segmentation" or "classification"
    per_input : tuple of Preprocessing, one per input of the network; empty where they are all alike
    covers : (rows, columns) in the middle of the network's input that a mask covers; empty where that is all of it
    """

    model: Path
    board_model: Path | None
    preprocessing: Preprocessing
    kind: str
    per_input: tuple[Preprocessing, ...] = ()
    covers: tuple[int, ...] = ()

    def model_for(self, device: str) -> Path:
        """Return the file that a device runs: the board's own, where there is one, or the host's."""
        return self.board_model if device == "board" and self.board_model is not None else self.model


def read_manifest(bundle: str | Path | BundleLike) -> Manifest:
    """Read a bundle's folder, or take what a bundle object says.

    Raises
    ------
    ConfigurationError
        one sentence with what is wrong and what to do.
    """
    if not isinstance(bundle, (str, Path)):
        files = bundle.host_model_path, bundle.board_model_path
        return Manifest(*files, bundle.preprocessing, bundle.output.kind, covers=bundle.output.covers)
    folder = Path(bundle)
    if not folder.exists() and folder.suffix != ".nerone":
        folder = folder.with_name(folder.name + ".nerone")
    if not (folder / "bundle.json").is_file():
        raise ConfigurationError(f"there is no bundle '{bundle}'; make one with nerone deploy, or check the path")
    try:
        values = json.loads(short_text(folder / "bundle.json"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"'{folder / 'bundle.json'}' cannot be read: {error}; deploy again") from None
    if not isinstance(values, dict):
        raise ConfigurationError(f"'{folder / 'bundle.json'}' holds no object; deploy again")
    board_model = _text(values, "board_model", folder) if "board_model" in values else ""
    return Manifest(
        folder / "model.xmodel",
        folder / Path(board_model).name if board_model else None,
        Preprocessing.from_dict(values.get("preprocessing", {})),
        _kind(values, folder),
        covers=_covers(values, folder),
    )


def _text(values: dict[str, Any], key: str, folder: Path) -> str:
    if not isinstance(values[key], str):
        raise ConfigurationError(f"'{folder}': {key} is {values[key]!r}; expected a string: deploy again")
    return str(values[key])


def _kind(values: dict[str, Any], folder: Path) -> str:
    output = values.get("output")
    kind = output.get("kind") if isinstance(output, dict) else None
    if kind not in KINDS:
        raise ConfigurationError(f"'{folder}': output.kind is {kind!r}; expected {' or '.join(KINDS)}: deploy again")
    return str(kind)


def _covers(values: dict[str, Any], folder: Path) -> tuple[int, ...]:
    covers = values["output"].get("covers", [])
    whole = isinstance(covers, list) and all(type(extent) is int and extent > 0 for extent in covers)
    if not whole or len(covers) not in (0, 2):
        raise ConfigurationError(f"'{folder}': output.covers is {covers!r}; expected rows and columns: deploy again")
    return tuple(covers)
