"""A short soak; `make soak MINUTES=` does it for long."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.soak.campaign import growth
from tests.soak.faults import FAULTS, RARE_FAULTS, raising_device

from nerone import _core
from paths import REPOSITORY

for module in ("aiohttp", "nibabel"):
    pytest.importorskip(module, reason=f"{module} is not installed")

SECONDS = 5.0
RARE = {fault.__name__ for fault in RARE_FAULTS}
# Some rounds are few: an arena of the allocator's more, or one connection that is just being closed.
MOST_BYTES = 32 << 20


@pytest.mark.skipif(_core.sanitized, reason="a sanitizer keeps what is freed for a while")
def test_faults_leave_nothing_behind():
    # In a process of its own: threads of other tests come and go in this one.
    program = (
        "import dataclasses, json; from tests.soak.campaign import soak; "
        f"print(json.dumps(dataclasses.asdict(soak({SECONDS}, seed=7, least_rounds=8))))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout.splitlines()[-1])
    # The device that raises is built with the C++ tests.
    here = [fault.__name__ for fault in FAULTS if fault is not raising_device or "raising_device" in report["faults"]]
    assert {name: count for name, count in report["faults"].items() if name not in RARE} == dict.fromkeys(
        here, report["rounds"]
    )
    assert report["grown_bytes"] < MOST_BYTES
    assert report["grown_threads"] < 1
    assert report["grown_descriptors"] < 1


def test_growth_is_seen_and_noise_is_not():
    assert growth([10 + 3 * n for n in range(50)]) == pytest.approx(147)
    assert growth([100, 104, 99, 100, 160, 100, 101, 100]) < 2
    assert growth([7] * 30) == 0
    assert growth([5]) == 0
