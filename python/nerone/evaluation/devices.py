"""Devices by name for benchmarks: the software DPU, a board, and boards simulated in time."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from nerone.compilation.estimate import estimate
from nerone.compilation.paper.table import paper_row
from nerone.dpu.boards import SIMULATED, find_board
from nerone.errors import ConfigurationError

__all__ = ["DEVICES", "Device", "find_device"]

DEVICES = ("softdpu", "board", *SIMULATED)


@dataclass(frozen=True)
class Device:
    """A device that frames run on.

    Attributes
    ----------
    name : str, as the command line takes it
    device : str, "softdpu" or "board", as `nerone.Model.load` takes it
    cores : int, of a simulated board; 0 elsewhere
    job_latency_us : int, of a simulated board; 0 elsewhere
    note : str, where the latency comes from
    """

    name: str
    device: str = "softdpu"
    cores: int = 0
    job_latency_us: int = 0
    note: str = ""

    @property
    def simulated(self) -> bool:
        """Whether the device is a board in time only."""
        return self.job_latency_us > 0

    @property
    def label(self) -> str:
        """The name for tables; says "simulated" where the device is."""
        return f"{self.name} (simulated)" if self.simulated else self.name

    @property
    def limit_fps(self) -> float | None:
        """Frames per second that a simulated device can do; None elsewhere."""
        return self.cores * 1e6 / self.job_latency_us if self.simulated else None


def find_device(name: str, model: str | Path, *, preset: str = "") -> Device:
    """Return a device by its name, with the latency that this model has on it.

    Parameters
    ----------
    name : one of DEVICES
    model : xmodel, from which the latency of a simulated board is estimated
    preset : the bundle's; "paper-ct-org" on the simulated ZCU104 takes the paper's own measurement

    Raises
    ------
    ConfigurationError
        with the near names, where there is none of this name.
    """
    if name in ("softdpu", "board"):
        return Device(name, name)
    if name not in SIMULATED:
        near = difflib.get_close_matches(name, DEVICES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(DEVICES)}"
        raise ConfigurationError(f"there is no device {name!r}; {hint}")
    board = find_board(name.removesuffix("-sim"))
    if board.name == "zcu104" and preset in ("ct-org", "paper-ct-org"):
        latency_us = round(board.cores * 1e6 / paper_row("ct-org", "VART", "zcu104").fps.mean)
        return Device(name, cores=board.cores, job_latency_us=latency_us, note="latency from the paper's Table I")
    latency_us = max(1, round(estimate(model, board=board.name).latency_ms * 1e3))
    return Device(name, cores=board.cores, job_latency_us=latency_us, note="latency from nerone estimate")
