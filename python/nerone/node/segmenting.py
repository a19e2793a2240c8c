"""One series through a bundle to segmentations whose UIDs follow from what they were made of."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from nerone.bundle.bundle import Bundle
from nerone.errors import ConfigurationError
from nerone.node.spool import Spool, sync_folder, write_synced
from nerone.runtime.prediction.files import predict_files
from nerone.runtime.prediction.options import RunOptions

__all__ = ["bundle_digest", "made_key", "segmentations"]

_LOG = logging.getLogger("nerone.node")


def bundle_digest(bundle: Bundle) -> str:
    """Return the sha256 of bundle.json, which holds the checksums of the other files."""
    return hashlib.sha256((bundle.path / "bundle.json").read_bytes()).hexdigest()


def made_key(series: str, instances: Sequence[str], digest: str) -> str:
    """Return what names a result: the series, the instances it consisted of, and the bundle."""
    return hashlib.sha256("\n".join([digest, series, *sorted(instances)]).encode()).hexdigest()


def segmentations(
    spool: Spool, series: str, instances: Sequence[str], bundle: Bundle, device: str, threads: int | None
) -> list[Path]:
    """Return the SEG files of a series, one for each volume in it; those of an earlier try where it came so far.

    Those that were made of other instances of it, and are superseded, are removed.

    Raises
    ------
    ConfigurationError, ShapeError, DtypeError
        If the instances make no volume that the bundle can run.
    """
    key = made_key(series, instances, bundle_digest(bundle))
    made = spool.made(series) / key
    if not made.is_dir():
        work = spool.folder / "work" / key
        shutil.rmtree(work, ignore_errors=True)
        try:
            _make(
                spool, work, series, instances, bundle, RunOptions(device=device, threads=threads, format="dicom-seg")
            )
            made.parent.mkdir(exist_ok=True)
            (work / "sent").replace(made)
            sync_folder(made.parent)
            sync_folder(made.parent.parent)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    for superseded in made.parent.iterdir():
        if superseded != made:
            shutil.rmtree(superseded, ignore_errors=True)
    return sorted(made.glob("*.dcm"))


def _make(spool: Spool, work: Path, series: str, instances: Sequence[str], bundle: Bundle, options: RunOptions) -> None:
    import io

    import pydicom
    from pydicom.uid import generate_uid

    # The instances as they were when the series was taken: others may come while it runs.
    (work / "scan").mkdir(parents=True)
    for instance in instances:
        file = spool.file(series, instance)
        try:
            os.link(file, work / "scan" / file.name)
        except OSError:
            shutil.copyfile(file, work / "scan" / file.name)
    written, _ = predict_files(bundle, work / "scan", work / "masks", options=options)
    for one in written:
        for note in one.notes:
            _LOG.warning("series %s: %s", series, note)
    found = [one.target for one in written if one.target.suffix == ".dcm"]
    if not found:
        raise ConfigurationError(
            f"the {len(instances)} instances of series {series} make no volume; nothing is segmented"
        )
    for number, target in enumerate(found, 1):
        data = pydicom.dcmread(target)
        data.SeriesInstanceUID = generate_uid(entropy_srcs=[work.name, "series"])
        data.SOPInstanceUID = generate_uid(entropy_srcs=[work.name, str(number)])
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.InstanceNumber = number
        buffer = io.BytesIO()
        data.save_as(buffer, enforce_file_format=True)
        write_synced(work / "sent" / f"{number:04d}.dcm", buffer.getvalue())
