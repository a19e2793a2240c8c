"""A summary of quantization, in lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    lines = [f"float: {metric} {report['float_metric']:.4f} on {images} images"]
    lines += [f"{step['method']}: {metric} {step['metric']:.4f}, drop {step['drop']:+.4f}" for step in steps]
    limit = f", limit {report['max_drop']:g} {'kept' if report['within'] else 'missed'}" if "max_drop" in report else ""
    return [*lines, f"taken: {report['method']}{limit}"]
