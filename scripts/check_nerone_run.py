#!/usr/bin/env python3
"""Runs nerone-run for the boards with Debian 11's C and C++ libraries, under qemu as a Cortex-A53.

The masks and classes of the medical presets must equal those of this machine's Python. Debian 11 has no VART: Debian
12's is taken, and what it asks of newer libraries is taken out of copies of it. Of that, a small library has what
Debian 11 lacks. Needs scripts/nerone_run.py run before, and `make develop`.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

from elftools.elf.elffile import ELFFile
from nerone_run import ARCH, BUILD, NAME, OLDEST, ROOT, SYSROOT

VART = BUILD / "vart-2.31"
PARTS = ["vart-runner", "vart-util", "xir", "unilog", "glog", "gflags"]
PARTS += ["protobuf", "boost_filesystem", "json-c", "unwind", "lzma"]
TESTS = "(masks_of_the_network_grid or table_of_nerone_run) and not paper"
WEAK, UNVERSIONED = 2, 1  # VER_FLG_WEAK, VER_NDX_GLOBAL
LACKING = """
#include <exception>
#include <new>
#include <sys/stat.h>
extern "C" {
void addref(std::exception_ptr* held) asm("_ZNSt15__exception_ptr13exception_ptr9_M_addrefEv");
void release(std::exception_ptr* held) asm("_ZNSt15__exception_ptr13exception_ptr10_M_releaseEv");
void addref(std::exception_ptr* held) {
  void* never_released;
  new (&never_released) std::exception_ptr(*held);
}
void release(std::exception_ptr* held) {
  held->~exception_ptr();
  new (held) std::exception_ptr;
}
char __libc_single_threaded = 0;
int stat(const char* path, struct stat* found) { return __xstat(0, path, found); }
int lstat(const char* path, struct stat* found) { return __lxstat(0, path, found); }
int fstat(int file, struct stat* found) { return __fxstat(0, file, found); }
int stat64(const char* path, struct stat64* found) { return __xstat64(0, path, found); }
int lstat64(const char* path, struct stat64* found) { return __lxstat64(0, path, found); }
int fstat64(int file, struct stat64* found) { return __fxstat64(0, file, found); }
}
namespace std {
void __throw_bad_array_new_length();
void __throw_bad_array_new_length() { throw bad_array_new_length(); }
}
"""


def main() -> None:
    """Make the VART, and run the tests of nerone-run with it."""
    program = BUILD / "nerone-run" / NAME / "nerone-run"
    if not program.is_file():
        raise SystemExit(f"check_nerone_run.py: there is no '{program}'; make nerone-run makes it")
    shutil.rmtree(VART, ignore_errors=True)
    VART.mkdir(parents=True)
    for part in PARTS:
        for folder in ("usr/lib", "lib"):
            for file in (BUILD / "arm64-sysroot" / folder / f"{ARCH}-linux-gnu").glob(f"lib{part}.so.*"):
                shutil.copyfile(file, VART / file.name)
                loosen(VART / file.name)
    lacking = compile_lacking()
    qemu = ["qemu-aarch64-static", "-cpu", "cortex-a53", "-L", str(SYSROOT)]
    command = [*qemu, "-E", f"LD_LIBRARY_PATH={VART}", "-E", f"LD_PRELOAD={lacking}", str(program)]
    version = subprocess.run([*qemu, str(program), "--version"], check=True, stdout=subprocess.PIPE, text=True)
    print(version.stdout.strip(), "with", (SYSROOT / "lib/aarch64-linux-gnu/libc.so.6").resolve().name, flush=True)
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/python/run/test_nerone_run.py"]
    environment = {**os.environ, "NERONE_RUN": " ".join(command)}
    raise SystemExit(subprocess.run([*tests, "-k", TESTS], cwd=ROOT, env=environment).returncode)


def is_newer(version: str) -> bool:
    """Return whether the libraries of Debian 11 lack a version, as GLIBC_2.34."""
    found = re.fullmatch(r"(GLIBC_2|GLIBCXX_3\.4|CXXABI_1\.3)\.(\d+)", version)
    newest = {"GLIBC_2": OLDEST[0], "GLIBCXX_3.4": OLDEST[1], "CXXABI_1.3": 12}
    return found is not None and int(found[2]) > newest[found[1]]


def loosen(file: Path) -> None:
    """Let the loader take whatever version of a symbol there is, where the one asked for is newer than Debian 11's."""
    data = bytearray(file.read_bytes())
    with file.open("rb") as stream:
        elf = ELFFile(stream)
        needs, symbols = elf.get_section_by_name(".gnu.version_r"), elf.get_section_by_name(".gnu.version")
        newer, place = set(), needs["sh_offset"]
        while True:
            _, count, _, first, step = struct.unpack_from("<HHIII", data, place)
            entry = place + first
            for _ in range(count):
                _, flags, index, name, following = struct.unpack_from("<IHHII", data, entry)
                if is_newer(elf.get_section(needs["sh_link"]).get_string(name)):
                    newer.add(index)
                    struct.pack_into("<H", data, entry + 4, flags | WEAK)
                entry += following
            if step == 0:
                break
            place += step
        for at in range(symbols["sh_offset"], symbols["sh_offset"] + symbols["sh_size"], 2):
            if struct.unpack_from("<H", data, at)[0] in newer:
                struct.pack_into("<H", data, at, UNVERSIONED)
    file.write_bytes(data)


def compile_lacking() -> Path:
    """Compile the symbols that Debian 11 lacks into a library."""
    source, library = VART / "lacking.cpp", VART / "liblacking.so"
    source.write_text(LACKING)
    folder = SYSROOT / f"usr/lib/{ARCH}-linux-gnu"
    flags = ["-nostdinc", f"-B{folder}", f"-L{folder}", f"-L{SYSROOT}/lib/{ARCH}-linux-gnu", f"--sysroot={SYSROOT}"]
    for include in (f"{SYSROOT}/usr/include/c++/10", f"{SYSROOT}/usr/include/{ARCH}-linux-gnu/c++/10"):
        flags += ["-isystem", include]
    for include in (f"lib/gcc/{ARCH}-linux-gnu/10/include", f"include/{ARCH}-linux-gnu", "include"):
        flags += ["-isystem", f"{SYSROOT}/usr/{include}"]
    subprocess.run([f"{ARCH}-linux-gnu-g++", *flags, "-shared", "-fPIC", source, "-o", library], check=True)
    return library


if __name__ == "__main__":
    main()
