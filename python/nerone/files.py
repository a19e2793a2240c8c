"""Small files that people write."""

from __future__ import annotations

import errno
import os
from pathlib import Path

__all__ = ["short_text"]

_MOST_BYTES = 16 << 20


def short_text(path: Path, most_bytes: int = _MOST_BYTES) -> str:
    """Return the UTF-8 text of a file; a device or a pipe may have no end, so no more than ``most_bytes`` are read.

    Raises
    ------
    OSError
        If it cannot be read, or has more bytes (``errno.EFBIG``).
    UnicodeDecodeError
        If it is no UTF-8.
    """
    with path.open("rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return data.decode("utf-8")
