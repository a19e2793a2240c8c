"""PYNQ-DPU: its Python API over the real VART on any machine, and the paper's loop written with it.

Scripts that say ``import xir``, ``import vart``, ``import vitis_ai_library`` or ``from pynq_dpu import DpuOverlay`` run
unchanged after `install`, or with ``python -m nerone.backends.pynq SCRIPT``.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types

from nerone.backends.pynq.loop import PynqLoop
from nerone.backends.pynq.overlay import DpuOverlay, load_overlay

__all__ = ["DpuOverlay", "PynqLoop", "install", "load_overlay"]


def install() -> tuple[str, ...]:
    """Make ``xir``, ``vart``, ``vitis_ai_library`` and ``pynq_dpu`` importable where the machine has none of its own.

    Returns
    -------
    names of the modules that are NERONE's from now on

    Examples
    --------
    >>> from nerone.backends import pynq
    >>> names = pynq.install()
    >>> import vart, xir
    >>> xir.Graph.deserialize(tiny_xmodel).get_root_subgraph().get_children_num()
    2
    """
    names = []
    for name in ("xir", "vart", "vitis_ai_library", "pynq_dpu"):
        if name in sys.modules or importlib.util.find_spec(name) is not None:
            continue
        if name == "pynq_dpu":
            module = types.ModuleType(name, DpuOverlay.__doc__)
            module.DpuOverlay = DpuOverlay  # type: ignore[attr-defined]
        else:
            module = importlib.import_module(f"nerone.backends.pynq.{name}")
        sys.modules[name] = module
        names.append(name)
    return tuple(names)
