"""Runs the vendor's compiler, from PATH or from the vendor's container image: log shown as it comes, time limited."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nerone.errors import ConfigurationError, TimeoutError
from nerone.programs import run_program

__all__ = ["CHOICES", "Compiler", "check_choice", "find_compiler", "run_compiler"]

CHOICES = ("auto", "path", "docker", "podman", "none")
_ENGINES = ("docker", "podman")
_INSPECT_TIMEOUT_S = 30

Log = Callable[[str], None]


@dataclass(frozen=True)
class Compiler:
    """A way to run the compiler.

    Attributes
    ----------
    kind : "path", "docker" or "podman"
    program : str, path of the compiler itself, or of the container engine
    image : str, of the container; "" with kind "path"
    """

    kind: str
    program: str
    image: str = ""

    def __str__(self) -> str:
        return f"{self.kind} image {self.image}" if self.image else self.program


def find_compiler(tool: str, image: str, choice: str = "auto") -> Compiler | None:
    """Find the vendor's compiler.

    Parameters
    ----------
    tool : "vai_c_xir" or "vai_c_tensorflow2"
    image : container image that has it
    choice : "auto" takes ``tool`` from PATH, else a container engine that has the image already; "docker" and "podman"
        take that engine and let it fetch the image; "none" finds nothing

    Returns
    -------
    Compiler, or None where "auto" finds none

    Raises
    ------
    ConfigurationError
        for an unknown choice, or where what was asked for is not there.
    """
    check_choice(choice)
    if choice in ("auto", "path") and (found := shutil.which(tool)):
        return Compiler("path", found)
    if choice == "path":
        raise ConfigurationError(f"{tool} is not in PATH; activate the vendor's environment, or take --compiler docker")
    if choice in _ENGINES:
        return Compiler(choice, shutil.which(choice) or choice, image)
    for name in _ENGINES if choice == "auto" else ():
        engine = shutil.which(name)
        if engine is not None and _has_image(engine, image):
            return Compiler(name, engine, image)
    return None


def check_choice(choice: str) -> None:
    """Refuse an unknown choice, and an engine that is not there."""
    if choice not in CHOICES:
        raise ConfigurationError(f"there is no compiler '{choice}'; give one of {', '.join(CHOICES)}")
    if choice in _ENGINES and shutil.which(choice) is None:
        raise ConfigurationError(f"{choice} is not in PATH; install it, or take --compiler auto")


def _has_image(engine: str, image: str) -> bool:
    """Images of the vendor have many GB, so that none is fetched unasked."""
    try:
        done = subprocess.run(
            [engine, "image", "inspect", image], capture_output=True, check=False, timeout=_INSPECT_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def run_compiler(
    compiler: Compiler, folder: Path, command: Sequence[str], script: str, log_file: Path, limit_s: float, log: Log
) -> int:
    """Run the compiler in a folder and return its exit code.

    Parameters
    ----------
    command : the compiler's words, for kind "path"
    script : name of the folder's script, which does the same in the container
    log_file : gets every line, as ``log`` does

    Raises
    ------
    TimeoutError
        after ``limit_s`` seconds; the compiler, or its container, is stopped then, as for Ctrl-C.
    """
    container = f"nerone-{uuid.uuid4().hex[:12]}" if compiler.image else ""
    words = _container_words(compiler, folder, container, script) if container else [compiler.program, *command[1:]]
    with log_file.open("w", encoding="utf-8", buffering=1) as kept:

        def keep(line: str) -> None:
            print(line, file=kept)
            log(line)

        try:
            return run_program(words, folder, limit_s, keep, clear_up=lambda: _remove_container(compiler, container))
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"{command[0]} did not finish in {limit_s:g} s and was stopped; raise --time-limit, its log is "
                f"'{log_file}'"
            ) from None


def _container_words(compiler: Compiler, folder: Path, container: str, script: str) -> list[str]:
    # The option is read as CSV, so that a path may hold a comma or a colon.
    source = str(folder.resolve()).replace('"', '""')
    words = [compiler.program, "run", "--rm", "--name", container]
    words += ["--mount", f'type=bind,"source={source}",target=/workspace', "--workdir", "/workspace"]
    if compiler.kind == "docker":
        # Else the files would belong to root; podman maps its root to this user by itself.
        words += ["--user", f"{os.getuid()}:{os.getgid()}"]
    else:
        words += ["--security-opt", "label=disable"]
    # The image's entry splits its words, so that only a script takes the rest of the work.
    return [*words, "--env", "HOME=/tmp", "--env", "NERONE_IN_CONTAINER=1", compiler.image, "bash", script]


def _remove_container(compiler: Compiler, container: str) -> None:
    if container:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run([compiler.program, "rm", "--force", container], capture_output=True, check=False, timeout=20)
