"""The server: Open Inference Protocol v2 over HTTP, health, metrics, bundles replaced while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nerone.bundle.checks import versions
from nerone.errors import ConfigurationError, check_real, check_whole
from nerone.evaluation.power import open_meter
from nerone.evaluation.power_watch import PowerWatch
from nerone.ownership import temporary_folder
from nerone.runtime.prediction.options import RunOptions
from nerone.serving.metrics import Metrics
from nerone.serving.scans import TooLargeError, receive, segment
from nerone.serving.served import Served, model_name
from nerone.serving.tensors import answer, read_request
from nerone.web.access import Access
from nerone.web.guard import Guard, unless_it_stalls
from nerone.web.listener import Listener

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["InferenceServer", "ServeOptions", "serve"]

_LOG = logging.getLogger("nerone.serving")
_HEADER = "Inference-Header-Content-Length"
# A 512 x 512 image of int16 comes without a pause.
_READ_AHEAD_BYTES = 1 << 19
_INPUTS = ("image", "spacing_mm")


@dataclass(frozen=True)
class ServeOptions:
    """How bundles are served.

    Attributes
    ----------
    device, threads, result : as for `nerone.Pipeline`
    queue : int, requests at once, waiting ones among them; one more is answered 503 with Retry-After
    max_bytes : int, size of a request
    max_scan_bytes : int, size of a scan that is sent as it is
    scans : int, scans at once; one more is answered 503 with Retry-After
    certificate, key : PEM files of TLS; empty for none
    power : as for `nerone.evaluation.power.open_meter`
    grace_s : float, seconds in which a server that stops answers what it took
    """

    device: str = "softdpu"
    threads: int | None = None
    result: Literal["classes", "probabilities"] = "classes"
    queue: int = 128
    max_bytes: int = 64 << 20
    max_scan_bytes: int = 1 << 30
    scans: int = 2
    certificate: str = ""
    key: str = ""
    power: str = "auto"
    grace_s: float = 30.0

    def __post_init__(self) -> None:
        for name in ("queue", "max_bytes", "max_scan_bytes", "scans"):
            check_whole(name, getattr(self, name), 1, 2**62)
        check_whole("threads", 1 if self.threads is None else self.threads, 1, 1024)
        check_real("grace in seconds", self.grace_s, 0, 1e8)
        if self.result not in ("classes", "probabilities"):
            raise ConfigurationError(f"result is '{self.result}'; expected classes or probabilities")
        if bool(self.certificate) != bool(self.key):
            raise ConfigurationError("a TLS certificate and its key go together; give both files")


class InferenceServer:
    """Serves bundles; make it inside a running event loop.

    Parameters
    ----------
    bundles : folders of bundles; a model is called as its folder is, without ".nerone"
    access : Access
    options : ServeOptions

    Raises
    ------
    ConfigurationError, ModelError, DeviceError
        where a bundle, a certificate or the device cannot be used, or two bundles have one name.
    """

    def __init__(self, bundles: Sequence[str | Path], access: Access, options: ServeOptions | None = None) -> None:
        self.access, self.options = access, options or ServeOptions()
        self.models: dict[str, Served] = {}
        for path in bundles:
            name = model_name(path)
            if name in self.models:
                raise ConfigurationError(f"two bundles are called '{name}'; rename the folder of one")
            self.models[name] = Served(path, self.options.device, self.options.threads, self.options.result)
        self._listener = Listener(access, keepalive_s=75.0, tls=_tls(self.options), read_ahead_bytes=_READ_AHEAD_BYTES)
        self.in_flight = self._scans = 0
        self._draining = False
        self._meter = PowerWatch(open_meter(self.options.power))
        self.metrics = Metrics(self.models, self._meter, lambda: self.in_flight)

    @property
    def url(self) -> str:
        """The address, without the token."""
        return self._listener.url

    @property
    def port(self) -> int:
        """TCP port, the one that was taken once the server has started."""
        return self._listener.port

    async def start(self) -> None:
        """Listen. Raises ConfigurationError where the address cannot be had."""
        from aiohttp import web

        guard = Guard(self.access, as_json=True)
        app = web.Application(middlewares=[self._watched(), guard.middleware()])
        app.router.add_get("/metrics", self._metrics_page)
        app.router.add_get("/v2", self._about)
        app.router.add_get("/v2/health/live", self._live)
        app.router.add_get("/v2/health/ready", self._ready)
        app.router.add_post("/v2/repository/index", self._index)
        app.router.add_post("/v2/repository/models/{model}/load", self._load)
        for place in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
            app.router.add_get(place, self._about_model)
            app.router.add_get(f"{place}/ready", self._ready)
            app.router.add_post(f"{place}/infer", self._infer)
            app.router.add_post(f"{place}/scan", self._scan)
        await self._listener.open(app, guard)

    async def stop(self) -> None:
        """Take no more requests, answer those that were taken, and close the pipelines."""
        self._draining = True
        await self._listener.stop_accepting()
        end = time.monotonic() + self.options.grace_s
        quiet = 0
        while time.monotonic() < end and quiet < 5:  # what is in the sockets already gets its 503
            quiet = 0 if self.in_flight else quiet + 1
            await asyncio.sleep(0.02)
        await self._listener.close()
        for served in self.models.values():
            await served.close()
        self._meter.close()

    async def reload(self) -> None:
        """Open every bundle again; one that cannot be used is logged and goes on as it was."""
        for name, served in self.models.items():
            try:
                await served.reload()
            except Exception as error:
                _LOG.error("the bundle was not replaced: %s", error, extra={"model": name})
            else:
                _LOG.info("the bundle was replaced", extra={"model": name})

    def _watched(self) -> Any:
        """Log and count every answer, those of the guard among them."""
        from aiohttp import web

        @web.middleware
        async def watched(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            began = time.perf_counter()
            response = await handler(request)
            seconds = time.perf_counter() - began
            name = request.match_info.get("model", "")
            name = name if name in self.models else ""
            self.metrics.requests.labels(name, str(response.status)).inc()
            if request.path.endswith("/infer") and response.status == 200:
                self.metrics.seconds.labels(name).observe(seconds)
            if _LOG.isEnabledFor(logging.INFO):
                told = {"model": name, "status": response.status, "seconds": round(seconds, 6)}
                _LOG.info("%s %s %d", request.method, request.path, response.status, extra=told)
            if self._draining:
                response.force_close()
            return response

        return watched

    # Requests.

    def _served(self, request: web.Request) -> Served:
        from aiohttp import web

        name = request.match_info["model"]
        if name not in self.models:
            raise web.HTTPNotFound(text=f"there is no model '{name[:80]}'; there are {', '.join(self.models)}")
        version = request.match_info.get("version")
        if version is not None and version != str(self.models[name].version):
            raise web.HTTPNotFound(
                text=f"there is no version '{version[:80]}' of '{name}'; it is at {self.models[name].version}"
            )
        return self.models[name]

    async def _live(self, request: web.Request) -> web.Response:
        from aiohttp import web

        return web.Response()

    async def _ready(self, request: web.Request) -> web.Response:
        from aiohttp import web

        if "model" in request.match_info:
            self._served(request)
        return web.Response(status=503 if self._draining else 200)

    async def _metrics_page(self, request: web.Request) -> web.Response:
        from aiohttp import web

        return web.Response(body=self.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def _about(self, request: web.Request) -> web.Response:
        from aiohttp import web

        told = {"name": "nerone", "version": versions().get("nerone", "0"), "extensions": ["binary_tensor_data"]}
        return web.json_response({**told, "notice": "not a medical device"})

    async def _index(self, request: web.Request) -> web.Response:
        from aiohttp import web

        return web.json_response(
            [{"name": n, "version": str(s.version), "state": "READY", "reason": ""} for n, s in self.models.items()]
        )

    async def _load(self, request: web.Request) -> web.Response:
        from aiohttp import web

        served = self._served(request)
        await served.reload()
        _LOG.info("the bundle was replaced", extra={"model": request.match_info["model"]})
        return web.json_response({})

    async def _about_model(self, request: web.Request) -> web.Response:
        from aiohttp import web

        return web.json_response(_metadata(request.match_info["model"], self._served(request)))

    async def _infer(self, request: web.Request) -> web.Response:
        served = self._served(request)
        full = self._no_room()
        if full is not None:
            return full
        self.in_flight += 1
        try:
            return await self._answer(served, request)
        finally:
            self.in_flight -= 1

    def _no_room(self, *, scan: bool = False) -> web.Response | None:
        why = ""
        if self._draining:
            why = "is stopping"
        elif self.in_flight >= self.options.queue:
            why = f"has {self.in_flight} requests, its limit"
        elif scan and self._scans >= self.options.scans:
            why = f"has {self._scans} scans, its limit"
        return _refused(503, f"this server {why}; send it again later", {"Retry-After": "1"}) if why else None

    async def _scan(self, request: web.Request) -> web.Response:
        served = self._served(request)
        if served.bundle.output.kind != "segmentation":
            raise ConfigurationError(f"'{request.match_info['model']}' makes no masks; send images to infer")
        resample = "nearest" if served.result == "classes" else "linear"
        options = RunOptions(format=request.query.get("format", "nifti"), resample=resample)
        if options.format == "png":
            raise ConfigurationError("there is no format 'png' here; expected nifti, dicom-seg or dicom-labelmap")
        full = self._no_room(scan=True)
        if full is not None:
            return full
        self.in_flight += 1
        self._scans += 1
        try:
            with temporary_folder("scan") as folder:
                return await self._answer_scan(served, request, Path(folder), options)
        finally:
            self.in_flight -= 1
            self._scans -= 1

    async def _answer_scan(
        self, served: Served, request: web.Request, folder: Path, options: RunOptions
    ) -> web.Response:
        from aiohttp import web

        files = folder / "scan"
        files.mkdir()
        try:
            if (request.content_length or 0) > self.options.max_scan_bytes:
                raise TooLargeError(f"the scan is larger than {self.options.max_scan_bytes} bytes, the limit")
            task = asyncio.ensure_future(_received(request, files, self.options.max_scan_bytes))
            if await unless_it_stalls(task, request, self.access.stall_s) is None:
                return _refused(408, "the request stalled; send it again", {"Connection": "close"})
            mask = await served.with_pipeline(lambda bundle, pipeline: segment(files, bundle, pipeline, options))
        except TooLargeError as error:
            return _refused(413, str(error), {"Connection": "close"})
        told = {
            "Content-Disposition": f'attachment; filename="{mask.name}"',
            "Content-Type": "application/gzip" if options.format == "nifti" else "application/dicom",
            "Nerone-Counts": json.dumps(mask.counts),
            **_noted(mask.notes),
        }
        for note in mask.notes:
            _LOG.warning("a scan: %s", note, extra={"model": request.match_info["model"]})
        return web.Response(body=mask.data, headers=told)

    async def _answer(self, served: Served, request: web.Request) -> web.Response:
        from aiohttp import web

        if (request.content_length or 0) > self.options.max_bytes:
            return self._too_large()
        body = await unless_it_stalls(
            asyncio.ensure_future(_body(request, self.options.max_bytes)), request, self.access.stall_s
        )
        if body is None:
            return _refused(408, "the request stalled; send it again", {"Connection": "close"})
        if len(body) > self.options.max_bytes:
            return self._too_large()
        asked = read_request(body, request.headers.get(_HEADER), _INPUTS, served.result)
        spacing = asked.inputs.get("spacing_mm")
        if spacing is not None and (spacing.shape != (2,) or not (np.isfinite(spacing) & (spacing > 0)).all()):
            raise ConfigurationError("'spacing_mm' is not the millimetres from row to row and column to column; send 2")
        found = await served.infer(
            asked.inputs["image"], None if spacing is None else (float(spacing[0]), float(spacing[1]))
        )
        name = request.match_info["model"]
        self.metrics.frames.labels(name).inc(len(found.result) if asked.inputs["image"].ndim == 4 else 1)
        header, data, length = answer(name, str(found.version), asked, served.result, found.result)
        told = {"Content-Type": "application/json", **_noted(found.notes)}
        if length is not None:
            told.update({_HEADER: str(length), "Content-Type": "application/octet-stream"})
        return web.Response(body=header + data, headers=told)

    def _too_large(self) -> web.Response:
        text = f"the request is larger than {self.options.max_bytes} bytes, the limit; send less at a time"
        return _refused(413, text, {"Connection": "close"})


def _noted(notes: tuple[str, ...]) -> dict[str, str]:
    return {"Nerone-Notes": json.dumps(notes)} if notes else {}


async def _received(request: web.Request, folder: Path, limit: int) -> bool:
    await receive(request, folder, limit)
    return True


async def _body(request: web.Request, limit: int) -> memoryview:
    """Read a body into one buffer; of one that is too long a byte more than the limit."""
    came = bytearray()
    while len(came) <= limit:
        part = await request.content.readany()
        if not part:
            break
        came += part
    return memoryview(came)


def _refused(status: int, text: str, headers: Mapping[str, str]) -> web.Response:
    from aiohttp import web

    response = web.json_response({"error": text}, status=status, headers=headers)
    if "Connection" in headers:
        response.force_close()
    return response


def _metadata(name: str, served: Served) -> dict[str, Any]:
    bundle, channels = served.bundle, served.bundle.preprocessing.input_channels
    shape = list(bundle.output_tensor.shape[1:])
    if served.result == "classes":
        shape = shape[:-1] if bundle.output.kind == "segmentation" else [1]
    kind = "UINT8" if served.result == "classes" else "FP32"
    return {
        "name": name,
        "versions": [str(served.version)],
        "platform": "nerone",
        "inputs": [
            {"name": "image", "datatype": "INT16", "shape": [-1, -1] if channels == 1 else [-1, -1, channels]},
            {"name": "spacing_mm", "datatype": "FP32", "shape": [2], "parameters": {"optional": True}},
        ],
        "outputs": [{"name": served.result, "datatype": kind, "shape": shape}],
        "parameters": {"classes": list(bundle.output.class_names), "board": bundle.board},
    }


def _tls(options: ServeOptions) -> ssl.SSLContext | None:
    if not options.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(options.certificate, options.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"the certificate '{options.certificate}' with key '{options.key}' cannot be used ({error}); give PEM files"
        ) from error
    return context


async def serve(server: InferenceServer, told: Callable[[], None], until: asyncio.Event) -> None:
    """Run a server until the event is set; then it answers what it took."""
    await server.start()
    told()
    with contextlib.suppress(asyncio.CancelledError):
        await until.wait()
    await server.stop()
