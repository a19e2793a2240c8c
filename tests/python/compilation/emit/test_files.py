"""Files of NERONE's own compiler beside the vendor's: attributes, habits of the instructions, and VART."""

from __future__ import annotations

import subprocess
from collections import Counter, defaultdict

import numpy as np
import pytest

from compilation.emit_support import dpu_parts, instructions, lowered
from nerone import Model, _core
from nerone.compilation.emit.compile import emit_graph, emit_xmodel
from nerone.compilation.emit.machine import SIZES, machine_of, machine_of_size
from nerone.compilation.emit.prove import prove
from nerone.compilation.quantized_xir import load_quantized_xir
from nerone.instructions import programs_of
from nerone.instructions.timing import simulate
from nerone.instructions.work import work_of
from nerone.quantization import load_vai_q
from paths import golden

NETWORKS = [
    ("h5/prostate_double_q.h5", "nerone_prostate_double"),
    ("h5/bccd_q.h5", "nerone_BCCD_zcu104"),
    ("quantized/prmittal_CNN_int.xmodel", "prmittal_CNN_zcu104"),
]


def quantized(source):
    path = golden(*source.split("/"))
    return load_vai_q(path) if source.endswith("h5") else load_quantized_xir(path)


@pytest.mark.parametrize(("source", "name"), NETWORKS)
def test_a_published_network_gives_the_vendors_integers(tmp_path, source, name):
    vendor = _core.read_xmodel(str(golden("models", f"{name}.xmodel")))
    machine = machine_of(int(dpu_parts(vendor)[0]["attrs"]["dpu_fingerprint"]))
    made = emit_xmodel(lowered(quantized(source), machine.size, machine.isa), machine, tmp_path / "own.xmodel")
    vector = np.load(golden("models", f"{name}.npz"))
    result = Model.load(made.path, until="dpu").run(vector["input"])
    np.testing.assert_array_equal(result, vector["expected"])
    assert "not yet on silicon" in made.note()


@pytest.mark.parametrize("isa", [0, 1])
@pytest.mark.parametrize("size", SIZES)
def test_a_quantized_file_on_every_dpu(size, isa):
    model = quantized("quantized/prmittal_CNN_int.xmodel")
    assert prove(emit_graph(lowered(model, size, isa), machine_of_size(size, isa))[0]).values == 2 * 10


def test_the_file_has_the_vendors_attributes(tmp_path):
    source, name = NETWORKS[2]
    vendor = _core.read_xmodel(str(golden("models", f"{name}.xmodel")))
    machine = machine_of(int(dpu_parts(vendor)[0]["attrs"]["dpu_fingerprint"]))
    emit_xmodel(lowered(quantized(source), machine.size, machine.isa), machine, tmp_path / "own.xmodel")
    own = _core.read_xmodel(str(tmp_path / "own.xmodel"))
    theirs, ours = dpu_parts(vendor)[0]["attrs"], dpu_parts(own)[0]["attrs"]
    assert set(theirs) == set(ours)
    for key in ("device", "dpu_name", "dpu_fingerprint", "runner", "reg_id_to_context_type", "debug_mode"):
        assert ours[key] == theirs[key], key
    for key in ("reg_id_to_context_type_v2", "reg_id_to_hw_segment"):
        assert ours[key] == theirs[key], key
    assert set(ours["reg_id_to_size"]) == set(theirs["reg_id_to_size"])
    assert len(ours["reg_id_to_parameter_value"]["REG_0"]) == ours["reg_id_to_size"]["REG_0"]
    kinds = {op["name"]: op["type"] for op in own["ops"]}
    inner = [child for child in dpu_parts(own)[0]["children"] if kinds[child["ops"][-1]] not in ("upload", "download")]
    assert [child["name"] for child in inner] == ours["children_topological_sort"]
    kinds = {"device": "USER"}, {"device": "DPU"}, {"device": "CPU"}
    assert [{"device": child["attrs"]["device"]} for child in own["root"]["children"]] == list(kinds)
    _same_tensor_attributes(vendor, own)


def test_the_vendors_tool_reads_the_file(tmp_path):
    machine = machine_of_size("B4096", 1)
    path = tmp_path / "own.xmodel"
    emit_xmodel(lowered(quantized("quantized/prmittal_CNN_int.xmodel"), "B4096"), machine, path)
    shown = subprocess.run(["xir", "subgraph", str(path)], capture_output=True, text=True, check=True).stdout
    assert "DPU" in shown
    text = tmp_path / "own.txt"
    subprocess.run(["xir", "dump_txt", str(path), str(text)], check=True, capture_output=True)
    assert "mc_code" in text.read_text(errors="replace")


def _same_tensor_attributes(vendor, own):
    """Each kind of op's tensor carries the same attributes; constants carry no bytes."""

    def keys(graph):
        found = defaultdict(set)
        for op in graph["ops"]:
            found[op["type"]] |= set(op["output"]["attrs"])
        return found

    theirs, ours = keys(vendor), keys(own)
    for kind in set(theirs) & set(ours):
        assert ours[kind] == theirs[kind], kind
    for op in own["ops"]:
        if op["type"] == "const-fix":
            assert len(op["attrs"]["data"]) == 0
        if op["type"] == "conv2d-fix":
            height, width, channels = op["output"]["shape"][1:]
            assert op["output"]["attrs"]["stride"] == [height * width * channels, width * channels, channels, 1]


@pytest.mark.parametrize(("source", "name"), NETWORKS[:2])
def test_speed_beside_the_vendors_stream(source, name):
    """By the timing model, on two cores; 0.99 and 1.05 when written."""
    vendor = _core.read_xmodel(str(golden("models", f"{name}.xmodel")))
    machine = machine_of(int(dpu_parts(vendor)[0]["attrs"]["dpu_fingerprint"]))
    own, _ = emit_graph(lowered(quantized(source), machine.size, machine.isa), machine)
    theirs, ours = (
        simulate(work_of(programs_of(graph)[0]), clock_mhz=300.0, memory_gb_s=19.2, cores=2).image_us
        for graph in (vendor, own)
    )
    print(f"{name}: the vendor's {theirs:.0f} us, ours {ours:.0f} us")
    assert theirs / ours > 0.9


@pytest.fixture(scope="module")
def vendor_habits():
    """Per ISA, instruction and field, the values that the vendor's compiler writes."""
    habits = {0: defaultdict(set), 1: defaultdict(set)}
    for folder in ("compiled", "models"):
        for path in sorted(golden(folder).glob("*.xmodel")):
            for part in dpu_parts(_core.read_xmodel(str(path))):
                isa = (int(part["attrs"]["dpu_fingerprint"]) >> 48) & 0xFF
                for name, fields, *_ in instructions(part):
                    for field, value in fields.items():
                        habits[isa][name, field].add(value)
    return habits


# Fields that choose a behaviour: only values that occur in vendor files.
CHOICES = {
    "LOAD": ("hp", "const", "broadcast", "mode_avg", "pad_idx", "reg"),
    "SAVE": ("hp", "argmax", "const", "const_en", "reg"),
    "CONVINIT": ("act", "stride_out", "stride_offset_out"),
    "POOLINIT": ("type", "stride_out", "stride_offset_out"),
    "ALUINIT": ("mode", "stride_out", "stride_offset_out"),
    "ALU": ("vpp", "kernel_d"),
    "ELEWINIT": ("id", "share_pp", "jump_bank"),
    "ELEW": ("type", "num", "vpp", "act"),
}


@pytest.mark.parametrize(("source", "isa"), [(source, isa) for source, _ in NETWORKS for isa in (0, 1)])
def test_instructions_keep_to_the_vendors_habits(source, isa, vendor_habits):
    graph, _ = emit_graph(lowered(quantized(source), "B4096", isa), machine_of_size("B4096", isa))
    for part in dpu_parts(graph):
        stream = instructions(part)
        for name, fields, *_ in stream:
            for field in CHOICES.get(name, ()):
                if field in fields:
                    assert fields[field] in vendor_habits[isa][name, field], f"{name} {field} {fields[field]}"
        _check_self_bits(stream)


def _check_self_bits(stream):
    """The own bit stands in both masks; of two SAVEs of a pair each has it once, and the second has hp 1."""
    units = {"LOAD": 1, "SAVE": 2, "END": 2, "CONV": 4, "CONVINIT": 4}
    kinds, first = Counter(), None
    for name, fields, waits, gives, _ in stream:
        bit = units.get(name, 8)
        own = (bool(waits & bit), bool(gives & bit))
        if name != "SAVE" or own == (True, True):
            assert own == (True, True), name
            assert name != "SAVE" or fields["hp"] == 0
            assert first is None
        elif own == (True, False):
            assert fields["hp"] == 0
            assert first is None
            first = fields
        else:
            assert own == (False, True)
            assert fields["hp"] == 1
            assert first is not None
            first = None
            kinds["pairs"] += 1
    assert first is None
