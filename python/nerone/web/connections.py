"""Connections to the viewer: so many per address, and none that stays without saying what it wants."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

__all__ = ["Doorkeeper", "stop_listening"]


async def stop_listening(server: asyncio.Server) -> None:
    """Accept no more connections, and lose none that was accepted.

    What asyncio closes between a connection's acceptance and its transport leaves the client without an answer.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    for _ in range(3):
        await asyncio.sleep(0)
    server.close()


class Doorkeeper:
    """Makes a protocol for each connection around the one that answers it.

    Parameters
    ----------
    answer : makes the protocol that answers
    max_per_address : int, connections of one address; one more is closed at once
    headers_s : float, seconds from a request's first byte, or from the connection's, to the end of its headers
    """

    def __init__(self, answer: Callable[[], asyncio.Protocol], max_per_address: int, headers_s: float) -> None:
        self._answer, self._max_per_address, self._headers_s = answer, max_per_address, headers_s
        self._open: Counter[str] = Counter()
        self._doors: dict[object, _Door] = {}

    def __call__(self) -> asyncio.Protocol:
        """Make the protocol of a new connection."""
        return _Door(self, self._answer())

    @contextlib.contextmanager
    def answering(self, protocol: object) -> Iterator[None]:
        """Mark that a request's headers came and it is being answered, until the block ends."""
        door = self._doors.get(protocol)
        if door is None:
            yield
            return
        door.busy += 1
        door.stop_clock()
        try:
            yield
        finally:
            door.busy -= 1

    def enter(self, address: str, inner: object, door: _Door) -> bool:
        """Count a connection; False where there are too many."""
        if self._open[address] >= self._max_per_address:
            return False
        self._open[address] += 1
        self._doors[inner] = door
        return True

    def leave(self, address: str, inner: object) -> None:
        """Count it no more."""
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]
        self._doors.pop(inner, None)

    @property
    def headers_s(self) -> float:
        """Seconds that a request's headers may take."""
        return self._headers_s


class _Door(asyncio.Protocol):
    """Passes everything on, and closes a connection whose request does not come."""

    def __init__(self, keeper: Doorkeeper, inner: asyncio.Protocol) -> None:
        self._keeper, self._inner = keeper, inner
        self._address: str | None = None  # None where it was not let in
        self._transport: asyncio.BaseTransport | None = None
        self._clock: asyncio.TimerHandle | None = None
        self.busy = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        address = str((transport.get_extra_info("peername") or ("",))[0])
        self._transport = transport
        if not self._keeper.enter(address, self._inner, self):
            transport.abort()  # type: ignore[attr-defined]
            return
        self._address = address
        self._start_clock()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._address is None:
            return
        if not self.busy and self._clock is None:
            self._start_clock()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._address is not None else None

    def connection_lost(self, error: Exception | None) -> None:
        self.stop_clock()
        if self._address is not None:
            self._keeper.leave(self._address, self._inner)
            self._inner.connection_lost(error)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def _start_clock(self) -> None:
        self._clock = asyncio.get_running_loop().call_later(self._keeper.headers_s, self._close)

    def stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _close(self) -> None:
        self._clock = None
        if not self.busy and self._transport is not None:
            self._transport.abort()  # type: ignore[attr-defined]
