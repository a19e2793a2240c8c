"""One trial in a process of its own: run the file, compare, and print one line of JSON."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

__all__ = ["main"]


def main(words: list[str]) -> int:
    """Run ``xmodel npz device repeats``; the npz holds ``image`` and ``expected``."""
    from nerone.runtime.model import Model

    path, data, device, repeats = words
    vectors = np.load(data)
    times: list[float] = []
    with Model.load(path, device=device, until="dpu") as model:
        for _ in range(int(repeats)):
            begin = time.perf_counter()
            found = model.run(vectors["image"])
            times.append(time.perf_counter() - begin)
    wanted = vectors["expected"]
    differing = np.flatnonzero(found.reshape(-1) != wanted.reshape(-1))
    result: dict[str, Any] = {
        "outcome": "different" if differing.size else "equal",
        "values": int(wanted.size),
        "differing": int(differing.size),
        "median_us": round(float(np.median(times)) * 1e6, 1),
    }
    if differing.size:
        first = int(differing[0])
        result["first"] = {
            "index": [int(place) for place in np.unravel_index(first, wanted.shape)],
            "found": int(found.reshape(-1)[first]),
            "expected": int(wanted.reshape(-1)[first]),
        }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
