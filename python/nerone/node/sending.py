"""C-STORE to another application entity."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nerone.errors import ConfigurationError, DeviceError

__all__ = ["Peer", "check_title", "send"]


@dataclass(frozen=True)
class Peer:
    """An application entity that takes segmentations.

    Attributes
    ----------
    title, host : str
    port : int
    """

    title: str
    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> Peer:
        """Read "AET@host:port"; ConfigurationError where it is none."""
        found = re.fullmatch(r"([^@]+)@(.+):(\d{1,5})", text.strip())
        if not found or not 1 <= int(found[3]) <= 65535:
            raise ConfigurationError(
                f"'{text}' names no application entity; expected AET@host:port, such as PACS@10.0.0.2:104"
            )
        return cls(check_title(found[1]), found[2].strip("[]"), int(found[3]))

    def __str__(self) -> str:
        return f"{self.title}@{self.host}:{self.port}"


def check_title(title: str) -> str:
    """Return an AE title without blanks around it; ConfigurationError where it is none."""
    found = title.strip()
    if not re.fullmatch(r"[\x20-\x5b\x5d-\x7e]{1,16}", found):
        raise ConfigurationError(f"'{title}' is no AE title; expected 1 to 16 printable ASCII characters, no backslash")
    return found


def send(files: Sequence[Path], peer: Peer, calling: str) -> None:
    """Send files over one association.

    Raises
    ------
    DeviceError
        If the peer cannot be reached, refuses the association or the kind of object, or does not store a file.
    """
    import pydicom
    from pynetdicom import AE

    entity = AE(ae_title=calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 60
    entity.connection_timeout = 10
    objects = [pydicom.dcmread(file) for file in files]
    for kind, syntax in {(one.SOPClassUID, one.file_meta.TransferSyntaxUID) for one in objects}:
        entity.add_requested_context(kind, syntax)
    association = entity.associate(peer.host, peer.port, ae_title=peer.title)
    if not association.is_established:
        why = "refuses the association" if association.is_rejected else "cannot be reached or takes no segmentations"
        raise DeviceError(f"{peer} {why}; check its title, address and whether it knows '{calling}'")
    try:
        for one in objects:
            try:
                answer = association.send_c_store(one)
            except (ValueError, RuntimeError) as error:
                raise DeviceError(f"{peer} takes no segmentation: {error}") from error
            # 0xB000, 0xB006 and 0xB007 are warnings: the object was stored.
            status = answer.get("Status")
            if status is None or (status != 0 and status >> 12 != 0xB):
                said = (
                    "no answer" if status is None else f"status 0x{status:04X} {answer.get('ErrorComment', '')}".strip()
                )
                raise DeviceError(f"{peer} did not store the segmentation: {said}; check its log and disk")
    finally:
        association.release()
