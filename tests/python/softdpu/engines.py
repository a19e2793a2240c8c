"""The engines that this machine has."""

from __future__ import annotations

import platform
from ctypes.util import find_library
from pathlib import Path


def _flags() -> set[str]:
    # Under qemu's user mode cpuinfo is the host's, so the machine's own name is asked as well.
    cpuinfo = Path("/proc/cpuinfo")
    return set(cpuinfo.read_text().split()) if platform.machine() == "x86_64" and cpuinfo.exists() else set()


_NEEDED = {"onednn": "avx512_vnni", "jit": "avx512_vnni", "jit-avx-vnni": "avx_vnni", "jit-avx2": "avx2"}
# oneDNN's engine is built only where its library was found.
ENGINES = [
    "scalar",
    "portable",
    *(name for name, flag in _NEEDED.items() if flag in _flags() and (name != "onednn" or find_library("dnnl"))),
]
