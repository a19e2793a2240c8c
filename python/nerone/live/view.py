"""A bundle and a source become a running viewer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nerone.bundle.bundle import Bundle
from nerone.data.labelled import LabelledSource, pair_sources
from nerone.data.phantom_sets import PHANTOM_TASKS, write_phantoms
from nerone.data.prepared import source_statistics
from nerone.data.sources import Source
from nerone.data.value_range import PlayedNotes
from nerone.errors import ConfigurationError
from nerone.evaluation.devices import find_device
from nerone.evaluation.power import open_meter
from nerone.evaluation.power_watch import PowerWatch
from nerone.live.engines import engine_factory, labels_of
from nerone.live.fp32 import FloatModel
from nerone.live.server import LiveServer
from nerone.live.session import Session
from nerone.live.sources import LiveSource, open_source
from nerone.live.video import CameraSource, VideoSource, camera_capture, is_camera, is_video
from nerone.live.watched import WatchedFolder
from nerone.ownership import temporary_folder
from nerone.web.access import Access

__all__ = ["open_live_source", "open_session", "open_truths", "view"]

_PHANTOMS = "phantoms"


def open_truths(bundle: Bundle, root: Path) -> Callable[[Source], Mapping[int, NDArray[np.uint8]]]:
    """Return a function that finds the ground truth beside a file, as class numbers of the bundle."""
    ids = bundle.output.label_ids or tuple(range(len(bundle.output.class_names)))
    to_class = np.zeros(256, np.uint8)
    to_class[list(ids)] = np.arange(len(ids), dtype=np.uint8)

    def truths(source: Source) -> Mapping[int, NDArray[np.uint8]]:
        pair = pair_sources([source], root)[0]
        if not isinstance(pair, LabelledSource) or bundle.output.kind == "classification":
            return {}
        found = ((one.frame.index or 0, one.truth) for one in pair.read())
        return {index: to_class[truth] for index, truth in found if not isinstance(truth, str)}

    return truths


def open_live_source(bundle: Bundle, source: str | Path, *, watch: bool = False) -> LiveSource:
    """Open what a bundle is to be played on.

    Parameters
    ----------
    source : file or folder of scans or pictures, a video file, "camera", "camera:N" or "/dev/videoN", or "phantoms",
        which draws some of the bundle's task (where no file is called so)
    watch : keep looking into the folder for new files

    Raises
    ------
    ConfigurationError, DeviceError
        where it cannot be had.
    """
    text, path = str(source), Path(source)
    steps = bundle.preprocessing
    grey = steps.input_channels == 1
    if is_camera(text):
        return CameraSource(text, camera_capture(text), grey=grey)
    if text == _PHANTOMS and not path.exists():
        return _phantoms(bundle)
    root = path if path.is_dir() else path.parent
    truths = open_truths(bundle, root)
    if watch:
        if not path.is_dir():
            raise ConfigurationError(f"'{path}' is no folder; only a folder can be watched")
        return WatchedFolder(path, truths, lambda one: source_statistics(one, steps), steps=steps)
    if is_video(path) and not path.is_dir():
        return VideoSource(path, grey=grey)
    return open_source(path, truths, lambda one: source_statistics(one, steps), steps)


def _phantoms(bundle: Bundle) -> LiveSource:
    task = bundle.preset.removeprefix("paper-").removesuffix("-3t")
    if task not in PHANTOM_TASKS:
        raise ConfigurationError("this bundle has no preset with phantoms; name a file or folder of scans or pictures")
    folder = temporary_folder("phantoms")
    try:
        write_phantoms(task, folder.name, count=8 if task == "bccd" else 1, slices=24)
        opened = open_live_source(bundle, folder.name)
    except BaseException:
        folder.cleanup()
        raise
    opened.name = f"{task} phantoms"
    opened.on_close(folder.cleanup)
    return opened


def open_session(
    bundle: Bundle,
    source: str | Path,
    *,
    device: str = "softdpu",
    threads: int = 2,
    watch: bool = False,
    power: str = "none",
    told: Callable[[str], None] | None = None,
) -> Session:
    """Start playing a source through a bundle.

    Parameters
    ----------
    bundle : Bundle
    source, watch : as for :func:`open_live_source`
    device : "softdpu", "board", or simulated: "zcu104-sim", "kv260-sim", "ultra96v2-sim"
    power : as for `nerone.evaluation.power.open_meter`
    told : takes a note on each source that does not look like the calibration images; logged where not given

    Raises
    ------
    ConfigurationError, ModelError, DeviceError
        where the source, the bundle or the meter cannot be used.
    """
    runs_on = find_device(device, bundle.host_model_path, preset=bundle.preset)
    meter = PowerWatch(open_meter(power))
    opened = open_live_source(bundle, source, watch=watch)
    try:
        notes = PlayedNotes(bundle.calibration_values(), bundle.preprocessing)
        make_engine = engine_factory(bundle, runs_on)
        return Session(opened, make_engine, "vart", threads, meter=meter, notes=notes, told=told)
    except BaseException:
        opened.close()
        meter.close()
        raise


async def view(
    bundle: Bundle,
    session: Session,
    access: Access,
    *,
    told: Callable[[str], None],
    device: str = "softdpu",
    float_model: FloatModel | None = None,
) -> None:
    """Serve a session until the task is cancelled; ``told`` gets the address once it can be opened."""
    labels = labels_of(bundle, find_device(device, bundle.host_model_path, preset=bundle.preset))
    steps = bundle.preprocessing
    server = LiveServer(session, access, title=bundle.name, bundle=labels, float_model=float_model, steps=steps)
    await server.start()
    told(server.url)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()
