"""Archives with a wrong byte: whoever reads one says so in a sentence, whatever zipfile and its decompressors raise."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from nerone.archives import DAMAGED_ZIP
from nerone.deployment.remote.wheelhouse import Platform, choose_wheels
from nerone.errors import ConfigurationError, ModelError
from nerone.graph import load

TEXT = "".join(chr(32 + number * number % 90) for number in range(100))


def damaged(path: Path, members: tuple[str, ...]) -> Iterator[int]:
    """Write an archive of every way of packing, and give each of its bytes another value, or end it there."""
    packings = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    with zipfile.ZipFile(path, "w") as archive:
        for name, packing in zip(members, packings, strict=False):
            archive.writestr(name, TEXT, packing)
    whole = path.read_bytes()
    for place, byte in enumerate(whole):
        path.write_bytes(whole[:place] + bytes([byte ^ (1 << place % 8)]) + whole[place + 1 :])
        yield place
        path.write_bytes(whole[:place])
        yield place


def test_reading_raises_nothing_else(tmp_path: Path) -> None:
    path, raised = tmp_path / "a.zip", Counter[str]()
    for _ in damaged(path, ("stored", "deflated", "bzip2", "lzma")):
        try:
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    archive.read(member)
        except (OSError, *DAMAGED_ZIP) as error:
            raised[f"{type(error).__module__}.{type(error).__name__}"] += 1
    assert {"zipfile.BadZipFile", "zlib.error"} <= set(raised)


def test_a_wheel_with_a_wrong_byte_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "nerone-1.0-py3-none-any.whl"
    refused = []
    for _ in damaged(path, ("nerone-1.0.dist-info/RECORD", "nerone/__init__.py")):
        try:
            choose_wheels(tmp_path, Platform((3, 11), "x86_64"), "board", ["numpy"])
        except ConfigurationError as error:
            refused.append(str(error))
    assert set(refused) == {f"'{path}' is no whole wheel; copy or download it again"}
    assert len(refused) > path.stat().st_size


def test_a_keras_file_with_a_wrong_byte_is_a_model_error(tmp_path: Path) -> None:
    path = tmp_path / "a.keras"
    for _ in damaged(path, ("metadata.json", "config.json")):
        with pytest.raises(ModelError, match=r"a\.keras"):
            load(path)
