"""Sources of frames by number: files and folders here, others in modules of their own."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from nerone.data.frame import Frame
from nerone.data.sources import Source, find_sources
from nerone.errors import ConfigurationError, Error
from nerone.runtime.preprocessing import Preprocessing, Statistics

__all__ = ["LiveFrame", "LiveSource", "ScanSource", "damaged_source", "no_statistics", "no_truths", "open_source"]

_CACHE_BYTES = 512 * 1024 * 1024

Truths = Callable[[Source], Mapping[int, NDArray[np.uint8]]]
VolumeStatistics = Callable[[Source], Optional[Statistics]]


def no_truths(_: Source) -> Mapping[int, NDArray[np.uint8]]:
    """Find no ground truth."""
    return {}


def no_statistics(_: Source) -> Statistics | None:
    """Need none."""
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


class LiveSource(ABC):
    """Frames by number, thread-safe.

    Attributes
    ----------
    name : str, as the page shows it
    hounsfield : bool, whether the values are Hounsfield units, for which there are window presets
    live : bool, whether there is but one frame, the newest, as of a camera
    affine : (4, 4) float64 of the one volume that the frames are slices of, or None
    note : str, what is unusual about what was played of it last, or ""
    names : of files that are stored under other names than they came with, by the stored one
    first : Frame, the first one, or None where its file is damaged or frames come from elsewhere
    """

    name: str = ""
    hounsfield: bool = False
    live: bool = False
    affine: NDArray[np.float64] | None = None
    first: Frame | None = None
    note: str = ""

    def __init__(self) -> None:
        self.names: Mapping[str, str] = {}
        self._closers: list[Callable[[], None]] = []

    @property
    @abstractmethod
    def count(self) -> int:
        """Frames there are now."""

    @abstractmethod
    def frame(self, index: int) -> LiveFrame:
        """Return frame ``index``. Raises ConfigurationError or DeviceError where it cannot be had."""

    def called(self, frame: Frame) -> str:
        """Return what a note on a frame calls its volume, or the source where it has no volumes or but one."""
        if frame.affine is None or frame.count == self.count:
            return self.name
        return self.names.get(frame.source.name, frame.source.name)

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
    """The frames of files on disk, one volume or series after the other; those read last stay in memory.

    Parameters
    ----------
    sources : what :func:`nerone.data.sources.find_sources` found
    truths : function from a file to its ground truth, class numbers (H, W) uint8 by slice
    statistics : function from a file to the statistics of its volume
    cache_bytes : int, size of the frames that are kept
    """

    def __init__(
        self,
        name: str,
        sources: list[Source],
        truths: Truths = no_truths,
        statistics: VolumeStatistics = no_statistics,
        *,
        cache_bytes: int = _CACHE_BYTES,
    ) -> None:
        super().__init__()
        self.name = name
        self._sources = sources
        self._truths = truths
        self._statistics = statistics
        self._lock = threading.Lock()
        self._cache = _Cache(cache_bytes)
        self._reading: tuple[int, Iterator[LiveFrame], int] | None = None
        first = self.first = self._first_readable()
        if first is not None:
            self.affine = first.affine if len(sources) == 1 else None
            self.hounsfield = first.image.dtype == np.int16 and int(first.image.min()) < -200

    def _first_readable(self) -> Frame | None:
        """Return the first frame, or None where its file is damaged, which is told when it is played."""
        try:
            return self.frame(0).stored
        except Error:
            return None

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


def damaged_source(path: Path, reason: str) -> Source:
    """Return a source of one frame that raises why the file cannot be read."""

    def read() -> Iterator[Frame]:
        raise ConfigurationError(reason)
        yield  # makes it a generator

    return Source(path, 1, read, "picture")


def open_source(
    path: Path,
    truths: Truths = no_truths,
    statistics: VolumeStatistics = no_statistics,
    steps: Preprocessing | None = None,
    *,
    whole: bool = False,
) -> LiveSource:
    """Open a file or folder of scans or pictures; ``truths`` and ``statistics`` as for :class:`ScanSource`.

    With ``steps`` volumes are turned to the orientation that they declare. With ``whole`` every frame is read once, so
    that a file whose end is missing is refused here, not while it is played.

    Of a folder, files that cannot be opened are frames that say so.

    Raises
    ------
    ConfigurationError : it is missing, empty, of no readable kind, or a file that is damaged
    """
    sources, skipped = find_sources(path, skip_bad=path.is_dir(), steps=steps)
    for source in sources if whole else ():
        for _ in source.read():
            pass
    sources += [damaged_source(file, reason) for file, reason in skipped]
    opened = ScanSource(path.name, sources, truths, statistics)
    if len(sources) == 1:
        opened.frame(0)
    return opened
