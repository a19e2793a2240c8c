"""The engines that this machine has."""

from __future__ import annotations

from pathlib import Path


def _has_vnni() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "avx512_vnni" in cpuinfo.read_text()


ENGINES = ["scalar", "portable", "onednn", "jit"] if _has_vnni() else ["scalar", "portable"]
