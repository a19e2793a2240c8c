"""Read the names that a pickle would import, without unpickling it."""

from __future__ import annotations

import io
import pickletools
import zipfile

__all__ = ["foreign_names"]

# What PyTorch pickles tensors with.
_KNOWN = frozenset(
    {
        "collections OrderedDict",
        "torch._utils _rebuild_parameter",
        "torch._utils _rebuild_tensor_v2",
        *(f"torch {kind}Storage" for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char")),
        *(f"torch {kind}Storage" for kind in ("Byte", "Bool")),
    }
)
_NAMING = ("GLOBAL", "INST")
# They take the name from the stack, from a registry, or build objects in ways of their own.
_HIDDEN = ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4", "OBJ", "NEWOBJ_EX")


def foreign_names(content: bytes) -> list[str]:
    """Return what the pickles in a file name beyond tensors; nothing where it is no pickle.

    Parameters
    ----------
    content : a pickle, or PyTorch's zip of one
    """
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [odd for name in archive.namelist() for odd in foreign_names(archive.read(name))]
    if not content.startswith((b"\x80", b"(", b"c", b"]", b"}")):
        return []
    found = []
    try:
        for code, argument, _ in pickletools.genops(content):
            if code.name in _HIDDEN or (code.name in _NAMING and str(argument) not in _KNOWN):
                found.append(f"'{argument}'" if argument is not None else f"a hidden name ({code.name})")
    except Exception:
        # Numbers that begin like a pickle end so; what stood before is as PyTorch would have met it.
        return found
    return found
