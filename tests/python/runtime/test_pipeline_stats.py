"""The numbers of a backend in Python: against numpy's, and in memory that does not grow."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from nerone.backends.statistics import Durations, Stats, StatsRecorder


def test_nothing_happened():
    assert StatsRecorder().stats() == Stats()
    assert Stats().stages_ms == {}


def test_numbers_of_random_frames():
    seed = np.random.SeedSequence().entropy
    print(f"seed {seed}")
    latencies_s = np.random.default_rng(seed).lognormal(-4, 1.5, 500)
    recorder = StatsRecorder()
    for number, latency_s in enumerate(latencies_s):
        recorder.submitted(10.0 + number)
        recorder.completed(10.0 + number, 10.0 + number + latency_s)
    stats = recorder.stats()
    assert (stats.submitted, stats.completed, stats.failed, stats.workers_replaced) == (500, 500, 0, 0)
    ends_s = np.arange(500) + latencies_s
    assert stats.elapsed_s == pytest.approx(ends_s.max())
    assert stats.fps == pytest.approx(500 / ends_s.max())
    found = stats.latency
    assert found.mean_ms == pytest.approx(1e3 * latencies_s.mean(), rel=1e-6)
    assert found.max_ms == pytest.approx(1e3 * latencies_s.max(), rel=1e-6)
    for share, value in ((50, found.p50_ms), (90, found.p90_ms), (99, found.p99_ms)):
        exact = 1e3 * np.percentile(latencies_s, share, method="inverted_cdf")
        assert value == pytest.approx(exact, rel=0.02)


def test_failures_and_a_new_start():
    recorder = StatsRecorder()
    recorder.submitted(1.0)
    recorder.failed(3.0)
    assert recorder.stats() == Stats(submitted=1, failed=1, elapsed_s=2.0)
    recorder.reset()
    assert recorder.stats() == Stats()
    # A frame from before the new start: nothing says how long that took.
    recorder.completed(2.0, 4.0)
    assert recorder.stats() == Stats(completed=1, latency=Durations(*[pytest.approx(2000, rel=0.02)] * 5))


def test_a_clock_that_stands_still():
    recorder = StatsRecorder()
    recorder.submitted(1.0)
    recorder.completed(1.0, 1.0)
    assert (recorder.stats().completed, recorder.stats().fps, recorder.stats().latency.max_ms) == (1, 0.0, 0.0)


def test_memory_does_not_grow():
    def size(recorder):
        return sys.getsizeof(recorder._latencies._counts)

    recorder = StatsRecorder()
    for number in range(1000):
        recorder.completed(0.0, 0.001 * (1 + number % 50))
    small = size(recorder)
    for number in range(20_000):
        recorder.completed(0.0, 0.001 * (1 + number % 50))
    assert size(recorder) == small


def test_counted_by_several_threads():
    recorder = StatsRecorder()

    def count():
        for _ in range(500):
            recorder.submitted(0.0)
            recorder.completed(0.0, 0.5)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (recorder.stats().submitted, recorder.stats().completed) == (2000, 2000)


def test_stages_that_were_measured():
    stats = Stats(device=Durations(2.0, 2.0, 2.0, 2.0, 3.0), queue=Durations(1.0, 1.0, 1.0, 1.0, 1.0))
    assert stats.stages_ms == {"queue": 1.0, "device": 2.0}
