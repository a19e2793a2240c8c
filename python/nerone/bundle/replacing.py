"""Put a new folder in an old one's place, so that at every moment one of them is there, whole.

Nothing but the standard library: the agent takes it along to boards.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

__all__ = ["locked", "recover", "take_place"]

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two names in one step; False where the C library or the file system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    return bool(rename(_HERE, os.fsencode(str(first)), _HERE, os.fsencode(str(second)), _EXCHANGE) == 0)


def take_place(new: Path, target: Path, old: Path) -> None:
    """Let the folder ``new`` become ``target``, and remove what was there.

    Parameters
    ----------
    new, target : folders of one file system
    old : name for the replaced folder where names cannot be exchanged; `recover` finds it there after a kill
    """
    if not target.exists():
        new.rename(target)
    elif _exchange(new, target):
        shutil.rmtree(str(new), ignore_errors=True)
    else:
        shutil.rmtree(str(old), ignore_errors=True)
        target.rename(old)
        try:
            new.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(str(old), ignore_errors=True)
    with contextlib.suppress(OSError):
        descriptor = os.open(str(target.parent), os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def recover(target: Path, old: Path) -> bool:
    """Bring back what a process killed between its two renames left as ``old``; call it with the folder `locked`."""
    if target.exists() or not old.is_dir():
        return False
    old.rename(target)
    return True


@contextlib.contextmanager
def locked(folder: Path, patience_s: float = 60.0) -> Iterator[None]:
    """Keep others from renaming in a folder; the lock ends with the process, and leaves no file.

    Raises
    ------
    BlockingIOError
        where another process has kept it for longer than ``patience_s``.
    """
    import fcntl

    descriptor = os.open(str(folder), os.O_RDONLY)
    try:
        deadline = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    # Some network file systems lock no folders: there the names of its own protect a deployment.
                    break
                if time.monotonic() > deadline:
                    raise BlockingIOError(errno.EWOULDBLOCK, "another process is writing there", str(folder)) from None
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
