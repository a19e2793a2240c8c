"""Tables as CSV, in one place: what a spreadsheet must not take for a formula is marked as text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nerone.bundle.writing import replacing_file, write_error
from nerone.errors import printable_line

__all__ = ["table_text", "write_table"]

# What spreadsheets start a formula at, in both widths; the rule stands a second time in cpp/src/run/table.cpp.
_FORMULA = re.compile("[=+@\uff1d\uff0b\uff20\uff0d-].", re.DOTALL)
_NUMBER = re.compile(r"[+-]([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?( ?%)?|[+-](inf|nan)")


def table_text(rows: Iterable[Iterable[Any]]) -> str:
    r"""Return rows as CSV (RFC 4180).

    Texts are on one line each, as of :func:`nerone.errors.printable_line`. One that a spreadsheet would run as a
    formula, as file and class names may, starts with an apostrophe; numbers, negative ones too, stay as they are.

    Examples
    --------
    >>> table_text([("=1+1.png", "-2.5", -2.5, None)])
    "'=1+1.png,-2.5,-2.5,\r\n"
    """
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def write_table(target: Path, rows: Iterable[Iterable[Any]]) -> None:
    """Write the CSV file of :func:`table_text`, whole or not at all.

    Raises
    ------
    ConfigurationError
        where the file cannot be written; one that is there stays then.
    """
    try:
        with replacing_file(target) as scratch:
            scratch.write_bytes(table_text(rows).encode())
    except OSError as error:
        raise write_error(target, error) from error


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = printable_line(value)
    bare = text.strip(" ")
    return f"'{text}" if _FORMULA.match(bare) and not _NUMBER.fullmatch(bare) else text
