"""Profiles the benchmark's networks and writes the table into the documentation.

    python benchmarks/peers/profiles.py FOLDER [FOLDER ...] --page docs/speed.md

FOLDER holds a model.xmodel, as export.py writes it. The table replaces what stands between the page's two markers.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from history import commit, processor  # noqa: E402

from nerone.evaluation.profile import LayerProfile, Profile, profile  # noqa: E402

BEGIN, END = "<!-- profiles begin -->", "<!-- profiles end -->"
PARTS = ("3x3", "upsampled 3x3", "transposed", "1x1", "depthwise", "rest")


def part_of(layer: LayerProfile) -> str:
    """The table's column that a layer belongs to."""
    for part, words in (("upsampled 3x3", "upsampled"), ("transposed", "transposed"), ("depthwise", "depthwise")):
        if layer.kind.startswith(words):
            return part
    if not layer.macs:
        return "rest"
    return "1x1" if "1x1" in layer.kind else "3x3"


def cells(found: Profile) -> list[str]:
    """Per part: its share of the time, and of what the limits allow."""
    seconds: dict[str, float] = defaultdict(float)
    limits: dict[str, float] = defaultdict(float)
    for layer in found.layers:
        seconds[part_of(layer)] += layer.seconds
        limits[part_of(layer)] += found.limit_seconds(layer)
    total = sum(seconds.values())
    return [
        f"{seconds[part] / total:.0%} ({limits[part] / seconds[part]:.0%})" if seconds[part] else "" for part in PARTS
    ]


def row(name: str, found: Profile) -> str:
    """One model."""
    computed = sum(layer.computed_macs for layer in found.layers)
    share = "" if found.fraction_of_peak is None else f"{found.fraction_of_peak:.0%}"
    head = [name, f"{found.seconds * 1e6:.0f}", f"{1 / found.seconds:.0f}", f"{found.macs / 1e9:.3f}"]
    return f"| {' | '.join([*head, f'{computed / found.macs:.0%}', share, *cells(found)])} |"


def table(folders: Iterable[Path], seconds: float) -> str:
    """The section: what was measured where, and a row per model."""
    found = {folder.name: profile(folder / "model.xmodel", seconds=seconds) for folder in folders}
    peak = max(one.peak_gmacs for one in found.values())
    columns = ["model", "us", "images/s", "GMAC", "multiplied", "of the peak", *PARTS]
    lines = [
        f"Measured on {processor()}, one thread, commit {commit()}; peak {peak:.0f} GMAC/s.",
        "",
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(row(name, one) for name, one in found.items()),
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the section, or put it into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=2.0, help="per model")
    parser.add_argument("--page", type=Path, help="writes it there, between its markers")
    options = parser.parse_args()
    section = table(options.folders, options.seconds)
    if options.page is None:
        print(section)
        return
    text = options.page.read_text()
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{options.page} has no line '{BEGIN}' and '{END}'; add both")
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.S)
    options.page.write_text(pattern.sub(lambda _: f"{BEGIN}\n{section}\n{END}", text))


if __name__ == "__main__":
    main()
