"""Shared by the verbs: progress on stderr, tables and JSON on stdout, model and board options."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nerone.cli.terminal import cleaned_streams, console
from nerone.errors import ConfigurationError, check_real, printable_line

__all__ = [
    "check_run_time",
    "chosen",
    "file_argument",
    "one_of",
    "print_json",
    "print_left_out",
    "print_log",
    "print_table",
    "progress_bars",
    "shape_argument",
    "xmodel_argument",
]

T = TypeVar("T", bound=str)

_TRAINED = (".keras", ".h5", ".hdf5", ".onnx", ".pt2")

Progress = Callable[[str, int, int], None]


@contextlib.contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[Progress]:
    """Give a function (what, done, total) that draws one bar per kind of work on stderr, where that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    screen = console(stderr=True)
    # While bars are drawn, rich has streams of its own, which would read colours and links out of names.
    with (
        Progress(*columns, console=screen, transient=True, disable=quiet or not screen.is_terminal) as bars,
        cleaned_streams(),
    ):
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield show


def print_log(line: str) -> None:
    """Write a line of another program's to stderr, as it comes."""
    print(line, file=sys.stderr, flush=True)


def print_json(values: Any) -> None:
    """Write values as JSON to stdout."""
    from nerone.bundle.checks import json_ready

    for line in json.dumps(json_ready(values), indent=1).splitlines():
        print(line)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """Write a table to stdout; where stdout is no terminal, as plain text of full width."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*map(printable_line, columns))
    for row in rows:
        # [data] is no markup, and a line break would begin another row.
        table.add_row(*(Text("" if value is None else printable_line(str(value))) for value in row))
    screen = console(width=None if sys.stdout.isatty() else 200)
    if title:  # a line of its own: as the table's title it would wrap at the table's width
        screen.print(Text(printable_line(title), style="italic"))
    screen.print(table)


def print_left_out(path: Path, reason: str) -> None:
    """Write which file was left out and why, and name it once."""
    print(f"left out: {reason}" if str(path) in reason else f"left out {path}: {reason}")


def chosen(argument: str | None, option: str | None, what: str) -> str:
    """Return a value that may be given as an argument or as an option."""
    if argument and option and argument != option:
        raise ConfigurationError(f"two {what}s were given, '{argument}' and '{option}'; give one")
    value = argument or option
    if not value:
        raise ConfigurationError(f"no {what} was given; see --help")
    return value


def xmodel_argument(path: str) -> Path:
    """Return the path of an xmodel or a bundle that has to exist; a trained model is refused."""
    file = file_argument(path, "file")
    if file.suffix.lower() in _TRAINED:
        raise ConfigurationError(f"'{path}' is a {file.suffix} model, no xmodel; compile it first with nerone compile")
    return file


def one_of(option: str, text: str, choices: tuple[T, ...]) -> T:
    """Return the choice that a text names.

    Raises
    ------
    ConfigurationError
        It names none of them.
    """
    for choice in choices:
        if choice == text:
            return choice
    raise ConfigurationError(f"unknown {option} '{text}'; choose one of {', '.join(choices)}")


def file_argument(path: str, what: str) -> Path:
    """Return the path of a file that has to exist."""
    file = Path(path)
    if not file.exists():
        raise ConfigurationError(f"there is no {what} '{path}'; check the path")
    return file


def shape_argument(text: str | None) -> tuple[int, int, int] | None:
    """Return the sizes in "256,256,1" or "256x256x1"; ConfigurationError where they are none."""
    if text is None:
        return None
    sizes = text.replace("x", ",").split(",")
    if len(sizes) != 3 or not all(size.strip().isdecimal() and 0 < int(size[:20]) < 2**31 for size in sizes):
        raise ConfigurationError(f"--input-shape is '{text}'; expected height,width,channels such as 256,256,1")
    height, width, channels = (int(size) for size in sizes)
    return height, width, channels


def check_run_time(seconds: float | None) -> None:
    """Raise ConfigurationError where --seconds is no time for which a command could run."""
    if seconds is not None:
        check_real("--seconds", seconds, 0, 1e8)
