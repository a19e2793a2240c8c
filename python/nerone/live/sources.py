"""What can be watched: a scan, a folder, a folder that is being filled, a camera or a video; all by frame number."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.frame import Frame
from nerone.data.sources import Source, find_sources
from nerone.errors import ConfigurationError
from nerone.runtime.preprocessing import Statistics

__all__ = ["LiveFrame", "LiveSource", "ScanSource", "WatchedFolder", "open_source"]

_CACHE_BYTES = 512 * 1024 * 1024
_LOOK_INTERVAL_S = 0.25

Truths = Callable[[Source], Mapping[int, NDArray[np.uint8]]]
VolumeStatistics = Callable[[Source], Statistics | None]


def _no_truths(_: Source) -> Mapping[int, NDArray[np.uint8]]:
    return {}


def _none(_: Source) -> Statistics | None:
    return None


@dataclass(frozen=True)
class LiveFrame:
    """A frame and the masks that are already known of it, such as the ground truth.

    Attributes
    ----------
    stored : Frame
    masks : mapping of "truth" or "fp32" to (H, W) uint8 class numbers on the grid of the image
    statistics : of the volume the frame is a slice of, where the preprocessing needs them
    """

    stored: Frame
    masks: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    statistics: Statistics | None = None

    @property
    def image(self) -> NDArray[Any]:
        """The picture as stored, (H, W) or (H, W, C)."""
        return self.stored.image


class LiveSource:
    """Frames by number. Thread-safe; the frames of the current volume stay in memory up to 512 MiB."""

    name: str = ""
    hounsfield: bool = False
    affine: NDArray[np.float64] | None = None

    def __init__(self) -> None:
        self._closers: list[Callable[[], None]] = []

    @property
    def count(self) -> int:
        """Frames there are now."""
        raise NotImplementedError

    def frame(self, index: int) -> LiveFrame:
        """Return frame ``index``. Raises ConfigurationError where it cannot be read."""
        raise NotImplementedError

    def on_close(self, action: Callable[[], None]) -> None:
        """Run ``action`` when the source is closed."""
        self._closers.append(action)

    def close(self) -> None:
        """Release what the source holds; may be called twice."""
        while self._closers:
            self._closers.pop()()


class _Cache:
    """The frames that were read last, by number, up to a size."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._frames: OrderedDict[int, LiveFrame] = OrderedDict()

    def get(self, index: int) -> LiveFrame | None:
        if index in self._frames:
            self._frames.move_to_end(index)
        return self._frames.get(index)

    def put(self, index: int, frame: LiveFrame) -> None:
        if index in self._frames:
            return
        self._frames[index] = frame
        self._size_bytes += frame.image.nbytes
        while self._size_bytes > self._limit_bytes and len(self._frames) > 1:
            _, old = self._frames.popitem(last=False)
            self._size_bytes -= old.image.nbytes


class ScanSource(LiveSource):
    """The frames of files on disk, one volume or series after the other.

    Parameters
    ----------
    sources : what :func:`nerone.data.sources.find_sources` found
    truths : function from a file to its ground truth, class numbers (H, W) uint8 by slice
    statistics : function from a file to the statistics of its volume
    """

    def __init__(
        self, name: str, sources: list[Source], truths: Truths = _no_truths, statistics: VolumeStatistics = _none
    ) -> None:
        super().__init__()
        self.name = name
        self._sources = sources
        self._truths = truths
        self._statistics = statistics
        self._lock = threading.Lock()
        self._cache = _Cache(_CACHE_BYTES)
        self._reading: tuple[int, Iterator[LiveFrame], int] | None = None
        first = self.frame(0).stored
        self.affine = first.affine if len(sources) == 1 else None
        self.hounsfield = first.image.dtype == np.int16 and int(first.image.min()) < -200

    @property
    def count(self) -> int:
        """Frames of all files."""
        return sum(source.count for source in self._sources)

    def frame(self, index: int) -> LiveFrame:
        """Return frame ``index``, reading on from the last one where it is the next."""
        with self._lock:
            cached = self._cache.get(index)
            if cached is not None:
                return cached
            return self._read(index)

    def _locate(self, index: int) -> tuple[int, int]:
        """Return the number of the file that frame ``index`` is in, and the number of its first frame."""
        start = 0
        for number, source in enumerate(self._sources):
            if index < start + source.count:
                return number, start
            start += source.count
        raise ConfigurationError(f"frame {index} is not in '{self.name}', which has {start}")

    def _read(self, index: int) -> LiveFrame:
        number, start = self._locate(index)
        source = self._sources[number]
        reading = self._reading
        if reading is None or reading[0] != number or reading[2] > index:
            reading = (number, self._frames_of(source), start)
        _, iterator, first = reading
        self._reading = None  # stays so where reading fails, and the next call starts afresh
        for position in range(first, index + 1):
            read = next(iterator, None)
            if read is None:
                raise ConfigurationError(
                    f"'{source.path.name}' ended at frame {position}, {source.count} were expected"
                )
            self._cache.put(position, found := read)
        self._reading = (number, iterator, index + 1)
        return found

    def _frames_of(self, source: Source) -> Iterator[LiveFrame]:
        truths, statistics = self._truths(source), self._statistics(source)
        for position, stored in enumerate(source.read()):
            truth = truths.get(position)
            fits = truth is not None and truth.shape == stored.image.shape[:2]
            yield LiveFrame(stored, {"truth": truth} if truth is not None and fits else {}, statistics)


class WatchedFolder(LiveSource):
    """A folder that another program fills: each new picture becomes a frame; the newest 1,000 are kept."""

    def __init__(self, folder: Path, *, kept: int = 1000) -> None:
        super().__init__()
        self.name = f"{folder.name} (watched)"
        self._folder = folder
        self._kept = kept
        self._files: list[Path] = []
        self._looked_s = float("-inf")
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Pictures in the folder, newest 1,000; looked up four times a second at most."""
        with self._lock:
            if time.monotonic() - self._looked_s > _LOOK_INTERVAL_S:
                self._looked_s = time.monotonic()
                self._files = self._look()
            return len(self._files)

    def _look(self) -> list[Path]:
        aged = []
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            with contextlib.suppress(OSError):  # a file may vanish between the listing and the look
                if path.is_file() and not path.name.startswith("."):
                    aged.append((path.stat().st_mtime_ns, path.name, path))
        return [path for _, _, path in sorted(aged)[-self._kept :]]

    def frame(self, index: int) -> LiveFrame:
        """Return the picture that is ``index``-th by age."""
        with self._lock:
            files = self._files
        if not 0 <= index < len(files):
            raise ConfigurationError(f"'{self._folder}' has {len(files)} pictures, frame {index} is not there any more")
        sources, _ = find_sources(files[index])
        return LiveFrame(next(iter(sources[0].read())))


def open_source(path: Path, truths: Truths = _no_truths, statistics: VolumeStatistics = _none) -> LiveSource:
    """Open a file or folder of scans or pictures; ``truths`` and ``statistics`` as for :class:`ScanSource`.

    Raises
    ------
    ConfigurationError : it is missing, empty, or of no readable kind
    """
    sources, _ = find_sources(path)
    return ScanSource(path.name, sources, truths, statistics)
