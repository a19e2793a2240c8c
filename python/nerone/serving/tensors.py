"""Requests and answers of the Open Inference Protocol v2, as JSON or with binary tensors behind the JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.errors import ConfigurationError, DtypeError, ShapeError

__all__ = ["DATATYPES", "Request", "answer", "read_request"]

# What the preprocessing takes.
DATATYPES = {"UINT8": "u1", "INT8": "i1", "UINT16": "<u2", "INT16": "<i2", "INT32": "<i4", "FP32": "<f4"}
_NAMES = {np.dtype(code).str.lstrip("<|"): name for name, code in DATATYPES.items()}
_MAX_AXES = 8

Array = NDArray[Any]


@dataclass(frozen=True)
class Request:
    """Contents of an inference request.

    Attributes
    ----------
    id : str, repeated in the answer
    inputs : arrays by name
    binary : whether the outputs are wanted in binary
    outputs : names of the outputs that are wanted; empty for all
    """

    id: str
    inputs: Mapping[str, Array]
    binary: bool
    outputs: tuple[str, ...]


def read_request(body: memoryview, header_length: str | None, allowed: tuple[str, ...], produced: str) -> Request:
    """Read the body of an inference request.

    Parameters
    ----------
    body : bytes, kept by the arrays that point into it
    header_length : what Inference-Header-Content-Length says, where it stands
    allowed : names of inputs, the first one is needed
    produced : name of the output

    Raises
    ------
    ConfigurationError, ShapeError, DtypeError
        one sentence with the tensor's name.
    """
    size = len(body)
    if header_length is not None:
        if not header_length.isascii() or not header_length.isdecimal() or int(header_length) > size:
            raise ConfigurationError(
                f"Inference-Header-Content-Length is {header_length[:20]!r} for a body of {size} bytes; "
                "give the JSON's length"
            )
        size = int(header_length)
    try:
        said = json.loads(bytes(body[:size]))
    except (ValueError, RecursionError):
        raise ConfigurationError("the request's JSON cannot be read; expected an object with 'inputs'") from None
    if not isinstance(said, dict) or not isinstance(said.get("inputs"), list):
        raise ConfigurationError("the request has no list 'inputs'; send one as the Open Inference Protocol v2 says")
    place, inputs = size, {}
    for one in said["inputs"]:
        name = one.get("name") if isinstance(one, dict) else None
        if name not in allowed or name in inputs:
            raise ConfigurationError(
                f"there is an input {name!r:.80}; expected {', '.join(allowed)}, each once at most"
            )
        inputs[name], place = _read_tensor(name, one, body, place)
    if allowed[0] not in inputs:
        raise ConfigurationError(f"the input '{allowed[0]}' is missing; send it")
    if place != len(body):
        raise ShapeError(f"{len(body) - place} bytes are left behind the last tensor; check its sizes")
    return _wanted(said, inputs, produced)


def _wanted(said: Mapping[str, Any], inputs: Mapping[str, Array], produced: str) -> Request:
    outputs = said.get("outputs") or []
    if not isinstance(outputs, list) or not all(isinstance(one, dict) for one in outputs):
        raise ConfigurationError("'outputs' is no list of objects; give each a name, or leave it out")
    for one in outputs:
        if one.get("name") != produced:
            raise ConfigurationError(f"there is no output {one.get('name')!r:.80}; expected '{produced}'")
    binary = _parameters(said).get("binary_data_output", False)
    if outputs:
        binary = _parameters(outputs[0]).get("binary_data", binary)
    return Request(str(said.get("id", ""))[:256], inputs, bool(binary), tuple(one["name"] for one in outputs))


def _parameters(said: Mapping[str, Any]) -> Mapping[str, Any]:
    found = said.get("parameters")
    return found if isinstance(found, dict) else {}


def _read_tensor(name: str, said: Mapping[str, Any], body: memoryview, place: int) -> tuple[Array, int]:
    kind, shape = said.get("datatype"), said.get("shape")
    if not isinstance(kind, str) or kind not in DATATYPES:
        raise DtypeError(f"the input '{name}' has datatype {kind!r:.40}; expected {', '.join(DATATYPES)}")
    if (
        not isinstance(shape, list)
        or not 1 <= len(shape) <= _MAX_AXES
        or not all(type(n) is int and 0 < n < 1 << 31 for n in shape)
    ):
        raise ShapeError(f"the input '{name}' has shape {shape!r:.80}; expected a list of positive integers")
    dtype = np.dtype(DATATYPES[kind])
    size = math.prod(shape) * dtype.itemsize
    given = _parameters(said).get("binary_data_size")
    if given is None:
        return _from_json(name, said, dtype, shape), place
    if given != size or type(given) is not int:
        raise ShapeError(f"the input '{name}' has {given!r:.40} bytes of data; {shape} of {kind} are {size}")
    if place + size > len(body):
        raise ShapeError(f"the input '{name}' is cut off: {len(body) - place} of {size} bytes came; send all of it")
    array = np.frombuffer(body, dtype, math.prod(shape), place).reshape(shape)
    return array if array.flags.aligned else array.copy(), place + size


def _from_json(name: str, said: Mapping[str, Any], dtype: np.dtype[Any], shape: list[int]) -> Array:
    data = said.get("data")
    try:
        found = np.asarray(data)
        if not isinstance(data, list) or found.dtype.kind not in "iuf" or found.size != math.prod(shape):
            raise ValueError
        if dtype.kind != "f":
            limits = np.iinfo(dtype)
            if found.dtype.kind == "f" or found.min() < limits.min or found.max() > limits.max:
                raise ValueError
        return found.astype(dtype).reshape(shape)
    except (ValueError, OverflowError, TypeError, RecursionError):
        raise ShapeError(
            f"the data of the input '{name}' is not {math.prod(shape)} numbers of {said['datatype']}; check it"
        ) from None


def answer(model: str, version: str, request: Request, name: str, result: Array) -> tuple[bytes, bytes, int | None]:
    """Return the body's parts, JSON and binary, and the JSON's length where binary follows it."""
    result = np.ascontiguousarray(result)
    told: dict[str, Any] = {
        "name": name,
        "datatype": _NAMES[result.dtype.str.lstrip("<|")],
        "shape": list(result.shape),
    }
    said: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": [told]}
    if request.id:
        said["id"] = request.id
    if not request.binary:
        told["data"] = result.ravel().tolist()
        return json.dumps(said).encode(), b"", None
    told["parameters"] = {"binary_data_size": result.nbytes}
    header = json.dumps(said).encode()
    return header, result.tobytes(), len(header)
