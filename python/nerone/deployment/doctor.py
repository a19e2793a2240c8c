"""What this machine has and lacks for NERONE, each lack with its remedy. Works on a laptop and on a board."""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nerone.compilation.boards import boards_of_fingerprint

__all__ = ["Finding", "examine"]

FINE, NOTE, PROBLEM = "fine", "note", "problem"

_PACKAGES = {
    "numpy": "",
    "typer": "cli",
    "rich": "cli",
    "nibabel": "data",
    "pydicom": "data",
    "SimpleITK": "data",
    "PIL": "data",
    "h5py": "quantize",
    "tensorflow": "quantize",
    "matplotlib": "pictures",
}
_SIMD = ("avx512_vnni", "avx_vnni", "avx512f", "avx2", "sse4_1", "asimddp", "asimd")
_NODES = ("/dev/dri/renderD128", "/dev/dpu")


@dataclass(frozen=True)
class Finding:
    """One line of the examination: what, how it stands ("fine", "note", "problem"), detail and remedy."""

    what: str
    state: str
    detail: str
    remedy: str = ""


def examine(root: str | Path = "/") -> list[Finding]:
    """Examine the machine.

    Parameters
    ----------
    root : where /dev, /proc, /sys and /etc are; another folder in tests
    """
    place = Path(root)
    board = _board(place)
    return [
        Finding("machine", FINE, f"{board or 'no DPU board'}, {platform.machine()}, {os.cpu_count()} cores"),
        Finding("Python", FINE, platform.python_version()),
        _simd(place),
        _core(),
        _software_dpu(),
        *_libraries(),
        *_packages(bool(board)),
        _vendor_compiler(),
        *_board_findings(place, bool(board)),
        _sensors(place),
    ]


def _board(root: Path) -> str:
    try:
        return (root / "proc/device-tree/model").read_text("utf-8", "replace").strip("\0\n ")
    except OSError:
        return ""


def _simd(root: Path) -> Finding:
    try:
        text = (root / "proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return Finding("SIMD", NOTE, "no /proc/cpuinfo to read")
    words = set(text.split())
    found = [name for name in _SIMD if name in words]
    if found:
        return Finding("SIMD", FINE, f"best of {', '.join(found)}")
    return Finding("SIMD", NOTE, "none known", "the software DPU falls back to scalar code and is slow")


def _guarded(what: str, action: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(what, FINE, action())
    except Exception as error:
        return Finding(what, PROBLEM, " ".join(str(error).split()) or type(error).__name__, remedy)


def _core() -> Finding:
    def load() -> str:
        from nerone import _core

        return str(Path(_core.__file__ or "").name)

    return _guarded("C++ core", load, "install NERONE again: pip install nerone")


def _software_dpu() -> Finding:
    def run() -> str:
        import tempfile

        import numpy as np

        from nerone import _core
        from nerone.compilation import compile as compile_model
        from nerone.graph import Graph, Node, Op
        from nerone.quantization.quantized import QuantizedModel

        nodes = (Node("x", Op.INPUT, (), (2, 2, 1)), Node("y", Op.ADD, ("x", "x"), (2, 2, 1)))
        model = QuantizedModel(Graph("doctor", nodes, ("x",), ("y",)), {"x": 0, "y": 0}, {})
        with tempfile.TemporaryDirectory(prefix="nerone-") as scratch:
            path = str(compile_model(model, output=Path(scratch) / "doctor.xmodel").path)
            loaded = _core.Model(path, _core.DeviceOptions())
            result = np.zeros((1, 2, 2, 1), np.float32)
            loaded.run([np.full((1, 2, 2, 1), 21, np.int8)], [result])
        if not (result == 42).all():
            raise ValueError(f"21 + 21 gave {result.ravel().tolist()}")
        return "computes, through VART"

    return _guarded("software DPU", run, "install NERONE again, and libvart-dev and libxir-dev of the distribution")


def _libraries() -> list[Finding]:
    remedy = "apt install libvart-dev libxir-dev (Debian 12), or the board's own Vitis AI runtime"
    found = []
    for title, name in (("VART", "vart-runner"), ("XIR", "xir")):
        library = ctypes.util.find_library(name)
        found.append(Finding(title, FINE, library) if library else Finding(title, PROBLEM, "not found", remedy))
    return found


def _packages(on_board: bool) -> list[Finding]:
    missing: dict[str, list[str]] = {}
    for package, extra in _PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            missing.setdefault(extra, []).append(package)
    findings = []
    for extra, names in missing.items():
        # A board needs neither TensorFlow nor pictures.
        state = NOTE if extra else PROBLEM
        if not (on_board and extra == "quantize"):
            remedy = f"pip install 'nerone[{extra}]'" if extra else "pip install nerone"
            findings.append(Finding("Python packages", state, f"{', '.join(names)} missing", remedy))
    return findings or [Finding("Python packages", FINE, "all there")]


def _vendor_compiler() -> Finding:
    path = shutil.which("vai_c_xir")
    if path:
        return Finding("vendor's compiler", FINE, path)
    return Finding(
        "vendor's compiler", NOTE, "vai_c_xir is not in PATH", "nerone compile leaves a folder for its container"
    )


def _board_findings(root: Path, on_board: bool) -> list[Finding]:
    nodes = [node for node in _NODES if (root / node.lstrip("/")).exists()]
    if not nodes:
        state = PROBLEM if on_board else NOTE
        return [Finding("DPU device", state, f"neither {' nor '.join(_NODES)}", "on a board: load the DPU overlay")]
    return [Finding("DPU device", FINE, ", ".join(nodes)), _firmware(root), _fingerprint()]


def _firmware(root: Path) -> Finding:
    named = os.environ.get("XLNX_VART_FIRMWARE", "")
    source = "XLNX_VART_FIRMWARE"
    if not named:
        source = "/etc/vart.conf"
        try:
            match = re.search(r"firmware:\s*(\S+)", (root / "etc/vart.conf").read_text("utf-8"))
        except OSError:
            match = None
        named = match[1] if match else ""
    if not named:
        return Finding("firmware", PROBLEM, "none named", "write 'firmware: /path/dpu.xclbin' to /etc/vart.conf")
    if not (root / named.lstrip("/")).is_file():
        return Finding("firmware", PROBLEM, f"{source} names '{named}', which does not exist", "correct the path")
    return Finding("firmware", FINE, named)


def _fingerprint() -> Finding:
    text = os.environ.get("NERONE_DPU_FINGERPRINT", "")
    if not text and shutil.which("xdputil"):
        done = subprocess.run(["xdputil", "query"], capture_output=True, text=True, check=False, timeout=60)
        text = done.stdout
    match = re.search(r"0x[0-9a-fA-F]+", text)
    if not match:
        return Finding("fingerprint", NOTE, "unknown", "install xdputil, or set NERONE_DPU_FINGERPRINT")
    known = boards_of_fingerprint(int(match[0], 16))
    names = ", ".join(f"{board} of Vitis AI {version}" for board, version in known)
    return Finding("fingerprint", FINE, f"{match[0]} ({names or 'no board of the table'})")


def _sensors(root: Path) -> Finding:
    found = sorted(str(path.parent.name) for path in root.glob("sys/class/hwmon/hwmon*/power1_input"))
    rapl = sorted(path.name for path in root.glob("sys/class/powercap/intel-rapl:*") if path.is_dir())
    if found or rapl:
        return Finding("power sensors", FINE, ", ".join([*found, *rapl]))
    return Finding("power sensors", NOTE, "none", "power is n/a; give a meter's CSV or watts to nerone bench")
