"""What `nerone serve` adds to a Pipeline: one client, one image of 512x512 int16 in binary, turn by turn.

python benchmarks/serving.py BUNDLE [--frames N]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import threading
import time
from pathlib import Path

import numpy as np
import tritonclient.http as triton

from nerone.runtime.pipeline import Pipeline
from nerone.serving import InferenceServer, ServeOptions
from nerone.web.access import Access


async def _started(path: Path) -> InferenceServer:
    server = InferenceServer([path], Access(port=0), ServeOptions(power="none"))
    await server.start()
    return server


def main() -> None:
    """Compare the results, then time both ways in turns."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("bundle", type=Path)
    arguments.add_argument("--frames", type=int, default=300)
    given = arguments.parse_args()
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    server = asyncio.run_coroutine_threadsafe(_started(given.bundle), loop).result()
    (name,) = server.models
    image = np.random.default_rng(0).integers(-900, 1200, (512, 512)).astype(np.int16)
    sent = triton.InferInput("image", [512, 512], "INT16")
    sent.set_data_from_numpy(image)
    direct, served = [], []
    with Pipeline(given.bundle) as pipeline, triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        assert np.array_equal(client.infer(name, [sent]).as_numpy("classes"), pipeline.run(image))
        for _ in range(given.frames):
            began = time.perf_counter()
            pipeline.run(image)
            between = time.perf_counter()
            client.infer(name, [sent])
            direct.append(1e3 * (between - began))
            served.append(1e3 * (time.perf_counter() - between))
    one, other = statistics.median(direct), statistics.median(served)
    print(f"p50: Pipeline {one:.2f} ms, nerone serve {other:.2f} ms, over the Pipeline {other - one:.2f} ms")
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result()


if __name__ == "__main__":
    main()
