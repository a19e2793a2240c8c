"""The benchmark history sees a loss, and only where it compares like with like."""

from __future__ import annotations

import importlib.util
import json
import sys

import pytest

from paths import REPOSITORY

FILE = REPOSITORY / "benchmarks" / "peers" / "history.py"


@pytest.fixture
def history():
    spec = importlib.util.spec_from_file_location("peers_history", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def row(ratio, share=0.8, unstable=0):
    return {
        "model": "net",
        "threads": 1,
        "fraction_of_peak": share,
        "unstable_rounds": unstable,
        "engines": {"nerone": {"ratio": 1.0}, "openvino": {"ratio": ratio}},
    }


def test_a_loss_of_more_than_five_percent_is_named(history, tmp_path):
    file = tmp_path / "history.jsonl"
    assert history.losses(file, [row(2.0)]) == []
    history.append(file, [row(2.0)])
    assert history.losses(file, [row(1.95)]) == []
    assert history.losses(file, [row(2.5)]) == []
    (sentence,) = history.losses(file, [row(1.8)])
    assert "net/1/openvino fell from 2.00" in sentence
    assert "1.80" in sentence
    (sentence,) = history.losses(file, [row(2.0, share=0.7)])
    assert "net/1/peak" in sentence


def test_unstable_rounds_and_other_processors_do_not_count(history, tmp_path):
    file = tmp_path / "history.jsonl"
    history.append(file, [row(2.0, unstable=1)])
    assert not file.exists()
    history.append(file, [row(2.0)])
    assert history.losses(file, [row(1.0, unstable=1)]) == []
    entry = json.loads(file.read_text())
    assert entry["commit"]
    file.write_text(json.dumps({**entry, "processor": "another"}) + "\n")
    assert history.losses(file, [row(1.0)]) == []


def test_the_latest_run_counts(history, tmp_path):
    file = tmp_path / "history.jsonl"
    history.append(file, [row(3.0)])
    history.append(file, [row(2.0)])
    assert history.losses(file, [row(1.95)]) == []
