"""The file of earlier ratios: one JSON line per run, with processor and commit, so that a loss of 5 % is seen."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LOSS = 0.05

Row = dict[str, Any]


def processor() -> str:
    """The processor's name as Linux gives it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "CPU part")):
            return line.partition(":")[2].strip()
    return "unknown"


def commit() -> str:
    """The repository's commit, with a plus where files are changed."""
    here = Path(__file__).parent
    words = ["git", "-C", str(here), "describe", "--always", "--dirty=+"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def ratios(rows: Sequence[Row]) -> dict[str, float]:
    """'model/threads/engine' to NERONE's speed over that engine's, 'model/threads/peak' to its share of the peak."""
    found = {}
    for row in rows:
        key = f"{row['model']}/{row['threads']}"
        for engine, figures in row["engines"].items():
            if engine != "nerone":
                found[f"{key}/{engine}"] = round(figures["ratio"], 4)
        if row["fraction_of_peak"] is not None:
            found[f"{key}/peak"] = round(row["fraction_of_peak"], 4)
    return found


def append(path: Path, rows: Sequence[Row]) -> None:
    """Add this run; rows whose rounds stayed unstable are left out."""
    stable = [row for row in rows if not row["unstable_rounds"]]
    entry = {"processor": processor(), "commit": commit(), "ratios": ratios(stable)}
    if not entry["ratios"]:
        return
    with path.open("a") as file:
        file.write(json.dumps(entry) + "\n")


def losses(path: Path, rows: Sequence[Row]) -> list[str]:
    """What fell by more than 5 % against the latest run on the same processor that has the same ratio."""
    if not path.exists():
        return []
    earlier: dict[str, tuple[float, str]] = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        if entry["processor"] == processor():
            earlier.update({key: (value, entry["commit"]) for key, value in entry["ratios"].items()})
    found = []
    for key, value in ratios([row for row in rows if not row["unstable_rounds"]]).items():
        before, where = earlier.get(key, (0.0, ""))
        if value < (1 - LOSS) * before:
            found.append(f"{key} fell from {before:.2f} ({where}) to {value:.2f}")
    return found
