"""What reading a damaged zip archive raises beside OSError: zipfile's own errors, and those that it lets through."""

from __future__ import annotations

import struct
import zipfile
import zlib

__all__ = ["DAMAGED_ZIP"]

_LZMA: tuple[type[Exception], ...]
try:
    from lzma import LZMAError

    _LZMA = (LZMAError,)
except ImportError:  # a board's Python may lack it, and refuses such archives then
    _LZMA = ()

# RuntimeError: an encrypted member, or a packing that is unknown.
DAMAGED_ZIP = (ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error, *_LZMA)
