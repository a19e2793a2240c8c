"""The report of ``nerone reproduce``: one HTML page, a CSV file for each table."""

from __future__ import annotations

import csv
import html
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Report", "Table", "write_report"]

_STYLE = (
    "body{font-family:sans-serif;margin:2em auto;max-width:80em;line-height:1.4}"
    "table{border-collapse:collapse;font-size:.9em}"
    "td,th{border:1px solid #bbb;padding:.3em .6em;text-align:left;vertical-align:top}img{max-width:100%}"
)


@dataclass(frozen=True)
class Table:
    """A table of the report."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass
class Report:
    """What was written: tables, pictures with their titles, and what could not be done."""

    folder: Path
    tables: list[Table] = field(default_factory=list)
    pictures: list[tuple[str, Path]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.folder / "report.html"


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table.columns)
    rows = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in table.rows)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    note = f"<p>{html.escape(table.note)}</p>"
    return f"<h2>{html.escape(table.title)}</h2><table><tr>{head}</tr>{body}</table>{note}"


def write_report(report: Report) -> Path:
    """Write report.html and a CSV file for each table into the report's folder, and return the page."""
    body = []
    for table in report.tables:
        with (report.folder / f"{table.name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([table.columns, *table.rows])
        body.append(_table(table))
    for title, path in report.pictures:
        name = html.escape(title)
        body.append(f'<h2>{name}</h2><img src="{html.escape(path.name)}" alt="{name}">')
    if report.problems:
        items = "".join(f"<li>{html.escape(problem)}</li>" for problem in report.problems)
        body.append(f"<h2>Not measured</h2><ul>{items}</ul>")
    machine = html.escape(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    report.page.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>NERONE: the paper, reproduced</title>'
        f"<style>{_STYLE}</style><h1>The paper's tables and figures on this machine</h1><p>{machine}</p>"
        f"{''.join(body)}</html>",
        encoding="utf-8",
    )
    return report.page
