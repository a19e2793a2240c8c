"""A connection that drops while files travel, and deployments of bundles that are there already."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from deployment import sshd
from deployment.remote_support import NAMES, contents, failing, make_bundle, only, wait_for_arrival
from nerone.cli.deploy import _settings
from nerone.deployment.remote import transfer as remote
from nerone.deployment.remote.ssh import Connection, Target
from nerone.deployment.remote.transfer import deploy_to
from nerone.errors import DeviceError, TimeoutError
from waiting import PATIENT_S

pytest.importorskip("nerone._core")


def children(parent):
    """Processes below one, the deepest last."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The name, which may hold anything, stands in brackets.
            above = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            found += [(int(folder.name), above)]
    below, waiting = [], [parent]
    while waiting:
        here = waiting.pop(0)
        waiting += [pid for pid, above in found if above == here]
        below += [pid for pid, above in found if above == here]
    return below


def drop(server, *, daemon):
    """Kill the sessions of a test's own sshd as a pulled cable would, and the server itself as a switch would."""
    listener = int((server.folder / "pid").read_text())
    sessions = children(listener)
    for pid in [*([listener] if daemon else []), *sessions]:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def dropping(server, monkeypatch, big, way, gate, *, daemon):
    """Have report.json be a big file, and the connection drop when its first bytes have arrived.

    The last ones cannot arrive before: ``gate`` keeps them back, on the way that the options are for that this gives.
    """
    monkeypatch.setattr(remote, "_has_rsync", lambda: way == "rsync")
    send = remote._Copy._send

    def watch(stage):
        wait_for_arrival(Path(stage), big)
        drop(server, daemon=daemon)

    def sending(self, stage):
        self.files = {**self.files, "report.json": big}
        watcher = threading.Thread(target=watch, args=(stage,))
        watcher.start()
        try:
            return send(self, stage)
        finally:
            gate.touch()
            watcher.join()

    monkeypatch.setattr(remote._Copy, "_send", sending)
    return server.narrow(gate)


@pytest.mark.parametrize("way", ["rsync", "tar"])
def test_a_connection_that_drops_leaves_the_old_bundle(
    bundle, earlier, deployed, server, monkeypatch, tmp_path, big, way
):
    (earlier / "report.json").write_text("changed")
    before = contents(earlier)
    options = dropping(server, monkeypatch, big, way, tmp_path / "gate", daemon=False)
    failing(DeviceError, "was lost|failed", lambda: deployed(bundle, earlier.parent, ssh_options=options))
    assert contents(earlier) == before
    assert only(earlier.parent) == ["net.nerone"]


@pytest.mark.parametrize("way", ["rsync", "tar"])
def test_a_board_that_takes_no_more_is_left_in_time(bundle, earlier, deployed, server, monkeypatch, tmp_path, big, way):
    """The connection stays and is silent: nothing of it ends by itself within the test."""
    limit_s = 2.0
    monkeypatch.setattr(remote, "_has_rsync", lambda: way == "rsync")
    send = remote._Copy._send

    def sending(self, stage):
        self.files = {**self.files, "report.json": big}
        patient, self.connection = self.connection, replace(self.connection, timeout_s=limit_s)
        start = time.monotonic()
        try:
            return send(self, stage)
        finally:
            seconds.append(time.monotonic() - start)
            gate.touch()
            self.connection = patient

    seconds, gate = [], tmp_path / "gate"
    monkeypatch.setattr(remote._Copy, "_send", sending)
    (earlier / "report.json").write_text("changed")
    before = contents(earlier)
    options = server.narrow(gate)
    failing(TimeoutError, "did not finish in 2 s", lambda: deployed(bundle, earlier.parent, ssh_options=options))
    assert limit_s <= seconds[0] < PATIENT_S
    assert contents(earlier) == before
    assert only(earlier.parent) == ["net.nerone"]


def test_a_board_that_never_reads_is_left_in_time(monkeypatch, tmp_path):
    """The program that stands for ssh takes not one byte, and more are sent than a pipe holds."""
    (tmp_path / "ssh").write_text("#!/bin/sh\nexec sleep 1000\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "big").write_bytes(bytes(1 << 20))
    connection = Connection(Target("b"), timeout_s=0.5)
    for send in ((), (tmp_path / "big",)):
        failing(TimeoutError, "b did not finish in 0.5 s", lambda send=send: connection.call("receive", {}, send))


def test_a_board_that_goes_off_is_mended_by_the_next_deployment(bundle, monkeypatch, tmp_path, big):
    folder = tmp_path / "board"
    (tmp_path / "first").mkdir()
    with sshd.running(tmp_path / "first", os.environ["PATH"]) as server:
        options = {"remote_python": sys.executable, "ssh_options": server.options()}
        deploy_to(bundle, f"{server.host}:{folder}", **options)
        (folder / "net.nerone/report.json").write_text("changed")
        before = contents(folder / "net.nerone")
        with monkeypatch.context() as patch:
            options["ssh_options"] = dropping(server, patch, big, "rsync", tmp_path / "gate", daemon=True)
            failing(DeviceError, "lost", lambda: deploy_to(bundle, f"{server.host}:{folder}", **options))
        assert contents(folder / "net.nerone") == before
    (tmp_path / "second").mkdir()
    with sshd.running(tmp_path / "second", os.environ["PATH"]) as server:
        options = {"remote_python": sys.executable, "ssh_options": server.options()}
        done = deploy_to(bundle, f"{server.host}:{folder}", **options)
    assert done.transferred == ("report.json",)
    assert only(folder) == ["net.nerone"]
    assert set(contents(folder / "net.nerone")) == NAMES


def test_the_command_sends_a_bundle_that_is_there(bundle, server, tmp_path, capsys):
    pytest.importorskip("typer")
    from nerone.cli.main import main

    def deploy(*more):
        settings = [word for text in server.options() for word in ("--ssh-option", text)]
        words = ["deploy", str(bundle.path), "--to", f"{server.host}:{tmp_path / 'board'}", *settings]
        code = main([*words, "--remote-python", sys.executable, *more])
        return code, capsys.readouterr()

    code, said = deploy()
    assert code == 0, said.err
    assert "5 of 5 files copied" in said.out
    assert contents(tmp_path / "board/net.nerone").keys() == NAMES
    # The same command again, and after the bundle was made anew: only what changed travels.
    assert "0 of 5 files copied" in deploy()[1].out
    make_bundle(tmp_path / "host", fix_point=2)
    assert "3 of 5 files copied (bundle.json, model.xmodel, report.json" in deploy()[1].out
    # A setting with a comma in it reaches ssh in one piece.
    assert deploy("--ssh-option", "Ciphers=aes128-ctr,aes256-ctr")[0] == 0
    code, said = deploy("--ssh-option", "Ciphers=nonsense,aes256-ctr")
    assert code == 2
    assert "ssh does not take an option" in said.err


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("Port=2222", ["Port=2222"]),
        ("Port=2222,User=root", ["Port=2222", "User=root"]),
        ("Ciphers=aes128-ctr,aes256-ctr,Port=22", ["Ciphers=aes128-ctr,aes256-ctr", "Port=22"]),
        ("IdentityFile=/a,b/key", ["IdentityFile=/a,b/key"]),
        ("SetEnv=A=1,B=2", ["SetEnv=A=1,B=2"]),
    ],
)
def test_settings_of_ssh(text, settings):
    assert _settings(text) == settings
