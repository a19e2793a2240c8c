"""The parts of a deployment over ssh that need no ssh."""

from __future__ import annotations

import subprocess
import sys

import pytest

from deployment.remote_support import FINGERPRINT, failing, make_bundle
from nerone.bundle.checks import versions
from nerone.deployment.remote.agent import golden_outputs
from nerone.deployment.remote.board import RemoteBoard, check_board, check_room, plan_device
from nerone.deployment.remote.golden import compare_golden, host_golden
from nerone.deployment.remote.program import agent_program
from nerone.deployment.remote.ssh import Target, parse_target
from nerone.errors import ConfigurationError, DeviceError, Error

pytest.importorskip("nerone._core")


@pytest.mark.parametrize(
    ("text", "host", "directory"),
    [
        ("root@kv260", "root@kv260", ""),
        ("kv260:models", "kv260", "models"),
        ("me@kv260:/a b/c:d", "me@kv260", "/a b/c:d"),
        ("me@[fe80::1%eth0]:x", "me@fe80::1%eth0", "x"),
    ],
)
def test_targets(text, host, directory):
    assert parse_target(text) == Target(host, directory)


@pytest.mark.parametrize(
    "text", ["", ":x", "@board", "-oProxyCommand=x", "a@-oProxyCommand=x", "a b", "me@bo ard:x", "/x"]
)
def test_no_targets(text):
    with pytest.raises(ConfigurationError, match="is no target"):
        parse_target(text)


def board(**changes):
    values = {
        "host": "b",
        "target": "/x/net.nerone",
        "state": "absent",
        "existing": "/x",
        "writable": True,
        "free_bytes": 10_000_000,
        "machine": "aarch64",
        "core_problem": "",
        "rsync": "",
        "fingerprint": "",
        "versions": {"python": "3.10.4", "nerone": ""},
    }
    return RemoteBoard(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"machine": "armv7l"}, "is a armv7l.*64-bit"),
        ({"versions": {"python": "3.6.5"}}, "has Python 3.6.5"),
        ({"core_problem": "No module named 'nerone'"}, "cannot be loaded.*nerone board install"),
        ({"state": "other"}, "is no bundle"),
        ({"writable": False}, "'/x' on b cannot be written"),
    ],
)
def test_boards_that_cannot_take_it(changes, words):
    check_board(board())
    failing(Error, words, lambda: check_board(board(**changes)))


def test_room():
    check_room(board(), 8_000_000)
    failing(DeviceError, "10.0 MB free, 10.0 MB are needed", lambda: check_room(board(), 9_000_000))


def test_what_computes(tmp_path):
    both = make_bundle(tmp_path, fingerprint=FINGERPRINT, board_model=True)
    assert plan_device(both, board(fingerprint="0x1000020F6014407"))[0] == "board"
    assert plan_device(both, board(machine="x86_64", nodes=["/dev/dri/renderD128"]))[0] == "softdpu"
    failing(DeviceError, "cannot be read; load its overlay", lambda: plan_device(both, board(nodes=["/dev/dpu"])))
    newer = board(versions={"python": "3.10.4", "nerone": "99"})
    assert any("has NERONE 99" in note for note in plan_device(both, newer)[1]) == bool(versions().get("nerone"))
    without = make_bundle(tmp_path / "without", fingerprint=FINGERPRINT)
    device, notes = plan_device(without, board(fingerprint=f"{FINGERPRINT:#x}"))
    assert device == "softdpu"
    assert "without the vendor's compiler" in notes[-1]


def test_the_golden_frame_covers_every_value_and_compares_every_bit(bundle):
    answers = host_golden(bundle.host_model_path)
    assert compare_golden(answers, host_golden(bundle.host_model_path), "b") == []
    values = golden_outputs(str(bundle.host_model_path), "softdpu", "dpu")
    assert values == answers["dpu"]
    other = {"dpu": [{**answers["dpu"][0], "shape": [1, 6, 4, 2]}], "end": answers["end"]}
    failing(DeviceError, "is int8 ", lambda: compare_golden(answers, other, "b"))


def test_the_agent_needs_the_standard_library_alone():
    program = agent_program("examine", {"directory": "", "name": "n"}).decode()
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", program],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert '"core_problem": "No module named' in done.stdout, done.stderr
