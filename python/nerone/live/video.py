"""Video files and cameras, read with OpenCV."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.data.frame import Frame
from nerone.errors import ConfigurationError, DeviceError
from nerone.live.sources import LiveFrame, LiveSource

__all__ = ["VIDEO_ENDINGS", "CameraSource", "VideoSource", "camera_capture", "is_camera", "is_video"]

VIDEO_ENDINGS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
# First bytes of the containers. Nothing else is handed to the decoder: a playlist by the name of a video could make it
# open other files and addresses.
_CONTAINERS = re.compile(rb"....ftyp|RIFF....AVI |\x1aE\xdf\xa3|\x00\x00\x01[\xba\xb3]", re.S)
_CAMERA = re.compile(r"camera(?::(\d+))?|/dev/video(\d+)")
_MAX_COUNTED = 10_000_000
_FRESH_S = 3.0
_RETRY_S = 1.0


def is_video(path: Path) -> bool:
    """Return by its name whether a file is a video."""
    return path.suffix.lower() in VIDEO_ENDINGS


def is_camera(source: str) -> bool:
    """Return whether a source is called ``camera``, ``camera:N`` or ``/dev/videoN``."""
    return _CAMERA.fullmatch(source) is not None


@functools.cache
def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        raise ConfigurationError(
            "cameras and video files are read with OpenCV, which is missing; install it with: pip install "
            "'nerone[video]'"
        ) from None
    cv2.setNumThreads(1)  # the cores belong to the pipeline
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # failures are told in our own words
    return cv2


def _converted(image: NDArray[Any], grey: bool) -> NDArray[np.uint8]:
    """Turn OpenCV's BGR to RGB, or to grey where the network takes one channel."""
    cv2 = _opencv()
    if image.ndim == 2:
        return np.ascontiguousarray(image, np.uint8)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY if grey else cv2.COLOR_BGR2RGB), np.uint8)


class VideoSource(LiveSource):
    """The frames of a video file, in order or by number.

    Parameters
    ----------
    path : Path
    grey : bool, give (H, W) instead of (H, W, 3) RGB

    Raises
    ------
    ConfigurationError : OpenCV is missing, or the file is missing, no video, damaged or empty
    """

    def __init__(self, path: Path, *, grey: bool = False) -> None:
        super().__init__()
        self.name = path.name
        self._path = path
        self._grey = grey
        self._lock = threading.Lock()
        self._capture: Any = None
        self._next = 0
        self._count = 0
        announced = int(self._open().get(_opencv().CAP_PROP_FRAME_COUNT))
        self._count = announced if 0 < announced < _MAX_COUNTED else self._counted()
        self.frame(0)

    def _open(self) -> Any:
        """Open the file from its beginning."""
        try:
            with self._path.open("rb") as file:
                known = _CONTAINERS.match(file.read(16)) is not None
        except OSError as error:
            raise ConfigurationError(
                f"the video '{self._path}' cannot be read ({error.strerror}); it is played again when it is back"
            ) from error
        if not known:
            raise ConfigurationError(
                f"'{self._path}' is no MP4, MOV, AVI, Matroska, WebM or MPEG video; it may be damaged"
            )
        cv2 = _opencv()
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            capture.release()
            raise ConfigurationError(f"the video '{self._path}' cannot be decoded; it may be damaged")
        self._capture, self._next = capture, 0
        return capture

    def _counted(self) -> int:
        """Count by reading, where the container does not say."""
        count = 0
        while count < _MAX_COUNTED and self._capture.grab():
            count += 1
        self._release()
        return count

    @property
    def count(self) -> int:
        """Frames of the file; fewer than it announced once it has ended early."""
        return self._count

    def frame(self, index: int) -> LiveFrame:
        """Return frame ``index``; the next one is the cheapest."""
        with self._lock:
            if not self._path.is_file():
                self._release()
            if self._capture is None:
                self._open()
            if index != self._next:
                self._capture.set(_opencv().CAP_PROP_POS_FRAMES, index)
            good, image = self._capture.read()
            if not good:
                announced, self._count = self._count, max(1, index)
                self._release()
                raise ConfigurationError(
                    f"the video '{self.name}' ended at frame {index} of {announced}; it may be damaged"
                )
            self._next = index + 1
            return LiveFrame(Frame(_converted(image, self._grey), self._path, index, self._count))

    def _release(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._release()
        super().close()


def camera_capture(source: str) -> Callable[[], Any]:
    """Return a function that opens the camera ``camera``, ``camera:N`` or ``/dev/videoN`` with OpenCV."""
    match = _CAMERA.fullmatch(source)
    if match is None:
        raise ConfigurationError(f"'{source}' is no camera; write camera, camera:1 or /dev/video1")
    number = int(match[1] or match[2] or 0)
    return lambda: _opencv().VideoCapture(number)


class CameraSource(LiveSource):
    """A camera: one frame, the newest. A camera that goes away is opened again until it is back.

    The camera is read on a thread of its own, so that frames are fresh however long one takes in the network, and a
    camera that hangs does not hang the run.

    Parameters
    ----------
    name : str, as the page shows it
    open_capture : function that opens the camera: an object with isOpened, read and release as cv2.VideoCapture has
    grey : bool, give (H, W) instead of (H, W, 3) RGB
    fresh_s : float, how long a frame may take

    Raises
    ------
    DeviceError : there is no such camera, or it gives no frame
    """

    live = True

    def __init__(
        self, name: str, open_capture: Callable[[], Any], *, grey: bool = False, fresh_s: float = _FRESH_S
    ) -> None:
        super().__init__()
        self.name = name
        self._open_capture = open_capture
        self._grey = grey
        self._fresh_s = fresh_s
        self._lock = threading.Condition()
        self._newest: NDArray[np.uint8] | None = None
        self._taken = True
        self._stop = threading.Event()
        self._capture = self._opened()
        if self._capture is None:
            raise DeviceError(f"there is no {name} that can be opened; connect it, or check who may read /dev/video*")
        self._thread = threading.Thread(target=self._read, name="nerone-live-camera", daemon=True)
        self._thread.start()
        try:
            self.frame(0)
        except DeviceError:
            self.close()
            raise

    def _opened(self) -> Any:
        try:
            capture = self._open_capture()
            if capture.isOpened():
                return capture
            capture.release()
        except ConfigurationError:
            raise
        except Exception:  # of a driver; the camera counts as not there
            return None
        return None

    @property
    def count(self) -> int:
        """One: the newest."""
        return 1

    def frame(self, index: int) -> LiveFrame:
        """Wait for a frame that was not given yet."""
        with self._lock:
            if not self._lock.wait_for(lambda: not self._taken or self._stop.is_set(), self._fresh_s) or self._taken:
                raise DeviceError(f"{self.name} gives no frames; check its cable, it is opened again when it is back")
            self._taken = True
            assert self._newest is not None
            return LiveFrame(Frame(self._newest, Path(self.name)))

    def _read(self) -> None:
        while not self._stop.is_set():
            image = self._grabbed()
            if image is not None:
                converted = _converted(image, self._grey)
                with self._lock:
                    self._newest, self._taken = converted, False
                    self._lock.notify_all()
                continue
            if self._capture is not None:
                self._capture.release()
            if not self._stop.wait(_RETRY_S):
                self._capture = self._opened()
        if self._capture is not None:
            self._capture.release()

    def _grabbed(self) -> NDArray[Any] | None:
        try:
            good, image = (False, None) if self._capture is None else self._capture.read()
        except Exception:  # of a driver; as if no frame came
            return None
        return image if good else None

    def close(self) -> None:
        """Give the camera back; one that hangs is left to its thread."""
        self._stop.set()
        with self._lock:
            self._lock.notify_all()
        self._thread.join(2.0)
        super().close()
