"""The one way from NERONE to a terminal: names come from files, boards and visitors, and none may carry commands."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from nerone.errors import printable, printable_line

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["cleaned_streams", "console", "trusted_streams"]


class _Cleaned:
    """A text stream that takes the terminal commands out of what is written to it.

    What is written at once is one line, as print and logging do: line breaks within it are those of a name.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        end = "\n" if text.endswith("\n") else ""
        self.stream.write(printable_line(text[: len(text) - len(end)]) + end)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _replaced(out: Any, err: Any) -> Iterator[None]:
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield


@contextlib.contextmanager
def cleaned_streams() -> Iterator[None]:
    """Clean what the block writes to stdout and stderr; what has several lines is written line by line."""
    yield from _replaced(_Cleaned(sys.stdout), _Cleaned(sys.stderr))


@contextlib.contextmanager
def trusted_streams() -> Iterator[None]:
    """Write as it is what the block writes: words of NERONE's own, with the colours of a library."""
    yield from _replaced(_raw(sys.stdout), _raw(sys.stderr))


def _raw(stream: Any) -> Any:
    while isinstance(stream, _Cleaned):
        stream = stream.stream
    return stream


def console(*, stderr: bool = False, width: int | None = None) -> Console:
    """Return rich's console, whose own commands reach the terminal and those of its texts do not."""
    from rich.console import Console
    from rich.segment import Segment

    class CleanConsole(Console):
        def render(self, *arguments: Any, **settings: Any) -> Iterable[Segment]:
            for segment in super().render(*arguments, **settings):
                yield segment if segment.control else Segment(printable(segment.text), segment.style)

    stream = _raw(sys.stderr if stderr else sys.stdout)
    return CleanConsole(file=stream, width=width, highlight=False, markup=False, emoji=False)
