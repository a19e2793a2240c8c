"""Where the tests find golden vectors and sample data; both lie outside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY.parent / "shared"
GOLDEN = Path(os.environ.get("NERONE_GOLDEN_DIR", SHARED / "golden"))


def golden(*parts: str) -> Path:
    """Return a golden file, or skip the test where the folder is absent."""
    path = GOLDEN.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no golden file {'/'.join(parts)}; NERONE_GOLDEN_DIR names their folder")
    return path


def shared(*parts: str) -> Path:
    """Return a sample of the shared data, or skip the test where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no shared data {'/'.join(parts)}")
    return path
