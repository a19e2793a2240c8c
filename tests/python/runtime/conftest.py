from __future__ import annotations

from pathlib import Path

import pytest

from runtime.xmodels import write_doubling


@pytest.fixture(scope="session")
def tiny_xmodel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_doubling(tmp_path_factory.mktemp("models") / "tiny.xmodel")
