"""The examination of a machine, real and made up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from platform import machine

import pytest

from nerone import _core
from nerone.deployment import doctor
from nerone.deployment.doctor import FINE, NOTE, PROBLEM, examine
from nerone.deployment.doctor_hardware import sensor_finding, simd_finding
from nerone.deployment.remote.probe import device_nodes, has_dpu, parse_fingerprint

KNOWN = 0x1000020F6014407


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    monkeypatch.delenv("XLNX_VART_FIRMWARE", raising=False)
    monkeypatch.delenv("NERONE_DPU_FINGERPRINT", raising=False)


def by_name(findings):
    return {finding.what: finding for finding in findings}


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_this_machine():
    found = by_name(examine())
    assert found["C++ core"].state == FINE
    assert found["software DPU"].state == FINE
    assert found["VART"].state == found["XIR"].state == FINE
    assert all(finding.remedy for finding in found.values() if finding.state == PROBLEM)


@pytest.fixture
def board(tmp_path):
    write(tmp_path / "proc/device-tree/model", "ZynqMP ZCU104 RevC\0")
    write(tmp_path / "proc/cpuinfo", "Features : fp asimd evtstrm aes")
    return tmp_path


@pytest.fixture
def laptop(tmp_path):
    """A PC, or an ARM computer that is no DPU board, with a graphics card."""
    write(tmp_path / "proc/cpuinfo", "flags : sse4_1 avx2")
    write(tmp_path / "dev/dri/renderD128")
    return tmp_path


def test_a_board_without_its_overlay(board):
    found = by_name(examine(board, "aarch64"))
    assert "ZCU104" in found["machine"].detail
    assert found["DPU device"].state == PROBLEM
    assert "xmutil loadapp" in found["DPU device"].remedy
    assert "vendor's compiler" not in found


def test_a_board_with_firmware_and_fingerprint(board, monkeypatch):
    write(board / "dev/dri/renderD128")
    write(board / "sys/class/drm/renderD128/device/uevent", "OF_NAME=zyxclmm_drm\nDRIVER=zocl-drm\n")
    monkeypatch.setenv("NERONE_DPU_FINGERPRINT", "0x1000020F6014407")
    monkeypatch.setattr(doctor.ctypes.util, "find_library", lambda name: f"lib{name}.so.2")
    assert by_name(examine(board, "aarch64"))["firmware"].state == PROBLEM
    write(board / "etc/vart.conf", "firmware: /usr/lib/dpu.xclbin\n")
    assert "does not exist" in by_name(examine(board, "aarch64"))["firmware"].detail
    write(board / "usr/lib/dpu.xclbin")
    write(board / "sys/class/hwmon/hwmon0/power1_input", "5000000")
    findings = examine(board, "aarch64")
    found = by_name(findings)
    assert found["DPU device"].detail == "/dev/dri/renderD128"
    assert found["firmware"].detail == "/usr/lib/dpu.xclbin"
    assert "zcu104 of Vitis AI 1.4" in found["fingerprint"].detail
    assert found["power sensors"].detail == "hwmon0"
    assert found["XRT"].state == found["DPU runner"].state == FINE
    assert not [finding for finding in findings if finding.state == PROBLEM]


@pytest.mark.parametrize(
    ("given", "state", "words"),
    [
        ("", PROBLEM, "unknown"),
        ("4407", PROBLEM, "NERONE_DPU_FINGERPRINT is '4407', expected 0x"),
        ("0x123", NOTE, "0x123, of no board of the table"),
    ],
)
def test_fingerprints_of_a_board(board, monkeypatch, given, state, words):
    write(board / "dev/dpu")
    monkeypatch.setenv("NERONE_DPU_FINGERPRINT", given)
    monkeypatch.setenv("PATH", "/nowhere")
    found = by_name(examine(board, "aarch64"))["fingerprint"]
    assert found.state == state
    assert words in found.detail
    assert found.remedy


def test_a_board_without_the_vendors_runner(board, monkeypatch):
    write(board / "dev/dpu")
    monkeypatch.setattr(doctor.ctypes.util, "find_library", lambda name: None)
    found = by_name(examine(board, "aarch64"))
    for what in ("VART", "XIR", "XRT", "DPU runner"):
        assert found[what].state == PROBLEM
        assert found[what].remedy
    # A board without a cache of its libraries has them all the same.
    write(board / "opt/xilinx/xrt/lib/libxrt_coreutil.so.2")
    write(board / "usr/lib/libvart-dpu-runner.so.3.0.0")
    found = by_name(examine(board, "aarch64"))
    assert found["XRT"].detail == "libxrt_coreutil.so.2"
    assert found["DPU runner"].detail == "libvart-dpu-runner.so.3.0.0"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("driver", ["i915", None])
def test_a_graphics_card_is_no_dpu(laptop, machine, driver):
    if driver:
        write(laptop / "sys/class/drm/renderD128/device/uevent", f"DRIVER={driver}\n")
    found = by_name(examine(laptop, machine))
    assert found["DPU device"].state == NOTE
    assert found["DPU device"].detail == "none"
    assert "no DPU board" in found["machine"].detail
    assert "firmware" not in found


def test_another_arm_computer_is_no_board(laptop):
    write(laptop / "proc/device-tree/model", "Raspberry Pi 4 Model B\0")
    write(laptop / "proc/device-tree/compatible", "raspberrypi,4-model-b\0brcm,bcm2711\0")
    found = by_name(examine(laptop, "aarch64"))
    assert found["DPU device"].state == NOTE


def test_nodes_of_a_dpu(tmp_path):
    assert device_nodes(tmp_path) == []
    write(tmp_path / "dev/dri/renderD128")
    assert device_nodes(tmp_path) == ["/dev/dri/renderD128"]
    assert has_dpu("", device_nodes(tmp_path), "aarch64")
    assert not has_dpu("", device_nodes(tmp_path), "x86_64")
    # A Mali beside the DPU, as on an Ultra96.
    write(tmp_path / "sys/class/drm/renderD128/device/uevent", "DRIVER=lima\n")
    write(tmp_path / "dev/dri/renderD129")
    write(tmp_path / "sys/class/drm/renderD129/device/uevent", "DRIVER=zocl-drm\n")
    assert device_nodes(tmp_path) == ["/dev/dri/renderD129"]
    assert has_dpu("0x1", [], "x86_64")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{\n "kernels":[\n {"DPU Arch":"DPUCZDX8G_ISA1_B4096",\n "fingerprint":"0x101000056010407"}]}',
            "0x101000056010407",
        ),
        ("fingerprint: 0X1F", ""),
        ("fingerprint of DPU: 0x1F", "0x1f"),
        ("fingerprint: 0xyz", ""),
        ('"fingerprint": none\n fingerprint 0x12', "0x12"),
        ("fingerprint: 0x101000056010407FFFF", "0x101000056010407f"),
        ("no such thing 0x12", ""),
        ('"fingerprint": none\n 0x12', ""),
        ("fingerprint: 0x0", ""),
        ("", ""),
    ],
)
def test_the_fingerprint_in_what_the_tool_prints(text, expected):
    """The cases of the C++ reader's test."""
    assert parse_fingerprint(text) == expected


@pytest.mark.parametrize(
    ("target", "line", "expected"),
    [
        ("AVX2", "flags : sse4_1 avx2 fma avx_vnni", "AVX2, with avx_vnni"),
        ("AVX3", "flags : avx512f avx512_vnni avx_vnni", "AVX3, with avx512_vnni, avx_vnni"),
        ("NEON", "Features : fp asimd asimddp", "NEON, with asimddp"),
        # Under an emulator the file is the host's.
        ("NEON", "flags : avx2", "NEON"),
        ("EMU128", "flags : sse2", "none that the kernels know"),
    ],
)
def test_vector_instructions(tmp_path, monkeypatch, target, line, expected):
    monkeypatch.setattr(_core, "simd_target", lambda: target)
    write(tmp_path / "proc/cpuinfo", line + "\n")
    found = simd_finding(tmp_path)
    assert found.detail == expected
    assert found.state == (NOTE if found.remedy else FINE)


def test_vector_instructions_of_this_machine(tmp_path):
    """The kernels are built for fewer targets than Highway has."""
    assert simd_finding(tmp_path).detail == _core.simd_target()
    built = {"SSE2", "SSE4", "AVX2", "AVX3", "AVX3_ZEN4", "AVX3_SPR"} if machine() == "x86_64" else {"NEON"}
    assert _core.simd_target() in built


def test_sensors(tmp_path):
    assert sensor_finding(tmp_path).state == NOTE
    write(tmp_path / "sys/class/powercap/intel-rapl:0/name", "package-0")
    assert sensor_finding(tmp_path).remedy == "run as root to measure power"
    write(tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj", "17")
    write(tmp_path / "sys/class/hwmon/hwmon3/curr1_input", "17")
    write(tmp_path / "sys/class/hwmon/hwmon3/name", "ina226")
    assert sensor_finding(tmp_path).detail == "hwmon3 ina226, RAPL package-0"


def test_missing_packages_name_their_extra(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None if name == "nibabel" else object())
    found = by_name(examine())["Python packages"]
    assert found.state == NOTE
    assert found.remedy == "pip install 'nerone[data]'"


def test_a_docker_without_its_daemon(tmp_path, monkeypatch):
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho 'Client: 20'\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: str(docker) if name == "docker" else None)
    found = doctor._vendor_compiler()
    assert found.state == NOTE
    assert found.detail == f"{docker} does not answer: Cannot connect to the Docker daemon"
    assert "systemctl start docker" in found.remedy
    docker.write_text("#!/bin/sh\necho 'Server Version: 20'\n")
    assert (doctor._vendor_compiler().state, doctor._vendor_compiler().detail) == (FINE, str(docker))
    docker.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(doctor, "_ENGINE_LIMIT_S", 0.2)
    assert "nothing within 0.2 s" in doctor._vendor_compiler().detail


def test_a_vart_that_cannot_be_loaded(tmp_path):
    """The loader finds broken files first; what it says of them is told, not that there is none."""
    for name in ("vart-runner", "xir"):
        for version in ("2", "3"):
            (tmp_path / f"lib{name}.so.{version}").touch()
    done = subprocess.run(
        [sys.executable, "-m", "nerone.cli.main", "doctor", "--json"],
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    found = {one["what"]: one for one in json.loads(done.stdout)}
    for what, name in (("VART", "vart-runner"), ("XIR", "xir")):
        assert found[what]["state"] == PROBLEM
        assert f"lib{name}.so.3 is here but cannot be loaded" in found[what]["detail"]
        assert "too short" in found[what]["detail"]


# A wheel without its extras: neither package can be found.
WITHOUT_EXTRAS = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("typer", "rich"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name in ("typer", "rich") else found(name, *more)
from nerone.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def bare(*words):
    command = [sys.executable, "-c", WITHOUT_EXTRAS, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_bare_wheel_says_what_to_install_and_examines_itself():
    done = bare("--help")
    assert done.returncode == 2
    assert done.stderr.strip() == "nerone: the package 'typer' is missing; install it with: pip install 'nerone[cli]'"
    done = bare("doctor")
    assert done.returncode == int(any(": problem: " in line for line in done.stdout.splitlines()))
    assert "C++ core: fine: " in done.stdout
    assert "typer, rich missing; pip install 'nerone[cli]'" in done.stdout
    values = json.loads(bare("doctor", "--json").stdout)
    assert {one["what"] for one in values} >= {"machine", "Python", "VART", "Python packages"}


def test_remedies_keep_their_brackets(monkeypatch, capsys):
    from nerone.cli.main import main

    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None if name == "h5py" else object())
    main(["doctor"])
    assert "pip install 'nerone[quantize]'" in capsys.readouterr().out
