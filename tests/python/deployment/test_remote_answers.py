"""Answers of a board that is not what it says: typed errors of one sentence, bounded, without terminal commands."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest

from deployment.remote_support import failing
from deployment.test_remote_parts import board
from nerone.deployment.remote import answers
from nerone.deployment.remote.board import board_of, check_board
from nerone.deployment.remote.golden import compare_golden, host_golden
from nerone.deployment.remote.program import agent_program
from nerone.errors import DeviceError

pytest.importorskip("nerone._core")

GOOD = {name: value for name, value in vars(board()).items() if name != "host"}


@pytest.mark.parametrize("text", ["", "7", "[]", "null", "{", "[" * 100_000, '{"a": 1' + "0" * 5000 + "}"])
def test_what_is_no_object(text):
    failing(DeviceError, "b answers in another form.*install the same version", lambda: answers.decoded(text, "b"))


@pytest.mark.parametrize(
    "changes",
    [{"target": 7}, {"files": []}, {"files": {"a": 1}}, {"nodes": [1]}, {"free_bytes": "1"}, {"writable": 1}, None],
)
def test_values_of_other_types(changes):
    answer = {} if changes is None else {**GOOD, **changes}
    assert board_of("b", {**GOOD, "unknown": object()}).machine == "aarch64"
    failing(DeviceError, "answers in another form", lambda: board_of("b", answer))


@pytest.mark.parametrize("version", ["", "three", "3.8.1", "\x1b[2J"])
def test_versions_that_are_none(version):
    values = answers.decoded(json.dumps({"versions": {"python": version}}), "b")["versions"]
    with pytest.raises(DeviceError, match="has Python") as caught:
        check_board(board(versions=values))
    assert str(caught.value).isprintable()


def test_names_give_the_terminal_no_commands():
    answer = answers.decoded(json.dumps({"text": "a\x1b[31m\x07\x9b", "list": ["\x1b"], "map": {"\x1b": "\r"}}), "b")
    assert all(
        text.isprintable() for text in (answer["text"], *answer["list"], *answer["map"], *answer["map"].values())
    )


def test_an_answer_without_end(monkeypatch):
    monkeypatch.setattr(answers, "_MAX_BYTES", 1 << 20)
    code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        feeder = answers.Feeder(process, None)
        feeder.start()
        limits = answers.Limits(60)
        failing(DeviceError, "b sends more than 1 MiB", lambda: answers.collect(process, limits, "b", feeder))


@pytest.mark.parametrize(
    "change",
    [
        lambda output: {**output, "data": base64.b64encode(zlib.compress(bytes(1 << 28))).decode()},
        lambda output: {**output, "data": "no base64"},
        lambda output: {**output, "dtype": "O"},
        lambda output: {**output, "dtype": "nonsense"},
        lambda output: {**output, "shape": [-1, -1]},
        lambda output: {**output, "shape": [1 << 62, 1 << 62]},
        lambda output: {**output, "shape": [float("inf")]},
        lambda output: {"name": ["x"]},
        lambda output: 7,
    ],
)
def test_golden_frames_that_are_none(bundle, change):
    expected = host_golden(bundle.host_model_path)
    got = {"dpu": [change(expected["dpu"][0])], "end": expected["end"]}
    failing(DeviceError, "cannot be read|on b", lambda: compare_golden(expected, got, "b"))
    failing(DeviceError, "cannot be read", lambda: compare_golden(expected, {}, "b"))
    assert np.prod(expected["dpu"][0]["shape"]) > 0


def test_the_process_on_the_board_ends_by_itself():
    """As the one that a device keeps, after its host gave up."""
    request = {"directory": "", "name": "n", "limit_s": 1}
    hang = "import time\nmodule.ACTIONS['examine'] = lambda request: time.sleep(600)\n"
    program = agent_program("examine", request).decode().replace("module.main(", hang + "module.main(")
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=300)
    assert done.returncode < 0
    assert time.monotonic() - began < 300
