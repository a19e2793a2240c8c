"""Fingerprints: the 64 bit numbers by which a DPU's overlay and the models compiled for it know each other."""

from __future__ import annotations

from nerone.dpu.boards import BOARDS

__all__ = ["boards_of_fingerprint", "fingerprint_text"]


def fingerprint_text(fingerprint: int) -> str:
    """Return a fingerprint as the vendor writes it.

    Examples
    --------
    >>> fingerprint_text(0x1000020F6014407)
    '0x1000020f6014407'
    """
    return f"0x{fingerprint:x}"


def boards_of_fingerprint(fingerprint: int | None) -> tuple[tuple[str, str], ...]:
    """Return the (board, Vitis AI version) pairs whose overlay has this fingerprint; none for None."""
    return tuple(
        (board.name, version)
        for board in BOARDS.values()
        for version, known in board.fingerprints.items()
        if known == fingerprint
    )
