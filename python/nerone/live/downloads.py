"""Downloads of the page: masks as NIfTI, the run's numbers as CSV."""

from __future__ import annotations

import gzip

import numpy as np

from nerone.bundle.tables import table_text
from nerone.data.grid import written_grid
from nerone.errors import ConfigurationError
from nerone.live.record import COLUMNS
from nerone.live.session import Session

__all__ = ["masks_nifti", "statistics_csv"]


def masks_nifti(session: Session) -> bytes:
    """Return the masks of all frames of the source as one gzipped NIfTI volume on the scan's grid, with its affine.

    Raises
    ------
    ConfigurationError : not every frame has been run yet, or the frames are of several sizes
    """
    import nibabel

    masks = session.collected_masks()
    missing = session.source.count - len(masks)
    if missing > 0 or not masks:
        raise ConfigurationError(
            f"{missing} of {session.source.count} frames have no mask yet; let the source play once"
        )
    if len({mask.shape for mask in masks.values()}) > 1:
        raise ConfigurationError("the frames are of several sizes and cannot be one volume; use nerone run for folders")
    volume = np.stack([masks[index] for index in sorted(masks)], axis=-1)
    first, affine = session.source.first, np.eye(4)
    if first is not None and session.source.affine is not None:
        volume, affine = written_grid(volume, first)
    return gzip.compress(nibabel.Nifti1Image(volume, affine).to_bytes(), 6)


def statistics_csv(session: Session) -> str:
    """Return the last hour, two rows a second: time, backend, frames, FPS, latency, stages, device, queue, power.

    What cannot be measured is an empty field.
    """
    return table_text([COLUMNS, *([row[name] for name in COLUMNS] for row in list(session.record.rows))])
