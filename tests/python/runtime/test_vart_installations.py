"""One build serves whichever VART is installed: another soname, none, or two that do not belong together."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nerone._core
from paths import REPOSITORY

LIBRARIES = ("vart-runner", "vart-util", "xir", "unilog")
HERE = Path(nerone._core.__file__).parent
FOREIGN = re.compile(r"lib(vart|xir|unilog|glog|protobuf|gflags|boost)")


def needed(library: Path) -> list[str]:
    if shutil.which("readelf") is None:
        pytest.skip("readelf (binutils) is not installed")
    text = subprocess.run(["readelf", "-d", str(library)], check=True, capture_output=True, text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.+)\]", text)


def run(libraries: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(libraries),
        "NERONE_GOLDEN_DIR": os.environ.get("NERONE_GOLDEN_DIR", ""),
    }
    environment = {key: value for key, value in environment.items() if value}
    return subprocess.run(
        [sys.executable, *command],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def hide(folder: Path, *files: str) -> None:
    """Let the loader find empty files first, which it refuses."""
    folder.mkdir(exist_ok=True)
    for file in files:
        (folder / file).touch()


def system_library(name: str) -> Path:
    _, folder, bundled = nerone._core.vart_installation()
    if bundled:
        pytest.skip("this machine has no VART of its own")
    return next(path for path in Path(folder).glob(f"lib{name}.so.2.5*") if not path.is_symlink())


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give this machine's VART the soname of 3.0, and hide the original."""
    if shutil.which("patchelf") is None:
        pytest.skip("patchelf is not installed")
    folder = tmp_path_factory.mktemp("vart3")
    for name in LIBRARIES:
        copy = folder / f"lib{name}.so.3.0.0"
        shutil.copyfile(system_library(name), copy)
        (folder / f"lib{name}.so.3").symlink_to(copy.name)
        subprocess.run(["patchelf", "--set-soname", f"lib{name}.so.3", str(copy)], check=True)
        for other in LIBRARIES:
            subprocess.run(
                ["patchelf", "--replace-needed", f"lib{other}.so.2", f"lib{other}.so.3", str(copy)], check=True
            )
    hide(folder, *(f"lib{name}.so.2" for name in LIBRARIES))
    return folder


def test_only_the_bridges_need_vart() -> None:
    libraries = sorted(HERE.glob("*.so"))
    assert {"libnerone_softdpu.so", "libnerone_vart2.so", "libnerone_vart3.so"} <= {path.name for path in libraries}
    for library in libraries:
        foreign = {soname for soname in needed(library) if FOREIGN.match(soname)}
        soname = library.name.removeprefix("libnerone_vart").removesuffix(".so")
        expected = (
            {f"lib{name}.so.{soname}" for name in ("vart-runner", "xir", "unilog")} if soname in {"2", "3"} else set()
        )
        assert foreign == expected, library.name


def test_golden_and_pipeline_results_with_the_soname_of_vart_3(renamed: Path) -> None:
    found = run(renamed, "-c", "import nerone._core; print(nerone._core.vart_installation())")
    assert f"('3.0.0', '{renamed}', False)" in found.stdout, found.stdout + found.stderr
    tests = ["tests/python/softdpu/test_golden.py", "tests/python/runtime/test_pipeline.py"]
    result = run(renamed, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"\d+ passed", result.stdout), result.stdout


def test_without_any_vart_the_core_imports_and_a_model_says_what_to_do(tmp_path: Path) -> None:
    hide(tmp_path / "none", *(f"libvart-runner.so.{soname}" for soname in (1, 2, 3)))
    code = (
        "import nerone.errors, nerone._core as core\n"
        "print(core.simd_target())\n"
        "try: core.vart_installation()\n"
        "except nerone.errors.DeviceError as error: print(error)\n"
    )
    result = run(tmp_path / "none", "-c", code)
    assert result.returncode == 0, result.stderr
    assert "no VART on this machine" in result.stdout
    assert "install VART 2.5, 3.0 or 3.5" in result.stdout


def test_a_libxir_of_another_installation_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copyfile(system_library("xir"), folder / "libxir.so.2.0.0")
    (folder / "libxir.so.2").symlink_to("libxir.so.2.0.0")
    result = run(folder, "-c", "import nerone._core as core; core.vart_installation()")
    assert "DeviceError" in result.stderr
    assert "which is of another installation" in result.stderr


def test_vart_1_4_is_refused_by_name(tmp_path: Path) -> None:
    if shutil.which("patchelf") is None:
        pytest.skip("patchelf is not installed")
    folder = tmp_path / "oldest"
    hide(folder, "libvart-runner.so.2", "libvart-runner.so.3")
    shutil.copyfile(system_library("vart-runner"), folder / "libvart-runner.so.1")
    subprocess.run(["patchelf", "--set-soname", "libvart-runner.so.1", str(folder / "libvart-runner.so.1")], check=True)
    result = run(folder, "-c", "import nerone._core as core; core.vart_installation()")
    assert "this machine has VART 1.4 (Vitis AI 1.4 and older: PYNQ 2.7's image)" in result.stderr
    assert "use the image of PYNQ 3.0" in result.stderr


def test_vart_2_0_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    for name in LIBRARIES:
        shutil.copyfile(system_library(name), folder / f"lib{name}.so.2.0.0")
        (folder / f"lib{name}.so.2").symlink_to(f"lib{name}.so.2.0.0")
    result = run(folder, "-c", "import nerone._core as core; core.vart_installation()")
    assert "this machine has VART 2.0 (Vitis AI 2.0: PetaLinux 2021.2's image)" in result.stderr
    assert "use the image of PYNQ 3.0" in result.stderr
