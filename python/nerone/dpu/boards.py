"""The boards: which DPU they carry, how many cores at which clock, and the fingerprints that tell them apart.

Sources: the paper's Table of platforms (Vitis AI 1.4 overlays), AMD PG338 for the parallelism and peak operations of
the DPUCZDX8G configurations, AMD UG1414 "Currently Supported Operators" for the limits, published compiled models for
the fingerprints. Power and the host's time per value are fitted to the paper's Table I
(:mod:`nerone.compilation.paper.estimates`).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from nerone.errors import ConfigurationError

__all__ = [
    "BOARDS",
    "DPUS",
    "IMAGES",
    "SIMULATED",
    "Board",
    "Dpu",
    "Image",
    "board_names",
    "find_board",
    "images_of",
    "vitis_ai_image",
]


@dataclass(frozen=True)
class Dpu:
    """A configuration of the DPUCZDX8G.

    Attributes
    ----------
    name : str, the vendor's size name; the number is the peak of operations per cycle
    pixel_parallel, channel_parallel : int, output pixels and input (= output) channels computed per cycle
    bank_depth : int, words of a weight bank
    version : int, of the instruction set: 0 in overlays of Vitis AI 1.4, 1 in later ones
    """

    name: str
    pixel_parallel: int
    channel_parallel: int
    bank_depth: int = 2048
    version: int = 1

    @property
    def peak_macs_per_cycle(self) -> int:
        """Multiply-accumulates per cycle at full use."""
        return self.pixel_parallel * self.channel_parallel * self.channel_parallel

    @property
    def max_channels(self) -> int:
        """Most input or output channels of one convolution."""
        return 256 * self.channel_parallel


DPUS: Mapping[str, Dpu] = MappingProxyType(
    {
        dpu.name: dpu
        for dpu in (
            Dpu("B512", 4, 8),
            Dpu("B800", 4, 10),
            Dpu("B1024", 8, 8),
            Dpu("B1152", 4, 12),
            Dpu("B1600", 8, 10),
            Dpu("B2304", 8, 12),
            Dpu("B3136", 8, 14),
            Dpu("B4096", 8, 16),
        )
    }
)


@dataclass(frozen=True)
class Board:
    """A board, or the host with its software DPU.

    Attributes
    ----------
    name, title : str, the name used on the command line, and the product's
    dpu : mapping of Vitis AI version to the DPU in its overlay
    cores : int, DPU cores of the overlay
    clock_mhz : float, DPU clock (the DSPs run at twice this)
    memory_gib : float, memory of the board
    bandwidth_gb_s : float, peak of its memory
    vitis_ai : str, the version that is used where the caller names none
    fingerprints : mapping of Vitis AI version to the fingerprint that the vendor's compiler has to be given
    idle_watts, core_watts : float or None, of the whole board while its DPU waits, and added by a busy DPU core; None
        where nothing was published
    host_ns_per_value : float or None, nanoseconds that PYNQ-DPU's loop takes beside the DPU for each float32 value of
        the network's input and output
    """

    name: str
    title: str
    dpu: Mapping[str, Dpu]
    cores: int
    clock_mhz: float
    memory_gib: float
    bandwidth_gb_s: float
    vitis_ai: str
    fingerprints: Mapping[str, int] = field(default_factory=dict)
    idle_watts: float | None = None
    core_watts: float | None = None
    host_ns_per_value: float | None = None

    @property
    def is_host(self) -> bool:
        """Whether this is the software DPU."""
        return self.name == "host"

    def dpu_of(self, version: str | None = None) -> Dpu:
        """Return the DPU of the overlay of a Vitis AI version."""
        return self.dpu[self._known(version)]

    def fingerprint_of(self, version: str | None = None) -> int | None:
        """Return the fingerprint of the overlay of a Vitis AI version; None for the host."""
        return None if self.is_host else self.fingerprints[self._known(version)]

    def _known(self, version: str | None) -> str:
        version = version or self.vitis_ai
        if version not in self.dpu:
            raise ConfigurationError(
                f"board '{self.name}' has no entry for Vitis AI {version}; known are {', '.join(sorted(self.dpu))}. "
                "Take one of these, and give the board's own arch.json with --arch"
            )
        return version


def _old(name: str) -> Dpu:
    return replace(DPUS[name], version=0)


_ON_B4096 = {"1.4": _old("B4096"), "2.5": DPUS["B4096"], "3.0": DPUS["B4096"], "3.5": DPUS["B4096"]}


@dataclass(frozen=True)
class Image:
    """An image for a board's SD card.

    Attributes
    ----------
    name : str, the product's
    vitis_ai : str, version of its VART
    python : str, of the system
    supported : bool, whether NERONE runs there
    """

    name: str
    vitis_ai: str
    python: str
    supported: bool = True


# Read from the images' public recipes and documents.
_PYNQ_27 = Image("PYNQ 2.7", "1.4", "3.8", supported=False)
_PYNQ_30 = Image("PYNQ 3.0", "2.5", "3.10")
_KRIA_PYNQ = Image("Kria-PYNQ (Ubuntu 22.04)", "2.5", "3.10")
_PETALINUX = (
    Image("PetaLinux 2021.2", "2.0", "3.8", supported=False),
    Image("PetaLinux 2022.1", "2.5", "3.9"),
    Image("PetaLinux 2022.2", "3.0", "3.9"),
    Image("PetaLinux 2023.1", "3.5", "3.10"),
)
IMAGES: Mapping[str, tuple[Image, ...]] = MappingProxyType(
    {
        "ultra96v2": (_PYNQ_30, _PYNQ_27),
        "kv260": (_KRIA_PYNQ, *_PETALINUX),
        "zcu104": (_PYNQ_30, _PYNQ_27, *_PETALINUX),
    }
)
"""The images by board; the first is what most people start with."""


def images_of(board: Board) -> tuple[Image, ...]:
    """Return the images of a board; none for the host."""
    return IMAGES.get(board.name, ())


# Vitis AI 3.5 brought no new DPUCZDX8G: UG1354 3.5 sends Zynq UltraScale+ boards to 3.0, and the target files of its
# compiler's sources (target_factory/targets/DPUCZDX8G_ISA1_*.prototxt) have 3.0's feature codes.
_B4096 = {
    "1.4": 0x1000020F6014407,
    "2.5": 0x101000016010407,
    "3.0": 0x101000056010407,
    "3.5": 0x101000056010407,
}
_ULTRA96 = {"1.4": 0x1000020F6014405, "2.5": 0x101000016010404}

BOARDS: Mapping[str, Board] = MappingProxyType(
    {
        board.name: board
        for board in (
            Board("host", "software DPU", {"2.5": DPUS["B4096"]}, 1, 300.0, 4.0, 19.2, "2.5"),
            Board(
                "ultra96v2",
                "Ultra96-V2",
                {"1.4": _old("B2304"), "2.5": DPUS["B1600"]},
                1,
                300.0,
                2.0,
                8.5,
                "2.5",
                _ULTRA96,
                idle_watts=8.07,
                core_watts=3.31,
                host_ns_per_value=37.5,
            ),
            Board(
                "kv260",
                "Kria KV260",
                _ON_B4096,
                1,
                300.0,
                4.0,
                19.2,
                "2.5",
                _B4096,
                idle_watts=10.67,
                core_watts=3.82,
                host_ns_per_value=14.9,
            ),
            Board(
                "zcu104",
                "ZCU104",
                _ON_B4096,
                2,
                300.0,
                2.0,
                19.2,
                "2.5",
                _B4096,
                idle_watts=13.76,
                core_watts=7.39,
                host_ns_per_value=13.3,
            ),
        )
    }
)


SIMULATED = tuple(f"{board.name}-sim" for board in reversed(tuple(BOARDS.values())) if not board.is_host)
"""Devices that take a board's time and compute nothing."""

_IMAGES = {
    "1.4": "xilinx/vitis-ai-cpu:1.4.1.978",
    "2.5": "xilinx/vitis-ai-cpu:2.5",
    "3.0": "xilinx/vitis-ai-tensorflow2-cpu:ubuntu2004-3.0.0.106",
    "3.5": "xilinx/vitis-ai-tensorflow2-cpu:ubuntu2004-3.5.0.306",
}


def vitis_ai_image(version: str) -> str:
    """Return the container image with the vendor's tools of a Vitis AI version."""
    return _IMAGES[version]


def board_names(*, host: bool = True) -> str:
    """Return the names of the boards in words, for help and messages.

    Examples
    --------
    >>> board_names(host=False)
    'ultra96v2, kv260 or zcu104'
    """
    *first, last = [board.name for board in BOARDS.values() if host or not board.is_host]
    return f"{', '.join(first)} or {last}"


def find_board(name: str) -> Board:
    """Return the board of that name.

    Raises
    ------
    ConfigurationError
        where there is none, with the nearest name.
    """
    key = name.lower().replace("-", "").replace("_", "").replace(" ", "")
    if key in BOARDS:
        return BOARDS[key]
    near = difflib.get_close_matches(key, BOARDS, 1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise ConfigurationError(f"there is no board '{name}'; {hint}Known boards are {', '.join(sorted(BOARDS))}")
