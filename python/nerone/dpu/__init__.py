"""What a DPU is and can do: boards, fingerprints, ops and limits, arithmetic."""

from __future__ import annotations

__all__ = ["arithmetic", "boards", "fingerprints", "limits", "ops", "placement"]
