"""A DICOM node: series come in by C-STORE, segmentations go out by C-STORE. Not a medical device."""

from __future__ import annotations

from nerone.node.node import Node, NodeOptions
from nerone.node.sending import Peer

__all__ = ["Node", "NodeOptions", "Peer"]
