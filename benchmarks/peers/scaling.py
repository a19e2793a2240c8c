"""Independent images on several threads against one, beside a loop that only uses registers.

    python benchmarks/peers/scaling.py FOLDER [FOLDER ...]

FOLDER holds a model.xmodel and images.npy, as export.py writes them. One and several threads take turns, so that a slow
state of the machine meets both. "By processor time" is images per second of processor time, times the threads: what
others on the machine take away does not count, what caches and memory cost does.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import threading
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from worker import Nerone, rates  # noqa: E402


def register_loop(threads: int, seconds: float) -> float:
    """GMAC/s of dot products from registers, all threads together; 0 without AVX-512 VNNI."""
    from nerone.evaluation.profile import peak_gmacs

    found = [0.0] * threads
    barrier = threading.Barrier(threads)

    def work(index: int) -> None:
        barrier.wait()
        found[index] = peak_gmacs(seconds)

    workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(found)


def measure(folder: Path, threads: int, rounds: int, seconds: float) -> dict[str, float]:
    """Median ratios of `threads` threads to one."""
    image = np.load(folder / "images.npy")[0]
    runs = [Nerone(folder, 1).bind(image) for _ in range(threads)]
    wall, cpu, loop = [], [], []
    for _ in range(rounds):
        alone, together = rates(runs[:1], seconds), rates(runs, seconds)
        one, many = ([statistics.median(column) for column in zip(*side, strict=True)] for side in (alone, together))
        wall.append(many[0] / one[0])
        cpu.append(threads * many[1] / one[1])
        peak = register_loop(1, seconds / 4)
        loop.append(register_loop(threads, seconds / 4) / peak if peak else math.nan)
    return {"wall": statistics.median(wall), "cpu": statistics.median(cpu), "loop": statistics.median(loop)}


def main() -> None:
    """Print one line per model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.4, help="of one turn")
    options = parser.parse_args()
    for folder in options.folders:
        found = measure(folder, options.threads, options.rounds, options.seconds)
        print(
            f"{folder.name}: {options.threads} threads are {found['wall']:.2f} times as fast as one, by processor time "
            f"{found['cpu']:.2f}; the register loop {found['loop']:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
