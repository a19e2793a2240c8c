"""DICOM as people have it: names, syntaxes, series of several volumes, headers with holes."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ImplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from data.dicom_files import ct_slice, write_series, write_slice
from nerone.data.dicom import DicomSeries
from nerone.data.dicom.header import is_dicom
from nerone.data.sources import Frames, frames
from nerone.errors import ConfigurationError

RNG = np.random.default_rng(7)
VOLUME = RNG.integers(-900, 1500, (12, 10, 5)).astype(np.int16)
AFFINE = np.array([[-0.7, 0, 0, 30], [0, -0.9, 0, 40], [0, 0, 2.5, -100], [0, 0, 0, 1.0]])
LOCALIZER = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def images(found: Frames) -> list[np.ndarray]:
    return [frame.image for frame in found]


def left_out(found: Frames) -> dict[str, str]:
    return {path.name: why for path, why in found.skipped}


@pytest.fixture
def series(tmp_path: Path) -> Path:
    return write_series(tmp_path / "series", VOLUME, AFFINE)


def test_values_and_geometry_are_those_of_simpleitk(series: Path) -> None:
    import SimpleITK

    from nerone.data.itk import itk_affine

    found = list(frames(series))
    read = SimpleITK.ReadImage([str(path) for path in sorted(series.iterdir())])
    np.testing.assert_array_equal(np.stack(images(found)), SimpleITK.GetArrayFromImage(read))
    frame = found[0]
    written = frame.turn.inverse().affine(frame.affine, (*frame.image.shape, frame.count))
    np.testing.assert_allclose(written, itk_affine(read), atol=1e-5)


@pytest.mark.parametrize("name", ["A.CT.{}.2020.1.1.IMA", "1.2.840.113619.{}", "IM{}", "IM{}.DCM", "scan {}.dicom"])
def test_files_are_known_by_their_mark(tmp_path: Path, name: str) -> None:
    for index in range(3):
        write_slice(tmp_path / name.format(index), VOLUME[:, :, index], position=(0, 0, 3.0 * index))
    assert len(frames(tmp_path)) == 3


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, None])
def test_files_without_a_preamble(tmp_path: Path, syntax: str | None) -> None:
    for index in range(3):
        file = ct_slice(VOLUME[:, :, index], position=(0, 0, 3.0 * index))
        stream = tmp_path / f"{index}"
        file.file_meta, file.preamble = (file.file_meta if syntax is None else FileMetaDataset()), None
        file.save_as(stream, enforce_file_format=False, implicit_vr=syntax is not None, little_endian=True)
        assert stream.read_bytes()[128:132] != b"DICM"
        assert is_dicom(stream)
    np.testing.assert_array_equal(np.stack(images(frames(tmp_path)), axis=2), VOLUME[:, :, :3])


@pytest.mark.parametrize(
    "content", [b"", b"text of a read me, long enough to have 132 bytes" * 4, b"\x08\x00" + bytes(200)]
)
def test_what_is_no_dicom(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    if is_dicom(tmp_path / "file"):
        with pytest.raises(ConfigurationError, match="file"):
            list(frames(tmp_path / "file"))


LOSSLESS = ("RLE", "bigendian", "expb", "implicit", "jp2klossless", "jpeg_ls_lossless", "padded")
OTHERS = {
    "SC_rgb_jpeg_gdcm.dcm": "JPEG Lossless",
    "SC_rgb_jpeg_dcmtk.dcm": "JPEG Baseline",
    "693_J2KI.dcm": "JPEG 2000",
    "JPEGLSNearLossless_16.dcm": "JPEG-LS",
    "image_dfl.dcm": "Deflated",
    "examples_palette.dcm": "palette",
    "SC_rgb_rle_2frame.dcm": "RLE, two frames",
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_transfer_syntaxes_of_pydicom_give_the_same_values(name: str) -> None:
    plain, coded = (get_testdata_file(f"MR_small{part}.dcm", download=False) for part in ("", f"_{name}"))
    np.testing.assert_array_equal(images(frames(plain))[0], images(frames(coded))[0])


@pytest.mark.parametrize("name", OTHERS)
def test_other_transfer_syntaxes_of_pydicom_are_decoded(name: str) -> None:
    found = images(frames(get_testdata_file(name, download=False)))
    assert found[0].std() > 0
    assert len(found) == (2 if "2frame" in name else 1)


@pytest.mark.parametrize("syntax", [RLELossless, DeflatedExplicitVRLittleEndian])
def test_compressed_series(tmp_path: Path, syntax: str) -> None:
    for index in range(3):
        file = ct_slice(VOLUME[:, :, index].T, position=(0, 0, 3.0 * index))
        if syntax == RLELossless:
            file.compress(RLELossless)
        else:
            file.file_meta.TransferSyntaxUID = syntax
        file.save_as(tmp_path / f"{index}.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(np.stack(images(frames(tmp_path))).T, VOLUME[:, :, :3].swapaxes(0, 0))


def test_a_deflated_file_is_not_unpacked_without_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nerone.data import extent

    monkeypatch.setattr(extent, "MAX_DEFLATED_BYTES", 1 << 20)
    file = ct_slice(np.zeros((1024, 1024), np.int16))
    file.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    file.save_as(tmp_path / "bomb.dcm", enforce_file_format=True)
    assert (tmp_path / "bomb.dcm").stat().st_size < 20_000
    with pytest.raises(ConfigurationError, match=r"bomb\.dcm' is deflated and unpacks to more than 1 MiB"):
        frames(tmp_path)


def test_what_belongs_to_another_volume_is_left_out_and_named(series: Path) -> None:
    write_slice(series / "localizer.dcm", VOLUME[:, :, 0].T, orientation=LOCALIZER, position=(1, 2, 3))
    write_slice(series / "small.dcm", VOLUME[:6, :6, 0], position=(0, 0, 99))
    write_slice(series / "zoomed.dcm", VOLUME[:, :, 0].T, spacing=(0.3, 0.3), position=(0, 0, 77))
    found = frames(series)
    assert len(found) == 5
    np.testing.assert_allclose(next(iter(found)).affine[:3, 2], (0, 0, 2.5), atol=1e-6)
    why = left_out(found)
    assert "orientation" in why["localizer.dcm"]
    assert "6 x 6 pixels" in why["small.dcm"]
    assert "0.3 x 0.3 mm" in why["zoomed.dcm"]


@pytest.mark.parametrize(("shift", "index"), [((1.6, 0, 0), 4), ((0, 3, 0), 2), ((0, 0, 1.2), 1)])
def test_a_slice_beside_the_line_of_the_others_is_refused_by_name(
    tmp_path: Path, shift: tuple[float, float, float], index: int
) -> None:
    for number in range(5):
        place = np.array([0, 0, 2.5 * number]) + (np.array(shift) if number == index else 0)
        write_slice(tmp_path / f"{number}.dcm", VOLUME[:, :, number], position=tuple(place))
    with pytest.raises(ConfigurationError, match=rf"{index}\.dcm' lies"):
        frames(tmp_path)


def test_a_tilted_gantry_is_no_fault(tmp_path: Path) -> None:
    for number in range(5):
        write_slice(tmp_path / f"{number}.dcm", VOLUME[:, :, number], position=(0, 0.6 * number, 2.5 * number))
    np.testing.assert_allclose(next(iter(frames(tmp_path))).affine[:3, 2], (0, -0.6, 2.5), atol=1e-6)


def test_a_gap_is_refused_and_a_damaged_header_is_left_out(series: Path) -> None:
    (series / "000.dcm").write_bytes((series / "000.dcm").read_bytes()[:140])
    with pytest.raises(ConfigurationError, match=r"000\.dcm"):
        frames(series)
    found = frames(series, skip_bad=True)
    assert len(found) == 4
    assert set(left_out(found)) == {"000.dcm"}
    (series / "002.dcm").unlink()
    (series / "000.dcm").unlink()
    with pytest.raises(ConfigurationError, match=r"missing before '.*003\.dcm"):
        frames(series)


def test_echoes_are_volumes_of_their_own(tmp_path: Path) -> None:
    for echo in (1, 2):
        for index in range(3):
            write_slice(
                tmp_path / f"{index}_{echo}.dcm",
                np.full((4, 5), 100 * echo + index),
                position=(0, 0, 3.0 * index),
                EchoNumbers=echo,
            )
    found = list(frames(tmp_path))
    assert [int(frame.image[0, 0]) for frame in found] == [100, 101, 102, 200, 201, 202]
    assert len({frame.source for frame in found}) == 2


@pytest.mark.parametrize("folders", [2, 5])
def test_a_series_over_several_folders_is_one_volume(series: Path, tmp_path: Path, folders: int) -> None:
    whole = np.stack(images(frames(series)))
    for number, path in enumerate(sorted(series.iterdir())):
        place = tmp_path / "parts" / str(number % folders)
        place.mkdir(parents=True, exist_ok=True)
        path.rename(place / path.name)
    # Another series beside, and one part of the first one once more: a copy.
    write_series(tmp_path / "parts" / "other", VOLUME[:, :, :3], AFFINE, series="1.2.3")
    copy = tmp_path / "parts" / "zcopy" / "0.dcm"
    copy.parent.mkdir()
    copy.write_bytes(next((tmp_path / "parts/0").iterdir()).read_bytes())
    found = frames(tmp_path / "parts")
    counts = {source.path.relative_to(tmp_path).as_posix(): source.count for source in found.sources}
    assert counts == {"parts": 5, "parts/other": 3, "parts/zcopy": 1}
    (one,) = [source for source in found.sources if source.path == tmp_path / "parts"]
    np.testing.assert_array_equal(np.stack([frame.image for frame in one.read()]), whole)


def test_two_series_in_one_folder_have_names_of_their_own(tmp_path: Path) -> None:
    write_series(tmp_path, VOLUME, AFFINE, series="1.2.3")
    for path in sorted(tmp_path.iterdir()):
        path.rename(path.with_name(f"a{path.name}"))
    write_series(tmp_path, VOLUME, AFFINE, series="1.2.4")
    assert len({frame.source for frame in frames(tmp_path)}) == 2


def test_objects_that_are_no_images_are_passed_over(series: Path) -> None:
    from pydicom.fileset import FileSet

    for name in ("reportsi.dcm", "rtstruct.dcm", "rtplan.dcm", "liver_1frame.dcm", "waveform_ecg.dcm"):
        (series / name).write_bytes(Path(get_testdata_file(name, download=False)).read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        directory = FileSet()
        directory.add(series / "000.dcm")
        directory.write(series.parent / "media")
    (series / "DICOMDIR").write_bytes((series.parent / "media" / "DICOMDIR").read_bytes())
    assert len(frames(series)) == 5
    with pytest.raises(ConfigurationError, match=r"reportsi\.dcm.*no image"):
        frames(series / "reportsi.dcm")


def test_a_picture_beside_a_volume_is_left_out(series: Path) -> None:
    screen = ct_slice(VOLUME[:, :, 0], SOPClassUID=SecondaryCaptureImageStorage, SeriesInstanceUID="1.9")
    screen.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    del screen.ImagePositionPatient, screen.ImageOrientationPatient
    screen.save_as(series / "screen.dcm", enforce_file_format=True)
    found = frames(series)
    assert (len(found), set(left_out(found))) == (5, {"screen.dcm"})
    alone = next(iter(frames(series / "screen.dcm")))
    assert (alone.image.shape, alone.affine) == ((12, 10), None)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"PixelSpacing": None}, "an empty PixelSpacing"),
        ({"PixelSpacing": ...}, "no PixelSpacing"),
        ({"ImagePositionPatient": None}, "an empty ImagePositionPatient"),
        ({"PixelSpacing": [0, 1]}, "0 x 1 mm"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "right angle"),
        ({"RescaleSlope": "nan"}, "RescaleSlope nan"),
        ({"RescaleSlope": 0}, "RescaleSlope 0"),
        ({"RescaleSlope": [1, 2]}, "RescaleSlope"),
        ({"RescaleIntercept": [1, 2]}, "RescaleIntercept"),
        ({"SeriesInstanceUID": ...}, "no SeriesInstanceUID"),
        ({"PixelData": b"\0\0"}, "cannot be decoded"),
        ({"Rows": 0}, "0 x 10 pixels"),
    ],
)
def test_headers_that_cannot_work_name_the_file(tmp_path: Path, tags: dict, words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_slice(tmp_path / "odd.dcm", VOLUME[:, :, 0], **tags)
        with pytest.raises(ConfigurationError, match=rf"odd\.dcm.*{re.escape(words)}"):
            list(frames(tmp_path))


@pytest.mark.parametrize("empty", [None, ...])
def test_empty_rescale_counts_as_1_and_0(tmp_path: Path, empty: object) -> None:
    write_slice(tmp_path / "a.dcm", VOLUME[:, :, 0], RescaleSlope=empty, RescaleIntercept=empty)
    np.testing.assert_array_equal(images(frames(tmp_path))[0], VOLUME[:, :, 0].astype(np.int32) + 1024)


def enhanced(order: list[int], *, skip: int | None = None) -> Dataset:
    """Return a multi-frame CT of VOLUME whose frames are stored in ``order``."""
    file = ct_slice(VOLUME[:, :, 0].T)
    file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        delattr(file, name)
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.9, 0.7], 2.5
    plane.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Sequence([measures]), Sequence([plane])
    file.SharedFunctionalGroupsSequence, frames = Sequence([shared]), []
    for index in order:
        frame, position, values = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [-30, -40, -100 + 2.5 * (index + (5 if index == skip else 0))]
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = index + 1, -1024, "HU"
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = Sequence([position]), Sequence([values])
        frames.append(frame)
    file.PerFrameFunctionalGroupsSequence, file.NumberOfFrames = Sequence(frames), len(order)
    stored = np.stack([(VOLUME[:, :, index].T.astype(np.int32) + 1024) for index in order])
    file.PixelData = stored.astype(np.uint16).tobytes()
    return file


def test_enhanced_multi_frame(tmp_path: Path) -> None:
    enhanced([3, 0, 4, 1, 2]).save_as(tmp_path / "all.dcm", enforce_file_format=True)
    found = list(frames(tmp_path))
    assert len(found) == 5
    np.testing.assert_allclose(found[0].affine, AFFINE[:, [1, 0, 2, 3]], atol=1e-6)
    for index, frame in enumerate(found):
        expected = (VOLUME[:, :, index].T.astype(np.int32) + 1024) * (index + 1) - 1024
        np.testing.assert_array_equal(frame.image, expected)
    assert {frame.source.name for frame in found} == {"all.dcm"}


def test_multi_frame_that_is_no_volume_is_named(tmp_path: Path) -> None:
    enhanced([0, 1, 2, 3, 4], skip=3).save_as(tmp_path / "uneven.dcm", enforce_file_format=True)
    with pytest.raises(ConfigurationError, match=r"uneven\.dcm"):
        frames(tmp_path)
    write_series(tmp_path / "good", VOLUME, AFFINE)
    found = frames(tmp_path, skip_bad=True)
    assert (len(found), set(left_out(found))) == (5, {"uneven.dcm"})


def test_series_keep_their_detail(series: Path) -> None:
    from nerone.data.sources import find_sources

    detail = find_sources(series)[0][0].detail
    assert isinstance(detail, DicomSeries)
    assert (detail.rows, detail.columns, len(detail.files), detail.patient) == (10, 12, 5, "phantom")
