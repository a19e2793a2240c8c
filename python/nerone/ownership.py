"""Names for temporary files that say which process owns them, so that others can sweep what dead processes left."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

__all__ = ["is_dead", "owner", "sweep", "temporary_folder"]

_OWNER = re.compile(r"([0-9a-f]{8})-([0-9]{1,10})")


@functools.lru_cache(maxsize=1)
def _machine() -> str:
    # A process number means something within one boot of one machine, and within one container of it.
    parts = []
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            parts.append(str(Path(path).stat().st_ino) if "/ns/" in path else Path(path).read_text("ascii"))
        except OSError:
            parts.append("")
    return hashlib.sha256("\n".join([os.uname().nodename, *parts]).encode()).hexdigest()[:8]


def owner() -> str:
    """Return this process's name, "MACHINE-PID"; a forked child has its own."""
    return f"{_machine()}-{os.getpid()}"


def is_dead(name: str) -> bool:
    """Say whether a name holds an `owner` that was a process of this machine and is gone.

    Examples
    --------
    >>> is_dead(f".{owner()}.partial.mask.png")
    False
    """
    match = _OWNER.search(name)
    return match is not None and match[1] == _machine() and not Path(f"/proc/{match[2]}").exists()


def sweep(folder: Path, pattern: str) -> None:
    """Remove the files and folders that dead processes left; what cannot be removed stays.

    Parameters
    ----------
    folder : where to look; it may be missing
    pattern : glob of the temporary names, such as ".*.partial.*"
    """
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            if not is_dead(path.name) or path.lstat().st_uid != os.geteuid():
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def temporary_folder(what: str) -> tempfile.TemporaryDirectory[str]:
    """Make a folder of this process's for scans and other things that must not stay; sweep what dead ones left.

    Parameters
    ----------
    what : a word for its name
    """
    sweep(Path(tempfile.gettempdir()), "nerone-*")
    return tempfile.TemporaryDirectory(prefix=f"nerone-{what}-{owner()}-")
