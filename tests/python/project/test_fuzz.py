"""A few seconds of mutants for every door; `make fuzz MINUTES=` does it for long."""

from __future__ import annotations

import pytest
from tests.fuzz.campaign import campaign
from tests.fuzz.doors import DOORS

from nerone import _core

SECONDS = 2.0
NEEDS = {
    "h5": ["h5py"],
    "onnx": ["onnx"],
    "images": ["PIL"],
    "messages": ["aiohttp"],
    "sockets": ["aiohttp", "nibabel"],
}


@pytest.mark.skipif(_core.sanitized, reason="a sanitizer's shadow memory does not fit under a limit of address space")
@pytest.mark.parametrize("name", sorted(DOORS))
def test_mutants_are_taken_or_refused(name):
    for package in NEEDS.get(name, []):
        pytest.importorskip(package, reason=f"{package} is not installed")
    counts, finding = campaign(name, SECONDS, seed=7)
    assert finding == ""
    assert counts["mutants"] > 0
