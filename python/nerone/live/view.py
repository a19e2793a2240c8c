"""A bundle and a source become a running viewer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nerone.data.labelled import LabelledSource, pair_sources
from nerone.data.sources import Source
from nerone.deployment.bundle import Bundle
from nerone.deployment.calibration import source_statistics
from nerone.errors import ConfigurationError
from nerone.live.access import Access
from nerone.live.engines import engine_factory, labels_of
from nerone.live.server import LiveServer
from nerone.live.session import Session
from nerone.live.sources import LiveSource, WatchedFolder, open_source

__all__ = ["open_session", "open_truths", "view"]


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


def open_session(
    bundle: Bundle, source: str | Path, *, device: str = "softdpu", threads: int = 2, watch: bool = False
) -> Session:
    """Start playing a source through a bundle.

    Parameters
    ----------
    bundle : Bundle
    source : file or folder of scans or pictures
    watch : keep looking into the folder for new pictures, newest 1,000

    Raises
    ------
    ConfigurationError, ModelError, DeviceError
        where the source or the bundle cannot be used.
    """
    path = Path(source)
    opened: LiveSource
    if watch:
        if not path.is_dir():
            raise ConfigurationError(f"'{path}' is no folder; only a folder can be watched")
        opened = WatchedFolder(path)
    else:
        root = path if path.is_dir() else path.parent
        opened = open_source(path, open_truths(bundle, root), lambda one: source_statistics(one, bundle.preprocessing))
    return Session(opened, engine_factory(bundle, device), "vart", threads)


async def view(bundle: Bundle, session: Session, access: Access, *, told: Callable[[str], None]) -> None:
    """Serve a session until the task is cancelled; ``told`` gets the address once it can be opened."""
    server = LiveServer(session, access, title=bundle.name, bundle=labels_of(bundle, "softdpu"))
    await server.start()
    told(server.url)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()
