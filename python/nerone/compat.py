"""Parts of newer Pythons that 3.9 lacks, under their own names: ``from nerone.compat import zip``."""

from __future__ import annotations

import sys

__all__ = ["OLDEST_PYTHON", "dataclass", "oldest_python", "zip"]

OLDEST_PYTHON = (3, 9)
"""(major, minor) of the oldest Python that NERONE runs on, PetaLinux 2022's; pyproject.toml says so too."""

if sys.version_info >= (3, 10):
    from builtins import zip
    from dataclasses import dataclass
else:
    import builtins
    import dataclasses
    import functools
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    _END = object()

    def zip(*iterables: Iterable[Any], strict: bool = False) -> Iterator[tuple[Any, ...]]:
        """Return the builtin's tuples; with ``strict``, iterables of different lengths are an error."""
        return _strictly_zipped(iterables) if strict else builtins.zip(*iterables)

    def _strictly_zipped(iterables: tuple[Iterable[Any], ...]) -> Iterator[tuple[Any, ...]]:
        iterators = [iter(each) for each in iterables]
        while iterators:
            first = next(iterators[0], _END)
            row = [first]
            for number, iterator in enumerate(iterators[1:], 2):
                value = next(iterator, _END)
                if (value is _END) != (first is _END):
                    length = "shorter" if value is _END else "longer"
                    before = "argument 1" if number == 2 else f"arguments 1-{number - 1}"
                    raise ValueError(f"zip() argument {number} is {length} than {before}")
                row.append(value)
            if first is _END:
                return
            yield tuple(row)

    def dataclass(cls: Any = None, *, kw_only: bool = False, **options: Any) -> Any:
        """Return the standard library's data class; with ``kw_only`` its values are given by name only."""

        def make(plain: type) -> type:
            made: Any = dataclasses.dataclass(**options)(plain)
            return _by_name(made) if kw_only else made

        return make if cls is None else make(cls)

    def _by_name(made: Any) -> Any:
        by_position: Callable[..., None] = made.__init__

        @functools.wraps(by_position)
        def by_name(self: Any, *values: Any, **named: Any) -> None:
            if values:
                raise TypeError(f"{made.__name__}() takes its values by name; {len(values)} came without one")
            by_position(self, **named)

        made.__init__ = by_name
        return made


def oldest_python() -> str:
    """Return `OLDEST_PYTHON` in words.

    Examples
    --------
    >>> oldest_python()
    '3.9'
    """
    return ".".join(str(number) for number in OLDEST_PYTHON)
