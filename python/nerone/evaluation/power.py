"""Power of a device: opening a meter, and sampling it while something runs.

A machine without a sensor has no meter: power is then "n/a", never 0.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from nerone.errors import ConfigurationError, DeviceError
from nerone.evaluation.meters import ConstantMeter, CsvMeter, HwmonMeter, Meter, NvmlMeter, PynqMeter, RaplMeter

__all__ = ["Meter", "PowerRecorder", "Sample", "open_meter"]

_KINDS = ("auto", "none", "hwmon", "nvml", "rapl", "pynq", "csv:FILE", "constant:WATTS")


@dataclass(frozen=True)
class Sample:
    """Energy over a span of time.

    Attributes
    ----------
    watts : float, mean power
    seconds : float, length of the span
    """

    watts: float
    seconds: float


def open_meter(kind: str = "auto") -> Meter | None:
    """Return a meter, or None where there is no sensor (or ``kind`` is "none").

    Parameters
    ----------
    kind : "auto" (hwmon, PYNQ, then RAPL), "none", "hwmon", "nvml", "rapl", "pynq", "csv:FILE" or "constant:WATTS"

    Raises
    ------
    ConfigurationError : a sensor was asked for by name and is not there, or the kind is unknown
    """
    name, _, value = kind.partition(":")
    if name == "none":
        return None
    if name == "csv" and value:
        return CsvMeter(Path(value))
    if name == "constant" and value:
        try:
            return ConstantMeter(float(value))
        except ValueError as error:
            raise ConfigurationError(f"'{value}' is no number of watts; give for example constant:5.2") from error
    finders: dict[str, Callable[[], Meter | None]] = {
        "hwmon": HwmonMeter.find,
        "pynq": PynqMeter.find,
        "rapl": RaplMeter.find,
        "nvml": NvmlMeter.find,
    }
    if name == "auto":
        return HwmonMeter.find() or PynqMeter.find() or RaplMeter.find()
    if name not in finders:
        raise ConfigurationError(f"'{kind}' is no power meter; give one of {', '.join(_KINDS)}")
    meter = finders[name]()
    if meter is None:
        raise ConfigurationError(
            f"this machine has no sensor that '{name}' can read; use --power auto, csv: or constant:"
        )
    return meter


class PowerRecorder:
    """Samples a meter in the background while its ``with`` block runs; the mean is in ``sample`` afterwards.

    Parameters
    ----------
    meter : Meter or None; without one ``sample`` stays None
    interval_s : float, time from one reading to the next
    """

    def __init__(self, meter: Meter | None, interval_s: float = 0.1) -> None:
        self._meter = meter
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._readings: list[float] = []
        self._failure: Exception | None = None
        self._thread: threading.Thread | None = None
        self.sample: Sample | None = None

    def __enter__(self) -> PowerRecorder:
        self._began = time.monotonic()
        if self._meter is not None:
            self._meter.read_watts()  # a counter of energy starts here
            self._thread = threading.Thread(target=self._record, name="nerone-power", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is None:
            return
        self._thread.join()
        if self._failure is not None and kind is None:
            raise DeviceError(f"the power meter failed: {self._failure}") from self._failure
        if self._readings:
            mean = math.fsum(self._readings) / len(self._readings)
            self.sample = Sample(mean, time.monotonic() - self._began)

    def _record(self) -> None:
        try:
            while True:
                stopped = self._stop.wait(self._interval_s)
                assert self._meter is not None
                watts = self._meter.read_watts()
                if math.isfinite(watts):
                    self._readings.append(watts)
                if stopped:
                    return
        except Exception as error:
            self._failure = error
