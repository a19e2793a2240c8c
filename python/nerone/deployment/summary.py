"""A summary of quantization, in lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nerone.quantization.metrics import METRIC_NAMES, percent

__all__ = ["quantization_lines"]


def quantization_lines(report: Mapping[str, Any]) -> list[str]:
    """Return lines on calibration and on what each method brought.

    Parameters
    ----------
    report : the part "quantization" of a bundle's report
    """
    return [*_calibration(report.get("calibration") or {}), *_steps(report)]


def _calibration(facts: Mapping[str, Any]) -> list[str]:
    rows = facts.get("classes") or []
    if not rows:
        return []
    shown = []
    for row in rows:
        natural = f" of {row['natural_share']:.0%}" if "natural_share" in row else ""
        shown.append(f"{row['name']} in {row['images']} ({row['share']:.0%}{natural})")
    return [f"calibration: {facts['images']} images, {', '.join(shown)}"]


def _steps(report: Mapping[str, Any]) -> list[str]:
    steps = report.get("steps") or []
    if not steps:
        return []
    metric, images = report["metric"], report["validation_images"]
    share = metric in METRIC_NAMES
    name = METRIC_NAMES.get(metric, metric)
    lines = [f"float: {name} {_score(report['float_metric'], share)} on {images} images"]
    for step in steps:
        drop = f"{percent(step['drop'], sign=True)} points" if share else f"{step['drop']:+.4f}"
        lines.append(f"{step['method']}: {name} {_score(step['metric'], share)}, drop {drop}")
    limit = ""
    if "max_drop" in report:
        allowed = f"{percent(report['max_drop'])} points" if share else f"{report['max_drop']:g}"
        limit = f", limit {allowed} {'kept' if report['within'] else 'missed'}"
    return [*lines, f"taken: {report['method']}{limit}"]


def _score(value: float, share: bool) -> str:
    return f"{percent(value)} %" if share else f"{value:.4f}"
