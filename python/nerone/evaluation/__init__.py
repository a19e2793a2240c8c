"""Scores, reports, figures."""

from __future__ import annotations

from nerone.evaluation.metrics import (
    ClassificationCounts,
    Interval,
    SegmentationCounts,
    Summary,
    agreement,
    bootstrap_interval,
    summarize,
)

__all__ = [
    "ClassificationCounts",
    "Interval",
    "SegmentationCounts",
    "Summary",
    "agreement",
    "bootstrap_interval",
    "summarize",
]
