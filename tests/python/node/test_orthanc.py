"""Debian's Orthanc beside nerone node, by the recipe of docs/node.md: routed, segmented, one SEG a series."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import bundle, run
from node.support import series
from paths import REPOSITORY
from project.test_documents import blocks
from waiting import PATIENT_S, wait_for

pytest.importorskip("pynetdicom", reason="pynetdicom is not installed")
pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed")
pytest.importorskip("highdicom", reason="highdicom is not installed")

__all__ = ["bundle", "run"]

PAGE = REPOSITORY / "docs" / "node.md"
NERONE = "import sys; from nerone.cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def programs() -> dict[str, str]:
    """Orthanc and storescu; Debian puts the former where only root looks."""
    path = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    found = {name: shutil.which(name, path=path) for name in ("Orthanc", "storescu")}
    missing = [name for name, where in found.items() if where is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} (Debian's orthanc and dcmtk) not installed")
    return {name: str(where) for name, where in found.items()}


def free_ports(count: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in taken]
    finally:
        for one in taken:
            one.close()


class Site:
    """Orthanc and a node, each of which can be killed and started again."""

    def __init__(self, folder: Path, programs: dict[str, str], bundle: Path) -> None:
        self.folder, self.programs, self.bundle = folder, programs, bundle
        self.dicom, self.http, self.node_port = free_ports(3)
        (script,) = blocks(PAGE, "lua")
        (text,) = blocks(PAGE, "json")
        settings = json.loads(text)
        settings |= {"DicomPort": self.dicom, "HttpPort": self.http, "StableAge": 1}
        settings["DicomModalities"]["nerone"][2] = self.node_port
        (folder / "orthanc.json").write_text(json.dumps(settings))
        (folder / settings["LuaScripts"][0]).write_text(script)
        self.log = (folder / "log").open("wb")
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start_orthanc(self) -> None:
        self._start("Orthanc", [self.programs["Orthanc"], str(self.folder / "orthanc.json")])
        wait_for(lambda: self.ask("/system") is not None)

    def start_node(self) -> None:
        words = ["node", str(self.bundle), "--to", f"ORTHANC@127.0.0.1:{self.dicom}", "--port", str(self.node_port)]
        words += ["--spool", str(self.folder / "spool"), "--silence", "2", "--retry", "0.5", "--tries", "100"]
        self._start("node", [sys.executable, "-c", NERONE, *words])

    def wait_for_node(self) -> None:
        """A node that was killed last may still be starting although everything is done on the disk."""
        wait_for(self._listens)

    def _start(self, name: str, words: list[str]) -> None:
        self.running[name] = subprocess.Popen(words, stdout=self.log, stderr=self.log)

    def kill(self, name: str) -> None:
        process = self.running.pop(name, None)
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENT_S)

    def close(self) -> None:
        for name in list(self.running):
            self.kill(name)
        self.log.close()

    def send(self, folder: Path) -> None:
        words = ["--scan-directories", "--recurse", "--call", "ORTHANC", "127.0.0.1", str(self.dicom), str(folder)]
        subprocess.run([self.programs["storescu"], *words], check=True, timeout=PATIENT_S, capture_output=True)

    def ask(self, place: str, said: Any = None) -> Any:
        """Ask Orthanc's REST interface; None where nobody answers."""
        data = None if said is None else json.dumps(said).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{place}", data)
        try:
            with urllib.request.urlopen(request, timeout=PATIENT_S) as answer:
                return json.loads(answer.read())
        except (urllib.error.URLError, ConnectionError):
            return None

    def failed_jobs(self) -> list[str]:
        return [job["ID"] for job in self.ask("/jobs?expand") or [] if job["State"] == "Failure"]

    def _listens(self) -> bool:
        """Whether the node takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.node_port), PATIENT_S).close()
            return True
        except ConnectionRefusedError:
            return False

    def segmentations(self) -> list[str]:
        return self.ask("/tools/find", {"Level": "Instance", "Query": {"Modality": "SEG"}}) or []

    def fetch(self, instance: str) -> Any:
        target = self.folder / f"{instance}.dcm"
        urllib.request.urlretrieve(f"http://127.0.0.1:{self.http}/instances/{instance}/file", target)
        return pydicom.dcmread(target)

    def queue(self, what: str) -> list[Any]:
        """Read the node's queue as it is on the disk."""
        try:
            with sqlite3.connect(f"file:{self.folder / 'spool/queue.sqlite'}?mode=ro", uri=True) as database:
                return [row[0] for row in database.execute(what)]
        except sqlite3.OperationalError:
            return []

    def states(self) -> list[str]:
        return self.queue("SELECT state FROM series")


@pytest.fixture
def site(tmp_path, programs, bundle):
    (tmp_path / "site").mkdir()
    made = Site(tmp_path / "site", programs, bundle.path)
    yield made
    made.close()


def test_one_segmentation_a_series_whatever_is_killed(site, run, bundle, tmp_path):
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    moments = random.Random(seed)
    count = 4
    for number in range(count):
        (tmp_path / f"scans/{number}").mkdir(parents=True)
        for index, image in enumerate(series(number)):
            image.save_as(tmp_path / f"scans/{number}/{index}.dcm", enforce_file_format=True)
    site.start_orthanc()
    site.send(tmp_path / "scans")
    # The node is not there yet: Orthanc's routing fails, and is sent again.
    wait_for(lambda: len(site.failed_jobs()) == count)
    site.start_node()
    site.wait_for_node()
    for job in site.failed_jobs():
        assert site.ask(f"/jobs/{job}/resubmit", {}) is not None
        wait_for(lambda job=job: site.ask(f"/jobs/{job}")["State"] == "Success")
    assert site.queue("SELECT count(*) FROM instances") == [4 * count]
    for name in ("node", "node", "Orthanc", "node"):
        # From before the series are complete until long after the last one is sent.
        end = moments.uniform(0, 5)
        with pytest.raises(subprocess.TimeoutExpired):
            site.running[name].wait(end)
        site.kill(name)
        site.start_node() if name == "node" else site.start_orthanc()
    wait_for(lambda: site.states() == ["done"] * count)
    found = [site.fetch(instance) for instance in site.segmentations()]
    assert len(found) == count
    by_source = {str(one.ReferencedSeriesSequence[0].SeriesInstanceUID): one for one in found}
    assert len(by_source) == count
    assert run("run", bundle.path, tmp_path / "scans", "-o", tmp_path / "masks", "--format", "dicom-seg")[0] == 0
    for number in range(count):
        expected = pydicom.dcmread(next((tmp_path / "masks").glob(f"{number}_mask.dcm")))
        assert by_source[str(series(number)[0].SeriesInstanceUID)].PixelData == expected.PixelData
    # Routed once more, nothing doubles.
    everything = site.ask("/tools/find", {"Level": "Series", "Query": {"Modality": "CT"}})
    assert len(everything) == count
    site.wait_for_node()
    assert site.ask("/modalities/nerone/store", everything) is not None
    wait_for(lambda: site.states() == ["done"] * count)
    assert len(site.segmentations()) == count
