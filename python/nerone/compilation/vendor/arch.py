"""arch.json, which names the DPU to the vendor's compiler: a fingerprint, or the name of a target."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerone.dpu.boards import Board
from nerone.dpu.fingerprints import boards_of_fingerprint, fingerprint_text
from nerone.errors import ConfigurationError
from nerone.files import short_text

__all__ = ["Arch", "arch_for", "read_arch"]


@dataclass(frozen=True)
class Arch:
    """The content of an arch.json.

    Attributes
    ----------
    fingerprint : int or None, of the DPU; None where only a target is named
    target : str, such as "DPUCZDX8G_ISA1_B4096"; "" where a fingerprint is given
    """

    fingerprint: int | None
    target: str = ""

    def text(self) -> str:
        """Return it as the file's content."""
        known = self.fingerprint
        found = {"target": self.target} if known is None else {"fingerprint": fingerprint_text(known)}
        return json.dumps(found) + "\n"


def _read(path: str | Path) -> Arch:
    try:
        values: Any = json.loads(short_text(Path(path)))
        if isinstance(values, dict) and isinstance(values.get("fingerprint"), str):
            return Arch(int(values["fingerprint"], 16))
        if isinstance(values, dict) and isinstance(values.get("target"), str) and values["target"]:
            return Arch(None, values["target"])
    except OSError as error:
        raise ConfigurationError(f"'{path}' cannot be read: {error.strerror}; give the board's arch.json") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"'{path}' is no arch.json ({error}); take the board's own file") from error
    raise ConfigurationError(f'\'{path}\' is no arch.json: expected {{"fingerprint": "0x..."}} or {{"target": "..."}}')


def read_arch(path: str | Path) -> int | None:
    """Return the fingerprint of an arch.json; None where it names a target instead.

    Raises
    ------
    ConfigurationError
        where the file is missing or is neither ``{"fingerprint": "0x..."}`` nor ``{"target": "..."}``.
    """
    return _read(path).fingerprint


def arch_for(board: Board, path: str | Path | None, vitis_ai: str | None) -> Arch:
    """Return the arch of a file, or of the board table where no file is given.

    Raises
    ------
    ConfigurationError
        where the file is no arch.json, or belongs to another board of the table.
    """
    if path is None:
        return Arch(board.fingerprint_of(vitis_ai))
    found = _read(path)
    owners = [name for name, _ in boards_of_fingerprint(found.fingerprint)]
    if owners and board.name not in owners:
        raise ConfigurationError(
            f"'{path}' has the fingerprint 0x{found.fingerprint:x} of {' and '.join(dict.fromkeys(owners))}, not of "
            f"{board.name}; give the arch.json of this board, or name that board with --board"
        )
    return found
