"""Facts of a machine: its DPU, its programs. Runs on the host and, sent over ssh, on the board.

Nothing but the standard library.
"""

from __future__ import annotations

import ctypes.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

__all__ = [
    "controller_fingerprint",
    "core_problem",
    "device_nodes",
    "dpu_fingerprint",
    "has_dpu",
    "parse_fingerprint",
    "program_versions",
]

if TYPE_CHECKING:
    # Not at run time: the Pythons of old boards cannot subscript it, and are to say how old they are.
    Nodes = list[str]


def parse_fingerprint(text: str) -> str:
    """Return the DPU fingerprint in what `xdputil query` prints, as 0x...; "" where there is none."""
    match = re.search(r"fingerprint[^\n]*?(0x[0-9a-fA-F]{1,16})", text)
    return match.group(1).lower() if match and int(match.group(1), 16) else ""


def dpu_fingerprint() -> str:
    """Return the fingerprint of this machine's DPU; "" if unknown.

    NERONE_DPU_FINGERPRINT, else what xdputil says, else, where there is a device, what VART's own library says: the
    images of Kria-PYNQ have no xdputil.
    """
    known = os.environ.get("NERONE_DPU_FINGERPRINT", "")
    if known:
        return parse_fingerprint("fingerprint: " + known)
    found = parse_fingerprint(_said_by(["xdputil", "query"])) if shutil.which("xdputil") else ""
    return found or (controller_fingerprint() if device_nodes(Path("/")) else "")


# xir::DpuController::get_instance() gives a std::shared_ptr, which is returned where the caller says; only of a larger
# structure does ctypes say so on AArch64. get_fingerprint is the sixth slot of the class in 1.4 to 3.5.
_ASK_CONTROLLER = """
import ctypes, os
from ctypes import c_size_t, c_uint64, c_void_p
for soname in ("3", "2"):
    try:
        library = ctypes.CDLL("libvart-dpu-controller.so." + soname)
        break
    except OSError:
        pass
class Shared(ctypes.Structure):
    _fields_ = [("instance", c_void_p), ("count", c_void_p), ("room", c_void_p * 2)]
get_instance = library._ZN3xir13DpuController12get_instanceEv
get_instance.restype = Shared
instance = get_instance().instance
slots = ctypes.cast(ctypes.cast(instance, ctypes.POINTER(c_void_p))[0], ctypes.POINTER(c_void_p))
print("fingerprint", hex(ctypes.CFUNCTYPE(c_uint64, c_void_p, c_size_t)(slots[5])(instance, 0)), flush=True)
os._exit(0)
"""


def controller_fingerprint() -> str:
    """Ask VART's controller for the fingerprint, in a process of its own: without a device it aborts."""
    return parse_fingerprint(_said_by([sys.executable, "-c", _ASK_CONTROLLER]))


def _said_by(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def device_nodes(root: Path) -> Nodes:
    """Return the device nodes of a DPU; a render node of another driver than XRT's zocl is a graphics card's."""
    found = []
    for path in [root / "dev/dpu", *sorted((root / "dev/dri").glob("renderD*"))]:
        try:
            device = (root / "sys/class/drm" / path.name / "device/uevent").read_text("utf-8", "replace")
        except OSError:
            device = ""
        driver = re.search(r"^DRIVER=(.*)$", device, re.MULTILINE)
        if path.exists() and (driver is None or driver.group(1).startswith("zocl")):
            found.append("/" + str(path.relative_to(root)))
    return found


def has_dpu(fingerprint: str, nodes: Nodes, machine: str) -> bool:
    """Say whether a machine has a DPU; on a PC a render node without a known driver is a graphics card's too."""
    return bool(fingerprint or "/dev/dpu" in nodes or (nodes and machine != "x86_64"))


def program_versions() -> dict[str, str]:
    """Return the versions of the programs that matter; "" where one is missing."""
    found = {"python": platform.python_version(), "nerone": "", "vart": ctypes.util.find_library("vart-runner") or ""}
    try:
        from importlib import metadata
    except ImportError:
        # Before 3.8: too old anyway, which the host says.
        return found
    for package in ("nerone", "numpy"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = ""
    return found


def core_problem() -> str:
    """Say why this Python cannot load NERONE; "" where it can."""
    try:
        import nerone._core  # noqa: F401
    except Exception as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""
