"""A folder that takes another's place: killed at any step, the old one or the new one is there, whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from deployment.remote_support import make_bundle, only
from nerone import ownership
from nerone.bundle import replacing, writing
from nerone.deployment import Bundle

pytest.importorskip("nerone._core")

KILLED = """
import os, pathlib, signal, sys
from nerone.deployment import Bundle
from nerone.bundle import replacing
folder, exchange, kill_at = sys.argv[1], sys.argv[2] == "exchange", int(sys.argv[3])
bundle, renames, rename = Bundle.open(folder), [], pathlib.Path.rename
swap = replacing._exchange
def counted(step):
    def run(*arguments):
        renames.append(arguments)
        if len(renames) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*arguments)
    return run
pathlib.Path.rename = counted(rename)
replacing._exchange = counted(swap) if exchange else lambda first, second: False
Bundle.create(folder, xmodel=bundle.host_model_path, preprocessing=bundle.preprocessing, input=bundle.input,
              output_tensor=bundle.output_tensor, output=bundle.output, report={"new": 1})
"""


@pytest.mark.parametrize(("way", "kill_at"), [("exchange", 1), ("rename", 1), ("rename", 2), ("rename", 9)])
def test_a_kill_between_the_renames_leaves_a_bundle(tmp_path, way, kill_at):
    bundle = make_bundle(tmp_path / "host")
    command = [sys.executable, "-c", KILLED, str(bundle.path), way, str(kill_at)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == (0 if kill_at == 9 else -signal.SIGKILL), done.stderr
    report = Bundle.open(bundle.path).report()
    assert report == ({"new": 1} if kill_at == 9 else {"fix_point": 3})
    # The next one that writes there sweeps what the killed process left.
    again = make_bundle(tmp_path / "host", fix_point=2)
    assert again.report() == {"fix_point": 2}
    assert only(tmp_path / "host") == ["net.nerone", "source.xmodel"]


def test_what_a_living_process_writes_stays(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine = f".{ownership.owner()}.partial.a.png"
    dead = f".{ownership.owner().partition('-')[0]}-{gone.pid}.partial.a.png"
    for name in (mine, dead, ".00000000-1.partial.a.png", ".1.partial.a.png"):
        (tmp_path / name).write_bytes(b"x")
    writing._sweep_once.cache_clear()
    with writing.replacing_file(tmp_path / "a.png") as file:
        file.write_bytes(b"done")
    # Process numbers of other machines, on a shared disk, say nothing here; so do names that nobody here gives.
    assert only(tmp_path) == [".00000000-1.partial.a.png", ".1.partial.a.png", "a.png"]


def test_a_child_owns_what_it_writes():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, ownership.owner().encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reader, 100).decode() == ownership.owner().replace(str(os.getpid()), str(pid))


def test_a_lock_that_is_kept_for_long_is_an_error(tmp_path):
    with replacing.locked(tmp_path), pytest.raises(BlockingIOError), replacing.locked(tmp_path, 0.05):
        pass
    with replacing.locked(tmp_path):
        pass
