"""Cost of quantization: wall and processor seconds and peak memory of the 256x256 CT U-Net at several image counts.

    python benchmarks/quantization_cost.py                   PTQ with 100, 500 and 1000 images, and a whole deployment
    python benchmarks/quantization_cost.py --images 100 200 --no-deploy

Every measurement is a process of its own, so that its memory is its own. Excluded from PTQ: loading TensorFlow and the
model. A deployment is the whole command, everything included. The images are phantom slices.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

MIB = 1024.0
SLICES = 50


def _slices(count: int) -> np.ndarray[Any, Any]:
    """Prepared phantom slices (count, 256, 256, 1); different noise where there are more than are drawn."""
    from nerone.data.phantoms import write_ct_phantoms
    from nerone.data.sources import frames
    from nerone.runtime.preprocessing.numpy_steps import apply
    from nerone.runtime.presets import preset

    steps = preset("ct-org").preprocessing.with_output_size(256, 256)
    with tempfile.TemporaryDirectory() as folder:
        write_ct_phantoms(Path(folder), count=2, slices=SLICES)
        drawn = np.stack([apply(steps, frame.image) for frame in frames(folder)])
    rng = np.random.default_rng(0)
    images = drawn[np.arange(count) % len(drawn)]
    return images + rng.normal(0, 0.01, images.shape).astype(np.float32)


def measure_ptq(count: int, method: str) -> dict[str, float]:
    """Quantize once in this process; return seconds, peak memory and the time before it."""
    import keras
    import tensorflow

    from nerone.graph import from_keras
    from nerone.quantization import quantize
    from nerone.zoo.shipped import shipped_model

    del tensorflow
    graph = from_keras(keras.models.load_model(shipped_model("ct-org"), compile=False))
    images = _slices(count)
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    quantize(graph, images, method=method)  # type: ignore[arg-type]
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"images": count, "wall_s": wall, "cpu_s": cpu, "peak_mib": after.ru_maxrss / MIB}


def measure_deploy(count: int) -> dict[str, float]:
    """Run the whole command on phantoms; return seconds and peak memory."""
    from nerone.data.phantoms import write_ct_phantoms
    from nerone.zoo.shipped import shipped_model

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_ct_phantoms(folder / "scans", count=-(-count // SLICES), slices=SLICES)
        words = ["deploy", str(shipped_model("ct-org")), "--calibration", str(folder / "scans"), "--preset", "ct-org"]
        words += ["--images", str(count), "-o", str(folder / "unet.nerone")]
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "nerone.cli.main", *words], check=True, stdout=subprocess.DEVNULL)
        wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"images": count, "wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / MIB}


def _apart(*words: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, *words],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _row(what: str, found: dict[str, float]) -> str:
    each = 1000 * found["cpu_s"] / found["images"]
    return (
        f"{what:8} {found['images']:6.0f} {found['wall_s']:8.1f} {found['cpu_s']:8.1f} {each:14.1f} "
        f"{found['peak_mib']:10.0f}"
    )


def main() -> None:
    """Parse the words, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[100, 500, 1000])
    parser.add_argument("--method", default="ptq", choices=("ptq", "ffq", "qat"))
    parser.add_argument("--deploy", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--one", choices=("quantize", "deploy"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        count = chosen.images[0]
        print(json.dumps(measure_deploy(count) if chosen.one == "deploy" else measure_ptq(count, chosen.method)))
        return
    print(f"{'what':8} {'images':>6} {'wall s':>8} {'cpu s':>8} {'cpu ms/image':>14} {'peak MiB':>10}")
    for count in chosen.images:
        found = _apart("--one", "quantize", "--images", str(count), "--method", chosen.method)
        print(_row(chosen.method, found), flush=True)
    if chosen.deploy:
        print(_row("deploy", _apart("--one", "deploy", "--images", "500")), flush=True)


if __name__ == "__main__":
    main()
