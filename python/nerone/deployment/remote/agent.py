"""The half of a deployment that runs on the board: sent to its Python over ssh, not installed there.

Nothing but the standard library, until the golden frame asks for the NERONE that is installed there. The host runs the
same golden frame with the same function.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import json
import os
import platform
import shutil
import signal
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nerone.bundle.replacing import locked, recover, take_place
from nerone.deployment.remote.probe import core_problem, device_nodes, dpu_fingerprint, program_versions

__all__ = ["ACTIONS", "MARK", "golden_outputs", "main"]

MARK = "NERONE-ANSWER:"
MANIFEST = "bundle.json"
# Names of the files that a deployment wrote: whatever else lies in the folder is the user's and stays.
LISTING = ".deployed.json"
# A stage that no action of its deployment has touched for so long is left over, wherever it came from.
_STALE_S = 3600.0

if TYPE_CHECKING:
    # Not at run time: the Pythons of old boards cannot subscript it, and are to say how old they are.
    Request = dict[str, Any]


def digest(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            state.update(block)
    return state.hexdigest()


def golden_outputs(path: str, device: str, until: str) -> list[dict[str, Any]]:
    """Run the golden frame: integers by a fixed recipe, the same on every machine.

    Parameters
    ----------
    path : xmodel
    device : "softdpu" or "board"
    until : "dpu" or "end", as for `nerone.Model.load`

    Returns
    -------
    list of {"name", "shape", "dtype", "data"}, data the zlib-compressed bytes in base64
    """
    import numpy as np

    from nerone.runtime.model import Model

    answers = []
    with Model.load(path, device=device, until=until) as model:  # type: ignore[arg-type]
        inputs = {}
        for number, info in enumerate(model.inputs):
            size = int(np.prod(info.shape))
            # Knuth's multiplicative hashing (The Art of Computer Programming 3, 6.4) spreads over the whole int8 range.
            mixed = (np.arange(1 + number, size + 1 + number, dtype=np.uint64) * 2654435761) % (1 << 32)
            steps = ((mixed >> np.uint64(24)).astype(np.int64) - 128).reshape(info.shape)
            inputs[info.name] = steps.astype(np.int8) if info.dtype == "int8" else (steps / 128).astype(np.float32)
        result = model.run(inputs)
        named = result if isinstance(result, dict) else {model.outputs[0].name: result}
        for name, array in named.items():
            data = base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes())).decode("ascii")
            answers.append({"name": name, "shape": list(array.shape), "dtype": str(array.dtype), "data": data})
    return answers


def place_of(request: Request) -> Path:
    """Return the folder that a request is about."""
    directory, name = str(request["directory"]), str(request["name"])
    return (Path.home() / Path(directory).expanduser()).resolve() / name


def examine(request: Request) -> dict[str, Any]:
    """Say what this machine is, and which files of the bundle it has."""
    target = place_of(request)
    existing = target.parent
    while not existing.is_dir() and existing != existing.parent:
        existing = existing.parent
    state = "absent"
    if os.path.lexists(str(target)):
        usable = target.is_dir() and not target.is_symlink()
        usable = usable and ((target / MANIFEST).is_file() or not any(target.iterdir()))
        state = "bundle" if usable else "other"
    files = [path for path in target.iterdir() if path.is_file()] if state == "bundle" else []
    # fsync, not the answer of the disk, is what guarantees the room; this only saves the way there.
    free = os.statvfs(str(existing))
    return {
        "target": str(target),
        "state": state,
        "files": {path.name: digest(path) for path in files},
        "deployed": _listed(target),
        "stages": [path.name for path in _entries(stages_of(target)) if path.is_dir()],
        "writable": os.access(str(existing), os.W_OK | os.X_OK),
        "existing": str(existing),
        "free_bytes": free.f_bavail * free.f_frsize,
        "machine": platform.machine(),
        "versions": program_versions(),
        "core_problem": core_problem(),
        "rsync": shutil.which("rsync") or "",
        "fingerprint": dpu_fingerprint(),
        "nodes": device_nodes(Path("/")),
    }


def _listed(target: Path) -> list[str]:
    try:
        return [str(name) for name in json.loads((target / LISTING).read_text("utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def stages_of(target: Path) -> Path:
    """Return the folder beside it where new ones come into being."""
    return target.with_name(target.name + ".new")


def stage_of(request: Request) -> Path:
    """Return the deployment's own folder: another one to the same name, at the same time, has another."""
    name = str(request.get("deployment", ""))
    if name and Path(name).name != name:
        raise ValueError(f"'{name}' is no name for a deployment")
    return stages_of(place_of(request)) / name


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def begin(request: Request) -> dict[str, Any]:
    """Make the folder beside the bundle, with the files that need not travel."""
    target, stage = place_of(request), stage_of(request)
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.parent):
        recover(target, target.with_name(target.name + ".old"))
        _sweep(request)
        stage.mkdir(parents=True, exist_ok=True)
        for name in request["unchanged"]:
            _link(target / name, stage / name)
    return {"stage": str(stage)}


def _sweep(request: Request) -> None:
    """Remove what dead deployments left; those under way, and what has arrived of this one, stay."""
    stage, dead = stage_of(request), request.get("dead", ())
    if not stages_of(place_of(request)).is_dir():
        remove(stages_of(place_of(request)))
    for path in _entries(stages_of(place_of(request))):
        alive = path == stage or (path.is_dir() and path.name not in dead and time.time() - _touched(path) < _STALE_S)
        if path.parent == stage and path.is_file():
            alive = digest(path) == request["files"].get(path.name)
        if not alive:
            remove(path)


def _touched(folder: Path) -> float:
    return max([path.stat().st_mtime for path in (folder, *_entries(folder)) if os.path.lexists(str(path))], default=0)


def _link(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        os.link(str(source), str(target))
    except OSError:
        # FAT, the boot partition of many boards, has no links.
        shutil.copy2(str(source), str(target))


def receive(request: Request) -> dict[str, Any]:
    """Unpack the tar stream of standard input beside the bundle."""
    import tarfile

    stage = stage_of(request)
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as stream:
        for member in stream:
            content = stream.extractfile(member)
            if content is None or Path(member.name).name != member.name:
                raise ValueError(f"the stream carries '{member.name}', which is no plain file")
            # Never through a link into the bundle that is in use.
            remove(stage / member.name)
            with (stage / member.name).open("wb") as file:
                shutil.copyfileobj(content, file)
    return {}


def check(request: Request) -> dict[str, Any]:
    """Compare the copied files with the host's and run the golden frame."""
    stage = place_of(request) if request["in_place"] else stage_of(request)
    verify_files(stage, request)
    for path in stage.iterdir():
        with path.open("rb") as file:
            # A full disk shows here at the latest, before the bundle takes its place.
            os.fsync(file.fileno())
    outputs = {
        until: golden_outputs(str(stage / request["model"]), request["device"], until) for until in request["until"]
    }
    return {"outputs": outputs, "tensorflow": "tensorflow" in sys.modules}


def verify_files(stage: Path, request: Request) -> None:
    """Raise Changed where a folder lacks a file of the request, or has it otherwise."""
    for name, expected in request["files"].items():
        if not (stage / name).is_file() or digest(stage / name) != expected:
            raise Changed(f"'{name}' is not there as it was sent")


class Changed(Exception):
    """Somebody else changed the files of this deployment."""


def commit(request: Request) -> dict[str, Any]:
    """Let the new folder take the bundle's place; what the user put there moves along."""
    target, stage = place_of(request), stage_of(request)
    with locked(target.parent):
        verify_files(stage, request)
        listing = sorted([*request["files"], LISTING])
        (stage / LISTING).write_text(json.dumps(listing) + "\n", "utf-8")
        ours = set(_listed(target)) | set(request["files"]) | {LISTING}
        for path in _entries(target):
            if path.name not in ours:
                _keep(path, stage / path.name)
        take_place(stage, target, target.with_name(target.name + ".old"))
        remove_if_empty(stages_of(target))
    return {}


def remove_if_empty(folder: Path) -> None:
    """Remove a folder that holds nothing."""
    # Where another deployment is under way there, it is not empty.
    with contextlib.suppress(OSError):
        folder.rmdir()


def _keep(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(str(source), str(target), symlinks=True)
    elif source.is_symlink():
        target.symlink_to(os.readlink(str(source)))  # noqa: PTH115
    else:
        _link(source, target)


def abort(request: Request) -> dict[str, Any]:
    """Remove what was copied so far."""
    stage = stage_of(request)
    for _ in range(20):
        remove(stage)
        # A receiver that lost its host may write for a moment more.
        time.sleep(0.05)
        if not stage.exists():
            break
    remove_if_empty(stages_of(place_of(request)))
    return {"removed": not stage.exists()}


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(str(path), ignore_errors=True)


ACTIONS: dict[str, Callable[[Request], dict[str, Any]]] = {
    action.__name__: action for action in (examine, begin, receive, check, commit, abort)
}


def main(text: str) -> None:
    """Do one request, a JSON object with "action", and print the answer as one line of JSON."""
    request = json.loads(text)
    # The host gives up then; what hangs here, in a device perhaps, would stay for ever.
    signal.alarm(max(0, int(request.get("limit_s", 0))))
    try:
        answer = ACTIONS[request["action"]](request)
    except BlockingIOError:
        answer = {"error": "busy", "text": "another deployment is under way"}
    except Changed as error:
        answer = {"error": "changed", "text": " ".join(str(error).split())}
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        denied = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        kind = "full" if full else "denied" if denied else "failed"
        answer = {"error": kind, "text": " ".join(str(error).split())}
    except Exception as error:
        answer = {"error": "failed", "text": " ".join(str(error).split()) or type(error).__name__}
    sys.stdout.write("\n" + MARK + json.dumps(answer) + "\n")
    sys.stdout.flush()
