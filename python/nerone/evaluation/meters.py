"""Power meters: INA sensors through hwmon, NVIDIA's NVML, RAPL, PYNQ's rails, a logger's CSV file, a constant."""

from __future__ import annotations

import contextlib
import csv
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from nerone.errors import ConfigurationError, DeviceError

__all__ = ["ConstantMeter", "CsvMeter", "HwmonMeter", "Meter", "NvmlMeter", "PynqMeter", "RaplMeter"]

_SYS = Path("/sys")


class Meter(Protocol):
    """Something that knows how much power the device draws now."""

    name: str

    def read_watts(self) -> float:
        """Return the power now, or the mean since the last call where the sensor counts energy."""


class HwmonMeter:
    """TI INA sensors on a board, as the kernel shows them: the sum of the chosen sensors.

    Parameters
    ----------
    sensors : folders such as /sys/class/hwmon/hwmon0
    """

    def __init__(self, sensors: list[Path]) -> None:
        self._sensors = sensors
        names = "+".join(_text(sensor / "name") for sensor in sensors)
        self.name = f"hwmon {names}"

    @classmethod
    def find(cls, root: Path = _SYS) -> HwmonMeter | None:
        """Return the board's meter, or None where it has no INA sensor.

        A sensor that measures the whole module (KV260: ina260, Ultra96-V2: ina226 on the 12 V input) is taken alone;
        else all INA sensors are summed.
        """
        folders = sorted((root / "class/hwmon").glob("hwmon*"))
        found = [folder for folder in folders if _text(folder / "name").startswith("ina") and _can_read(folder)]
        whole = [folder for folder in found if _text(folder / "name").startswith("ina260")]
        chosen = whole[:1] or found
        return cls(chosen) if chosen else None

    def read_watts(self) -> float:
        """Return the sum of the sensors, in watts."""
        return sum(_sensor_watts(sensor) for sensor in self._sensors)


class RaplMeter:
    """The processor package's energy counter, which wraps at ``max_energy_range_uj``."""

    name = "RAPL package"

    def __init__(self, zone: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._zone = zone
        self._clock = clock
        self._range_uj = int(_text(zone / "max_energy_range_uj") or 2**32)
        self._last = (clock(), self._energy_uj())

    @classmethod
    def find(cls, root: Path = _SYS) -> RaplMeter | None:
        """Return the first package's meter, or None where there is none or it cannot be read."""
        for zone in sorted((root / "class/powercap").glob("intel-rapl:*")):
            if _text(zone / "name").startswith("package") and _text(zone / "energy_uj"):
                return cls(zone)
        return None

    def _energy_uj(self) -> int:
        text = _text(self._zone / "energy_uj")
        if not text:
            raise DeviceError(
                f"'{self._zone}/energy_uj' cannot be read any more; run as root or use another --power meter"
            )
        return int(text)

    def read_watts(self) -> float:
        """Return the mean power since the last call, in watts."""
        now, energy = self._clock(), self._energy_uj()
        then, before = self._last
        self._last = (now, energy)
        if now <= then:
            return math.nan
        return ((energy - before) % self._range_uj) * 1e-6 / (now - then)


class NvmlMeter:
    """An NVIDIA GPU through NVML (package nvidia-ml-py)."""

    def __init__(self, nvml: Any, index: int = 0) -> None:
        self._nvml = nvml
        self._handle = nvml.nvmlDeviceGetHandleByIndex(index)
        self.name = f"NVML GPU {index}"

    @classmethod
    def find(cls) -> NvmlMeter | None:
        """Return the first GPU's meter, or None where there is no GPU or no package."""
        try:
            import pynvml

            pynvml.nvmlInit()
            return cls(pynvml)
        except Exception:
            return None

    def read_watts(self) -> float:
        """Return the power now, in watts."""
        return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)) / 1000.0


class PynqMeter:
    """A rail of a PYNQ board, by default the 12 V input."""

    def __init__(self, rails: Any, rail: str = "12V") -> None:
        if rail not in rails:
            raise ConfigurationError(f"the board has no rail '{rail}'; it has {', '.join(sorted(rails))}")
        self._sensor = rails[rail].power
        self.name = f"PYNQ rail {rail}"

    @classmethod
    def find(cls, rail: str = "12V") -> PynqMeter | None:
        """Return the rail's meter, or None where PYNQ is not installed."""
        try:
            import pynq
        except ImportError:
            return None
        return cls(pynq.get_rails(), rail)

    def read_watts(self) -> float:
        """Return the power now, in watts."""
        return float(self._sensor.value)


class CsvMeter:
    """The file of a power logger that another program writes: the last row's watts.

    The file has a header row; the column is called ``watts``, ``power`` or ``power_w`` in any case, or it is the last.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.name = f"CSV {file.name}"
        self.read_watts()

    def read_watts(self) -> float:
        """Return the newest value, in watts."""
        try:
            with self._file.open(newline="") as stream:
                rows = [row for row in csv.reader(stream) if row]
        except OSError as error:
            raise ConfigurationError(f"the power log '{self._file}' cannot be read: {error.strerror}") from error
        if len(rows) < 2:
            raise ConfigurationError(f"the power log '{self._file}' has no row below its header yet")
        names = [name.strip().lower() for name in rows[0]]
        column = next((names.index(name) for name in ("watts", "power", "power_w") if name in names), -1)
        with contextlib.suppress(ValueError, IndexError):
            return float(rows[-1][column])
        raise ConfigurationError(f"the last row of '{self._file}' has no number of watts: {','.join(rows[-1])}")


class ConstantMeter:
    """A power that was measured elsewhere."""

    def __init__(self, watts: float) -> None:
        if not (math.isfinite(watts) and watts > 0):
            raise ConfigurationError(f"a constant power of {watts} W cannot be; give a positive number of watts")
        self._watts = watts
        self.name = f"constant {watts:g} W"

    def read_watts(self) -> float:
        """Return the constant, in watts."""
        return self._watts


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _can_read(sensor: Path) -> bool:
    try:
        return math.isfinite(_sensor_watts(sensor))
    except DeviceError:
        return False


def _sensor_watts(sensor: Path) -> float:
    """Power of one sensor: ``power1_input`` in microwatts, else ``curr1_input`` (mA) times the bus voltage (mV)."""
    power = _text(sensor / "power1_input")
    if power:
        return int(power) * 1e-6
    current = _text(sensor / "curr1_input")
    # Of an INA, in1 is the bus voltage where there is no in2 (in1 is then the shunt's).
    voltage = _text(sensor / "in2_input") or _text(sensor / "in1_input")
    if not (current and voltage):
        raise DeviceError(f"the sensor '{sensor}' gives neither power nor current and voltage")
    return int(current) * 1e-3 * int(voltage) * 1e-3
