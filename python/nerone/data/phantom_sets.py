"""Phantom data sets of the four tasks in their true layouts, so that every task runs without a download."""

from __future__ import annotations

from pathlib import Path

from nerone.data.blood_phantoms import write_blood_phantoms
from nerone.data.brain_phantoms import write_brain_phantoms
from nerone.data.phantoms import write_ct_phantoms
from nerone.data.prostate_phantoms import write_prostate_phantoms
from nerone.errors import ConfigurationError

__all__ = ["PHANTOM_TASKS", "write_phantoms"]

PHANTOM_TASKS = ("ct-org", "brats", "prostate", "bccd")


def write_phantoms(
    task: str,
    folder: Path | str,
    *,
    count: int = 4,
    seed: int = 0,
    size: int | None = None,
    slices: int | None = None,
) -> list[Path]:
    """Write phantoms of a task: CT and brain volumes as NIfTI, prostates as DICOM and NRRD, blood cells as JPEG.

    Parameters
    ----------
    task : "ct-org", "brats", "prostate" or "bccd"
    folder : where; made if it is not there
    count : int, patients, or photographs of each class
    seed : int, the first one's seed; the same seed gives the same files
    size : int or None, rows and columns (blood cells: rows); None takes the data set's own (CT: 256)
    slices : int or None, slices of a volume

    Returns
    -------
    list of Path, the volumes, folders or pictures

    Raises
    ------
    ConfigurationError
        For an unknown task, a count below 1, or a folder that cannot be written.
    """
    if task not in PHANTOM_TASKS:
        raise ConfigurationError(f"task '{task}' is unknown; use one of {', '.join(PHANTOM_TASKS)}")
    if count < 1:
        raise ConfigurationError(f"count is {count}; expected 1 or more")
    try:
        if task == "ct-org":
            return write_ct_phantoms(folder, count=count, seed=seed, size=size or 256, slices=slices or 64)
        if task == "brats":
            return write_brain_phantoms(folder, count=count, seed=seed, size=size or 240, slices=slices or 155)
        if task == "prostate":
            return write_prostate_phantoms(folder, count=count, seed=seed, size=size or 320, slices=slices or 19)
        height = size or 240
        return write_blood_phantoms(folder, count=count, seed=seed, height=height, width=height * 4 // 3)
    except OSError as error:
        raise ConfigurationError(f"phantoms cannot be written to '{folder}': {error}") from error
