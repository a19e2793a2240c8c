"""The examination of a machine, real and made up."""

from __future__ import annotations

from nerone.deployment import doctor
from nerone.deployment.doctor import FINE, NOTE, PROBLEM, examine


def by_name(findings):
    return {finding.what: finding for finding in findings}


def test_this_machine():
    found = by_name(examine())
    assert found["C++ core"].state == FINE
    assert found["software DPU"].state == FINE
    assert found["VART"].state == found["XIR"].state == FINE
    assert all(finding.remedy for finding in found.values() if finding.state == PROBLEM)


def board(tmp_path):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_bytes(b"ZynqMP ZCU104 RevC\0")
    (tmp_path / "proc/cpuinfo").write_text("Features : fp asimd evtstrm aes")
    (tmp_path / "dev/dri").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    return tmp_path


def test_a_board_without_its_overlay(tmp_path, monkeypatch):
    monkeypatch.delenv("XLNX_VART_FIRMWARE", raising=False)
    found = by_name(examine(board(tmp_path)))
    assert "ZCU104" in found["machine"].detail
    assert found["SIMD"].detail == "best of asimd"
    assert found["DPU device"].state == PROBLEM
    assert "overlay" in found["DPU device"].remedy


def test_a_board_with_firmware_and_fingerprint(tmp_path, monkeypatch):
    root = board(tmp_path)
    (root / "dev/dri/renderD128").touch()
    monkeypatch.delenv("XLNX_VART_FIRMWARE", raising=False)
    monkeypatch.setenv("NERONE_DPU_FINGERPRINT", "0x1000020F6014407")
    assert by_name(examine(root))["firmware"].state == PROBLEM
    (root / "etc/vart.conf").write_text("firmware: /usr/lib/dpu.xclbin\n")
    assert "does not exist" in by_name(examine(root))["firmware"].detail
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/dpu.xclbin").touch()
    (root / "sys/class/hwmon/hwmon0").mkdir(parents=True)
    (root / "sys/class/hwmon/hwmon0/power1_input").write_text("5000000")
    found = by_name(examine(root))
    assert found["firmware"].detail == "/usr/lib/dpu.xclbin"
    assert "zcu104 of Vitis AI 1.4" in found["fingerprint"].detail
    assert found["power sensors"].detail == "hwmon0"


def test_missing_packages_name_their_extra(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None if name == "nibabel" else object())
    found = by_name(examine())["Python packages"]
    assert found.state == NOTE
    assert found.remedy == "pip install 'nerone[data]'"
