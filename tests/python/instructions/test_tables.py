"""The documentation's tables are those of the decoder."""

from __future__ import annotations

from nerone.instructions.tables import field_tables
from paths import REPOSITORY


def test_the_documentation_has_the_decoders_fields() -> None:
    text = (REPOSITORY / "docs" / "instructions.md").read_text()
    start, end = "<!-- tables: made by nerone.instructions.tables -->\n", "\n<!-- end of tables -->"
    assert text.split(start)[1].split(end)[0] == field_tables().strip()
