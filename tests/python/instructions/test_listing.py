"""Listings: layers, bytes, tokens."""

from __future__ import annotations

import pytest

from nerone import _core
from nerone.cli.main import main
from nerone.errors import ModelError
from nerone.instructions.listing import disassemble
from paths import golden


def test_convolutions_and_their_bytes_belong_to_layers() -> None:
    path = golden("compiled", "squeezenet_b4096.xmodel")
    lines = list(disassemble(path))
    ops = {op["name"]: op for op in _core.read_xmodel(path)["ops"]}
    weighted = {name for name, op in ops.items() if op["type"] == "conv2d-fix"}
    assert {line.layer for line in lines if line.instruction.name == "CONV"} == weighted
    pools = {name for name, op in ops.items() if op["type"] == "pool-fix"}
    assert {line.layer for line in lines if line.instruction.name == "ALU"} == pools
    assert all(line.layer for line in lines if line.work.moved_bytes)


def test_one_layer_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    path = golden("models", "prmittal_CNN_zcu104.xmodel")
    (layer, *_) = [line.layer for line in disassemble(path) if line.instruction.name == "CONV"]
    assert main(["disassemble", str(path), "--layer", layer]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert all(line.endswith(layer) for line in lines)
    assert any(" CONV " in line for line in lines)
    with pytest.raises(ModelError, match="no instruction"):
        list(disassemble(path, "no such layer"))
