"""Deployment over ssh against a real sshd on this machine: what travels, what is checked, what a failure leaves."""

from __future__ import annotations

import _thread
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from deployment import sshd
from nerone.compilation import compile as compile_model
from nerone.deployment import Bundle, remote, remote_ssh
from nerone.deployment.checks import versions
from nerone.deployment.declaration import OutputDeclaration, TensorDeclaration
from nerone.deployment.remote import deploy_to, examine_target
from nerone.deployment.remote_agent import golden_outputs
from nerone.deployment.remote_board import Board, check_board, check_room, plan_device
from nerone.deployment.remote_golden import compare_golden, host_golden
from nerone.deployment.remote_ssh import Target, parse_target
from nerone.errors import ConfigurationError, DeviceError, Error, TimeoutError
from nerone.graph import Graph, Node, Op
from nerone.quantization.quantized import QuantizedModel
from nerone.runtime.preprocessing import Channels, Preprocessing, Resize, ScaleOffset

pytest.importorskip("nerone._core")
SHAPE = (4, 6, 2)
NAMES = {"bundle.json", "model.xmodel", "report.json", "run.sh", "run.ipynb"}
FINGERPRINT = 0x1000020F6014407


def make_bundle(folder, *, fix_point=3, fingerprint=None, name="net", board_model=False):
    """A network that doubles its input, of (4, 6) images with two channels."""
    folder.mkdir(parents=True, exist_ok=True)
    nodes = (Node("x", Op.INPUT, (), SHAPE), Node("y", Op.ADD, ("x", "x"), SHAPE))
    model = QuantizedModel(Graph("net", nodes, ("x",), ("y",)), {"x": fix_point, "y": 3}, {})
    xmodel = compile_model(model, output=folder / "source.xmodel").path
    return Bundle.create(
        folder / name,
        xmodel=xmodel,
        preprocessing=Preprocessing((Channels(2), Resize(4, 6), ScaleOffset((1 / 255,)))),
        input=TensorDeclaration("x", (1, *SHAPE), fix_point),
        output_tensor=TensorDeclaration("y", (1, *SHAPE), 3),
        output=OutputDeclaration("segmentation", ("no", "yes"), ((0, 0, 0), (9, 9, 9)), (0, 1)),
        board="zcu104" if fingerprint else "host",
        fingerprint=fingerprint,
        board_xmodel=xmodel if board_model else None,
        report={"fix_point": fix_point},
    )


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


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".deployed.json"}


def only(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


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


def test_copies_checks_and_reports(first):
    bundle, folder, done, said = first
    there = folder / "net.nerone"
    assert set(contents(there)) == NAMES
    assert Bundle.open(there).preprocessing == bundle.preprocessing
    assert set(done.transferred) == NAMES
    assert done.folder == str(there)
    assert done.device == "softdpu"
    assert done.golden_outputs
    assert done.bytes_sent > 0
    assert done.versions["python"].startswith("3.")
    assert [note for note in done.notes if "no DPU; the software DPU runs the bundle there" in note]
    assert not [note for note in done.notes if "TensorFlow" in note]
    assert said[-1][1:] == (4, 4)
    assert json.loads(json.dumps(done.to_dict()))["transport"] == "rsync"
    assert "5 of 5 files copied" in done.lines()[0]
    assert only(folder) == ["net.nerone"]


def test_again_touches_only_what_changed(bundle, earlier, deployed, tmp_path):
    (earlier / "mine.txt").write_text("results")
    before = {path.name: path.stat().st_ino for path in earlier.iterdir()}
    again = deployed(bundle, tmp_path / "board")
    assert again.transferred == ()
    assert again.bytes_sent == 0
    assert again.golden_outputs
    assert {path.name: path.stat().st_ino for path in earlier.iterdir()} == before

    changed = make_bundle(tmp_path / "host", fix_point=2)
    third = deployed(changed, tmp_path / "board")
    assert set(third.transferred) == {"bundle.json", "model.xmodel", "report.json"}
    after = {path.name: path.stat().st_ino for path in earlier.iterdir()}
    assert after["run.ipynb"] == before["run.ipynb"]
    assert after["mine.txt"] == before["mine.txt"]
    assert Bundle.open(earlier).report() == {"fix_point": 2}
    assert only(tmp_path / "board") == ["net.nerone"]


def test_a_file_of_the_last_deployment_goes(bundle, earlier, deployed):
    (earlier / "model_zcu104.xmodel").write_bytes(b"old")
    listing = json.loads((earlier / ".deployed.json").read_text())
    (earlier / ".deployed.json").write_text(json.dumps([*listing, "model_zcu104.xmodel"]))
    done = deployed(bundle, earlier.parent)
    assert done.removed == ("model_zcu104.xmodel",)
    assert done.transferred == ()
    assert set(contents(earlier)) == NAMES


def test_a_damaged_copy_is_mended_and_a_stale_half_copy_goes(bundle, earlier, deployed):
    (earlier / "model.xmodel").write_bytes(b"damaged")
    stale = earlier.with_name("net.nerone.new")
    stale.mkdir()
    (stale / "half").write_bytes(b"half")
    assert deployed(bundle, earlier.parent).transferred == ("model.xmodel",)
    Bundle.open(earlier)
    assert only(earlier.parent) == ["net.nerone"]


@pytest.mark.parametrize("rsync", [True, False])
def test_a_path_with_every_character(deployed, tmp_path, rsync, monkeypatch):
    if not rsync:
        monkeypatch.setattr(remote, "_has_rsync", lambda: False)
    bundle = make_bundle(tmp_path / "host", name="a net's $(touch x);`id` & *")
    folder = tmp_path / 'my "board\'s" $HOME;* ü'
    done = deployed(bundle, folder)
    assert done.transport == ("rsync" if rsync else "tar")
    assert only(folder) == [bundle.path.name]
    assert contents(folder / bundle.path.name).keys() == NAMES
    assert not (tmp_path / "x").exists()


def test_a_folder_of_the_home(server):
    found = examine_target(
        f"{server.host}:~/x/models", "net", remote_python=sys.executable, ssh_options=server.options()
    )
    assert found.target.endswith("/x/models/net.nerone")
    assert "~" not in found.target


def test_the_script_and_the_notebook_run(earlier, tmp_path):
    pytest.importorskip("typer")
    there = earlier
    np.save(tmp_path / "scan.npy", np.zeros((4, 6, 2), np.uint8))
    script = [str(there / "run.sh"), str(tmp_path / "scan.npy"), "-o", str(tmp_path / "out")]
    run = subprocess.run(script, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    assert "scan.npy" in run.stdout
    book = json.loads((there / "run.ipynb").read_text())
    code = "\n".join("".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code")
    run = subprocess.run([sys.executable, "-c", code], cwd=there, capture_output=True, text=True, timeout=100)
    assert "ms for one image" in run.stdout, run.stderr


def failing(kind, words, run):
    with pytest.raises(kind, match=words) as caught:
        run()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_board_that_is_off(bundle, server, deployed, tmp_path):
    options = server.options(Port=sshd.free_port())
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
    failing(DeviceError, "cannot be loaded.*pip install", lambda: deployed(bundle, folder, remote_python=str(empty)))
    failing(DeviceError, "ssh does not take", lambda: deployed(bundle, folder, ssh_options=["Nonsense=1"]))
    assert not folder.exists()


def test_a_folder_that_is_no_bundle_stays(bundle, deployed, tmp_path):
    there = tmp_path / "board" / "net.nerone"
    there.mkdir(parents=True)
    (there / "thesis.txt").write_text("years")
    failing(ConfigurationError, "exists and is no bundle", lambda: deployed(bundle, tmp_path / "board"))
    assert only(there) == ["thesis.txt"]


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() or shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


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


@pytest.fixture
def xdputil(server):
    program = server.folder / "bin" / "xdputil"

    def answer(fingerprint):
        program.write_text(f'#!/bin/sh\necho \'"DPU Core Count":2, "fingerprint":"{fingerprint:#x}"\'\n')
        program.chmod(0o755)

    yield answer
    program.unlink(missing_ok=True)


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
            threading.Timer(0.05, _thread.interrupt_main).start()
            call(self, name, request, send)
            threading.Event().wait(5)
        return call(self, name, request, send)

    monkeypatch.setattr(remote_ssh.Connection, "call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        deployed(bundle, tmp_path / "board")
    assert only(tmp_path / "board") == []


@pytest.mark.parametrize("way", ["rsync", "tar"])
def test_ctrl_c_while_a_file_travels(bundle, earlier, deployed, monkeypatch, tmp_path, way):
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(1 << 20) * 120)
    monkeypatch.setattr(remote, "_has_rsync", lambda: way == "rsync")
    send = remote._Copy._send

    def sending(self, stage):
        self.files = {**self.files, "report.json": big}
        threading.Thread(target=interrupt_when_it_arrives, args=(Path(stage),)).start()
        return send(self, stage)

    (earlier / "report.json").write_text("changed")
    before = contents(earlier)
    monkeypatch.setattr(remote._Copy, "_send", sending)
    with pytest.raises(KeyboardInterrupt):
        deployed(bundle, earlier.parent)
    assert only(earlier.parent) == ["net.nerone"]
    assert contents(earlier) == before


def interrupt_when_it_arrives(stage):
    for _ in range(1000):
        if any(path.stat().st_size for path in stage.glob("*big.bin*")):
            break
        threading.Event().wait(0.01)
    _thread.interrupt_main()


def test_a_board_that_hangs(bundle, deployed, tmp_path):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    run = lambda: deployed(bundle, tmp_path / "board", remote_python=str(slow), timeout_s=0.5)  # noqa: E731
    failing(TimeoutError, "did not finish in 0.5 s", run)


def test_examine_before_long_work(server, tmp_path):
    options = {"remote_python": sys.executable, "ssh_options": server.options()}
    board = examine_target(f"{server.host}:{tmp_path}", "net", **options)
    assert board.state == "absent"
    assert board.free_bytes > 0
    assert not board.core_problem


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
    return Board(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"machine": "armv7l"}, "is a armv7l.*64-bit"),
        ({"versions": {"python": "3.6.5"}}, "has Python 3.6.5"),
        ({"core_problem": "No module named 'nerone'"}, "cannot be loaded.*pip install"),
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
    failing(DeviceError, "cannot be read; install xdputil", lambda: plan_device(both, board(nodes=["/dev/dpu"])))
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
    source = Path(remote_ssh.remote_agent.__file__).read_text("utf-8")
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", source + '\nmain(\'{"action": "examine", "directory": "", "name": "n"}\')'],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert '"core_problem": "No module named' in done.stdout, done.stderr


def test_the_command(bundle, server, tmp_path, monkeypatch, capsys):
    pytest.importorskip("typer")
    from nerone import deployment
    from nerone.cli.main import main

    made = []
    monkeypatch.setattr(deployment, "deploy", lambda *words, **options: made.append(options) or bundle)
    monkeypatch.setattr(Bundle, "report", lambda self: {"compilation": {"macs": 1, "on_dpu": 1.0, "layers": []}})
    model = tmp_path / "net.keras"
    model.write_bytes(b"")
    words = ["deploy", str(model), "-o", str(tmp_path / "net"), "--remote-python", sys.executable]
    words += ["--to", f"{server.host}:{tmp_path / 'board'}"]

    def options(port):
        return ["--ssh-option", ",".join(server.options(Port=port))]

    assert main([*words, *options(sshd.free_port())]) == 2
    assert "switch it on" in capsys.readouterr().err
    assert made == []
    assert main([*words, *options(server.port), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)["deployment"]
    assert set(done["transferred"]) == NAMES
    assert (tmp_path / "board/net.nerone/model.xmodel").is_file()
