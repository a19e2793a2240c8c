"""nerone node between a sender and a receiver of pynetdicom: one SEG a series, whatever is sent twice or killed."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

import pydicom
import pytest

from cli.conftest import bundle, calibrated_from_0_to_3, classifier, refused, run
from nerone.errors import ConfigurationError
from node.support import series, store
from waiting import PATIENT_S, wait_for

pynetdicom = pytest.importorskip("pynetdicom", reason="pynetdicom is not installed")
hd = pytest.importorskip("highdicom", reason="highdicom is not installed")

from nerone.node import Node, NodeOptions, Peer  # noqa: E402
from nerone.node import node as node_module  # noqa: E402
from nerone.node import spool as spool_module  # noqa: E402
from nerone.node.spool import Spool  # noqa: E402

__all__ = ["bundle", "classifier", "refused", "run"]

SEG = "1.2.840.10008.5.1.4.1.1.66.4"


class Receiver:
    """A C-STORE server that keeps what it is sent; a status tells what it answers."""

    def __init__(self, status: int = 0, allow: tuple[str, ...] = ()) -> None:
        self.status, self.got, self.tries, self.hold = status, [], 0, threading.Event()
        self.hold.set()
        self.closed = False
        entity = pynetdicom.AE("PACS")
        entity.add_supported_context(SEG)
        entity.require_calling_aet = list(allow)
        handlers = [(pynetdicom.evt.EVT_C_STORE, self._store)]
        self.server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.peer = Peer("PACS", "127.0.0.1", self.server.socket.getsockname()[1])

    def _store(self, event):
        self.tries += 1
        if self.status == 0:
            found = event.dataset
            found.file_meta = event.file_meta
            self.got.append(found)
        self.hold.wait(PATIENT_S)
        return self.status

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.server.shutdown()

    @property
    def uids(self) -> list[str]:
        return [str(one.SOPInstanceUID) for one in self.got]


@pytest.fixture
def receiver():
    made = []

    def start(**options):
        made.append(Receiver(**options))
        return made[-1]

    yield start
    for one in made:
        one.hold.set()
        one.close()


@pytest.fixture
def start(bundle, tmp_path):
    """Start nodes that are closed behind the test."""
    made = []

    def node(peer, **options):
        options = {"port": 0, "silence_s": 2.0, "retry_s": 0.05, **options}
        made.append(Node(bundle, peer, tmp_path / "spool", NodeOptions(**options)))
        return made[-1]

    yield node
    for one in made:
        if one._worker.is_alive():
            one.close()


def states(node: Node) -> dict[str, str]:
    return {uid: state for uid, state, _ in node.spool.series()}


def test_a_series_unlike_the_calibration_images_is_logged(start, receiver, bundle, caplog):
    calibrated_from_0_to_3(bundle)
    node, images = start(receiver().peer), series()
    store(node.port, images)
    wait_for(lambda: list(states(node).values()) == ["done"])
    (said,) = [one.getMessage() for one in caplog.records if "calibration images" in one.getMessage()]
    assert said.startswith(f"series {images[0].SeriesInstanceUID}: its values run from ")


def test_one_segmentation_for_each_series(start, receiver, bundle, run, tmp_path):
    pacs = receiver()
    node = start(pacs.peer)
    many = [series(number) for number in range(3)]
    for images in many:
        assert store(node.port, images) == [0] * 4
    wait_for(lambda: list(states(node).values()) == ["done"] * 3)
    assert len(set(pacs.uids)) == len(pacs.uids) == 3
    by_source = {str(one.ReferencedSeriesSequence[0].SeriesInstanceUID): one for one in pacs.got}
    assert set(by_source) == {str(images[0].SeriesInstanceUID) for images in many}
    for index, images in enumerate(many):
        folder = tmp_path / f"scan{index}"
        folder.mkdir()
        for number, image in enumerate(images):
            image.save_as(folder / f"{number}.dcm", enforce_file_format=True)
        words = ("run", bundle.path, folder, "-o", tmp_path / f"o{index}", "--format", "dicom-seg")
        assert run(*words)[0] == 0
        expected = pydicom.dcmread(next((tmp_path / f"o{index}").rglob("*.dcm")))
        found = by_source[str(images[0].SeriesInstanceUID)]
        assert found.PixelData == expected.PixelData
        assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID


def test_the_segmentation_passes_the_validator(start, receiver, tmp_path):
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (Debian's dicom3tools) is not installed")
    pacs = receiver()
    node = start(pacs.peer)
    assert store(node.port, series()) == [0] * 4
    wait_for(lambda: pacs.got)
    pacs.got[0].save_as(tmp_path / "sent.dcm", enforce_file_format=True)
    words = [program, str(tmp_path / "sent.dcm")]
    said = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENT_S)
    assert "Segmentation" in said.stderr + said.stdout
    assert [line for line in said.stderr.splitlines() if line.startswith(("Error", "Warning"))] == []


def test_a_series_that_is_sent_twice_does_not_double(start, receiver):
    pacs = receiver()
    node = start(pacs.peer)
    images = series()
    assert store(node.port, images) == [0] * 4
    wait_for(lambda: list(states(node).values()) == ["done"])
    assert store(node.port, images) == [0] * 4
    # A second series shows that the queue went on.
    assert store(node.port, series(1)) == [0] * 4
    wait_for(lambda: list(states(node).values()) == ["done"] * 2)
    assert len(pacs.uids) == 2


def test_a_late_slice_gives_another_segmentation(start, receiver):
    pacs = receiver()
    node = start(pacs.peer)
    images = series(slices=5)
    assert store(node.port, images[:4]) == [0] * 4
    wait_for(lambda: list(states(node).values()) == ["done"])
    assert store(node.port, images[4:]) == [0]
    wait_for(lambda: len(pacs.got) == 2)
    assert len(set(pacs.uids)) == 2


def test_a_segmentation_that_was_superseded_before_it_was_sent_is_removed(start, receiver):
    pacs = receiver(status=0xA700)
    node = start(pacs.peer, tries=1000, retry_s=0.0)
    images = series(slices=5)
    assert store(node.port, images[:4]) == [0] * 4
    wait_for(lambda: pacs.tries)
    results = node.spool.made(str(images[0].SeriesInstanceUID))
    first = list(results.iterdir())
    assert len(first) == 1
    assert store(node.port, images[4:]) == [0]
    wait_for(lambda: results.is_dir() and list(results.iterdir()) not in (first, []) and not first[0].exists())
    assert len(list(results.iterdir())) == 1
    # A start, too, keeps what is still to be sent, and nothing else.
    assert store(node.port, series(1)) == [0] * 4
    wait_for(lambda: len(list(results.parent.iterdir())) == 2)
    node.close()
    (results.parent / "of nobody").mkdir()
    again = Spool(node.spool.folder)
    assert len(list(results.parent.iterdir())) == 2
    assert results.is_dir()
    again.close()


def child(bundle, pacs, folder, port_file, silence_s=2.0):
    """Start a node in a process of its own."""
    text = (
        "import sys, pathlib\n"
        "from nerone.bundle.bundle import Bundle\n"
        "from nerone.node import Node, NodeOptions, Peer\n"
        "bundle, peer, spool, told, silence = sys.argv[1:]\n"
        "options = NodeOptions(port=0, silence_s=float(silence), retry_s=0.05)\n"
        "with Node(Bundle.open(bundle), Peer.of(peer), spool, options) as node:\n"
        "    scratch = pathlib.Path(told + '.part'); scratch.write_text(str(node.port)); scratch.replace(told)\n"
        "    node.wait()\n"
    )
    port_file.unlink(missing_ok=True)
    words = [sys.executable, "-c", text, str(bundle.path), str(pacs.peer), str(folder), str(port_file), str(silence_s)]
    process = subprocess.Popen(words)
    wait_for(lambda: port_file.exists() or process.poll() is not None)
    assert process.poll() is None
    return process, int(port_file.read_text())


@pytest.mark.parametrize("moment", ["received", "stored, not yet answered"])
def test_kill_and_restart_give_exactly_one(bundle, receiver, tmp_path, moment):
    pacs = receiver()
    if moment != "received":
        pacs.hold.clear()
    # A silence that never comes keeps the series received.
    silence_s = 2.0 if moment != "received" else 10 * PATIENT_S
    process, port = child(bundle, pacs, tmp_path / "spool", tmp_path / "port", silence_s)
    try:
        assert store(port, series()) == [0] * 4
        if moment != "received":
            wait_for(lambda: pacs.tries == 1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(PATIENT_S)
        pacs.hold.set()
        before = [one.to_json() for one in pacs.got]
        process, port = child(bundle, pacs, tmp_path / "spool", tmp_path / "port")
        wait_for(lambda: len(pacs.got) > len(before))
        # The second series comes behind the first: all of the first is sent by then.
        assert store(port, series(1)) == [0] * 4
        other = str(series(1)[0].SeriesInstanceUID)
        wait_for(lambda: any(str(one.ReferencedSeriesSequence[0].SeriesInstanceUID) == other for one in pacs.got))
    finally:
        process.kill()
        process.wait(PATIENT_S)
    assert len(set(pacs.uids)) == 2
    assert len(pacs.uids) == (2 if moment == "received" else 3)
    if moment != "received":
        assert pacs.got[1].to_json() == before[0]


@pytest.mark.parametrize("kind", ["status", "association", "nobody"])
def test_a_receiver_that_refuses_is_tried_again_and_named(start, receiver, kind, caplog):
    pacs = receiver(status=0xA700 if kind == "status" else 0, allow=("OTHER",) if kind == "association" else ())
    if kind == "nobody":
        pacs.close()
    node = start(pacs.peer, tries=3)
    images = series()
    with caplog.at_level("INFO", "nerone.node"):
        assert store(node.port, images) == [0] * 4
        wait_for(lambda: list(states(node).values()) == ["failed"])
    assert str(pacs.peer) in node.spool.series()[0][2]
    assert caplog.text.count("try ") == 2
    assert "failed after 3 tries" in caplog.text
    if kind == "status":
        assert pacs.tries == 3
        pacs.status = 0
        # The same series sent again is another chance.
        assert store(node.port, images) == [0] * 4
        wait_for(lambda: list(states(node).values()) == ["done"])
        assert len(pacs.uids) == 1


def test_a_full_disk_is_answered_and_nothing_is_lost(start, receiver, monkeypatch, caplog):
    pacs = receiver()
    node = start(pacs.peer)
    images = series()

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(spool_module, "write_synced", full)
        assert store(node.port, images) == [0xA700] * 4
    assert "make room" in caplog.text
    assert states(node) == {}
    assert store(node.port, images) == [0] * 4
    wait_for(lambda: list(states(node).values()) == ["done"])
    assert len(pacs.uids) == 1


def test_a_series_with_a_gap_fails_by_name_and_others_go_on(start, receiver):
    pacs = receiver()
    node = start(pacs.peer)
    images = series(slices=6)
    assert store(node.port, images[:3] + images[5:]) == [0] * 4
    assert store(node.port, series(1)) == [0] * 4
    wait_for(lambda: sorted(states(node).values()) == ["done", "failed"])
    assert any("slices are missing" in said for _, _, said in node.spool.series())
    assert len(pacs.uids) == 1


def test_only_allowed_titles_and_readable_instances(start, receiver):
    node = start(receiver().peer, allow=("FRIEND",))
    assert store(node.port, series(), "STRANGER") == []
    images = series()
    del images[0].SeriesInstanceUID
    assert store(node.port, images[:1], "FRIEND") == [0xC000]
    assert states(node) == {}


def test_connections_that_say_nothing_end(start, receiver, monkeypatch):
    monkeypatch.setattr(node_module, "_SILENCE_S", 0.5)
    node = start(receiver().peer)
    silent = [socket.create_connection(("127.0.0.1", node.port), PATIENT_S) for _ in range(20)]
    wait_for(lambda: store(node.port, series()) == [0] * 4)
    for one in silent:
        assert one.recv(1) == b""
        one.close()


def test_connections_of_one_address_are_limited_and_a_gateway_may_have_more(start, receiver, caplog):
    pacs = receiver()
    node = start(pacs.peer, connections=4, connections_per_address=2)
    held = [socket.create_connection(("127.0.0.1", node.port), PATIENT_S) for _ in range(2)]
    wait_for(lambda: len(node._server.active_associations) == 2)
    assert store(node.port, series()) == []
    (said,) = [one.getMessage() for one in caplog.records if "is refused" in one.getMessage()]
    assert said.startswith("a connection of 127.0.0.1 is refused: 2 of it are open; --connections-per-address allows")
    node.close()
    for one in held:
        one.close()
    node = start(pacs.peer, connections=4, connections_per_address=4)
    held = [socket.create_connection(("127.0.0.1", node.port), PATIENT_S) for _ in range(2)]
    assert store(node.port, series()) == [0] * 4
    for one in held:
        one.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", -1),
        ("tries", 0),
        ("threads", 0),
        ("connections", 0),
        ("connections_per_address", 0),
        ("silence_s", 0.0),
        ("silence_s", float("nan")),
        ("retry_s", float("inf")),
        ("keep_s", -1.0),
    ],
)
def test_numbers_that_cannot_be(name, value):
    with pytest.raises(ConfigurationError, match=f"is {value}; expected"):
        NodeOptions(**{name: value})


def test_messages_are_bounded(start, receiver):
    node = start(receiver().peer)
    with socket.create_connection(("127.0.0.1", node.port), PATIENT_S) as liar:
        liar.sendall(b"\x01\x00\xff\xff\xff\xff")
        assert liar.recv(1) == b""
    images = series()
    node._limits._max_bytes = 300  # less than one instance
    assert store(node.port, images[:1]) == [-1]
    node._limits._max_bytes = 1 << 20
    assert store(node.port, images) == [0] * 4
    images[0].file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"  # deflated
    assert store(node.port, images[:1]) == []


def test_series_that_are_done_are_forgotten_in_time(start, receiver):
    pacs = receiver()
    node = start(pacs.peer, keep_s=0)
    assert store(node.port, series()) == [0] * 4
    wait_for(lambda: pacs.got and states(node) == {})
    assert list((node.spool.folder / "incoming").iterdir()) == []
    assert list((node.spool.folder / "made").iterdir()) == []


def test_one_process_for_a_spool(tmp_path):
    first = Spool(tmp_path / "spool")
    with pytest.raises(ConfigurationError, match="another node uses the spool"):
        Spool(tmp_path / "spool")
    first.close()
    Spool(tmp_path / "spool").close()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/queue.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        Spool(tmp_path / "bad")


def test_wrong_arguments_are_one_sentence(refused, bundle, classifier, receiver, tmp_path):
    taken = receiver().peer
    to = ("--to", str(taken), "--spool", tmp_path / "spool", "--seconds", "0")
    assert "AET@host:port" in refused("node", bundle.path, *to, "--to", "nowhere")
    assert "AET@host:port" in refused("node", bundle.path, *to, "--to", "A@b:70000")
    assert "AE title" in refused("node", bundle.path, *to, "--ae-title", "x" * 17)
    assert "AE title" in refused("node", bundle.path, *to, "--allow", "a\\b")
    assert "port is 70000; expected" in refused("node", bundle.path, *to, "--port", "70000")
    assert "the silence in seconds is 0.0; expected" in refused("node", bundle.path, *to, "--silence", "0")
    assert "tries is 0; expected" in refused("node", bundle.path, *to, "--tries", "0")
    assert "cannot listen" in refused("node", bundle.path, *to, "--port", str(taken.port))
    assert "one that segments" in refused("node", classifier.path, *to)
    assert "nothing" in refused("node", tmp_path / "nothing.nerone", *to)
    assert "--to" in refused("node", bundle.path)


def test_it_says_what_it_is_not(run, bundle, tmp_path):
    words = ("node", bundle.path, "--to", "PACS@127.0.0.1:4242", "--spool", tmp_path / "spool", "--port", "0")
    code, _, err = run(*words, "--seconds", "0.1")
    assert code == 0, err
    assert "not a medical device" in err
    assert "Not a medical device" in " ".join(run("node", "--help")[1].split())
