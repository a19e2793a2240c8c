"""Streams of NERONE's own compiler: random graphs on every size of DPU, and what the gate refuses."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest

from compilation.emit_simulator import Simulator
from compilation.emit_support import dpu_parts, instructions, lowered
from compilation.random_quantized import random_model
from compilation.small_models import Maker
from nerone import _core
from nerone.compilation.emit.compile import emit_graph, emit_xmodel
from nerone.compilation.emit.machine import SIZES, machine_of, machine_of_size, machine_of_target
from nerone.compilation.emit.prove import prove
from nerone.compilation.emit.tokens import assign_tokens
from nerone.errors import ConfigurationError, ModelError
from nerone.graph import Op
from nerone.instructions import programs_of, run
from paths import golden

MODELS = int(os.environ.get("NERONE_EMIT_MODELS", "32"))
"""Random models per run; 2,000 were compared once."""

NO_DPU = (
    "nothing of it runs on a DPU",
    "quantize it with other fix points",  # a shift that a field cannot hold
)


def _compiled(seed):
    """Return a random model compiled for one of the DPUs, or why that one cannot compute it."""
    size, isa = list(SIZES)[seed % 8], seed // 8 % 2
    try:
        graph = lowered(random_model(seed), size, isa)
    except ModelError:
        return None, "nothing of it runs on a DPU"
    try:
        return emit_graph(graph, machine_of_size(size, isa))[0], ""
    except ModelError as error:
        return None, f"seed {seed}, {size}, ISA{isa}: {error}"


def test_random_models_give_the_integers_of_their_ops():
    start = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seeds {start} to {start + MODELS - 1}")
    counts = Counter()
    for seed in range(start, start + MODELS):
        graph, why = _compiled(seed)
        if graph is None:
            assert any(words in why for words in NO_DPU), why
            counts["refused"] += 1
            continue
        counts["values"] += prove(graph).values
        counts["models"] += 1
    print(dict(counts))
    assert counts["models"] >= MODELS // 3


def test_a_second_simulator_agrees():
    """Written apart from the instruction engine, in numpy, on banks full of garbage; it checks the order too."""
    compared = 0
    for seed in range(100, 108):
        graph, _ = _compiled(seed)
        for program in programs_of(graph) if graph else ():
            rng = np.random.default_rng(seed)
            registers = {
                number: rng.integers(-128, 128, size).astype(np.int8) for number, size in program.register_bytes.items()
            }
            registers[0] = np.frombuffer(program.registers[0], np.int8)
            after = run(
                program.code,
                program.fingerprint,
                {key: each.tobytes() for key, each in registers.items()},
                program.dpu_name,
            )
            Simulator(machine_of(program.fingerprint), registers).run(program.code)
            for number, values in registers.items():
                assert values.tobytes() == after[number], (seed, number)
                compared += values.size
    assert compared > 1000


@pytest.mark.parametrize("isa", [0, 1])
@pytest.mark.parametrize("size", SIZES)
def test_every_size_computes_a_network_larger_than_its_banks(size, isa):
    maker = Maker((37, 41, 3)).conv("wide", 70).conv("strided", 33, strides=(2, 2)).conv("point", 130, kernel=(1, 1))
    compiled, streams = emit_graph(lowered(maker.conv("last", 5).model(), size, isa), machine_of_size(size, isa))
    assert prove(compiled).values == 2 * 19 * 21 * 5
    assert streams[0].instructions[-1].name == "END"


@pytest.fixture
def compiled():
    model = Maker((12, 12, 4)).conv("first", 20).conv("second", 8).model()
    return emit_graph(lowered(model, "B1024"), machine_of_size("B1024", 1))[0]


def _changed(graph, change):
    """Return the graph with its instructions changed and encoded again."""
    part = dpu_parts(graph)[0]
    records = [list(record[:4]) for record in instructions(part)]
    change(records)
    code = _core.encode_instructions([tuple(record) for record in records], 1)
    children = [
        {**child, "attrs": {**child["attrs"], "mc_code": code}} if child["name"] == part["name"] else child
        for child in graph["root"]["children"]
    ]
    return {**graph, "root": {**graph["root"], "children": children}}


def _first(records, name):
    return next(record for record in records if record[0] == name)


def test_the_gate_finds_a_wrong_field(compiled):
    def shift(records):
        _first(records, "CONVINIT")[1]["shift_cut"] += 1

    with pytest.raises(ModelError, match="give other values than its ops"):
        prove(_changed(compiled, shift))


def test_the_gate_finds_a_missing_token(compiled):
    def drop(records):
        conv = _first(records, "CONV")
        conv[2] &= ~1
        giver = next(record for record in records if record[0] == "LOAD" and record[3] & 4)
        giver[3] &= ~4

    with pytest.raises(ModelError, match=r"not in order: .* without waiting for instruction"):
        prove(_changed(compiled, drop))


def test_the_gate_finds_a_token_too_many(compiled):
    def more(records):
        _first(records, "CONV")[2] |= 8

    with pytest.raises(ModelError, match="waits for a token of MISC, which has given none"):
        prove(_changed(compiled, more))

    def left(records):
        _first(records, "CONV")[3] |= 8

    with pytest.raises(ModelError, match="are not in order: "):
        prove(_changed(compiled, left))


def test_nothing_unproved_is_written(tmp_path, monkeypatch):
    model = Maker((8, 8, 4)).conv("only", 4).model()

    def forget(stream):
        return [(waits & ~4, gives) for waits, gives in assign_tokens(stream)]

    monkeypatch.setattr("nerone.compilation.emit.stream.assign_tokens", forget)
    with pytest.raises(ModelError, match=r"not in order: .* without waiting for instruction"):
        emit_xmodel(lowered(model, "B512", 0), machine_of_size("B512", 0), tmp_path / "net.xmodel")
    assert list(tmp_path.iterdir()) == []


def test_what_no_dpu_computes_is_named_before_compiling():
    def refused(model, size="B4096", isa=1):
        with pytest.raises(ModelError) as error:
            emit_graph(lowered(model, size, isa), machine_of_size(size, isa))
        return str(error.value)

    attrs = {"scale": (2, 2), "method": "bilinear", "half_pixel_centers": True, "align_corners": False}
    up = Maker().conv("c", 4).add("up", Op.UPSAMPLE, (16, 16, 4), fix_point=5, attrs=attrs).model()
    assert "op 'up' is a bilinear upsampling, which the DPU does not have; use nearest" in refused(up)
    five = Maker().conv("c", 4).add("sum", Op.ADD, (8, 8, 4), ("c",) * 5, fix_point=5).model()
    assert "op 'sum' has 5 inputs; the DPU takes 4" in refused(five)


@pytest.mark.parametrize("isa", [0, 1])
def test_what_only_a_newer_dpu_has_stays_on_the_cpu_of_an_older_one(isa):
    """A hard sigmoid, and an average of 20x20: version 0 has neither."""
    maker = Maker((40, 40, 4)).conv("c", 4).add("gate", Op.HARD_SIGMOID, (40, 40, 4), fix_point=7)
    pool = {"kernel": (20, 20), "strides": (20, 20), "pad": (0, 0, 0, 0)}
    model = maker.add("average", Op.AVG_POOL, (2, 2, 4), ("c",), fix_point=5, attrs=pool).model("gate", "average")
    graph = lowered(model, "B4096", isa)
    kinds = {op["type"] for op in graph["ops"]}
    assert ("hard-sigmoid-fix" in kinds) == ("pool-fix" in kinds) == (isa == 1)
    compiled, _ = emit_graph(graph, machine_of_size("B4096", isa))
    assert prove(compiled).values > 0


def test_a_first_layer_whose_stride_skips_columns():
    """Its pieces are shorter than the way from one to the next, where the DPU masks nothing."""
    maker = Maker((8, 14, 3)).conv("c", 6, kernel=(1, 2), strides=(1, 3), fix_point=4)
    node = maker.nodes[-1]
    maker.nodes[-1] = node.with_changes(attrs={**node.attrs, "pad": (0, 0, 1, 0)}, shape=(8, 5, 6))
    assert prove(emit_graph(lowered(maker.model(), "B1600"), machine_of_size("B1600", 1))[0]).values > 0


def test_a_tile_that_fits_no_bank_is_named():
    """Placed for a large DPU, compiled for a small one, as an arch.json of another board asks for."""
    graph = lowered(Maker((8, 8, 1000)).conv("deep", 4, kernel=(5, 5)).model(), "B4096")
    with pytest.raises(ModelError, match="op 'deep': a 5x5 window over 1000 channels does not fit the banks of a B512"):
        emit_graph(graph, machine_of_size("B512", 1))


def test_a_compiled_file_is_no_input():
    graph = _core.read_xmodel(str(golden("compiled", "zdce_b4096.xmodel")))
    with pytest.raises(ModelError, match="holds no data; give the quantized model, not a compiled one"):
        emit_graph(graph, machine_of_size("B4096", 1))


def test_a_network_too_large_for_the_board_is_named(tmp_path):
    graph = lowered(Maker((64, 64, 4)).conv("only", 4).model(), "B512")
    with pytest.raises(ConfigurationError, match=r"the board has 0\. Take smaller images"):
        emit_xmodel(graph, machine_of_size("B512", 1), tmp_path / "net.xmodel", memory_bytes=1000)
    assert list(tmp_path.iterdir()) == []


def test_fingerprints_of_other_families_are_refused():
    assert machine_of(0x1000020F6014407).name == "DPUCZDX8G_ISA0_B4096_MAX_BG2"
    assert machine_of(0x101000016010203).size == "B1152"
    assert machine_of_target("DPUCZDX8G_ISA1_B2304").fingerprint == 0x101000016010405
    for wrong in (0, 0x102000016010407, 0x10100001601040F, 0x101000015010007):
        with pytest.raises(ModelError, match="is no fingerprint of a DPUCZDX8G"):
            machine_of(wrong)
    with pytest.raises(ModelError, match="is no DPU that this compiler knows"):
        machine_of_target("DPUCAHX8H")
