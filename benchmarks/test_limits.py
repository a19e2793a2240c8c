"""The pipeline against what is possible: the network alone, and a device that takes no time.

The demonstration's U-Net on phantom CT slices of 512 x 512, int16 to masks. NERONE_BENCH_BUNDLE and NERONE_BENCH_SCANS
name another bundle and other slices. Excluded: reading files and loading models. All rates are measured in turns.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.turns import bare_processes, device_only, median_ratio, take_turns, whole_pipeline

from nerone.bundle.bundle import Bundle
from nerone.data.phantom_sets import write_phantoms
from nerone.evaluation.bench import load_frames
from nerone.runtime.model import Model

ROUNDS = 7
SECONDS = 0.5


@pytest.fixture(scope="session")
def scans(work: Path) -> Path:
    if "NERONE_BENCH_SCANS" in os.environ:
        return Path(os.environ["NERONE_BENCH_SCANS"])
    write_phantoms("ct-org", work / "limits-scans", count=2, slices=8, size=512)
    return work / "limits-scans"


@pytest.fixture(scope="session")
def bundle(work: Path, scans: Path) -> Bundle:
    if "NERONE_BENCH_BUNDLE" in os.environ:
        return Bundle.open(os.environ["NERONE_BENCH_BUNDLE"])
    pytest.importorskip("keras", reason="TensorFlow is not installed")
    from nerone import deploy
    from nerone.zoo.shipped import shipped_model

    return deploy(
        shipped_model("ct-org"),
        calibration=scans,
        preset="ct-org",
        board="host",
        images=16,
        output=work / "limits.nerone",
    )


@pytest.fixture(scope="session")
def images(bundle: Bundle, scans: Path) -> list[Any]:
    return [frame.image for frame, _ in load_frames(bundle, scans, limit=16).frames]


def verify(bundle: Bundle, images: Sequence[Any]) -> None:
    """The pipeline's masks are the network's own on numpy's preprocessing, but for its one step at resized pixels."""
    from nerone.runtime.preprocessing.numpy_steps import apply

    with (
        Model.load(bundle.host_model_path, until="dpu") as model,
        whole_pipeline(bundle.path, images, threads=2) as (pipeline, _),
    ):
        for image, mask in zip(images[:4], pipeline.map(images[:4]), strict=True):
            scores = model.run(apply(bundle.preprocessing, image)[np.newaxis])
            assert np.mean(np.asarray(scores)[0].argmax(-1) != mask) < 0.005


def test_share_of_the_device_and_scaling(benchmark: Any, bundle: Bundle, images: list[Any]) -> None:
    """Whole pipeline over network alone with the same threads; two workers over one, beside two processes over one."""
    verify(bundle, images)
    xmodel = bundle.host_model_path
    with ExitStack() as stack:
        contenders = {}
        for count in (1, 2):
            contenders[f"device {count}"] = stack.enter_context(device_only(xmodel, count))
            _, contenders[f"pipeline {count}"] = stack.enter_context(whole_pipeline(bundle.path, images, threads=count))
            contenders[f"processes {count}"] = stack.enter_context(bare_processes(xmodel, count))
        rates = benchmark.pedantic(take_turns, (contenders,), {"rounds": ROUNDS, "seconds": SECONDS}, rounds=1)
    lines = []
    for count in (1, 2):
        pipeline, device = (float(np.median(rates[f"{name} {count}"])) for name in ("pipeline", "device"))
        share = median_ratio(rates[f"pipeline {count}"], rates[f"device {count}"])
        lines.append(
            f"{_workers(count)}: image to mask {pipeline:.1f} fps, network alone {device:.1f} fps: "
            f"{100 * share:.1f} % (wanted 97)"
        )
        assert share > 0.5  # a busy machine must not fail here
    scaling = {name: median_ratio(rates[f"{name} 2"], rates[f"{name} 1"]) for name in ("pipeline", "processes")}
    lines.append(
        f"2 workers over 1: {scaling['pipeline']:.2f} (wanted 1.9 where two processes of the bare engine scale so; "
        f"here they scale {scaling['processes']:.2f})"
    )
    benchmark.extra_info["lines"] = lines


@pytest.mark.parametrize("threads", [1, 2])
def test_overhead_per_frame(benchmark: Any, bundle: Bundle, images: list[Any], threads: int) -> None:
    """Cost of a frame beside preprocessing, device and postprocessing, on a simulated device that takes no time."""
    with whole_pipeline(bundle.path, images, threads=threads, compute=False) as (pipeline, rate):

        def overheads_us() -> list[float]:
            rate(0.2)
            found = []
            for _ in range(ROUNDS):
                pipeline.reset_stats()
                fps = rate(SECONDS)
                stats = pipeline.stats()
                work_ms = stats.preprocess.mean_ms + stats.device.mean_ms + stats.postprocess.mean_ms
                found.append(1e6 / fps - 1e3 * work_ms / threads)
            return found

        found = benchmark.pedantic(overheads_us, rounds=1)
    benchmark.extra_info["lines"] = [
        f"{_workers(threads)}, device that takes no time (simulated): overhead of a frame from Python "
        f"{np.median(found):.1f} us, best {min(found):.1f} us (wanted below 30)"
    ]


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"
