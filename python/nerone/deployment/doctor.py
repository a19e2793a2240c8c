"""Examines this machine for NERONE, on a laptop or a board: each thing missing with its remedy."""

from __future__ import annotations

import ctypes
import ctypes.util
import dataclasses
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from nerone.compat import OLDEST_PYTHON, oldest_python, zip
from nerone.deployment.doctor_hardware import FINE, NOTE, PROBLEM, Finding, sensor_finding, simd_finding
from nerone.deployment.remote.probe import device_nodes, dpu_fingerprint, has_dpu
from nerone.dpu.fingerprints import boards_of_fingerprint
from nerone.errors import printable
from nerone.extras import EXTRAS, install_command
from nerone.programs import run_program

__all__ = ["FINE", "NOTE", "PROBLEM", "Finding", "examine"]

# A board trains nothing and draws nothing.
_NOT_ON_BOARDS = ("quantize", "pictures", "notebook")
_BOARD = re.compile(r"xlnx|xilinx|zynqmp|kria|kv260|zcu\d|ultra96", re.IGNORECASE)
_ENGINE_LIMIT_S = 10.0
_LIBRARY_FOLDERS = ("usr/lib", "usr/lib64", "usr/lib/aarch64-linux-gnu", "usr/local/lib", "opt/xilinx/xrt/lib")
_MEANS = {
    "xrt_coreutil": ("XRT", "install the board's XRT: it drives the DPU"),
    "vart-dpu-runner": ("DPU runner", "install the board's Vitis AI runtime: compiled models name its DPU runner"),
}


def examine(root: str | Path = "/", machine: str | None = None) -> list[Finding]:
    """Examine the machine.

    Parameters
    ----------
    root : where /dev, /proc, /sys and /etc are; another folder in tests
    machine : as uname -m; this machine's where not given
    """
    place, kind = Path(root), machine or platform.machine()
    model = _device_tree(place, "model")
    on_board = bool(_BOARD.search(model + _device_tree(place, "compatible")))
    name = model if on_board else "no DPU board"
    return [
        Finding("machine", FINE, f"{name or 'a DPU board'}, {kind}, {os.cpu_count()} cores"),
        _python(),
        simd_finding(place),
        _core(),
        _software_dpu(),
        *_libraries(place),
        *_packages(on_board),
        *([] if on_board else _host_tools()),
        *_board_findings(place, on_board, kind),
        sensor_finding(place),
    ]


def _device_tree(root: Path, name: str) -> str:
    try:
        return (root / "proc/device-tree" / name).read_text("utf-8", "replace").replace("\0", " ").strip()
    except OSError:
        return ""


def _python() -> Finding:
    found = platform.python_version()
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return Finding("Python", FINE, found)
    return Finding("Python", PROBLEM, f"{found} is too old", f"install Python {oldest_python()} or newer")


def _guarded(what: str, action: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(what, FINE, action())
    except Exception as error:
        return Finding(what, PROBLEM, " ".join(str(error).split()) or type(error).__name__, remedy)


def _core() -> Finding:
    def load() -> str:
        from nerone import _core

        return str(Path(_core.__file__ or "").name)

    return _guarded("C++ core", load, f"install NERONE again: {install_command()}")


def _software_dpu() -> Finding:
    def run() -> str:
        import tempfile

        import numpy as np

        from nerone import _core
        from nerone.compilation import compile as compile_model
        from nerone.graph import Graph, Node, Op
        from nerone.quantization.model import QuantizedModel

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


def _library(root: Path, name: str) -> str:
    """Find a shared library, also where the system keeps no cache of them, as on small boards."""
    found = ctypes.util.find_library(name)
    for folder in () if found else _LIBRARY_FOLDERS:
        for path in sorted((root / folder).glob(f"lib{name}.so*")):
            return path.name
    return found or ""


def _own_libraries() -> list[Finding]:
    """Name the VART that this very process uses, which may be the one that came with NERONE."""

    def find() -> str:
        from nerone import _core

        version, folder, bundled = _core.vart_installation()
        return f"{version} in {folder}" + (", which came with NERONE" if bundled else "")

    found = _guarded("VART", find, "see the sentence; the board's image, or NERONE's wheel for x86-64, has one")
    both = [found, dataclasses.replace(found, what="XIR")]
    if found.state == FINE:
        return both
    return [_unloadable(one, name) or one for one, name in zip(both, ("vart-runner", "xir"), strict=True)]


def _unloadable(found: Finding, name: str) -> Finding | None:
    """Name a library that is here but cannot be loaded, and what the loader says of it; None where it is missing."""
    if _load_error(f"lib{name}.so.1") is None:
        return None  # VART 1.4 or older, which the sentence names
    for version in ("3", "2"):
        library = f"lib{name}.so.{version}"
        said = _load_error(library)
        if said is None or (said.startswith(f"{library}: ") and said.endswith("No such file or directory")):
            continue
        remedy = "install what the loader misses, or VART again"
        return dataclasses.replace(found, detail=f"{library} is here but cannot be loaded: {said}", remedy=remedy)
    return None


def _load_error(library: str) -> str | None:
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return printable(" ".join(str(error).split()))[:300]
    return None


def _libraries(root: Path) -> list[Finding]:
    if root == Path("/"):
        return _own_libraries()
    remedy = "apt install libvart-dev libxir-dev (Debian 12), or the board's own Vitis AI runtime"
    found = []
    for title, name in (("VART", "vart-runner"), ("XIR", "xir")):
        library = _library(root, name)
        found.append(Finding(title, FINE, library) if library else Finding(title, PROBLEM, "not found", remedy))
    return found


def _has_tomllib() -> bool:
    """Whether the standard library reads TOML, as from Python 3.11 on."""
    return sys.version_info >= (3, 11)


def _packages(on_board: bool) -> list[Finding]:
    missing: dict[str, list[str]] = {}
    for package, extra in {"numpy": "", **EXTRAS}.items():
        if importlib.util.find_spec(package) is None and not (package == "tomli" and _has_tomllib()):
            missing.setdefault(extra, []).append(package)
    findings = []
    for extra, names in missing.items():
        if not (on_board and extra in _NOT_ON_BOARDS):
            state = NOTE if extra else PROBLEM
            findings.append(Finding("Python packages", state, f"{', '.join(names)} missing", install_command(extra)))
    return findings or [Finding("Python packages", FINE, "all there")]


def _host_tools() -> list[Finding]:
    found = [_vendor_compiler()]
    if shutil.which("ssh") is None:
        found.append(Finding("ssh", NOTE, "not in PATH", "install openssh-client to deploy with --to user@board"))
    return found


def _vendor_compiler() -> Finding:
    """Find the compiler, or a container engine that works: a docker whose daemon is down runs nothing."""
    what, elsewhere = "vendor's compiler", "nerone compile leaves a folder for a machine that has one"
    if compiler := shutil.which("vai_c_xir"):
        return Finding(what, FINE, compiler)
    engines = [engine for name in ("docker", "podman") if (engine := shutil.which(name))]
    dead = []
    for engine in engines:
        if not (reason := _engine_error(engine)):
            return Finding(what, FINE, engine)
        dead.append(f"{engine} does not answer: {reason}")
    if dead:
        start = "start its daemon (systemctl start docker) or let this user reach it (group docker)"
        return Finding(what, NOTE, "; ".join(dead), start if "docker" in dead[0] else elsewhere)
    return Finding(what, NOTE, "neither vai_c_xir nor docker nor podman in PATH", elsewhere)


def _engine_error(engine: str) -> str:
    """Return why a container engine cannot run anything; empty where it can."""
    lines: list[str] = []
    try:
        code = run_program([engine, "info"], Path.cwd(), _ENGINE_LIMIT_S, lines.append)
    except subprocess.TimeoutExpired:
        return f"nothing within {_ENGINE_LIMIT_S:g} s"
    except OSError as error:
        return error.strerror or str(error)
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return "" if code == 0 else printable(said)[:200] or f"exit code {code}"


def _board_findings(root: Path, on_board: bool, machine: str) -> list[Finding]:
    nodes, fingerprint = device_nodes(root), dpu_fingerprint()
    if not has_dpu(fingerprint, nodes, machine) or not (on_board or fingerprint or "/dev/dpu" in nodes):
        remedy = "load the DPU overlay (xmutil loadapp, or pynq_dpu.DpuOverlay) and its driver zocl"
        if on_board:
            return [Finding("DPU device", PROBLEM, "no /dev/dri/renderD* of zocl and no /dev/dpu", remedy)]
        none = Finding("DPU device", NOTE, "none", "the software DPU runs every bundle here, bit for bit as a board")
        return [none, _fingerprint("")] if os.environ.get("NERONE_DPU_FINGERPRINT") else [none]
    if not nodes:
        found = Finding(
            "DPU device",
            PROBLEM,
            "a fingerprint, but no device node",
            "load the driver zocl, or unset NERONE_DPU_FINGERPRINT",
        )
    else:
        found = Finding("DPU device", FINE, ", ".join(nodes))
    return [found, *_board_libraries(root), _firmware(root), _fingerprint(fingerprint)]


def _board_libraries(root: Path) -> list[Finding]:
    found = []
    for name, (title, remedy) in _MEANS.items():
        library = _library(root, name)
        found.append(Finding(title, FINE, library) if library else Finding(title, PROBLEM, f"no lib{name}.so", remedy))
    return found


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


def _fingerprint(text: str) -> Finding:
    if not text:
        given = os.environ.get("NERONE_DPU_FINGERPRINT", "")
        detail = f"NERONE_DPU_FINGERPRINT is '{given}', expected 0x..." if given else "unknown"
        return Finding("fingerprint", PROBLEM, detail, "install xdputil, or set NERONE_DPU_FINGERPRINT to arch.json's")
    known = boards_of_fingerprint(int(text, 16))
    names = ", ".join(f"{board} of Vitis AI {version}" for board, version in known)
    if names:
        return Finding("fingerprint", FINE, f"{text} ({names})")
    return Finding(
        "fingerprint", NOTE, f"{text}, of no board of the table", "compile with this board's arch.json: --arch"
    )
