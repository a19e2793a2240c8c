"""A process that runs a network alone: reads numbers of seconds, answers with frames per second."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from nerone.runtime.model import Model


def main() -> None:
    with Model.load(Path(sys.argv[1]), until="dpu") as model:
        image = np.zeros(model.inputs[0].shape, np.int8)
        model.run(image)
        for line in sys.stdin:
            began, count = time.perf_counter(), 0
            while time.perf_counter() - began < float(line):
                model.run(image)
                count += 1
            print(count / (time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main()
