"""A folder that another program fills, such as the inbox of a scanner or a microscope."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from nerone.data.dicom import is_dicom
from nerone.data.nifti import is_nifti
from nerone.data.pictures import is_picture
from nerone.data.sources import Source, find_sources
from nerone.errors import ConfigurationError, Error
from nerone.live.sources import (
    LiveFrame,
    LiveSource,
    ScanSource,
    Truths,
    VolumeStatistics,
    damaged_source,
    no_statistics,
    no_truths,
)
from nerone.runtime.preprocessing import Preprocessing

__all__ = ["WatchedFolder"]

_LOOK_INTERVAL_S = 0.25
# A file that was written to so lately may still be growing.
_SETTLED_S = 0.2


@dataclass(frozen=True)
class _Found:
    """A file as it was when the folder was looked at."""

    changed_ns: int
    path: Path
    size: int


class WatchedFolder(LiveSource):
    """A folder that is being filled: what appears in it is played, newest 1,000 files by age; other types are ignored.

    Parameters
    ----------
    folder : Path
    truths, statistics : as for :class:`nerone.live.sources.ScanSource`
    steps : Preprocessing, to turn volumes to the orientation that it declares
    kept : int, files that are played
    """

    def __init__(
        self,
        folder: Path,
        truths: Truths = no_truths,
        statistics: VolumeStatistics = no_statistics,
        *,
        steps: Preprocessing | None = None,
        kept: int = 1000,
    ) -> None:
        super().__init__()
        self.name = f"{folder.name} (watched)"
        self._folder = folder
        self._truths, self._statistics = truths, statistics
        self._steps, self._kept = steps, kept
        self._looked_s = float("-inf")
        self._listed: list[_Found] = []
        self._opened: dict[_Found, Source] = {}
        self._scans: ScanSource | None = None
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Frames of the files in the folder, looked up four times a second; 1, which fails, without a folder."""
        with self._lock:
            if time.monotonic() - self._looked_s > _LOOK_INTERVAL_S:
                self._looked_s = time.monotonic()
                self._look()
            if self._scans is None:
                return 0 if self._folder.is_dir() else 1
            return self._scans.count

    def frame(self, index: int) -> LiveFrame:
        """Return frame ``index``, of the files by age."""
        with self._lock:
            scans = self._scans
        if not self._folder.is_dir():
            raise ConfigurationError(f"the folder '{self._folder}' is not there any more; it is played when it is back")
        if scans is None or index >= scans.count:
            raise ConfigurationError(f"frame {index} is not in '{self._folder}' any more")
        return scans.frame(index)

    def _look(self) -> None:
        listed = self._files()
        if listed == self._listed:
            return
        self._listed = listed
        self._opened = {found: self._opened.get(found) or _open(found.path, self._steps) for found in listed}
        sources = list(self._opened.values())
        self._scans = ScanSource(self.name, sources, self._truths, self._statistics) if sources else None
        if self._scans is not None:
            self.hounsfield = self._scans.hounsfield

    def _files(self) -> list[_Found]:
        aged = []
        settled_ns = time.time_ns() - round(_SETTLED_S * 1e9)
        with contextlib.suppress(OSError):  # a file or the folder may vanish between the listing and the look
            for path in self._folder.iterdir():
                with contextlib.suppress(OSError):
                    status = path.stat()
                    if path.is_file() and not path.name.startswith(".") and status.st_mtime_ns < settled_ns:
                        aged.append(_Found(status.st_mtime_ns, path, status.st_size))
        known = [f for f in aged if f in self._opened or is_nifti(f.path) or is_picture(f.path) or is_dicom(f.path)]
        return sorted(known, key=lambda f: (f.changed_ns, f.path.name))[-self._kept :]


def _open(path: Path, steps: Preprocessing | None) -> Source:
    try:
        return find_sources(path, steps=steps)[0][0]
    except Error as error:
        return damaged_source(path, str(error))
