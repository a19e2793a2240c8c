"""The file of earlier ratios: one JSON line per run, so that a loss is seen.

Runs are compared where the processor's name, its instructions and the clock agree: one name stands for machines with
and without AVX-512. A ratio is lost where the two runs' spreads (quartiles of the rounds) do not overlap and the median
fell by 5 %. Frequency, steal time and load tell how far a run can be trusted.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOSS = 0.05

Row = dict[str, Any]
Spread = tuple[float, float, float]  # lower quartile, median, upper quartile

# From best to least, as /proc/cpuinfo names them.
_INSTRUCTIONS = (
    ("avx512_vnni", "AVX-512 VNNI"),
    ("avx_vnni", "AVX-VNNI"),
    ("avx2", "AVX2"),
    ("i8mm", "i8mm"),
    ("asimddp", "dotprod"),
    ("asimd", "NEON"),
)


def _cpuinfo(*names: str) -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(names):
            return line.partition(":")[2].strip()
    return ""


def processor() -> str:
    """The processor's name as Linux gives it."""
    return _cpuinfo("model name", "CPU part") or "unknown"


def instructions() -> str:
    """The best instructions for INT8 that the processor offers."""
    flags = set(_cpuinfo("flags", "Features").split())
    return next((name for flag, name in _INSTRUCTIONS if flag in flags), "unknown")


def commit() -> str:
    """The repository's commit, with a plus where files are changed."""
    here = Path(__file__).parent
    words = ["git", "-C", str(here), "describe", "--always", "--dirty=+"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


@dataclass(frozen=True)
class Conditions:
    """What the machine was like; the times in ticks since it started."""

    mhz: float  # that Linux gives: under a hypervisor mostly the nominal one
    load: float  # processes that wanted a processor, of the last minute
    steal_ticks: int  # that the hypervisor gave to others
    all_ticks: int

    @classmethod
    def now(cls) -> Conditions:
        """Read them."""
        ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return cls(float(_cpuinfo("cpu MHz") or 0), os.getloadavg()[0], ticks[7], sum(ticks))

    def since(self, before: Conditions) -> Row:
        """Return what goes into the history, for the time from `before` on."""
        stolen = (self.steal_ticks - before.steal_ticks) / max(self.all_ticks - before.all_ticks, 1)
        return {"mhz": round(self.mhz), "load": round(max(self.load, before.load), 1), "steal": round(stolen, 4)}


def ratios(rows: Sequence[Row], clock: str) -> dict[str, Spread]:
    """'model/threads/engine' to NERONE's speed over that engine's, 'model/threads/peak' to its share of the peak."""
    found: dict[str, Spread] = {}
    prefix = "cpu_" if clock == "processor" else ""
    for row in rows:
        key = f"{row['model']}/{row['threads']}"
        for engine, figures in row["engines"].items():
            if engine != "nerone":
                low, middle, high = (round(figures[f"{prefix}ratio{end}"], 4) for end in ("_low", "", "_high"))
                found[f"{key}/{engine}"] = (low, middle, high)
        if row["fraction_of_peak"] is not None and clock == "wall":
            share = round(row["fraction_of_peak"], 4)
            found[f"{key}/peak"] = (share, share, share)
    return found


def _stable(rows: Sequence[Row], clock: str) -> list[Row]:
    return [row for row in rows if clock == "processor" or not row["unstable_rounds"]]


def append(path: Path, rows: Sequence[Row], clock: str, conditions: Row) -> None:
    """Add this run; by wall clock, rows whose rounds stayed unstable are left out."""
    found = ratios(_stable(rows, clock), clock)
    if not found:
        return
    machine = {"processor": processor(), "instructions": instructions(), "clock": clock}
    with path.open("a") as file:
        file.write(json.dumps({**machine, "commit": commit(), **conditions, "ratios": found}) + "\n")


def losses(path: Path, rows: Sequence[Row], clock: str) -> list[str]:
    """What fell against the latest run under the same conditions that has the same ratio."""
    if not path.exists():
        return []
    here = (processor(), instructions(), clock)
    earlier: dict[str, tuple[Spread, str]] = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        if (entry["processor"], entry["instructions"], entry["clock"]) == here:
            earlier.update({key: (tuple(value), entry["commit"]) for key, value in entry["ratios"].items()})
    found = []
    for key, (_, middle, high) in ratios(_stable(rows, clock), clock).items():
        (low_before, middle_before, _), where = earlier.get(key, ((0.0, 0.0, 0.0), ""))
        if high < low_before and middle < (1 - LOSS) * middle_before:
            found.append(f"{key} fell from {middle_before:.2f} ({where}) to {middle:.2f}")
    return found
