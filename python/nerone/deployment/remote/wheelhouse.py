"""A folder of wheels: which of them a board can use."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nerone.archives import DAMAGED_ZIP
from nerone.errors import ConfigurationError

__all__ = ["Platform", "choose_wheels", "unpacked_bytes"]

# Names of wheels: the specification of the binary distribution format, "File name convention".
_NAME = re.compile(
    r"(?P<name>[^-]+)-(?P<version>[^-]+)(-\d[^-]*)?-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl"
)


@dataclass(frozen=True)
class Platform:
    """Properties that decide which wheels a machine can use.

    Attributes
    ----------
    python : (major, minor)
    machine : str, as uname -m
    glibc : (major, minor); (0, 0) where unknown
    """

    python: tuple[int, int]
    machine: str
    glibc: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        glibc = f" with glibc {self.glibc[0]}.{self.glibc[1]}" if self.glibc[0] else ""
        return f"Python {self.python[0]}.{self.python[1]} on {self.machine}{glibc}"


@dataclass(frozen=True)
class _Wheel:
    path: Path
    name: str
    version: tuple[tuple[int, int, str], ...]
    pythons: tuple[str, ...]
    abis: tuple[str, ...]
    platforms: tuple[str, ...]

    def fits(self, there: Platform) -> bool:
        return self._fits_python(there.python) and any(_fits_platform(each, there) for each in self.platforms)

    def _fits_python(self, python: tuple[int, int]) -> bool:
        major, minor = python
        own = f"cp{major}{minor}"
        if own in self.pythons and {own, "abi3", "none"} & set(self.abis):
            return True
        older = (re.fullmatch(rf"cp{major}(\d+)", each) for each in self.pythons)
        if "abi3" in self.abis and any(each and int(each[1]) <= minor for each in older):
            return True
        return "none" in self.abis and bool({f"py{major}", f"py{major}{minor}"} & set(self.pythons))


def _fits_platform(tag: str, there: Platform) -> bool:
    machine = "aarch64" if there.machine == "arm64" else there.machine
    # The names of before glibc's numbers stood in them.
    old = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
    if tag in ("any", f"linux_{machine}"):
        return True
    match = re.fullmatch(rf"(manylinux\w*?)(?:_(\d+)_(\d+))?_{re.escape(machine)}", tag)
    if match is None:
        return False
    needed = (int(match[2]), int(match[3])) if match[2] else old.get(match[1])
    return needed is not None and (there.glibc == (0, 0) or needed <= there.glibc)


def choose_wheels(folder: Path, there: Platform, host: str, present: Sequence[str] = ()) -> dict[str, Path]:
    """Return the wheels for a machine by file name: of each package the newest that fits.

    Parameters
    ----------
    folder : of wheels
    there : the machine
    host : its name, for messages
    present : names of packages that the machine has

    Raises
    ------
    ConfigurationError
        one sentence: no folder, no wheel of NERONE for that machine, a wheel that is not whole.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            f"there is no folder '{folder}' of wheels; make one with scripts/wheels.py, or name it with --wheels"
        )
    wheels = [_read_name(path) for path in sorted(folder.glob("*.whl"))]
    chosen: dict[str, _Wheel] = {}
    for wheel in wheels:
        best = chosen.get(wheel.name)
        if wheel.fits(there) and (best is None or wheel.version > best.version):
            chosen[wheel.name] = wheel
    if "nerone" not in chosen:
        raise ConfigurationError(_no_wheel([wheel for wheel in wheels if wheel.name == "nerone"], folder, there, host))
    if "numpy" not in {*chosen, *present}:
        raise ConfigurationError(
            f"{host} has no numpy, and '{folder}' has none for {there}; put its wheel into that folder "
            f"({_download(there)} numpy)"
        )
    for wheel in chosen.values():
        _check_whole(wheel.path)
    return {wheel.path.name: wheel.path for wheel in chosen.values()}


def _no_wheel(found: Sequence[_Wheel], folder: Path, there: Platform, host: str) -> str:
    have = ", ".join(f"{'.'.join(wheel.pythons)} on {'.'.join(wheel.platforms)}" for wheel in found)
    version = f"{there.python[0]}.{there.python[1]}"
    return (
        f"'{folder}' has no wheel of NERONE for {host}, {there}; it has {have or 'none'}: make one with "
        f"scripts/wheels.py --arch {there.machine} --python {version}, or name another Python of the board with "
        "--remote-python"
    )


def _download(there: Platform) -> str:
    glibc = there.glibc if there.glibc[0] else (2, 17)
    return (
        f"pip download --only-binary :all: --python-version {there.python[0]}.{there.python[1]} "
        f"--platform manylinux_{glibc[0]}_{glibc[1]}_{there.machine} --platform manylinux2014_{there.machine}"
    )


def _read_name(path: Path) -> _Wheel:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise ConfigurationError(f"'{path}' has no wheel's name; take it out of the folder")
    parts = re.findall(r"(\d+)|([a-z]+)", match["version"].split("+")[0].lower())
    # A number stands above a word: 1.0 is newer than 1.0rc1.
    version = (*((1, int(number), "") if number else (0, 0, word) for number, word in parts), (1, -1, ""))
    name = re.sub(r"[-_.]+", "-", match["name"]).lower()
    python, abi, platform = (tuple(match[part].split(".")) for part in ("python", "abi", "platform"))
    return _Wheel(path, name, version, python, abi, platform)


def _check_whole(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            whole = damaged is None and any(name.endswith(".dist-info/RECORD") for name in archive.namelist())
    except (OSError, *DAMAGED_ZIP):
        whole = False
    if not whole:
        raise ConfigurationError(f"'{path}' is no whole wheel; copy or download it again")


def unpacked_bytes(wheels: Sequence[Path]) -> int:
    """Return the size of the contents of wheels."""
    total = 0
    for path in wheels:
        with zipfile.ZipFile(path) as archive:
            total += sum(member.file_size for member in archive.infolist())
    return total
