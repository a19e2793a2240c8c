"""Tables as CSV: no name runs as a formula, and numbers stay numbers."""

from __future__ import annotations

import csv

import pytest

from nerone.bundle.tables import table_text, write_table
from nerone.errors import ConfigurationError


def fields(*values):
    (row,) = csv.reader(table_text([values]).splitlines())
    return row


FORMULAS = ("=1+1", "+cmd|' /C calc'!A0.png", "-2+3", "@SUM(A1)", " =1", "\t=1", "\r=1", "\uff1d1", '=","')
NO_NUMBERS = ("=", "+1e5x", "-.", "--1", "-1 1")


@pytest.mark.parametrize("name", [*FORMULAS, *NO_NUMBERS])
def test_no_name_starts_a_formula(name):
    (found,) = fields(name)
    first = found.lstrip(" ")[:1]
    assert first not in "=+-@\t\r\uff1d\uff0b\uff0d\uff20" or found == "=", "a spreadsheet would run it"


@pytest.mark.parametrize("text", ["-2.5", "+3", "-1e-05", "-.5", "-3.2 %", "-inf", "liver", "-", "a=b", "5", "", " "])
def test_numbers_and_plain_names_stay(text):
    assert fields(text) == [text]


def test_numbers_are_written_as_they_are():
    assert fields(-2.5, -3, None, 1e-7) == ["-2.5", "-3", "", "1e-07"]


def test_a_name_is_one_line():
    assert table_text([("a\nb", 'c"d,e')]) == 'a\ufffdb,"c""d,e"\r\n'


def test_a_table_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "made" / "t.csv"
    write_table(target, [("a", "b"), (1, 2)])
    assert target.read_bytes() == b"a,b\r\n1,2\r\n"
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot write .*t\.csv"):
        write_table(tmp_path / "file" / "t.csv", [])
    assert list(target.parent.iterdir()) == [target]
