"""Phantom data sets of the four tasks in their true layouts, so that every task runs without a download."""

from __future__ import annotations

from pathlib import Path

from nerone.data.blood_phantoms import write_blood_phantoms
from nerone.data.brain_phantoms import write_brain_phantoms
from nerone.data.phantoms import write_ct_phantoms
from nerone.data.prostate_phantoms import write_prostate_phantoms
from nerone.errors import ConfigurationError, check_whole

__all__ = ["PHANTOM_TASKS", "write_phantoms"]

# Rows and columns (of pictures rows), and slices.
_SIZES = {"ct-org": (256, 64), "brats": (240, 155), "prostate": (320, 19), "bccd": (240, 1)}
PHANTOM_TASKS = tuple(_SIZES)


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
        For an unknown task, a number that cannot be, or a folder that cannot be written.
    """
    if task not in PHANTOM_TASKS:
        raise ConfigurationError(f"task '{task}' is unknown; use one of {', '.join(PHANTOM_TASKS)}")
    rows, depth = _SIZES[task]
    rows, depth = rows if size is None else size, depth if slices is None else slices
    for name, value, least in (("count", count, 1), ("size", rows, 16), ("slices", depth, 1)):
        check_whole(name, value, least, 100_000 if name == "count" else 4096)
    check_whole("seed", seed, 0)
    try:
        if task == "ct-org":
            return write_ct_phantoms(folder, count=count, seed=seed, size=rows, slices=depth)
        if task == "brats":
            return write_brain_phantoms(folder, count=count, seed=seed, size=rows, slices=depth)
        if task == "prostate":
            return write_prostate_phantoms(folder, count=count, seed=seed, size=rows, slices=depth)
        return write_blood_phantoms(folder, count=count, seed=seed, height=rows, width=rows * 4 // 3)
    except OSError as error:
        raise ConfigurationError(f"phantoms cannot be written to '{folder}': {error}") from error
