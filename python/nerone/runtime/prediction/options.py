"""How a folder of scans is run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from nerone.errors import ConfigurationError

__all__ = ["FORMATS", "RunOptions", "shard_of"]

FORMATS = ("nifti", "png", "dicom-seg", "dicom-labelmap")


@dataclass(frozen=True)
class RunOptions:
    """Everything but what is run and where it goes.

    Attributes
    ----------
    device : "softdpu" or "board"
    backend : "vart", the C++ pipeline, or "pynq", the paper's loop in Python
    threads : workers of the pipeline, chosen where None
    format : of the masks of volumes: "nifti", "png" (one picture a slice), "dicom-seg" or "dicom-labelmap", which need
        a DICOM series. Masks of pictures are PNG
    resample : how masks get to the scan's grid: "nearest", or "linear", which resamples the probabilities
    skip_bad : leave out files that cannot be read, and list them
    shard : (i, n), run the i-th (from 1) of n parts of the cases; the same n parts give the same cases on any machine
    resume : leave out cases whose manifest and output say that they are finished
    dice : score masks against labels that lie beside the scans
    colours : beside each PNG mask write a picture in the classes' colours, NAME_colour_mask.png
    manifest : keep a manifest in the output folder; a shard, and a run that is resumed, do
    """

    device: str = "softdpu"
    backend: Literal["vart", "pynq"] = "vart"
    threads: int | None = None
    format: str = "nifti"
    resample: str = "nearest"
    skip_bad: bool = False
    shard: tuple[int, int] | None = None
    resume: bool = False
    manifest: bool = False
    colours: bool = False
    dice: bool = False

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ConfigurationError(f"there is no format '{self.format}'; expected {', '.join(FORMATS)}")
        if self.resample not in ("nearest", "linear"):
            raise ConfigurationError(f"resample is '{self.resample}'; expected nearest or linear")
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise ConfigurationError(
                f"shard {self.shard[0]}/{self.shard[1]} is none; expected 1/{self.shard[1]} to N/N"
            )

    @property
    def keeps_manifest(self) -> bool:
        """Whether a manifest is written."""
        return self.manifest or self.resume or self.shard is not None


def shard_of(text: str | None) -> tuple[int, int] | None:
    """Read "2/7"; ConfigurationError where it is none."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise ConfigurationError(f"--shard is '{text}'; expected I/N from 1/N to N/N, such as 2/7")
    return int(found[1]), int(found[2])
