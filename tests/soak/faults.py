"""The faults. Each is done again and again; it asserts that what is answered is right, and that nothing else fails."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import struct
import tempfile
import threading
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from tests.soak.place import Place, full_disk, raw

from nerone.errors import DeviceError, Error
from waiting import wait_for

__all__ = ["FAULTS", "RARE_FAULTS", "faults_here"]

_PATIENT_S = 120.0


def right_masks(place: Place, rng: random.Random) -> None:
    """No fault: frames in order, bit for bit."""
    turns = [rng.randrange(len(place.images)) for _ in range(20)]
    for turn, mask in zip(turns, place.pipeline.map(place.images[turn] for turn in turns), strict=True):
        np.testing.assert_array_equal(mask, place.masks[turn])


def late_runners(place: Place, rng: random.Random) -> None:
    """A simulated device that answers later than it may: its runners are given up and replaced."""
    from nerone.runtime.pipeline import Pipeline

    late = Pipeline(place.bundle, threads=2, job_latency_us=300_000, device_timeout_ms=5)
    try:
        futures = [late.submit(place.images[0]) for _ in range(3)]
        failed = 0
        for future in futures:
            try:
                future.result()
            except DeviceError:
                failed += 1
        assert failed > 0  # a busy machine may notice one late
    finally:
        late.close()


def raising_device(place: Place, rng: random.Random) -> None:
    """A device that raises in the middle of its jobs: those frames fail by its words, the others are answered."""
    from nerone.runtime.pipeline import Pipeline

    assert place.misbehaving is not None
    with Pipeline(
        place.bundle, threads=2, result="raw", device=str(place.misbehaving), kernels="throws at times"
    ) as broken:
        outcomes = list(broken.map((place.images[turn % 8] for turn in range(24)), on_error="yield"))
    failed = [str(one) for one in outcomes if isinstance(one, Exception)]
    assert len(outcomes) == 24
    assert all("on fire" in said for said in failed), failed
    assert len(failed) in (5, 6), failed  # each of the two runners raises in every fourth job


def killed_server(place: Place, rng: random.Random) -> None:
    """`nerone serve` in a process of its own, killed in the middle of its requests: clients hear of it, the next one
    answers, and nothing that it stored stays.
    """
    with place.other_server() as port:
        assert _infer(place, 0, port)[0] == 200
        half = socket.create_connection(("127.0.0.1", port))
        half.sendall(b"POST /v2/models/net/scan HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n\r\nx")
    with half:
        half.settimeout(_PATIENT_S)
        came = b""
        with contextlib.suppress(ConnectionError):
            came = half.recv(100)
        assert came == b"", came
    with place.other_server() as port:
        assert _infer(place, 1, port)[0] == 200
        assert not list(Path(tempfile.gettempdir()).glob("nerone-scan-*"))


def killed_reader(place: Place, rng: random.Random) -> None:
    """The process that reads an HDF5 file, killed while it does."""
    from nerone.errors import ModelError
    from nerone.graph import h5_apart
    from nerone.graph.load import load

    start = h5_apart.start_reader

    def killed(*words: Any) -> Any:
        reader = start(*words)
        threading.Timer(rng.random() * 0.1, reader.kill).start()
        return reader

    h5_apart.start_reader = killed
    said = ""
    try:
        load(place.h5)
    except ModelError as error:
        said = str(error)
    finally:
        h5_apart.start_reader = start
    assert "net.h5" in said, said
    assert load(place.h5).nodes


def dropped_pipeline(place: Place, rng: random.Random) -> None:
    """A caller that leaves in the middle of its frames."""
    from nerone.runtime.pipeline import Pipeline

    other = Pipeline(place.bundle, threads=2)
    results = other.map(image for _ in range(9) for image in place.images)
    np.testing.assert_array_equal(next(results), place.masks[0])
    del results, other


def _infer(place: Place, turn: int, port: int | None = None) -> tuple[int, Any]:
    image = place.images[turn]
    tensor = {"name": "image", "shape": [*image.shape], "datatype": "INT16", "data": image.ravel().tolist()}
    connection = http.client.HTTPConnection("127.0.0.1", port or place.serve_port, timeout=_PATIENT_S)
    connection.request("POST", "/v2/models/net/infer", json.dumps({"inputs": [tensor]}))
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, body


def served(place: Place, rng: random.Random) -> None:
    """No fault: an answer of the server is the pipeline's mask."""
    turn = rng.randrange(len(place.images))
    status, body = _infer(place, turn)
    assert status == 200, body
    mask = np.asarray(body["outputs"][0]["data"], np.uint8)
    np.testing.assert_array_equal(mask, place.masks[turn].ravel())


_HEAD = b"POST /v2/models/net/infer HTTP/1.1\r\nHost: 127.0.0.1\r\n"
HALVES = (
    b"",
    b"\x16\x03\x01\x02\x00\x01",
    b"GET / HT",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
    _HEAD + b"Content-Length: 1000\r\n\r\n{",
    _HEAD + b"Content-Length: -1\r\n\r\n{}",
    _HEAD + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    _HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
    _HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
    _HEAD + b"Inference-Header-Content-Length: 9999\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /api/upload?name=a.png HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx",
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
)


def half_requests(place: Place, rng: random.Random) -> None:
    """Requests that end in the middle, and lie about their length; the client leaves at once or waits."""
    for port in (place.serve_port, place.live_port):
        data = rng.choice(HALVES)
        came = raw(port, data, reads=rng.choice((0, 1, None)))
        assert b" 500 " not in came.split(b"\r\n")[0], (data, came)


def slow_clients(place: Place, rng: random.Random) -> None:
    """Clients that read one byte of an answer and leave, and viewers that vanish."""
    key = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    upgrade = b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + key + b"\r\n"
    text = json.dumps({"type": "seek", "index": rng.randrange(3)}).encode()
    frame = b"\x81" + struct.pack("B", 0x80 | len(text)) + bytes(4) + text
    assert raw(place.live_port, upgrade + frame, reads=1)
    assert raw(place.live_port, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", reads=1)
    assert raw(place.serve_port, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", reads=1)


def _upload(place: Place, name: str, data: bytes) -> tuple[int, str]:
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", place.live_port, timeout=_PATIENT_S)
    connection.request("POST", "/api/upload", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def uploads(place: Place, rng: random.Random) -> None:
    """A good scan, a bad one, and one that the disk does not take; nothing of the last two stays."""
    data = place.volume.read_bytes()
    assert _upload(place, "scan.nii.gz", data)[0] == 200
    status, text = _upload(place, "scan.nii.gz", data[:100])
    assert 400 <= status < 500, (status, text)
    with full_disk():
        status, text = _upload(place, "scan.nii.gz", data)
    assert status == 507, (status, text)
    assert len(list(Path(tempfile.gettempdir()).glob("nerone-upload-*"))) == 1  # the scan that is shown


def full_disk_for_masks(place: Place, rng: random.Random) -> None:
    """Masks that the disk does not take: one error, and no half of a file."""
    from nerone.bundle.bundle import Bundle
    from nerone.runtime.prediction.files import predict_files
    from nerone.runtime.prediction.options import RunOptions

    out = place.folder / "masks"
    said = ""
    try:
        with full_disk(64):
            predict_files(Bundle.open(place.bundle), place.volume, out, options=RunOptions(threads=1))
    except (Error, OSError) as error:
        said = str(error)
    assert "large" in said or "full" in said, said
    assert not out.exists() or list(out.iterdir()) == [], list(out.iterdir())


def failing_engine(place: Place, rng: random.Random) -> None:
    """The viewer's engine fails for a while and recovers."""
    session = place.live.session
    session.play()
    place.live.switches["fail"] = "the device is gone"
    wait_for(lambda: "the device is gone" in session.error)
    place.live.switches.pop("fail")
    session.seek(rng.randrange(session.source.count))
    session.play()
    wait_for(lambda: not session.error)


FAULTS = (
    right_masks,
    late_runners,
    raising_device,
    dropped_pipeline,
    served,
    half_requests,
    slow_clients,
    uploads,
    full_disk_for_masks,
    failing_engine,
)
# A process has to start for each of them.
RARE_FAULTS = (killed_server, killed_reader)


def faults_here(place: Place) -> tuple[Any, ...]:
    """Return the faults of every round that this machine has: a device that raises is built with the C++ tests."""
    return tuple(fault for fault in FAULTS if fault is not raising_device or place.misbehaving is not None)
