"""Run the faults for some minutes: python -m tests.soak.campaign --minutes 10 --seed 1."""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/python")]

__all__ = ["Report", "Sample", "growth", "soak"]

# Rounds before memory and descriptors count: caches, thread pools and arenas have their size then.
_WARM_UP = 0.3
_SETTLING_S = 2.0
# A round in so many has the faults that start processes.
_RARELY = 20


@dataclass(frozen=True)
class Sample:
    """What the process held after a round: resident bytes, threads, open descriptors."""

    bytes: int
    threads: int
    descriptors: int

    @staticmethod
    def now() -> Sample:
        """Look."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return Sample(
            pages * resource.getpagesize(), _entries(Path("/proc/self/task")), _entries(Path("/proc/self/fd"))
        )


def _settled(last: list[Sample]) -> Sample:
    """Look when what a round closed is gone, or a moment later."""
    end = time.monotonic() + _SETTLING_S
    while True:
        sample = Sample.now()
        if time.monotonic() >= end or all(
            sample.threads <= one.threads and sample.descriptors <= one.descriptors for one in last
        ):
            return sample
        time.sleep(0.02)


def _entries(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


@dataclass(frozen=True)
class Report:
    """What a soak found.

    Attributes
    ----------
    rounds : int, every fault once in each, those that start processes in one of twenty
    faults : mapping of fault to the times that it was done
    seconds : float
    peak_bytes : int, resident
    grown_bytes, grown_threads, grown_descriptors : float, slope times rounds, after the warm-up
    """

    rounds: int
    faults: dict[str, int]
    seconds: float
    peak_bytes: int
    grown_bytes: float
    grown_threads: float
    grown_descriptors: float


def growth(values: list[int]) -> float:
    """Return by how much values grow from the first to the last, by the median of the slopes of all pairs.

    One late thread, or one arena that is given back, does not move it (Theil and Sen).
    """
    step = max(1, len(values) // 200)
    kept = values[::step]
    slopes = sorted(
        (later - earlier) / (j - i) for i, earlier in enumerate(kept) for j, later in enumerate(kept) if j > i
    )
    return slopes[len(slopes) // 2] * (len(kept) - 1) if slopes else 0.0


def soak(seconds: float, seed: int, least_rounds: int = 8) -> Report:
    """Do every fault, in a new order each round, until the time is over."""
    from tests.soak.faults import RARE_FAULTS, faults_here
    from tests.soak.place import Place

    rng, samples, done = random.Random(seed), [], Counter[str]()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nerone-soak-") as name:
        (Path(name) / "temporary").mkdir()
        tempfile.tempdir = str(Path(name) / "temporary")
        try:
            place = Place(Path(name))
            try:
                while time.monotonic() - start < seconds or len(samples) < least_rounds:
                    rare = RARE_FAULTS if len(samples) % _RARELY == _RARELY // 2 else ()
                    for fault in rng.sample([*faults_here(place), *rare], len(faults_here(place)) + len(rare)):
                        fault(place, rng)
                        done[fault.__name__] += 1
                    samples.append(_settled(samples[-1:]))
            finally:
                place.close()
        finally:
            tempfile.tempdir = None
    steady = samples[int(len(samples) * _WARM_UP) :]
    return Report(
        rounds=len(samples),
        faults=dict(done),
        seconds=time.monotonic() - start,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        grown_bytes=growth([sample.bytes for sample in steady]),
        grown_threads=growth([sample.threads for sample in steady]),
        grown_descriptors=growth([sample.descriptors for sample in steady]),
    )


def main() -> int:
    """Soak; exit code 1 where something grew. Whatever a fault should not do ends it with a trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    report = soak(60 * options.minutes, options.seed)
    print(json.dumps({"seed": options.seed, **asdict(report)}, indent=1))
    grows = report.grown_bytes > 0.05 * report.peak_bytes or max(report.grown_threads, report.grown_descriptors) >= 1
    return 1 if grows else 0


if __name__ == "__main__":
    sys.exit(main())
