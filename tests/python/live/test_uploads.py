"""Uploads of DICOM series and of several files: what is accepted, what is refused, and that nothing stays behind."""

from __future__ import annotations

import http.client
import io
import json
import tempfile
import uuid
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.python.live.conftest import Running, write_volume

from paths import shared
from waiting import PATIENT_S, wait_for

pydicom = pytest.importorskip("pydicom", reason="pydicom is not installed")
pytest.importorskip("aiohttp", reason="aiohttp is not installed")


def dicom_slice(number: int, *, series: str = "1.2.3", rows: int = 16, pixels: bool = True) -> bytes:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = f"{series}.{number + 1}"
    data = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    data.SOPClassUID, data.SOPInstanceUID, data.SeriesInstanceUID = CTImageStorage, f"{series}.{number + 1}", series
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 2.0 * number], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness, data.PatientID = [1, 1], 2, "nobody"
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = rows, 16, 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    data.RescaleSlope, data.RescaleIntercept = 1, -1000
    if pixels:
        data.PixelData = np.full((16, 16), 100 * number, np.int16).tobytes()
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def send(running: Running, files: list[tuple[str, bytes]]) -> tuple[int, str]:
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in files
    ]
    return post(running, b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}")


def post(running: Running, body: bytes, content_type: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", running.server.port, timeout=PATIENT_S)
    connection.request("POST", "/api/upload", body, {"Content-Type": content_type})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


@pytest.fixture(autouse=True)
def temporary_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others upload on the same machine."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def uploads_left() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("nerone-upload-*"))


def wait_for_index(running: Running, index: int) -> None:
    running.session.pause()
    # The frame that is still shown may be of the source before this one, with the same index.
    before = running.session.shown.sequence if running.session.shown else 0
    running.session.seek(index)
    wait_for(lambda: (shown := running.session.shown) is not None and shown.sequence > before and shown.index == index)


def test_a_dicom_series_is_sorted_and_shown_in_hounsfield_units(live: Running) -> None:
    before = uploads_left()
    # In the order of a drop, which is anybody's; names with an ending, without one, and a UID.
    names = ["IM2.dcm", "IM0", "1.2.840.10008.1", "IM3.DCM"]
    status, text = send(live, list(zip(names, (dicom_slice(n) for n in (2, 0, 1, 3)), strict=True)))
    assert (status, text) == (200, "playing IM2.dcm and 3 more")
    assert live.session.source.count == 4
    for index in range(4):
        wait_for_index(live, index)
        assert live.session.shown is not None
        assert int(live.session.shown.frame.image[0, 0]) == 100 * index - 1000
    assert live.session.source.hounsfield
    assert len(uploads_left() - before) == 1
    live.session.close()
    assert uploads_left() == before


def test_what_ends_early_is_refused_before_it_is_played(live: Running, tmp_path: Path) -> None:
    volume = write_volume(tmp_path / "a.nii.gz", slices=4).read_bytes()
    slices = [(f"{number}.dcm", dicom_slice(number)) for number in range(4)]
    picture = io.BytesIO()
    Image.fromarray(np.random.default_rng(3).integers(0, 255, (40, 40, 3)).astype(np.uint8)).save(picture, "png")
    for files in (
        [("a.nii.gz", volume[:-8])],
        [("a.nii.gz", volume[:-300])],
        [*slices[:3], ("3.dcm", slices[3][1][:-100])],
        [("a.png", picture.getvalue()[:-200]), ("b.png", picture.getvalue())],
    ):
        status, text = send(live, files)
        assert status == 400, (files[0][0], text)
        assert "\n" not in text.strip()
        assert any(name in text for name, _ in files), text
    assert send(live, [("a.nii.gz", volume)])[0] == 200


def test_the_name_of_an_upload_is_text_only(live: Running, tmp_path: Path) -> None:
    data = write_volume(tmp_path / "other.nii.gz", slices=2).read_bytes()
    status, text = send(live, [("../../<b>x</b>.nii.gz", data)])
    assert (status, text) == (200, "playing ../../<b>x</b>.nii.gz")
    assert not (tmp_path.parent.parent / "<b>x<").exists()


def test_what_is_no_scan_is_refused_and_nothing_stays(live: Running) -> None:
    before, playing = uploads_left(), live.session.source
    huge = dicom_slice(0, rows=65535, pixels=False)
    cases = [
        ([("a.dcm", dicom_slice(0)), ("evil.exe", b"MZ")], "not accepted"),
        ([("noending", b"no DICOM at all")], "not accepted"),
        ([("a.dcm", b"no DICOM at all")], "cannot be read as DICOM"),
        ([("a.dcm", dicom_slice(0)), ("b.dcm", dicom_slice(0))], "duplicate"),
        ([("a.dcm", dicom_slice(0)[:-300])], "decoded"),
        ([("a.dcm", huge)], "decoded"),
        ([("a.png", b"")], "empty"),
        ([], "no file"),
    ]
    for files, expected in cases:
        status, text = send(live, files)
        assert status == 400, files
        assert expected in text, text
        assert "nerone-upload" not in text, "no path of this machine is told"
    assert live.session.source is playing
    assert uploads_left() == before


def test_a_small_file_that_unpacks_to_too_much_is_refused(live: Running, tmp_path: Path) -> None:
    import nibabel

    path = tmp_path / "bomb.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4)), path)
    data = bytearray(path.read_bytes())
    data[40:56] = np.array([3, 30000, 30000, 30000, 1, 1, 1, 1], "<i2").tobytes()
    status, text = send(live, [("bomb.nii", bytes(data))])
    assert status == 400
    assert "unpack" in text


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b"garbage", "multipart/form-data; boundary=x"),
        (b"--x--", "multipart/form-data"),
        (b"--x\r\nContent-Disposition: a\x07b\r\n\r\nbytes\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\nz\r\n--y--\r\n--x--\r\n",
         "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data; name=f\r\n\r\nbytes\r\n--x--\r\n", "multipart/form-data; boundary=x"),
    ],
)  # fmt: skip
def test_malformed_uploads_are_answered(live: Running, body: bytes, content_type: str) -> None:
    status, text = post(live, body, content_type)
    assert status == 400, text
    assert "Traceback" not in text
    assert json.dumps(live.session.statistics())


def test_the_limit_counts_bytes_not_voxels(live: Running, tmp_path: Path) -> None:
    import nibabel

    path = tmp_path / "bomb.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.float64), np.eye(4)), path)
    data = bytearray(path.read_bytes())
    data[40:56] = np.array([3, 1000, 1000, 300, 1, 1, 1, 1], "<i2").tobytes()  # 2.4 GB in 0.3 Gi voxels
    status, text = send(live, [("bomb.nii", bytes(data))])
    assert status == 400
    assert "would unpack to 2.2 GiB" in text


@pytest.mark.parametrize("name", ["orientation_of_five.dcm", "slope_nan.dcm", "odd.tif", "negative_shape.npy"])
def test_what_a_library_trips_over_is_refused_in_a_sentence(live: Running, name: str) -> None:
    status, text = send(live, [(name, shared("cases", name).read_bytes())])
    assert status == 400
    assert "Traceback" not in text
    assert "\n" not in text.strip()
    assert name in text or "not accepted" in text


def test_a_refused_file_is_called_as_it_came(live: Running) -> None:
    for files in ([("Knee 12345.dcm", b"no DICOM")], [("a.png", b"no picture")], [("left.tif", b"II*\0" + bytes(9))]):
        status, text = send(live, files)
        assert status == 400
        assert files[0][0] in text
        assert "00000" not in text
