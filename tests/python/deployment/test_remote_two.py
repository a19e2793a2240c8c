"""Two deployments to one board at the same time: each is whole or refused, and neither harms the other."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from deployment.remote_support import NAMES, contents, failing, make_bundle, only
from nerone.deployment import Bundle
from nerone.deployment.remote import agent as remote_agent
from nerone.deployment.remote.transfer import _Copy
from nerone.errors import DeviceError

pytest.importorskip("nerone._core")


@pytest.fixture
def board(tmp_path):
    """A board's folder with a bundle that is in use, and what an agent is asked to deploy another one there."""
    make_bundle(tmp_path / "board", fix_point=1)
    (tmp_path / "board/source.xmodel").unlink()

    def request(name, fix_point):
        bundle = make_bundle(tmp_path / name, fix_point=fix_point)
        files = {path.name: remote_agent.digest(path) for path in bundle.path.iterdir()}
        directory = str(tmp_path / "board")
        values = {"directory": directory, "name": "net.nerone", "files": files, "unchanged": [], "in_place": False}
        return bundle.path, {**values, "deployment": name, "dead": []}

    return tmp_path / "board", request


def copy(source, stage):
    for path in source.iterdir():
        shutil.copyfile(path, Path(stage) / path.name)


def test_a_second_one_that_begins_does_not_touch_the_first(board):
    folder, request = board
    (first, a), (second, b) = request("a", 2), request("b", 4)
    copy(first, remote_agent.begin(a)["stage"])
    stage = remote_agent.begin(b)["stage"]
    remote_agent.commit(a)
    assert Bundle.open(folder / "net.nerone").report() == {"fix_point": 2}
    copy(second, stage)
    remote_agent.commit(b)
    assert Bundle.open(folder / "net.nerone").report() == {"fix_point": 4}
    assert only(folder) == ["net.nerone"]


@pytest.mark.parametrize("damage", ["gone", "another's bytes"])
def test_what_is_not_as_it_was_sent_does_not_go_live(board, damage):
    folder, request = board
    source, a = request("a", 2)
    before = contents(folder / "net.nerone")
    stage = Path(remote_agent.begin(a)["stage"])
    copy(source, stage)
    if damage == "gone":
        shutil.rmtree(stage)
    else:
        (stage / "model.xmodel").write_bytes(b"of another deployment")
    with pytest.raises(Exception, match="is not there as it was sent"):
        remote_agent.commit(a)
    assert contents(folder / "net.nerone") == before


def test_what_dead_deployments_left_is_swept(board):
    folder, request = board
    source, a = request("a", 2)
    for name in ("dead", "old", "young"):
        copy(source, remote_agent.begin({**a, "deployment": name})["stage"])
    for path in (folder / "net.nerone.new/old", *(folder / "net.nerone.new/old").iterdir()):
        os.utime(path, (time.time() - 7200,) * 2)
    remote_agent.begin({**a, "dead": ["dead"]})
    assert only(folder / "net.nerone.new") == ["a", "young"]


def test_a_name_that_leaves_the_folder_is_refused(board):
    _, request = board
    with pytest.raises(ValueError, match="is no name for a deployment"):
        remote_agent.begin({**request("a", 2)[1], "deployment": "../x"})


def test_two_deployments_over_ssh(deployed, earlier, tmp_path, monkeypatch):
    """The second runs whole while the first computes its golden frame."""
    first, second = make_bundle(tmp_path / "a", fix_point=2), make_bundle(tmp_path / "b", fix_point=4)
    check, done = _Copy.check, []

    def checking(self, *arguments):
        found = check(self, *arguments)
        if not done:
            done.append(None)
            done[0] = deployed(second, earlier.parent)
            assert Bundle.open(earlier).report() == {"fix_point": 4}
        return found

    monkeypatch.setattr(_Copy, "check", checking)
    assert "model.xmodel" in deployed(first, earlier.parent).transferred
    assert Bundle.open(earlier).report() == {"fix_point": 2}
    assert set(contents(earlier)) == NAMES
    assert only(earlier.parent) == ["net.nerone"]


def test_a_stage_that_was_taken_away_is_said(deployed, earlier, tmp_path, monkeypatch):
    check = _Copy.check

    def checking(self, *arguments):
        found = check(self, *arguments)
        shutil.rmtree(earlier.with_name("net.nerone.new"))
        return found

    monkeypatch.setattr(_Copy, "check", checking)
    before = contents(earlier)
    changed = make_bundle(tmp_path / "host", fix_point=2)
    failing(DeviceError, "changed meanwhile .*deploy again", lambda: deployed(changed, earlier.parent))
    assert contents(earlier) == before
