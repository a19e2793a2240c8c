"""Sources: videos, cameras, folders that are filled, files that vanish; and how slices are turned."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.python.live.conftest import AFFINE

from nerone.data.sources import find_sources
from nerone.errors import ConfigurationError, DeviceError
from nerone.live.encoding import upright
from nerone.live.sources import LiveFrame, LiveSource, ScanSource, open_source
from nerone.live.video import CameraSource, VideoSource, camera_capture, is_camera
from nerone.live.watched import WatchedFolder
from waiting import wait_for

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")


def write_video(path: Path, frames: int = 9) -> Path:
    """Frame i is red at level 10 i, blue is 0."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    assert writer.isOpened()
    for i in range(frames):
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[:, :, 2] = 10 * i % 250
        writer.write(picture)
    writer.release()
    return path


def test_a_source_says_what_it_lacks() -> None:
    with pytest.raises(TypeError, match="abstract"):
        LiveSource()  # type: ignore[abstract]


def test_video_frames_by_number_in_any_order(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "clip.avi"))
    assert source.count == 9
    for index in (0, 1, 2, 7, 3, 8, 0):
        image = source.frame(index).image
        assert image.shape == (48, 64, 3)
        assert abs(int(image[20, 20, 0]) - 10 * index) <= 4, f"frame {index} is not the one of that number"
        assert image[20, 20, 2] < 12, "the channels are RGB"
    assert VideoSource(tmp_path / "clip.avi", grey=True).frame(5).image.shape == (48, 64)
    source.close()
    source.close()


def test_damaged_videos_are_refused(tmp_path: Path) -> None:
    playlist = tmp_path / "list.mp4"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    with pytest.raises(ConfigurationError, match="no MP4"):
        VideoSource(playlist)
    (tmp_path / "empty.avi").write_bytes(b"RIFF\0\0\0\0AVI " + bytes(500))
    with pytest.raises(ConfigurationError, match="damaged"):
        VideoSource(tmp_path / "empty.avi")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        VideoSource(tmp_path / "none.avi")


def test_a_video_that_is_cut_short_ends_there(tmp_path: Path) -> None:
    data = write_video(tmp_path / "clip.avi", frames=30).read_bytes()
    (tmp_path / "clip.avi").write_bytes(data[: len(data) // 2])
    source = VideoSource(tmp_path / "clip.avi")
    told = []
    for index in range(source.count):
        with contextlib.suppress(ConfigurationError):
            source.frame(index)
            continue
        told.append(index)
        break
    assert 1 <= source.count < 30
    assert told in ([], [source.count]), "it ends where it told so, or announced no more than it has"
    assert source.frame(0).image.shape == (48, 64, 3)


def test_a_video_that_vanishes_comes_back(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.avi")
    source = VideoSource(path)
    shutil.move(path, tmp_path / "away")
    with pytest.raises(ConfigurationError, match="when it is back"):
        source.frame(1)
    shutil.move(tmp_path / "away", path)
    assert abs(int(source.frame(4).image[20, 20, 0]) - 40) <= 4


class Camera:
    """A capture of the tests with the face of cv2.VideoCapture: plugged says whether it is there."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        state["opened"] = state.get("opened", 0) + 1

    def isOpened(self) -> bool:
        return bool(self._state["plugged"])

    def read(self) -> tuple[bool, Any]:
        time.sleep(0.005)
        if not self._state["plugged"]:
            self._state["missed"] = self._state.get("missed", 0) + 1
            return False, None
        self._state["number"] = self._state.get("number", 0) + 1
        image = np.full((6, 8, 3), self._state["number"] % 256, np.uint8)
        image[1] = self._state["number"] // 256
        return True, image

    def release(self) -> None:
        self._state["released"] = self._state.get("released", 0) + 1


def number_in(frame: LiveFrame) -> int:
    return int(frame.image[0, 0, 0]) + 256 * int(frame.image[1, 0, 0])


def test_a_camera_gives_the_newest_frame_and_comes_back() -> None:
    state: dict[str, Any] = {"plugged": True}
    source = CameraSource("camera:0", lambda: Camera(state), fresh_s=1.0)
    assert (source.count, source.live) == (1, True)
    first = number_in(source.frame(0))
    wait_for(lambda: state["number"] > first + 3)  # the one before it is there by then
    assert number_in(source.frame(0)) > first + 2, "frames that nobody took in time are dropped"
    state["plugged"] = False
    wait_for(lambda: state.get("missed", 0) > 0)
    with contextlib.suppress(DeviceError):
        source.frame(0)  # one may still be on its way
    with pytest.raises(DeviceError, match="gives no frames"):
        source.frame(0)
    state["plugged"] = True

    def is_back() -> bool:
        with contextlib.suppress(DeviceError):
            return source.frame(0).image.shape == (6, 8, 3)
        return False

    wait_for(is_back)
    source.close()
    wait_for(lambda: state["opened"] == state["released"])


def test_a_camera_that_is_not_there_is_refused_at_once() -> None:
    state: dict[str, Any] = {"plugged": False}
    with pytest.raises(DeviceError, match="camera:0"):
        CameraSource("camera:0", lambda: Camera(state))
    with pytest.raises(DeviceError, match="camera:63"):
        CameraSource("camera:63", camera_capture("camera:63"))
    assert [is_camera(name) for name in ("camera", "camera:1", "/dev/video2", "camera.png", "scans")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def save(path: Path, level: int) -> None:
    Image.fromarray(np.full((8, 8), level, np.uint8)).save(path)


def test_a_watched_folder_plays_what_appears(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
    folder = tmp_path / "inbox"
    folder.mkdir()
    source = WatchedFolder(folder)
    assert source.count == 0
    save(folder / "b.png", 1)
    (folder / "notes.txt").write_text("no picture")
    (folder / "half.png.part").write_bytes(b"x")
    wait_for(lambda: source.count == 1)
    nibabel.save(nibabel.Nifti1Image(np.full((8, 8, 3), -500, np.int16), AFFINE), folder / "a.nii.gz")
    wait_for(lambda: source.count == 4)
    assert source.frame(0).image[0, 0] == 1, "older files come first"
    assert source.frame(3).image[0, 0] == -500
    (folder / "c.nii.gz").write_bytes(b"damaged")
    wait_for(lambda: source.count == 5)
    with pytest.raises(ConfigurationError, match=r"c\.nii\.gz"):
        source.frame(4)
    (folder / "c.nii.gz").unlink()
    wait_for(lambda: source.count == 4)


def test_a_watched_folder_that_vanishes_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    save(folder / "a.png", 7)
    source = WatchedFolder(folder)
    wait_for(lambda: source.count == 1)
    shutil.move(folder, tmp_path / "away")
    with pytest.raises(ConfigurationError, match="not there any more"):
        source.frame(0)
    wait_for(lambda: source.count == 1)  # of a folder that is away: the frame that says so
    shutil.move(tmp_path / "away", folder)
    wait_for(lambda: source.count == 1)
    assert source.frame(0).image[0, 0] == 7


def test_one_damaged_file_of_a_folder_is_a_frame_that_says_so(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 1)
    (tmp_path / "b.nii.gz").write_bytes(b"damaged")
    save(tmp_path / "c.png", 3)
    source = open_source(tmp_path)
    assert source.count == 3
    read, told = [], []
    for index in range(3):
        try:
            read.append(int(source.frame(index).image[0, 0]))
        except ConfigurationError as error:
            told.append(str(error))
    assert read == [1, 3]
    assert len(told) == 1
    assert "b.nii.gz" in told[0]


def test_frames_beyond_the_memory_are_read_again(tmp_path: Path) -> None:
    for level in range(4):
        save(tmp_path / f"{level}.png", level)
    source = ScanSource("few", find_sources(tmp_path)[0], cache_bytes=100)
    assert [int(source.frame(i).image[0, 0]) for i in (0, 1, 2, 3, 0, 2)] == [0, 1, 2, 3, 0, 2]
    (tmp_path / "3.png").unlink()
    with pytest.raises(ConfigurationError, match="does not exist"):
        source.frame(3)


def test_many_threads_read_one_source(tmp_path: Path) -> None:
    for level in range(6):
        save(tmp_path / f"{level}.png", level)
    source = ScanSource("few", find_sources(tmp_path)[0], cache_bytes=100)
    wrong: list[int] = []

    def read() -> None:
        for i in range(60):
            if int(source.frame(i % 6).image[0, 0]) != i % 6:
                wrong.append(i)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("signs", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
@pytest.mark.parametrize(("rows", "columns"), [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)])
def test_slices_are_shown_upright(rows: int, columns: int, signs: tuple[int, int]) -> None:
    affine = np.eye(4)
    affine[:3, :3] = 0
    affine[rows, 0], affine[columns, 1] = 0.7 * signs[0], 1.3 * signs[1]
    affine[({0, 1, 2} - {rows, columns}).pop(), 2] = 2.0
    i, j = np.indices((4, 6))
    place = affine[:3, 0, None, None] * i + affine[:3, 1, None, None] * j
    shown = upright(np.moveaxis(place, 0, -1), affine)
    vertical, horizontal = max(rows, columns), min(rows, columns)
    assert np.all(np.diff(shown[:, 0, vertical]) < 0), "superior, or anterior, is up"
    assert np.all(np.diff(shown[0, :, horizontal]) < 0), "right, or anterior, is on the left"
    assert upright(place[0], None) is place[0] or np.array_equal(upright(place[0], None), place[0])
