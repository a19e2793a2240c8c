"""Includes and imports point down only; each vendor API is used in one folder."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

# What each folder of cpp/src may include, besides itself and the public headers.
CPP_USES = {
    "base": set(),
    "xmodel": {"base"},
    "isa": {"base", "xmodel"},
    "kernels": {"base"},
    "compiled": {"base", "xmodel", "isa"},
    "softdpu": {"base", "xmodel", "isa", "kernels", "compiled"},
    "preprocess": {"base", "kernels"},
    "postprocess": {"base", "kernels"},
    "cpu": {"base", "xmodel", "kernels", "softdpu"},  # fixed-point ops that stand in a CPU subgraph
    "vart": {"base", "xmodel"},
    "model": {"base", "xmodel", "cpu", "vart"},
    "pipeline": {"base", "xmodel", "vart", "model", "preprocess", "postprocess", "kernels"},
}

# High to low; a package may import those that stand in its set.
_LOW = {"errors", "extras", "ownership", "programs", "_core"}
_RUNTIME = _LOW | {"runtime", "backends"}
_MODEL = {"instructions", "graph", "dpu", "quantization", "compilation"}
PYTHON_USES = {
    "instructions": _LOW,
    "graph": _LOW,
    "dpu": _LOW | {"graph"},
    "quantization": _LOW | {"graph", "dpu"},
    "compilation": _LOW | {"instructions", "graph", "dpu", "quantization"},
    "runtime": _LOW | {"backends"},
    "backends": _LOW | {"runtime"},
    "data": _LOW | {"runtime"},
    "deployment": _RUNTIME | _MODEL | {"data"},
    "evaluation": _RUNTIME | _MODEL | {"deployment", "data", "zoo"},
    "zoo": _RUNTIME | _MODEL | {"deployment", "data", "evaluation"},
    "live": _RUNTIME | {"data", "deployment", "evaluation", "zoo"},
    "cli": _RUNTIME | _MODEL | {"deployment", "data", "evaluation", "zoo", "live"},
}


def _cpp_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix in {".cpp", ".hpp", ".h"}]


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "cpp/src").iterdir() if path.is_dir()))
def test_cpp_includes_point_down(folder: str) -> None:
    assert folder in CPP_USES, f"cpp/src/{folder} is not in the architecture"
    allowed = CPP_USES[folder] | {folder}
    for path in _cpp_files(ROOT / "cpp/src" / folder):
        for target in re.findall(r'#include "(\w+)/', path.read_text()):
            if target in CPP_USES:
                assert target in allowed, f"{path.relative_to(ROOT)} includes {target}/, which is above it"


@pytest.mark.parametrize(("api", "owners"), [("vart", {"vart", "softdpu"}), ("xir", {"xmodel"})])
def test_vendor_api_is_used_in_one_folder(api: str, owners: set[str]) -> None:
    # The software DPU implements the runner interface of <vart/>; it does not use the runtime.
    users = {
        path.relative_to(ROOT / "cpp/src").parts[0]
        for path in _cpp_files(ROOT / "cpp/src")
        if re.search(rf"#include <{api}/", path.read_text())
    }
    assert users <= owners


def test_public_headers_use_the_standard_library_only() -> None:
    for path in _cpp_files(ROOT / "cpp/include"):
        for header in re.findall(r"#include [<\"]([^>\"]+)", path.read_text()):
            assert "/" not in header or header.startswith("nerone/"), f"{path.name} includes {header}"


def _imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("nerone."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("nerone.")}
    return found


@pytest.mark.parametrize(
    "package", sorted(p.name for p in (ROOT / "python/nerone").iterdir() if p.is_dir() and p.name[0] != "_")
)
def test_python_imports_point_down(package: str) -> None:
    allowed = PYTHON_USES[package] | {package}
    for path in sorted((ROOT / "python/nerone" / package).rglob("*.py")):
        above = _imported_packages(path) - allowed
        assert not above, f"{path.relative_to(ROOT)} imports {sorted(above)}, which are above it"
