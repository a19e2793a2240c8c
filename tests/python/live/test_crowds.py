"""Strangers at the viewer's door: requests that never come, floods, bad bytes, a full disk."""

from __future__ import annotations

import asyncio
import errno
import http.client
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.python.live.conftest import Running, start, stop, write_volume
from tests.python.live.test_access import ask, first_messages

from nerone.live import server as server_module
from nerone.live.sources import open_source
from nerone.web.access import Access
from waiting import PATIENT_S, wait_for

web = pytest.importorskip("aiohttp.web", reason="aiohttp is not installed")


@pytest.fixture
def strict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    runner = web.AppRunner
    short = {"keepalive_timeout": 1.0, "lingering_time": 0.5}  # 30 and 10 s are waited out otherwise
    monkeypatch.setattr(web, "AppRunner", lambda *given, **named: runner(*given, **{**named, **short}))
    access = Access(port=0, token="let-me-in", max_connections=16, headers_s=0.5, stall_s=0.5, max_uploads=1)
    running = start(tmp_path, open_source(write_volume(tmp_path / "scan.nii.gz")), access)
    yield running
    stop(running)


def connect(running: Running, data: bytes = b"") -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", running.server.port), PATIENT_S)
    opened.sendall(data)
    return opened


def ends(opened: socket.socket) -> bytes:
    """What comes until the server closes."""
    came = b""
    try:
        while part := opened.recv(1 << 16):
            came += part
    except ConnectionError:
        pass
    finally:
        opened.close()
    return came


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"\x16\x03\x01"])
def test_a_request_that_does_not_come_is_ended(strict: Running, data: bytes) -> None:
    assert b"200 OK" not in ends(connect(strict, data))


def test_a_second_request_has_its_time_too(strict: Running) -> None:
    opened = connect(strict, b"GET /?token=let-me-in HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET / HT")
    assert ends(opened).count(b"200 OK") == 1


def test_half_open_connections_of_one_address_are_limited(strict: Running, caplog: pytest.LogCaptureFixture) -> None:
    crowd = [connect(strict) for _ in range(300)]
    for opened in crowd:
        ends(opened)
    wait_for(lambda: ask(strict, "GET", "/?token=let-me-in")[0] == 200)
    assert caplog.text == ""


def test_a_viewer_stays_longer_than_headers_may_take(strict: Running) -> None:
    opened = connect(strict, b"GET /?token=let-me-in HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n\r\n")
    assert b"200 OK" in ends(opened)


def test_an_upload_that_stalls_is_ended_and_makes_room(strict: Running, tmp_path: Path) -> None:
    head = b"POST /api/upload?name=a.png&token=let-me-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
    slow = connect(strict, head + b"x")
    wait_for(lambda: strict.server._uploads == 1)
    status, text = ask(strict, "POST", "/api/upload?name=b.png&token=let-me-in", b"x")
    assert (status, b"under way" in text) == (503, True)
    assert b"408" in ends(slow)
    wait_for(lambda: strict.server._uploads == 0)
    data = (tmp_path / "scan.nii.gz").read_bytes()
    assert ask(strict, "POST", "/api/upload?name=b.nii.gz&token=let-me-in", data)[0] == 200


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 507), (errno.EIO, 503)])
def test_a_disk_that_fails_is_one_sentence(
    live: Running, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    async def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(server_module, "receive", full)
    got, text = ask(live, "POST", "/api/upload?name=a.png", b"x")
    assert got == status
    assert b"\n" not in text
    assert b"Traceback" not in text


def test_what_nobody_thought_of_is_one_sentence(live: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(server_module, "receive", broken)
    status, text = ask(live, "POST", "/api/upload?name=a.png", b"x")
    assert (status, b"secret" in text, b"\n" in text) == (500, False, False)


def test_a_cookie_may_hold_any_bytes(strict: Running) -> None:
    for cookie in (b"nerone_token=\xff\xfe", b"nerone_token=\xed\xb2\x80", b'nerone_token="\\377"'):
        answer = ends(connect(strict, b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\nCookie: " + cookie + b"\r\n\r\n"))
        assert answer.split()[1] in (b"400", b"401")


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "seek", "index": 1e999}',
        '{"type": "seek", "index": -1e999}',
        '{"type": "seek", "index": NaN}',
        '{"type": "window", "low": -1e308, "high": 1e308}',
        '{"type": "window", "low": 0, "high": 1e999}',
        '{"type": "window", "low": 0, "high": ' + "9" * 400 + "}",
        '{"type": "backend", "name": "vart", "threads": 1e999}',
    ],
)
def test_numbers_that_are_none_are_answered(live: Running, text: str) -> None:
    answer = asyncio.run(first_messages(live, [text], "error"))
    assert len(answer["text"].splitlines()) == 1


def test_every_answer_says_how_it_may_be_used(strict: Running) -> None:
    for path in ("/", "/?token=let-me-in", "/nothing?token=let-me-in"):
        connection = http.client.HTTPConnection("127.0.0.1", strict.server.port, timeout=PATIENT_S)
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.headers["Referrer-Policy"] == "no-referrer", path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        connection.close()


def test_the_token_leaves_the_address_bar() -> None:
    page = (Path(server_module.__file__).parent / "static/app.js").read_text()
    assert 'history.replaceState(null, "", location.pathname)' in page


@pytest.mark.parametrize("key", [b"\xc3\xa9" * 12, b"\xff" * 24, b"=", b"", b"A" * 5000, b"AAAAA"])
def test_a_key_of_a_web_socket_that_is_none(strict: Running, key: bytes) -> None:
    upgrade = b"GET /ws?token=let-me-in HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    opened = connect(strict, upgrade + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n")
    assert opened.recv(12) == b"HTTP/1.1 400"
    opened.close()
