"""Folders that imitate boards' images: their Python, their programs, their devices."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from deployment import sshd

# What an image without build tools and pip has beside its Python.
_PROGRAMS = ("sh", "cat", "uname", "env")
# Only the session's processes see these devices: sshd runs in a mount namespace of its own.
_DEVICES = """
set -e
folder=$1; shift
mount --make-rprivate /
mount -t tmpfs tmpfs "$folder"
for name in null zero full random urandom tty ptmx; do
  touch "$folder/$name"
  mount --bind "/dev/$name" "$folder/$name"
done
for name in pts shm; do
  mkdir "$folder/$name"
  [ ! -d "/dev/$name" ] || mount --rbind "/dev/$name" "$folder/$name"
done
while [ "$1" != -- ]; do mkdir -p "$(dirname "$folder/$1")"; touch "$folder/$1"; shift; done
shift
mount --rbind "$folder" /dev
exec "$@"
"""


def make_python(folder, *, lines=(), packages=("numpy",)):
    """Return the Python of an image, without pip, ensurepip and NERONE; ``lines`` run at its start.

    To our installer it is a virtual environment, which PYNQ's own is as well.
    """
    own = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    own.mkdir(parents=True)
    for package in packages:
        for path in Path(np.__file__).parents[1].glob(f"{package}*"):
            (own / path.name).symlink_to(path)
    hidden = ["import sys", "for name in ('pip', 'ensurepip', 'venv'): sys.modules[name] = None"]
    (own / "sitecustomize.py").write_text("\n".join([*hidden, *lines]) + "\n")
    base = Path(sys._base_executable).resolve()
    (folder / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
    (folder / "bin").mkdir()
    (folder / "bin/python3").symlink_to(base)
    return folder / "bin/python3"


@dataclass(frozen=True)
class Image:
    server: sshd.Server
    folder: Path

    @property
    def target(self):
        return f"{self.server.host}:{self.folder / 'home/board'}"

    def options(self, **changes):
        return self.server.options(**changes)


@contextlib.contextmanager
def running_image(folder, *, python, programs=(), devices=(), variables=()):
    """Start an image's sshd: PATH is its ``usr/bin``: ``python`` as python3, and ``programs``, (name, script).

    ``devices`` lie below /dev; sessions have the ``variables`` in their environment.
    """
    place = folder / "usr/bin"
    place.mkdir(parents=True)
    for name in _PROGRAMS:
        found = shutil.which(name)
        if found is not None:
            (place / name).symlink_to(found)
    for name, text in [("python3", f'exec {python} "$@"'), *programs]:
        (place / name).write_text(f"#!/bin/sh\n{text}\n")
        (place / name).chmod(0o755)
    (folder / "home/board").mkdir(parents=True)
    (folder / "sshd").mkdir()
    start = ()
    if devices:
        (folder / "dev").mkdir()
        command = ["unshare", "--mount", "sh", "-c", _DEVICES, "sh", str(folder / "dev")]
        tried = [*command, "--", "true"]
        if os.geteuid() or not shutil.which("unshare") or subprocess.run(tried, capture_output=True).returncode:
            pytest.skip("no right to make devices for a mount namespace here")
        start = (*command, *devices, "--")
    with sshd.running(folder / "sshd", str(place), start=start, variables=variables) as server:
        yield Image(server, folder)
