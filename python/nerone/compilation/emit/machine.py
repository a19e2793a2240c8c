"""The DPU that a stream is made for: its instruction set, its banks, and what its fields can hold."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nerone.dpu.boards import DPUS
from nerone.errors import ModelError

__all__ = [
    "BANK_ROWS",
    "CONV",
    "LOAD",
    "MISC",
    "SAVE",
    "SIZES",
    "WRAPS",
    "Machine",
    "machine_of",
    "machine_of_size",
    "machine_of_target",
]

BANK_ROWS = 2048
WRAPS = 4  # starts of lines that an instruction holds: in0 to in3

# Engines, by their bits in dpdon and dpdby.
LOAD, SAVE, CONV, MISC = 1, 2, 4, 8

# (pixels, channels) of a cycle, in the order of the fingerprint's last four bits.
SIZES = {name: (dpu.pixel_parallel, dpu.channel_parallel) for name, dpu in DPUS.items()}
_BASE = (0x1000020F6014000, 0x101000016010000)


@dataclass(frozen=True)
class Machine:
    """A DPUCZDX8G.

    Attributes
    ----------
    fingerprint : int
    isa : int, version of the instruction set, 0 or 1
    size : str, such as "B4096"
    pixels : int, banks of a group, and lines of a tile
    channels : int, bytes of a bank's row
    misc_lines : int, lines of one instruction of the MISC engine at most
    image_groups : int, groups of image banks; the compiler uses two
    """

    fingerprint: int
    isa: int
    size: str
    pixels: int
    channels: int
    misc_lines: int
    image_groups: int = 2

    @property
    def name(self) -> str:
        """The vendor's name of it."""
        return f"DPUCZDX8G_ISA0_{self.size}_MAX_BG2" if self.isa == 0 else f"DPUCZDX8G_ISA1_{self.size}"

    @property
    def weight_bank(self) -> int:
        """First of the banks of weights, one for each output channel of a group; the image banks precede."""
        return self.image_groups * self.pixels

    @property
    def depthwise_bank(self) -> int:
        """Bank of depthwise weights."""
        return self.weight_bank + self.channels

    @property
    def bias_bank(self) -> int:
        """Bank of biases, the last one."""
        return self.depthwise_bank + 1

    def groups(self, channels: int) -> int:
        """Return the rows that these channels of a pixel take."""
        return -(-channels // self.channels)


def machine_of(fingerprint: int) -> Machine:
    """Return the DPU with this fingerprint.

    Raises
    ------
    ModelError
        for a fingerprint of another family, or of a DPU with too few banks.
    """
    isa, number, lines = (fingerprint >> 48) & 0xFF, fingerprint & 15, (fingerprint >> 8) & 15
    if isa > 1 or number >= len(SIZES) or not lines or fingerprint >> 56 != 1:
        raise ModelError(
            f"0x{fingerprint:x} is no fingerprint of a DPUCZDX8G that this compiler knows; check arch.json"
        )
    groups = 2 if isa == 0 else (fingerprint >> 24) & 3
    if groups < 2:
        raise ModelError(f"the DPU 0x{fingerprint:x} has {groups} group of image banks; the compiler needs 2")
    size = tuple(SIZES)[number]
    return Machine(fingerprint, isa, size, *SIZES[size], lines, groups)


def machine_of_size(size: str, isa: int) -> Machine:
    """Return the DPU of a size as the vendor configures it: MISC takes half the lines of a tile."""
    number = tuple(SIZES).index(size)
    return machine_of(_BASE[isa] | (SIZES[size][0] // 2) << 8 | number)


def machine_of_target(target: str) -> Machine:
    """Return the DPU that an arch.json names, such as "DPUCZDX8G_ISA1_B4096".

    Raises
    ------
    ModelError
        for another name.
    """
    found = re.match(r"DPUCZDX8G_ISA([01])_(B\d+)", target)
    if found is None or found[2] not in SIZES:
        raise ModelError(f"'{target}' is no DPU that this compiler knows, such as DPUCZDX8G_ISA1_B4096")
    return machine_of_size(found[2], int(found[1]))
