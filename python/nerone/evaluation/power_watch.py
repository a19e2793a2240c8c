"""The power of the device, read in the background twice a second."""

from __future__ import annotations

import math
import threading

from nerone.evaluation.power import Meter

__all__ = ["PowerWatch"]

_INTERVAL_S = 0.5


class PowerWatch:
    """Reads a meter until closed; without a meter, or while it fails, ``watts`` is None and never 0.

    Parameters
    ----------
    meter : what `nerone.evaluation.power.open_meter` gives
    """

    def __init__(self, meter: Meter | None, *, interval_s: float = _INTERVAL_S) -> None:
        self._meter = meter
        self._interval_s = interval_s
        self._watts: float | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if meter is not None:
            self._thread = threading.Thread(target=self._read, name="nerone-power", daemon=True)
            self._thread.start()

    @property
    def name(self) -> str:
        """The measured quantity; empty without a meter."""
        return "" if self._meter is None else self._meter.name

    @property
    def watts(self) -> float | None:
        """The newest reading."""
        return self._watts

    def close(self) -> None:
        """Stop reading; may be called twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2.0)

    def _read(self) -> None:
        assert self._meter is not None
        while True:
            try:
                watts = self._meter.read_watts()
                self._watts = watts if math.isfinite(watts) and watts > 0 else None
            except Exception:
                # A sensor may be away for a moment; the page says n/a until it answers.
                self._watts = None
            if self._stop.wait(self._interval_s):
                return
