"""Scans and pictures: readers of the paper's data sets and of plain folders, masks, phantoms."""

from __future__ import annotations

from nerone.data.frame import Frame
from nerone.data.labelled import LabelledFrame, LabelledFrames, labelled_frames
from nerone.data.sources import Frames, frames
from nerone.data.writers import write_masks

__all__ = ["Frame", "Frames", "LabelledFrame", "LabelledFrames", "frames", "labelled_frames", "write_masks"]
