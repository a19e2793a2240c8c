"""Facts of the run for the page: names, classes, colours, choices."""

from __future__ import annotations

from typing import Any

from nerone._core import usable_cores
from nerone.compat import zip
from nerone.live.engines import BundleLabels
from nerone.live.fp32 import FloatModel
from nerone.live.session import Session
from nerone.live.sources import LiveSource

__all__ = ["describe"]

# Level and width as radiologists set them, as (low, high) in Hounsfield units.
_CT_WINDOWS = (("auto", None), ("soft tissue", (-160.0, 240.0)), ("lung", (-1350.0, 150.0)), ("bone", (-450.0, 1050.0)))


def describe(
    session: Session, labels: BundleLabels, title: str, float_model: FloatModel | None = None
) -> dict[str, Any]:
    """Return the page's description of session and bundle, ready for JSON; sent again whenever it changes."""
    source, windows = session.source, []
    if source.hounsfield:
        windows = [
            {"name": name, "low": window[0] if window else None, "high": window[1] if window else None}
            for name, window in _CT_WINDOWS
        ]
    return {
        "bundle": {
            "name": title,
            "kind": labels.kind,
            "classes": [
                {"name": name, "colour": colour}
                for name, colour in zip(labels.class_names, labels.colours, strict=True)
            ],
            "device": labels.device,
        },
        "source": {
            "name": source.name,
            "count": source.count,
            "live": source.live,
            "holds": _holds(source),
            "note": source.note,
        },
        "windows": windows,
        "backends": list(labels.backends),
        "backend": session.backend,
        "threads": {"current": session.threads, "max": max(session.threads, usable_cores())},
        "playing": session.playing,
        "meter": session.meter.name,
        "fp32": {"state": float_model.state if float_model else "", "error": float_model.error if float_model else ""},
    }


def _holds(source: LiveSource) -> str:
    """Name what is dropped on a page like this one."""
    return (
        "scans" if source.hounsfield or (source.first is not None and source.first.affine is not None) else "pictures"
    )
