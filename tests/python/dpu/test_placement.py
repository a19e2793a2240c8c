"""One decision for every kind of layer, asked by the quantizer and by the lowering."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from nerone.compilation.lowering.fixed import DPU_OPS
from nerone.compilation.lowering.real import CPU_OPS
from nerone.dpu.arithmetic import LEAKY_ALPHA
from nerone.dpu.boards import DPUS
from nerone.dpu.ops import NO_OP, float_reason
from nerone.dpu.placement import KINDS, Layer, cpu_reason
from nerone.graph import Node, Op

ROOT = Path(__file__).resolve().parents[3]
NO_LAYER = {Op.INPUT, Op.UNSUPPORTED}


def test_every_kind_is_decided_once() -> None:
    assert KINDS | NO_OP.keys() | NO_LAYER == set(Op)
    assert not KINDS & NO_OP.keys()


def test_what_is_placed_can_be_lowered() -> None:
    assert set(DPU_OPS) == KINDS
    # A dropout is no op, and the cropping of int8 pixels has an op of its own.
    assert NO_OP.keys() <= CPU_OPS.keys()


@pytest.mark.parametrize(("alpha", "fits"), [(0.1, True), (LEAKY_ALPHA, True), (0.3, False), (0.1025, False)])
def test_quantizer_and_lowering_agree_on_a_slope(alpha: float, fits: bool) -> None:
    node = Node("bend", Op.LEAKY_RELU, ("x",), (4, 4, 8), {"alpha": alpha})
    layer = Layer(node=node, activation=None, pad=(0, 0, 0, 0), channels_in=8, fix_in=3, fix_out=3)
    reason = cpu_reason(DPUS["B4096"], layer)
    assert reason == float_reason(node)
    assert (reason is None) == fits


def test_reasons_stand_in_one_place() -> None:
    sentences = set(NO_OP.values())
    for path in (ROOT / "python/nerone").rglob("*.py"):
        if path.name == "ops.py" and path.parent.name == "dpu":
            continue
        said = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        assert not said & sentences, f"{path.relative_to(ROOT)} repeats a reason of nerone.dpu.ops"
