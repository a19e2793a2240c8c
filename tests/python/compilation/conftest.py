"""Stand-ins of the vendor's programs for one test."""

from __future__ import annotations

import pytest

from compilation.vendor_stand_ins import StandIns


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    return StandIns(tmp_path / "programs", monkeypatch)
