"""The table of optional packages is the one of pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nerone.extras import EXTRAS, install_command

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
IMPORTED_AS = {"pillow": "PIL", "opencv-python-headless": "cv2", "tensorflow-cpu": "tensorflow"}
IMPORTED_AS |= {"python-gdcm": "gdcm", "pyjpegls": "jpeg_ls", "prometheus-client": "prometheus_client"}


def test_every_optional_package_is_in_the_extra_that_brings_it():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    brought: dict[str, set[str]] = {}
    for extra, requirements in tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"].items():
        for requirement in requirements if extra != "all" else ():
            name = re.match(r"[\w-]+", requirement)[0]
            brought.setdefault(IMPORTED_AS.get(name, name), set()).add(extra)
    assert set(EXTRAS) == set(brought)
    for package, extra in EXTRAS.items():
        assert extra in brought[package], package


def test_install_command():
    assert install_command() == "pip install nerone"
    assert install_command("live") == "pip install 'nerone[live]'"
    assert install_command("quantize", python=(3, 10)) == "pip install 'nerone[quantize]'"
    assert install_command("quantize", python=(3, 9)) == (
        "pip install 'nerone[quantize]', in Python 3.10 or newer, which it needs"
    )
    assert install_command("live", python=(3, 9)) == "pip install 'nerone[live]'"
