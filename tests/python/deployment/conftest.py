"""A real sshd, and boards with an earlier deployment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from deployment import sshd
from deployment.remote_support import make_bundle
from nerone.deployment.remote.transfer import deploy_to


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sshd")
    (folder / "bin").mkdir()
    with sshd.running(folder, f"{folder / 'bin'}:{os.environ['PATH']}") as running:
        yield running


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "host")


@pytest.fixture
def deployed(server):
    def run(bundle, folder, **changes):
        values = {"remote_python": sys.executable, "ssh_options": server.options(), **changes}
        return deploy_to(bundle, f"{server.host}:{folder}", **values)

    return run


@pytest.fixture(scope="session")
def first(server, tmp_path_factory):
    """The bundle, the parent folder of a first deployment, its report and what was said meanwhile."""
    folder, said = tmp_path_factory.mktemp("first"), []
    bundle = make_bundle(folder / "host")
    done = deploy_to(
        bundle,
        f"{server.host}:{folder / 'board'}",
        remote_python=sys.executable,
        ssh_options=server.options(),
        progress=lambda *state: said.append(state),
    )
    return bundle, folder / "board", done, said


@pytest.fixture
def earlier(first, tmp_path):
    """A board of this test's own with an earlier deployment of ``bundle``."""
    shutil.copytree(first[1], tmp_path / "board")
    return tmp_path / "board" / "net.nerone"


@pytest.fixture
def big(tmp_path):
    """A file of four times what passes on a narrow way."""
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(4 * sshd.NARROW_BYTES))
    return path


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() or shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def xdputil(server):
    program = server.folder / "bin" / "xdputil"

    def answer(fingerprint):
        program.write_text(f'#!/bin/sh\necho \'"DPU Core Count":2, "fingerprint":"{fingerprint:#x}"\'\n')
        program.chmod(0o755)

    yield answer
    program.unlink(missing_ok=True)
