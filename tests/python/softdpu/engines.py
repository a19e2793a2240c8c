"""The engines that this machine has."""

from __future__ import annotations

import platform
from pathlib import Path


def _has_vnni() -> bool:
    # Under qemu's user mode cpuinfo is the host's, so the machine's own name is asked as well.
    cpuinfo = Path("/proc/cpuinfo")
    return platform.machine() == "x86_64" and cpuinfo.exists() and "avx512_vnni" in cpuinfo.read_text()


ENGINES = ["scalar", "portable", "onednn", "jit"] if _has_vnni() else ["scalar", "portable"]
