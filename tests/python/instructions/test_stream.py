"""Bytes to instructions and back."""

from __future__ import annotations

import os
import random

import pytest

from nerone.errors import ModelError
from nerone.instructions import Instruction, Program, decode, encode, programs_of
from paths import GOLDEN, golden

_FILES = sorted(path.stem for folder in ("compiled", "models") for path in (GOLDEN / folder).glob("*.xmodel"))
_MUTATIONS = int(os.environ.get("NERONE_FUZZ_COUNT", "20000"))


def _programs(name: str) -> list[Program]:
    folder = "compiled" if (GOLDEN / "compiled" / f"{name}.xmodel").exists() else "models"
    return programs_of(golden(folder, f"{name}.xmodel"))


@pytest.mark.parametrize("name", _FILES)
def test_streams_of_the_vendor_encode_to_the_same_bytes(name: str) -> None:
    programs = _programs(name)
    assert programs
    for program in programs:
        for stream in program.streams:
            instructions = decode(stream, program.version)
            assert instructions[-1].name == "END"
            assert encode(instructions, program.version) == stream


def _mutated(stream: bytes, generator: random.Random) -> bytes:
    bytes_ = bytearray(stream)
    for _ in range(generator.randint(1, 4)):
        at = generator.randrange(len(bytes_)) if bytes_ else 0
        match generator.randrange(4):
            case 0:
                bytes_[at : at + 1] = bytes([generator.randrange(256)])
            case 1:
                del bytes_[at : at + generator.choice([1, 4, 20])]
            case 2:
                bytes_[at:at] = generator.randbytes(generator.choice([1, 4, 20]))
            case _:
                del bytes_[at:]
    return bytes(bytes_)


@pytest.mark.parametrize("version", [0, 1])
def test_any_bytes_give_instructions_or_a_numbered_error(version: int) -> None:
    seed = random.randrange(1 << 32)
    generator = random.Random(seed)
    stream = encode(_one_of_each(version), version)
    refused = 0
    for _ in range(_MUTATIONS):
        changed = _mutated(stream, generator)
        message = None
        try:
            instructions = decode(changed, version)
        except ModelError as error:
            message = str(error)
            refused += 1
        if message is None:
            assert encode(instructions, version) == changed, f"seed {seed}"
        else:
            assert message.startswith("instruction "), f"seed {seed}"
    assert 0 < refused < _MUTATIONS, f"seed {seed}"


def _one_of_each(version: int) -> list[Instruction]:
    from nerone import _core

    generator = random.Random(version)
    stream = []
    for format_ in _core.instruction_formats(version):
        if format_["name"] == "END":
            continue
        for _ in range(3):
            fields = {each["name"]: generator.randint(each["smallest"], each["largest"]) for each in format_["fields"]}
            stream.append(Instruction(format_["name"], fields, generator.randrange(16), generator.randrange(16)))
    return [*stream, Instruction("END")]


@pytest.mark.parametrize("version", [0, 1])
def test_every_field_survives(version: int) -> None:
    stream = _one_of_each(version)
    found = decode(encode(stream, version), version)
    assert [(i.name, i.fields, i.dpdon, i.dpdby) for i in found] == [
        (i.name, i.fields, i.dpdon, i.dpdby) for i in stream
    ]


@pytest.mark.parametrize(
    ("code", "version", "message"),
    [
        (b"", 1, "instruction 0 at byte 0 is missing"),
        (b"\0\0\0\x80" + bytes(16), 1, "instruction 1 at byte 20 is missing: the stream ends before an END"),
        (b"\0\0\0\x70" * 2, 1, "instruction 0 is END, but 4 bytes follow it"),
        (b"\0\0\0\x80\0", 1, "instruction 0 at byte 0 (CONV) is cut off"),
        (b"\0\0\0\x50", 1, "instruction 0 at byte 0 has opcode 5"),
        (b"\0\0\0\x10", 0, "instruction 0 at byte 0 has opcode 1"),
        (b"\1\0\0\x70", 0, "instruction 0 at byte 0 (END) has bits set in word 0"),
        (b"\0\0\0\x70", 2, "version 2 of the instruction set is not known"),
    ],
)
def test_refusals_name_the_instruction(code: bytes, version: int, message: str) -> None:
    with pytest.raises(ModelError) as error:
        decode(code, version)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        (Instruction("CONV", {"cg": 0}), "instruction 0 (CONV): cg is 0, expected 1 to 256"),
        (Instruction("CONV", {"cg": 257}), "cg is 257"),
        (Instruction("CONV", {"mode": 1}), "a field that its format does not have"),
        (Instruction("JUMP"), "instruction 0 (JUMP) is none of version 1"),
        (Instruction("END", {}, 16), "dpdon is 16"),
    ],
)
def test_encoding_names_what_does_not_fit(instruction: Instruction, message: str) -> None:
    with pytest.raises(ModelError) as error:
        encode([instruction], 1)
    assert message in str(error.value)
