"""The half of `nerone board install` that runs on the board: sent there after the agent, whose helpers it uses.

Nothing but the standard library, and no pip: small images have neither it nor ensurepip. An environment is a folder
that Python itself takes for a virtual one (PEP 405), with the wheels unpacked into it, and can be moved as a whole.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import site
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nerone.bundle.replacing import locked, recover, take_place
from nerone.deployment.remote.agent import (
    ACTIONS,
    digest,
    examine,
    golden_outputs,
    main,
    place_of,
    remove,
    remove_if_empty,
    stage_of,
    stages_of,
    verify_files,
)

__all__ = ["MARKER", "main"]

# What the environment holds; its presence makes the folder ours.
MARKER = "installed.json"

if TYPE_CHECKING:
    Request = dict[str, Any]


def survey(request: Request) -> dict[str, Any]:
    """Say what this machine is, and what is installed in the folder."""
    target = place_of(request)
    found = examine(request)
    state = "absent"
    if os.path.lexists(str(target)):
        ours = target.is_dir() and not target.is_symlink()
        ours = ours and ((target / MARKER).is_file() or not any(target.iterdir()))
        state = "environment" if ours else "other"
    files = [path for path in target.iterdir() if path.suffix in (".whl", ".xmodel")] if state == "environment" else []
    return {
        **found,
        "state": state,
        "files": {path.name: digest(path) for path in files if path.is_file()},
        "installed": _marked(target),
        "cpython": [str(number) for number in sys.version_info[:2]],
        "glibc": [number for number in _glibc().split(".") if number.isdigit()],
    }


def _glibc() -> str:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").split(" ")[-1]
    except (ValueError, OSError):
        return ""


def _marked(target: Path) -> dict[str, str]:
    try:
        marked = json.loads((target / MARKER).read_text("utf-8"))
        return {str(name): str(value) for name, value in marked.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def build(request: Request) -> dict[str, Any]:
    """Check what arrived, and make the environment of it in the stage."""
    stage = stage_of(request)
    verify_files(stage, request)
    packages = stage / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    packages.mkdir(parents=True, exist_ok=True)
    for wheel in sorted(stage.glob("*.whl")):
        _unpack(wheel, packages)
    _make_virtual(stage, packages)
    marked = {"python": platform.python_version(), "machine": platform.machine(), **request["files"]}
    (stage / MARKER).write_text(json.dumps(marked, indent=1) + "\n", "utf-8")
    os.sync()  # a full disk shows here at the latest
    return {"python": str(stage / "bin/python3")}


def _unpack(wheel: Path, packages: Path) -> None:
    """Unpack a wheel as an installer does (the wheel's specification, PEP 427), without the scripts."""
    with zipfile.ZipFile(str(wheel)) as archive:
        for member in archive.infolist():
            parts = Path(member.filename).parts
            if not parts or ".." in parts or Path(member.filename).is_absolute():
                raise ValueError(f"'{wheel.name}' holds '{member.filename}', which no wheel does")
            if parts[0].endswith(".data"):
                if len(parts) < 3 or parts[1] not in ("purelib", "platlib"):
                    continue
                parts = parts[2:]
            path = packages.joinpath(*parts)
            if member.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, path.open("wb") as file:
                shutil.copyfileobj(source, file)


def _make_virtual(stage: Path, packages: Path) -> None:
    # Of a virtual environment's Python the one below it; its packages, as PYNQ's own, are seen all the same.
    base = Path(getattr(sys, "_base_executable", "") or sys.executable).resolve()
    lines = [f"home = {base.parent}", "include-system-site-packages = true", f"version = {platform.python_version()}"]
    (stage / "pyvenv.cfg").write_text("\n".join(lines) + "\n", "utf-8")
    if sys.prefix != sys.base_prefix:
        (packages / "zz_outer.pth").write_text("\n".join(site.getsitepackages()) + "\n", "utf-8")
    (stage / "bin").mkdir(exist_ok=True)
    for name in ("python3", "python"):
        link = stage / "bin" / name
        if not os.path.lexists(str(link)):
            link.symlink_to(base if name == "python3" else Path("python3"))
    command = stage / "bin/nerone"
    here = '$(CDPATH="" cd -- "$(dirname -- "$0")" && pwd)'
    command.write_text(f'#!/bin/sh\nexec "{here}/python3" -m nerone.cli.main "$@"\n', "utf-8")
    command.chmod(0o755)


def try_out(request: Request) -> dict[str, Any]:
    """Run the doctor and the golden frame; the environment's own Python runs this."""
    import nerone._core
    from nerone.deployment.doctor import examine as examine_machine

    folder = place_of(request) if request["in_place"] else stage_of(request)
    core = Path(nerone._core.__file__ or "")
    if folder.resolve() not in core.resolve().parents:
        raise ValueError(f"its Python took NERONE from {core.parent}, not from {folder}; unset PYTHONPATH there")
    findings = [
        {"what": finding.what, "state": finding.state, "detail": finding.detail, "remedy": finding.remedy}
        for finding in examine_machine()
    ]
    blocking = [
        finding for finding in findings if finding["what"] in request["needed"] and finding["state"] == "problem"
    ]
    outputs: dict[str, Any] = {}
    if not blocking:
        model = str(folder / request["model"])
        outputs = {until: golden_outputs(model, "softdpu", until) for until in request["until"]}
    return {"findings": findings, "outputs": outputs}


def settle(request: Request) -> dict[str, Any]:
    """Let the stage become the environment."""
    target, stage = place_of(request), stage_of(request)
    with locked(target.parent):
        take_place(stage, target, target.with_name(target.name + ".old"))
        remove_if_empty(stages_of(target))
    return {}


def uninstall(request: Request) -> dict[str, Any]:
    """Remove the environment, and what interrupted installations left beside it."""
    target = place_of(request)
    if not target.parent.is_dir():
        return {"removed": []}
    with locked(target.parent):
        recover(target, target.with_name(target.name + ".old"))
        if os.path.lexists(str(target)) and not (target / MARKER).is_file():
            raise ValueError(f"'{target}' was not made by nerone board install; remove it by hand")
        there = [path for path in (target, stages_of(target)) if os.path.lexists(str(path))]
        for path in there:
            remove(path)
    left = [path for path in there if os.path.lexists(str(path))]
    if left:
        raise OSError(f"'{left[0]}' cannot be removed whole")
    return {"removed": [str(path) for path in there]}


ACTIONS.update({action.__name__: action for action in (survey, build, try_out, settle, uninstall)})
