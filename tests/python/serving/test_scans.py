"""Raw scans to nerone serve: the masks of nerone run, whatever way the files come."""

from __future__ import annotations

import io
import json
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import calibrated_from_0_to_3
from data.dicom_files import write_series
from data.files import write_nifti
from nerone.runtime.prediction.files import predict_files
from nerone.runtime.prediction.options import RunOptions
from serving.test_serving import ask
from waiting import wait_for

pytest.importorskip("aiohttp", reason="aiohttp is not installed")
nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed")

AFFINE = np.array([[-0.8, 0, 0, 10], [0, -0.9, 0, 20], [0, 0, 2.5, 5], [0, 0, 0, 1.0]])
PLACE = "/v2/models/net/scan"


def volume(slices: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(-800, 1200, (14, 20, slices)).astype(np.int16)


@pytest.fixture
def series(tmp_path) -> Path:
    return write_series(tmp_path / "series", volume(), AFFINE)


def zipped(files, method=zipfile.ZIP_DEFLATED, **names: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for number, path in enumerate(files):
            archive.writestr(f"../{number}", path.read_bytes())
        for name, data in names.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def parts(files) -> tuple[bytes, dict[str, str]]:
    pieces = [
        b'--cut\r\nContent-Disposition: form-data; name="scan"; filename="x"\r\n\r\n' + path.read_bytes() + b"\r\n"
        for path in files
    ]
    return b"".join(pieces) + b"--cut--\r\n", {"Content_Type": "multipart/form-data; boundary=cut"}


def plain(bundle, scans, folder, **options):
    (written,), _ = predict_files(bundle, scans, folder, options=RunOptions(**options))
    return written


@pytest.mark.parametrize("packed", [True, False])
def test_nifti_gives_the_mask_of_a_run(start, bundle, tmp_path, packed):
    scan = tmp_path / "scan" / ("a.nii.gz" if packed else "a.nii")
    write_nifti(scan, volume(), AFFINE)
    written = plain(bundle, scan, tmp_path / "o")
    status, data, headers = ask(start(bundle.path).address, "POST", PLACE, scan.read_bytes())
    assert status == 200, data
    (tmp_path / "got.nii.gz").write_bytes(data)
    found, wanted = nibabel.load(tmp_path / "got.nii.gz"), nibabel.load(written.target)
    assert np.array_equal(found.affine, wanted.affine)
    assert np.array_equal(np.asarray(found.dataobj), np.asarray(wanted.dataobj))
    assert json.loads(headers["Nerone-Counts"]) == written.counts
    assert headers["Content-Disposition"] == 'attachment; filename="mask.nii.gz"'


def test_a_scan_of_another_scale_is_noted(start, bundle, tmp_path, caplog):
    calibrated_from_0_to_3(bundle)
    scan = tmp_path / "scan" / "a.nii.gz"
    write_nifti(scan, volume(), AFFINE)
    written = plain(bundle, scan, tmp_path / "o")
    assert "those of the calibration images from 0 to 3" in written.notes[-1]
    status, _, headers = ask(start(bundle.path).address, "POST", PLACE, scan.read_bytes())
    assert (status, tuple(json.loads(headers["Nerone-Notes"]))) == (200, written.notes)
    assert [record.getMessage() for record in caplog.records] == [f"a scan: {note}" for note in written.notes]


def test_images_of_another_scale_are_noted_and_logged_once(start, bundle, caplog):
    calibrated_from_0_to_3(bundle)
    running = start(bundle.path)

    def notes(image):
        said = {"inputs": [{"name": "image", "datatype": "INT16", "shape": list(image.shape), "data": image.tolist()}]}
        status, text, headers = ask(running.address, "POST", "/v2/models/net/infer", json.dumps(said).encode())
        assert status == 200, text
        return json.loads(headers.get("Nerone-Notes", "[]"))

    like_calibration = np.random.default_rng(1).integers(0, 4, (20, 30))
    assert notes(like_calibration) == []
    of_one, of_three = notes(volume()[:, :, 0]), notes(np.stack([volume()[:, :, :1]] * 3))
    assert of_one == of_three
    assert len(of_one) == 1
    assert "those of the calibration images from 0 to 3" in of_one[0]
    assert [record.getMessage() for record in caplog.records] == [f"an image: {of_one[0]}"]


@pytest.mark.parametrize("sent", ["zip", "parts"])
@pytest.mark.parametrize("output_format", ["nifti", "dicom-seg"])
def test_a_series_gives_the_mask_of_a_run(start, bundle, tmp_path, series, sent, output_format):
    written = plain(bundle, series, tmp_path / "o", format=output_format)
    files = sorted(series.iterdir())
    # Names lead nowhere, and what is no scan is passed over.
    body, headers = (zipped(files, **{"__MACOSX/._x": b"mac"}), {}) if sent == "zip" else parts(files)
    status, data, _ = ask(start(bundle.path).address, "POST", f"{PLACE}?format={output_format}", body, **headers)
    assert status == 200, data
    if output_format == "nifti":
        (tmp_path / "got.nii.gz").write_bytes(data)
        found, wanted = nibabel.load(tmp_path / "got.nii.gz"), nibabel.load(written.target)
        assert np.array_equal(np.asarray(found.dataobj), np.asarray(wanted.dataobj))
        return
    found, wanted = pydicom.dcmread(io.BytesIO(data)), pydicom.dcmread(written.target)
    assert found.PixelData == wanted.PixelData
    assert found.ReferencedSeriesSequence == wanted.ReferencedSeriesSequence


def test_probabilities_are_resampled_linearly(start, bundle, tmp_path):
    scan = tmp_path / "scan" / "a.nii.gz"
    write_nifti(scan, volume(), AFFINE)
    written = plain(bundle, scan, tmp_path / "o", resample="linear")
    status, _, headers = ask(start(bundle.path, result="probabilities").address, "POST", PLACE, scan.read_bytes())
    assert (status, json.loads(headers["Nerone-Counts"])) == (200, written.counts)


def test_bad_scans_are_named_and_leave_nothing(start, bundle, classifier, tmp_path, series, monkeypatch):
    import tempfile

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    running = start(bundle.path, classifier.path, max_scan_bytes=100_000)
    files = sorted(series.iterdir())
    nifti = tmp_path / "a.nii.gz"
    write_nifti(nifti, volume(), AFFINE)
    whole = zipped(files)
    cases = {
        "empty": (b"", 400),
        "neither NIfTI nor DICOM": (b"hello", 400),
        "damaged or encrypted": (whole[:200] + bytes(50) + whole[250:], 400),
        "cannot be read as NIfTI": (nifti.read_bytes()[:30], 400),
        "damaged": (nifti.read_bytes()[:1200], 400),
        "end-of-stream": (nifti.read_bytes()[:-8], 400),
        "another way": (zipped([], zipfile.ZIP_LZMA, scan=nifti.read_bytes()), 400),
        "2 scans": (zipped(files, again=nifti.read_bytes()), 400),
        "slices are missing": (zipped([*files[:2], *_far(tmp_path)]), 400),
        "100000 bytes": (bytes(100_001), 413),
        "holds neither": (zipped([], readme=b"nothing"), 400),
    }
    for words, (body, expected) in cases.items():
        status, text, _ = ask(running.address, "POST", PLACE, body)
        assert status == expected, (words, text)
        error = json.loads(text)["error"]
        assert words in error, (words, error)
        assert str(tmp_path) not in error
    assert "format 'jpeg'" in ask(running.address, "POST", f"{PLACE}?format=jpeg", b"x")[1].decode()
    assert "format 'png'" in ask(running.address, "POST", f"{PLACE}?format=png", b"x")[1].decode()
    assert (
        "no DICOM series" in ask(running.address, "POST", f"{PLACE}?format=dicom-seg", nifti.read_bytes())[1].decode()
    )
    assert "no masks" in ask(running.address, "POST", "/v2/models/cells/scan", b"x")[1].decode()
    assert ask(running.address, "POST", "/v2/models/nothing/scan", b"x")[0] == 404
    assert (
        "cannot be understood"
        in ask(running.address, "POST", PLACE, b"x", Content_Type="multipart/form-data")[1].decode()
    )
    assert list((tmp_path / "temporary").iterdir()) == []


def _far(folder: Path) -> list[Path]:
    """The slices of one more series, of the same UID, far away."""
    away = AFFINE.copy()
    away[2, 3] += 100
    return sorted(write_series(folder / "far", volume(), away).iterdir())


def test_archives_that_unpack_to_more_than_is_read_are_refused(start, bundle, monkeypatch):
    from nerone.serving import scans

    monkeypatch.setattr(scans, "MAX_UNPACKED_BYTES", 1 << 20)
    status, text, _ = ask(start(bundle.path).address, "POST", PLACE, zipped([], bomb=bytes(2 << 20)))
    assert (status, "unpacks to more" in text.decode()) == (413, True)


def test_one_scan_too_many_is_503(start, bundle):
    running = start(bundle.path, scans=1)
    head = f"POST {PLACE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", running.server.port)) as slow:
        slow.sendall(head + b"x")
        wait_for(lambda: running.server.in_flight == 1)
        status, text, headers = ask(running.address, "POST", PLACE, b"x")
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "1 scans, its limit" in json.loads(text)["error"]
    wait_for(lambda: running.server.in_flight == 0)
