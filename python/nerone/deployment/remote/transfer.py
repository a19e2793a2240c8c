"""Deploy to a board over ssh: look, copy what changed beside, run a golden frame there, then let it take its place."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nerone import ownership
from nerone.bundle.bundle import Bundle, bundle_path
from nerone.bundle.checks import sha256
from nerone.deployment.remote.answers import typed
from nerone.deployment.remote.board import RemoteBoard, board_of, check_board, check_room, plan_device
from nerone.deployment.remote.files import travelling_files
from nerone.deployment.remote.golden import STAGES, compare_golden, host_golden
from nerone.deployment.remote.ssh import Connection, Target, parse_target
from nerone.errors import Error

__all__ = ["Deployment", "deploy_to", "examine_target"]

Progress = Callable[[str, int, int], None]
_STEPS = 4
# Names of this process's deployments that are under way.
_under_way: set[str] = set()


@dataclass(frozen=True)
class Deployment:
    """Report of a deployment to a board.

    Attributes
    ----------
    target : str, user@board[:dir] as given
    folder : str, path of the bundle there
    device : "board" (its DPU) or "softdpu", what runs the bundle there
    machine : str, as uname -m
    fingerprint : str, of the DPU there; "" where unknown
    versions : mapping of program to version there
    transferred : tuple of str, names of the files that travelled
    unchanged : tuple of str, names of the files that were there already
    removed : tuple of str, names of files of the earlier deployment that are gone
    bytes_sent : int, over the network for those files
    transport : "rsync", "tar", or "" where nothing travelled
    golden_outputs : tuple of str, outputs of the golden frame, all equal to this machine's
    seconds : float
    notes : tuple of str, one sentence each
    """

    target: str
    folder: str
    device: str
    machine: str
    fingerprint: str
    versions: Mapping[str, str]
    transferred: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    bytes_sent: int
    transport: str
    golden_outputs: tuple[str, ...]
    seconds: float
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the values in JSON's types."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the report for people."""
        device = "its DPU" if self.device == "board" else "the software DPU"
        copied = f"{len(self.transferred)} of {len(self.transferred) + len(self.unchanged)} files copied"
        if self.transferred:
            copied += f" ({', '.join(self.transferred)}; {self.bytes_sent / 1e6:.3f} MB by {self.transport})"
        if self.removed:
            copied += f", {', '.join(self.removed)} removed"
        known = ", ".join(f"{name} {version}" for name, version in self.versions.items() if version)
        equal = ", ".join(self.golden_outputs)
        return [
            f"{self.target}: {self.folder}, {copied}",
            f"{self.target}: {self.machine}, {known}",
            f"{self.target}: golden frame on {device} equals this machine's ({equal}); {self.seconds:.1f} s in all",
            *self.notes,
        ]


def deploy_to(
    bundle: Bundle | str | Path,
    target: str,
    *,
    remote_python: str = "python3",
    ssh_options: Sequence[str] = (),
    connect_timeout_s: int = 10,
    timeout_s: float = 300.0,
    progress: Progress | None = None,
) -> Deployment:
    """Copy a bundle to a board, run a golden frame there and compare it with this machine's.

    Only files that changed travel. They are put beside the bundle of that name, checked and run there; only then do
    they take its place, so that a failure, whichever, leaves what was there. Files that the user put into the folder
    stay.

    Parameters
    ----------
    bundle : Bundle, or its folder
    target : user@board or user@board:directory; the bundle's folder goes into that directory, or into the home folder
    remote_python : the Python there that has NERONE; "~/" stands for the home folder there
    ssh_options : settings of ssh_config, "Key=value" each, such as "Port=2222"; they win over ~/.ssh/config
    connect_timeout_s : for one connection
    timeout_s : for one action there, such as the golden frame
    progress : called with (what, done, total)

    Raises
    ------
    DeviceError, ConfigurationError, TimeoutError
        one sentence with what is wrong and what to do: board off, key refused, disk full, another fingerprint ...

    Examples
    --------
    >>> deploy_to("unet.nerone", "root@zcu104:models").transferred  # doctest: +SKIP
    ('bundle.json', 'model.xmodel', 'report.json', 'run.sh', 'run.ipynb')
    """
    made = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
    login = Connection(parse_target(target), remote_python, tuple(ssh_options), connect_timeout_s, timeout_s)
    with login.shared() as connection:
        return _deployed(made, target, connection, progress or (lambda what, done, total: None))


def _deployed(bundle: Bundle, target: str, connection: Connection, progress: Progress) -> Deployment:
    start, what = time.monotonic(), f"deploy to {connection.target.host}"
    progress(what, 0, _STEPS)
    board = _examined(connection, bundle.path.name)
    device, notes = plan_device(bundle, board)
    progress(what, 1, _STEPS)
    with travelling_files(bundle, device=device, remote_python=connection.remote_python) as files:
        copy = _Copy(connection, board, bundle.path.name, files)
        with copy.beside() as sent:
            progress(what, 2, _STEPS)
            notes += copy.check(bundle, device)
            progress(what, 3, _STEPS)
    progress(what, _STEPS, _STEPS)
    return Deployment(
        target=target,
        folder=board.target,
        device=device,
        machine=board.machine,
        fingerprint=board.fingerprint,
        versions=board.versions,
        transferred=copy.changed,
        unchanged=tuple(name for name in files if name not in copy.changed),
        removed=copy.removed,
        bytes_sent=sent,
        transport=copy.transport,
        golden_outputs=copy.outputs,
        seconds=time.monotonic() - start,
        notes=tuple(notes),
    )


def examine_target(
    target: str,
    name: str,
    *,
    remote_python: str = "python3",
    ssh_options: Sequence[str] = (),
    connect_timeout_s: int = 10,
    timeout_s: float = 300.0,
) -> RemoteBoard:
    """Look at a board before long work: whether it answers, runs NERONE and could take a bundle of that name.

    Parameters
    ----------
    name : of the bundle
    target, remote_python, ssh_options, connect_timeout_s, timeout_s : as for `deploy_to`

    Raises
    ------
    DeviceError, ConfigurationError, TimeoutError
        as for `deploy_to`.
    """
    connection = Connection(parse_target(target), remote_python, tuple(ssh_options), connect_timeout_s, timeout_s)
    return _examined(connection, bundle_path(name).name)


def _examined(connection: Connection, name: str) -> RemoteBoard:
    answer = connection.call("examine", _request(connection.target, name))
    board = board_of(connection.target.host, answer)
    check_board(board)
    return board


def _request(target: Target, name: str) -> dict[str, Any]:
    return {"directory": target.directory, "name": name}


class _Copy:
    """The files of one deployment on their way."""

    def __init__(self, connection: Connection, board: RemoteBoard, name: str, files: Mapping[str, Path]) -> None:
        self.connection, self.board, self.files = connection, board, files
        self.digests = {file: sha256(path) for file, path in files.items()}
        self.changed = tuple(file for file, digest in self.digests.items() if board.files.get(file) != digest)
        self.removed = tuple(file for file in board.deployed if file not in files and file in board.files)
        self.removed = tuple(file for file in self.removed if not file.startswith("."))
        self.in_place = not self.changed and not self.removed
        self.transport = ("rsync" if board.rsync and _has_rsync() else "tar") if self.changed else ""
        self.outputs: tuple[str, ...] = ()
        unchanged = [file for file in files if file not in self.changed]
        self.deployment = f"{ownership.owner()}-{secrets.token_hex(4)}"
        self.request = {
            **_request(connection.target, name),
            "deployment": self.deployment,
            "dead": [stage for stage in board.stages if _is_over(stage)],
            "files": self.digests,
            "unchanged": unchanged,
            "in_place": self.in_place,
        }

    @contextlib.contextmanager
    def beside(self) -> Iterator[int]:
        """Copy beside the bundle; take its place when the block ends well, else leave nothing."""
        if self.in_place:
            yield 0
            return
        check_room(self.board, sum(self.files[file].stat().st_size for file in self.changed))
        _under_way.add(self.deployment)
        try:
            stage = typed(self.connection.call("begin", self.request), {"stage": str}, self.connection.target.host)[
                "stage"
            ]
            yield self._send(stage)
            self.connection.call("commit", self.request)
        except BaseException:
            # The board may be gone; its next deployment removes what is left beside then.
            with contextlib.suppress(Error, OSError):
                self.connection.call("abort", self.request)
            raise
        finally:
            _under_way.discard(self.deployment)

    def _send(self, stage: str) -> int:
        paths = [self.files[file] for file in self.changed]
        if not paths:
            return 0
        if self.transport == "rsync":
            return self.connection.rsync(paths, stage, self.board.target if self.board.state == "bundle" else "")
        self.connection.call("receive", self.request, paths)
        return sum(path.stat().st_size for path in paths)

    def check(self, bundle: Bundle, device: str) -> list[str]:
        """Run the golden frame on both machines and compare."""
        model = (bundle.board_model_path if device == "board" else None) or bundle.host_model_path
        request = {**self.request, "model": model.name, "device": device, "until": STAGES}
        answer = self.connection.call("check", request)
        notes = compare_golden(host_golden(model), answer.get("outputs", {}), self.connection.target.host)
        self.outputs = tuple(dict.fromkeys(output["name"] for stage in STAGES for output in answer["outputs"][stage]))
        if answer.get("tensorflow"):
            notes.append(f"the Python of {self.connection.target.host} imports TensorFlow at its start")
        return notes


def _is_over(stage: str) -> bool:
    """Say whether a deployment that a board names was one of this machine's, and has ended."""
    return ownership.is_dead(stage) or (stage.startswith(f"{ownership.owner()}-") and stage not in _under_way)


def _has_rsync() -> bool:
    import shutil

    return shutil.which("rsync") is not None
