"""The table of a run: volumes per scan and class, as CSV or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nerone.bundle.tables import write_table
from nerone.bundle.writing import replacing_file, write_error
from nerone.errors import ConfigurationError
from nerone.runtime.prediction.case_runner import Written

__all__ = ["check_report", "write_report"]

_COLUMNS = ("source", "target", "class", "pixels", "volume_ml", "dice", "seconds")


def check_report(path: str | Path) -> Path:
    """Return the report's file; ConfigurationError where its ending is neither .csv nor .json."""
    found = Path(path)
    if found.suffix.lower() not in (".csv", ".json"):
        raise ConfigurationError(f"the report is '{path}'; expected a name that ends in .csv or .json")
    return found


def write_report(path: str | Path, written: Sequence[Written]) -> Path:
    """Write one row per result and class: source, target, class, pixels, millilitres (empty of pictures), Dice
    (where labels lie beside), seconds.

    Raises
    ------
    ConfigurationError
        If the file cannot be written, or its ending is neither .csv nor .json.
    """
    target = check_report(path)
    rows: list[dict[str, Any]] = [
        {
            "source": str(one.source),
            "target": str(one.target),
            "class": name,
            "pixels": count,
            "volume_ml": round(one.volumes_ml[name], 4) if name in one.volumes_ml else None,
            "dice": round(one.dice[name], 6) if name in one.dice else None,
            "seconds": round(one.seconds, 3),
        }
        for one in written
        for name, count in one.counts.items()
    ]
    if target.suffix.lower() == ".csv":
        write_table(target, [_COLUMNS, *([row[name] for name in _COLUMNS] for row in rows)])
        return target
    try:
        with replacing_file(target) as scratch:
            scratch.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    except OSError as error:
        raise write_error(target, error) from error
    return target
