"""The tables of docs/instructions.md, from the field table that drives decoder and encoder."""

from __future__ import annotations

from typing import Any

from nerone import _core
from nerone.instructions.stream import UNITS

__all__ = ["field_tables"]


def field_tables() -> str:
    """Return one table in Markdown for each instruction; those of one version say so."""
    lines = []
    versions = [{each["name"]: each for each in _core.instruction_formats(version)} for version in (0, 1)]
    for name in sorted({*versions[0], *versions[1]}, key=lambda each: _opcode(versions, each)):
        first, second = versions[0].get(name), versions[1].get(name)
        if first == second and first is not None:
            lines += _table(first, "")
            continue
        for version, found in ((0, first), (1, second)):
            if found is not None:
                lines += _table(found, f", ISA{version}")
    return "\n".join(lines)


def _opcode(versions: list[dict[str, Any]], name: str) -> int:
    return int(next(each[name]["opcode"] for each in versions if name in each))


def _table(format_: dict[str, Any], version: str) -> list[str]:
    unit = UNITS[format_["unit"]]
    words = "word" if format_["words"] == 1 else "words"
    lines = [
        f"**{format_['name']}**{version}: opcode {format_['opcode']:X}, {format_['words']} {words}, unit {unit}",
        "",
    ]
    if not format_["fields"]:
        return [*lines, "No fields.", ""]
    lines += ["| word | fields (bits, values) |", "|---|---|"]
    for word in range(format_["words"]):
        fields = [each for each in format_["fields"] if each["word"] == word]
        cells = (
            f"{each['name']} {each['high']}:{each['low']} ({each['smallest']}..{each['largest']})" for each in fields
        )
        lines.append(f"| {word} | {', '.join(cells) or 'none'} |")
    return [*lines, ""]
