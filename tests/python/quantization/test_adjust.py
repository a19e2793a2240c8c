"""Adjusted fix points obey every rule at once, on graphs nobody drew by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from random_graphs import RandomGraph

from nerone.graph import GraphBuilder, Op
from nerone.quantization.adjust import adjust
from nerone.quantization.ptq.post_training import weight_fix_points
from nerone.quantization.shifts import violations
from nerone.quantization.topology import fix_point_source, plan

GRAPHS = 600


def random_case(seed, spread):
    graph = RandomGraph(seed).build(25)
    rng = np.random.default_rng(seed)
    fix_points = {name: int(rng.integers(-spread, spread + 4)) for name in plan(graph).points}
    return graph, fix_points, weight_fix_points(graph)


@pytest.mark.parametrize("spread", [4, 10, 30])
def test_random_graphs_reach_a_fixed_point_inside_the_ranges(spread):
    broken_before = 0
    for seed in range(GRAPHS // 3):
        graph, fix_points, weights = random_case(seed + 1000 * spread, spread)
        broken_before += bool(violations(graph, fix_points, weights))
        adjusted, adjusted_weights = adjust(graph, fix_points, weights)
        assert violations(graph, adjusted, adjusted_weights) == [], f"seed {seed + 1000 * spread}"
        assert adjust(graph, adjusted, adjusted_weights) == (adjusted, adjusted_weights), f"seed {seed + 1000 * spread}"
    assert broken_before > GRAPHS // 6


def test_fix_points_that_obey_stay():
    graph, fix_points, weights = random_case(7, 0)
    even = dict.fromkeys(fix_points, 7)
    for own in weights.values():
        own.update(dict.fromkeys(own, 7))
    assert adjust(graph, even, weights) == (even, weights)


def test_concat_and_pool_align_where_no_sigmoid_forbids():
    for seed in range(60):
        graph, fix_points, weights = random_case(seed, 6)
        if any(node.op is Op.HARD_SIGMOID for node in graph):
            continue
        adjusted, _ = adjust(graph, fix_points, weights)
        for node in graph:
            if node.op in (Op.CONCAT, Op.MAX_POOL, Op.AVG_POOL):
                sources = [fix_point_source(graph.by_name, adjusted, name) for name in node.inputs]
                met = {adjusted[name] for name in (*sources, node.name) if name is not None}
                assert len(met) == 1


def chain(kernel, bias, *, leaky=False):
    builder = GraphBuilder("chain")
    source = builder.add(Op.INPUT, [], name="x", attrs={"shape": (2, 2, 1)})
    window = {"strides": (1, 1), "pad": (0, 0, 0, 0), "dilation": (1, 1)}
    weights = {"kernel": np.full((1, 1, 1, 1), kernel), "bias": np.full(1, bias)}
    conv = builder.add(Op.CONV2D, [source], name="conv", attrs=window, weights=weights)
    end = builder.add(Op.LEAKY_RELU, [conv], name="end", attrs={"alpha": 26 / 256}) if leaky else conv
    return builder.build([source], [end])


# i, w, b, o and the w and b that the rules give.
@pytest.mark.parametrize(
    ("i", "w", "b", "o", "new_w", "new_b"),
    [
        (4, 5, 6, 4, 5, 6),  # cut 5, bias shift 3: nothing to do
        (4, 14, 6, 0, 12, 6),  # cut 18 -> 16
        (2, 1, 3, 6, 4, 3),  # cut -3 -> 0
        (4, 4, -20, 4, 4, -8),  # bias shift 28 -> 16
        (4, 4, 60, 4, 4, 20),  # bias shift -52 -> -12 = cut 4 - 16
        (8, 12, 60, 4, 12, 20),  # cut 16: bias shift may not be negative
    ],
)
def test_convolution_rules(i, w, b, o, new_w, new_b):
    _, weights = adjust(chain(1.0, 1.0), {"x": i, "conv": o}, {"conv": {"kernel": w, "bias": b}})
    assert weights == {"conv": {"kernel": new_w, "bias": new_b}}


def test_bias_shift_before_leaky_relu_is_not_negative():
    _, weights = adjust(chain(1.0, 1.0, leaky=True), {"x": 4, "end": 4}, {"conv": {"kernel": 4, "bias": 12}})
    assert weights["conv"]["bias"] == 8


def joined(op):
    builder = GraphBuilder("joined")
    left = builder.add(Op.INPUT, [], name="left", attrs={"shape": (2, 2, 1)})
    right = builder.add(Op.INPUT, [], name="right", attrs={"shape": (2, 2, 1)})
    end = builder.add(op, [left, right], name="end", attrs={"axis": 3})
    return builder.build([left, right], [end])


@pytest.mark.parametrize(
    ("op", "before", "after"),
    [
        (Op.ADD, (20, 2, 2), (17, 2, 2)),  # read: the largest comes down to 15 above the smallest
        (Op.ADD, (20, 20, 2), (20, 20, 5)),  # write: min i - o at most 15
        (Op.MULTIPLY, (0, 0, 20), (0, 0, 15)),
        (Op.CONCAT, (5, 3, 4), (3, 3, 3)),
    ],
)
def test_rules_of_two_inputs(op, before, after):
    graph = joined(op)
    fix_points, _ = adjust(graph, dict(zip(("left", "right", "end"), before, strict=True)), {})
    assert tuple(fix_points[name] for name in ("left", "right", "end")) == after


def test_hard_sigmoid_rules():
    builder = GraphBuilder("gate")
    source = builder.add(Op.INPUT, [], name="x", attrs={"shape": (2, 2, 1)})
    end = builder.add(Op.HARD_SIGMOID, [source], name="end", attrs={"scale": 2731 / 16384})
    graph = builder.build([source], [end])
    assert adjust(graph, {"x": -2, "end": 6}, {})[0] == {"x": 0, "end": 7}
    assert adjust(graph, {"x": 18, "end": 40}, {})[0] == {"x": 15, "end": 29}


def test_violations_are_told():
    found = violations(chain(1.0, 1.0), {"x": 4, "conv": 0}, {"conv": {"kernel": 14, "bias": 3}})
    assert found == ["conv: shift_cut is 18, the DPU has 0 .. 16"]
