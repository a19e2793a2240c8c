#!/usr/bin/env python3
"""The gate of a wheel: check_wheel.py WHEEL...

auditwheel says whether its libraries keep to its tag; beside that, each library may need only what the system of the
tag has, what lies in the wheel where it looks, and, the bridges alone, the VART of the machine.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

SYSTEM = re.compile(r"(libc|libm|libdl|libpthread|librt|libz|libstdc\+\+|libgcc_s|ld-linux-[-\w]+)\.so\.\d+")
# Of the soname that the machine has; opened before the bridge is.
VART = re.compile(r"lib(xir|vart-runner|unilog)\.so\.([23])")
LARGEST_BYTES = 15_000_000


def main() -> None:
    """Check each wheel and print what it needs."""
    for name in sys.argv[1:]:
        problems = check(Path(name))
        for problem in problems:
            print(f"check_wheel.py: {Path(name).name}: {problem}", file=sys.stderr)
        if problems:
            raise SystemExit(1)


def check(wheel: Path) -> list[str]:
    """Return what is wrong with a wheel."""
    problems = (
        [f"{wheel.stat().st_size} bytes, more than {LARGEST_BYTES}"] if wheel.stat().st_size > LARGEST_BYTES else []
    )
    with tempfile.TemporaryDirectory(prefix="nerone-wheel-") as scratch, zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch)
        package = Path(scratch) / "nerone"
        if (package / "vart_libraries").exists() != ("x86_64" in wheel.name):
            problems.append("the wheel for x86_64 brings VART, one for a board does not")
        for library in sorted(package.rglob("*.so*")):
            problems += check_library(library, package)
    return problems + audit(wheel)


def check_library(library: Path, package: Path) -> list[str]:
    """Return what a library needs and will not find."""
    name = str(library.relative_to(package))
    search = _print("--print-rpath", library)
    expected = "$ORIGIN/libraries" if library.parent == package else "$ORIGIN"
    problems = [] if search == expected else [f"{name} looks in '{search}', not in {expected}"]
    folder = package / "libraries" if library.parent == package else library.parent
    bridge = re.fullmatch(r"libnerone_vart([23])\.so", name)
    for needed in _print("--print-needed", library).split():
        vart = VART.fullmatch(needed)
        if SYSTEM.fullmatch(needed) or (folder / needed).exists() or (bridge and vart and vart[2] == bridge[1]):
            continue
        problems.append(f"{name} needs {needed}, which is neither in the wheel nor in every system")
    return problems


def _print(option: str, library: Path) -> str:
    return subprocess.run(
        ["patchelf", option, str(library)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def audit(wheel: Path) -> list[str]:
    """Return what auditwheel finds wrong. The bridges' VART is left out: no wheel has it under both its names."""
    from auditwheel.wheel_abi import analyze_wheel_abi
    from auditwheel.wheeltools import get_wheel_architecture, get_wheel_libc

    machine = frozenset(f"lib{name}.so.{soname}" for name in ("xir", "vart-runner", "unilog") for soname in (2, 3))
    found = analyze_wheel_abi(
        get_wheel_libc(wheel.name),
        get_wheel_architecture(wheel.name),
        wheel,
        machine,
        disable_isa_ext_check=False,
        allow_graft=False,
    )
    versions = {library: max(symbols, key=_numbers) for library, symbols in sorted(found.versioned_symbols.items())}
    wanted = re.findall(r"manylinux_2_\d+_\w+(?=\.whl|\.manylinux)", wheel.name)
    print(f"{wheel.name}: auditwheel says {found.overall_policy.name}; at most {', '.join(versions.values())}")
    tagged = min((int(tag.split("_")[2]) for tag in wanted), default=0)
    said = re.match(r"manylinux_2_(\d+)_", found.overall_policy.name)
    if said is None or int(said[1]) > tagged:
        return [f"auditwheel allows {found.overall_policy.name} only, and the name says {', '.join(wanted) or 'linux'}"]
    return []


def _numbers(symbol: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", symbol)]


if __name__ == "__main__":
    main()
