#!/usr/bin/env python3
"""Builds nerone-run for boards without Python: build/nerone-run-aarch64.tar.gz, one folder that is copied and runs.

It needs glibc 2.31, libstdc++ of GCC 9.3 and VART 2.5, 3.0 or 3.5, or newer. libpng and zlib are linked into the
program, Highway lies in the folder. libstdc++ is the board's, which its VART needs as well: exceptions and strings
pass between the two.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from check_wheel import SYSTEM, VART
from wheels import BUILD, ROOT, needed, newest_symbols

ARCH = "aarch64"
NAME = f"nerone-run-{ARCH}"
HIGHWAY = "libhwy.so.1"
OLDEST = (31, 28)  # minor version of glibc, patch version of libstdc++'s symbols
SYSROOT = BUILD / "arm64-sysroot-2.31"
TARGETS = ("nerone-run", "nerone_softdpu_plugin", "nerone_vart_entry", "nerone_vart2", "nerone_vart3")
# Compiled or linked in, with the Debian package whose copyright file travels along.
LICENCES = {
    "libpng16-16": SYSROOT,
    "zlib1g": SYSROOT,
    "nlohmann-json3-dev": SYSROOT,
    "libhwy-dev": BUILD / "arm64-sysroot",
}


def main() -> None:
    """Build, check and pack."""
    subprocess.run([ROOT / "scripts/arm64_sysroot.sh", "2.31"], check=True)
    folder = BUILD / "nerone-run" / NAME
    build(folder)
    problems = check(folder)
    if problems:
        raise SystemExit("\n".join(f"nerone_run.py: {problem}" for problem in problems))
    archive = BUILD / f"{NAME}.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(folder, NAME)
    print(f"{archive.relative_to(ROOT)}: {archive.stat().st_size / 1e6:.1f} MB")


def build(folder: Path) -> None:
    """Compile, and put what is needed into a new folder: the program, and the libraries that it opens beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    compiled, libraries = BUILD / NAME, SYSROOT / f"usr/lib/{ARCH}-linux-gnu"
    settings = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_TOOLCHAIN_FILE": ROOT / f"cmake/{ARCH}-glibc-2.31-toolchain.cmake",
        "CMAKE_INSTALL_LIBDIR": "lib",
        "NERONE_BUILD_CPP": "ON",
        "NERONE_ONEDNN": "OFF",
        "PNG_LIBRARY_RELEASE": libraries / "libpng16.a",
        "ZLIB_LIBRARY_RELEASE": libraries / "libz.a",
    }
    defines = [f"-D{name}={value}" for name, value in settings.items()]
    subprocess.run(["cmake", "-S", ROOT, "-B", compiled, "-G", "Ninja", *defines], check=True)
    subprocess.run(["cmake", "--build", compiled, "--target", *TARGETS], check=True)
    (folder / "nerone").mkdir(parents=True)
    strip = f"{ARCH}-linux-gnu-strip"
    source = compiled / "cpp/src"
    subprocess.run([strip, "-o", folder / "nerone-run", source / "run/nerone-run"], check=True)
    for name in (
        "softdpu/libnerone_softdpu",
        "vart/libnerone_vart_entry",
        "bridge/libnerone_vart2",
        "bridge/libnerone_vart3",
    ):
        file = source / f"{name}.so"
        subprocess.run([strip, "--strip-unneeded", "-o", folder / "nerone" / file.name, file], check=True)
    # Highway has no static library in Debian.
    shutil.copyfile(libraries / HIGHWAY, folder / "nerone" / HIGHWAY)
    for file, search in (
        (folder / "nerone-run", "$ORIGIN/nerone"),
        (folder / "nerone/libnerone_softdpu.so", "$ORIGIN"),
    ):
        subprocess.run(["patchelf", "--set-rpath", search, file], check=True)
    (folder / "licenses").mkdir()
    for name in ("LICENSE", "NOTICE"):
        shutil.copyfile(ROOT / name, folder / "licenses" / name)
    for package, root in LICENCES.items():
        shutil.copyfile(root / "usr/share/doc" / package / "copyright", folder / "licenses" / f"{package}.txt")


def check(folder: Path) -> list[str]:
    """Return what a board with glibc 2.31 and libstdc++ of GCC 9.3 would lack."""
    problems = []
    for file in [folder / "nerone-run", *sorted((folder / "nerone").glob("*.so*"))]:
        glibc, glibcxx = newest_symbols([file], ARCH)
        if glibc > OLDEST[0] or glibcxx > OLDEST[1]:
            problems.append(
                f"{file.name} needs GLIBC_2.{glibc} and GLIBCXX_3.4.{glibcxx}, newer than GLIBC_2.{OLDEST[0]} and "
                f"GLIBCXX_3.4.{OLDEST[1]}"
            )
        bridge = re.fullmatch(r"libnerone_vart([23])\.so", file.name)
        for name in needed(file):
            vart = VART.fullmatch(name)
            brought = name == HIGHWAY and (folder / "nerone" / name).exists()
            if not (SYSTEM.fullmatch(name) or brought or (bridge and vart and vart[2] == bridge[1])):
                problems.append(f"{file.name} needs {name}, which a board may lack")
        print(f"{file.name}: GLIBC_2.{glibc}, GLIBCXX_3.4.{glibcxx}; {', '.join(needed(file))}")
    return problems


if __name__ == "__main__":
    main()
