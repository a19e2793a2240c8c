"""Write a folder or a file completely or not at all: beside the target first, then renamed over it."""

from __future__ import annotations

import contextlib
import errno
import functools
import glob
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from nerone import ownership
from nerone.bundle.replacing import locked, recover, take_place
from nerone.errors import ConfigurationError

__all__ = [
    "SCRATCH_NAME",
    "check_not_read",
    "check_target",
    "reason",
    "recover_folder",
    "replacing_file",
    "replacing_folder",
    "write_error",
]

# What the name of an unfinished file has more than the target's.
SCRATCH_NAME = re.compile(r"\.\w+-\d+\.partial\.")


def write_error(path: Path, error: OSError) -> ConfigurationError:
    """Return the error for a file or folder that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ConfigurationError(f"cannot write '{path}': the disk is full; make room or choose another folder")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ConfigurationError(
            f"cannot write '{path}': permission denied; choose a folder that you may write to or change its permissions"
        )
    return ConfigurationError(f"cannot write '{path}': {reason(error)}; choose another folder")


def reason(error: OSError) -> str:
    """Say what is wrong with the path of an error."""
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return "a file is where a folder should be"
    return (error.strerror or str(error)).lower()


def check_not_read(target: Path, read: Iterable[Path]) -> None:
    """Refuse to write over a file that is read for it.

    Raises
    ------
    ConfigurationError
        where the target is one of the files.
    """
    for path in read:
        with contextlib.suppress(OSError):
            if target.samefile(path):
                raise ConfigurationError(f"'{target}' would be written over while it is read; name another output")


@contextlib.contextmanager
def replacing_file(target: Path) -> Iterator[Path]:
    """Give the name of a file beside ``target`` that takes its place when the block ends without an error.

    The name ends as the target's does; its folder is made where it is missing. After an error, OSError as well, the
    target is as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(target.parent)
    scratch = target.with_name(f".{ownership.owner()}.partial.{target.name}")
    try:
        yield scratch
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


@functools.lru_cache(maxsize=256)
def _sweep_once(folder: Path) -> None:
    ownership.sweep(folder, ".*.partial.*")


@contextlib.contextmanager
def replacing_folder(target: Path, may_replace: Callable[[Path], bool]) -> Iterator[Path]:
    """Give an empty folder beside ``target`` that takes its place when the block ends without an error.

    Parameters
    ----------
    target : Path of the folder
    may_replace : says whether a folder that is already there may be replaced

    Raises
    ------
    ConfigurationError
        where the target is something else, or nothing can be written; nothing is left behind then.
    """
    recover_folder(target)
    check_target(target, may_replace)
    ownership.sweep(target.parent, f".{glob.escape(target.name)}.*.partial")
    try:
        prefix = f".{target.name}.{ownership.owner()}."
        scratch = Path(tempfile.mkdtemp(prefix=prefix, suffix=".partial", dir=target.parent))
    except OSError as error:
        raise write_error(target, error) from error
    try:
        yield scratch
        _take_place(scratch, target)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_target(target: Path, may_replace: Callable[[Path], bool]) -> None:
    """Refuse a target whose folder is missing, or that is something else; worth asking before long work."""
    if not target.parent.is_dir():
        raise ConfigurationError(f"cannot write '{target}': there is no folder '{target.parent}'; make it first")
    if target.is_symlink() or (target.exists() and not may_replace(target)):
        raise ConfigurationError(f"'{target}' exists and is no bundle; choose another name or remove it")


def recover_folder(target: Path) -> None:
    """Bring back a folder whose replacement was killed between its two renames."""
    old = _old(target)
    if target.exists() or not old.is_dir():
        return
    with contextlib.suppress(OSError), locked(target.parent):
        recover(target, old)


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _take_place(scratch: Path, target: Path) -> None:
    scratch.chmod(0o777 & ~_umask())
    _sync(scratch)
    with locked(target.parent):
        take_place(scratch, target, _old(target))


def _sync(folder: Path) -> None:
    """Have the files on the disk before the rename makes them visible: a full disk shows here at the latest."""
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
