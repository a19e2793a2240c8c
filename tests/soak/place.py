"""What the soak runs on: a bundle, a pipeline, `nerone serve` and the viewer, in one process."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

__all__ = ["Place", "full_disk", "raw"]

ROOT = Path(__file__).resolve().parents[2]

_PATIENT_S = 120.0
# A connection that is kept alive says nothing for longer.
_STILL_S = 0.7
_SIDE = 16


class Place:
    """Everything that stays open during a soak.

    Parameters
    ----------
    folder : Path, for files
    """

    def __init__(self, folder: Path) -> None:
        from cli.conftest import SEGMENTATION, segmentation_model
        from live.conftest import start, write_volume
        from nerone.deployment import deploy
        from nerone.live.sources import open_source
        from nerone.runtime.pipeline import Pipeline
        from nerone.web.access import Access
        from serving.conftest import Running

        self.folder = folder
        names = ["background", "liver", "bone"]
        made = deploy(segmentation_model(), preprocessing=SEGMENTATION, class_names=names, output=folder / "net.nerone")
        self.bundle = made.path
        rng = np.random.default_rng(1)
        self.images = [rng.integers(-900, 900, (_SIDE + 3, _SIDE)).astype(np.int16) for _ in range(8)]
        self.pipeline = Pipeline(self.bundle, threads=2)
        self.masks = [self.pipeline.run(image) for image in self.images]
        strict = {"headers_s": 0.5, "stall_s": 0.5, "max_connections": 64}
        self.served = Running([self.bundle], Access(port=0, **strict), threads=2)
        self.volume = write_volume(folder / "scan.nii.gz", slices=3)
        self.misbehaving = next((ROOT / "build").glob("*/tests/cpp/vart/libnerone_misbehaving_runner.so"), None)
        self.h5 = write_h5(folder / "net.h5")
        self.live = start(folder, open_source(self.volume), Access(port=0, **strict))
        for loop in (self.served.loop, self.live.loop):
            # Pools of their full size after the first rounds: later threads are a leak then.
            loop.call_soon_threadsafe(loop.set_default_executor, ThreadPoolExecutor(2))

    def close(self) -> None:
        """Close all of it."""
        from live.conftest import stop

        stop(self.live)
        self.served.stop()
        self.pipeline.close()

    @contextlib.contextmanager
    def other_server(self) -> Iterator[int]:
        """Run `nerone serve` in a process of its own and give its port; it is killed in the end."""
        program = "import sys; from nerone.cli.main import main; sys.exit(main(sys.argv[1:]))"
        words = [sys.executable, "-c", program, "serve", str(self.bundle), "--port", "0", "--power", "none"]
        temporary = {**os.environ, "TMPDIR": tempfile.gettempdir()}
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=temporary) as server:
            try:
                assert server.stdout is not None
                yield int(server.stdout.readline().split(b" at http://")[1].split()[0].rsplit(b":", 1)[1])
            finally:
                server.kill()

    @property
    def serve_port(self) -> int:
        """TCP port of the server."""
        return self.served.server.port

    @property
    def live_port(self) -> int:
        """TCP port of the viewer."""
        return self.live.server.port


def raw(port: int, data: bytes, *, reads: int | None = None) -> bytes:
    """Send bytes to a port and return what comes back until it closes or waits; go away after ``reads`` bytes."""
    came = b""
    with contextlib.suppress(ConnectionError, TimeoutError), socket.create_connection(("127.0.0.1", port)) as opened:
        opened.settimeout(_STILL_S if reads is None else _PATIENT_S)
        opened.sendall(data)
        while reads is None or len(came) < reads:
            part = opened.recv(1 << 16 if reads is None else reads)
            if not part:
                break
            came += part
    return came


def write_h5(path: Path) -> Path:
    """Write a Keras 2 file of one activation."""
    import h5py

    given = {"name": "given", "batch_input_shape": [None, 4, 4, 1], "dtype": "float32"}
    layers = [
        {"class_name": "InputLayer", "config": given},
        {"class_name": "Activation", "config": {"name": "act", "activation": "relu", "dtype": "float32"}},
    ]
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": layers}})
        file.attrs["keras_version"] = "2.9.0"
        file.create_group("model_weights").attrs["layer_names"] = [b"given", b"act"]
    return path


@contextlib.contextmanager
def full_disk(most_bytes: int = 2048) -> Iterator[None]:
    """Let no file of this process grow over so many bytes, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
