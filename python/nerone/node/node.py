"""The node: a C-STORE server, a queue, and a thread that segments and sends."""

from __future__ import annotations

import io
import logging
import shutil
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nerone.bundle.bundle import Bundle
from nerone.data.extent import DEFLATED
from nerone.errors import ConfigurationError, DeviceError, Error, check_real, check_whole
from nerone.node.limits import Limits
from nerone.node.segmenting import segmentations
from nerone.node.sending import Peer, check_title, send
from nerone.node.spool import Spool

__all__ = ["Node", "NodeOptions"]

_LOG = logging.getLogger("nerone.node")
_SUCCESS, _OUT_OF_RESOURCES, _NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000
# A step of the loop; what waits for a series is its silence.
_STEP_S = 0.1
# For an association's request, from the connection on, and for its release.
_SILENCE_S = 10
_LONGEST_S = 1e8


@dataclass(frozen=True)
class NodeOptions:
    """How a node listens, waits and sends.

    Attributes
    ----------
    title : AE title of the node
    host, port : where it listens; port 0 takes a free one
    allow : AE titles that may send; all where empty
    silence_s : a series is complete when nothing of it came for so long
    tries : how often a segmentation is sent before its series counts as failed
    retry_s : wait before the second try; it doubles with each
    keep_s : how long the files of a series that is done stay
    device, threads : as of `nerone run`
    connections, connections_per_address : how many may be open at once, of all and of one address; one more is closed

    Raises
    ------
    ConfigurationError
        If a title or a number cannot be.
    """

    title: str = "NERONE"
    host: str = "127.0.0.1"
    port: int = 11112
    allow: tuple[str, ...] = ()
    silence_s: float = 30.0
    tries: int = 8
    retry_s: float = 5.0
    keep_s: float = 86400.0
    device: str = "softdpu"
    threads: int | None = None
    connections: int = 64
    connections_per_address: int = 16

    def __post_init__(self) -> None:
        for title in (self.title, *self.allow):
            check_title(title)
        check_whole("port", self.port, 0, 65535)
        check_whole("tries", self.tries, 1, 1000)
        check_whole("threads", 1 if self.threads is None else self.threads, 1, 1024)
        check_whole("connections", self.connections, 1, 900)  # pynetdicom's own limit stands above it
        check_whole("connections per address", self.connections_per_address, 1, 900)
        check_real("the silence in seconds", self.silence_s, 0, _LONGEST_S, above=True)
        for name, seconds in (("the wait before a retry in seconds", self.retry_s), ("keep in seconds", self.keep_s)):
            check_real(name, seconds, 0, _LONGEST_S)


class Node:
    """Takes series by C-STORE, runs each once it is complete, and sends its segmentation. Not a medical device.

    Parameters
    ----------
    bundle : Bundle that segments
    peer : Peer, where segmentations go
    spool : folder of what is on its way; survives a kill
    options : NodeOptions

    Raises
    ------
    ConfigurationError
        If the bundle segments nothing, the spool cannot be used, or the port is taken.
    """

    def __init__(self, bundle: Bundle, peer: Peer, spool: str | Path, options: NodeOptions | None = None) -> None:
        from pynetdicom import AE

        if bundle.output.kind != "segmentation":
            raise ConfigurationError(
                f"'{bundle.path}' is a {bundle.output.kind} bundle; a node needs one that segments"
            )
        self.bundle, self.peer, self.options = bundle, peer, options or NodeOptions()
        self.spool = Spool(Path(spool))
        self._stop = threading.Event()
        self._entity = AE(ae_title=self.options.title)
        _add_contexts(self._entity)
        self._entity.require_calling_aet = list(self.options.allow)
        # Counted and timed by Limits: one that says nothing is no association that others wait for.
        self._entity.maximum_associations, self._entity.acse_timeout = 1000, _SILENCE_S
        self._limits = Limits(self.options.connections, self.options.connections_per_address)
        try:
            self._server: Any = self._listen()
        except BaseException:
            self.spool.close()
            raise
        self._worker = threading.Thread(target=self._work, name="nerone-node", daemon=True)
        self._worker.start()
        _LOG.info(
            "node %s at %s:%d, segmentations to %s (not a medical device)",
            self.options.title,
            self.options.host,
            self.port,
            peer,
        )

    def _listen(self) -> Any:
        from pynetdicom import evt

        place = (self.options.host, self.options.port)
        try:
            handlers = [
                (evt.EVT_C_STORE, self._store),
                (evt.EVT_CONN_OPEN, self._limits.opened),
                (evt.EVT_CONN_CLOSE, self._limits.closed),
            ]
            server = self._entity.start_server(place, block=False, evt_handlers=handlers)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen at {place[0]}:{place[1]}: {error.strerror or error}; choose another --host or --port"
            ) from error
        self._limits.guard(server)
        return server

    @property
    def port(self) -> int:
        """Port it listens on."""
        return int(self._server.socket.getsockname()[1])

    def wait(self, seconds: float | None = None) -> None:
        """Come back after so long, or when it is closed."""
        self._stop.wait(seconds)

    def close(self) -> None:
        """Take nothing more, end the series that runs, and let the spool go; the rest goes on at the next start."""
        self._stop.set()
        self._server.shutdown()
        self._worker.join()
        self.spool.close()

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _store(self, event: Any) -> int:
        """Answer C-STORE: success means that the instance is on the disk and in the queue."""
        import pydicom

        self._limits.ended(event.assoc)
        try:
            data = event.encoded_dataset()
            header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
            series, instance = str(header.get("SeriesInstanceUID") or ""), str(event.request.AffectedSOPInstanceUID)
        except Exception as error:
            _LOG.warning("an instance cannot be read and is refused: %s", error)
            return _NOT_UNDERSTOOD
        if not series:
            _LOG.warning("instance %s has no SeriesInstanceUID and is refused", instance)
            return _NOT_UNDERSTOOD
        try:
            self.spool.add(series, instance, data)
        except (OSError, sqlite3.Error) as error:
            _LOG.error(
                "instance %s cannot be kept and is refused, make room in '%s': %s", instance, self.spool.folder, error
            )
            return _OUT_OF_RESOURCES
        return _SUCCESS

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self.spool.complete(self.options.silence_s)
                taken = self.spool.take()
                if taken is None:
                    self.spool.forget(self.options.keep_s)
                else:
                    self._series(*taken)
                    continue
            except (OSError, sqlite3.Error) as error:
                _LOG.error("the queue in '%s' cannot be written, make room: %s", self.spool.folder, error)
                self._stop.wait(1)
            self._stop.wait(_STEP_S)

    def _series(self, series: str, instances: tuple[str, ...], tries: int) -> None:
        files: list[Path] = []
        try:
            files = segmentations(self.spool, series, instances, self.bundle, self.options.device, self.options.threads)
            send(files, self.peer, self.options.title)
        except (DeviceError, OSError) as error:
            self._again(series, tries + 1, str(error))
            return
        except Exception as error:
            said = str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
            _LOG.error("series %s failed: %s", series, said)
            self.spool.settle(series, "failed", said)
            return
        self.spool.settle(series, "done")
        shutil.rmtree(self.spool.made(series), ignore_errors=True)
        _LOG.info("series %s: %d instances, %d segmentations sent to %s", series, len(instances), len(files), self.peer)

    def _again(self, series: str, tries: int, said: str) -> None:
        if tries >= self.options.tries:
            _LOG.error("series %s failed after %d tries: %s", series, tries, said)
            self.spool.settle(series, "failed", said)
            return
        wait_s = min(3600.0, self.options.retry_s * 2 ** (tries - 1))
        _LOG.warning("series %s, try %d of %d, again in %g s: %s", series, tries, self.options.tries, wait_s, said)
        self.spool.settle(series, "ready", said, wait_s=wait_s)


def _add_contexts(entity: Any) -> None:
    from pynetdicom import ALL_TRANSFER_SYNTAXES, sop_class

    # A few deflated bytes may unpack to any number.
    syntaxes = [syntax for syntax in ALL_TRANSFER_SYNTAXES if syntax not in DEFLATED]
    for name in (
        "CTImageStorage",
        "EnhancedCTImageStorage",
        "LegacyConvertedEnhancedCTImageStorage",
        "MRImageStorage",
        "EnhancedMRImageStorage",
        "LegacyConvertedEnhancedMRImageStorage",
        "PositronEmissionTomographyImageStorage",
    ):
        entity.add_supported_context(getattr(sop_class, name), syntaxes)
    entity.add_supported_context(sop_class.Verification)
