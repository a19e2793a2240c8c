"""nerone board install by a real sshd on what imitates PYNQ 3.0, Kria-PYNQ and PetaLinux 2022."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from deployment.images import make_python, running_image
from deployment.remote_support import failing, only
from deployment.wheel_support import CONTROLLER, make_wheel, wheel_name
from nerone.deployment.remote.install import check_installation, install_on, list_installation, remove_installation
from nerone.errors import ConfigurationError, DeviceError

pytest.importorskip("nerone._core")

B4096 = "0x101000016010407"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    make_wheel(folder)
    return folder


def states(done):
    return {finding["what"]: finding["state"] for finding in done.findings}


def said(python, code):
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True, cwd="/").stdout.strip()


def test_pynq_30(wheels, tmp_path):
    """Its packages lie in a virtual environment; the system's own Python has none of them; xdputil is there."""
    system = make_python(tmp_path / "system", packages=())
    pynq = make_python(tmp_path / "usr/local/share/pynq-venv")
    (next(pynq.parents[1].glob("lib/*/site-packages")) / "pynq.py").write_text("Overlay = 'an overlay'\n")
    xdputil = f"""echo '"DPU Core Count":1, "fingerprint":"{B4096}"'"""
    with running_image(tmp_path, python=system, programs=[("xdputil", xdputil)]) as image:
        options = image.options()
        words = "has no numpy, and .* has none for .*pip download .*numpy"
        failing(ConfigurationError, words, lambda: install_on(image.target, wheels, ssh_options=options))
        elsewhere = str(tmp_path / "opt/pynq/bin/python3")
        failing(
            DeviceError,
            f"has no '{elsewhere}'; .* --remote-python",
            lambda: install_on(image.target, wheels, remote_python=elsewhere, ssh_options=options),
        )
        assert only(tmp_path / "home/board") == []

        done = install_on(image.target, wheels, remote_python=str(pynq), ssh_options=options)
        assert done.fingerprint == B4096
        assert done.golden_outputs
        assert states(done)["C++ core"] == states(done)["VART"] == "fine"
        assert said(done.python, "import pynq; print(pynq.Overlay)") == "an overlay"
        assert check_installation(image.target, ssh_options=options).golden_outputs == done.golden_outputs
        assert remove_installation(image.target, ssh_options=options) == [done.folder]


def test_kria_pynq_without_xdputil(wheels, tmp_path):
    """VART's own library says the fingerprint where there is a device, and aborts where no overlay is loaded."""
    if shutil.which("g++") is None:
        pytest.skip("no g++ to make a stand-in for VART's controller")
    python = make_python(tmp_path / "usr/local/share/pynq-venv")
    system = make_python(tmp_path / "system", packages=())
    (tmp_path / "controller.cpp").write_text(CONTROLLER)
    (tmp_path / "lib").mkdir()
    library = tmp_path / "lib/libvart-dpu-controller.so.2"
    subprocess.run(["g++", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "controller.cpp")], check=True)
    variables = [("LD_LIBRARY_PATH", library.parent)]
    with running_image(tmp_path, python=system, devices=["dri/renderD199"], variables=variables) as image:
        options = image.options()
        done = install_on(image.target, wheels, remote_python=str(python), ssh_options=options)
        assert done.fingerprint == "0x101000016010406"
        assert done.golden_outputs
        assert list_installation(image.target, ssh_options=options)["fingerprint"] == done.fingerprint
        without = image.options(SetEnv="NO_DEVICE=1")
        checked = check_installation(image.target, ssh_options=without)
        assert checked.fingerprint == ""
        assert checked.golden_outputs == done.golden_outputs
        assert (states(done)["DPU device"], states(checked)["DPU device"]) == ("fine", "note")


def test_petalinux_2022(wheels, tmp_path):
    """No pip, no ensurepip, no compiler, no rsync, a folder that root may write to."""
    python = make_python(tmp_path / "python")
    with running_image(tmp_path, python=python) as image:
        options = image.options()
        have = only(tmp_path / "usr/bin")
        assert not {"pip", "pip3", "cc", "gcc", "g++", "rsync", "tar", "xdputil"} & set(have)
        empty = tmp_path / "empty"
        empty.mkdir()
        words = "it has none: make one"
        failing(ConfigurationError, words, lambda: install_on(image.target, empty, ssh_options=options))
        assert only(tmp_path / "home/board") == []
        done = install_on(image.target, wheels, ssh_options=options)
        assert done.golden_outputs
        assert set(done.transferred) == {wheel_name(), "golden.xmodel"}
        assert done.fingerprint == ""
        again = install_on(image.target, wheels, ssh_options=options)
        assert again.transferred == ()
        assert only(tmp_path / "home/board") == ["nerone-env"]
