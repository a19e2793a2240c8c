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


def row(ratio, share=0.8, unstable=0, spread=0.02):
    figures = {"ratio_low": ratio - spread, "ratio": ratio, "ratio_high": ratio + spread}
    figures.update({f"cpu_{key}": value for key, value in list(figures.items())})
    return {
        "model": "net",
        "threads": 1,
        "fraction_of_peak": share,
        "unstable_rounds": unstable,
        "engines": {"nerone": {"ratio": 1.0}, "openvino": figures},
    }


def append(history, file, rows, clock="wall"):
    now = history.Conditions.now()
    history.append(file, rows, clock, now.since(now))


def losses(history, file, rows, clock="wall"):
    return history.losses(file, rows, clock)


def test_a_loss_of_more_than_five_percent_is_named(history, tmp_path):
    file = tmp_path / "history.jsonl"
    assert losses(history, file, [row(2.0)]) == []
    append(history, file, [row(2.0)])
    assert losses(history, file, [row(1.95)]) == []
    assert losses(history, file, [row(2.5)]) == []
    (sentence,) = losses(history, file, [row(1.8)])
    assert "net/1/openvino fell from 2.00" in sentence
    assert "1.80" in sentence
    (sentence,) = losses(history, file, [row(2.0, share=0.7)])
    assert "net/1/peak" in sentence


def test_spreads_that_overlap_are_no_loss(history, tmp_path):
    file = tmp_path / "history.jsonl"
    append(history, file, [row(2.0, spread=0.15)])
    assert losses(history, file, [row(1.8, spread=0.1)]) == []
    assert len(losses(history, file, [row(1.8, spread=0.04)])) == 1


def test_unstable_rounds_and_other_machines_do_not_count(history, tmp_path):
    file = tmp_path / "history.jsonl"
    append(history, file, [row(2.0, unstable=1)])
    assert not file.exists()
    append(history, file, [row(2.0)])
    assert losses(history, file, [row(1.0, unstable=1)]) == []
    entry = json.loads(file.read_text())
    assert entry["commit"]
    for key in ("processor", "instructions", "clock"):
        file.write_text(json.dumps({**entry, key: "another"}) + "\n")
        assert losses(history, file, [row(1.0)]) == []


def test_the_latest_run_counts(history, tmp_path):
    file = tmp_path / "history.jsonl"
    append(history, file, [row(3.0)])
    append(history, file, [row(2.0)])
    assert losses(history, file, [row(1.95)]) == []


def test_processor_time_counts_every_round_and_stands_alone(history, tmp_path):
    file = tmp_path / "history.jsonl"
    append(history, file, [row(2.0, unstable=3)], "processor")
    entry = json.loads(file.read_text())
    assert list(entry["ratios"]) == ["net/1/openvino"]
    assert entry["instructions"] in ("AVX-512 VNNI", "AVX-VNNI", "AVX2", "i8mm", "dotprod", "NEON", "unknown")
    assert 0 <= entry["steal"] <= 1
    assert entry["load"] >= 0
    assert len(losses(history, file, [row(1.5, unstable=3)], "processor")) == 1
    assert losses(history, file, [row(1.5)], "wall") == []


def test_the_repository_s_history_is_readable(history):
    for line in (REPOSITORY / "benchmarks" / "history.jsonl").read_text().splitlines():
        entry = json.loads(line)
        assert {"processor", "instructions", "clock", "commit"} <= set(entry)
        assert all(low <= middle <= high for low, middle, high in entry["ratios"].values())
