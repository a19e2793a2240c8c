"""What the doctor finds of the processor and of the power sensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["FINE", "NOTE", "PROBLEM", "Finding", "sensor_finding", "simd_finding"]

FINE, NOTE, PROBLEM = "fine", "note", "problem"

# Best first: the target that Highway takes, and the processor's features that it asks for (its hwy/targets.cc).
_X86 = (
    ("AVX3_DL", "avx512f avx512vl avx512dq avx512bw avx512_vnni avx512_vbmi2 vpclmulqdq gfni vaes avx512_bitalg"),
    ("AVX3", "avx512f avx512vl avx512dq avx512bw avx512cd"),
    ("AVX2", "avx2 fma bmi1 bmi2 f16c"),
    ("SSE4", "sse4_1 sse4_2 aes pclmulqdq"),
    ("SSSE3", "ssse3"),
)
_ARM = (("NEON", "asimd aes"), ("NEON without AES", "asimd"))


@dataclass(frozen=True)
class Finding:
    """One line of the examination: what, how it stands ("fine", "note", "problem"), detail and remedy."""

    what: str
    state: str
    detail: str
    remedy: str = ""


def simd_finding(root: Path, machine: str) -> Finding:
    """Say which vector instructions the kernels take on this processor."""
    slow = "the software DPU is slow here"
    try:
        text = (root / "proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return Finding("SIMD", NOTE, "no /proc/cpuinfo to read")
    lines = [line.partition(":")[2] for line in text.splitlines() if line.lower().startswith(("flags", "features"))]
    arm = machine in ("aarch64", "arm64")
    words = set(" ".join(lines).split())
    if arm and "asimd" not in words:
        # Under an emulator the file is the host's; every 64-bit ARM has NEON.
        return Finding("SIMD", FINE, "NEON")
    for name, features in _ARM if arm else _X86:
        if set(features.split()) <= words:
            extra = [word for word in ("avx512_vnni", "avx_vnni", "asimddp") if word in words]
            return Finding("SIMD", FINE, f"{name}{', with ' + ', '.join(extra) if extra else ''}")
    return Finding("SIMD", NOTE, "none that the kernels know", f"they fall back to scalar code: {slow}")


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
