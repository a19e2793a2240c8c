"""Power meters against sensor trees of the tests; no sensor is never zero watts."""

from __future__ import annotations

import time
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace

import pytest

from nerone.errors import ConfigurationError, DeviceError
from nerone.evaluation.meters import ConstantMeter, CsvMeter, HwmonMeter, NvmlMeter, PynqMeter, RaplMeter
from nerone.evaluation.power import PowerRecorder, open_meter
from waiting import wait_for


def sensor(root: Path, number: int, **files: str) -> Path:
    folder = root / "class/hwmon" / f"hwmon{number}"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text + "\n")
    return folder


def test_hwmon_sums_ina_sensors_only(tmp_path: Path) -> None:
    sensor(tmp_path, 0, name="ina226_u76", power1_input="3250000")
    sensor(tmp_path, 1, name="coretemp", power1_input="99000000")
    sensor(tmp_path, 2, name="ina226_u77", curr1_input="500", in1_input="3", in2_input="12000")
    meter = HwmonMeter.find(tmp_path)
    assert meter is not None
    assert meter.read_watts() == pytest.approx(3.25 + 6.0)


def test_hwmon_takes_the_whole_module_sensor_alone(tmp_path: Path) -> None:
    sensor(tmp_path, 0, name="ina226", power1_input="1000000")
    sensor(tmp_path, 1, name="ina260_u14", power1_input="7000000")
    meter = HwmonMeter.find(tmp_path)
    assert meter is not None
    assert meter.read_watts() == pytest.approx(7.0)
    assert "ina260" in meter.name


def test_no_sensor_is_no_meter(tmp_path: Path) -> None:
    sensor(tmp_path, 0, name="ina226")
    assert HwmonMeter.find(tmp_path) is None
    assert RaplMeter.find(tmp_path) is None
    assert open_meter("none") is None


def test_rapl_counts_energy_across_a_wrap(tmp_path: Path) -> None:
    zone = tmp_path / "class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text("1000000\n")
    (zone / "energy_uj").write_text("900000\n")
    now = [10.0]
    meter = RaplMeter(zone, lambda: now[0])
    now[0] = 10.5
    (zone / "energy_uj").write_text("150000\n")
    assert meter.read_watts() == pytest.approx(0.25 / 0.5)
    (zone / "energy_uj").unlink()
    with pytest.raises(DeviceError, match="root"):
        meter.read_watts()


def test_nvml_and_pynq_values() -> None:
    nvml = SimpleNamespace(nvmlDeviceGetHandleByIndex=lambda i: i, nvmlDeviceGetPowerUsage=lambda h: 61250 + h)
    assert NvmlMeter(nvml).read_watts() == pytest.approx(61.25)
    rails = {"12V": SimpleNamespace(power=SimpleNamespace(value=8.5))}
    assert PynqMeter(rails).read_watts() == 8.5
    with pytest.raises(ConfigurationError, match="12V"):
        PynqMeter(rails, "5V")


def test_csv_reads_the_newest_row(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("time,Power,note\n0,5.5,a\n1,6.25,b\n")
    assert CsvMeter(log).read_watts() == 6.25
    log.write_text("time,x\n")
    with pytest.raises(ConfigurationError, match="no row"):
        CsvMeter(log)
    log.write_text("time,watts\n0,lots\n")
    with pytest.raises(ConfigurationError, match="lots"):
        CsvMeter(log)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        CsvMeter(tmp_path / "none.csv")


@pytest.mark.parametrize("kind", ["volts", "constant", "constant:-1", "constant:x", "constant:nan", "csv:"])
def test_bad_kinds_are_told(kind: str) -> None:
    with pytest.raises(ConfigurationError):
        open_meter(kind)


def test_recorder_means_and_reports_failures() -> None:
    readings = chain([1.0, 2.0, 4.0], repeat(6.0))
    read: list[float] = []

    def read_watts() -> float:
        read.append(next(readings))
        return read[-1]

    with PowerRecorder(SimpleNamespace(name="test", read_watts=read_watts), interval_s=0.01) as recorder:
        time.sleep(0.05)
        wait_for(lambda: len(read) >= 4)
    assert recorder.sample is not None
    assert 2.0 < recorder.sample.watts < 6.0
    assert recorder.sample.seconds >= 0.05
    with PowerRecorder(None) as empty:
        pass
    assert empty.sample is None
    broken = iter([1.0])
    with (
        pytest.raises(DeviceError, match="meter failed"),
        PowerRecorder(SimpleNamespace(name="broken", read_watts=lambda: next(broken)), interval_s=0.001),
    ):
        time.sleep(0.02)


def test_constant_is_what_was_given() -> None:
    assert ConstantMeter(5.2).read_watts() == 5.2
