"""Bundles for the benchmarks, and the ratio table at the end."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """Print what benchmarks say in a line, and VART over PYNQ-DPU per model and device, from this run's mean times."""
    session = getattr(config, "_benchmarksession", None)
    lines = [line for one in getattr(session, "benchmarks", []) for line in one.extra_info.get("lines", ())]
    if lines:
        terminalreporter.section("The pipeline against the device alone, measured in turns")
        for line in lines:
            terminalreporter.write_line(line)
    means: dict[str, dict[str, float]] = defaultdict(dict)
    for one in getattr(session, "benchmarks", []):
        info = one.extra_info
        if "backend" in info:
            means[f"{info['model']} on {info['device']}"][info["backend"]] = one.stats.mean / info["frames"]
    if not means:
        return
    terminalreporter.section("VART against PYNQ-DPU, from the image to the mask, results compared before timing")
    for name, by_backend in means.items():
        if {"vart", "pynq"} <= set(by_backend):
            vart, pynq = by_backend["vart"], by_backend["pynq"]
            line = f"{name:<42} VART {1 / vart:9.1f} fps   PYNQ-DPU {1 / pynq:9.1f} fps   ratio {pynq / vart:6.2f}"
            terminalreporter.write_line(line)
    terminalreporter.write_line(
        "The paper measured 4.04 on a ZCU104, whose Cortex-A53 did the Python work; this host's cores are several times"
    )
    terminalreporter.write_line("faster, which favours PYNQ-DPU here. Nothing is slowed down to reach that number.")


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benchmarks")
