#!/usr/bin/env python3
"""Builds wheels: [--arch x86_64|aarch64]... [--python VERSION|PROGRAM]... [--output DIR].

The C++ core is built once per architecture, with Debian 12's compiler, the bindings once per Python; for aarch64 with
Debian 11's C and C++ libraries. Of a Python only the headers are needed: those of a CPython of that version that is
found here, else those of the Debian that has it. Without --python, for each CPython that is found on PATH.

The wheel for x86_64 brings Debian's VART, XIR and UniLog with what they need and their licences: the software DPU works
without any of them installed. A board has its own, so the wheel for aarch64 brings none. oneDNN is left out: the
portable and the generated kernels compute all that it does.
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
SUITES = {"3.9": "bullseye", "3.11": "bookworm", "3.13": "trixie"}
OLDEST, NEWEST = 9, 14  # of the minor versions that are looked for
DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
TARGETS = ("nerone_python", "nerone_softdpu_plugin", "nerone_vart_entry", "nerone_vart2", "nerone_vart3")
# What travels, with the Debian package whose copyright file travels along; nothing else may be needed.
PACKAGES = {
    "libhwy.so.1": "libhwy1",
    "libvart-runner.so.2": "libvart2",
    "libvart-util.so.2": "libvart2",
    "libxir.so.2": "libxir2",
    "libunilog.so.2": "libunilog2",
    "libglog.so.1": "libgoogle-glog0v6",
    "libgflags.so.2.2": "libgflags2.2",
    "libprotobuf.so.32": "libprotobuf32",
    "libboost_filesystem.so.1.74.0": "libboost-filesystem1.74.0",
    "libjson-c.so.5": "libjson-c5",
    "libunwind.so.8": "libunwind8",
    "liblzma.so.5": "liblzma5",
}
# Compiled in from headers.
HEADER_PACKAGES = {"x86_64": ("libxbyak-dev",), "aarch64": ()}
LICENSES = "Apache-2.0 AND BSD-3-Clause AND BSL-1.0 AND MIT AND LicenseRef-Public-Domain"
# Minor version of glibc, patch version of libstdc++'s symbols: those of Debian 11, Enterprise Linux 9 and PetaLinux
# 2022, Ubuntu 22.04, Debian 12. auditwheel checks it.
MANYLINUX = ((31, 28), (34, 29), (35, 30), (36, 30))
# What every system of the tag has.
SYSTEM = re.compile(r"(libc|libm|libdl|libpthread|librt|libz|libstdc\+\+|libgcc_s|ld-linux-[-\w]+)\.so\.\d+")


class Interpreter(NamedTuple):
    """A CPython that runs here: its version, as "3.10", and the folder of its headers."""

    version: str
    headers: Path


def main() -> None:
    """Build each wheel that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--arch", action="append", choices=tuple(DEBIAN_NAMES))
    parser.add_argument(
        "--python", action="append", metavar="VERSION|PROGRAM", help="each CPython on PATH if not given"
    )
    parser.add_argument("--output", type=Path, default=BUILD / "wheels")
    arguments = parser.parse_args()
    found = found_interpreters()
    for arch in arguments.arch or ["x86_64"]:
        for name in arguments.python or sorted(found, key=lambda version: int(version.split(".")[1])):
            version, headers = python_headers(name, arch, found)
            wheel = build_wheel(arch, version, headers, arguments.output)
            print(f"{wheel}: {wheel.stat().st_size / 1e6:.1f} MB", flush=True)


def found_interpreters() -> dict[str, Interpreter]:
    """Return the CPythons with headers that are found on PATH, and the one that runs this, by version."""
    programs = [shutil.which(f"python3.{minor}") for minor in range(OLDEST, NEWEST + 1)]
    asked = [ask(program) for program in [*programs, sys.executable] if program]
    return {each.version: each for each in asked if each}


def ask(program: str) -> Interpreter | None:
    """Ask a program which Python it is; None unless it is a CPython with the usual ABI, and has headers."""
    code = (
        "import sys, sysconfig; print(sys.implementation.name + sys.abiflags); "
        "print('%d.%d' % sys.version_info[:2]); print(sysconfig.get_path('include'))"
    )
    try:
        done = subprocess.run([program, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return None
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != 3 or lines[0] != "cpython" or not (Path(lines[2]) / "Python.h").is_file():
        return None
    return Interpreter(lines[1], Path(lines[2]))


def build_wheel(arch: str, version: str, headers: Path, output: Path) -> Path:
    """Build, furnish, pack and check one wheel."""
    with tempfile.TemporaryDirectory(prefix="nerone-wheel-", dir=_made(BUILD)) as scratch:
        folder = Path(scratch) / "wheel"
        information = folder / _metadata(folder)
        _copy_python(folder)
        _compile(arch, headers, version, folder)
        packages = _bring_libraries(folder / "nerone", arch)
        _bring_licences(information, sorted({*packages, *HEADER_PACKAGES[arch]}), arch)
        short = "cp" + version.replace(".", "")
        _set_header(information / "WHEEL", "Tag", [f"{short}-{short}-{_platform(folder, arch)}"])
        _set_header(information / "WHEEL", "Root-Is-Purelib", ["false"])
        said = _run(sys.executable, "-m", "wheel", "pack", "--dest-dir", str(_made(output)), str(folder))
        found = re.search(r"(\S+\.whl)\.\.\.OK", said)
        if not found:
            raise SystemExit(f"wheels.py: wheel pack says no file name: {said}")
        wheel = Path(found[1])
    subprocess.run([sys.executable, str(ROOT / "scripts/check_wheel.py"), str(wheel)], check=True)
    return wheel


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(*command: str, cwd: Path = ROOT) -> str:
    return subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True).stdout


def _build(*command: str) -> None:
    """Run a command that says much; what it says is shown where it fails."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"{done.stdout}wheels.py: '{' '.join(command[:3])} ...' failed; its lines above say why")


def _metadata(folder: Path) -> str:
    """Write the .dist-info folder as pip would have it, and return its name."""
    program = (
        "import sys; from scikit_build_core.build import prepare_metadata_for_build_wheel as m; print(m(sys.argv[1]))"
    )
    return _run(sys.executable, "-c", program, str(_made(folder))).strip().splitlines()[-1]


def _copy_python(folder: Path) -> None:
    for name in _run("git", "ls-files", "--cached", "--others", "--exclude-standard", "python/nerone").splitlines():
        source, target = ROOT / name, folder / Path(name).relative_to("python")
        if source.is_file() and source.name != "CMakeLists.txt":
            _made(target.parent)
            shutil.copyfile(source, target)


def python_headers(name: str, arch: str, found: dict[str, Interpreter]) -> tuple[str, Path]:
    """Return version and headers of a Python that is named by its version or as a program.

    CPython's headers say the same of every 64-bit Linux, so those found here serve for another architecture too;
    Debian's alone lead to a file per architecture.
    """
    named = found.get(name)
    if named is None and not re.fullmatch(r"3\.\d+", name):
        named = ask(name)
        if named is None:
            raise SystemExit(
                f"wheels.py: '{name}' is no CPython with headers; name a version, as 3.10, or the program of one"
            )
    if named and (arch == platform.machine() or "linux-gnu/" not in (named.headers / "pyconfig.h").read_text("utf-8")):
        return named.version, named.headers
    version = named.version if named else name
    if version not in SUITES:
        raise SystemExit(
            f"wheels.py: no headers of Python {version} are found here, and no Debian has them for {arch}; install "
            f"that Python and name its program with --python (found: {', '.join(found)}; Debian's: {', '.join(SUITES)})"
        )
    return version, _debian_headers(version, arch)


def _debian_headers(version: str, arch: str) -> Path:
    root = BUILD / "python-headers" / f"{version}-{arch}"
    if not (root / ".complete").exists():
        shutil.rmtree(root, ignore_errors=True)
        options = ["--quiet", "--variant=extract", "--mode=root", f"--architectures={DEBIAN_NAMES[arch]}"]
        _made(root.parent)
        archive = _run(str(ROOT / "scripts/debian_archive.sh"), SUITES[version]).split()
        _run("mmdebstrap", *options, f"--include=libpython{version}-dev", SUITES[version], str(root), *archive)
        (root / ".complete").touch()
    # Debian's pyconfig.h includes the one of the architecture, which lies a folder further.
    special = f"{arch}-linux-gnu/python{version}"
    include = root / "usr/include"
    shutil.copytree(include / special, include / f"python{version}" / special, dirs_exist_ok=True)
    return include / f"python{version}"


def _compile(arch: str, headers: Path, version: str, folder: Path) -> None:
    build = BUILD / f"wheel-{arch}"
    if arch != platform.machine():
        _run(str(ROOT / "scripts/arm64_sysroot.sh"), "2.31")
    settings = {
        "CMAKE_BUILD_TYPE": "Release",
        "NERONE_BUILD_PYTHON": "ON",
        "NERONE_ONEDNN": "OFF",
        "NERONE_PYTHON_INCLUDE": str(headers),
        "NERONE_PYTHON_SUFFIX": f".cpython-{version.replace('.', '')}-{arch}-linux-gnu.so",
        "pybind11_DIR": _run(sys.executable, "-m", "pybind11", "--cmakedir").strip(),
    }
    if arch != platform.machine():
        settings["CMAKE_TOOLCHAIN_FILE"] = str(ROOT / f"cmake/{arch}-glibc-2.31-toolchain.cmake")
        settings["CMAKE_FIND_ROOT_PATH_MODE_PACKAGE"] = "BOTH"
    defines = [f"-D{name}={value}" for name, value in settings.items()]
    _build("cmake", "-S", str(ROOT), "-B", str(build), "-G", "Ninja", *defines)
    _build("cmake", "--build", str(build), "--target", *TARGETS)
    _build("cmake", "--install", str(build), "--component", "python", "--strip", "--prefix", str(folder))


def _root(arch: str) -> Path:
    return Path("/") if arch == platform.machine() else BUILD / "arm64-sysroot"


def needed(library: Path) -> list[str]:
    """Return the DT_NEEDED entries."""
    return _run("patchelf", "--print-needed", str(library)).split()


def _bring_libraries(package: Path, arch: str) -> set[str]:
    """Copy what travels; each folder's libraries find each other there, and NERONE's own find libhwy.

    VART is apart: a search path with it would come before the machine's own VART.
    """
    brought = set()
    ours = sorted(package.glob("*.so"))
    foreign = [name for library in ours for name in needed(library) if not re.match(r"lib(xir|vart|unilog)", name)]
    brought |= _bring(foreign, package / "libraries", arch)
    for library in ours:
        _run("patchelf", "--set-rpath", "$ORIGIN/libraries", str(library))
    if arch == "x86_64":
        brought |= _bring(["libvart-runner.so.2"], package / "vart_libraries", arch)
    return brought


def _bring(names: list[str], folder: Path, arch: str) -> set[str]:
    packages, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if SYSTEM.fullmatch(name) or (folder / name).exists():
            continue
        if name not in PACKAGES:
            raise SystemExit(f"wheels.py: '{name}' is needed, and its licence is not known here; add it to PACKAGES")
        shutil.copyfile(_find_library(name, arch), _made(folder) / name)
        _run("patchelf", "--set-rpath", "$ORIGIN", str(folder / name))
        packages.add(PACKAGES[name])
        waiting += needed(folder / name)
    return packages


def _find_library(name: str, arch: str) -> Path:
    for folder in ("usr/lib", "lib"):
        path = _root(arch) / folder / f"{arch}-linux-gnu" / name
        if path.exists():
            return path
    raise SystemExit(f"wheels.py: no '{name}' for {arch} below {_root(arch)}")


def _bring_licences(information: Path, packages: list[str], arch: str) -> None:
    folder = _made(information / "licenses")
    for package in packages:
        shutil.copyfile(_root(arch) / "usr/share/doc" / package / "copyright", folder / f"{package}.txt")
    licence = re.findall(r"^License-File: (.*)$", (information / "METADATA").read_text("utf-8"), re.MULTILINE)
    _set_header(information / "METADATA", "License-File", [*licence, *(f"{package}.txt" for package in packages)])
    if len(packages) > 2:
        _set_header(information / "METADATA", "License-Expression", [LICENSES])


def _set_header(file: Path, name: str, values: list[str]) -> None:
    message: Message = Parser().parsestr(file.read_text("utf-8"))
    del message[name]
    for value in values:
        message[name] = value
    file.write_text(message.as_string(maxheaderlen=0), "utf-8")


def _platform(folder: Path, arch: str) -> str:
    """Return the oldest manylinux that has all versions of the C and C++ libraries' symbols that are asked for."""
    glibc, glibcxx = newest_symbols(folder.rglob("*.so*"), arch)
    for own_glibc, own_glibcxx in MANYLINUX:
        if glibc <= own_glibc and glibcxx <= own_glibcxx:
            return f"manylinux_2_{own_glibc}_{arch}"
    raise SystemExit(f"wheels.py: GLIBC_2.{glibc} with GLIBCXX_3.4.{glibcxx} is newer than every system of MANYLINUX")


def newest_symbols(files: Iterable[Path], arch: str) -> tuple[int, int]:
    """Return the newest minor version of glibc and patch version of libstdc++ whose symbols are needed."""
    dump = "objdump" if arch == platform.machine() else f"{arch}-linux-gnu-objdump"
    table = "".join(_run(dump, "-T", str(file)) for file in files)
    glibc = max((int(minor) for minor in re.findall(r"GLIBC_2\.(\d+)", table)), default=0)
    glibcxx = max((int(patch) for patch in re.findall(r"GLIBCXX_3\.4\.(\d+)", table)), default=0)
    return glibc, glibcxx


if __name__ == "__main__":
    main()
