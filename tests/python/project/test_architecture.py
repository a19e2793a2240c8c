"""Includes and imports point down only; each vendor API is used in one folder."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

import nerone

ROOT = Path(__file__).resolve().parents[3]

# What each folder of cpp/src may include, besides itself and the public headers.
CPP_USES = {
    "base": set(),
    "door": {"base"},  # VART, XIR and UniLog without their types
    "xmodel": {"base", "door"},
    "isa": {"base", "xmodel"},
    "kernels": {"base"},
    "compiled": {"base", "door", "xmodel", "isa"},
    "softdpu": {"base", "door", "xmodel", "isa", "kernels", "compiled"},
    "preprocess": {"base", "kernels"},
    "postprocess": {"base", "kernels"},
    "cpu": {"base", "xmodel", "kernels", "softdpu"},  # fixed-point ops that stand in a CPU subgraph
    "vart": {"base", "door", "xmodel"},
    "bridge": {"base", "door", "xmodel", "softdpu", "vart"},  # the door's other side, one library for each soname
    "model": {"base", "xmodel", "cpu", "vart"},
    "pipeline": {"base", "xmodel", "vart", "model", "preprocess", "postprocess", "kernels"},
    "bundle": set(),  # what it reads stands in the public headers
    "run": set(),  # nerone-run, of the public headers alone
}

# What each file of bindings may include beside the public headers, for what has no public door: instructions, their
# emulator, raw runners, and the families whose registers can be read.
BINDINGS_USE = {
    "isa.cpp": {"isa"},
    "isa_run.cpp": {"isa"},
    "runner.cpp": {"compiled", "door", "vart", "xmodel"},
    "xmodel.cpp": {"xmodel"},
}

# Low to high: a package may import those that stand in its set, which are all above it in this list.
_LOW = {"starting", "archives", "compat", "errors", "extras", "programs", "ownership", "_core", "files"}
_MODEL = {"instructions", "graph", "dpu", "quantization", "compilation"}
_RUN = {"runtime.preprocessing", "runtime.presets", "bundle", "data", "backends", "runtime"}
PYTHON_USES = {
    "instructions": set(),
    "graph": set(),
    "dpu": {"graph"},
    "quantization": {"graph", "dpu"},
    "compilation": {"instructions", "graph", "dpu", "quantization"},
    "runtime.preprocessing": set(),
    "runtime.presets": {"runtime.preprocessing"},
    "bundle": {"runtime.preprocessing", "runtime.presets"},
    "data": {"runtime.preprocessing"},
    "backends": {"runtime.preprocessing", "bundle"},
    "runtime": {"runtime.preprocessing", "bundle", "data", "backends"},
    "deployment": _MODEL | _RUN,
    "zoo": _MODEL | _RUN | {"deployment"},
    "evaluation": _MODEL | _RUN | {"deployment", "zoo"},
    "web": set(),
    "live": _RUN | {"deployment", "evaluation", "zoo", "web"},
    "serving": _RUN | {"deployment", "evaluation", "web"},
    "node": _RUN,
    "ray": _RUN,
    "cli": _MODEL | _RUN | {"deployment", "evaluation", "zoo", "web", "live", "serving", "node"},
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


def test_bindings_include_public_headers_and_few_others() -> None:
    for path in _cpp_files(ROOT / "bindings"):
        internal = set(re.findall(r'#include "(\w+)/', path.read_text()))
        assert internal == BINDINGS_USE.get(path.name, set()), f"{path.name}: use what cpp/include/nerone declares"


def test_nothing_below_the_bindings_knows_python() -> None:
    for path in _cpp_files(ROOT / "cpp"):
        assert "pybind11" not in path.read_text(), f"{path.relative_to(ROOT)} knows Python"


@pytest.mark.parametrize(("api", "owners"), [("vart", {"vart", "softdpu"}), ("xir", {"xmodel", "bridge"})])
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


def _modules() -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / "python/nerone").rglob("*.py")):
        parts = path.relative_to(ROOT / "python").with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = _modules()
# Where `from nerone import X` leads.
PUBLIC = {name: f"nerone.{home}" for name, home in nerone._PUBLIC.items()}


def _imports(module: str) -> set[str]:
    """Return the modules of nerone that a module imports, anywhere in it; a package stands for its own names only."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "nerone"}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by a relative name; write nerone.<package>"
            if node.module and node.module.split(".")[0] == "nerone":
                for alias in node.names:
                    name = f"{node.module}.{alias.name}"
                    public = PUBLIC.get(alias.name) if node.module == "nerone" else None
                    found.add(public or (name if name in MODULES or alias.name == "_core" else node.module))
    return found - {"nerone", module}


def _package(module: str) -> str:
    """Return the entry of PYTHON_USES that a module belongs to, or its own name below nerone."""
    inner = module.removeprefix("nerone.")
    known = [name for name in PYTHON_USES if inner == name or inner.startswith(f"{name}.")]
    return max(known, key=len, default=inner.split(".")[0])


def test_every_package_is_in_the_list() -> None:
    folders = {path.name for path in (ROOT / "python/nerone").iterdir() if (path / "__init__.py").is_file()}
    assert folders == {name.split(".")[0] for name in PYTHON_USES}


def test_arrows_of_the_list_point_up_it() -> None:
    seen: set[str] = set()
    for package, uses in PYTHON_USES.items():
        assert uses <= seen, f"{package} may not use {sorted(uses - seen)}, which stand below it in the list"
        seen.add(package)


@pytest.mark.parametrize("package", PYTHON_USES)
def test_python_imports_point_down(package: str) -> None:
    allowed = PYTHON_USES[package] | _LOW | {package}
    for module, path in MODULES.items():
        if module != "nerone" and _package(module) == package:
            above = {_package(name) for name in _imports(module)} - allowed
            assert not above, f"{path.relative_to(ROOT)} imports {sorted(above)}, which are above it"


def test_no_module_imports_itself_through_others() -> None:
    imports = {module: _imports(module) & MODULES.keys() for module in MODULES if module != "nerone"}
    left = dict(imports)
    while left:
        done = [module for module, names in left.items() if not names & left.keys()]
        assert done, f"modules import each other in a circle: {_circle(left)}"
        for module in done:
            del left[module]


def _circle(imports: dict[str, set[str]]) -> str:
    path = [min(imports)]
    while path[-1] not in path[:-1]:
        path.append(min(imports[path[-1]] & imports.keys()))
    return " -> ".join(path[path.index(path[-1]) :])


def _walk_steps() -> list[tuple[str, str]]:
    """Return (caller, called) files of the walks of docs/architecture.md."""
    pairs, above = [], [""]
    for line in (ROOT / "docs/architecture.md").read_text().splitlines():
        if line.startswith("## "):
            above = [""]
        if match := re.match(r"( *)- `([^`]+)`", line):
            depth = len(match[1]) // 4
            above[depth + 1 :] = [match[2]]
            pairs.append((above[depth], match[2]))
    return pairs


@pytest.mark.parametrize(("caller", "called"), _walk_steps())
def test_no_step_of_a_walk_goes_up(caller: str, called: str) -> None:
    assert (ROOT / called).is_file(), f"docs/architecture.md names {called}"
    kinds = {"python": 0, "bindings": 1, "cpp": 2}
    if not caller or kinds[caller.split("/")[0]] < kinds[called.split("/")[0]]:
        return
    assert caller.split("/")[0] == called.split("/")[0], f"{called} is above {caller}"
    if called.startswith("cpp/"):
        (one, other), uses = (path.split("/")[2] for path in (caller, called)), CPP_USES
    else:
        one, other = (_package(path[len("python/") : -len(".py")].replace("/", ".")) for path in (caller, called))
        uses = PYTHON_USES
    assert other == one or other in uses[one], f"{caller} is not to use {called}"


FOLDERS = "benchmarks bindings cmake cpp deploy docs examples notebooks python requirements scripts tests"
FILES = (
    "CHANGELOG.md CMakeLists.txt CMakePresets.json CONTRIBUTING.md LICENSE Makefile NOTICE README.md SECURITY.md "
    "mkdocs.yml pyproject.toml"
)


def test_nothing_stray_lies_in_the_root() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: what is tracked is not known")
    tracked = {path.split("/")[0] for path in listed.stdout.splitlines()}
    assert {name for name in tracked if not name.startswith(".")} == {*FOLDERS.split(), *FILES.split()}


def test_tables_are_written_in_one_place() -> None:
    """It alone knows what a spreadsheet would take for a formula."""
    package = ROOT / "python/nerone"
    writers = {path for path in package.rglob("*.py") if re.search(r"csv\.(DictW|w)riter|to_csv", path.read_text())}
    assert writers == {package / "bundle/tables.py"}


# Programs of their own: what they print is their answer.
PROGRAMS = {"backends/pynq/__main__.py", "quantization/vendor/script.py", "deployment/board_proof/child.py"}


def test_only_the_command_line_prints() -> None:
    package = ROOT / "python/nerone"
    talkers = set()
    for path in package.rglob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        prints = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
        # A print into a file that was opened for it is no talk.
        told = [c for c in prints if not any(k.arg == "file" and isinstance(k.value, ast.Name) for k in c.keywords)]
        if told and path.relative_to(package).parts[0] != "cli":
            talkers.add(path.relative_to(package).as_posix())
    assert talkers == PROGRAMS, "library code speaks through logging"
