"""Everything known about DPUs: boards, fingerprints, ops and limits, arithmetic."""

from __future__ import annotations

__all__ = ["arithmetic", "boards", "fingerprints", "limits", "ops", "placement"]
