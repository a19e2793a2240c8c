"""Series for the node's tests, and what sends them."""

from __future__ import annotations

import io

import numpy as np
import pydicom

from data.dicom_files import ct_slice

__all__ = ["read_back", "series", "store"]

CT = "1.2.840.10008.5.1.4.1.1.2"


def read_back(image: pydicom.Dataset) -> pydicom.Dataset:
    buffer = io.BytesIO()
    image.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return pydicom.dcmread(buffer)


def series(number: int = 0, slices: int = 4) -> list[pydicom.Dataset]:
    values = np.random.default_rng(number)
    uid = f"1.2.826.0.1.3680043.8.498.{number + 70}"
    images = [
        ct_slice(
            values.integers(-800, 1200, (20, 14)),
            position=(0.0, 0.0, 2.0 * index),
            series=uid,
            number=index + 1,
        )
        for index in range(slices)
    ]
    return [read_back(image) for image in images]


def store(port: int, images, title: str = "SENDER") -> list[int]:
    """Send images and give the statuses; none where the association is refused."""
    import pynetdicom

    entity = pynetdicom.AE(title)
    entity.add_requested_context(CT, images[0].file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port, ae_title="NERONE")
    if not association.is_established:
        return []
    try:
        return [association.send_c_store(image).get("Status", -1) for image in images]
    finally:
        association.release()
