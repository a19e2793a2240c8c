"""The doors that listen: HTTP of `nerone serve` and of the viewer, and the frames of its web socket."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np

from nerone.errors import Error

__all__ = ["enter_socket", "socket_seeds"]

# A client leaves when nothing came for so long.
_STILL_S = 0.05
# Nor stays longer than this: a page that plays is sent frames for ever.
_STAY_S = 0.5
_MOST_BYTES = 1 << 20
_HOST = b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
_KEY = b"Upgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
_ports: dict[str, int] = {}
_raised: list[str] = []


def _frame(kind: int, payload: bytes) -> bytes:
    size = len(payload)
    length = struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
    return (
        struct.pack("B", 0x80 | kind)
        + length
        + b"\x01\x02\x03\x04"
        + bytes(byte ^ (1 + number % 4) for number, byte in enumerate(payload))
    )


def socket_seeds(folder: Path) -> list[Path]:
    """Start both servers, and write requests that they answer."""
    from tests.soak.place import Place

    place = Place(folder)
    _ports.update(serve=place.serve_port, live=place.live_port)
    for loop in (place.served.loop, place.live.loop):
        loop.set_exception_handler(lambda _, context: _raised.append(f"{context.get('message')}: {context}"))
    image = place.images[0]
    tensor: dict[str, Any] = {"name": "image", "shape": [*image.shape], "datatype": "INT16"}
    text = json.dumps({"inputs": [{**tensor, "data": image.ravel().tolist()}]}).encode()
    tensor["parameters"] = {"binary_data_size": image.nbytes}
    head = json.dumps({"inputs": [tensor]}).encode()
    infer = b"POST /v2/models/net/infer" + _HOST
    head_of_part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.nii.gz"\r\n\r\n'
    part = head_of_part + place.volume.read_bytes() + b"\r\n--b--\r\n"
    messages = [{"type": "seek", "index": 1}, {"type": "window", "low": -9, "high": 9.5}, {"type": "play"}]
    frames = b"".join(_frame(1, json.dumps(message).encode()) for message in messages)
    requests = {
        "serve-about": b"GET /v2" + _HOST + b"\r\n",
        "serve-metrics": b"GET /metrics" + _HOST + b"\r\n",
        "serve-model": b"GET /v2/models/net" + _HOST + b"\r\n",
        "serve-index": b"POST /v2/repository/index" + _HOST + b"Content-Length: 2\r\n\r\n{}",
        "serve-json": infer + b"Content-Length: %d\r\n\r\n" % len(text) + text,
        "serve-binary": infer
        + b"Inference-Header-Content-Length: %d\r\nContent-Length: %d\r\n\r\n" % (len(head), len(head) + image.nbytes)
        + head
        + np.ascontiguousarray(image).tobytes(),
        "serve-chunks": infer + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(text) + text + b"\r\n0\r\n\r\n",
        "live-page": b"GET /" + _HOST + b"\r\n",
        "live-table": b"GET /api/statistics.csv" + _HOST + b"\r\n",
        "live-upload": b"POST /api/upload"
        + _HOST
        + b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n" % len(part)
        + part,
        "live-socket": b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n" + _KEY + frames,
        "live-close": b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
        + _KEY
        + _frame(9, b"ping")
        + _frame(8, b"\x03\xe8"),
    }
    for name, data in requests.items():
        (folder / f"{name}.http").write_bytes(data)
    return sorted(folder.glob("*.http"))


def enter_socket(path: Path) -> None:
    """Send a request and read the answer; 4xx is a refusal, 500 and what an event loop reports are faults."""
    data, came = path.read_bytes(), b""
    with (
        contextlib.suppress(ConnectionError, TimeoutError),
        socket.create_connection(("127.0.0.1", _ports[path.name.partition("-")[0]]), 60) as opened,
    ):
        opened.sendall(data)
        opened.settimeout(_STILL_S)
        end = time.monotonic() + _STAY_S
        while len(came) < _MOST_BYTES and time.monotonic() < end and (part := opened.recv(1 << 16)):
            came += part
    status = came.split(b"\r\n", 1)[0].split(b" ")[1:2]
    if status == [b"500"] or _raised:
        raise AssertionError(f"{came[:300]!r} {_raised}")
    if status and status[0].startswith((b"4", b"503")):
        raise Error(came[:200].decode("latin-1"))
