"""DICOM: files told by their content, headers, series, pixels."""

from __future__ import annotations

from nerone.data.dicom.find import find_series, scan_folders
from nerone.data.dicom.header import is_dicom
from nerone.data.dicom.pixels import read_pages, read_slice, read_slices
from nerone.data.dicom.series import DicomSeries

__all__ = ["DicomSeries", "find_series", "is_dicom", "read_pages", "read_slice", "read_slices", "scan_folders"]
