"""A refusal of the plug-in reaches Python as a typed error through the real libvart, and the process lives on."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import nerone
from nerone import _core, errors
from runtime import xmodels

SHAPE = (1, 2, 2, 3)


def write(path: Path, op: dict[str, Any], **dpu: Any) -> Path:
    child = xmodels.subgraph("dpu", "DPU", [op["name"]])
    child["attrs"] |= dpu
    return xmodels.write(path, [xmodels.data_fix("x", SHAPE, 4), op], [xmodels.subgraph("in", "USER", ["x"]), child])


def addition(**attrs: Any) -> dict[str, Any]:
    given = {"type": "ADD", "nonlinear": "NONE"} | attrs
    return xmodels.op("y", "eltwise-fix", xmodels.fixed(SHAPE, 4), ["x", "x"], **given)


@pytest.mark.parametrize("family", ["DPUCVDX8G_ISA3_C32B6", "DPUCAHX8H_ISA2_DWC", "DPUCADF8H"])
def test_other_families_are_refused_in_one_sentence(family: str, tmp_path: Path) -> None:
    path = write(tmp_path / "other.xmodel", addition(), dpu_name=family)
    with pytest.raises(errors.ModelError, match=family.split("_")[0]) as caught:
        nerone.Model.load(path)
    assert "\n" not in str(caught.value)


def test_every_entry_point_names_the_family_first(tmp_path: Path) -> None:
    """Whole models of other families end in ops of the vendor's own, which are not what is wrong with them."""
    from nerone.compilation.estimate import estimate
    from nerone.compilation.inspection import inspect_xmodel
    from nerone.deployment.wrap_xmodel import is_compiled, wrap_compiled

    path = tmp_path / "other.xmodel"
    child = xmodels.subgraph("dpu", "DPU", ["y"])
    child["attrs"]["dpu_name"] = "DPUCVDX8G_ISA3_C32B6"
    ops = [
        xmodels.data_fix("x", SHAPE, 4),
        addition(),
        xmodels.op("boxes", "my-detections", xmodels.real((1, 4)), ["y"], shape=[1, 4], data_type="FLOAT32"),
    ]
    children = [xmodels.subgraph("in", "USER", ["x"]), child, xmodels.subgraph("cpu", "CPU", ["boxes"])]
    xmodels.write(path, ops, children)
    assert inspect_xmodel(path)["dpu"] == "DPUCVDX8G_ISA3_C32B6"
    doors = [
        lambda: nerone.Model.load(path),
        lambda: nerone.Model.load(path, until="dpu"),
        lambda: _core.XmodelFile(path),
        lambda: _core.read_xmodel(path),
        lambda: estimate(path, board="zcu104"),
        lambda: is_compiled(path),
        lambda: wrap_compiled(path, preset="bccd", output=tmp_path / "net.nerone"),
    ]
    for door in doors:
        with pytest.raises(errors.ModelError, match=r"other.xmodel.*the DPU family of DPUCVDX8G") as caught:
            door()
        assert "my-detections" not in str(caught.value)


@pytest.mark.parametrize("attrs", [{"nonlinear": "PRELU"}, {"nonlinear": "TANH"}, {"type": "DIV"}])
def test_unknown_arithmetic_is_refused_with_the_ops_name(attrs: dict[str, str], tmp_path: Path) -> None:
    path = write(tmp_path / "unknown.xmodel", addition(**attrs))
    with pytest.raises(errors.ModelError, match="'y'"):
        nerone.Model.load(path)


def test_unknown_kernels_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "plain.xmodel", addition())
    with pytest.raises(errors.ConfigurationError, match="fast"):
        nerone.Model.load(path, kernels="fast")


def test_a_simulated_board_gives_its_own_rate_to_many_runners(tmp_path: Path) -> None:
    """Two cores of 4 ms a job: 500 jobs a second, whatever the number of runners from two on."""
    file = _core.XmodelFile(write(tmp_path / "board.xmodel", addition()))
    options = _core.DeviceOptions(cores=2, job_latency_us=4000, compute=False)
    runners = [_core.Runner(file, "dpu", options) for _ in range(4)]
    before = [runner.output_arrays()[0][0].copy() for runner in runners]

    def work(runner: _core.Runner) -> None:
        for _ in range(40):
            runner.finish(runner.start())

    taken: list[float] = []
    # How much slower than the device depends on what else this machine does; the best of some rounds counts.
    while len(taken) < 20 and min(taken, default=1.0) >= 0.32 * 1.5:
        threads = [Thread(target=work, args=(runner,)) for runner in runners]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken.append(time.perf_counter() - begin)
    print(f"simulated: {160 / min(taken):.1f} of 500 jobs a second")
    assert min(taken) >= 0.32, "never faster than the device"
    # Far from what it takes where nobody else runs, as there is no telling what else this machine does.
    assert min(taken) < 0.32 * 5
    for runner, values in zip(runners, before, strict=True):
        np.testing.assert_array_equal(runner.output_arrays()[0][0], values)


def test_runners_in_many_threads_give_the_same_bits(tmp_path: Path) -> None:
    file = _core.XmodelFile(write(tmp_path / "threads.xmodel", addition()))
    wrong: list[int] = []

    def work(number: int) -> None:
        runner = _core.Runner(file, "dpu", _core.DeviceOptions())
        for value in range(-60, 60):
            runner.input_arrays()[0][0][...] = value
            runner.finish(runner.start())
            if not (runner.output_arrays()[0][0] == 2 * value).all():
                wrong.append(number)

    threads = [Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
