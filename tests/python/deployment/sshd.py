"""A real sshd on this machine, with its own keys, for one test session."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Server:
    port: int
    folder: Path

    @property
    def host(self):
        return f"{getpass.getuser()}@127.0.0.1"

    def options(self, **changes):
        values = {
            "Port": self.port,
            "IdentityFile": self.folder / "key",
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": self.folder / "known",
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            **changes,
        }
        return tuple(f"{name}={value}" for name, value in values.items())


def make_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text()


@contextlib.contextmanager
def running(folder, path):
    """Start sshd; ``path`` is the PATH that its sessions get."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no OpenSSH server and client on this machine")
    with contextlib.suppress(OSError):
        Path("/run/sshd").mkdir(parents=True, exist_ok=True)
    port = free_port()
    host_key = make_key(folder / "host")
    (folder / "authorized").write_text(make_key(folder / "key"))
    make_key(folder / "stranger")
    (folder / "known").write_text(f"[127.0.0.1]:{port} {' '.join(host_key.split()[:2])}\n")
    home = folder / "home"
    home.mkdir()
    settings = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {folder / 'host'}",
        f"AuthorizedKeysFile {folder / 'authorized'}",
        f"PidFile {folder / 'pid'}",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin yes",
        "MaxStartups 100",
        f'SetEnv HOME="{home}" PATH="{path}"',
    ]
    (folder / "config").write_text("\n".join(settings) + "\n")
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "config")], stderr=log)
        try:
            _wait(daemon, port, folder / "log")
            yield Server(port, folder)
        finally:
            daemon.terminate()
            daemon.wait(10)


def _wait(daemon, port, log):
    for _ in range(100):
        if daemon.poll() is not None:
            pytest.skip(f"sshd does not start here: {log.read_text().strip()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.skip("sshd does not listen")
