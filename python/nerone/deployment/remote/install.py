"""NERONE on a board, by ssh: a virtual environment of wheels, tried before it takes its place; no internet there."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nerone import ownership
from nerone.bundle.checks import sha256
from nerone.deployment.remote.answers import other_form, typed
from nerone.deployment.remote.board import RemoteBoard, board_of, check_machine, check_python, check_room
from nerone.deployment.remote.golden import STAGES, compare_golden, host_golden
from nerone.deployment.remote.ssh import Connection, parse_target
from nerone.deployment.remote.wheelhouse import Platform, choose_wheels, unpacked_bytes
from nerone.errors import ConfigurationError, DeviceError, Error

__all__ = ["FOLDER", "Installation", "check_installation", "install_on", "list_installation", "remove_installation"]

FOLDER = "nerone-env"
_MODEL = "golden.xmodel"
# Without these nothing runs there; the doctor's other findings, such as a DPU without its overlay, are reported.
_NEEDED = ("Python", "C++ core", "VART", "XIR")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Installation:
    """NERONE on a board.

    Attributes
    ----------
    target : str, user@board[:dir] as given
    folder : str, path of the environment there
    python : str, path of its Python: what ``--remote-python`` takes
    machine : str, as uname -m
    fingerprint : str, of the DPU there; "" where unknown
    wheels : tuple of str, file names
    transferred : tuple of str, names of the files that travelled
    findings : tuple of mapping, the doctor's there: "what", "state", "detail", "remedy"
    golden_outputs : tuple of str, outputs of the golden frame, all equal to this machine's
    seconds : float
    notes : tuple of str, one sentence each
    """

    target: str
    folder: str
    python: str
    machine: str
    fingerprint: str
    wheels: tuple[str, ...]
    transferred: tuple[str, ...] = ()
    findings: tuple[Mapping[str, str], ...] = ()
    golden_outputs: tuple[str, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the values in JSON's types."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the report for people."""
        sent = f"{len(self.transferred)} files sent, " if self.transferred else ""
        found = [finding for finding in self.findings if finding["state"] != "fine"]
        return [
            f"{self.target}: {self.folder}, {sent}{', '.join(self.wheels)}",
            *(f"{self.target}: {each['what']}: {each['detail']}; {each['remedy']}".rstrip("; ") for each in found),
            *([self._equal()] if self.golden_outputs else []),
            *self.notes,
            f"deploy there with --remote-python {self.python}",
        ]

    def _equal(self) -> str:
        return f"{self.target}: the golden frame on the software DPU equals this machine's; {self.seconds:.1f} s in all"


def install_on(
    target: str,
    wheels: str | Path = "wheels",
    *,
    remote_python: str = "python3",
    ssh_options: Sequence[str] = (),
    connect_timeout_s: int = 10,
    timeout_s: float = 300.0,
    progress: Progress | None = None,
) -> Installation:
    """Install NERONE on a board from a folder of wheels, and try it there.

    The environment is made beside its place, with the board's own packages in sight (its pynq and its VART); the doctor
    and a golden frame run in it; only then does it take the place of an earlier one. A failure leaves what was there.

    Parameters
    ----------
    target : user@board or user@board:directory; the environment is the folder "nerone-env" in there
    wheels : folder of wheels, of NERONE and what it needs; the fitting ones travel
    remote_python : the Python there that the environment is of
    ssh_options, connect_timeout_s, timeout_s : as for `deploy_to`
    progress : called with (what, done, total)

    Raises
    ------
    DeviceError, ConfigurationError, TimeoutError
        one sentence with what is wrong and what to do.

    Examples
    --------
    >>> install_on("xilinx@kv260", "build/wheels").python  # doctest: +SKIP
    '/home/xilinx/nerone-env/bin/python3'
    """
    login = Connection(parse_target(target), remote_python, tuple(ssh_options), connect_timeout_s, timeout_s)
    say, what, start = progress or (lambda *state: None), f"install on {login.target.host}", time.monotonic()
    with login.shared() as connection, ownership.temporary_folder("install") as scratch:
        say(what, 0, 4)
        there = _survey(connection)
        _check(there)
        chosen = choose_wheels(Path(wheels), there.platform, there.board.host, there.packages)
        model = _golden_model(Path(scratch) / _MODEL)
        new = _New(connection, there, {**chosen, _MODEL: model})
        say(what, 1, 4)
        with new.beside() as python:
            say(what, 3, 4)
            tried = _try_out(replace(connection, remote_python=python), new.request, model)
        say(what, 4, 4)
        return replace(
            _installation(target, there, tuple(chosen)),
            transferred=new.changed,
            seconds=time.monotonic() - start,
            **tried,
        )


def check_installation(target: str, *, ssh_options: Sequence[str] = (), timeout_s: float = 300.0) -> Installation:
    """Run the doctor and the golden frame in the environment that `install_on` made.

    Parameters
    ----------
    target, ssh_options, timeout_s : as for `install_on`

    Raises
    ------
    DeviceError, ConfigurationError, TimeoutError
        as for `install_on`; also where nothing is installed.
    """
    start, login = time.monotonic(), Connection(parse_target(target), "python3", tuple(ssh_options), 10, timeout_s)
    with login.shared() as connection, ownership.temporary_folder("install") as scratch:
        there = _survey(connection)
        if _MODEL not in there.installed:
            raise ConfigurationError(
                f"NERONE is not installed in '{there.board.target}' on {there.board.host}; {_INSTALL}"
            )
        model = _golden_model(Path(scratch) / _MODEL)
        request = {**_request(connection), "model": _MODEL, "in_place": True, "files": {}}
        tried = _try_out(replace(connection, remote_python=there.python), request, model)
        return replace(_installation(target, there, there.wheels), seconds=time.monotonic() - start, **tried)


def list_installation(target: str, *, ssh_options: Sequence[str] = (), timeout_s: float = 60.0) -> dict[str, Any]:
    """Say what stands on a board: machine, Python, VART's DPU, wheels.

    Parameters
    ----------
    target, ssh_options, timeout_s : as for `install_on`
    """
    with Connection(parse_target(target), "python3", tuple(ssh_options), 10, timeout_s).shared() as connection:
        there = _survey(connection)
    return {
        "target": target,
        "platform": str(there.platform),
        "fingerprint": there.board.fingerprint,
        "folder": there.board.target if there.wheels else "",
        "python": there.python if there.wheels else "",
        "wheels": list(there.wheels),
    }


def remove_installation(target: str, *, ssh_options: Sequence[str] = (), timeout_s: float = 60.0) -> list[str]:
    """Undo `install_on`; bundles and what else lies beside the environment stay.

    Parameters
    ----------
    target, ssh_options, timeout_s : as for `install_on`

    Returns
    -------
    list of str, paths of the folders that are gone
    """
    with Connection(parse_target(target), "python3", tuple(ssh_options), 10, timeout_s).shared() as connection:
        removed = connection.call("uninstall", _request(connection)).get("removed", [])
    return [str(path) for path in removed]


_INSTALL = "install it with nerone board install"


@dataclass(frozen=True)
class _There:
    board: RemoteBoard
    platform: Platform
    installed: Mapping[str, str]

    @property
    def packages(self) -> list[str]:
        return [name for name in ("numpy",) if self.board.versions.get(name)]

    @property
    def wheels(self) -> tuple[str, ...]:
        return tuple(name for name in self.installed if name.endswith(".whl"))

    @property
    def python(self) -> str:
        return f"{self.board.target}/bin/python3"


def _request(connection: Connection) -> dict[str, Any]:
    return {"directory": connection.target.directory, "name": FOLDER}


def _survey(connection: Connection) -> _There:
    host, answer = connection.target.host, connection.call("survey", _request(connection))
    board = board_of(host, answer)
    extra = typed(answer, {"installed": dict, "cpython": list, "glibc": list}, host)
    try:
        python, glibc = ([int(number) for number in extra[name]][:2] for name in ("cpython", "glibc"))
    except ValueError:
        raise other_form(host) from None
    if len(python) != 2:
        raise other_form(host)
    libc = (glibc[0], glibc[1]) if len(glibc) == 2 else (0, 0)
    return _There(board, Platform((python[0], python[1]), board.machine, libc), extra["installed"])


def _check(there: _There) -> None:
    board = there.board
    check_machine(board)
    check_python(board)
    if board.state == "other":
        raise ConfigurationError(
            f"'{board.target}' on {board.host} was not made by nerone board install; give another directory or "
            "remove it"
        )
    if not board.writable:
        raise ConfigurationError(
            f"'{board.existing}' on {board.host} cannot be written; give a directory that this user may write to, or "
            "mount it writable (mount -o remount,rw)"
        )


def _golden_model(path: Path) -> Path:
    """Write a network that doubles its input, compiled for the software DPU."""
    from nerone.compilation import compile as compile_model
    from nerone.graph import Graph, Node, Op
    from nerone.quantization.model import QuantizedModel

    nodes = (Node("x", Op.INPUT, (), (8, 8, 4)), Node("y", Op.ADD, ("x", "x"), (8, 8, 4)))
    model = QuantizedModel(Graph("golden", nodes, ("x",), ("y",)), {"x": 4, "y": 3}, {})
    return Path(compile_model(model, output=path).path)


def _installation(target: str, there: _There, wheels: tuple[str, ...]) -> Installation:
    board = there.board
    return Installation(target, board.target, there.python, board.machine, board.fingerprint, wheels)


def _try_out(connection: Connection, request: Mapping[str, Any], model: Path) -> dict[str, Any]:
    answer = connection.call("try_out", {**request, "needed": _NEEDED, "until": STAGES})
    host = connection.target.host
    found = answer.get("findings", [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise other_form(host)
    findings = tuple(
        {name: str(each.get(name, "")) for name in ("what", "state", "detail", "remedy")} for each in found
    )
    for finding in findings:
        if finding["state"] == "problem" and finding["what"] in _NEEDED:
            raise DeviceError(f"NERONE cannot run on {host}: {finding['detail']}".removesuffix("."))
    outputs = answer.get("outputs", {})
    notes = compare_golden(host_golden(model), outputs, host)
    names = dict.fromkeys(str(output["name"]) for stage in STAGES for output in outputs[stage])
    return {"findings": findings, "golden_outputs": tuple(names), "notes": tuple(notes)}


class _New:
    """An environment that comes into being beside its place."""

    def __init__(self, connection: Connection, there: _There, files: Mapping[str, Path]) -> None:
        self.connection, self.there, self.files = connection, there, files
        digests = {name: sha256(path) for name, path in files.items()}
        kept = there.board.files
        self.changed = tuple(name for name, digest in digests.items() if kept.get(name) != digest)
        marked = {name: value for name, value in there.installed.items() if name not in ("python", "machine")}
        same_python = there.installed.get("python", "") == there.board.versions.get("python", "")
        self.in_place = marked == digests and same_python and not self.changed
        self.request = {
            **_request(connection),
            "deployment": f"{ownership.owner()}-{secrets.token_hex(4)}",
            "dead": [stage for stage in there.board.stages if ownership.is_dead(stage)],
            "files": digests,
            "unchanged": [name for name in files if name not in self.changed],
            "model": _MODEL,
            "in_place": self.in_place,
        }

    @contextlib.contextmanager
    def beside(self) -> Iterator[str]:
        """Give the Python of the new environment; it takes its place when the block ends well, else nothing stays."""
        if self.in_place:
            self.changed = ()
            yield self.there.python
            return
        wheels = [path for name, path in self.files.items() if name.endswith(".whl")]
        sent = [self.files[name] for name in self.changed]
        check_room(self.there.board, sum(path.stat().st_size for path in sent) + unpacked_bytes(wheels))
        try:
            self.connection.call("begin", self.request)
            if sent:
                self.connection.call("receive", self.request, sent)
            python = self.connection.call("build", self.request)
            yield typed(python, {"python": str}, self.connection.target.host)["python"]
            self.connection.call("settle", self.request)
        except BaseException:
            # The board may be gone; the next installation removes what is left beside then.
            with contextlib.suppress(Error, OSError):
                self.connection.call("abort", self.request)
            raise
