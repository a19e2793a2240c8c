"""Networks with several inputs and several outputs through the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nerone.errors import ConfigurationError, ModelError, ShapeError
from nerone.runtime.model import Model
from nerone.runtime.pipeline import Frame, Pipeline
from nerone.runtime.preprocessing import Preprocessing, ScaleOffset, ZScore
from nerone.runtime.preprocessing.numpy_steps import volume_statistics
from runtime.xmodels import crossing, data_fix, fixed, op, real, subgraph, write

SHAPE = (1, 2, 3, 2)
ADD = {"type": "ADD", "nonlinear": "NONE"}


def write_two_inputs(path: Path) -> Path:
    """left + right, and right + right, on the DPU alone."""
    ops = [
        data_fix("left", SHAPE, 4),
        data_fix("right", SHAPE, 4),
        op("both", "eltwise-fix", fixed(SHAPE, 3), ["left", "right"], **ADD),
        op("twice", "eltwise-fix", fixed(SHAPE, 3), ["right", "right"], **ADD),
    ]
    return write(path, ops, [subgraph("in", "USER", ["left", "right"]), subgraph("dpu", "DPU", ["both", "twice"])])


def write_two_inputs_and_cpu(path: Path) -> Path:
    """The same sum, doubled by a second DPU subgraph behind a CPU one: a chain of subgraphs."""
    ops = [
        data_fix("left", SHAPE, 4),
        data_fix("right", SHAPE, 4),
        op("sum", "eltwise-fix", fixed(SHAPE, 3), ["left", "right"], **ADD),
        crossing("float", "fix2float", real(SHAPE), "sum", 3),
        op("positive", "relu", real(SHAPE), ["float"]),
        crossing("back", "float2fix", fixed(SHAPE, 3), "positive", 3),
        op("double", "eltwise-fix", fixed(SHAPE, 2), ["back", "back"], **ADD),
    ]
    children = [
        subgraph("in", "USER", ["left", "right"]),
        subgraph("dpu1", "DPU", ["sum"]),
        subgraph("cpu", "CPU", ["float", "positive", "back"]),
        subgraph("dpu2", "DPU", ["double"]),
    ]
    return write(path, ops, children)


@pytest.fixture(params=[write_two_inputs, write_two_inputs_and_cpu])
def model_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    writer: Callable[[Path], Path] = request.param
    return writer(tmp_path / "two.xmodel")


def images(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: random.integers(-64, 64, SHAPE[1:]).astype(np.float32) / 16 for name in ("left_t", "right_t")}


def names(path: Path) -> list[str]:
    with Model.load(path) as model:
        return [info.name for info in model.inputs]


def test_equals_the_model_for_every_way_to_give_the_images(model_file: Path) -> None:
    order = names(model_file)
    assert set(order) == set(images(0))
    with Model.load(model_file) as model, Pipeline(model_file, result="real", threads=3) as pipeline:
        for seed in range(30):
            given = images(seed)
            expected = model.run({name: image[np.newaxis] for name, image in given.items()}, dtype="float32")
            expected = expected if isinstance(expected, dict) else {"": expected}
            as_tuple = tuple(given[name] for name in order)
            for found in (pipeline.run(given), pipeline.run(as_tuple), pipeline.run(Frame(list(as_tuple)))):
                found = found if isinstance(found, dict) else {"": found}
                assert found.keys() == expected.keys()
                for name in found:
                    np.testing.assert_array_equal(found[name], expected[name][0])


def test_several_outputs_of_classes_come_by_name(tmp_path: Path) -> None:
    path = write_two_inputs(tmp_path / "two.xmodel")
    with Model.load(path) as model, Pipeline(path) as pipeline:
        given = images(5)
        scores = model.run({name: image[np.newaxis] for name, image in given.items()})
        found = next(iter(pipeline.map([given])))
        assert set(found) == {"both_t", "twice_t"}
        for name in found:
            np.testing.assert_array_equal(found[name], scores[name][0].argmax(-1))


def test_one_preprocessing_for_all_or_one_for_each(tmp_path: Path) -> None:
    path = write_two_inputs(tmp_path / "two.xmodel")
    given = {name: np.abs(image) for name, image in images(2).items()}
    half, plain = Preprocessing((ScaleOffset((0.5,), (0.0,)),)), Preprocessing(())
    order = names(path)
    each = [half if name == "left_t" else plain for name in order]
    with Pipeline(path, result="real") as reference:
        halved = reference.run({"left_t": given["left_t"] / 2, "right_t": given["right_t"]})
        both = reference.run({name: image / 2 for name, image in given.items()})
    with Pipeline(path, result="real", preprocessing=each) as pipeline:
        np.testing.assert_array_equal(pipeline.run(given)["both_t"], halved["both_t"])
    with Pipeline(path, result="real", preprocessing=half) as pipeline:
        np.testing.assert_array_equal(pipeline.run(given)["both_t"], both["both_t"])
    with pytest.raises(ConfigurationError, match="preprocessings for 3 inputs"):
        Pipeline(path, preprocessing=[half] * 3)
    with pytest.raises(ConfigurationError, match="preprocessing is"):
        Pipeline(path, preprocessing=[])


def test_statistics_per_input(tmp_path: Path) -> None:
    path = write_two_inputs(tmp_path / "two.xmodel")
    scored = Preprocessing((ZScore(scope="volume"),))
    given = images(7)
    statistics = {name: volume_statistics(scored, [image]) for name, image in given.items()}
    with Pipeline(path, result="real", preprocessing=scored) as pipeline:
        without = pipeline.run(given)  # each image counts as its whole volume
        found = pipeline.run(given, statistics=statistics)
        np.testing.assert_array_equal(found["both_t"], without["both_t"])
        swapped = dict(zip(statistics, reversed(statistics.values()), strict=True))
        assert (pipeline.run(given, statistics=swapped)["both_t"] != found["both_t"]).any()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda given: given["left_t"],
        lambda given: (given["left_t"],),
        lambda given: (*given.values(), given["left_t"]),
        lambda given: {"left_t": given["left_t"]},
        lambda given: {**given, "other": given["left_t"]},
        lambda given: {**given, "right_t": given["right_t"][:1]},
    ],
)
def test_a_frame_that_does_not_fit_fails_alone(
    model_file: Path, wrong: Callable[[dict[str, np.ndarray]], object]
) -> None:
    with Pipeline(model_file) as pipeline:
        before, bad, after = (pipeline.submit(one) for one in (images(1), wrong(images(1)), images(1)))
        with pytest.raises(ShapeError):
            bad.result(60_000)
        assert before.exception(60_000) is None
        assert after.exception(60_000) is None


def test_the_python_loop_says_that_it_takes_one_input(tmp_path: Path) -> None:
    path = write_two_inputs(tmp_path / "two.xmodel")
    with pytest.raises(ModelError, match="one of each"):
        Pipeline(path, backend="pynq")
