"""The agent's source as one program for the board's Python."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nerone.bundle import replacing
from nerone.deployment.remote import agent as remote_agent
from nerone.deployment.remote import installing
from nerone.deployment.remote import probe as remote_probe

__all__ = ["agent_program"]

# Under the names by which they import each other, so that the board's own NERONE, if any, is not asked for them.
_LOAD = """import sys, types
for name, text in PARTS:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
"""


def agent_program(action: str, request: Mapping[str, Any]) -> bytes:
    """Return the program that does an action with a request and prints the answer."""
    modules = (remote_probe, replacing, remote_agent, installing)
    parts = [(module.__name__, Path(str(module.__file__)).read_text("utf-8")) for module in modules]
    values = json.dumps({**request, "action": action})
    return f"PARTS = {parts!r}\n{_LOAD}module.main({values!r})\n".encode()
