"""The benchmark's table of profiles, and its scaling over threads, on a small network."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from softdpu.unet import write_unet

PEERS = Path(__file__).resolve().parents[3] / "benchmarks" / "peers"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(PEERS))
    folder = tmp_path / "small"
    folder.mkdir()
    write_unet(folder / "model.xmodel", 32)
    np.save(folder / "images.npy", np.zeros((1, 32, 32, 1), np.float32))
    return folder


def test_the_table_replaces_what_stands_between_the_markers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import profiles

    page = folder / "page.md"
    page.write_text(f"before\n{profiles.BEGIN}\nold\n{profiles.END}\nbehind\n")
    words = ["profiles.py", str(folder), "--seconds", "0.02", "--page", str(page)]
    monkeypatch.setattr(sys, "argv", words)
    profiles.main()
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("behind\n")
    assert "old" not in text
    row = next(line for line in text.splitlines() if line.startswith("| small |"))
    assert row.count("|") == len(profiles.PARTS) + 7
    shares = [int(cell.split("%")[0]) for cell in row.split("|")[7:-1] if "%" in cell]
    assert 97 <= sum(shares) <= 103
    page.write_text("no markers")
    with pytest.raises(SystemExit, match="add both"):
        profiles.main()


def test_two_threads_are_compared_with_one(folder: Path) -> None:
    import scaling

    found = scaling.measure(folder, 2, 1, 0.1)
    assert set(found) == {"wall", "cpu", "loop"}
    assert 0 < found["wall"] < 4
    assert 0 < found["cpu"] < 4
