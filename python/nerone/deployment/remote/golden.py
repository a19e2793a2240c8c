"""The golden frame: what a board computed, held against what this machine computes."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nerone.deployment.remote.agent import golden_outputs
from nerone.errors import DeviceError

__all__ = ["STAGES", "compare_golden", "host_golden"]

# The first DPU subgraph alone, and the whole model.
STAGES = ("dpu", "end")
# The exponential of a softmax on the CPU is a function of the platform's mathematical library.
_FLOAT_TOLERANCE = 1e-6

Answers = Mapping[str, Sequence[Mapping[str, Any]]]


def host_golden(model: Path) -> dict[str, list[dict[str, Any]]]:
    """Run the golden frame on this machine's software DPU."""
    return {stage: golden_outputs(str(model), "softdpu", stage) for stage in STAGES}


def compare_golden(host: Answers, board: Answers, name: str) -> list[str]:
    """Compare the results; integers, which is all that a DPU writes, have to be equal bit for bit.

    Parameters
    ----------
    host, board : results of `host_golden` and of the agent
    name : of the board, for the message

    Returns
    -------
    list of str, one sentence for each float output that differs by rounding

    Raises
    ------
    DeviceError
        where an output differs.
    """
    notes = []
    for stage in STAGES:
        expected = {output["name"]: _array(output) for output in host[stage]}
        got = _board_arrays(board, stage, sum(values.nbytes for values in expected.values()), name)
        if expected.keys() != got.keys():
            raise DeviceError(f"{name} gives the outputs {sorted(got)}, this machine {sorted(expected)}; {_REMEDY}")
        for output, values in expected.items():
            note = _compare_output(output, values, got[output], name)
            notes += [note] if note and note not in notes else []
    return notes


_REMEDY = "install the same version of NERONE on both and deploy again"


def _compare_output(output: str, expected: NDArray[Any], got: NDArray[Any], name: str) -> str:
    if expected.dtype != got.dtype or expected.shape != got.shape:
        raise DeviceError(
            f"output '{output}' of the golden frame is {got.dtype} {got.shape} on {name} and {expected.dtype} "
            f"{expected.shape} on this machine; {_REMEDY}"
        )
    if expected.tobytes() == got.tobytes():
        return ""
    differing = int(np.count_nonzero(expected != got))
    largest = float(np.max(np.abs(expected.astype(np.float64) - got.astype(np.float64))))
    if expected.dtype.kind == "f" and largest <= _FLOAT_TOLERANCE:
        return f"'{output}', computed by the CPU in float, differs by rounding, {largest:.1e} at most"
    raise DeviceError(
        f"the golden frame gives another result on {name}: {differing} of {expected.size} values of '{output}' differ, "
        f"by {largest:g} at most; {_REMEDY}"
    )


def _board_arrays(board: Answers, stage: str, max_bytes: int, name: str) -> dict[str, NDArray[Any]]:
    try:
        return {str(output["name"]): _array(output, max_bytes) for output in board[stage]}
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError, zlib.error) as error:
        raise DeviceError(f"{name} gives a golden frame that cannot be read; {_REMEDY}") from error


def _array(output: Mapping[str, Any], max_bytes: int = 1 << 31) -> NDArray[Any]:
    packed = zlib.decompressobj()
    data = packed.decompress(base64.b64decode(output["data"]), max_bytes)
    if packed.unconsumed_tail:
        raise ValueError("it unpacks to more than the network gives")
    values: NDArray[Any] = np.frombuffer(data, np.dtype(output["dtype"]))
    return values.reshape(tuple(int(size) for size in output["shape"]))
