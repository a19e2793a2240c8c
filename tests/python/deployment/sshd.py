"""A real sshd on this machine, with its own keys, for one test session."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from waiting import PATIENT_S, wait_for

NARROW_BYTES = 8 << 20


@contextlib.contextmanager
def closed_port():
    """Give a port that refuses connections, and that nobody else can take meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@dataclass(frozen=True)
class Server:
    port: int
    folder: Path

    def narrow(self, gate):
        """Options of a way on which 8 MiB pass, and the rest when the file ``gate`` is there."""
        words = [sys.executable, "-S", "-E", Path(__file__).with_name("narrow.py"), "%h", "%p", NARROW_BYTES, gate]
        return self.options(ProxyCommand=" ".join(shlex.quote(str(word)) for word in words))

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
def running(folder, path, *, start=(), variables=()):
    """Start sshd by ``start`` and its own words; its sessions get ``path`` as PATH and further ``variables``."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no OpenSSH server and client on this machine")
    with contextlib.suppress(OSError):
        Path("/run/sshd").mkdir(parents=True, exist_ok=True)
    host_key = make_key(folder / "host")
    (folder / "authorized").write_text(make_key(folder / "key"))
    make_key(folder / "stranger")
    home = folder / "home"
    home.mkdir()
    # Another process may take the port before sshd does; then there is another one.
    for _ in range(10):
        with closed_port() as port:
            pass
        write_settings(folder, port, path, variables)
        (folder / "known").write_text(f"[127.0.0.1]:{port} {' '.join(host_key.split()[:2])}\n")
        with (folder / "log").open("wb") as log:
            daemon = subprocess.Popen([*start, program, "-D", "-e", "-f", str(folder / "config")], stderr=log)
            if not listens(daemon, port):
                if "already in use" in (folder / "log").read_text():
                    continue
                pytest.skip(f"sshd does not start here: {(folder / 'log').read_text().strip()}")
            try:
                yield Server(port, folder)
            finally:
                daemon.terminate()
                daemon.wait(PATIENT_S)
        return
    pytest.fail("there is no port for sshd")


def write_settings(folder, port, path, variables=()):
    values = [("HOME", folder / "home"), ("PATH", path), *variables]
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
        "AcceptEnv LD_LIBRARY_PATH NO_DEVICE",
        "SetEnv " + " ".join(f'{name}="{value}"' for name, value in values),
    ]
    (folder / "config").write_text("\n".join(settings) + "\n")


def listens(daemon, port):
    """Wait until sshd takes connections; False when it ended."""

    def taken():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return daemon.poll() is not None

    wait_for(taken)
    return daemon.poll() is None
