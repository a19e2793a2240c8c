"""The doctor's findings on the processor and the power sensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["FINE", "NOTE", "PROBLEM", "Finding", "sensor_finding", "simd_finding"]

FINE, NOTE, PROBLEM = "fine", "note", "problem"

_SCALAR_TARGETS = ("EMU128", "SCALAR")
_DOT_PRODUCTS = ("avx512_vnni", "avx_vnni", "asimddp")


@dataclass(frozen=True)
class Finding:
    """One line of the examination: what, how it stands ("fine", "note", "problem"), detail and remedy."""

    what: str
    state: str
    detail: str
    remedy: str = ""


def simd_finding(root: Path) -> Finding:
    """Say which vector instructions the kernels take on this processor, and its dot products of int8."""
    try:
        from nerone._core import simd_target
    except ImportError:
        return Finding("SIMD", NOTE, "unknown without the C++ core")
    target = simd_target()
    if target in _SCALAR_TARGETS:
        slow = "they fall back to scalar code: the software DPU is slow here"
        return Finding("SIMD", NOTE, "none that the kernels know", slow)
    features = set(_text(root / "proc/cpuinfo").split())
    extra = [word for word in _DOT_PRODUCTS if word in features]
    return Finding("SIMD", FINE, f"{target}{', with ' + ', '.join(extra) if extra else ''}")


def sensor_finding(root: Path) -> Finding:
    """Say which power sensors can be read."""
    found: list[str] = []
    locked: list[str] = []
    for folder in sorted(root.glob("sys/class/hwmon/hwmon*")):
        if any((folder / name).is_file() for name in ("power1_input", "curr1_input")):
            found.append(f"{folder.name} {_text(folder / 'name')}".strip())
    for zone in sorted(root.glob("sys/class/powercap/intel-rapl:*")):
        if _text(zone / "name").startswith("package"):
            (found if _text(zone / "energy_uj") else locked).append(f"RAPL {_text(zone / 'name')}")
    if found:
        return Finding("power sensors", FINE, ", ".join(found))
    if locked:
        return Finding("power sensors", NOTE, f"{', '.join(locked)} cannot be read", "run as root to measure power")
    return Finding("power sensors", NOTE, "none", "power is n/a; give a meter's CSV or watts with nerone bench --power")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
