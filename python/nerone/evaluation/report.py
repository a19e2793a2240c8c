"""The report of ``nerone reproduce``: one HTML page, a CSV file for each table."""

from __future__ import annotations

import html
import itertools
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nerone.bundle.tables import write_table
from nerone.errors import ConfigurationError, printable_line

__all__ = ["Report", "Table", "write_report"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; margin: 2.5em auto; max-width: 82em; padding: 0 1.5em }
h1 { font-size: 1.7em; margin-bottom: .2em } h2 { font-size: 1.25em; margin: 2em 0 .6em }
p, li { max-width: 62em } .facts, .note { color: #555; font-size: .9em }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .85em; width: 100% }
th { background: #f2f4f7; text-align: left; position: sticky; top: 0 }
td, th { border-bottom: 1px solid #d9dde3; padding: .4em .7em; vertical-align: top }
td.group { font-weight: 600; min-width: 8em }
tr.first td { border-top: 2px solid #8a94a3 }
tr.simulated td:not(.group) { background: #fff8e6 } tr.absent td:not(.group) { color: #777 }
img { max-width: 100%; border: 1px solid #d9dde3 }
nav a { margin-right: 1.2em }
"""


@dataclass(frozen=True)
class Table:
    """A table of the report; rows with the same first cell stand under one another and name it once."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass
class Report:
    """The files of a report.

    Attributes
    ----------
    folder : Path
    tables, pictures : in the order of the page; pictures with their titles
    problems : sentences, what could not be done
    skipped : (path, why) of data that was left out
    notes : (path, sentence) of volumes that lie unusually
    seconds : float, how long it took
    """

    folder: Path
    tables: list[Table] = field(default_factory=list)
    pictures: list[tuple[str, Path]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[tuple[Path, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.folder / "report.html"


def _escaped(text: str) -> str:
    return html.escape(printable_line(text))


def _kind_of(row: Sequence[str]) -> str:
    if any("(simulated)" in cell for cell in row):
        return "simulated"
    return "absent" if any(cell.startswith("not measurable here") for cell in row) else ""


def _table(table: Table) -> str:
    head = "".join(f"<th>{_escaped(name)}</th>" for name in table.columns)
    lines = []
    for _, members in itertools.groupby(table.rows, key=lambda row: row[0]):
        group = list(members)
        for number, row in enumerate(group):
            first = f'<td class="group" rowspan="{len(group)}">{_escaped(row[0])}</td>' if number == 0 else ""
            cells = "".join(f"<td>{_escaped(cell)}</td>" for cell in row[1:])
            classes = " ".join(name for name in ("first" if number == 0 else "", _kind_of(row)) if name)
            lines.append(f'<tr class="{classes}">{first}{cells}</tr>')
    note = f'<p class="note">{_escaped(table.note)}</p>' if table.note else ""
    return (
        f'<h2 id="{table.name}">{_escaped(table.title)}</h2><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>{note}"
    )


def _list(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    return f"<h2>{_escaped(title)}</h2><ul>{''.join(f'<li>{_escaped(item)}</li>' for item in items)}</ul>"


def _page(report: Report) -> str:
    parts = [_table(table) for table in report.tables]
    for title, path in report.pictures:
        name = _escaped(title)
        parts.append(f'<h2 id="{path.stem}">{name}</h2><img src="{_escaped(path.name)}" alt="{name}">')
    parts.append(_list("Not measured", report.problems))
    parts.append(_list(f"Left out: {len(report.skipped)} files", [f"{path}: {why}" for path, why in report.skipped]))
    volumes = len({path for path, _ in report.notes})
    title = f"Unusual geometry: {volumes} volume{'s' if volumes != 1 else ''}"
    parts.append(_list(title, [f"{path}: {note}" for path, note in report.notes]))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    links = [(table.name, table.title.split(":")[0]) for table in report.tables]
    links += [(path.stem, title.split(",")[0]) for title, path in report.pictures]
    menu = "".join(f'<a href="#{name}">{_escaped(title)}</a> ' for name, title in links)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>NERONE: the paper, reproduced</title><style>{_STYLE}</style>"
        "<h1>The paper's tables and figures on this machine</h1>"
        f'<p class="facts">Measured on {_escaped(machine)}, in {report.seconds / 60:.1f} minutes. Every number in '
        'the columns "here" was measured in this run, or brought from a board; where neither was possible, it says so. '
        "Not for medical use.</p>"
        f"<nav>{menu}</nav>{''.join(parts)}</html>"
    )


def write_report(report: Report) -> Path:
    """Write report.html and a CSV file for each table into the report's folder, and return the page.

    Raises
    ------
    ConfigurationError
        If the folder cannot be written.
    """
    try:
        for table in report.tables:
            write_table(report.folder / f"{table.name}.csv", (table.columns, *table.rows))
        report.page.write_text(_page(report), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"the report cannot be written to '{report.folder}': {error}") from error
    return report.page
