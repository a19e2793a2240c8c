"""Files whose registers hold constants as the vendor's instructions read them, compared with the host compilation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compilation.small_models import Maker
from nerone import _core
from nerone.compilation import compile as compile_model
from nerone.compilation.vendor.compiler import check_vendor_model
from nerone.compilation.vendor.constants import read_declared
from nerone.errors import ModelError
from nerone.graph import Op
from paths import golden

BIAS, FINEST = 12, 3 + 7 + 1  # the fix point of second's bias; fi + fw + 1 of its sum


@pytest.fixture
def quantized() -> Any:
    maker = Maker(shape=(6, 6, 2), fix_point=3).conv("first", 4, fix_point=3)
    rng = np.random.default_rng(1)
    weights = {"kernel": rng.normal(0, 0.3, (3, 3, 5, 4)).astype(np.float32)}
    weights["bias"] = rng.integers(-128, 128, 5).astype(np.float32) * np.float32(2.0**-BIAS)
    attrs = {"strides": (2, 2), "pad": (0, 1, 0, 1)}
    maker.add("second", Op.TRANSPOSED_CONV2D, (12, 12, 5), fix_point=2, attrs=attrs, weights=weights)
    maker.weight_fix_points["second"]["bias"] = BIAS
    return maker.model()


def in_registers(path: Path, target: Path, rounding: Any) -> Path:
    """Write a host compilation with all constants in REG_0, as the vendor's instructions read them."""
    graph, register = _core.read_xmodel(str(path)), b""
    ops = {op["name"]: op for op in graph["ops"]}
    for op in graph["ops"]:
        for role in ("weights", "bias"):
            for name in op["inputs"].get(role, ()):
                shape = ops[name]["output"]["shape"]
                data = np.frombuffer(bytes(ops[name]["attrs"]["data"]), np.int8).reshape(shape)
                if role == "weights" and op["type"].startswith("transposed"):
                    phases = [data[:, y::2, x::2].reshape(shape[0], -1) for y in (0, 1) for x in (0, 1)]
                    data = np.concatenate(phases, axis=1)
                if role == "bias" and ops[name]["output"]["attrs"]["fix_point"] == BIAS:
                    data = rounding(data * 2.0 ** (FINEST - BIAS)).astype(np.int8)
                ops[name]["output"]["attrs"] |= {"reg_id": 0, "ddr_addr": len(register)}
                ops[name]["attrs"]["data"] = b""
                register += data.tobytes()
    for part in graph["root"]["children"]:
        if part["attrs"]["device"] == "DPU":
            part["attrs"] |= {"reg_id_to_parameter_value": {"REG_0": register}, "constant_layout": "instructions"}
    _core.write_xmodel(graph, str(target))
    return target


@pytest.mark.parametrize("rounding", [np.floor, lambda x: np.floor(x + 0.5)])
def test_rounded_biases_and_phases_pass_the_comparison(quantized: Any, rounding: Any, tmp_path: Path) -> None:
    own = compile_model(quantized, output=tmp_path / "own.xmodel").path
    path = in_registers(own, tmp_path / "net.xmodel", rounding)
    found = check_vendor_model(path, quantized, None)
    assert found.rescaled == ("second",)
    assert "rounded the biases of second" in found.notes()[-1]


def test_a_wrong_bias_is_found_all_the_same(quantized: Any, tmp_path: Path) -> None:
    own = compile_model(quantized, output=tmp_path / "own.xmodel").path
    path = in_registers(own, tmp_path / "net.xmodel", lambda x: np.clip(np.floor(x) - 40, -128, 127))
    with pytest.raises(ModelError, match="layer 'second' is the first that differs"):
        check_vendor_model(path, quantized, None)


def test_published_files_in_their_declared_form() -> None:
    path = golden("compiled", "nerone_ctorg_isa0_b4096.xmodel")
    graph = read_declared(path)
    ops = {op["name"]: op for op in graph["ops"]}
    last = ops["quant_conv2d_18"]
    assert ops[last["inputs"]["bias"][0]]["output"]["attrs"]["fix_point"] == 7, "declared as 9, stored as 1 + 5 + 1"
    sizes = [(len(bytes(op["attrs"]["data"])), int(np.prod(op["output"]["shape"]))) for op in graph["ops"]
             if op["type"] == "const-fix"]  # fmt: skip
    assert len(sizes) == 46
    assert all(found == expected for found, expected in sizes)
