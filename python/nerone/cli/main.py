"""The entry point: one verb per file of this package, errors as one line, exit codes 0, 1, 2 and 130."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import pkgutil
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from nerone.bundle.writing import SCRATCH_NAME, reason
from nerone.cli.process import (
    drop_output,
    flush_output,
    is_full,
    memory_option,
    open_missing_streams,
    signals_as_ctrl_c,
)
from nerone.cli.terminal import cleaned_streams, trusted_streams
from nerone.errors import Error
from nerone.extras import EXTRAS, install_command

__all__ = ["main"]

FINE, MISSED, FAILED, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : the words after the program's name; those of this process where not given

    Returns
    -------
    int, 0 fine, 1 a target was missed, 2 it could not run, 130 interrupted
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    open_missing_streams()
    with warnings.catch_warnings(), cleaned_streams():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        try:
            with signals_as_ctrl_c(), memory_option(words) as words:
                code = _run(words)
                flush_output()
                return code
        except KeyboardInterrupt:
            return _say("interrupted", INTERRUPTED)
        except BrokenPipeError:
            # The reader of our output left; tell nobody, and keep the interpreter from flushing into the pipe again.
            drop_output()
            return FINE
        except Exception as error:
            if isinstance(error, OSError) and is_full(error) and error.filename is None:
                drop_output()
                return _say("the output cannot be written: the disk is full; make room or choose another place", FAILED)
            if debug:
                raise
            return _say(_sentence(error), FAILED)


def _run(words: list[str]) -> int:
    if words[:1] == ["doctor"] and not _has_command_line():
        return _doctor(words[1:])
    import typer

    # Recent typer carries its own click, so its errors are reached through typer's names.
    usage_error: Any = typer.BadParameter.__mro__[1]
    completes = "_NERONE_COMPLETE" in os.environ or words[:1] in (["--show-completion"], ["--install-completion"])
    try:
        with trusted_streams() if completes else contextlib.nullcontext():
            result = _command()(args=words or ["--help"], prog_name="nerone", standalone_mode=False)
    except typer.Abort:
        return _say("interrupted", INTERRUPTED)
    except usage_error as error:
        command = error.ctx.command_path if error.ctx else "nerone"
        sentence = " ".join(error.format_message().split()) or "No command was named."
        return _say(f"{sentence} See '{command} --help'.", FAILED)
    if result == INTERRUPTED:
        return _say("interrupted", INTERRUPTED)
    return result if isinstance(result, int) else FINE


def _has_command_line() -> bool:
    return all(importlib.util.find_spec(package) is not None for package in ("typer", "rich"))


def _doctor(options: list[str]) -> int:
    """Examine a machine that lacks what the other verbs need, which may be what the examination is asked for."""
    from nerone.cli.doctor import finish, plain_lines
    from nerone.deployment.doctor import examine

    findings = examine()
    for line in plain_lines(findings, as_json="--json" in options):
        print(line)
    return finish(findings)


def _command() -> Any:
    """Return the whole command; the help of every verb has the lines and colours of typer."""
    import typer.main

    command: Any = typer.main.get_command(_application())
    _trust_help(command)
    return command


def _trust_help(command: Any) -> None:
    command.format_help = _trusted(command.format_help)
    for verb in getattr(command, "commands", {}).values():
        _trust_help(verb)


def _trusted(show: Callable[..., Any]) -> Callable[..., Any]:
    def shown(*arguments: Any) -> Any:
        with trusted_streams():
            return show(*arguments)

    return shown


def _application() -> Any:
    import typer

    application = typer.Typer(
        name="nerone",
        help="Trained Keras models as maximum-FPS INT8 deployments on DPU boards; bit for bit the same without one.",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @application.callback()
    def options(
        version: bool = typer.Option(False, "--version", help="Show the version.", is_eager=True, callback=_version),
        debug: bool = typer.Option(False, "--debug", help="Show the trace of an error; may stand anywhere."),
        max_memory: str = typer.Option(
            "",
            "--max-memory",
            help="What a model's tensors may take, such as 6GB; may stand anywhere.",
        ),
    ) -> None:
        pass

    for module in _verbs():
        module.register(application)
    return application


def _version(wanted: bool) -> None:
    if not wanted:
        return
    import typer

    from nerone.bundle.checks import versions

    print(f"nerone {versions().get('nerone', 'not installed')}")
    raise typer.Exit


def _verbs() -> list[Any]:
    """Import every module of this package that registers a verb, by name."""
    package = importlib.import_module("nerone.cli")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__) if info.name != "main")
    modules = [importlib.import_module(f"nerone.cli.{name}") for name in names]
    return [module for module in modules if hasattr(module, "register")]


def _sentence(error: Exception) -> str:
    if isinstance(error, ImportError):
        package = (error.name or "").split(".")[0]
        # Keras comes with TensorFlow.
        extra = EXTRAS.get("tensorflow" if package == "keras" else package)
        if extra:
            return f"the package '{package}' is missing; install it with: {install_command(extra)}"
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, Error):
        return text
    if isinstance(error, OSError) and error.filename is not None:
        path = SCRATCH_NAME.sub("", str(error.filename))
        return f"cannot use '{path}': {reason(error)}; choose another path, or change who may use it"
    if isinstance(error, MemoryError):
        return "out of memory; take fewer or smaller images"
    return f"{type(error).__name__}: {text} (an error of NERONE's; --debug shows where)"


def _say(sentence: str, code: int) -> int:
    try:
        print(f"nerone: {sentence}", file=sys.stderr)
    except OSError:  # nobody hears it; the exit code says it
        drop_output(sys.stderr)
    return code


def _show_warning(message: Warning | str, category: type[Warning], *place: Any) -> None:
    if issubclass(category, UserWarning):
        print(f"nerone: warning: {' '.join(str(message).split())}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
