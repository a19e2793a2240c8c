"""nerone.Pipeline: results, order, bounds, futures, errors, threads, asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time

import numpy as np
import pytest

import nerone
from nerone.backends.statistics import Stats
from nerone.errors import (
    ConfigurationError,
    DtypeError,
    QueueClosedError,
    ShapeError,
    TimeoutError,
)
from nerone.runtime.pipeline import Frame, Pipeline
from nerone.runtime.preprocessing import Channels, Clip, Preprocessing, Resize, Window, ZScore
from nerone.runtime.preprocessing.numpy_steps import apply, quantize
from runtime.counting import counted_during
from runtime.xmodels import write_alternating, write_doubling

HEIGHT, WIDTH, CHANNELS = 12, 10, 3
STEPS = Preprocessing((Channels(3), Resize(HEIGHT, WIDTH), Window(0, 255)))


@pytest.fixture(scope="module")
def doubling(tmp_path_factory):
    return write_doubling(tmp_path_factory.mktemp("pipeline") / "doubling.xmodel", (1, HEIGHT, WIDTH, CHANNELS))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A hand-made bundle folder; its network doubles."""
    folder = tmp_path_factory.mktemp("pipeline") / "small.nerone"
    folder.mkdir()
    write_doubling(folder / "model.xmodel", (1, HEIGHT, WIDTH, CHANNELS))
    manifest = {"preprocessing": STEPS.to_dict(), "output": {"kind": "segmentation"}, "board_model": ""}
    (folder / "bundle.json").write_text(json.dumps(manifest))
    return folder


def images(count, seed=3):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (20, 17, 3)).astype(np.uint8) for _ in range(count)]


def doubled(image, steps=STEPS):
    integers = quantize(apply(steps, image), 4).astype(int) * 2
    return np.clip(integers, -128, 127).astype(np.int8)


def mask_of(image):
    return doubled(image).argmax(-1).astype(np.uint8)


@pytest.mark.parametrize("threads", [1, 3])
def test_map_gives_masks_in_order(bundle, threads):
    frames = images(40)
    with Pipeline(bundle, threads=threads, queue_size=2) as pipeline:
        results = list(pipeline.map(iter(frames)))
        stats = pipeline.stats()
    assert len(results) == 40
    for frame, result in zip(frames, results, strict=True):
        assert result.shape == (HEIGHT, WIDTH)
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(result, mask_of(frame))
    assert (stats.submitted, stats.completed, stats.failed) == (40, 40, 0)
    assert stats.fps > 0
    assert stats.latency.max_ms >= stats.latency.p50_ms > 0


def test_the_pynq_backend_gives_the_same_masks(bundle):
    frames = images(5)
    with Pipeline(bundle, backend="pynq") as pipeline:
        for frame, result in zip(frames, pipeline.map(frames), strict=True):
            np.testing.assert_array_equal(result, mask_of(frame))
        assert pipeline.stats().completed == 5
        bad = pipeline.submit(frames[0][:, :, 0])
        with pytest.raises(ShapeError):
            bad.result(10_000)
        stats = pipeline.stats()
        assert (stats.submitted, stats.completed, stats.failed) == (6, 5, 1)
        pipeline.reset_stats()
        assert pipeline.stats() == Stats()
    with pytest.raises(QueueClosedError):
        pipeline.run(frames[0])


@pytest.mark.parametrize("result", ["real", "raw", "probabilities"])
def test_other_results(doubling, result):
    frame = images(1)[0]
    with Pipeline(doubling, preprocessing=STEPS, result=result, threads=1) as pipeline:
        got = pipeline.run(frame)
    raw = doubled(frame)
    if result == "raw":
        np.testing.assert_array_equal(got, raw)
        return
    real = raw.astype(np.float32) / 16
    if result == "probabilities":
        real = np.exp(real) / np.exp(real).sum(-1, keepdims=True)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, real, rtol=1e-6)


def test_a_classification_gives_a_number(tmp_path):
    shape = (1, 1, 1, 4)
    write_doubling(tmp_path / "model.xmodel", shape)
    manifest = {"preprocessing": Preprocessing(()).to_dict(), "output": {"kind": "classification"}}
    (tmp_path / "bundle.json").write_text(json.dumps(manifest))
    image = np.array([[[0.1, 0.5, 2.0, 0.3]]], np.float32)
    with Pipeline(tmp_path) as pipeline:
        result = pipeline.run(image)
        assert result.shape == ()
        assert int(result) == 2
    with Pipeline(tmp_path, result="real") as pipeline:
        assert pipeline.run(image).shape == (4,)


def test_a_chain_of_subgraphs_gives_its_outputs_by_name(tmp_path):
    path = write_alternating(tmp_path / "chain.xmodel")
    image = np.random.default_rng(1).normal(size=(2, 3, 4)).astype(np.float32)
    expected = nerone.Model.load(path).run(image[np.newaxis])
    with Pipeline(path, result="raw") as pipeline:
        got = pipeline.run(image)
    assert set(got) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(got[name].ravel(), values.ravel())


def test_results_outlive_the_pipeline_and_are_not_used_again(bundle):
    frames = images(30)
    with Pipeline(bundle, threads=2) as pipeline:
        kept = [pipeline.run(frame) for frame in frames]
    for frame, result in zip(frames, kept, strict=True):
        np.testing.assert_array_equal(result, mask_of(frame))
        assert result.ctypes.data % 64 == 0
        assert not result.flags.owndata


def test_map_is_lazy_and_bounded(bundle):
    taken = []

    def source():
        for index, frame in enumerate(images(100)):
            taken.append(index)
            yield frame

    with Pipeline(bundle, threads=1, queue_size=3) as pipeline:
        results = pipeline.map(source())
        assert taken == []
        next(results)
        time.sleep(0.05)
        assert len(taken) <= pipeline.in_flight_limit + 1
        results.close()
        np.testing.assert_array_equal(pipeline.run(images(1)[0]), mask_of(images(1)[0]))


def test_frames_carry_spacing_and_statistics(doubling):
    steps = Preprocessing((Channels(3), Clip(low=0), ZScore("volume"), Resize(HEIGHT, WIDTH)))
    volume = images(4)
    statistics = nerone.runtime.preprocessing.numpy_steps.volume_statistics(steps, volume)
    with Pipeline(doubling, preprocessing=steps, result="raw") as pipeline:
        frames = [Frame(image, 0.5, statistics) for image in volume]
        for image, result in zip(volume, pipeline.map(frames), strict=True):
            expected = quantize(apply(steps, image, statistics=statistics), 4).astype(int) * 2
            assert np.abs(result - np.clip(expected, -128, 127)).max() <= 2
        channels = [np.ascontiguousarray(volume[0][:, :, c]) for c in range(3)]
        future = pipeline.submit(channels, statistics=statistics)
        channels.clear()
        assert future.result().shape == (HEIGHT, WIDTH, CHANNELS)


def test_a_bad_frame_fails_alone(bundle):
    good = images(1)[0]
    bad = [
        (good[:, :, 0], ShapeError),
        (good.astype(np.float64), DtypeError),
        ("text", DtypeError),
        (Frame(good, -1.0), ConfigurationError),
    ]
    with Pipeline(bundle, threads=2) as pipeline:
        futures = [pipeline.submit(image) for image, _ in bad]
        fine = pipeline.submit(good)
        for future, (_, error) in zip(futures, bad, strict=True):
            with pytest.raises(error):
                future.result(10_000)
            assert isinstance(future.exception(), error)
        np.testing.assert_array_equal(fine.result(10_000), mask_of(good))
        mixed = list(pipeline.map([good, good[:, :, 0], good], on_error="yield"))
        assert isinstance(mixed[1], ShapeError)
        np.testing.assert_array_equal(mixed[2], mask_of(good))
        with pytest.raises(ShapeError):
            list(pipeline.map([good, good[:, :, 0], good]))


def test_as_completed_gives_every_frame_once(bundle):
    frames = images(25)
    with Pipeline(bundle, threads=2) as pipeline:
        results = dict(pipeline.as_completed([*frames, frames[0][:, :, 0]]))
    assert sorted(results) == list(range(26))
    assert isinstance(results.pop(25), ShapeError)
    for index, result in results.items():
        np.testing.assert_array_equal(result, mask_of(frames[index]))


def fill_up(pipeline, frame):
    """Submit until the queue refuses."""
    with contextlib.suppress(TimeoutError):
        for _ in range(10):
            pipeline.submit(frame, timeout_ms=0)


def test_waiting_has_a_timeout_and_the_queue_a_size(bundle):
    frame = images(1)[0]
    with Pipeline(bundle, threads=1, queue_size=1, job_latency_us=1_000_000, cores=1) as pipeline:
        future = pipeline.submit(frame)
        with pytest.raises(TimeoutError):
            future.result(1)
        assert not future.done()
        fill_up(pipeline, frame)
        with pytest.raises(TimeoutError):
            pipeline.submit(frame, timeout_ms=0)
        with pytest.raises(TimeoutError):
            pipeline.drain(1)
        pipeline.drain()
        np.testing.assert_array_equal(future.result(), mask_of(frame))
        np.testing.assert_array_equal(future.result(), mask_of(frame))
    with pytest.raises(QueueClosedError):
        pipeline.submit(frame)


def test_closing_without_finishing_fails_what_waits(bundle):
    frame = images(1)[0]
    pipeline = Pipeline(bundle, threads=1, queue_size=8, job_latency_us=500_000, cores=1)
    futures = [pipeline.submit(frame) for _ in range(6)]
    pipeline.close(finish=False)
    errors = [future.exception(10_000) for future in futures]
    assert isinstance(errors[-1], QueueClosedError)
    assert all(error is None or isinstance(error, QueueClosedError) for error in errors)
    pipeline.close()


def test_python_threads_keep_running(bundle):
    frame = images(1)[0]
    with Pipeline(bundle, threads=1, job_latency_us=300_000, cores=1) as pipeline:
        assert counted_during(lambda: pipeline.run(frame)) > 100


def test_many_threads_share_a_pipeline(bundle):
    frames = images(8)
    wrong = []

    def work(pipeline):
        for frame in frames * 4:
            if not np.array_equal(pipeline.run(frame), mask_of(frame)):
                wrong.append(1)

    with Pipeline(bundle, threads=2, queue_size=2) as pipeline:
        threads = [threading.Thread(target=work, args=(pipeline,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_asyncio(bundle):
    frames = images(20)

    async def main():
        with Pipeline(bundle, threads=2, queue_size=2) as pipeline:
            one = await pipeline.run_async(frames[0])
            rest = [result async for result in pipeline.map_async(frames)]
            many = await asyncio.gather(*(pipeline.run_async(frame) for frame in frames))
            with pytest.raises(ShapeError):
                await pipeline.run_async(frames[0][:, :, 0])
            mixed = [r async for r in pipeline.map_async([frames[0][:, :, 0], frames[1]], on_error="yield")]
            assert isinstance(mixed[0], ShapeError)
        return one, rest, many

    one, rest, many = asyncio.run(main())
    np.testing.assert_array_equal(one, mask_of(frames[0]))
    for frame, a, b in zip(frames, rest, many, strict=True):
        np.testing.assert_array_equal(a, mask_of(frame))
        np.testing.assert_array_equal(b, mask_of(frame))
