"""Deployment over ssh that fails, each way: one sentence with the remedy, and nothing half-copied."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from deployment import sshd
from deployment.remote_support import FINGERPRINT, contents, failing, make_bundle, only, wait_for_arrival
from nerone.deployment.remote import ssh as remote_ssh
from nerone.deployment.remote import transfer as remote
from nerone.deployment.remote.golden import host_golden
from nerone.deployment.remote.transfer import deploy_to
from nerone.errors import ConfigurationError, DeviceError, Error, TimeoutError
from waiting import PATIENT_S

pytest.importorskip("nerone._core")


def test_a_board_that_is_off(bundle, server, deployed, tmp_path):
    with sshd.closed_port() as port:
        options = server.options(Port=port)
        failing(DeviceError, "does not answer.*switch it on", lambda: deployed(bundle, tmp_path, ssh_options=options))
    unknown = lambda: deploy_to(bundle, "root@no-such-board.invalid", ssh_options=server.options())  # noqa: E731
    failing(DeviceError, "no host 'root@no-such-board.invalid'.*name", unknown)


def test_a_key_that_is_refused(bundle, server, deployed, tmp_path):
    options = server.options(IdentityFile=server.folder / "stranger")
    failing(DeviceError, "accept our key.*ssh-copy-id", lambda: deployed(bundle, tmp_path, ssh_options=options))


def test_host_keys(bundle, server, deployed, tmp_path):
    (tmp_path / "none").write_text("")
    options = server.options(UserKnownHostsFile=tmp_path / "none")
    failing(DeviceError, "host key .* not known yet", lambda: deployed(bundle, tmp_path, ssh_options=options))
    other = (server.folder / "stranger.pub").read_text().split()[:2]
    (tmp_path / "other").write_text(f"[127.0.0.1]:{server.port} {' '.join(other)}\n")
    options = server.options(UserKnownHostsFile=tmp_path / "other")
    failing(DeviceError, "not the known one.*ssh-keygen -R", lambda: deployed(bundle, tmp_path, ssh_options=options))


def test_no_python_no_nerone_and_bad_options(bundle, server, deployed, tmp_path):
    folder = tmp_path / "board"
    failing(DeviceError, "has no 'python9'", lambda: deployed(bundle, folder, remote_python="python9"))
    empty = tmp_path / "python without nerone"
    empty.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    empty.chmod(0o755)
    failing(
        DeviceError,
        "cannot be loaded.*nerone board install",
        lambda: deployed(bundle, folder, remote_python=str(empty)),
    )
    failing(DeviceError, "ssh does not take", lambda: deployed(bundle, folder, ssh_options=["Nonsense=1"]))
    assert not folder.exists()


def test_a_folder_that_is_no_bundle_stays(bundle, deployed, tmp_path):
    there = tmp_path / "board" / "net.nerone"
    there.mkdir(parents=True)
    (there / "thesis.txt").write_text("years")
    failing(ConfigurationError, "exists and is no bundle", lambda: deployed(bundle, tmp_path / "board"))
    assert only(there) == ["thesis.txt"]


@pytest.mark.parametrize("rsync", [True, False])
def test_a_full_disk(bundle, deployed, small_disk, monkeypatch, rsync):
    failing(DeviceError, "too full.*MB free.*are needed", lambda: deployed(bundle, small_disk))
    assert only(small_disk) == []
    # The room may also go while the copy runs.
    monkeypatch.setattr(remote, "check_room", lambda board, needed: None)
    monkeypatch.setattr(remote, "_has_rsync", lambda: rsync)
    (small_disk / "filler").write_bytes(bytes(250_000))
    failing(DeviceError, "disk of .* is full; make room", lambda: deployed(bundle, small_disk))
    assert only(small_disk) == ["filler"]


def test_another_fingerprint(deployed, tmp_path, xdputil):
    bundle = make_bundle(tmp_path / "host", fingerprint=FINGERPRINT, board_model=True)
    xdputil(0x101000016010407)
    failing(DeviceError, "0x1000020f6014407 .*has 0x101000016010407", lambda: deployed(bundle, tmp_path / "board"))
    assert not (tmp_path / "board").exists()


def test_a_device_that_refuses_leaves_the_old_bundle(earlier, deployed, tmp_path, xdputil):
    # The fingerprint fits, but there is no such DPU, so the vendor's door refuses.
    xdputil(FINGERPRINT)
    both = make_bundle(tmp_path / "b", fingerprint=FINGERPRINT, board_model=True)
    before = contents(earlier)
    failing(Error, "failed: .*", lambda: deployed(both, earlier.parent))
    assert contents(earlier) == before
    assert only(earlier.parent) == ["net.nerone"]


def test_another_result_keeps_the_old_bundle(earlier, deployed, tmp_path, monkeypatch):
    before = contents(earlier)
    changed = make_bundle(tmp_path / "host", fix_point=2)
    wrong = make_bundle(tmp_path / "wrong", fix_point=4).host_model_path
    monkeypatch.setattr(remote, "host_golden", lambda model: host_golden(wrong))
    failing(DeviceError, r"another result .* values of .* differ", lambda: deployed(changed, earlier.parent))
    assert contents(earlier) == before
    assert only(earlier.parent) == ["net.nerone"]


def test_ctrl_c_during_the_golden_frame(bundle, deployed, tmp_path, monkeypatch):
    call = remote_ssh.Connection.call

    def interrupted(self, name, request, send=()):
        if name == "check":
            assert only(tmp_path / "board") == ["net.nerone.new"]
            threading.Timer(0.05, press_ctrl_c).start()
            call(self, name, request, send)
            threading.Event().wait(PATIENT_S)
        return call(self, name, request, send)

    monkeypatch.setattr(remote_ssh.Connection, "call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        deployed(bundle, tmp_path / "board")
    assert only(tmp_path / "board") == []


@pytest.mark.parametrize("way", ["rsync", "tar"])
def test_ctrl_c_while_a_file_travels(bundle, earlier, deployed, server, monkeypatch, tmp_path, big, way):
    gate = tmp_path / "gate"
    monkeypatch.setattr(remote, "_has_rsync", lambda: way == "rsync")
    send = remote._Copy._send

    def sending(self, stage):
        self.files = {**self.files, "report.json": big}
        threading.Thread(target=interrupt_when_it_arrives, args=(Path(stage), big)).start()
        try:
            return send(self, stage)
        finally:
            gate.touch()

    (earlier / "report.json").write_text("changed")
    before = contents(earlier)
    monkeypatch.setattr(remote._Copy, "_send", sending)
    with pytest.raises(KeyboardInterrupt):
        deployed(bundle, earlier.parent, ssh_options=server.narrow(gate))
    assert only(earlier.parent) == ["net.nerone"]
    assert contents(earlier) == before


def press_ctrl_c():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def interrupt_when_it_arrives(stage, big):
    wait_for_arrival(stage, big)
    press_ctrl_c()


def test_a_board_that_hangs(bundle, deployed, tmp_path):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 100\n")
    slow.chmod(0o755)
    run = lambda: deployed(bundle, tmp_path / "board", remote_python=str(slow), timeout_s=0.5)  # noqa: E731
    began = time.monotonic()
    failing(TimeoutError, "did not finish in 0.5 s", run)
    assert time.monotonic() - began < 60, "the board's own end was waited for"


def test_a_process_that_is_killed(bundle, deployed, tmp_path):
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\necho broken runner >&2\nkill -ABRT $$\n")
    killed.chmod(0o755)
    run = lambda: deployed(bundle, tmp_path / "board", remote_python=str(killed))  # noqa: E731
    failing(DeviceError, r"was killed \(broken runner\).*nerone doctor", run)
