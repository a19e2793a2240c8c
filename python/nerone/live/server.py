"""The web page: static files, one web socket a viewer, upload and downloads. Everything comes from this machine."""

from __future__ import annotations

import asyncio
import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nerone.errors import ConfigurationError, Error
from nerone.live.description import describe
from nerone.live.downloads import masks_nifti, statistics_csv
from nerone.live.engines import BundleLabels
from nerone.live.fp32 import FloatModel
from nerone.live.screen import Screen
from nerone.live.session import Session
from nerone.live.uploads import receive
from nerone.runtime.preprocessing import Preprocessing
from nerone.web.access import Access
from nerone.web.guard import Guard, unless_it_stalls
from nerone.web.listener import Listener

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["LiveServer"]

_STATIC = Path(__file__).parent / "static"
_MAX_MESSAGE_BYTES = 4096
_STATISTICS_INTERVAL_S = 0.5
# Ends of a window; the values of images are far inside, and their differences are finite in any precision.
_WIDEST = 1e30


class LiveServer:
    """Serves one session to several viewers.

    Parameters
    ----------
    session : Session, closed with the server
    access : Access, address, token and limits
    title, bundle : what the page shows of the bundle
    float_model : FloatModel or None, shown beside the bundle
    steps : Preprocessing of the bundle, for scans that are uploaded
    """

    def __init__(
        self,
        session: Session,
        access: Access,
        *,
        title: str,
        bundle: BundleLabels,
        float_model: FloatModel | None = None,
        steps: Preprocessing | None = None,
    ) -> None:
        self.session = session
        self.access = access
        self._listener = Listener(access, keepalive_s=30.0)
        self._bundle = bundle
        self._title = title
        self._sockets: set[web.WebSocketResponse] = set()
        self._uploads = 0
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="nerone-live-encoder")
        self._float_model = float_model
        self._steps = steps
        self._screen = Screen(session, self._encoder, float_model)

    @property
    def url(self) -> str:
        """The address to open, with the token where one is required."""
        return f"{self._listener.url}/" + (f"?token={self.access.token}" if self.access.token else "")

    @property
    def port(self) -> int:
        """TCP port, the one that was taken once the server has started."""
        return self._listener.port

    async def start(self) -> None:
        """Listen. Raises ConfigurationError where the address cannot be had."""
        from aiohttp import web

        guard = Guard(self.access)
        app = web.Application(middlewares=[guard.middleware()], client_max_size=_MAX_MESSAGE_BYTES)
        app.router.add_get("/", self._page)
        app.router.add_get("/ws", self._socket)
        app.router.add_post("/api/upload", self._upload)
        app.router.add_get("/api/masks.nii.gz", self._masks)
        app.router.add_get("/api/statistics.csv", self._statistics)
        app.router.add_static("/static", _STATIC)
        if self._float_model is not None:
            loop = asyncio.get_running_loop()
            self._float_model.when_done(lambda: self._refresh_from(loop))
        await self._listener.open(app, guard)

    async def stop(self) -> None:
        """Close the viewers' sockets and stop listening; the session is closed by its owner."""
        await self._listener.stop_accepting()
        for socket in list(self._sockets):
            await socket.close(code=1001, message=b"NERONE was stopped.")
        await self._listener.close()
        self._encoder.shutdown(wait=False)

    def _refresh_from(self, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            loop.call_soon_threadsafe(self._screen.refresh)

    # Requests.

    async def _page(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        response = web.Response(text=(_STATIC / "index.html").read_text(encoding="utf-8"), content_type="text/html")
        if self.access.token:
            response.set_cookie(self.access.cookie, self.access.token, httponly=True, samesite="Strict")
        return response

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        if self._uploads >= self.access.max_uploads:
            return web.Response(status=503, text=f"{self._uploads} uploads are under way; send yours again later.")
        self._uploads += 1
        try:
            task = asyncio.ensure_future(receive(request, self.access.max_upload_bytes, self._steps))
            source = await unless_it_stalls(task, request, self.access.stall_s)
        finally:
            self._uploads -= 1
        if source is None:
            return web.Response(status=408, text="The upload stalled; send the files again.")
        self.session.use_source(source)
        return web.Response(text=f"playing {source.name}")

    async def _masks(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        try:
            data = await asyncio.get_running_loop().run_in_executor(None, masks_nifti, self.session)
        except Error as error:
            return web.Response(status=409, text=str(error))
        headers = {"Content-Disposition": 'attachment; filename="masks.nii.gz"'}
        return web.Response(body=data, content_type="application/gzip", headers=headers)

    async def _statistics(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        headers = {"Content-Disposition": 'attachment; filename="statistics.csv"'}
        return web.Response(text=statistics_csv(self.session), content_type="text/csv", headers=headers)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        if len(self._sockets) >= self.access.max_viewers:
            return web.Response(status=503, text=f"{len(self._sockets)} viewers are connected, which is the limit.")
        socket = web.WebSocketResponse(max_msg_size=_MAX_MESSAGE_BYTES, heartbeat=20.0, compress=False)
        self._sockets.add(socket)
        try:
            try:
                await socket.prepare(request)
            except ValueError:  # of a key that is no base64, which aiohttp lets through
                return web.Response(status=400, text="This is no handshake of a web socket; reload the page.")
            await self._serve_viewer(socket)
            return socket
        finally:
            self._sockets.discard(socket)

    # One viewer.

    async def _serve_viewer(self, socket: web.WebSocketResponse) -> None:
        ready = asyncio.Event()
        ready.set()
        told = self._hello()
        await socket.send_json(told)  # the page needs the classes before it can draw a frame
        tasks = [
            asyncio.create_task(self._send_frames(socket, ready)),
            asyncio.create_task(self._send_numbers(socket, told)),
        ]
        try:
            async for message in socket:
                if message.type.name != "TEXT":
                    continue
                answer = self._handle(message.data, ready)
                if answer is not None:
                    await socket.send_json(answer)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send_frames(self, socket: web.WebSocketResponse, ready: asyncio.Event) -> None:
        """Send the newest frame whenever the viewer has shown the last one, at most at the screen's rate."""
        sent = (0, -1)
        while not socket.closed:
            await ready.wait()
            sent, message = await self._screen.newer_than(sent)
            ready.clear()
            await socket.send_bytes(message)

    def _hello(self) -> dict[str, Any]:
        described = describe(self.session, self._bundle, self._title, self._float_model)
        return {"type": "hello", **described, "upload": {"max_bytes": self.access.max_upload_bytes}}

    async def _send_numbers(self, socket: web.WebSocketResponse, told: dict[str, Any]) -> None:
        error = ""
        while not socket.closed:
            hello = self._hello()
            if hello != told:
                told = hello
                await socket.send_json(hello)
            await socket.send_json({"type": "statistics", **self.session.statistics()})
            if self.session.error != error:
                error = self.session.error
                await socket.send_json(
                    {"type": "error", "text": error, "lasting": True} if error else {"type": "recovered"}
                )
            await asyncio.sleep(_STATISTICS_INTERVAL_S)

    def _handle(self, text: str, ready: asyncio.Event) -> dict[str, Any] | None:
        try:
            message = json.loads(text)
            kind = message["type"]
            if kind == "shown":
                ready.set()
                return None
            return self._command(kind, message)
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            return {"type": "error", "text": "The page sent a message that is not understood; reload it."}
        except Error as error:
            return {"type": "error", "text": str(error)}

    def _set_window(self, low: float | None, high: float | None) -> None:
        if low is None or high is None:
            self.session.window = None
        elif not -_WIDEST < float(low) < float(high) < _WIDEST:
            raise ConfigurationError(
                f"window [{low}, {high}] is empty or too wide; its low end must be below its high end"
            )
        else:
            self.session.window = (float(low), float(high))
        self._screen.refresh()

    def _command(self, kind: str, message: dict[str, Any]) -> dict[str, Any] | None:
        if kind == "play":
            self.session.play()
        elif kind == "pause":
            self.session.pause()
        elif kind == "seek":
            self.session.seek(int(message["index"]))
            return None
        elif kind == "window":
            self._set_window(message["low"], message["high"])
            return None
        elif kind == "backend":
            self.session.use_engine(str(message["name"]), int(message["threads"]))
            return None
        else:
            raise ConfigurationError("The page sent a command that is not known; reload it.")
        return {"type": "playing", "playing": self.session.playing}
