"""nerone board prove, with the software DPU in the board's place."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nerone import _core
from nerone.cli.main import main
from nerone.compilation.compiler import lower_to_xir
from nerone.compilation.emit.compile import emit_graph
from nerone.compilation.emit.machine import machine_of_size
from nerone.compilation.emit.prove import prove
from nerone.deployment.board_proof import prove as proof
from nerone.deployment.board_proof.prove import prove_board
from nerone.deployment.board_proof.trials import TRIALS
from nerone.dpu.boards import find_board
from nerone.errors import ConfigurationError


@pytest.mark.parametrize("isa", [0, 1])
@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_each_trials_instructions_are_right(trial, isa):
    """The changed ones too, but for those whose meaning is the question."""
    graph, _, _ = lower_to_xir(trial.model(), find_board("host"), uint64=_core.UInt64)
    machine = machine_of_size("B1024", isa)
    compiled, (stream,) = emit_graph(graph, machine)
    assert prove(compiled).values > 0
    if trial.change is not None:
        records = trial.change(stream.instructions, stream.tokens)
        code = _core.encode_instructions(records, isa)
        (part,) = [part for part in compiled["root"]["children"] if part["attrs"]["device"] == "DPU"]
        assert code != bytes(part["attrs"]["mc_code"])
        part["attrs"]["mc_code"] = code
        assert prove(compiled).values > 0


def test_the_whole_way_on_the_software_dpu(tmp_path, capsys):
    report = tmp_path / "report.json"
    words = ["board", "prove", "--board", "kv260", "--device", "softdpu", "-o", str(report)]
    assert main([*words, "--trials", "copy,conv_3x3,timing"]) == 0
    out = capsys.readouterr().out
    assert "equal  conv_3x3: are windows and their padding read so?" in out
    found = json.loads(report.read_text())
    assert [row["outcome"] for row in found["trials"]] == ["equal"] * 3
    assert found["dpu"] == "DPUCZDX8G_ISA1_B4096"
    assert found["trials"][2]["median_us"] > 0


def test_a_wrong_result_and_a_hang_are_reported(monkeypatch):
    wrong = np.savez

    def spoiled(path, image, expected):
        wrong(path, image=image, expected=expected + 1)

    monkeypatch.setattr(proof.np, "savez", spoiled)
    (row,) = prove_board("zcu104", device="softdpu", only=["relu"])["trials"]
    assert row["outcome"] == "different"
    assert row["differing"] == row["values"] == 12 * 10 * 8
    assert row["first"]["expected"] == row["first"]["found"] + 1
    rows = prove_board("zcu104", device="softdpu", only=["copy", "relu"], time_limit_s=0.01)["trials"]
    assert [row["outcome"] for row in rows] == ["hung", "not tried"]


def test_bad_input_is_named():
    for options, words in (
        ({"board": "host"}, "the host has no DPU to prove"),
        ({"board": "kv260", "only": ["conv"]}, "there is no trial 'conv'; known are add"),
        ({"board": "kv260", "time_limit_s": 0}, "a time limit of 0 s cannot be"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            prove_board(**options)
    (row,) = prove_board("kv260", device="/nowhere/lib.so", only=["copy"])["trials"]
    assert row["outcome"] == "failed"
    assert "/nowhere/lib.so" in row["reason"]
