"""nerone board install against a real sshd, on folders that imitate the boards' images."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from deployment.images import make_python
from deployment.remote_support import failing, only
from deployment.wheel_support import CONTROLLER, make_wheel, wheel_name
from nerone.deployment.remote import install
from nerone.errors import ConfigurationError, DeviceError, Error

pytest.importorskip("nerone._core")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    make_wheel(folder)
    return folder


@pytest.fixture
def python(tmp_path):
    """An image without pip, as PetaLinux's: numpy is its own."""
    return make_python(tmp_path / "image")


@pytest.fixture
def installed(server, wheels, python):
    def run(folder, *, wheels=wheels, remote_python=python, **changes):
        options = changes.pop("ssh_options", server.options())
        return install.install_on(
            f"{server.host}:{folder}", wheels, remote_python=str(remote_python), ssh_options=options, **changes
        )

    return run


@pytest.fixture
def there(installed, tmp_path):
    done = installed(tmp_path / "board")
    return done, tmp_path / "board/nerone-env"


def said(python, code):
    return subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True, cwd="/").stdout.strip()


def test_installs_checks_and_undoes(there, server, python, tmp_path):
    done, folder = there
    assert done.folder == str(folder)
    assert done.wheels == (wheel_name(),)
    assert set(done.transferred) == {wheel_name(), "golden.xmodel"}
    assert done.golden_outputs
    states = {finding["what"]: finding["state"] for finding in done.findings}
    assert {states[name] for name in ("Python", "C++ core", "VART", "software DPU")} == {"fine"}
    assert json.loads(json.dumps(done.to_dict()))["python"] == str(folder / "bin/python3")
    assert str(folder) in said(done.python, "import nerone._core; print(nerone._core.__file__)")
    # The image's own packages, such as pynq, are in sight.
    assert str(tmp_path / "image") in said(done.python, "import numpy; print(numpy.__file__)")
    assert only(folder.parent) == ["nerone-env"]

    target, options = f"{server.host}:{folder.parent}", server.options()
    (folder.parent / "net.nerone").mkdir()
    checked = install.check_installation(target, ssh_options=options)
    assert checked.golden_outputs == done.golden_outputs
    assert checked.wheels == done.wheels
    listed = install.list_installation(target, ssh_options=options)
    assert listed["wheels"] == [wheel_name()]
    assert install.remove_installation(target, ssh_options=options) == [str(folder)]
    assert only(folder.parent) == ["net.nerone"]
    assert install.remove_installation(target, ssh_options=options) == []
    assert not install.list_installation(target, ssh_options=options)["wheels"]
    failing(
        ConfigurationError,
        "is not installed in .* nerone board install",
        lambda: install.check_installation(target, ssh_options=options),
    )


def test_again_changes_nothing_and_a_damaged_file_is_mended(there, installed):
    done, folder = there
    before = (folder / "installed.json").stat().st_ino
    again = installed(folder.parent)
    assert again.transferred == ()
    assert again.golden_outputs == done.golden_outputs
    assert (folder / "installed.json").stat().st_ino == before
    (folder / wheel_name()).write_bytes(b"damaged")
    assert installed(folder.parent).transferred == (wheel_name(),)
    assert (folder / "installed.json").stat().st_ino != before
    assert only(folder.parent) == ["nerone-env"]


@pytest.mark.parametrize("action", ["receive", "build", "try_out", "settle"])
def test_an_interrupted_installation_leaves_what_was_there(there, installed, wheels, tmp_path, monkeypatch, action):
    """The connection is lost after an action, and nothing can be cleared up any more."""
    _, folder = there
    before = (folder / "installed.json").read_bytes()
    newer = tmp_path / "newer"
    make_wheel(newer, extra=[("more.py", "x = 1")])
    call = install.Connection.call

    def lost(connection, name, request, send=()):
        if name == "abort" or (name == "settle" and action == "settle"):
            raise DeviceError("lost")
        answer = call(connection, name, request, send)
        if name == action:
            raise DeviceError("lost")
        return answer

    monkeypatch.setattr(install.Connection, "call", lost)
    failing(DeviceError, "lost", lambda: installed(folder.parent, wheels=newer))
    monkeypatch.undo()
    assert (folder / "installed.json").read_bytes() == before
    assert not list(folder.rglob("more.py"))
    done = installed(folder.parent, wheels=newer)
    assert done.golden_outputs
    assert list(folder.rglob("more.py"))


def test_a_new_python_on_the_board_makes_the_environment_anew(there, installed):
    _, folder = there
    marked = json.loads((folder / "installed.json").read_text())
    (folder / "installed.json").write_text(json.dumps({**marked, "python": "3.0.0"}))
    assert installed(folder.parent).transferred == ()
    assert json.loads((folder / "installed.json").read_text()) == marked


REFUSALS = {
    "another architecture": (
        ["import platform", "platform.machine = lambda: 'armv7l'"],
        "is a armv7l; .* 64-bit system",
    ),
    "no wheel for it": (["import platform", "platform.machine = lambda: 'aarch64'"], "no wheel of NERONE .* aarch64"),
    "an old Python": (
        ["import platform", "platform.python_version = lambda: '3.8.10'"],
        "has Python 3.8.10, NERONE needs .* newer image",
    ),
    "another Python": (["sys.version_info = (3, 42, 0)"], "scripts/wheels.py --arch x86_64 --python 3.42"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refuses_in_one_sentence_and_leaves_nothing(case, installed, tmp_path):
    lines, words = REFUSALS[case]
    python = make_python(tmp_path / "other", lines=lines)
    failing(Error, words, lambda: installed(tmp_path / "board", remote_python=python))
    assert only(tmp_path / "board") == []


def test_refuses_a_half_sent_wheelhouse(installed, wheels, tmp_path):
    half = tmp_path / "half"
    half.mkdir()
    whole = (wheels / wheel_name()).read_bytes()
    (half / wheel_name()).write_bytes(whole[: len(whole) // 2])
    failing(
        ConfigurationError,
        "is no whole wheel; copy or download it again",
        lambda: installed(tmp_path / "board", wheels=half),
    )
    (half / wheel_name()).unlink()
    failing(ConfigurationError, "it has none: make one", lambda: installed(tmp_path / "board", wheels=half))
    failing(ConfigurationError, "no folder", lambda: installed(tmp_path / "board", wheels=tmp_path / "none"))
    (half / "nerone.whl").touch()
    failing(ConfigurationError, "no wheel's name", lambda: installed(tmp_path / "board", wheels=half))
    assert only(tmp_path / "board") == []


def test_refuses_a_board_without_room(installed, small_disk):
    failing(DeviceError, "too full: .* MB are needed", lambda: installed(small_disk))
    assert only(small_disk) == []


def test_refuses_a_read_only_root(installed, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    failing(ConfigurationError, "cannot be written; .*remount,rw", lambda: installed(small_disk))


def test_refuses_another_folder_of_that_name(installed, server, tmp_path):
    (tmp_path / "board/nerone-env").mkdir(parents=True)
    (tmp_path / "board/nerone-env/mine").touch()
    failing(ConfigurationError, "was not made by nerone board install", lambda: installed(tmp_path / "board"))
    target = f"{server.host}:{tmp_path / 'board'}"
    failing(DeviceError, "remove it by hand", lambda: install.remove_installation(target, ssh_options=server.options()))
    assert only(tmp_path / "board/nerone-env") == ["mine"]


def test_refuses_vart_1_4(installed, server, tmp_path):
    import nerone._core

    _, folder, bundled = nerone._core.vart_installation()
    if bundled:
        pytest.skip("this machine has no VART of its own")
    old = tmp_path / "vart"
    old.mkdir()
    for soname in (2, 3):
        (old / f"libvart-runner.so.{soname}").touch()
    if shutil.which("patchelf") is None:
        pytest.skip("patchelf is not installed")
    shutil.copyfile(next(Path(folder).glob("libvart-runner.so.2.5*")), old / "libvart-runner.so.1")
    subprocess.run(["patchelf", "--set-soname", "libvart-runner.so.1", str(old / "libvart-runner.so.1")], check=True)
    options = (*server.options(), f"SetEnv=LD_LIBRARY_PATH={old}")
    words = "cannot run on .*VART 1.4 .*PYNQ 2.7's image.* use the image of PYNQ 3.0"
    failing(DeviceError, words, lambda: installed(tmp_path / "board", ssh_options=options))
    assert only(tmp_path / "board") == []


def test_reads_the_fingerprint_without_xdputil(tmp_path, monkeypatch):
    """Kria-PYNQ: VART's own library says it, and aborts where there is no device."""
    from nerone.deployment.remote.probe import controller_fingerprint

    if shutil.which("g++") is None:
        pytest.skip("no g++ to make a stand-in for VART's controller")
    library = tmp_path / "libvart-dpu-controller.so.3"
    (tmp_path / "controller.cpp").write_text(CONTROLLER)
    subprocess.run(["g++", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "controller.cpp")], check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    assert controller_fingerprint() == "0x101000016010406"
    monkeypatch.setenv("NO_DEVICE", "1")
    assert controller_fingerprint() == ""
