"""The viewer's own figures, each of one command:

python -m benchmarks.live start BUNDLE SCANS      seconds from the command to the first picture
python -m benchmarks.live memory BUNDLE           resident set over 50,000 frames, compute off, one viewer
python -m benchmarks.live viewers BUNDLE SCANS    the pipeline's FPS with three viewers over none, interleaved

Exit code 1 where the bound is missed. The scans are read before anything is timed, except for the start.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nerone.bundle.bundle import Bundle
from nerone.data.frame import Frame
from nerone.evaluation.devices import Device
from nerone.live.engines import engine_factory, labels_of
from nerone.live.fp32 import FloatModel
from nerone.live.server import LiveServer
from nerone.live.session import Session
from nerone.live.sources import LiveFrame, LiveSource
from nerone.live.view import open_session
from nerone.web.access import Access

__all__ = ["main", "measure_memory", "measure_start", "measure_viewers"]

_PAGE_BYTES = 4096
_ROOT = Path(__file__).resolve().parents[1]


class Generated(LiveSource):
    """As many frames as wanted, each of its own memory, as a camera or a decoder gives them."""

    def __init__(self, count: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.name = "generated"
        self._count = count
        self._picture = np.random.default_rng(1).integers(0, 255, shape).astype(np.uint8)

    @property
    def count(self) -> int:
        """Frames."""
        return self._count

    def frame(self, index: int) -> LiveFrame:
        """Return a copy of the one picture."""
        return LiveFrame(Frame(self._picture.copy(), Path("generated"), index, self._count))


def resident_bytes() -> int:
    """Return the resident set of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


async def _watch(url: str, seconds: float) -> int:
    """Be a viewer that shows every frame at once; return how many it got."""
    import aiohttp

    end, got = time.monotonic() + seconds, 0
    async with aiohttp.ClientSession() as client, client.ws_connect(url + "ws", max_msg_size=0) as socket:
        while time.monotonic() < end:
            message = await socket.receive(timeout=60)
            if message.type is aiohttp.WSMsgType.BINARY:
                got += 1
                await socket.send_str('{"type": "shown"}')
            elif message.type is not aiohttp.WSMsgType.TEXT:
                break
    return got


@contextlib.contextmanager
def _viewers(url: str, count: int) -> Iterator[None]:
    """Have viewers in a process of their own, as browsers are."""
    watch = [sys.executable, "-m", "benchmarks.live", "watch", url, "--viewers", str(count)]
    with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()  # they are connected
        yield
        process.terminate()


@contextlib.contextmanager
def _served(session: Session, bundle: Bundle, device: Device, float_model: FloatModel | None = None) -> Iterator[str]:
    """Serve a session on a thread and give its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    labels = labels_of(bundle, device)
    server = LiveServer(session, Access(port=0), title=bundle.name, bundle=labels, float_model=float_model)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
    yield server.url
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def measure_memory(bundle: Bundle, frames: int, *, side: int = 64) -> tuple[int, int, float]:
    """Return the resident set after a fifth of the frames and after all, in bytes, and frames per second.

    Parameters
    ----------
    bundle : Bundle
    frames : int
    side : int, of the square pictures
    """
    device = Device("softdpu", "softdpu")
    channels = bundle.preprocessing.input_channels or 1
    source = Generated(500, (side, side) if channels == 1 else (side, side, channels))
    session = Session(source, engine_factory(bundle, device, compute=False), "vart", 2)
    try:
        with _served(session, bundle, device) as url, _viewers(url, 1):
            _wait(session, frames // 5)
            warm, began = resident_bytes(), time.perf_counter()
            first = session.record.done
            _wait(session, frames)
            elapsed = time.perf_counter() - began
            return warm, resident_bytes(), (session.record.done - first) / elapsed
    finally:
        session.close()


def _wait(session: Session, frames: int) -> None:
    while session.record.done < frames:
        if session.record.failed:
            raise RuntimeError(f"a frame failed: {session.error}")
        time.sleep(0.02)


def measure_start(bundle: str, scans: str) -> float:
    """Return the seconds from starting the process of ``nerone live`` to a viewer's first picture."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "nerone.cli.main", "live", bundle, scans, "--port", "0", "--power", "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = re.search(r"http://\S+", process.stdout.readline())
            if address is None:
                raise RuntimeError("nerone live did not print its address")
            return asyncio.run(_first_picture(address[0])) - began
        finally:
            process.terminate()


async def _first_picture(url: str) -> float:
    import aiohttp

    async with aiohttp.ClientSession() as client, client.ws_connect(url + "ws", max_msg_size=0) as socket:
        while (await socket.receive(timeout=60)).type is not aiohttp.WSMsgType.BINARY:
            pass
        return time.perf_counter()


def measure_viewers(
    bundle: Bundle, scans: str, *, viewers: int, rounds: int, seconds: float, float_model: FloatModel | None = None
) -> list[float]:
    """Return, round by round, the FPS with viewers over the FPS with none just before and just after."""
    session = open_session(bundle, scans)
    ratios = []
    try:
        with _served(session, bundle, Device("softdpu", "softdpu"), float_model) as url:
            _wait(session, 2 * session.source.count)
            before = _fps(session, seconds)
            for _ in range(rounds):
                with _viewers(url, viewers):
                    watched = _fps(session, seconds)
                after = _fps(session, seconds)
                ratios.append(2 * watched / (before + after))
                before = after
    finally:
        session.close()
    return ratios


def _fps(session: Session, seconds: float) -> float:
    first, began = session.record.done, time.perf_counter()
    time.sleep(seconds)
    return (session.record.done - first) / (time.perf_counter() - began)


async def _crowd(url: str, count: int) -> None:
    watching = [asyncio.create_task(_watch(url, 3600)) for _ in range(count)]
    await asyncio.sleep(0.5)
    print("connected", flush=True)
    await asyncio.gather(*watching)


def _start(options: argparse.Namespace) -> int:
    taken = sorted(measure_start(options.bundle, options.scans) for _ in range(options.runs))
    spread = f"{taken[0]:.2f} to {taken[-1]:.2f}"
    print(f"first picture after {statistics.median(taken):.2f} s (median of {options.runs}, {spread})")
    return 0 if statistics.median(taken) <= options.bound_s else 1


def _memory(options: argparse.Namespace) -> int:
    warm, end, fps = measure_memory(Bundle.open(options.bundle), options.frames)
    grown = (end - warm) / 2**20
    print(
        f"{options.frames} frames at {fps:.0f} FPS: {warm / 2**20:.1f} MiB after a fifth, "
        f"{end / 2**20:.1f} MiB at the end, {grown:+.1f} MiB (bound {options.bound_mib:g})"
    )
    return 0 if grown <= options.bound_mib else 1


def _compare(options: argparse.Namespace) -> int:
    opened = Bundle.open(options.bundle)
    float_model = FloatModel(opened, options.float) if options.float else None
    try:
        ratios = measure_viewers(
            opened,
            options.scans,
            viewers=options.viewers,
            rounds=options.rounds,
            seconds=options.seconds,
            float_model=float_model,
        )
    finally:
        if float_model is not None:
            float_model.close()
    median = statistics.median(ratios)
    print(f"FPS with {options.viewers} viewers over none: {100 * median:.1f} % (median of {options.rounds} rounds)")
    print("rounds: " + ", ".join(f"{100 * ratio:.1f} %" for ratio in ratios))
    return 0 if median >= options.bound else 1


def main() -> int:
    """Measure what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    start = verbs.add_parser("start")
    start.add_argument("bundle")
    start.add_argument("scans")
    start.add_argument("--runs", type=int, default=5)
    start.add_argument("--bound-s", type=float, default=2.0)
    start.set_defaults(act=_start)
    memory = verbs.add_parser("memory")
    memory.add_argument("bundle")
    memory.add_argument("--frames", type=int, default=50_000)
    memory.add_argument("--bound-mib", type=float, default=16.0)
    memory.set_defaults(act=_memory)
    viewers = verbs.add_parser("viewers")
    viewers.add_argument("bundle")
    viewers.add_argument("scans")
    viewers.add_argument("--viewers", type=int, default=3)
    viewers.add_argument("--rounds", type=int, default=7)
    viewers.add_argument("--seconds", type=float, default=3.0)
    viewers.add_argument("--float", default="", help="trained .keras file, computed beside")
    viewers.add_argument("--bound", type=float, default=0.95)
    viewers.set_defaults(act=_compare)
    watch = verbs.add_parser("watch")
    watch.add_argument("url")
    watch.add_argument("--viewers", type=int, default=1)
    watch.set_defaults(act=lambda options: asyncio.run(_crowd(options.url, options.viewers)))
    options = parser.parse_args()
    return options.act(options) or 0


if __name__ == "__main__":
    sys.exit(main())
