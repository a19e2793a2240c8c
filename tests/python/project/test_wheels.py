"""The gate of wheels refuses what it should; a version, the boards' Pythons and the wheels' Pythons agree."""

from __future__ import annotations

import importlib.util
import platform
import re
import shlex
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

import nerone._core
from nerone.dpu.boards import BOARDS, DPUS, images_of
from paths import REPOSITORY


def script(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, REPOSITORY / "scripts" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def oldest_python() -> tuple[int, ...]:
    text = (REPOSITORY / "pyproject.toml").read_text("utf-8")
    found = re.search(r'^requires-python = ">=(\d+)\.(\d+)"$', text, re.MULTILINE)
    assert found
    return tuple(map(int, found.groups()))


def test_the_version_is_cmakes() -> None:
    text = (REPOSITORY / "CMakeLists.txt").read_text("utf-8")
    assert re.search(r"project\(nerone VERSION (\S+) ", text)[1] == metadata.version("nerone")  # type: ignore[index]


@pytest.mark.parametrize("name", [board.name for board in BOARDS.values() if not board.is_host])
def test_a_boards_default_has_an_image_whose_python_is_supported(name: str) -> None:
    board = BOARDS[name]
    first = images_of(board)[0]
    assert first.vitis_ai == board.vitis_ai == "2.5"
    for image in images_of(board):
        python = tuple(map(int, image.python.split(".")))
        assert image.supported == (python >= oldest_python() and image.vitis_ai not in ("1.4", "2.0")), image
        assert not image.supported or image.vitis_ai in board.dpu or name == "ultra96v2", image
    assert first.supported
    assert {"B512", "B3136", "B4096"} <= set(DPUS)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    if shutil.which("patchelf") is None:
        pytest.skip("patchelf is not installed")
    folder = tmp_path / "nerone"
    (folder / "libraries").mkdir(parents=True)
    source = Path(nerone._core.__file__).parent
    for name in ("libnerone_vart2.so", "libnerone_vart3.so"):
        shutil.copyfile(source / name, folder / name)
        subprocess.run(["patchelf", "--set-rpath", "$ORIGIN/libraries", str(folder / name)], check=True)
    return folder


def test_the_gate_takes_the_bridges_of_each_soname(package: Path) -> None:
    gate = script("check_wheel")
    for library in package.glob("*.so"):
        assert gate.check_library(library, package) == []


def test_the_gate_refuses_what_a_machine_may_lack(package: Path) -> None:
    gate, library = script("check_wheel"), package / "libnerone_vart2.so"
    subprocess.run(["patchelf", "--add-needed", "libdnnl.so.2", str(library)], check=True)
    assert "needs libdnnl.so.2, which is neither in the wheel" in gate.check_library(library, package)[0]
    subprocess.run(["patchelf", "--replace-needed", "libxir.so.2", "libxir.so.3", str(library)], check=True)
    assert any("libxir.so.3" in problem for problem in gate.check_library(library, package))
    subprocess.run(["patchelf", "--set-rpath", "$ORIGIN/vart_libraries", str(library)], check=True)
    assert "looks in '$ORIGIN/vart_libraries'" in gate.check_library(library, package)[0]


def test_what_travels_has_a_licence_and_never_onednn() -> None:
    packages = script("wheels").PACKAGES
    assert "libdnnl.so.2" not in packages
    assert set(packages) >= {"libvart-runner.so.2", "libxir.so.2", "libunilog.so.2", "libhwy.so.1"}


def test_a_python_is_named_by_its_version_or_its_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheels = script("wheels")
    own = wheels.ask(sys.executable)
    if own is None:
        pytest.skip("this Python has no headers")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert own.version == version
    assert (own.headers / "Python.h").is_file()
    found = {version: own}
    machine = platform.machine()
    assert wheels.python_headers(version, machine, found) == (version, own.headers)
    assert wheels.python_headers(sys.executable, machine, {}) == (version, own.headers)
    assert wheels.ask("true") is None
    assert wheels.ask(str(tmp_path / "python3")) is None
    with pytest.raises(SystemExit, match=r"'true' is no CPython with headers; name a version, as 3.10"):
        wheels.python_headers("true", machine, found)
    with pytest.raises(SystemExit, match=r"no headers of Python 3.99 .* install that Python and name its program"):
        wheels.python_headers("3.99", machine, found)


def test_the_public_ci_asks_for_what_there_is() -> None:
    """The workflow runs elsewhere: its lines name options, packages, modules and files of this repository."""
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with mkdocs")
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/wheels.yml").read_text("utf-8"))
    job = workflow["jobs"]["wheel"]
    lines = [step["run"] for step in job["steps"] if "run" in step]
    assert job["container"] == "python:${{ matrix.python }}-bookworm"
    pythons = job["strategy"]["matrix"]["python"]
    supported = {image.python for board in BOARDS.values() for image in images_of(board) if image.supported}
    assert supported | {".".join(map(str, oldest_python()))} <= set(pythons)

    installed = next(line for line in lines if "apt-get install" in line).split("--no-install-recommends")[1].split()
    lists = [REPOSITORY / "scripts" / f"{name}_packages.txt" for name in ("system", "arm64", "fresh")]
    assert set(installed) <= {line for file in lists for line in file.read_text("utf-8").splitlines()}

    build = next(line for line in lines if "scripts/wheels.py" in line)
    asked = shlex.split(build.replace('"$(which python)"', sys.executable))
    assert asked[0] == "python"
    done = subprocess.run([sys.executable, *asked[1:], "--help"], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    test = next(line for line in lines if "pytest -q" in line)
    asked = [sys.executable, *shlex.split(test)[1:], "--collect-only"]
    done = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, text=True)
    assert "test_every_vector_through_libvart[cpu-portable]" in done.stdout
    upload = next(step["with"] for step in job["steps"] if "upload-artifact" in step.get("uses", ""))
    assert upload["path"] == "build/wheels/*.whl"


def test_another_architecture_takes_headers_that_name_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheels = script("wheels")
    other = "aarch64" if platform.machine() == "x86_64" else "x86_64"
    monkeypatch.setattr(wheels, "_debian_headers", lambda version, arch: Path(f"debian/{version}/{arch}"))
    (tmp_path / "pyconfig.h").write_text("#define SIZEOF_LONG 8\n")
    found = {"3.10": wheels.Interpreter("3.10", tmp_path), "3.11": wheels.Interpreter("3.11", tmp_path)}
    assert wheels.python_headers("3.10", other, found) == ("3.10", tmp_path)
    (tmp_path / "pyconfig.h").write_text("#include <x86_64-linux-gnu/python3.11/pyconfig.h>\n")
    assert wheels.python_headers("3.11", other, found) == ("3.11", Path(f"debian/3.11/{other}"))
    with pytest.raises(SystemExit, match=f"no Debian has them for {other}"):
        wheels.python_headers("3.10", other, found)


def test_the_tag_is_the_oldest_system_that_has_the_symbols(package: Path) -> None:
    tag = script("wheels")._platform(package, platform.machine())
    matched = re.fullmatch(r"manylinux_2_(\d+)_\w+", tag)
    assert matched
    assert int(matched[1]) >= 34  # dlopen is in the C library since then, and Debian 12 builds for it
    objdump = subprocess.run(
        ["objdump", "-T", str(package / "libnerone_vart2.so")], check=True, capture_output=True, text=True
    )
    assert max(int(minor) for minor in re.findall(r"GLIBC_2\.(\d+)", objdump.stdout)) <= int(matched[1])


def test_the_gate_of_nerone_run_refuses_what_a_board_may_lack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "scripts"))
    gate = script("nerone_run")
    (tmp_path / "nerone").mkdir()
    for name in ("nerone-run", "nerone/libnerone_vart2.so", "nerone/libnerone_softdpu.so"):
        (tmp_path / name).touch()
    wanted = {"nerone-run": ["libc.so.6", "libstdc++.so.6"], "libnerone_vart2.so": ["libxir.so.2"]}
    newest = {"nerone-run": (31, 28)}
    monkeypatch.setattr(gate, "needed", lambda file: wanted.get(file.name, ["libc.so.6"]))
    monkeypatch.setattr(gate, "newest_symbols", lambda files, arch: newest.get(files[0].name, (17, 0)))
    assert gate.check(tmp_path) == []
    newest["nerone-run"] = (34, 28)
    wanted["libnerone_softdpu.so"] = ["libxir.so.2", "libhwy.so.1"]
    assert gate.check(tmp_path) == [
        "nerone-run needs GLIBC_2.34 and GLIBCXX_3.4.28, newer than GLIBC_2.31 and GLIBCXX_3.4.28",
        "libnerone_softdpu.so needs libxir.so.2, which a board may lack",
        "libnerone_softdpu.so needs libhwy.so.1, which a board may lack",
    ]
