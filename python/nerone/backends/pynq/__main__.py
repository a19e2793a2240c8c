"""Run a script written for the official ``xir``, ``vart`` and ``pynq_dpu`` modules: SCRIPT [ARGUMENTS]."""

from __future__ import annotations

import runpy
import sys

from nerone.backends.pynq import install


def main() -> int:
    """Run the script of the command line."""
    if len(sys.argv) < 2:
        print("usage: python -m nerone.backends.pynq SCRIPT [ARGUMENTS]", file=sys.stderr)
        return 2
    install()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
