"""Mutants that stay well formed: JSON values and the fields of ONNX models, which get further in than changed bytes."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

__all__ = ["json_mutant", "onnx_mutant"]

_NUMBERS = [0, 1, -1, 2, 255, 65536, 2**31 - 1, -(2**31), 2**62, -(2**63)]
_VALUES: list[Any] = [None, True, *_NUMBERS, 10**40, 1e308, float("nan"), 0.5, "", "../x", "a\x1b[2J\nb", [], {}, [[]]]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from _places(inner)


def json_mutant(seed: bytes, rng: random.Random) -> bytes:
    """Change, remove or double some values of a JSON text."""
    root = json.loads(seed)
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(root))
        if not places:
            break
        holder, key = rng.choice(places)
        way = rng.randrange(5)
        if way == 0:
            del holder[key]
        elif way == 1:
            other, place = rng.choice(places)
            holder[key] = json.loads(json.dumps(other[place]))
        elif way == 2 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[key] = copy.deepcopy(rng.choice(_VALUES))
    return json.dumps(root).encode()


def onnx_mutant(seed: bytes, rng: random.Random) -> bytes:
    """Change attributes, inputs, operators, constants and shapes of a model."""
    import onnx

    model = onnx.load_from_string(seed)
    graph = model.graph
    for _ in range(rng.choice((1, 1, 2, 3))):
        node, way = rng.choice(graph.node), rng.randrange(8)
        if way < 2 and node.attribute:
            _change_attribute(rng.choice(node.attribute), rng)
        elif way == 2:
            node.op_type = rng.choice(graph.node).op_type
        elif way == 3 and node.input:
            names = [name for one in graph.node for name in (*one.input, *one.output)]
            node.input[rng.randrange(len(node.input))] = rng.choice([*names, ""])
        elif way == 4 and node.input:
            del node.input[rng.randrange(len(node.input))]
        elif way < 7 and graph.initializer:
            _change_constant(rng.choice(graph.initializer), rng)
        elif graph.input[0].type.tensor_type.shape.dim:
            rng.choice(graph.input[0].type.tensor_type.shape.dim).dim_value = rng.choice(_NUMBERS)
    return bytes(model.SerializeToString())


def _change_attribute(attribute: Any, rng: random.Random) -> None:
    if attribute.ints and rng.random() < 0.7:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(_NUMBERS)
    elif attribute.ints:
        del attribute.ints[0]
    elif attribute.type == 1:
        attribute.f = rng.choice([0.0, -1.0, float("nan"), 1e38])
    else:
        attribute.i = rng.choice(_NUMBERS)


def _change_constant(tensor: Any, rng: random.Random) -> None:
    way = rng.randrange(4)
    if way == 0 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(_NUMBERS)
    elif way == 1:
        tensor.dims.append(rng.choice((0, 1, 2)))
    elif way == 2:
        tensor.raw_data = tensor.raw_data[: rng.randrange(len(tensor.raw_data) + 1)]
    else:
        tensor.data_type = rng.randrange(22)
