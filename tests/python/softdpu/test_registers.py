"""Weights in a register of instructions: the software DPU reads them as a board does, whatever the tensors declare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nerone import _core
from nerone.errors import ModelError
from runtime import xmodels
from softdpu import numpy_dpu
from softdpu.engines import ENGINES

FIXES = {"input": 1, "weights": 5, "bias": 9, "output": 0}


def stored_by_phases(weights: Any, strides: tuple[int, int]) -> bytes:
    """Each output channel as the small kernels of the ordinary convolutions that make its output phases."""
    sh, sw = strides
    parts = [weights[:, y::sh, x::sw].reshape(len(weights), -1) for y in range(sh) for x in range(sw)]
    return np.concatenate(parts, axis=1).tobytes()


def write_file(path: Path, arrays: dict[str, Any], register: bytes, attrs: dict[str, Any], **part: Any) -> Path:
    """Write one transposed convolution whose constants lie in REG_0, the bias behind the weights."""
    x, weights, bias, expected = (arrays[name] for name in ("x", "weights", "bias", "expected"))
    ops = [xmodels.data_fix("x", x.shape, FIXES["input"])]
    for name, values, address in (("weights", weights, 0), ("bias", bias, weights.size)):
        constant = xmodels.op(name, "const-fix", xmodels.fixed(values.shape, FIXES[name]))
        constant["attrs"] = {"shape": list(values.shape), "data_type": "XINT8", "data": b""}
        constant["output"]["attrs"] |= {"reg_id": 0, "ddr_addr": address}
        ops.append(constant)
    inputs = {"input": ["x"], "weights": ["weights"], "bias": ["bias"]}
    ops.append(
        xmodels.op("conv", "transposed-conv2d-fix", xmodels.fixed(expected.shape, FIXES["output"]), inputs, **attrs)
    )
    dpu = xmodels.subgraph("dpu", "DPU", ["weights", "bias", "conv"])
    dpu["attrs"] |= {"reg_id_to_parameter_value": {"REG_0": register}, **part}
    return xmodels.write(path, ops, [xmodels.subgraph("in", "USER", ["x"]), dpu])


def transposed(rng: Any, kernel: tuple[int, int], strides: tuple[int, int], pad: list[int]) -> tuple[Any, Any]:
    arrays = {
        "x": rng.integers(-128, 128, (1, 5, 4, 3), np.int8),
        "weights": rng.integers(-9, 9, (4, *kernel, 3), np.int8),
        "bias": rng.integers(-128, 128, 4, np.int8),
    }
    attrs = {"kernel": [*kernel[::-1]], "stride": [*strides[::-1]], "pad": pad, "nonlinear": "NONE"}
    # The bytes of a bias that is finer than the sum have the sum's fix point, with its one further bit.
    fixes = FIXES | {"bias": min(FIXES["bias"], FIXES["input"] + FIXES["weights"] + 1)}
    kind = "transposed-conv2d-fix"
    arrays["expected"] = numpy_dpu.convolution(kind, arrays["x"], arrays["weights"], arrays["bias"], fixes, attrs)
    return arrays, attrs


def run(path: Path, x: Any, kernels: str) -> Any:
    runner = _core.Runner(_core.XmodelFile(str(path)), "dpu", _core.DeviceOptions(kernels=kernels))
    runner.input_arrays()[0][0][...] = x
    runner.finish(runner.start())
    return runner.output_arrays()[0][0].copy()


@pytest.mark.parametrize("kernels", ENGINES)
@pytest.mark.parametrize(
    ("kernel", "strides", "pad"),
    [
        ((3, 3), (2, 2), [0, 1, 0, 1]),
        ((4, 4), (2, 2), [1, 1, 1, 1]),
        ((5, 5), (2, 2), [1, 2, 1, 2]),
        ((2, 2), (2, 2), [0, 0, 0, 0]),
        ((4, 3), (3, 2), [0, 0, 0, 1]),
        ((3, 1), (2, 1), [0, 0, 1, 0]),
    ],
)
def test_phases_and_rescaled_bias(kernel: Any, strides: Any, pad: list[int], kernels: str, tmp_path: Path) -> None:
    arrays, attrs = transposed(np.random.default_rng(3), kernel, strides, pad)
    register = stored_by_phases(arrays["weights"], strides) + arrays["bias"].tobytes()
    path = write_file(tmp_path / "net.xmodel", arrays, register, attrs, constant_layout="instructions")
    np.testing.assert_array_equal(run(path, arrays["x"], kernels), arrays["expected"])


def test_declared_layout_is_taken_as_it_stands(tmp_path: Path) -> None:
    arrays, attrs = transposed(np.random.default_rng(4), (3, 3), (2, 2), [0, 1, 0, 1])
    fixes = FIXES | {"bias": FIXES["bias"]}
    kind = "transposed-conv2d-fix"
    expected = numpy_dpu.convolution(kind, arrays["x"], arrays["weights"], arrays["bias"], fixes, attrs)
    register = arrays["weights"].tobytes() + arrays["bias"].tobytes()
    path = write_file(tmp_path / "net.xmodel", arrays, register, attrs, constant_layout="declared")
    np.testing.assert_array_equal(run(path, arrays["x"], "portable"), expected)


def test_unknown_layout_is_refused_in_one_sentence(tmp_path: Path) -> None:
    arrays, attrs = transposed(np.random.default_rng(5), (3, 3), (2, 2), [0, 1, 0, 1])
    register = arrays["weights"].tobytes() + arrays["bias"].tobytes()
    path = write_file(tmp_path / "net.xmodel", arrays, register, attrs, constant_layout="spiral")
    with pytest.raises(ModelError, match="its constants lie as 'spiral', expected 'declared' or 'instructions'"):
        run(path, arrays["x"], "portable")
