"""The suite of standard networks beside the paper's."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import pytest

from paths import REPOSITORY

PEERS = REPOSITORY / "benchmarks" / "peers"


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(PEERS))
    return importlib.import_module("compare")


def parse(compare: Any, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    monkeypatch.setattr(sys, "argv", ["compare.py", "--peers-python", "python", *words])
    return compare.parse()


def test_standard_networks_are_measured_where_they_are_named(compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    options = parse(compare, monkeypatch, "--models", "resnet50", "vgg16", "--engines", "openvino")
    assert options.models == ["resnet50", "vgg16"]
    assert not set(parse(compare, monkeypatch).models) & set(compare.standard.NETWORKS)


def test_a_standard_network_has_no_onnx_file(
    compare: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(compare, monkeypatch, "--models", "resnet50")
    assert ended.value.code == 2
    assert "name --engines without onnxruntime" in capsys.readouterr().err
