"""What the page is told about the run: names, classes, colours, choices."""

from __future__ import annotations

import os
from typing import Any

from nerone.live.session import Session

__all__ = ["describe"]

# Level and width as radiologists set them, as (low, high) in Hounsfield units.
_CT_WINDOWS = (("auto", None), ("soft tissue", (-160.0, 240.0)), ("lung", (-1350.0, 150.0)), ("bone", (-450.0, 1050.0)))


def describe(session: Session, bundle: Any, title: str) -> dict[str, Any]:
    """Return the page's description of session and bundle, ready for JSON; sent again whenever it changes."""
    windows = []
    if session.source.hounsfield:
        windows = [
            {"name": name, "low": window[0] if window else None, "high": window[1] if window else None}
            for name, window in _CT_WINDOWS
        ]
    return {
        "bundle": {
            "name": title,
            "kind": bundle.kind,
            "classes": [
                {"name": name, "colour": colour}
                for name, colour in zip(bundle.class_names, bundle.colours, strict=True)
            ],
            "device": bundle.device,
        },
        "source": {"name": session.source.name, "count": session.source.count},
        "windows": windows,
        "backends": list(bundle.backends),
        "backend": session.backend,
        "threads": {"current": session.threads, "max": max(session.threads, os.cpu_count() or 1)},
        "playing": session.playing,
    }
