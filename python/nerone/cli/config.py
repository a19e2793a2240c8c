"""--config FILE: options of a verb out of a TOML file; what stands on the command line wins."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from nerone.errors import ConfigurationError
from nerone.files import short_text

__all__ = ["config_option"]


def config_option() -> Any:
    """Return the option, for a verb's parameter ``config``."""
    import typer

    return typer.Option(
        None,
        "--config",
        help="TOML file with options by their names; the command line wins.",
        is_eager=True,
        callback=_take,
        metavar="FILE",
    )


def _take(context: Any, file: Any) -> Any:
    if file is not None:
        context.default_map = {**(context.default_map or {}), **_values(context, Path(file))}
    return file


def _values(context: Any, file: Path) -> dict[str, Any]:
    """Return the file's values by the parameters that they are of."""
    known: dict[str, Any] = {}
    for parameter in context.command.params:
        longs = [word[2:] for word in parameter.opts if word.startswith("--")] or [parameter.name or ""]
        known |= dict.fromkeys(longs, parameter)
    del known["config"]
    read = _read(file)
    unknown = [name for name in read if name.replace("_", "-") not in known and name not in known]
    if unknown:
        raise ConfigurationError(
            f"'{file}' has {', '.join(repr(name) for name in unknown)}, which 'nerone {context.info_name}' does not "
            f"know; it knows {', '.join(sorted(known))}"
        )
    found = {}
    for name, value in read.items():
        parameter = known.get(name) or known[name.replace("_", "-")]
        _check(file, name, value, parameter)
        found[str(parameter.name)] = value
    return found


def _check(file: Path, name: str, value: Any, parameter: Any) -> None:
    """Refuse what click would take for something else: a list for one value, a word for a flag, a table."""
    several = bool(parameter.multiple) if hasattr(parameter, "multiple") else False
    several = several or parameter.nargs != 1
    flag = bool(getattr(parameter, "is_flag", False))
    kind = list if several else bool if flag else (str, int, float)
    fits = isinstance(value, kind) and (flag or not isinstance(value, bool))
    if any("\0" in one for one in (value if several and fits else [value]) if isinstance(one, str)):
        raise ConfigurationError(f"'{file}' has a null character in {name}, which no path and no name has; remove it")
    if not fits or (several and not all(isinstance(one, str) for one in value)):
        expected = "a list of texts" if several else "true or false" if flag else "a text or a number"
        raise ConfigurationError(f"'{file}' has {name} = {value!r}; expected {expected}")


def _read(file: Path) -> dict[str, Any]:
    # Under another name where Python has none of its own.
    toml: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        found: dict[str, Any] = toml.loads(short_text(file))
        return found
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise ConfigurationError(f"the configuration '{file}' cannot be read: {said}") from error
    except (toml.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"the configuration '{file}' is no TOML: {error}") from error
