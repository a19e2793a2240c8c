"""A board's equipment, and whether a bundle can go there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from nerone.bundle.bundle import Bundle, fingerprint_text
from nerone.bundle.checks import versions
from nerone.compat import OLDEST_PYTHON, oldest_python
from nerone.deployment.remote.answers import typed
from nerone.deployment.remote.probe import has_dpu
from nerone.errors import ConfigurationError, DeviceError

__all__ = ["RemoteBoard", "board_of", "check_board", "check_machine", "check_python", "check_room", "plan_device"]

_MACHINES = ("x86_64", "aarch64", "arm64")
_MARGIN_BYTES = 1 << 20


@dataclass(frozen=True)
class RemoteBoard:
    """Findings of the agent on a board.

    Attributes
    ----------
    host : str, as ssh takes it
    target : str, path of the bundle there
    state : "absent", "bundle" or "other", what stands at that path
    existing : str, the lowest folder on that path that exists
    files : dict of name to sha256, of the bundle that is there
    deployed : list of str, names of the files that an earlier deployment wrote
    stages : list of str, names of deployments that have begun and not ended
    writable : bool
    free_bytes : int
    machine : str, as uname -m
    versions : dict of program to version, "" where it is missing
    core_problem : str, why NERONE cannot be imported there; "" where it can
    rsync : str, its path, or ""
    fingerprint : str, of the DPU; "" where unknown
    nodes : list of str, device nodes
    """

    host: str
    target: str
    state: str
    existing: str
    writable: bool
    free_bytes: int
    machine: str
    core_problem: str
    rsync: str
    fingerprint: str
    files: dict[str, str] = field(default_factory=dict)
    deployed: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    nodes: list[str] = field(default_factory=list)

    @property
    def has_dpu(self) -> bool:
        """Whether a DPU is there."""
        return has_dpu(self.fingerprint, self.nodes, self.machine)


def check_board(board: RemoteBoard) -> None:
    """Refuse a board that cannot run NERONE, or a place that cannot take a bundle.

    Raises
    ------
    DeviceError, ConfigurationError
        one sentence with the remedy.
    """
    check_machine(board)
    check_python(board)
    if board.core_problem:
        raise DeviceError(
            f"NERONE cannot be loaded on {board.host} ({board.core_problem}); install it there with nerone "
            f"board install {board.host}, or name the Python that has it with --remote-python"
        )
    if board.state == "other":
        raise ConfigurationError(
            f"'{board.target}' on {board.host} exists and is no bundle; give another directory or remove it"
        )
    if not board.writable:
        raise ConfigurationError(
            f"'{board.existing}' on {board.host} cannot be written; give a directory that this user may write to"
        )


def check_machine(board: RemoteBoard) -> None:
    """Refuse an architecture that NERONE is not built for.

    Raises
    ------
    DeviceError
        one sentence with the remedy.
    """
    if board.machine not in _MACHINES:
        raise DeviceError(
            f"{board.host} is a {board.machine}; NERONE runs on x86_64 and aarch64: install a 64-bit system there"
        )


def check_python(board: RemoteBoard) -> None:
    """Refuse a Python that is too old.

    Raises
    ------
    DeviceError
        one sentence with the remedy.
    """
    found = board.versions.get("python", "")
    if tuple(int(part) for part in re.findall(r"\d{1,4}", found)[:2]) < OLDEST_PYTHON:
        raise DeviceError(
            f"{board.host} has Python {found}, NERONE needs {oldest_python()}; use a newer image (PYNQ 3.0, PetaLinux "
            "2022.1 or newer), or name another Python there with --remote-python"
        )


def check_room(board: RemoteBoard, needed_bytes: int) -> None:
    """Refuse to start a copy that does not fit.

    Raises
    ------
    DeviceError
        with the figures.
    """
    if needed_bytes + _MARGIN_BYTES > board.free_bytes:
        raise DeviceError(
            f"the disk of {board.host} is too full: '{board.existing}' has {board.free_bytes / 1e6:.1f} MB free, "
            f"{(needed_bytes + _MARGIN_BYTES) / 1e6:.1f} MB are needed; make room there or give another directory"
        )


def plan_device(bundle: Bundle, board: RemoteBoard) -> tuple[str, list[str]]:
    """Say what will compute on the board, and what is worth knowing of it.

    Returns
    -------
    str, "board" or "softdpu"
    list of str, one sentence each

    Raises
    ------
    DeviceError
        where the board's DPU is not the one that the bundle was compiled for.
    """
    notes = _version_notes(board)
    expected = fingerprint_text(bundle.fingerprint)
    if not board.has_dpu:
        return "softdpu", [*notes, f"{board.host} has no DPU; the software DPU runs the bundle there"]
    if expected and board.fingerprint and _number(board.fingerprint) != bundle.fingerprint:
        raise DeviceError(
            f"the bundle was compiled for the DPU with fingerprint {expected} ({bundle.board}), {board.host} has "
            f"{board.fingerprint}; deploy with the --board or --arch of that board, or load the matching overlay there"
        )
    if bundle.board_model_path is None:
        made = f"for {bundle.board} without the vendor's compiler" if expected else "for the software DPU"
        return "softdpu", [*notes, f"the bundle was made {made}, so the DPU of {board.host} is not used"]
    if not board.fingerprint:
        raise DeviceError(
            f"the DPU fingerprint of {board.host} cannot be read; load its overlay, or set NERONE_DPU_FINGERPRINT "
            "there to what its arch.json says"
        )
    return "board", notes


def _number(fingerprint: str) -> int:
    return int(fingerprint, 16) if re.fullmatch(r"(0x)?[0-9a-fA-F]{1,16}", fingerprint) else -1


def _version_notes(board: RemoteBoard) -> list[str]:
    here, there = versions().get("nerone", ""), board.versions.get("nerone", "")
    if here and there and here != there:
        return [f"{board.host} has NERONE {there}, this machine {here}"]
    return []


def board_of(host: str, answer: dict[str, Any]) -> RemoteBoard:
    """Return the agent's answer as a RemoteBoard."""
    return RemoteBoard(host=host, **typed(answer, _TYPES, host))


_TYPES: dict[str, type] = {
    "target": str,
    "state": str,
    "existing": str,
    "writable": bool,
    "free_bytes": int,
    "machine": str,
    "core_problem": str,
    "rsync": str,
    "fingerprint": str,
    "files": dict,
    "deployed": list,
    "stages": list,
    "versions": dict,
    "nodes": list,
}
